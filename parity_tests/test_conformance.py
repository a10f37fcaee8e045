"""Every section has all its parts, and its three files line up.

A section that is added to the registry without one of its parts fails here
by name.
"""

import ast
import dataclasses
import difflib
import pathlib
import re
import sys

import pytest

import recorded
from rnn_parity import IMPLEMENTATIONS, SECTIONS, mistakes

ROOT = pathlib.Path(__file__).parent.parent
HEADINGS = (
    "Variables and placeholders",
    "Forward pass",
    "Calculating loss",
    "Running a training session",
)
METHODS = (
    "__init__",
    "declare_variables",
    "forward_pass",
    "read_out",
    "calculate_loss",
    "build_training",
    "train_step",
    "train_epoch",
)
BACKWARD = ("read_out_gradients", "backward_pass", "calculate_gradients")
# Where the tutorial's lists of tensors become one tensor, less can be alike.
LEAST_ALIKE = {
    "s1": 0.4,
    "s2": 0.35,
    "s3": 0.35,
    "s4": 0.35,
    "s5": 0.5,
    "s6": 0.5,
    "s7": 0.5,
}


def source(section, version):
    return (ROOT / version / f"{section.module}.py").read_text()


def missing_parts(section):
    """What a section of the registry still lacks, in words."""
    missing = [
        version
        for version in IMPLEMENTATIONS
        if not (ROOT / version / f"{section.module}.py").exists()
    ]
    paths = [recorded.inputs_path(section)]
    paths += [recorded.release_path(section, r) for r in recorded.RELEASES]
    missing += [path.name for path in paths if not path.exists()]
    own = [
        mistake
        for mistake in mistakes.CATALOGUE.values()
        if section.key in mistake.sections
        and set(mistake.sections) != set(mistakes.EVERY)
    ]
    if not own:
        missing.append("mistakes of its own")
    return missing


def test_every_section_has_all_its_parts(key):
    assert missing_parts(SECTIONS[key]) == []


def test_a_section_without_its_parts_is_noticed():
    new = dataclasses.replace(SECTIONS["s1"], key="s8", module="s8_new")
    assert missing_parts(new) == [
        "legacy_v1",
        "tf2",
        "numpy_ref",
        "s8_inputs.npz",
        "s8_tf0.12.1.npz",
        "s8_tf1.0.1.npz",
        "s8_tf1.15.5.npz",
        "mistakes of its own",
    ]


@pytest.mark.parametrize("version", IMPLEMENTATIONS)
def test_every_section_file_is_in_the_registry(version):
    files = {path.stem for path in (ROOT / version).glob("s[0-9]*.py")}
    assert files == {section.module for section in SECTIONS.values()}


def test_the_catalogue_is_large_enough():
    assert len(mistakes.CATALOGUE) >= 25


def headings(text):
    return tuple(re.findall(r"^ +# --- (.+) ---$", text, re.MULTILINE))


def methods(text):
    (network,) = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == "EchoRNN"
    ]
    return {
        node.name: node
        for node in network.body
        if isinstance(node, ast.FunctionDef)
    }


def signature(node):
    return ast.unparse(node.args)


@pytest.mark.parametrize("version", IMPLEMENTATIONS)
def test_headings_and_methods_are_the_same_in_the_same_order(key, version):
    text = source(SECTIONS[key], version)
    wanted_headings, wanted = list(HEADINGS), list(METHODS)
    if version == "numpy_ref":
        wanted_headings.insert(3, "Backward pass")
        wanted[5:5] = BACKWARD
    assert headings(text) == tuple(wanted_headings)
    found = [name for name in methods(text) if name in wanted]
    assert found == wanted


def test_signatures_are_the_same_in_all_three(key):
    legacy, tf2, numpy_ref = (
        methods(source(SECTIONS[key], version)) for version in IMPLEMENTATIONS
    )
    for name in METHODS:
        assert (
            signature(legacy[name])
            == signature(tf2[name])
            == signature(numpy_ref[name])
        ), name


def test_no_method_stands_in_one_version_alone(key):
    """But NumPy's way back, which the others leave to TensorFlow."""
    names = [
        set(methods(source(SECTIONS[key], version))) - set(BACKWARD)
        for version in IMPLEMENTATIONS
    ]
    assert names[0] == names[1] == names[2]


@pytest.mark.parametrize("version", IMPLEMENTATIONS)
def test_a_section_is_a_page_to_read(key, version):
    text = source(SECTIONS[key], version)
    lines = text.splitlines()
    assert 60 <= len(lines) <= 140
    assert max(map(len, lines)) <= 78
    for name, node in methods(text).items():
        assert node.end_lineno - node.lineno < 24, name


def alike(legacy, tf2):
    """Share of the longer file's lines that the other has too, in order."""
    lines = [
        [line.strip() for line in text.splitlines() if line.strip()]
        for text in (legacy, tf2)
    ]
    matcher = difflib.SequenceMatcher(None, *lines, autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks())
    return same / max(map(len, lines))


def test_the_pair_reads_side_by_side(key):
    section = SECTIONS[key]
    share = alike(source(section, "legacy_v1"), source(section, "tf2"))
    assert share >= LEAST_ALIKE[key]


def imported(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names


@pytest.mark.parametrize(
    ("version", "allowed"),
    [
        ("legacy_v1", {"numpy", "tensorflow", "rnn_parity"}),
        ("tf2", {"numpy", "tensorflow", "keras", "tf2", "rnn_parity"}),
        ("numpy_ref", {"numpy", "numpy_ref"}),
    ],
)
def test_each_version_stands_alone(version, allowed):
    for path in (ROOT / version).glob("*.py"):
        assert imported(path) <= allowed, path.name
