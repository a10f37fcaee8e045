"""What `rnn-parity check` shows and writes, figure by figure.

Differences are made up, and what must be printed of them is written out.
"""

import json
import math
import types

import numpy as np
import pytest

import recorded
from rnn_parity import SECTIONS, UserError, cases, check, ladder, report
from rnn_parity.contract import Forward, Training

RUNGS = ladder.RUNGS[1:]
ALLOWED = {
    "s1 float64": [2e-15] * 5 + [7e-16] + [6e-14] * 3,
    "s3 float64": [2e-15] * 5 + [7e-16] + [2e-14] * 3,
    "s1 float32": [1e-6] * 5 + [3e-7, 7e-7, 2e-6, 3e-7],
}


def difference(rung, error, tolerance, tensor="one", **more):
    fields = {"ulps": 4.0, "index": (1, 0), "value": 2.5, "reference": 2.0}
    return ladder.Difference(
        rung, tensor, error, tolerance=tolerance, **{**fields, **more}
    )


def result(section, dtype, case, errors, version="numpy_ref", more=()):
    """A comparison with these errors, a rung each."""
    allowed = ALLOWED[f"{section} {dtype}"]
    differences = [
        difference(rung, error, tolerance)
        for rung, error, tolerance in zip(RUNGS, errors, allowed, strict=True)
    ]
    return report.Result(
        check.Comparison(section, dtype, case, version, "1.15.5"),
        [*more, *differences],
    )


def shape(tensor):
    return ladder.Difference(
        *("shapes", tensor, math.inf, math.inf, 0.0, ()),
        *("float64 [2, 3]", "nothing"),
    )


# The largest of every rung is in another of the three each time.
FIRST = [n * 1e-16 for n in (1, 9, 3, 2, 1, 6, 2, 8, 1)]
SECOND = [n * 1e-16 for n in (5, 2, 1, 7, 2, 1, 3, 2, 9)]
THIRD = [n * 1e-16 for n in (2, 1, 4, 2, 8, 2, 1, 1, 1)]
IN_FLOAT32 = [n * 1e-7 for n in (9, 1, 2, 3, 4, 2.5, 6, 19, 1)]
WRONG = [1e-16] * 5 + [7.1e-16, 0.25, math.inf, 1e-16]


def shown(table):
    """[[(text, style)]], the columns of a table from their headings on."""
    return [
        [str(column.header).replace("\n", "")]
        + [
            (cell, None)
            if isinstance(cell, str)
            else (cell.plain, str(cell.style))
            for cell in column.cells
        ]
        for column in table.columns
    ]


HEADINGS = (
    "one step",
    "states",
    "logits",
    "predic-tions",
    "loss",
    "gradi-ents",
    "traininglosses",
    "finalweights",
    "accumu-lators",
)


def wanted_columns(names, rows):
    """What `shown` must give: of every rung (error, tolerance, colour)."""
    sections = [[cell for name in names for cell in (name, ("", None))]]
    columns = [
        [
            text
            for row in rows
            for text in (
                (row[place][0], row[place][2]),
                (f"≤{row[place][1]}", "dim"),
            )
        ]
        for place in range(len(HEADINGS))
    ]
    heads = ("", *HEADINGS)
    return [
        [head, *cells]
        for head, cells in zip(heads, sections + columns, strict=True)
    ]


LIMITS = {
    "s1": ["2e-15"] * 5 + ["7e-16"] + ["6e-14"] * 3,
    "s3": ["2e-15"] * 5 + ["7e-16"] + ["2e-14"] * 3,
    "float32": ["1e-06"] * 5 + ["3e-07", "7e-07", "2e-06", "3e-07"],
}


def test_tables_hold_the_worst_of_each_rung_and_section():
    results = [
        result("s1", "float64", "tutorial", FIRST),
        result("s1", "float32", "odd", IN_FLOAT32),
        result("s3", "float64", "odd", WRONG),
        result("s1", "float64", "odd", SECOND),
        result("s1", "float64", "odd", THIRD, version="tf2"),
        result("s3", "float64", "odd", [1e-17] * 9, version="tf2"),
    ]
    float64, float32 = report.tables(results)
    assert float64.title == (
        "float64: worst error over 5 comparisons, tolerance below it"
    )
    for column in float64.columns[1:]:
        styled = column.justify, column.vertical, column.overflow
        assert styled == ("right", "bottom", "fold")
    assert (float64.box, float64.padding) == (None, (0, 1, 0, 0))
    assert float64.title_justify == "left"
    assert float32.title == (
        "float32: worst error over 1 comparisons, tolerance below it"
    )
    worst = [5, 9, 4, 7, 8, 6, 3, 8, 9]
    of_s1 = [
        (f"{n}.0e-16", limit, "green")
        for n, limit in zip(worst, LIMITS["s1"], strict=True)
    ]
    of_s3 = [("1.0e-16", limit, "green") for limit in LIMITS["s3"]]
    of_s3[5] = ("7.1e-16", "7e-16", "bold red")
    of_s3[6] = ("2.5e-01", "2e-14", "bold red")
    of_s3[7] = ("inf", "2e-14", "bold red")
    names = [("s1", "green"), ("s3", "bold red")]
    assert shown(float64) == wanted_columns(names, [of_s1, of_s3])
    errors = "9.0e-07 1.0e-07 2.0e-07 3.0e-07 4.0e-07 2.5e-07 6.0e-07 "
    errors = (errors + "1.9e-06 1.0e-07").split()
    row = [
        (error, limit, "green")
        for error, limit in zip(errors, LIMITS["float32"], strict=True)
    ]
    assert shown(float32) == wanted_columns([("s1", "green")], [row])


def test_an_error_as_large_as_its_tolerance_is_green():
    allowed = ALLOWED["s1 float64"]
    (table,) = report.tables([result("s1", "float64", "odd", allowed)])
    styles = [str(c.style) for n in table.columns[1:] for c in [*n.cells][:1]]
    assert styles == ["green"] * 9
    more = [1.01 * number for number in allowed]
    (table,) = report.tables([result("s1", "float64", "odd", more)])
    styles = [str(c.style) for n in table.columns[1:] for c in [*n.cells][:1]]
    assert styles == ["bold red"] * 9


def test_what_was_not_compared_is_not_green():
    """A rung without any difference, and a tensor of another shape."""
    good = result("s1", "float64", "odd", FIRST)
    (table,) = report.tables(
        [report.Result(good.comparison, [shape("b"), *good.differences[1:]])]
    )
    cells = [next(iter(column.cells)) for column in table.columns[:3]]
    assert [(c.plain, str(c.style)) for c in cells] == [
        ("s1", "bold red"),
        ("nan", "bold red"),
        ("9.0e-16", "green"),
    ]


def test_a_row_takes_all_tensors_of_a_rung():
    more = [difference("states", 1.5e-15, 2e-15, tensor="final_state")]
    (table,) = report.tables(
        [result("s1", "float64", "odd", FIRST, more=more)]
    )
    assert [c.plain for c in table.columns[2].cells] == ["1.5e-15", "≤2e-15"]
    assert [c.plain for c in table.columns[1].cells] == ["1.0e-16", "≤2e-15"]


def test_the_summary_names_every_comparison_that_differs():
    good = result("s1", "float64", "odd", FIRST)
    bad = result("s3", "float64", "tutorial", WRONG, version="tf2")
    missing = result("s1", "float32", "odd", IN_FLOAT32, more=[shape("W")])
    assert report.summary([good, bad, missing]) == [
        "s3 float64 tutorial: tf2 against 1.15.5 differ first at rung "
        "'gradients', one[1, 0]: 2.5 against 2.0 (error 7.1e-16, tolerance "
        "7e-16)",
        "s1 float32 odd: numpy_ref against 1.15.5 differ first at rung "
        "'shapes', W: float64 [2, 3] against nothing (error inf, tolerance "
        "0)",
        "2 of 3 comparisons differ",
    ]
    assert report.summary([good, good]) == ["all 2 comparisons agree"]
    assert report.summary([bad])[-1] == "1 of 1 comparisons differ"


def test_json_is_all_of_it():
    good = report.Result(
        check.Comparison("s1", "float64", "odd", "tf2", "numpy_ref"),
        [difference("loss", 1e-16, 2e-15, index=(), tensor="loss")],
    )
    bad = report.Result(
        check.Comparison("s3", "float32", "tutorial", "tf2", "1.0.1"),
        [
            shape("b"),
            difference("states", 2e-7, 1e-6, value=np.float32(0.5)),
            difference("logits", math.inf, 1e-6, ulps=math.inf),
        ],
    )
    found = report.as_json([good, bad])
    environment = found.pop("environment")
    assert environment["numpy"] == np.__version__
    assert list(environment) == [
        *("python", "tensorflow", "keras", "tf-keras", "numpy"),
    ]
    common = {"section": "s3", "dtype": "float32", "case": "tutorial"}
    at = {"index": (1, 0), "value": "2.5", "reference": "2.0"}
    shapes = {
        "rung": "shapes",
        "tensor": "b",
        "error": "inf",
        "ulps": "inf",
        "tolerance": 0.0,
        "index": (),
        "value": "float64 [2, 3]",
        "reference": "nothing",
        "agrees": False,
    }
    assert found == {
        "agree": False,
        "comparisons": [
            {
                "section": "s1",
                "dtype": "float64",
                "case": "odd",
                "version": "tf2",
                "reference": "numpy_ref",
                "agree": True,
                "first_difference": None,
                "differences": [
                    {
                        "rung": "loss",
                        "tensor": "loss",
                        "error": 1e-16,
                        "ulps": 4.0,
                        "tolerance": 2e-15,
                        **at,
                        "index": (),
                        "agrees": True,
                    }
                ],
            },
            {
                **common,
                "version": "tf2",
                "reference": "1.0.1",
                "agree": False,
                "first_difference": shapes,
                "differences": [
                    shapes,
                    {
                        "rung": "states",
                        "tensor": "one",
                        "error": 2e-7,
                        "ulps": 4.0,
                        "tolerance": 1e-6,
                        **at,
                        "value": "0.5",
                        "agrees": True,
                    },
                    {
                        "rung": "logits",
                        "tensor": "one",
                        "error": "inf",
                        "ulps": "inf",
                        "tolerance": 1e-6,
                        **at,
                        "agrees": False,
                    },
                ],
            },
        ],
    }
    assert report.as_json([good])["agree"] is True


def test_a_package_that_is_missing_has_no_version(monkeypatch):
    monkeypatch.setattr(report.importlib.metadata, "version", lookup_fails)
    assert report.environment()["keras"] is None


def lookup_fails(name):
    raise report.importlib.metadata.PackageNotFoundError(name)


# --- The command ---

ERRORS = {
    "legacy_v1": [3e-16] * 9,
    "tf2": [2e-16] * 8 + [5e-2],
    "numpy_ref": FIRST,
}


PRINTED = """\
float32: worst error over 3 comparisons, tolerance below it
                            predic-          gradi- training   final accumu-
   one step  states  logits   tions    loss    ents   losses weights  lators
s1  9.0e-07 1.0e-07 2.0e-07 3.0e-07 4.0e-07 2.5e-07  6.0e-07 1.9e-06 1.0e-07
     ≤1e-06  ≤1e-06  ≤1e-06  ≤1e-06  ≤1e-06  ≤3e-07   ≤7e-07  ≤2e-06  ≤3e-07

float64: worst error over 3 comparisons, tolerance below it
                            predic-          gradi- training   final accumu-
   one step  states  logits   tions    loss    ents   losses weights  lators
s1  3.0e-16 9.0e-16 3.0e-16 3.0e-16 3.0e-16 6.0e-16  3.0e-16 8.0e-16 5.0e-02
     ≤2e-15  ≤2e-15  ≤2e-15  ≤2e-15  ≤2e-15  ≤7e-16   ≤6e-14  ≤6e-14  ≤6e-14

s1 float64 odd: tf2 against 1.15.5 differ first at rung \
'accumulators', one[1, 0]: 2.5 against 2.0 (error 0.05, \
tolerance 6e-14)
1 of 6 comparisons differ"""


@pytest.fixture
def made_up(monkeypatch):
    """Comparisons that take no time; versions differ by ERRORS."""
    seen = []

    def run(comparison):
        seen.append(comparison)
        of = (comparison.section, comparison.dtype, comparison.case)
        errors = ERRORS[comparison.version]
        if comparison.dtype == "float32":
            errors = IN_FLOAT32
        return result(*of, errors).differences

    monkeypatch.setattr(check, "run", run)
    return seen


def test_the_command_prints_tables_failures_and_the_count(made_up, call_cli):
    done = call_cli(
        *("check", "--section", "s1", "--case", "odd", "--jobs", "1"),
        *("--against", "1.15.5"),
    )
    assert done.returncode == 1
    versions = ("legacy_v1", "tf2", "numpy_ref")
    wanted = [
        check.Comparison("s1", dtype, "odd", version, "1.15.5")
        for dtype in ("float32", "float64")
        for version in versions
    ]
    assert made_up == wanted
    assert done.stderr == f"checking 1/6 {wanted[0]}\n"
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines == PRINTED.splitlines()


def test_the_command_agrees_and_writes_json(made_up, call_cli, tmp_path):
    path = tmp_path / "check.json"
    done = call_cli(
        *("check", "--section", "s3", "--dtype", "float64", "--case", "odd"),
        *("--impl", "numpy_ref", "--json", path),
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "all 3 comparisons agree"
    assert len(done.stdout.splitlines()) == 7
    written = json.loads(path.read_text())
    results = [
        report.Result(one, result("s3", "float64", "odd", FIRST).differences)
        for one in made_up
    ]
    assert written == json.loads(json.dumps(report.as_json(results)))
    assert [one["reference"] for one in written["comparisons"]] == [
        *recorded.RELEASES
    ]


def test_the_order_of_the_output_is_not_that_of_the_work(
    monkeypatch, call_cli
):
    """As where many processes share the work out."""

    def run_all(wanted, jobs):
        assert jobs == 3
        for one in reversed(wanted):
            of = (one.section, one.dtype, one.case)
            yield one, result(*of, FIRST).differences

    monkeypatch.setattr(check, "run_all", run_all)
    done = call_cli(
        *("check", "--section", "s3", "--section", "s1", "--jobs", "3"),
        *("--dtype", "float64", "--impl", "numpy_ref"),
    )
    assert done.returncode == 0
    rows = [line.split()[:1] for line in done.stdout.splitlines()]
    assert [row for row in rows if row in (["s1"], ["s3"])] == [
        ["s3"],
        ["s1"],
    ]
    assert "over 12 comparisons" in done.stdout


# --- Which are compared ---


def pairs(*args, **kwargs):
    """[(version, reference)] of one section, dtype and case."""
    found = check.comparisons(["s2"], ["float32"], ["odd"], *args, **kwargs)
    assert {(c.section, c.dtype, c.case) for c in found} == {
        ("s2", "float32", "odd")
    }
    return [(c.version, c.reference) for c in found]


RELEASES = ["0.12.1", "1.0.1", "1.15.5"]


def test_each_pair_and_each_version_against_each_release():
    assert pairs() == [
        ("legacy_v1", "tf2"),
        ("legacy_v1", "numpy_ref"),
        ("tf2", "numpy_ref"),
        *(("legacy_v1", release) for release in RELEASES),
        *(("tf2", release) for release in RELEASES),
        *(("numpy_ref", release) for release in RELEASES),
    ]
    of_numpy = [("numpy_ref", release) for release in RELEASES]
    assert pairs(["numpy_ref"]) == of_numpy
    assert pairs(["tf2", "numpy_ref"]) == [
        ("tf2", "numpy_ref"),
        *(("tf2", release) for release in RELEASES),
        *of_numpy,
    ]


def test_against_keeps_what_it_names():
    assert pairs(against=["1.0.1"]) == [
        ("legacy_v1", "1.0.1"),
        ("tf2", "1.0.1"),
        ("numpy_ref", "1.0.1"),
    ]
    assert pairs(["numpy_ref"], against=["tf2"]) == [("tf2", "numpy_ref")]
    # Not the two of them against one another.
    assert pairs(["numpy_ref"], against=["tf2", "legacy_v1"]) == [
        ("legacy_v1", "numpy_ref"),
        ("tf2", "numpy_ref"),
    ]
    assert pairs(["numpy_ref"], against=["tf2", "1.15.5"]) == [
        ("tf2", "numpy_ref"),
        ("numpy_ref", "1.15.5"),
    ]
    assert pairs(against=["tf2"]) == [
        ("legacy_v1", "tf2"),
        ("tf2", "numpy_ref"),
        *(("tf2", release) for release in RELEASES),
    ]
    with pytest.raises(UserError, match="nothing to compare; give a second"):
        pairs(())


def test_all_of_them_go_section_by_section():
    every = check.comparisons()
    assert len(every) == 7 * 2 * 2 * 12
    groups = [(c.section, c.dtype, c.case) for c in every[::12]]
    assert groups == [
        (key, dtype, case)
        for key in ("s1", "s2", "s3", "s4", "s5", "s6", "s7")
        for dtype in ("float32", "float64")
        for case in ("tutorial", "odd")
    ]
    twice = check.comparisons(["s2", "s1", "s2_rnn_api"], ["float64"])
    assert [c.section for c in twice] == ["s2"] * 24 + ["s1"] * 24


@pytest.mark.parametrize(
    ("reference", "release"),
    [("0.12.1", "0.12.1"), ("1.0.1", "1.0.1"), ("tf2", "1.15.5")],
)
def test_both_sides_get_the_releases_own_masks(
    reference, release, monkeypatch
):
    asked = []

    def observation(*of):
        asked.append(of)
        return of

    def of_release(*of):
        asked.append(of)
        return of

    monkeypatch.setattr(check, "observation", observation)
    monkeypatch.setattr(check, "recorded_observation", of_release)
    monkeypatch.setattr(ladder, "compare", lambda *given: given)
    one = check.Comparison("s6", "float32", "odd", "numpy_ref", reference)
    of = ("s6", "odd", "float32")
    other = (*of, reference)
    if reference == "tf2":
        other = (*other, release)
    both = (*of, "numpy_ref", release), other
    assert check.run(one) == (*both, SECTIONS["s6"], "float32")
    assert asked == list(both)


def test_what_does_not_depend_on_the_release_is_run_once(monkeypatch):
    asked = []
    monkeypatch.setattr(check, "_observation", lambda *of: asked.append(of))
    for key in ("s4", "s6"):
        check.observation(key, "odd", "float32", "tf2", "1.0.1")
    assert asked == [
        ("s4", "odd", "float32", "tf2", "1.15.5"),
        ("s6", "odd", "float32", "tf2", "1.0.1"),
    ]


@pytest.mark.parametrize(
    ("versions", "jobs", "in_pool"),
    [
        (("numpy_ref", "1.15.5"), 4, False),
        (("tf2", "1.15.5"), 1, False),
        (("tf2", "1.15.5"), 4, True),
        (("numpy_ref", "legacy_v1"), 2, True),
    ],
)
def test_processes_are_started_where_they_pay(
    versions, jobs, in_pool, monkeypatch
):
    """Four groups of two; TensorFlow's versions are worth processes."""
    started = []
    context = types.SimpleNamespace

    class Pool:
        def __init__(self, count, *_):
            started.append(count)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, function, group):
            return context(result=lambda: function(group))

    monkeypatch.setattr(check, "run", lambda comparison: [str(comparison)])
    futures = check.concurrent.futures
    monkeypatch.setattr(futures, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(futures, "as_completed", reversed)
    wanted = [
        check.Comparison(key, dtype, "odd", version, versions[1])
        for key in ("s1", "s2")
        for dtype in ("float32", "float64")
        for version in (versions[0], "numpy_ref")
    ]
    found = list(check.run_all(wanted, jobs))
    order = wanted
    if in_pool:
        groups = [wanted[at : at + 2] for at in (6, 4, 2, 0)]
        order = [comparison for group in groups for comparison in group]
    assert found == [(one, [str(one)]) for one in order]
    assert started == ([jobs] if in_pool else [])
    started.clear()
    few = wanted[:6]  # three groups
    assert list(check.run_all(few, 4)) == [(one, [str(one)]) for one in few]
    assert started == []


# --- What a release computed, as the ladder has it ---


def raw(section, release):
    return recorded.read(recorded.release_path(SECTIONS[section], release))


def assert_same(found, wanted):
    assert list(found) == list(wanted)
    for rung, tensors in wanted.items():
        assert set(found[rung]) == set(tensors), rung
        for name, value in tensors.items():
            np.testing.assert_array_equal(found[rung][name], value, name)


def under(arrays, prefix):
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


@pytest.mark.parametrize(
    ("dtype", "steps"), [("float32", 20), ("float64", 200)]
)
@pytest.mark.parametrize("key", ["s3", "s6"])
def test_a_recorded_observation_is_what_the_file_holds(key, dtype, steps):
    arrays = raw(key, "1.0.1")
    of = under(arrays, f"odd/{dtype}/")
    last = under(of, f"step{steps}/")
    forward = {"": of}
    if key == "s6":
        forward["predicting: "] = under(of, "predict/")
    wanted = {
        "one step": {
            f"{before}states_series at step 0": one["states_series"][:, 0]
            for before, one in forward.items()
        },
        "states": {
            f"{before}{name}": one[name]
            for before, one in forward.items()
            for name in ("states_series", "final_state")
        },
        "logits": {
            f"{before}logits": one["logits"]
            for before, one in forward.items()
        },
        "predictions": {
            f"{before}predictions": one["predictions"]
            for before, one in forward.items()
        },
        "loss": {"loss": of["loss"]},
        "gradients": under(of, "gradients/"),
        "training losses": {"losses": of["losses"][:steps]},
        "final weights": {
            **under(last, "params/"),
            "final_state": last["final_state"],
        },
        "accumulators": under(last, "accumulators/"),
    }
    assert_same(
        check.recorded_observation(key, "odd", dtype, "1.0.1"), wanted
    )


def test_recorded_inputs_are_what_the_files_hold():
    arrays = recorded.read(recorded.inputs_path(SECTIONS["s7"]))
    given = check.recorded_inputs("s7", "odd", "float64")
    of = under(arrays, "odd/")
    assert given.config == cases.CASES["odd"].config
    for name in ("init_state", "batches_x", "batches_y", "sequence_length"):
        np.testing.assert_array_equal(getattr(given, name), of[name])
    np.testing.assert_array_equal(
        given.params["W2"], of["params/W2"], strict=True
    )
    assert set(given.params) == set(under(of, "params/"))
    assert given.dropout_masks is None
    assert given.training_masks is None
    assert check.recorded_inputs("s1", "odd", "float64").params.keys() == {
        *("W", "b", "W2", "b2"),
    }
    assert check.recorded_inputs("s1", "odd", "float32").first_extras() == {}


@pytest.mark.parametrize("release", RELEASES)
def test_recorded_masks_are_those_of_release_and_dtype(release):
    for dtype in ("float32", "float64"):
        of = under(raw("s6", release), f"odd/{dtype}/")
        given = check.recorded_inputs("s6", "odd", dtype, release)
        for name, masks in (
            ("dropout_masks", given.dropout_masks),
            ("train/dropout_masks", given.training_masks),
        ):
            assert masks.shape == tuple(of[f"{name}_shape"])
            bits = np.unpackbits(of[name], count=masks.size)
            np.testing.assert_array_equal(masks.ravel(), bits)


# --- How a version is observed ---


class Fake:
    """A contract that tells what it was called with."""

    def __init__(self):
        self.calls = []

    def forward(self, *given, **extras):
        self.calls.append(("forward", given, extras))
        shape = (2, 3, 4)
        start = 100 * len(self.calls)
        series = start + np.arange(24.0).reshape(shape)
        return Forward(series, start + 1.0, start + 2.0, start + 3.0)

    def loss_and_gradients(self, *given, **extras):
        self.calls.append(("gradients", given, extras))
        return 0.5, {"W": 1.5}

    def train(self, *given, **extras):
        self.calls.append(("train", given, extras))
        return Training([0.7, 0.6], 9.0, {"W": 3.5}, {"W": 4.5})


def odd_inputs(masks):
    config = cases.CASES["odd"].config
    rng = np.random.default_rng(1)
    kept = rng.integers(0, 2, (200, 2, 6)) if masks else None
    return cases.Inputs(
        config=config,
        params={"W": 1},
        init_state="state",
        batches_x=np.arange(200) + 0.5,
        batches_y=np.arange(200),
        dropout_masks=kept[0] if masks else None,
        training_masks=kept,
        sequence_length=None if masks else rng.integers(0, 6, (200, 7)),
    )


def same(one, other):
    """Whether nested calls are equal, arrays by value."""
    np.testing.assert_equal(one, other)


@pytest.mark.parametrize(
    ("dtype", "steps"), [("float32", 20), ("float64", 200)]
)
@pytest.mark.parametrize("masks", [False, True])
def test_a_version_is_asked_for_every_rung(dtype, steps, masks):
    given, fake = odd_inputs(masks), Fake()
    found = ladder.observe(fake, given, dtype)
    config = given.config.replace(dtype=dtype)
    first, all_of = {}, {}
    if masks:
        first["dropout_masks"] = given.dropout_masks
        all_of["dropout_masks"] = given.training_masks[:steps]
    else:
        first["sequence_length"] = given.sequence_length[0]
        all_of["sequence_length"] = given.sequence_length[:steps]
    of = (config, {"W": 1})
    calls = [("forward", (*of, 0.5, "state"), first)]
    if masks:
        calls.append(("forward", (*of, 0.5, "state"), {}))
    calls += [
        ("gradients", (*of, 0.5, 0, "state"), first),
        (
            "train",
            (*of, np.arange(steps) + 0.5, np.arange(steps), "state"),
            all_of,
        ),
    ]
    same(fake.calls, calls)
    series = np.arange(24.0).reshape(2, 3, 4)
    befores = {"": 100, "predicting: ": 200} if masks else {"": 100}
    wanted = {
        "one step": {
            f"{b}states_series at step 0": n + series[:, 0]
            for b, n in befores.items()
        },
        "states": {},
        "logits": {f"{b}logits": n + 2.0 for b, n in befores.items()},
        "predictions": {
            f"{b}predictions": n + 3.0 for b, n in befores.items()
        },
        "loss": {"loss": 0.5},
        "gradients": {"W": 1.5},
        "training losses": {"losses": [0.7, 0.6]},
        "final weights": {"W": 3.5, "final_state": 9.0},
        "accumulators": {"W": 4.5},
    }
    for before, number in befores.items():
        wanted["states"] |= {
            f"{before}states_series": number + series,
            f"{before}final_state": number + 1.0,
        }
    same(found, wanted)
    short = Fake()
    found = ladder.observe(short, given, dtype, training=False)
    assert [name for name, _, _ in short.calls] == [
        name for name, _, _ in calls[:-1]
    ]
    assert list(found) == list(wanted)[:6]


# --- What two observations differ by ---


def test_the_rungs_are_in_this_order():
    rungs = (
        *("shapes", "one step", "states", "logits", "predictions", "loss"),
        *("gradients", "training losses", "final weights", "accumulators"),
    )
    assert rungs == ladder.RUNGS
    some = Forward(*(np.ones((1, 2, 3)) for _ in Forward._fields))
    assert tuple(ladder.forward_rungs(some)) == ladder.RUNGS[1:5]


def test_a_comparison_is_the_ladder_in_order():
    reference = {
        "gradients": {"W": np.array([3e-1, -2e-1]), "b": np.zeros(2)},
        "loss": {"loss": np.array(-8.0)},
        "logits": {
            "logits": np.array([[1.0, -4.0], [2.0, 0.5]]),
            "lost": np.ones((1, 2)),
        },
    }
    observed = {
        "gradients": {"b": np.zeros(2), "W": np.array([3e-1, -2.5e-1])},
        "loss": {"loss": np.array(-6.0)},
        "logits": {
            "more": np.ones(3, "float32"),
            "logits": np.array([[1.0, -4.5], [3.0, 0.5]]),
        },
    }
    found = ladder.compare(observed, reference, SECTIONS["s1"], "float64")
    nothing = ("shapes", math.inf, math.inf, 0.0, ())
    assert [
        (d.rung, d.error, d.ulps, d.tolerance, d.index, d.tensor)
        for d in found
    ] == [
        (*nothing, "lost"),
        (*nothing, "more"),
        # |3 - 2| = 1 is the largest; 4 is the reference's largest.
        ("logits", 0.25, 2.0**50, 2e-15, (1, 0), "logits"),
        ("loss", 0.25, 2.0**50, 2e-15, (), "loss"),
        # 0.3 is the largest, below 1, so nothing is divided.
        (
            *("gradients", 0.25 - 0.2, (0.25 - 0.2) * 2.0**54, 7e-16),
            *((1,), "W"),
        ),
        ("gradients", 0.0, 0.0, 7e-16, (0,), "b"),
    ]
    assert [(d.value, d.reference) for d in found] == [
        ("nothing", "float64 [1, 2]"),
        ("float32 [3]", "nothing"),
        (3.0, 2.0),
        (-6.0, -8.0),
        (-0.25, -0.2),
        (0.0, 0.0),
    ]
    assert ladder.first_difference(found) is found[0]
    assert ladder.first_difference(found[2:]) is found[2]
    assert ladder.first_difference(found[5:]) is None
    assert ladder.error_of([1.0, 5.0], [1.0, -5.0]) == 2.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sides", ["value", "reference", "both"])
def test_what_is_not_finite_is_infinitely_wrong(wrong, sides):
    """Not NaN: the largest of NaN and others is not always NaN."""
    good, bad = np.array([2.0, 3.0]), np.array([2.0, wrong])
    value = good if sides == "reference" else bad
    reference = good if sides == "value" else bad
    with np.errstate(invalid="ignore"):
        found = ladder.compare(
            {"loss": {"a": good, "loss": value}},
            {"loss": {"a": good, "loss": reference}},
            SECTIONS["s1"],
            "float64",
        )
    assert [(d.error, d.ulps) for d in found] == [(0, 0), (np.inf, np.inf)]
    assert found[1].index == (1,)
    one = check.Comparison("s1", "float64", "odd", "tf2", "1.15.5")
    (table,) = report.tables([report.Result(one, found)])
    assert next(iter(table.columns[5].cells)).plain == "inf"


@pytest.mark.parametrize(
    ("index", "where"), [((), ""), ((3,), "[3]"), ((3, 0, 2), "[3, 0, 2]")]
)
def test_a_difference_in_words(index, where):
    found = difference("states", 0.0123, 0.00456, index=index)
    assert str(found) == (
        f"rung 'states', one{where}: 2.5 against 2.0 (error 0.012, "
        "tolerance 0.0046)"
    )
    assert not found.agrees
    assert difference("states", 2e-15, 2e-15).agrees
