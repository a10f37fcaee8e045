"""Every figure of the guide, from made-up results, worked out on paper.

What the macros of `docs_build` say is compared whole: which row, which
column, which unit, how it is rounded.
"""

import collections
import html
import json
import re
import types

import numpy as np
import pytest

pytest.importorskip("mkdocs", reason="the guide needs the docs extra")

import recorded
from docs_build import (
    diagrams,
    drift,
    errors,
    macros,
    measured,
    pages,
    pairs,
    proofs,
    quiz,
    reasons,
    speed,
    symbols,
    tables,
    traps,
    truncation,
)
from docs_build.slots import Slots
from rnn_parity import (
    SECTIONS,
    cases,
    check,
    ladder,
    mistakes,
    tolerances,
    verdicts,
)
from rnn_parity.bench import jobs
from rnn_parity.bench import results as bench
from rnn_parity.training import session as training
from rnn_parity.training import stream


def shown(function, *arguments):
    """What a macro puts on the page."""
    slots = Slots()
    return slots.fill(function(slots, *arguments))


def plain(markup):
    return html.unescape(re.sub("<[^>]+>", "", markup))


def rows_of(markup):
    """[[cell]] of a table, heads among them."""
    return [
        [plain(c) for c in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)]
        for row in re.findall("<tr>(.*?)</tr>", markup)
    ]


# --- benchmarks/results ---

SECOND = 1e6 / 666  # microseconds a step, where an epoch takes a second
STEPS = {
    "s1": {
        "TF1 session": {"us": 0.6 * SECOND, "first": 1.6},
        "tf2": {"us": 12.34, "first": 2.53},
        "JAX": {"us": 19.96, "first": 0.449},
        "C": {"us": 1234.5, "first": 0.25},
    },
    "s7": {
        "TF1 session": {"us": 19.94, "first": 5.06},
        "tf2": {"us": 20.0, "first": 0.04},
        "JAX": {"us": 20.6, "first": 0.04},
    },
}
WAYS = {
    "s1": {
        "TF1 session": {"us": 100.0},
        "eager": {"us": 10000.0},
        "step": {"us": 1000.0},
        "xla": {"us": 12.5},
    },
    "s4": {"TF1 session": {"us": 1000.0}, "xla, one thread": {"us": 10.0}},
}


@pytest.fixture
def published(monkeypatch):
    made = {"training_step": STEPS, "modes": WAYS}
    monkeypatch.setattr(speed, "results", made.__getitem__)


def test_microseconds_and_how_many_times(published):
    assert speed.us("s1", "TF1 session") == "901"
    assert speed.us("s1", "tf2") == "12.3"
    assert speed.us("s1", "JAX") == "20.0"
    assert speed.us("s1", "C") == "1,234"
    assert speed.us("s7", "TF1 session") == "19.9"
    assert speed.us("s7", "tf2") == "20"
    assert speed.times("s1", "TF1 session") == "73"  # 900.9 / 12.34
    assert speed.times("s1", "tf2", "C") == "0.0"
    assert speed.times("s1", "C", "tf2") == "100"
    assert speed.times("s7", "tf2", "JAX") == "1.0"
    assert speed.way_us("s1", "xla") == "12.5"
    assert speed.way_times("s1", "eager", "step") == "10.0"
    assert speed.way_times("s4", "TF1 session", "xla, one thread") == "100"


def test_starts_and_when_they_have_paid(published, monkeypatch):
    """1.6 s for the first epoch, of which its steps are 0.6."""
    assert speed.first("s1", "TF1 session") == "1.6"
    assert speed.first("s1", "JAX") == "0.4"
    assert speed.starts_in("s1", "TF1 session") == "1.0"
    row = {
        "TF1 session": {"us": 0.6 * SECOND, "first": 1.6},
        "tf2": {"us": 0.1 * SECOND, "first": 4.1},
    }
    made = {"training_step": {"s3": row}}
    monkeypatch.setattr(speed, "results", made.__getitem__)
    assert speed.starts_in("s3", "tf2") == "4.0"
    # Three seconds later, half a second faster an epoch.
    assert speed.pays_after("s3") == "6.0"


def test_everybodys_microseconds(published):
    dash = "\N{EN DASH}"
    page = shown(speed.table)
    assert page.startswith(
        '\n\n<div class="table" tabindex="0" role="region" '
        'aria-label="Speed"><table class="plain"><thead><tr><td></td>'
        '<th class="number">TF1 session</th><th class="number">tf2</th>'
    )
    assert page.endswith("</tr></tbody></table></div>\n\n")
    assert page.count('<td class="number">') == 8
    assert page.count('<th scope="row">') == 2
    assert rows_of(shown(speed.table)) == [
        ["", "TF1 session", "tf2", "JAX", "C"],
        [
            "s1 Vanilla RNN, unrolled by hand",
            *("901", "12.3", "20.0", "1,234"),
        ],
        ["s7 Sequences of different lengths", "19.9", "20", "21", dash],
    ]


def shapes(svg, tag):
    """[(attributes, text)] of all shapes of a kind."""
    svg = svg.replace(", currentColor)", ")")
    found = re.findall(rf"<{tag} ([^>]*?)(?:/>|>(.*?)</{tag}>)", svg)
    return [
        (dict(re.findall(r'([\w-]+)="([^"]*)"', attributes)), text)
        for attributes, text in found
    ]


def test_bars_are_as_long_as_their_logarithm(published):
    """10,000 is the longest, 236 wide; 100 is half as long."""
    svg = shown(speed.ways)
    bars = [attributes for attributes, _ in shapes(svg, "rect")]
    widths = [float(bar["width"]) for bar in bars]
    log = np.log10(12.5) / 4
    assert widths == pytest.approx(
        [118, 236, 177, 236 * log, 177, 59], abs=1e-3
    )
    fills = [bar["fill"] for bar in bars]
    assert fills == [f"var(--{name})" for name in ("b", *"aaa", "b", "a")]
    assert [bar["stroke"] for bar in bars] == fills
    assert len({bar["x"] for bar in bars}) == 1
    tops = [float(bar["y"]) for bar in bars]
    # 24 a bar; a heading of 30 before each group and 10 after it.
    assert tops == [43, 67, 91, 115, 179, 203]
    texts = [
        (float(a["y"]), html.unescape(t)) for a, t in shapes(svg, "text")
    ]
    heads = [text for text in texts if "per step" in text[1]]
    assert heads == [
        (26, "s1 Vanilla RNN, unrolled by hand, \N{MICRO SIGN}s per step"),
        (162, "s4 Multi-layer LSTM, \N{MICRO SIGN}s per step"),
    ]
    of_bars = [text for text in texts if text not in heads]
    said = [
        ("one session.run a step", "100"),
        ("the obvious port: no tf.function", "10,000"),
        ("1. a tf.function call a step", "1,000"),
        ("3. the same, compiled by XLA", "12"),
        ("one session.run a step", "1,000"),
        ("4. the same, on one thread", "10"),
    ]
    assert of_bars == [
        (top + 12, words)
        for top, both in zip(tops, said, strict=True)
        for words in both
    ]
    numbers = [
        float(a["x"])
        for a, t in shapes(svg, "text")
        if t.strip(",0123456789") == ""
    ]
    left = float(bars[0]["x"])
    assert numbers == pytest.approx(
        [left + width + 8 for width in widths], abs=1e-3
    )
    assert 'viewBox="0 0 496 234"' in svg
    assert re.split("<svg.*</svg>", svg, flags=re.DOTALL) == [
        '\n\n<figure class="drawn"><div tabindex="0" role="group" '
        'aria-label="Chart">',
        "</div><figcaption>Bars are on a scale of powers of ten: a step to "
        "the right is many times slower.</figcaption></figure>\n\n",
    ]
    assert 'aria-label="Microseconds per training step."' in svg
    for attributes, text in shapes(svg, "text"):
        size, anchor, left = "12", "end", "186"
        if attributes["text-anchor"] == "start":
            anchor, left = "start", attributes["x"]
            head = "per step" in text
            size = "14" if head else "12"
            assert (left == "4") is head
        found = [attributes[k] for k in ("font-size", "text-anchor", "x")]
        assert found == [size, anchor, left]
        assert attributes["fill"] == "var(--ink)"


def test_the_landmark_in_milliseconds(monkeypatch, tmp_path):
    def of(job, seconds):
        return {
            "seconds": {"train": [seconds, seconds / 4, 9.0]},
            "calls": {"train": 1},
            "nodes": None,
            "started_at": 0,
            "peak": 0,
        }

    other = jobs.LANDMARK.replace(steps=9)
    held = {
        job: {
            "tf2 fast": of(job, seconds),
            "Keras LSTM": of(job, 2 * seconds),
        }
        for job, seconds in ((other, 5.0), (jobs.LANDMARK, 0.0123))
    }
    path = tmp_path / "unrolling.json"
    bench.write(path, bench.document("full", {}, held))
    monkeypatch.setattr(speed, "_RESULTS", tmp_path)
    assert speed.landmark_ms("tf2 fast") == "12.3"
    assert speed.landmark_ms("Keras LSTM") == "25"
    assert macros.for_page(Slots())["landmark"] == jobs.LANDMARK


RUN = """# Static, dynamic, partial or fused?

Preset `full` on 2 cores.

## Goals

| the goals |

## Which one when

| the verdict |

## This project's fast path against each: training step

| ours |

## T=15 B=4

| one job |

a note

## T=15 B=8

| another job |
"""


def test_the_published_run_is_shown_in_its_order(monkeypatch, tmp_path):
    monkeypatch.setattr(speed, "_RESULTS", tmp_path)
    assert "No run is published" in shown(speed.unrolling)
    (tmp_path / "unrolling.md").write_text(RUN)
    for name in ("zz", "winner", "memory", "time", "build", "aa"):
        (tmp_path / f"unrolling_{name}.svg").write_text("")
    page = shown(speed.unrolling)
    pieces = re.findall(r"^### (.*)$|<img src=\"([^\"]+)\"", page, re.M)
    assert [heading or path for heading, path in pieces] == [
        "Which one when",
        *(
            f"../../assets/results/unrolling_{name}.svg"
            for name in ("time", "build", "memory", "winner", "aa", "zz")
        ),
        "This project's fast path against each: training step",
        "Goals",
        "All tables",
    ]
    assert page.strip().startswith("Preset `full` on 2 cores.")
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert [caption.split(",")[0] for caption in captions[:4]] == [
        "How long a training step takes",
        "How long building or tracing takes",
        "How much memory is taken beyond the imports",
        "Who has the fastest training step",
    ]
    assert captions[4:] == ["unrolling aa", "unrolling zz"]
    figures = re.findall('<figure class="plot">.*?</figure>', page)
    assert "".join(figures) in page
    assert figures[4] == (
        '<figure class="plot"><div tabindex="0" role="group" '
        'aria-label="Plot"><img src="../../assets/results/unrolling_aa.svg" '
        'alt="unrolling aa"></div><figcaption>unrolling aa</figcaption>'
        "</figure>"
    )
    assert page.endswith(
        '### All tables\n\n??? "T=15 B=4"\n\n    | one job |\n    \n'
        '    a note\n\n??? "T=15 B=8"\n\n    | another job |\n'
    )
    for words in ("| the verdict |", "| ours |", "| the goals |"):
        assert page.count(words) == 1


def test_results_are_the_published_files():
    speed.results.cache_clear()
    folder = speed.__file__.replace("docs_build/speed.py", "benchmarks")
    with open(f"{folder}/results/training_step.json") as file:
        assert speed.results("training_step") == json.load(file)
    assert speed.results("never measured") is None


# --- Mistakes, measured ---


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.0, "0"),
        (0.00099, "9.9e-04"),
        (0.001, "0.001"),
        (0.0123, "0.012"),
        (0.315, "0.32"),
        (1.26, "1.3"),
        (12.6, "13"),
        (1.26e-8, "1.3e-08"),
    ],
)
def test_errors_have_two_digits(number, words):
    assert traps.in_words(number) == words


def fake_mistake(name, *keys):
    explanation = f"Explained `{name}` < here."
    return mistakes.Mistake(name, explanation, keys, "states", lambda e: e)


@pytest.fixture
def three_mistakes(monkeypatch):
    made = [
        fake_mistake("everywhere", "s1", "s2", "s3"),
        fake_mistake("at_home", "s2"),
        fake_mistake("elsewhere", "s3"),
        fake_mistake("in_two", "s2", "s3"),
    ]
    catalogue = {mistake.name: mistake for mistake in made}
    monkeypatch.setattr(mistakes, "CATALOGUE", catalogue)
    monkeypatch.setattr(measured, "_results", {})
    asked = []
    found = {"everywhere": 0.25, "at_home": 1.26e-8, "in_two": 3.04}
    rungs = {"everywhere": "one step", "at_home": "loss", "in_two": "states"}

    def measure(mistake, key, dtype, case="odd"):
        asked.append((mistake.name, key, dtype, case))
        name = mistake.name
        return mistakes.Measured(
            mistake, key, dtype, rungs[name], found[name]
        )

    monkeypatch.setattr(mistakes, "measure", measure)
    return asked


def test_a_sections_traps_and_what_they_cost(three_mistakes):
    page = shown(traps.of_section, "s2")
    assert rows_of(page) == [
        ["What goes wrong", "shows in", "error"],
        ["Explained at_home < here. at_home", "the loss", "1.3e-08"],
        ["Explained in_two < here. in_two", "the states", "3"],
        [
            "Explained everywhere < here. everywhere",
            *("the first step", "0.25"),
        ],
    ]
    assert "mistakes --section s2\n" in page
    assert three_mistakes == [
        (name, "s2", "float64", "odd")
        for name in ("everywhere", "at_home", "in_two")
    ]
    assert traps.error("at_home", "s2") == "1.3e-08"
    assert traps.error("everywhere", "s2") == "0.25"
    assert len(three_mistakes) == 3  # measured once
    assert traps.count() == 4


def test_what_takes_long_is_computed_once_for_its_arguments(monkeypatch):
    monkeypatch.setattr(measured, "_results", {})
    calls = []

    def slow(*arguments):
        calls.append(arguments)
        return len(calls)

    slow.__qualname__ = "slow"

    def other(*arguments):
        return "other"

    other.__qualname__ = "other"
    assert [measured.result(slow, *a) for a in "ab ba"] == [1, 2, 3, 2, 1]
    assert measured.result(other, "a") == "other"
    assert calls == [("a",), ("b",), (" ",)]

    class Pool:
        def __init__(self, workers, context):
            pools.append((workers, context.get_start_method()))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, function, *arguments):
            value = function(*arguments)
            return types.SimpleNamespace(result=lambda: value)

    pools = []
    futures = measured.concurrent.futures
    monkeypatch.setattr(measured.os, "cpu_count", [None, 3].pop)
    monkeypatch.setattr(futures, "ProcessPoolExecutor", Pool)
    measured.compute_all([(slow, "x", 1), (slow, "y")])
    assert len(calls) == 5
    assert measured.result(slow, "y") == 5
    assert measured.result(slow, "x", 1) == 4
    assert len(calls) == 5
    measured.compute_all([])
    assert pools == [(3, "spawn"), (1, "spawn")]


def test_what_is_measured_ahead_is_all_that_pages_ask_for():
    calls = macros.measurements()
    assert len(set(calls)) == len(calls)
    by_function = collections.defaultdict(list)
    for function, *arguments in calls:
        by_function[function].append(tuple(arguments))
    assert by_function[drift.nudged] == list(drift.CURVES)
    assert sorted(by_function[traps.measure]) == [(k,) for k in SECTIONS]
    assert sorted(by_function[tables.worst_errors]) == sorted(
        (key, dtype, of_releases)
        for key in SECTIONS
        for dtype in ("float32", "float64")
        for of_releases in ((False,) if key == "s6" else (False, True))
    )


# --- How closely versions agree ---


def test_the_worst_error_of_a_rung_is_over_all_cases_and_pairs(monkeypatch):
    """Each pair has its error; the largest is nowhere the last."""
    asked = []
    ours = {
        ("tutorial", "0.12.1"): 1,
        ("tutorial", "1.0.1"): 5,
        ("tutorial", "1.15.5"): 2,
        ("odd", "0.12.1"): 4,
        ("odd", "1.0.1"): 3,
        ("odd", "1.15.5"): 1,
    }

    def difference(rung, error):
        return ladder.Difference(rung, "", error, 0, 0, (), 0, 0)

    def run(comparison):
        asked.append(str(comparison))
        error = ours[comparison.case, comparison.reference]
        return [
            difference("states", error),
            difference("states", error / 10),
            difference("loss", 10 - error),
        ]

    monkeypatch.setattr(check, "run", run)
    found = tables.worst_errors("s3", "float32", False)
    assert found == {"states": 5, "loss": 9}
    assert asked == [
        f"s3 float32 {case}: numpy_ref against {release}"
        for case, release in ours
    ]
    monkeypatch.setattr(check, "recorded_observation", lambda *of: of)
    compared = []

    def compare(one, other, section, dtype):
        compared.append((one, other, section.key, dtype))
        return [difference("loss", len(compared) % 5)]

    monkeypatch.setattr(ladder, "compare", compare)
    assert tables.worst_errors("s3", "float64", True) == {"loss": 4}
    releases = [("0.12.1", "1.0.1"), ("0.12.1", "1.15.5")]
    releases += [("1.0.1", "1.15.5")]
    assert compared == [
        (
            ("s3", case, "float64", one),
            ("s3", case, "float64", other),
            *("s3", "float64"),
        )
        for case in ("tutorial", "odd")
        for one, other in releases
    ]
    assert list(cases.CASES) == ["tutorial", "odd"]


RUNGS = ladder.RUNGS[1:]


@pytest.mark.parametrize("key", ["s1", "s6"])
def test_the_agreement_tables_cells(key, monkeypatch):
    """Errors say which dtype, whose, and which rung they are of."""
    found = {}
    for d, dtype in enumerate(("float32", "float64"), 1):
        for o, of_releases in enumerate((False, True), 1):
            name = "docs_build.tables.worst_errors"
            found[name, (key, dtype, of_releases)] = {
                **dict.fromkeys(RUNGS, d + o / 10),
                "logits": 10 * d + o,
                "accumulators": 1e-9 * d,
            }
    monkeypatch.setattr(measured, "_results", found)
    page = shown(tables.agreement, key)
    assert page.startswith(
        '\n\n<div class="table" tabindex="0" role="region" '
        'aria-label="Agreement, rung by rung"><table class="agreement">'
        '<thead><tr><td></td><th colspan="3">float32</th><th colspan="3">'
        'float64</th></tr><tr><td></td><th class="number">ours to<br>'
        'releases</th><th class="number">release<br>to release</th>'
    )
    assert page.count('</th></tr></thead><tbody><tr><th scope="row">') == 1
    assert page.count('<td class="number">') == 6 * len(RUNGS)
    assert "</td></tr></tbody></table></div>\n\n" in page
    three = ["ours toreleases", "releaseto release", "allowed"]
    heads, columns, *rows = rows_of(page)
    assert heads == ["", "float32", "float64"]
    assert columns == ["", *three, *three]
    allowed = [["1.0e-06", "2.0e-15"]] * 5 + [["3.0e-07", "7.0e-16"]]
    last = "6.0e-14" if key == "s1" else "2.0e-14"
    allowed += [[one, last] for one in ("7.0e-07", "2.0e-06", "3.0e-07")]
    wanted = []
    for rung, limits in zip(RUNGS, allowed, strict=True):
        row = [rung]
        for d, limit in enumerate(limits, 1):
            ours, theirs = f"{d}.1", f"{d}.2"
            if rung == "logits":
                ours, theirs = f"{d}1", f"{d}2"
            if rung == "accumulators":
                ours = theirs = f"{d}.0e-09"
            if key == "s6":
                theirs = "masks differ"
            row += [ours, theirs, limit]
        wanted.append(row)
    assert rows == wanted
    assert f"check --section {key}\n" in page


def test_what_cells_are_held_to():
    page = macros.for_page(Slots())
    assert page["cell_tolerance"]("float64") == "2e-15"
    assert page["cell_tolerance"]("float32") == "1e-06"
    assert tolerances.CELLS["float32"].measured < 1e-6
    assert page["title"]("s3") == "LSTM"
    assert page["trap_count"] == len(mistakes.CATALOGUE)
    assert page["verdict_total"] == len(verdicts.TABLE)
    told = json.loads(macros.record_all.RESTORED.read_text())
    assert page["restored_count"] == len(told["restored"]) > 0
    lines = page["without_verdict"]().splitlines()
    assert lines == [
        f"- `{symbol}`: {what}"
        for symbol, what in verdicts.WITHOUT_VERDICT.items()
    ]


def test_each_macro_is_the_function_of_its_name():
    slots = Slots()
    page = macros.for_page(slots)
    plain_ones = {
        "drift": drift,
        "error": traps.error,
        "first": speed.first,
        "landmark_ms": speed.landmark_ms,
        "pays_after": speed.pays_after,
        "starts_in": speed.starts_in,
        "times": speed.times,
        "truncation": truncation,
        "us": speed.us,
        "way_times": speed.way_times,
        "way_us": speed.way_us,
    }
    assert {name: page[name] for name in plain_ones} == plain_ones
    of_slots = {
        "agreement": tables.agreement,
        "drift_chart": drift.chart,
        "figure": diagrams.figure,
        "messages": errors.table,
        "numpy_backward": pairs.backward,
        "other_proofs": symbols.other_proofs,
        "pair": pairs.pair,
        "program_table": symbols.program_table,
        "proofs": proofs.listed,
        "questions": quiz.questions,
        "region": pairs.one_region,
        "releases_table": drift.releases_table,
        "speed_table": speed.table,
        "test_source": proofs.source,
        "traps": traps.of_section,
        "truncation_chart": truncation.chart,
        "unrolling": speed.unrolling,
        "verdict_table": symbols.verdict_table,
        "ways": speed.ways,
    }
    assert {name: page[name].func for name in of_slots} == of_slots
    assert {page[name].args for name in of_slots} == {(slots,)}
    values = {
        "landmark": jobs.LANDMARK,
        "tensorflow": errors.recorded()["tensorflow"],
        "verdict_counts": symbols.counts(),
    }
    assert {name: page[name] for name in values} == values
    tested_above = ("cell_tolerance", "restored_count", "title", "trap_count")
    assert sorted(page) == sorted(
        [
            *(*plain_ones, *of_slots, *values, *tested_above),
            *("m", "verdict_total", "without_verdict"),
        ]
    )
    formula = slots.fill(page["m"]("x + 2"))
    assert plain(formula) == "x+2"
    assert "<math" in formula


def test_equations_line_by_line():
    slots = Slots()
    page = macros.equations_filled(
        "before\n\n```equations\nx = 1\ny = 2\n```\n\nafter", slots
    )
    filled = slots.fill(page)
    assert filled.startswith("before\n")
    assert filled.endswith("\nafter")
    assert filled.count('<div class="equation"><math') == 2
    assert (
        '<div class="equations" tabindex="0" role="group" '
        'aria-label="Equations"><div class="equation"><math'
    ) in filled
    assert 'display="block"' in filled
    assert '</math></div><div class="equation"><math' in filled
    assert re.findall("<mi>(.)</mi>.*?<mn>(.)</mn>", filled) == [
        ("x", "1"),
        ("y", "2"),
    ]


def test_a_slot_that_is_lost_is_noticed():
    slots = Slots()
    page = slots.block("<b>1</b>") + slots.inline("<i>2</i>")
    assert slots.fill(page) == "\n\n<b>1</b>\n\n<i>2</i>"
    with pytest.raises(LookupError, match="2 slots, 1 filled"):
        slots.fill(page.partition("<span")[0])


# --- Rounding ---


@pytest.fixture
def two_releases(monkeypatch):
    """Losses whose difference is 0, 1, ..., 39, ..., 7 thousandths."""
    drift.between.cache_clear()
    difference = np.array([n % 40 for n in range(200)]) / 1000
    difference[150] = 0.125

    def read(path):
        section, _ = path
        scale = 2.0 if section == "s3" else 1.0
        return {
            f"tutorial/{dtype}/losses": scale * difference
            for dtype in ("float32", "float64")
        }

    class Case:
        def __init__(self, path, arrays, prefix):
            self.losses = arrays[f"{prefix}losses"]
            if path[1] == "1.0.1":
                self.losses = 0 * self.losses + 0.5
            else:
                self.losses = 0.5 - self.losses
            if "float64" in prefix:
                self.losses = 0.5 + (self.losses - 0.5) / 1000

        def __getitem__(self, name):
            assert name == "losses"
            return self.losses

    path = lambda section, release: (section.key, release)  # noqa: E731
    monkeypatch.setattr(recorded, "release_path", path)
    monkeypatch.setattr(recorded, "read", read)
    monkeypatch.setattr(recorded, "Case", Case)
    yield difference
    drift.between.cache_clear()


def test_how_far_two_releases_drift(two_releases):
    np.testing.assert_allclose(
        drift.between("s1", "float32"), two_releases, atol=1e-12
    )
    assert drift.largest("s1", "float32") == "0.12"
    assert drift.largest("s3", "float64") == "2.5e-04"
    assert drift.worst_step("s1", "float32") == 151
    rows = rows_of(shown(drift.releases_table))
    assert rows[0] == ["", "float32", "float64"]
    assert rows[1] == ["", *["20 steps", "200 steps"] * 2]
    # In the first twenty steps 19 thousandths; s6 draws masks of its own.
    figures = ["0.019", "0.12", "1.9e-05", "1.2e-04"]
    twice = ["0.038", "0.25", "3.8e-05", "2.5e-04"]
    assert rows[2:] == [
        [f"{key} {SECTIONS[key].title}", *(twice if key == "s3" else figures)]
        for key in ("s1", "s2", "s3", "s4", "s5", "s7")
    ]


def test_recorded_losses_are_the_releases_own():
    drift.between.cache_clear()
    path = [
        recorded.release_path(SECTIONS["s2"], release)
        for release in ("1.0.1", "1.15.5")
    ]
    losses = [
        recorded.read(p)["tutorial/float32/losses"].astype(float)
        for p in path
    ]
    np.testing.assert_array_equal(
        drift.between("s2", "float32"), np.abs(losses[1] - losses[0])
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_weight_is_nudged_by_one_unit(dtype, monkeypatch):
    trained = []

    def train(config, params, x, y, state):
        trained.append((config, params, x, y, state))
        losses = np.arange(4.0, dtype=dtype)
        if len(trained) == 2:
            losses[2] -= 0.5
        return types.SimpleNamespace(losses=losses)

    network = types.SimpleNamespace(train=train)
    monkeypatch.setattr(
        drift.rnn_parity,
        "load",
        lambda key, version: (
            (key, version) == ("s3", "numpy_ref") and network
        ),
    )
    found = drift.nudged("s3", dtype)
    assert found.tolist() == [0, 0, 0.5, 0]
    assert found.dtype == float
    (config, before, x, y, state), (*_, after, _, _, _) = trained
    assert config.dtype == dtype
    series = stream.epoch(SECTIONS["s3"], config, 0, 0)
    assert x.shape == y.shape == (600, 5, 15)
    np.testing.assert_array_equal(x[7], series.x[:, 105:120])
    np.testing.assert_array_equal(y[7], series.y[:, 105:120])
    assert state.shape == (2, 5, 4)
    assert not state.any()
    wanted = stream.initial_params(SECTIONS["s3"], config, 0)
    first, *rest = wanted
    for name in wanted:
        np.testing.assert_array_equal(before[name], wanted[name])
    for name in rest:
        np.testing.assert_array_equal(after[name], wanted[name])
    change = (after[first] - before[first]).ravel()
    assert (change != 0).nonzero()[0].tolist() == [0]
    of = np.asarray(before[first], dtype).flat[0]
    assert change[0] == np.spacing(abs(of))


def test_the_nudge_in_words(monkeypatch):
    found = {
        ("docs_build.drift.nudged", ("s1", "float64")): np.array([1, 3, 2])
    }
    monkeypatch.setattr(measured, "_results", found)
    assert drift.nudge("s1", "float64") == "3"


def test_the_largest_of_every_ten_steps_is_drawn():
    steps = np.zeros(30)
    steps[[3, 5, 9]] = 1e-3, 1e-2, 1e-4
    steps[20] = 1e-6
    assert drift._smooth(steps) == [
        (10, pytest.approx(-2)),
        (30, pytest.approx(-6)),
    ]


def test_labels_do_not_cover_one_another():
    moved = drift._apart({"a": 40.0, "b": 10.0, "c": 12.0, "d": 30.0})
    assert moved == {"b": 10, "c": 25, "d": 40, "a": 55}
    assert list(moved) == ["b", "c", "d", "a"]
    assert drift._apart({"a": 15.0, "b": 0.0}) == {"b": 0, "a": 15}


def test_a_nudges_curve(monkeypatch):
    """From the left edge 56 to 436 for 600 steps; 1 above, 1e-17 below."""
    curves = {
        ("s1", "float32"): -1,
        ("s3", "float32"): -5,
        ("s1", "float64"): -13,
        ("s3", "float64"): -16.9,
    }
    found = {}
    for curve, exponent in curves.items():
        values = np.zeros(600)
        values[289] = 10.0**exponent
        values[590] = 10.0 ** (exponent + 1)
        found["docs_build.drift.nudged", curve] = values
    monkeypatch.setattr(measured, "_results", found)
    svg = shown(drift.chart, "a caption")
    assert "<figcaption>a caption</figcaption>" in svg
    lines = [a for a, _ in shapes(svg, "path") if " L " in a["d"]][-4:]
    drawn = [
        [float(n) for n in re.findall(r"[\d.]+", line["d"])] for line in lines
    ]
    x = [56 + 380 * 290 / 600, 56 + 380]
    wanted = []
    for exponent in curves.values():
        y = [24 + 240 * -exponent / 17, 24 + 240 * -(exponent + 1) / 17]
        wanted.append([x[0], y[0], x[1], y[1]])
    assert drawn == [pytest.approx(each, abs=0.06) for each in wanted]
    colours = [line["stroke"] for line in lines]
    assert colours == [f"var(--{name})" for name in "baba"]
    dashed = ["stroke-dasharray" in line for line in lines]
    assert dashed == [False, False, True, True]
    texts = [
        (t, float(a["x"]), float(a["y"])) for a, t in shapes(svg, "text")
    ]
    ticks = [(t, y) for t, _, y in texts if t.startswith("1e")]
    assert ticks == [
        (f"1e{e}", pytest.approx(28 + 240 * -e / 17, abs=0.01))
        for e in (-16, -12, -8, -4, 0)
    ]
    steps = [(t, x) for t, x, _ in texts if t.isdigit()]
    assert steps == [
        (str(n), pytest.approx(56 + 380 * n / 600, abs=0.01))
        for n in range(0, 601, 100)
    ]
    labels = [each for each in texts if each[0][0] == "s" and each[1] > 436]
    assert labels == [
        (" ".join(curve), 444, pytest.approx(row[3] + 4, abs=0.06))
        for curve, row in zip(curves, wanted, strict=True)
    ]


# --- Truncation ---


def test_the_truncation_experiments_sizes():
    config = truncation.config_of(7)
    assert config.total_series_length == 14980  # 428 rows of 35
    assert config.truncated_backprop_length == 7
    assert (config.echo_step, config.state_size) == (5, 8)
    assert (config.num_epochs, config.batch_size) == (3, 5)
    assert truncation.config_of(15).total_series_length == 15000


def test_the_share_of_right_echoes(monkeypatch):
    made = []

    class Fake:
        def __init__(self, *of, seed):
            made.append((*of, seed))
            self.left = 3

        @property
        def finished(self):
            return not self.left

        def advance(self):
            self.left -= 1

        def evaluate(self):
            assert self.finished
            return training.Evaluation(0.5, 30, 40, None)

    monkeypatch.setattr(training, "Session", Fake)
    assert truncation.share(6) == 0.75
    config = truncation.config_of(6)
    assert made == [("s2", "numpy_ref", config, 1)]


SHARES = {"5": 0.486, "6": 0.994, "15": 1.0}


@pytest.fixture
def shares(monkeypatch, tmp_path):
    path = tmp_path / "truncation.json"
    path.write_text(json.dumps(SHARES))
    monkeypatch.setattr(truncation, "FILE", path)


def test_a_bar_for_every_truncation(shares):
    assert truncation.share_of(5) == "49%"
    assert truncation.share_of(6) == "99%"
    assert truncation.recorded() == {5: 0.486, 6: 0.994, 15: 1.0}
    svg = shown(truncation.chart, "a caption")
    bars = [
        tuple(float(a[n]) for n in ("x", "y", "width", "height"))
        for a, _ in shapes(svg, "rect")
    ]
    # 180 high and 30 from the top, 37 from one to the next.
    assert bars == [
        pytest.approx((56 + 37 * n, 210 - 180 * s, 25, 180 * s), rel=1e-4)
        for n, s in enumerate(SHARES.values())
    ]
    fills = [a["fill"] for a, _ in shapes(svg, "rect")]
    assert fills == ["var(--b)", "var(--a)", "var(--a)"]
    texts = [
        (t, float(a["x"]), float(a["y"])) for a, t in shapes(svg, "text")
    ]
    assert texts[:3] == [("0%", 42, 214), ("50%", 42, 124), ("100%", 42, 34)]
    assert texts[3:-1] == [
        words
        for n, (steps, share) in enumerate(SHARES.items())
        for words in (
            (steps, 68.5 + 37 * n, 228),
            (
                f"{share:.0%}",
                68.5 + 37 * n,
                pytest.approx(204 - 180 * share, rel=1e-4),
            ),
        )
    ]
    assert texts[-1][0] == "truncated_backprop_length (echo_step = 5)"
    assert "<figcaption>a caption</figcaption>" in svg


# --- Proofs ---


def test_the_largest_error_of_what_is_compared(monkeypatch):
    """The final state only where Keras' form is the same."""
    found = {"outputs": [1.0, 1.5], "state": [3.0], "more": [0.0]}
    wanted = {"outputs": [1.0, 1.0], "state": [1.0], "more": [0.25]}

    def run_keras(name, dtype):
        if name == "nothing fits":
            raise LookupError
        assert dtype == "float32"
        return found, wanted

    module = types.SimpleNamespace(run_keras=run_keras)
    monkeypatch.setitem(__import__("sys").modules, "test_verdicts", module)

    def row(case, verdict):
        return types.SimpleNamespace(cases=(case,), verdict=verdict)

    rows = (
        row("equal", verdicts.EQUAL),
        row("arguments", verdicts.WITH_ARGUMENTS),
        row("own", verdicts.OWN_CLASS),
        row("none", verdicts.NOT_REPRESENTABLE),
    )
    monkeypatch.setattr(verdicts, "TABLE", rows)
    errors = {
        name: proofs.measure(name, "float32")
        for name in ("equal", "arguments", "own", "none", "nothing fits")
    }
    assert errors == {
        "equal": 2.0,
        "arguments": 2.0,
        "own": 0.5,
        "none": 0.5,
        "nothing fits": None,
    }


def test_a_proofs_sizes_and_commands(monkeypatch, tmp_path):
    path = tmp_path / "proofs.json"
    written = {
        "A cell": {"float32": 2.5e-7, "float64": 0.0},
        "B cell": {"float64": 0.25},
        "C cell": {"float64": None},
    }
    path.write_text(json.dumps(written))
    monkeypatch.setattr(proofs, "FILE", path)
    assert proofs.recorded() == written

    def row(symbol, cases, tests):
        return types.SimpleNamespace(symbol=symbol, cases=cases, tests=tests)

    rows = (
        row("nn.A", ("A cell",), ("t.py::a[A cell]", "t.py::b[other]")),
        row("nn.B<", ("B cell", "A cell"), ("t.py::c[B cell]",)),
        row("nn.C", ("C cell",), ()),
    )
    monkeypatch.setattr(verdicts, "TABLE", rows)
    page = shown(proofs.listed)
    sections = re.findall("<section.*?</section>", page, re.DOTALL)
    texts = [" ".join(plain(each).split()) for each in sections]
    assert texts == [
        "A celltf.nn.A. Keras' form is off by 2.5e-07 in float32, 0 in "
        'float64..venv/bin/pytest "t.py::a[A cell-float64]"',
        "B celltf.nn.B<. Keras' form is off by 0.25 in float64..venv/bin/"
        'pytest "t.py::c[B cell-float64]"',
        "C cell. No Keras cell holds these weights and states.",
    ]
    ids = re.findall('id="([^"]+)"', page)
    assert ids == ["case-a-cell", "case-b-cell", "case-c-cell"]
    assert pages.slug("LSTMCell, peepholes (1)") == "lstmcell-peepholes-1"
    assert pages.url("../a/page.md#x") == "../../a/page/#x"
    assert pages.url("proofs.md") == "../proofs/"


# --- Questions, symbols, reasons ---


def test_questions_name_the_error_of_what_they_ask(monkeypatch, shares):
    monkeypatch.setattr(traps, "error", lambda name, key: f"<{name} {key}>")
    monkeypatch.setattr(speed, "us", lambda key, who: f"<{key} {who}>")
    figures = [re.findall("<(.*?)>", q.why) for q in quiz.on_traps()]
    assert figures == [
        ["gates_in_keras_order s3"],
        ["forget_bias_missing s3", "forget_bias_doubled s3"],
        ["state_tuple_swapped s3"],
        ["layers_share_weights s4"],
        [],
        ["adagrad_with_keras_epsilon s3"],
        ["mask_shared_over_time s6"],
        ["outputs_held_past_the_end s7"],
        [],
        ["s5 TF1 session", "s4 TF1 session", "s5 tf2", "s4 tf2"],
    ]
    assert "It gets 49%, and with 6 steps 99%." in quiz.on_traps()[4].why
    for question in quiz.on_traps():
        for name, key in (
            figure.split()
            for figure in re.findall("<([^ ]*_.*?)>", question.why)
        ):
            assert key in mistakes.CATALOGUE[name].sections


def test_a_questions_form():
    question = quiz.Question("`a` < b?", "yes", ("no", "why"), 1, "So.")
    assert question.choices == ["no", "yes", "why"]
    assert quiz.text_of(question) == "a < b?"
    assert quiz._form(7, question) == (
        '<form class="quiz" id="question-7" data-right="1"><fieldset>'
        "<legend>7. <code>a</code> &lt; b?</legend>"
        '<label><input type="radio" name="q7" value="0"> <span>no</span>'
        "</label>"
        '<label><input type="radio" name="q7" value="1"> <span>yes</span>'
        "</label>"
        '<label><input type="radio" name="q7" value="2"> <span>why</span>'
        "</label></fieldset>"
        '<button type="submit">Check</button> '
        '<span class="said" role="status"></span><details><summary>Answer'
        "</summary><p><strong>yes.</strong> So.</p></details></form>"
    )
    page = shown(quiz.questions, "opening", 4)
    asked = re.findall('id="question-(.)" data-right="(.)"', page)
    assert asked == [("4", "2"), ("5", "0"), ("6", "1")]


def test_verdicts_are_counted(monkeypatch):
    def row(verdict):
        return types.SimpleNamespace(verdict=verdict)

    counts = {
        verdicts.EQUAL: 4,
        verdicts.WITH_ARGUMENTS: 3,
        verdicts.OWN_CLASS: 2,
        verdicts.NOT_REPRESENTABLE: 1,
    }
    rows = tuple(row(v) for v, count in counts.items() for _ in range(count))
    monkeypatch.setattr(verdicts, "TABLE", rows)
    assert symbols.counts() == (
        "4 are equal, 3 are equal with the right arguments, 2 need a class "
        "of their own, 1 cannot be represented"
    )


@pytest.mark.parametrize(
    ("symbol", "others"),
    [
        ("nn.static_rnn", ("nn.rnn", "contrib.rnn.static_rnn")),
        ("nn.rnn_cell.GRUCell", ("contrib.rnn.GRUCell",)),
        ("nn.rnn_cell.LSTMCell(num_proj=...)", ()),
        ("nn.dynamic_rnn", ()),
        ("contrib.rnn.LayerNormBasicLSTMCell", ()),
    ],
)
def test_what_other_releases_call_it(symbol, others):
    assert symbols.also(symbol) == others


@pytest.mark.parametrize("kind", ["CELLS", "WRAPPERS", "LOOPS"])
def test_a_verdict_tables_rows(kind):
    page = shown(symbols.verdict_table, kind)
    assert f'aria-label="{kind.capitalize()}"' in page
    rows = getattr(verdicts, kind)
    heads, *found = rows_of(page)
    assert heads == [
        *("TensorFlow 1", "verdict", "TensorFlow 2, Keras 3", "mind"),
        "proof",
    ]
    assert len(found) == len(rows)
    classes = {
        verdicts.EQUAL: "equal",
        verdicts.WITH_ARGUMENTS: "arguments",
        verdicts.OWN_CLASS: "own",
        verdicts.NOT_REPRESENTABLE: "none",
    }
    wanted = [classes[row.verdict] for row in rows]
    assert re.findall('class="verdict (\\w+)"', page) == wanted
    for row, cells in zip(rows, found, strict=True):
        also = "".join(f"also tf.{name}" for name in symbols.also(row.symbol))
        symbol = row.symbol
        if symbol.startswith(("nn.", "contrib.")):
            symbol = f"tf.{symbol}"
        note = row.note.replace("`", "")
        if row.own:
            note += f"; tf2.tf1_cells.{row.own} has it"
        assert cells == [
            f"{symbol}{also}",
            row.verdict,
            row.keras,
            note,
            ", ".join(row.cases),
        ]


def test_the_programs_table_has_every_symbol():
    _, *found = rows_of(shown(symbols.program_table))
    assert found == [
        [
            s.symbol,
            s.verdict,
            s.form,
            s.note.replace("`", ""),
            s.test.rpartition("::")[2]
            .removeprefix("test_")
            .replace("_", " "),
        ]
        for s in symbols.PROGRAM
    ]


def test_a_sections_own_reason_comes_before_the_common_one():
    assert reasons.find("s4", "train_epoch") == reasons.COMMON["train_epoch"]
    own = reasons.BY_SECTION["s1"]["read_out"]
    assert reasons.find("s1", "read_out") == own
    assert own != reasons.COMMON["read_out"]
    with pytest.raises(KeyError):
        reasons.find("s1", "declare_cells")
