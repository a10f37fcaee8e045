"""What the guide says is what the sources say, and is measured again."""

import ast
import html
import importlib.util
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
from conftest import spread

from rnn_parity import SECTIONS, cli, mistakes, side_by_side, verdicts
from rnn_parity.sections import IMPLEMENTATIONS

pytest.importorskip("mkdocs", reason="the guide needs the docs extra")

from docs_build import (
    diagrams,
    errors,
    pairs,
    proofs,
    quiz,
    reasons,
    symbols,
    traps,
    truncation,
)
from docs_build.slots import Slots

ROOT = pathlib.Path(__file__).parent.parent


# --- Side by side ---


def different_methods(section):
    """{method: whether it differs}, of the two versions."""
    found = {}
    for region in side_by_side.REGIONS:
        methods = side_by_side.methods(section, region, IMPLEMENTATIONS)
        for name, rows in methods:
            rows = side_by_side.of_pair(rows)
            if rows:
                found[name] = not all(row.same for row in rows)
    return found


def test_every_difference_has_a_reason(key):
    for method, differs in different_methods(SECTIONS[key]).items():
        if differs:
            assert reasons.find(key, method).endswith("."), method


def test_no_reason_is_left_over(key):
    different = different_methods(SECTIONS[key])
    for method in reasons.BY_SECTION[key]:
        assert different[method], method
    assert set(reasons.COMMON) <= set(
        different | different_methods(SECTIONS["s1"])
    )


def test_the_pair_is_the_source_line_by_line(key):
    section = SECTIONS[key]
    slots = Slots()
    page = slots.fill(pairs.pair(slots, key))
    for version, column in (("legacy_v1", 0), ("tf2", 1)):
        source = side_by_side.path(section, version).read_text()
        shown = []
        for region in side_by_side.REGIONS:
            for _, rows in side_by_side.methods(
                section, region, IMPLEMENTATIONS
            ):
                shown += [row.cells[column] for row in rows]
        shown = [line.strip() for line in shown if line and line.strip()]
        wanted = [
            line.strip()
            for line in source.splitlines()
            if line.strip() and not line.startswith("    # --- ")
        ]
        assert shown == wanted
        plain = html.unescape(re.sub("<[^>]+>", "", page))
        for line in wanted:
            assert line in plain, line


# --- Numbers ---


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("gates_in_keras_order", "s3"),
        ("outputs_held_past_the_end", "s7"),
        ("adagrad_with_keras_epsilon", "s1"),
    ],
)
def test_a_trap_costs_what_the_page_says(name, key):
    slots = Slots()
    page = slots.fill(traps.of_section(slots, key))
    measured = mistakes.measure(mistakes.CATALOGUE[name], key, "float64")
    row = next(row for row in page.split("<tr>") if name in row)
    assert f">{traps.in_words(measured.error)}<" in row


@pytest.mark.parametrize(
    "key", spread([*SECTIONS], ["s3", "s7"].__contains__)
)
def test_every_trap_of_a_section_is_on_its_page(key):
    slots = Slots()
    page = slots.fill(traps.of_section(slots, key))
    for name, mistake in mistakes.CATALOGUE.items():
        assert (f"<code>{name}</code>" in page) == (key in mistake.sections)


@pytest.mark.parametrize("steps", [5, 6])
def test_the_truncation_experiment_gives_the_same_again(steps):
    """Half, or nearly all; how much exactly, another processor's rounding
    changes."""
    assert set(truncation.recorded()) == set(truncation.TRUNCATIONS)
    for share in (truncation.share(steps), truncation.recorded()[steps]):
        if steps > truncation.ECHO:
            assert share > 0.97
        else:
            assert share == pytest.approx(0.5, abs=0.12)


def test_keras_errors_are_the_recorded_ones():
    recorded = proofs.recorded()
    judged = {case for row in verdicts.TABLE for case in row.cases}
    assert set(recorded) == judged
    for name in ("LSTMCell", "GRUCell", "LSTMCell peepholes", "UGRNNCell"):
        for dtype, error in recorded[name].items():
            again = proofs.measure(name, dtype)
            if error is None:
                assert again is None
            elif error > 1e-3:
                assert again == pytest.approx(error, rel=1e-3)
            else:
                assert again <= 10 * max(error, 1e-16)


@pytest.mark.thorough
@pytest.mark.xdist_group("messages")
def test_messages_are_what_is_printed():
    recorded = errors.recorded()
    assert errors.run_all() == recorded["messages"]


# --- Tables, pictures, questions ---


def test_tests_behind_symbols_exist():
    for test in symbols.tests():
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert name in {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef)
        }, test


# What the tutorial prints besides, in its three releases' spellings.
PRINTED = {
    "tf.unpack",
    "tf.nn.rnn",
    "tf.float32",
    "tf.initialize_all_variables",
    "tf.contrib.rnn.static_rnn",
    "tf.contrib.rnn.BasicRNNCell",
}


def test_every_symbol_of_the_lessons_is_in_the_table():
    used = set(PRINTED)
    for section in SECTIONS.values():
        tree = ast.parse(side_by_side.path(section, "legacy_v1").read_text())
        names = {
            ast.unparse(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
        }
        used |= {name for name in names if name.startswith("tf.")}
    named = {symbol for row in symbols.PROGRAM for symbol in row.names}
    for row in verdicts.TABLE:
        plain = row.symbol.partition("(")[0]
        named |= {f"tf.{name}" for name in (plain, *symbols.also(plain))}
    modules = {"tf.nn", "tf.train", "tf.nn.rnn_cell"}
    assert used - modules <= named


def test_every_symbol_links_to_its_proof():
    slots = Slots()
    kinds = ("CELLS", "WRAPPERS", "LOOPS")
    tables = "".join(symbols.verdict_table(slots, kind) for kind in kinds)
    tables = slots.fill(tables + symbols.program_table(slots))
    slots = Slots()
    shown = slots.fill(proofs.listed(slots) + symbols.other_proofs(slots))
    ids = set(re.findall('id="([^"]+)"', shown))
    links = re.findall('href="../proofs/#([^"]+)"', tables)
    assert len(links) >= len(verdicts.TABLE) + len(symbols.PROGRAM)
    assert set(links) <= ids


@pytest.mark.parametrize("name", diagrams.FIGURES)
def test_diagrams_use_colours_of_the_page_alone(name):
    drawn = diagrams.FIGURES[name]()
    colours = re.findall('(?:fill|stroke)="([^"]+)"', drawn)
    assert colours
    for colour in colours:
        assert colour == "none" or colour.startswith("var(--"), colour
    assert 'role="img"' in drawn


@pytest.mark.thorough
def test_questions_have_one_right_answer_each():
    asked = [*quiz.opening(), *quiz.on_traps()]
    assert len(quiz.opening()) == 3
    assert len(quiz.on_traps()) == 10
    for question in asked:
        assert question.choices[question.place] == question.right
        assert len(set(question.choices)) == len(question.choices) >= 3
    assert len({question.place for question in asked}) > 2


# --- Commands and code that a page prints ---

PAGES = sorted((ROOT / "docs").rglob("*.md"))


def steps_of(page):
    """[(language, code)] of a page's fences, in order."""
    pattern = r"^```(sh|python)\n(.*?)^```$"
    return re.findall(pattern, page.read_text(), re.DOTALL | re.MULTILINE)


def fences(page, language):
    """The code of one language."""
    return [code for of, code in steps_of(page) if of == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_such_as_can_be_typed(page):
    known = {command.name: command for command in cli.COMMANDS}
    lines = [
        line for code in fences(page, "sh") for line in code.splitlines()
    ]
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        if program == ".venv/bin/rnn-parity":
            name, *arguments = arguments
            known[name].make_context(name, arguments)
        elif program == ".venv/bin/pytest":
            for path in arguments:
                assert (ROOT / path).exists(), line
        elif program == ".venv/bin/python":
            assert arguments[0] == "-m"
            assert importlib.util.find_spec(arguments[1]), line
        elif program == "make":
            makefile = (ROOT / "Makefile").read_text()
            assert f"\n{arguments[0]}: " in makefile, line
        else:
            assert program == "diff", line


@pytest.mark.thorough
def test_an_afternoon_runs_as_it_is_printed(tmp_path):
    """Up to the swapped loop: what a reader copies, one after another."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "recorded").symlink_to(ROOT / "recorded")
    said = ""
    for language, code in steps_of(ROOT / "docs/port.md"):
        if "session.run" in code:  # the reader's own old program
            continue
        if "diff" in code:
            break
        command = ["sh", "-ec", code]
        if language == "python":
            command = [".venv/bin/python", "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (code, done.stderr)
        said += done.stdout
    assert "LSTMCell" in said
    assert "matches as it is" in said
    assert "matches with forget_bias missing" in said


@pytest.mark.thorough
def test_python_of_the_reference_runs():
    """Each piece for itself, in one process."""
    pieces = fences(ROOT / "docs/reference.md", "python")
    assert len(pieces) > 4
    done = subprocess.run(
        [sys.executable, "-c", f"for c in {pieces!r}: exec(c, {{}})"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.thorough
def test_a_whole_model_is_made_as_the_chapter_says():
    page = ROOT / "docs/chapters/checkpoints.md"
    (code,) = [c for c in fences(page, "python") if "convert_model" in c]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "concatenate" in done.stdout


# --- The build ---


def test_a_broken_link_fails_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("[gone](nowhere.md)\n")
    settings = (ROOT / "mkdocs.yml").read_text()
    settings = settings.partition("\nwatch:")[0]
    settings = settings.replace("  - docs_build/hooks.py\n", "")
    settings = settings.replace("\nhooks:\n", "\n")
    (tmp_path / "mkdocs.yml").write_text(settings)
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "nowhere.md" in done.stderr
