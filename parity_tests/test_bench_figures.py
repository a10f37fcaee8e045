"""What `rnn-parity bench` and `benchmarks/` make of what they measured.

Seconds, bytes and builds are made up so that a pocket calculator is enough,
and every table, verdict and plot is compared whole.
"""

import contextlib
import dataclasses
import importlib.metadata
import io
import itertools
import json
import math
import platform
import types

import numpy as np
import pytest
from rich import box

from benchmarks import modes, training_step
from rnn_parity.bench import (
    compare,
    contest,
    growth,
    jobs,
    plots,
    reference,
    results,
    rnn_test,
    strategies,
    tables,
    verdict,
    worker,
)
from rnn_parity.bench.contestants import products
from rnn_parity.errors import UserError

MIB = 2**20
MICRO = "\N{MICRO SIGN}s"
JOB = jobs.Job(steps=3, batch=2, width=4)


# --- One strategy's figures ---


def test_figures_of_five_rounds():
    """One round is far off above; then one below."""
    assert results.stats([3, 1, 100, 4, 2], 7) == {
        "min": 1.0,
        "max": 100.0,
        "mean": 22.0,
        "stddev": 43.618,  # the root of 7610 / 4
        "median": 3.0,
        "iqr": 2.0,
        "q1": 2.0,
        "q3": 4.0,
        "ld15iqr": 1.0,
        "hd15iqr": 4.0,
        "ops": 0.045455,
        "total": 110.0,
        "rounds": 5,
        "iterations": 7,
        "iqr_outliers": 1,
        "stddev_outliers": 1,
        "outliers": "1;1",
    }
    low = results.stats([50, 51, 1, 52, 53], 1)
    assert (low["ld15iqr"], low["hd15iqr"]) == (50, 53)
    assert (low["iqr_outliers"], low["stddev_outliers"]) == (1, 1)
    # 1.5 times the quartiles' distance away is still inside.
    edge = results.stats([1, 4, 5, 6, 9], 1)
    assert (edge["q1"], edge["q3"], edge["iqr_outliers"]) == (4, 6, 0)
    assert (edge["ld15iqr"], edge["hd15iqr"]) == (1, 9)
    # 5 below and 4 above; 1.5 times 2 is 3.
    both = results.stats([0, 4, 5, 6, 10], 1)
    assert (both["ld15iqr"], both["hd15iqr"]) == (4, 6)
    assert both["iqr_outliers"] == 2
    # As far from the mean as one standard deviation is not beyond it.
    assert results.stats([1.0, 2.0, 3.0], 1)["stddev_outliers"] == 0
    one = results.stats([0.123456789], 3)
    assert one["stddev"] == one["iqr"] == 0.0
    assert one["median"] == one["q1"] == one["q3"] == 0.12346
    assert one["outliers"] == "0;0"
    two = results.stats([4.0, 2.0], 3)
    assert (two["q1"], two["median"], two["q3"]) == (2.5, 3.0, 3.5)
    assert two["stddev"] == 1.4142


def rounds(median, spread=0.0):
    """Three rounds, out of order, whose minimum, mean and median differ.

    The middle half of them is `spread` wide.
    """
    half = spread / 2
    return [median + 3 * half, median - half, median]


def measured(
    job,
    train,
    forward=None,
    spread=0.0,
    build=0.0,
    first=0.0,
    mib=0,
    nodes=None,
    square=None,
):
    """What `contest.hold` gives of a strategy."""
    seconds = {
        "forward": rounds(forward or train / 4, spread),
        "train": rounds(train, spread),
    }
    calls = {"forward": 40, "train": 30}
    if square:
        seconds["square"] = rounds(square, spread)
        calls["square"] = 20
    return {
        "seconds": seconds,
        "calls": calls,
        "build_forward": build / 2,
        "build_train": build,
        "first_forward": first / 2,
        "first_train": first,
        "errors": {"outputs": 1e-6, "loss": 1e-7, "update": 1e-5},
        "nodes": nodes,
        "started_at": 100 * MIB,
        "peak": (100 + mib) * MIB,
        "square_flops": 2 * job.flops("train"),
    }


def asked(held, cores=2):
    document = results.document("made up", {"device_name": ""}, held)
    document["machine_info"]["cores"] = cores
    return results.Results(document)


def test_a_document_is_all_that_was_held():
    other = JOB.replace(layers=2)
    held = {
        JOB: {
            "products, NumPy": measured(JOB, 0.5, square=2.0),
            "tf2 dynamic": {"missing": "why not"},
        },
        other: {"tf2 dynamic": measured(other, 4.0, 1.0, 0.5, 3, 5, 7, 11)},
    }
    document = results.document("quick", {"device_name": "a GPU"}, held)
    made = document["rnn_parity"]
    job = dataclasses.asdict(JOB)
    assert made == {
        "version": 1,
        "preset": "quick",
        "not_run": [
            {"strategy": "tf2 dynamic", "job": job, "reason": "why not"}
        ],
    }
    assert document["machine_info"]["gpu"] == "a GPU"
    assert document["datetime"].endswith("+00:00")
    assert document["version"] == "5.3.1"
    found = document["benchmarks"]
    assert [one["name"] for one in found] == [
        "products, NumPy, forward",
        "products, NumPy, train",
        "products, NumPy, square",
        "tf2 dynamic, forward",
        "tf2 dynamic, train",
    ]
    # 2 x 3 x 2 x 4 x 16 = 768 for one of the two products of a step.
    flops = [one["extra_info"]["flops"] for one in found]
    assert flops == [2 * 768, 5 * 768, 10 * 768, 4 * 768, 11 * 768]
    one = found[-1]
    assert one == {
        "group": "train, T=3 B=2 H=4 L=2 float32 cpu",
        "name": "tf2 dynamic, train",
        "fullname": "tf2 dynamic, train, T=3 B=2 H=4 L=2 float32 cpu",
        "params": None,
        "param": None,
        "extra_info": {
            "strategy": "tf2 dynamic",
            "family": "tf2",
            "kind": "train",
            "flops": 11 * 768,
            "build_seconds": 3,
            "first_seconds": 5,
            "nodes": 11,
            "memory_before": 100 * MIB,
            "memory_peak": 107 * MIB,
            "errors": {"outputs": 1e-6, "loss": 1e-7, "update": 1e-5},
            "steps": 3,
            "batch": 2,
            "width": 4,
            "layers": 2,
            "dtype": "float32",
            "device": "cpu",
        },
        "options": {
            "disable_gc": False,
            "timer": "perf_counter",
            "min_rounds": 3,
            "max_time": 0,
            "min_time": 0,
            "warmup": True,
        },
        "stats": results.stats([4.75, 3.75, 4.0], 30),
    }
    assert found[-2]["stats"] == results.stats([1.75, 0.75, 1.0], 40)
    extra = found[-2]["extra_info"]
    assert (extra["build_seconds"], extra["first_seconds"]) == (1.5, 2.5)
    assert found[2]["extra_info"]["build_seconds"] is None
    assert found[2]["extra_info"]["first_seconds"] is None


def test_results_answer_what_was_asked(tmp_path):
    other = JOB.replace(layers=2)
    held = {
        other: {"tf2 fast": {"missing": "late"}},
        JOB: {
            "tf2 dynamic": measured(JOB, 4.0, 1.0, 0.5, 3, 5, 7, 11),
            "products, NumPy": measured(JOB, 0.5, square=2.0),
            "products, PyTorch": measured(JOB, 0.4, square=2.5),
            "TF1 static_rnn": measured(JOB, 8.0, 2.0),
        },
    }
    document = results.document("quick", {}, held)
    for path in (None, tmp_path / "run.json"):
        if path:
            results.write(path, document)
            lines = path.read_text("utf-8").splitlines()
            parts = document["benchmarks"]
            of_parts = [s.rstrip(",") for s in lines[1 : 1 + len(parts)]]
            assert [json.loads(one) for one in of_parts] == parts
            assert sum('"benchmarks"' in line for line in lines) == 1
        found = results.read(path) if path else results.Results(document)
        assert found.preset == "quick"
        assert found.note == ""
        assert found.jobs == [JOB, other]
        assert found.kinds == ["forward", "train", "square"]
        assert found.names == [
            "TF1 static_rnn",
            "tf2 dynamic",
            "tf2 fast",
            "products, NumPy",
            "products, PyTorch",
        ]
        assert found.reasons == {(other, "tf2 fast"): "late"}
        train = found.get(JOB, "tf2 dynamic")
        assert (train.median, train.iqr) == (4.0, 0.5)
        assert train.mean == 4.1667
        assert (train.build, train.first, train.nodes) == (3, 5, 11)
        assert (train.memory, train.peak) == (7 * MIB, 107 * MIB)
        assert train.total(1) == 8
        assert train.total(11) == 48
        assert found.get(JOB, "tf2 dynamic", "forward").median == 1.0
        assert found.get(other, "tf2 dynamic") is None
        assert list(found.of(JOB)) == ["TF1 static_rnn", "tf2 dynamic"]
        assert list(found.of(JOB, "square", ("limit",))) == [
            "products, NumPy",
            "products, PyTorch",
        ]
        # Own products by the faster one, 3840 / 0.4; squares 7680 / 2.
        assert found.rate(JOB, "train") == 9600
        assert found.rate(JOB, "square") == 3840
        assert found.rate(other, "train") is None
        assert found.share(JOB, "tf2 dynamic", "train") == pytest.approx(0.1)
        assert found.share(JOB, "tf2 dynamic", "square") == 0.25
        assert found.share(JOB, "tf2 dynamic", "train", "forward") == (
            pytest.approx(1536 / 9600)
        )
        assert found.share(JOB, "tf2 fast", "train") is None
        assert found.share(other, "tf2 fast", "train") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda made: made.clear(),
            "{} holds no results of rnn-parity bench",
        ),
        (lambda made: made["rnn_parity"].pop("version"), None),
        (lambda made: made["rnn_parity"].update(not_run=3), None),
        (
            lambda made: made["benchmarks"][0]["stats"].update(median="?"),
            None,
        ),
        (
            lambda made: made["benchmarks"][0]["stats"].update(median="nan"),
            None,
        ),
        (lambda made: made["benchmarks"][1]["stats"].update(iqr=None), None),
        (
            lambda made: made["rnn_parity"].update(version=7),
            "{} is of another version, 7",
        ),
    ],
)
def test_a_file_of_something_else_is_refused(change, words, tmp_path):
    held = {JOB: {"tf2 fast": measured(JOB, 4.0)}}
    document = results.document("quick", {}, held)
    change(document)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(UserError) as caught:
        results.read(path)
    words = words or "{} holds no results of rnn-parity bench"
    assert str(caught.value) == words.format(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "none.json"
    with pytest.raises(UserError, match="none"):
        results.read(path)
    path.write_text('{"rnn_parity": ', "utf-8")
    with pytest.raises(UserError) as caught:
        results.read(path)
    assert str(caught.value) == f"{path} is no JSON, or not all of it"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (123.456, "123 s"),
        (12.3456, "12.3 s"),
        (1.0, "1.00 s"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.996, "10.0 s"),
        (0.0456, "45.6 ms"),
        (1e-3, "1.00 ms"),
        (9.994e-4, f"999 {MICRO}"),
        (9.996e-4, "1.00 ms"),
        (4.25e-5, f"42.5 {MICRO}"),
        (1.5e-6, f"1.50 {MICRO}"),
        (4e-7, f"0.40 {MICRO}"),
        (1234.0, "1234 s"),
    ],
)
def test_seconds_have_three_digits_and_a_unit(value, words):
    assert verdict.seconds(value) == words


# --- A made-up run: a series over T, a grid, and where the goals are ---

SERIES = [JOB.replace(steps=t) for t in (10, 20, 40)]
GRID = jobs.grid((32,), (1, 16, 64), (16, 64, 256))
MARK = jobs.LANDMARK

OF_SERIES = {
    # name: (milliseconds, seconds to build, first call, MiB, nodes), by T
    "TF1 static_rnn": (
        (4, 1, 0.5, 10, 100),
        (8, 2, 0.5, 20, 200),
        "too long",
    ),
    "tf2 dynamic": (
        (3, 0.25, 0.5, 30, 70),
        (6, 0.1767767, 0.5, 40, 70),
        (12, 0.125, 0.5, 60, 70),
    ),
    "tf2 dynamic, XLA": (
        (1, 2, 4, 50, 81),
        (2, 2.5, 4, 60, 82),
        (5, 3.5, 2.5, 80, 83),
    ),
    "tf2 fast": (
        (0.5, 3, 5, 70, 90),
        (1, 4, 5, 71, 90),
        (3, 5.9, 2.1, 90, 90),
    ),
    "Keras LSTM": (
        (2, 0.5, 0.75, 20, None),
        (4, 0.5, 0.75, 25, None),
        (8, 0.5, 0.75, 35, None),
    ),
    "PyTorch nn.LSTM": ((0.1, 0, 0.1, 5, None), None, None),
    "products, NumPy": ((0.05, 0, 0, 1, None), None, None),
}
# Milliseconds a step, by (B, H).
OF_GRID = {
    "tf2 fast": (1, 1, 4, 1, 1, 2, 1, 1, 3),
    "tf2 fast, one step": (2, 2, 5, 3, 1.5, 6, 1.5, 1.5, 4),
    "Keras LSTM": (5, 5, 9, 5, 6, 5, 9, 9, 9),
    "PyTorch nn.LSTM": (2.5, 2, 8, 2, 5, 8, 7, 7, 7),
    "JAX scan": (3, 3, 7, 4, 4, 7, 8, 8, 8),
    "JAX scan, fast": (1.2, 1, 3.2, 4, 3, 3, 6, 6, 6),
}
OF_MARK = {
    "tf2 dynamic": {"train": 0.4, "forward": 0.05},
    "tf2 partial(4)": {"train": 0.21, "forward": 0.2},
    "tf2 fast": {"train": 0.2, "forward": 0.1, "spread": 0.06},
    "PyTorch nn.LSTM": {"train": 0.1, "forward": 0.04},
    "products, NumPy": {"train": 0.17, "square": 0.24},
    "products, TensorFlow": {"train": 0.16, "square": 0.28, "spread": 0.02},
}


def made_up(of_mark=OF_MARK, of_series=OF_SERIES):
    held = {job: {} for job in (*SERIES, *GRID, MARK)}
    for name, row in of_series.items():
        for job, figures in zip(SERIES, row, strict=True):
            if isinstance(figures, str):
                held[job][name] = {"missing": figures}
            elif figures:
                ms, build, first, mib, nodes = figures
                of = {"build": build, "first": first, "mib": mib}
                of |= {"nodes": nodes, "spread": ms / 8e3}
                held[job][name] = measured(job, ms / 1e3, **of)
    for name, row in OF_GRID.items():
        for job, ms in zip(GRID, row, strict=True):
            share = 0.2 if name.startswith("tf2") else 0.4
            held[job][name] = measured(job, ms / 1e3, spread=share * ms / 1e3)
    for name, how in of_mark.items():
        held[MARK][name] = measured(MARK, **how)
    return asked(held)


@pytest.fixture(scope="module")
def found():
    return made_up()


def test_the_verdict_is_the_best_and_the_next(found):
    """Of what TensorFlow offers alone: PyTorch would win most of it."""
    small, large = "T=10, B=2, H=4", "T=40, B=2, H=4"
    a_step = "a step takes"
    assert [dataclasses.astuple(line) for line in verdict.lines(found)] == [
        (
            # 0.25 + 0.5 + 9 x 0.003, and 0.5 + 0.75 + 9 x 0.002
            f"10 training steps in all, {small}",
            "tf2 dynamic",
            "built and done in 777 ms tf2 dynamic against 1.27 s Keras LSTM",
        ),
        (
            f"1,000 training steps in all, {small}",
            "Keras LSTM",
            "built and done in 3.25 s Keras LSTM against 3.75 s tf2 dynamic",
        ),
        (
            f"100,000 training steps in all, {small}",
            "tf2 fast",
            "built and done in 58.0 s tf2 fast against 106 s tf2 dynamic, "
            "XLA",
        ),
        (
            f"10 training steps in all, {large}",
            "tf2 dynamic",
            "built and done in 733 ms tf2 dynamic against 1.32 s Keras LSTM",
        ),
        (
            f"1,000 training steps in all, {large}",
            "Keras LSTM",
            "built and done in 9.24 s Keras LSTM against 11.0 s tf2 "
            "dynamic, XLA",
        ),
        (
            f"100,000 training steps in all, {large}",
            "tf2 fast",
            "built and done in 308 s tf2 fast against 506 s tf2 dynamic, XLA",
        ),
        (
            f"no XLA to be had, {small}",
            "Keras LSTM",
            f"{a_step} 2.00 ms Keras LSTM against 3.00 ms tf2 dynamic",
        ),
        (
            f"no XLA to be had, {large}",
            "Keras LSTM",
            f"{a_step} 8.00 ms Keras LSTM against 12.0 ms tf2 dynamic",
        ),
        (
            f"little memory, {large}",
            "Keras LSTM",
            "grew by 35 MiB Keras LSTM against 60 MiB tf2 dynamic",
        ),
        (
            "a training step, T=32, B=1, H=16",
            "tf2 fast",
            "1.00 ms tf2 fast against 2.00 ms tf2 fast, one step",
        ),
        (
            "predicting, T=32, B=1, H=16",
            "tf2 fast",
            f"250 {MICRO} tf2 fast against 500 {MICRO} tf2 fast, one step",
        ),
        (
            "a training step, T=32, B=64, H=256",
            "tf2 fast",
            "3.00 ms tf2 fast against 4.00 ms tf2 fast, one step",
        ),
        (
            "predicting, T=32, B=64, H=256",
            "tf2 fast",
            f"750 {MICRO} tf2 fast against 1.00 ms tf2 fast, one step",
        ),
        (
            "a training step, T=96, B=64, H=256",
            "tf2 fast",
            "200 ms tf2 fast against 210 ms tf2 partial(4)",
        ),
        (
            "predicting, T=96, B=64, H=256",
            "tf2 dynamic",
            "50.0 ms tf2 dynamic against 100 ms tf2 fast",
        ),
    ]


def test_the_verdict_says_nothing_of_what_was_not_measured():
    held = {job: {"PyTorch nn.LSTM": measured(job, 1)} for job in SERIES}
    assert verdict.lines(asked(held)) == []
    stack = MARK.replace(layers=3)
    alone = asked({stack: {"tf2 fast": measured(stack, 1)}})
    assert verdict.lines(alone) == []
    # Three layers are said, one is not; and a GPU's is the same mark.
    assert verdict._size(stack) == "T=96, B=64, H=256, 3 layers"
    gpu = MARK.replace(device="gpu")
    alone = asked({gpu: {"tf2 fast": measured(gpu, 1)}})
    assert [line.use for line in verdict.lines(alone)] == ["tf2 fast"] * 2
    assert [line.because for line in verdict.lines(alone)] == [
        "1.00 s tf2 fast",
        "250 ms tf2 fast",
    ]


AT_MARK = (
    "at T=96, B=64, H=256 the best TF2 strategy reaches 85 % of the "
    "matrix-product rate"
)
OVER = (
    ": over batch and width TF2 at least as fast as PyTorch, JAX and Keras "
    "in nine cells of ten"
)


def test_of_two_grids_or_series_the_first_counts():
    two = jobs.grid((7,), (1, 3), (3, 5))
    held = {
        job: {
            "tf2 fast": measured(job, 1.0),
            "tf2 fast, one step": measured(job, 1.0),
            "JAX scan": measured(job, 2.0),
        }
        for job in (*GRID, *two, *SERIES)
    }
    for steps in (3, 4, 5):
        held[jobs.Job(steps, 9, 9)] = {"tf2 fast": measured(JOB, 1.0)}
    found = asked(held)
    whens = [line.when for line in verdict.lines(found)]
    assert not [when for when in whens if "T=7" in when or "B=9" in when]
    assert len([when for when in whens if "T=32" in when]) == 4
    goals = verdict.goals(found)
    assert [goal.measured for goal in goals[:2]] == ["9 of 9 cells"] * 2
    assert len(goals) == 3
    assert "from T=10 to 40" in goals[2].aim


def test_goals_are_read_off_the_measurements(found):
    assert [dataclasses.astuple(goal) for goal in verdict.goals(found)] == [
        (
            AT_MARK,
            "tf2 fast: 80% of the fastest library's rate at the step's own "
            "products (85% of NumPy's, 80% of TensorFlow's), 60% of a large "
            "square product's",
            False,
        ),
        (
            f"many steps a call{OVER}",
            "8 of 9 cells; lost, with our time by theirs: B=1 H=256 to JAX "
            "scan, fast (1.25)",
            False,
        ),
        (
            f"one step a call{OVER}",
            "7 of 9 cells; lost, with our time by theirs: B=16 H=16 to "
            "PyTorch nn.LSTM (1.50); B=16 H=256 to Keras LSTM (1.20)",
            False,
        ),
        (
            "build time of dynamic and partial loops flat from T=10 to 40",
            "tf2 dynamic 250 ms to 125 ms; tf2 dynamic, XLA 2.00 s to "
            "3.50 s; tf2 fast 3.00 s to 5.90 s",
            True,
        ),
    ]


@pytest.mark.parametrize(
    ("train", "square", "words", "holds"),
    [(0.176, 0.25, "88%", True), (0.168, 0.25, "84%", False)],
)
def test_85_percent_of_the_rate_are_enough(train, square, words, holds):
    limit = {"train": train, "square": square}
    of_mark = {
        "tf2 fast": {"train": 0.2},
        "Keras LSTM": {"train": 0.1},  # no strategy of tf2
        "products, NumPy": limit,
    }
    goal, *_ = verdict.goals(made_up(of_mark))
    assert goal.holds is holds
    assert goal.measured == (
        f"tf2 fast: {words} of the fastest library's rate at the step's own "
        f"products ({words} of NumPy's), 62% of a large square product's"
    )


@pytest.mark.parametrize(
    "of_mark",
    [
        {"tf2 fast": {"train": 0.2}},
        {"products, NumPy": {"train": 0.1, "square": 0.1}},
    ],
)
def test_the_rate_needs_a_strategy_and_a_limit(of_mark):
    aims = [goal.aim for goal in verdict.goals(made_up(of_mark))]
    assert AT_MARK not in aims
    assert len(aims) == 3


@pytest.mark.parametrize(
    ("lost", "holds"), [(0, True), (1, True), (2, False)]
)
def test_nine_cells_of_ten_are_enough(lost, holds):
    grid = jobs.grid((32,), (1, 2), (1, 2, 3, 4, 5))
    held = {
        job: {
            "tf2 fast": measured(job, 3 if place < lost else 1),
            "tf2 fast, one step": measured(job, 2.5 if place < lost else 1),
            "JAX scan": measured(job, 2),
        }
        for place, job in enumerate(grid)
    }
    goals = verdict.goals(asked(held))
    assert [goal.holds for goal in goals] == [holds, holds]
    start = f"{10 - lost} of 10 cells"
    assert all(goal.measured.startswith(start) for goal in goals)
    if not lost:
        assert {goal.measured for goal in goals} == {start}


def test_a_build_twice_as_long_is_not_flat():
    rows = {"tf2 dynamic": [(1, 3.0, 1, 1, 1), None, (1, 6.0, 1, 1, 1)]}
    rows["Keras LSTM"] = [None, (1, 1.0, 1, 1, 1), (1, 9.0, 1, 1, 1)]
    *_, goal = verdict.goals(made_up({}, rows))
    assert goal.measured == "tf2 dynamic 3.00 s to 6.00 s"
    assert goal.holds is False
    rows["tf2 dynamic"][2] = (1, 5.99, 1, 1, 1)
    # Plain static loops grow, and one figure is no line.
    rows["tf2 static"] = [(1, 1.0, 1, 1, 1), None, (1, 9.0, 1, 1, 1)]
    rows["tf2 partial(4)"] = [(1, 1.0, 1, 1, 1), None, None]
    rows["tf2 partial(4), XLA"] = [(1, 1.0, 1, 1, 1), (1, 1.5, 1, 1, 1), None]
    *_, goal = verdict.goals(made_up({}, rows))
    assert goal.measured == (
        "tf2 dynamic 3.00 s to 5.99 s; tf2 partial(4), XLA 1.00 s to 1.50 s"
    )
    assert goal.holds is True
    rows["tf2 dynamic, XLA"] = [(1, 1.0, 1, 1, 1), None, (1, 9.0, 1, 1, 1)]
    *_, goal = verdict.goals(made_up({}, rows))
    assert goal.holds is False  # the last that is flat decides nothing


@pytest.mark.parametrize(
    ("cores", "words"),
    [
        # In one part all of them; on two cores T=15 is, 32 and 1000 are not.
        (1, "tf2 fast 100 ms to 300 ms"),
        (2, "tf2 fast 300 ms to 400 ms (measured from T=32, in parts)"),
    ],
)
def test_builds_of_one_program_are_held_against_each_other(cores, words):
    builds = {15: 0.1, 32: 0.3, 1000: 0.3 if cores == 1 else 0.4}
    held = {}
    for steps, build in builds.items():
        job = jobs.Job(steps, 16, 64)
        held[job] = {"tf2 fast": measured(job, 1, build=build)}
    (goal,) = verdict.goals(asked(held, cores))
    assert goal.measured == words
    assert goal.holds is (cores == 2)


def test_ours_beside_each_other_strategy():
    """Ratios 2, 1/2 and 8 have the geometric mean 2; and one of 1."""
    held = {
        job: {
            "tf2 fast": measured(job, 4, spread=0.4),
            "Keras LSTM": measured(job, 4 * ratio, spread=0.1),
            "products, NumPy": measured(job, 0.1, square=1),
        }
        for job, ratio in zip(SERIES, (2, 0.5, 8), strict=True)
    }
    held[SERIES[0]]["JAX scan"] = measured(SERIES[0], 4)
    held[MARK] = {"JAX scan": measured(MARK, 1)}
    found = asked(held)
    rows = verdict.fast_path(found)
    assert rows == [
        ("Keras LSTM", 3, pytest.approx(2), 2, (0.5, SERIES[1])),
        ("JAX scan", 1, 1.0, 1, (1.0, SERIES[0])),
    ]
    assert tables._fast_path(found).rows == [
        [
            *("Keras LSTM", "2.00", "2 of 3"),
            "0.50 at T=20 B=2 H=4 L=1 float32 cpu",
        ],
        [
            "JAX scan",
            "1.00",
            "1 of 1",
            "1.00 at T=10 B=2 H=4 L=1 float32 cpu",
        ],
    ]
    assert tables._fast_path(found).columns == [
        *("strategy", "its time by ours", "jobs ours wins"),
        "worst for ours",
    ]


# --- Growth ---


def test_growth_by_least_squares():
    """3 T^2 at 1, 2, 4; the line's slope is 72 / (42 / 9)."""
    exponent, added = growth.fit([1, 2, 4], [3, 12, 48])
    assert exponent == pytest.approx(2)
    assert added == pytest.approx(108 / 7)
    assert growth.fit([1, 2], [1, 2]) is None


def test_growth_of_what_was_measured_alone():
    held = {
        job: {"tf2 dynamic": measured(job, job.steps / 10, mib=mib, build=b)}
        for job, mib, b in zip(SERIES, (4, 8, 16), (0, 0, 0), strict=True)
    }
    held[SERIES[0]]["tf2 static"] = measured(SERIES[0], 1)
    found = asked(held)
    fits = growth.of(found, SERIES, "tf2 dynamic")
    assert fits["step"] == (pytest.approx(1), pytest.approx(0.1))
    assert fits["memory"] == (pytest.approx(1), pytest.approx(0.4 * MIB))
    assert fits["build"] == (pytest.approx(0), pytest.approx(0))
    nothing = {"build": None, "step": None, "memory": None}
    assert growth.of(found, SERIES, "tf2 static") == nothing
    # No time and no memory have no logarithm: a microsecond and a byte do.
    held = {job: {"tf2 dynamic": measured(job, 1)} for job in SERIES}
    more = {"build": 4e-6, "mib": 4 / MIB}
    held[SERIES[2]]["tf2 dynamic"] = measured(SERIES[2], 1, **more)
    fits = growth.of(asked(held), SERIES, "tf2 dynamic")
    # The logarithms of 1, 1, 4 to base 2 are 0, 0, 2 at 0, 1, 2.
    assert fits["build"][0] == pytest.approx(1)
    assert fits["memory"][0] == pytest.approx(1)


# --- Tables ---


def test_a_jobs_table(found):
    table = tables.job_table(found, SERIES[0])
    assert table.title == "T=10 B=2 H=4 L=1 float32 cpu"
    assert table.columns == [
        *("strategy", "build", "first call", "forward", "training step"),
        *("own", "big", "memory", "nodes"),
    ]
    # The spread is an eighth of a step, half of a forward pass.
    own = ["1%", "2%", "5%", "10%", "2%", "50%", "100%"]
    assert [row[5] for row in table.rows] == own
    assert [row[:5] + row[6:] for row in table.rows] == [
        [
            *("TF1 static_rnn", "1.00 s", "500 ms", "1.00 ms ±50%"),
            *("4.00 ms ±12%", "", "10 MiB", "100"),
        ],
        [
            *("tf2 dynamic", "250 ms", "500 ms", f"750 {MICRO} ±50%"),
            *("3.00 ms ±12%", "", "30 MiB", "70"),
        ],
        [
            *("tf2 dynamic, XLA", "2.00 s", "4.00 s", f"250 {MICRO} ±50%"),
            *("1.00 ms ±12%", "", "50 MiB", "81"),
        ],
        [
            *("tf2 fast", "3.00 s", "5.00 s", f"125 {MICRO} ±50%"),
            *(f"500 {MICRO} ±12%", "", "70 MiB", "90"),
        ],
        [
            *("Keras LSTM", "500 ms", "750 ms", f"500 {MICRO} ±50%"),
            *("2.00 ms ±12%", "", "20 MiB", ""),
        ],
        [
            *("PyTorch nn.LSTM", f"0.00 {MICRO}", "100 ms"),
            *(f"25.0 {MICRO} ±50%", f"100 {MICRO} ±12%", "", "5 MiB", ""),
        ],
        [
            *("products, NumPy", "", "", f"12.5 {MICRO} ±50%"),
            *(f"50.0 {MICRO} ±12%", "", "1 MiB", ""),
        ],
    ]
    assert table.note == ""
    last = tables.job_table(found, SERIES[2])
    assert last.rows[0] == [
        "TF1 static_rnn",
        "not run: too long",
        *[""] * 7,
    ]
    assert [row[0] for row in last.rows] == [
        *("TF1 static_rnn", "tf2 dynamic", "tf2 dynamic, XLA", "tf2 fast"),
        "Keras LSTM",
    ]
    mark = tables.job_table(found, MARK)
    assert [row[5:7] for row in mark.rows] == [
        ["40%", "30%"],
        ["76%", "57%"],
        ["80%", "60%"],
        ["160%", "120%"],
        ["94%", "71%"],
        ["100%", "75%"],
    ]
    # 5 x 2 x 96 x 64 x 256 x 1024 flops in 0.16 s; twice that in 0.24 s.
    assert mark.note == (
        "Share of the matrix-product rate: own, that of the step's own "
        "products, 101 Gflop/s; big, that of a large square product, 134 "
        "Gflop/s."
    )


def test_tables_against_t(found):
    rest = "B=2 H=4 L=1 float32 cpu"
    made = list(tables._series(found, SERIES))
    assert [(t.title, t.note) for t in made[:5]] == [
        (f"{what} against T, {rest}", "")
        for what in (
            *("Training step", "Build or trace", "First call"),
            *("Memory", "Graph nodes"),
        )
    ]
    assert {tuple(table.columns) for table in made[:5]} == {
        ("strategy", "T=10", "T=20", "T=40")
    }
    none = "not run"
    assert [table.rows for table in made[:5]] == [
        [
            ["TF1 static_rnn", "4.00 ms ±12%", "8.00 ms ±12%", none],
            ["tf2 dynamic", "3.00 ms ±12%", "6.00 ms ±12%", "12.0 ms ±12%"],
            [
                *("tf2 dynamic, XLA", "1.00 ms ±12%", "2.00 ms ±12%"),
                "5.00 ms ±12%",
            ],
            [
                *("tf2 fast", f"500 {MICRO} ±12%", "1.00 ms ±12%"),
                "3.00 ms ±12%",
            ],
            ["Keras LSTM", "2.00 ms ±12%", "4.00 ms ±12%", "8.00 ms ±12%"],
            ["PyTorch nn.LSTM", f"100 {MICRO} ±12%", none, none],
        ],
        [
            ["TF1 static_rnn", "1.00 s", "2.00 s", none],
            ["tf2 dynamic", "250 ms", "177 ms", "125 ms"],
            ["tf2 dynamic, XLA", "2.00 s", "2.50 s", "3.50 s"],
            ["tf2 fast", "3.00 s", "4.00 s", "5.90 s"],
            ["Keras LSTM", "500 ms", "500 ms", "500 ms"],
            ["PyTorch nn.LSTM", f"0.00 {MICRO}", none, none],
        ],
        [
            ["TF1 static_rnn", "500 ms", "500 ms", none],
            ["tf2 dynamic", "500 ms", "500 ms", "500 ms"],
            ["tf2 dynamic, XLA", "4.00 s", "4.00 s", "2.50 s"],
            ["tf2 fast", "5.00 s", "5.00 s", "2.10 s"],
            ["Keras LSTM", "750 ms", "750 ms", "750 ms"],
            ["PyTorch nn.LSTM", "100 ms", none, none],
        ],
        [
            ["TF1 static_rnn", "10 MiB", "20 MiB", none],
            ["tf2 dynamic", "30 MiB", "40 MiB", "60 MiB"],
            ["tf2 dynamic, XLA", "50 MiB", "60 MiB", "80 MiB"],
            ["tf2 fast", "70 MiB", "71 MiB", "90 MiB"],
            ["Keras LSTM", "20 MiB", "25 MiB", "35 MiB"],
            ["PyTorch nn.LSTM", "5 MiB", none, none],
        ],
        [
            ["TF1 static_rnn", "100", "200", none],
            ["tf2 dynamic", "70", "70", "70"],
            ["tf2 dynamic, XLA", "81", "82", "83"],
            ["tf2 fast", "90", "90", "90"],
            ["Keras LSTM", "", "", ""],
            ["PyTorch nn.LSTM", "", none, none],
        ],
    ]
    grown = made[5]
    assert grown.note == (
        "The exponent p of T^p, fitted to the logarithms, and what 100 more "
        "steps of T add, from a straight line."
    )
    assert tables._fit((0.25, 0.0), str) == "T^0.25, nothing"
    assert tables._fit((0.25, 1e-9), str) == "T^0.25, 1e-09"
    assert grown.title == f"Growth with T, {rest}"
    assert grown.columns == ["strategy", "build", "training step", "memory"]
    # XLA builds 2 + 0.05 (T - 10): 100 steps more take 5 s.
    rows = {row[0]: row[1:] for row in grown.rows}
    assert list(rows) == [row[0] for row in made[0].rows]
    assert rows["TF1 static_rnn"] == rows["PyTorch nn.LSTM"] == [none] * 3
    assert rows["tf2 dynamic"] == [
        "T^-0.50, nothing",
        "T^1.00, 30.0 ms",
        "T^0.50, 100.0 MiB",
    ]
    assert rows["tf2 dynamic, XLA"][0] == "T^0.40, 5.00 s"
    assert rows["Keras LSTM"][1:] == ["T^1.00, 20.0 ms", "T^0.40, 50.0 MiB"]


def test_who_wins_over_batch_and_width(found):
    """Peers too. In the forward pass the same, a quarter of the time."""
    step, forward = (tables._grid(found, GRID, k) for k in tables._KINDS)
    assert step.title == (
        "Fastest over batch and width, training step, T=32 L=1 float32 cpu"
    )
    assert forward.title == (
        "Fastest over batch and width, forward, T=32 L=1 float32 cpu"
    )
    assert step.columns == ["", "H=16", "H=64", "H=256"]
    assert step.rows == [
        [
            *("B=1", "tf2 fast 1.00 ms", "tf2 fast 1.00 ms"),
            "JAX scan, fast 3.20 ms",
        ],
        ["B=16", "tf2 fast 1.00 ms", "tf2 fast 1.00 ms", "tf2 fast 2.00 ms"],
        ["B=64", "tf2 fast 1.00 ms", "tf2 fast 1.00 ms", "tf2 fast 3.00 ms"],
    ]
    assert forward.rows[0] == [
        *("B=1", f"tf2 fast 250 {MICRO}", f"tf2 fast 250 {MICRO}"),
        f"JAX scan, fast 800 {MICRO}",
    ]
    gap = tables._grid(found, [*GRID[:-1], GRID[0].replace(batch=2)], "train")
    assert gap.rows[1] == ["B=2", *["not run"] * 3]
    assert gap.rows[3][-1] == "not run"
    assert tables.winner(found, GRID[0]) == ("tf2 fast", 1e-3)
    assert tables.winner(found, JOB) is None


def test_which_tables_are_shown_and_written(found):
    every = [str(job) for job in found.jobs]
    assert found.jobs == [*SERIES, *GRID, MARK]
    shown = [table.title for table in tables.summary(found)]
    assert shown == ["Which one when", "Goals", *every]
    written = [table.title for table in tables.everything(found)]
    series = [t.title for t in tables._series(found, SERIES)]
    grids = [tables._grid(found, GRID, kind).title for kind in tables._KINDS]
    assert written == [
        *("Which one when", "Goals"),
        "This project's fast path against each: training step",
        *(*series, *grids, *every),
    ]
    assert tables.summary(asked({})) == tables.everything(asked({})) == []
    goals = tables._goals(found)
    assert goals.columns == ["", "aim", "measured"]
    assert [row[0] for row in goals.rows] == ["does not hold"] * 3 + ["holds"]
    assert [row[1:] for row in goals.rows] == [
        [goal.aim, goal.measured] for goal in verdict.goals(found)
    ]
    assert (goals.title, goals.note) == ("Goals", "")
    fast = tables._fast_path(found)
    assert fast.columns == [
        *("strategy", "its time by ours", "jobs ours wins"),
        "worst for ours",
    ]
    assert fast.note == (
        "Time of the strategy divided by that of `tf2 fast`, a geometric "
        "mean over all jobs; below 1 ours is slower."
    )
    when = tables._verdict(found)
    assert when.note == (
        "Of what TensorFlow offers, plain or with this project's `unroll`; "
        "PyTorch and JAX are in the other tables."
    )
    assert when.columns == ["when", "use", "measured"]
    assert when.rows == [
        [line.when, line.use, line.because] for line in verdict.lines(found)
    ]


def test_a_table_as_markdown_and_in_a_terminal():
    table = tables.Table("A title", ["a", "b"], [["1", "2"], ["3", "4"]])
    assert table.markdown() == (
        "## A title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n"
    )
    noted = dataclasses.replace(table, note="Mind.")
    assert noted.markdown() == f"{table.markdown()}\nMind.\n"
    shown = noted.rich()
    assert (shown.title, shown.caption) == ("A title", "Mind.")
    assert (shown.title_justify, shown.caption_justify) == ("left", "left")
    assert (shown.box, shown.padding) == (box.SIMPLE, (0, 1, 0, 1))
    assert table.rich().caption is None
    assert {column.overflow for column in shown.columns} == {"fold"}
    assert [[*column.cells] for column in shown.columns] == [
        ["1", "3"],
        ["2", "4"],
    ]
    assert [column.header for column in shown.columns] == ["a", "b"]
    assert [column.justify for column in shown.columns] == ["left"] * 2
    three = tables.Table("", ["a", "b", "c"], []).rich()
    assert {column.justify for column in three.columns} == {"left"}
    four = tables.Table("", ["a", "b", "c", "d"], [["1"] * 4]).rich()
    justify = [column.justify for column in four.columns]
    assert justify == ["left", "right", "right", "right"]


def test_the_page_says_what_ran_where(found):
    found = results.Results(json.loads(json.dumps(found.document)))
    found.machine = {
        "gpu": "",
        "processor": "a processor",
        "cores": 3,
        "python_version": "3.11.1",
        "libraries": {"keras": "3.1", "jax": "0.4"},
    }
    about = (
        "Preset `made up` on 3 cores, a processor; Python 3.11.1, keras "
        "3.1, jax 0.4."
    )
    assert tables.about(found) == about
    found.note = "Cut short."
    assert tables.about(found) == f"{about} Cut short."
    found.note, found.machine["gpu"] = "", "a GPU"
    about = about.replace("a processor", "a GPU")
    assert tables.about(found) == about
    text = tables.markdown(found)
    rest = "\n".join(t.markdown() for t in tables.everything(found))
    title = "# Static, dynamic, partial or fused?"
    assert text == f"{title}\n\n{about}\n\n{rest}"
    found.machine = {}
    assert tables.about(found) == (
        "Preset `made up` on ? cores, ; Python ?, ."
    )


# --- Two runs side by side ---


@pytest.mark.parametrize(
    ("a", "b", "shown"),
    [
        # (median, spread): slower where more than both halves lie between.
        ((4, 1), (5, 1), ["4.00 s", "5.00 s", "1.25", ""]),
        ((4, 1), (5.25, 1), ["4.00 s", "5.25 s", "1.31", "slower"]),
        ((4, 0.5), (3.25, 1), ["4.00 s", "3.25 s", "0.81", ""]),
        ((4, 0.5), (3, 1), ["4.00 s", "3.00 s", "0.75", "faster"]),
        ((4, 0), (4, 0), ["4.00 s", "4.00 s", "1.00", ""]),
        ((4, 3), (6, 0.5), ["4.00 s", "6.00 s", "1.50", "slower"]),
        ((4, 4), (6, 0.5), ["4.00 s", "6.00 s", "1.50", ""]),
        ((4, 0.5), (6, 4), ["4.00 s", "6.00 s", "1.50", ""]),
    ],
)
def test_noise_is_neither_slower_nor_faster(a, b, shown):
    runs = [
        asked({JOB: {"tf2 dynamic": measured(JOB, m, spread=s)}})
        for m, s in (a, b)
    ]
    (_, row) = compare.table(*runs).rows
    assert row == [str(JOB), "tf2 dynamic", "train", *shown]


def test_what_two_runs_have_in_common(call_cli, tmp_path):
    other = JOB.replace(batch=9)
    first = asked(
        {
            JOB: {
                "tf2 dynamic": measured(JOB, 4, 1),
                "Keras LSTM": measured(JOB, 1),
            },
            other: {"tf2 dynamic": measured(other, 2e-3, 1e-3)},
        }
    )
    second = asked(
        {
            other: {
                "tf2 fast": measured(other, 1),
                "tf2 dynamic": measured(other, 1e-3, 2e-3),
            },
            JOB: {"tf2 dynamic": measured(JOB, 4, 1)},
        }
    )
    table = compare.table(first, second)
    assert table.title == "A beside B"
    columns = ["job", "strategy", "", "A", "B", "B by A", ""]
    assert table.columns == columns
    assert table.rows == [
        [str(JOB), "tf2 dynamic", "forward", "1.00 s", "1.00 s", "1.00", ""],
        [str(JOB), "tf2 dynamic", "train", "4.00 s", "4.00 s", "1.00", ""],
        [
            *(str(other), "tf2 dynamic", "forward", "1.00 ms", "2.00 ms"),
            *("2.00", "slower"),
        ],
        [
            *(str(other), "tf2 dynamic", "train", "2.00 ms", "1.00 ms"),
            *("0.50", "faster"),
        ],
    ]
    assert table.note == (
        "Faster or slower where the middle halves of both runs' rounds lie "
        "apart."
    )
    nothing = asked({JOB: {"tf2 fast": measured(JOB, 1)}})
    with pytest.raises(UserError) as caught:
        compare.table(second, nothing)
    assert str(caught.value) == (
        "the two files have no job and strategy in common"
    )
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, run in zip(paths, (first, second), strict=True):
        results.write(path, run.document)
    done = call_cli("bench", "--compare", *paths)
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[-5:] for row in rows if row[-2:-1] == ["2.00"]] == [
        ["ms", "2.00", "ms", "2.00", "slower"]
    ]
    assert [row[-4:] for row in rows if row[-1:] == ["faster"]] == [
        ["1.00", "ms", "0.50", "faster"]
    ]


# --- Which jobs belong together ---


def test_series_and_grids():
    def of(*some):
        return asked({job: {"tf2 fast": measured(job, 1)} for job in some})

    mixed = of(SERIES[2], *GRID[:5], SERIES[0], SERIES[1], MARK)
    assert results.series(mixed) == [SERIES]
    assert results.grids(mixed) == [list(GRID[:5])]
    assert results.series(of(*SERIES[:2])) == []
    assert results.grids(of(*GRID[:3])) == []  # one batch
    assert results.grids(of(*GRID[::3])) == []  # one width
    square = of(GRID[4], GRID[3], GRID[1], GRID[0])
    assert results.grids(square) == [[GRID[n] for n in (0, 1, 3, 4)]]
    deep = [job.replace(layers=2) for job in SERIES]
    assert results.series(of(*deep, *SERIES)) == [deep, SERIES]


# --- What is computed ---


def test_flops_by_hand():
    """T=3, B=2, H=4: a product with [4, 16] is 2 x 6 x 4 x 16 = 768."""
    assert JOB.flops("forward") == 2 * 768
    assert JOB.flops("train") == 5 * 768
    assert JOB.replace(layers=3).flops("forward") == 6 * 768
    assert JOB.replace(layers=3).flops("train") == 17 * 768


def test_flops_are_those_of_the_products():
    for job in (JOB, JOB.replace(steps=7, batch=5, width=3)):
        for kind in ("forward", "train"):
            needed = sum(
                2 * m * k * n * count
                for m, k, n, count in products.shapes(job, kind)
            )
            assert job.flops(kind) == needed


def test_parts_are_for_cores():
    """96 x 64 x 256 numbers of 320 are 400 times what a core is worth."""
    assert [jobs.LANDMARK.parts(cores) for cores in (1, 3, 4)] == [1, 3, 4]
    assert jobs.LANDMARK.replace(device="gpu").parts(4) == 1
    # 32 x 16 x 64 x 128 = 4.2 million are worth three of 1.25 million.
    assert jobs.Job(steps=32, batch=16, width=64).parts(9) == 3
    assert jobs.Job(32, 16, 64, layers=2).parts(9) == 6
    assert jobs.Job(32, 2, 512).parts(9) == 2  # rows
    assert JOB.parts(4) == 1


def test_presets_in_order_and_on_their_device():
    some = jobs.grid((1, 2), (3, 4), (5,), (6, 7), dtype="float64")
    assert [(j.steps, j.batch, j.width, j.layers) for j in some] == list(
        itertools.product((1, 2), (3, 4), (5,), (6, 7))
    )
    assert {job.dtype for job in some} == {"float64"}
    assert str(some[0]) == "T=1 B=3 H=5 L=6 float64 cpu"
    quick, full = (jobs.find(name, "gpu") for name in ("quick", "full"))
    sizes = [(j.steps, j.batch, j.width) for j in quick.jobs]
    assert sizes == [
        *((15, 4, 16), (60, 4, 16), (240, 4, 16)),
        *((15, 4, 128), (15, 64, 16), (15, 64, 128)),
    ]
    sizes = [(j.steps, j.batch, j.width) for j in full.jobs]
    assert sizes == [
        *((15, 16, 64), (60, 16, 64), (200, 16, 64), (1000, 16, 64)),
        (96, 64, 256),
    ]
    more = [(j.steps, j.batch, j.width, j.layers) for j in full.more_jobs]
    grid = itertools.product((32,), (1, 16, 64, 256), (16, 64, 256), (1,))
    assert more == [*grid, (60, 16, 64, 3), (60, 16, 64, 1)]
    assert full.more_jobs[-1].dtype == "float64"
    every = [*quick.jobs, *full.jobs, *full.more_jobs]
    assert {job.device for job in every} == {"gpu"}
    assert jobs.find("full", "cpu").jobs[-1] == jobs.LANDMARK
    limits = [(p.static_steps, p.static_xla_steps) for p in (quick, full)]
    assert limits == [(60, 0), (200, 15)]
    turns = [(p.rounds, p.turn_seconds) for p in (quick, full)]
    assert turns == [(5, 0.01), (7, 0.1)]
    for name in (*quick.names, *full.more_names):
        assert name in strategies.STRATEGIES
    for wrong in ({"steps": 0}, {"batch": 0}, {"width": 0}, {"layers": 0}):
        with pytest.raises(UserError, match="must be at least 1"):
            JOB.replace(**wrong)
    with pytest.raises(UserError, match="dtype must be one of float32, "):
        JOB.replace(dtype="half")


TOO_LONG = "unrolled {} times: builds for too long"


@pytest.mark.parametrize(
    ("name", "steps", "device", "reason"),
    [
        ("TF1 static_rnn", 200, "cpu", None),
        ("TF1 static_rnn", 201, "cpu", TOO_LONG.format(201)),
        ("tf2 static", 201, "gpu", TOO_LONG.format(201)),
        ("tf2 static, XLA", 15, "cpu", None),
        ("tf2 static, XLA", 16, "cpu", TOO_LONG.format(16)),
        ("tf2 dynamic, XLA", 1000, "cpu", None),
        ("tf2 partial(4), XLA", 1000, "gpu", None),
        ("TF1 dynamic_rnn", 1000, "cpu", None),
        ("Keras LSTM, cuDNN", 10, "cpu", "needs a GPU"),
        ("Keras LSTM, cuDNN", 10, "gpu", None),
        ("products, NumPy", 10, "gpu", "runs on the CPU"),
        ("products, PyTorch", 10, "gpu", "runs on the CPU"),
        ("products, NumPy", 10, "cpu", None),
        ("products, TensorFlow", 10, "gpu", None),
        ("PyTorch nn.LSTM", 10, "gpu", None),
    ],
)
def test_what_is_not_run_and_why(name, steps, device, reason):
    job = JOB.replace(steps=steps, device=device)
    preset = jobs.Preset((job,), rounds=1, turn_seconds=1)
    found = strategies.STRATEGIES[name].reason_not_to_run(job, preset)
    assert found == reason


def test_xla_is_not_let_further_than_a_plain_loop():
    preset = jobs.Preset((), 1, 1, static_steps=5, static_xla_steps=9)
    static = strategies.STRATEGIES["tf2 static, XLA"]
    assert static.reason_not_to_run(JOB.replace(steps=5), preset) is None
    assert static.reason_not_to_run(JOB.replace(steps=6), preset)


def test_the_registry_of_strategies():
    rows = {
        s.name: (s.family, s.library, s.loop, s.xla, s.choose_threads)
        for s in strategies.STRATEGIES.values()
    }
    tf = "tensorflow"
    assert list(rows.items()) == [
        ("TF1 static_rnn", ("tf1", tf, "static", False, False)),
        ("TF1 dynamic_rnn", ("tf1", tf, "dynamic", False, False)),
        ("tf2 static", ("tf2", tf, "static", False, False)),
        ("tf2 dynamic", ("tf2", tf, "dynamic", False, False)),
        ("tf2 partial(4)", ("tf2", tf, "partial", False, False)),
        ("tf2 static, XLA", ("tf2", tf, "static", True, False)),
        ("tf2 dynamic, XLA", ("tf2", tf, "dynamic", True, False)),
        ("tf2 partial(4), XLA", ("tf2", tf, "partial", True, False)),
        ("tf2 fast", ("tf2", tf, "dynamic", True, True)),
        ("tf2 fast, one step", ("tf2", tf, "dynamic", True, True)),
        ("Keras LSTM", ("keras", tf, "dynamic", False, False)),
        ("Keras LSTM, XLA", ("keras", tf, "dynamic", True, False)),
        ("Keras LSTM, cuDNN", ("keras", tf, "dynamic", False, False)),
        ("PyTorch nn.LSTM", ("peer", "torch", "dynamic", False, False)),
        ("JAX scan", ("peer", "jax", "dynamic", False, False)),
        ("JAX scan, fast", ("peer", "jax", "dynamic", False, False)),
        ("products, NumPy", ("limit", "numpy", "dynamic", False, False)),
        ("products, TensorFlow", ("limit", tf, "dynamic", False, False)),
        ("products, PyTorch", ("limit", "torch", "dynamic", False, False)),
    ]
    makers = {
        name: (s.module, s.maker) for name, s in strategies.STRATEGIES.items()
    }
    assert {makers[name][0] for name in rows if name[:3] == "TF1"} == {
        "tf1_session"
    }
    assert makers["tf2 static, XLA"] == ("tf2_function", "build")
    assert makers["tf2 fast"] == ("tf2_function", "build_fast")
    assert makers["Keras LSTM"] == ("tf2_function", "build_layer")
    assert makers["JAX scan"] == ("jax_scan", "build")
    assert makers["JAX scan, fast"] == ("jax_scan", "build_many")
    assert makers["PyTorch nn.LSTM"] == ("torch_lstm", "build")
    on_gpu = [s.name for s in strategies.STRATEGIES.values() if s.gpu_only]
    assert on_gpu == ["Keras LSTM, cuDNN"]
    options = {s.name: s.options for s in strategies.STRATEGIES.values()}
    assert options["tf2 partial(4), XLA"] == {"loop": 4, "xla": True}
    assert options["tf2 static"] == {"loop": "static", "xla": False}
    assert options["TF1 static_rnn"] == {"loop": "static"}
    assert options["tf2 fast"]["many"] is True
    assert options["tf2 fast, one step"]["many"] is False
    assert options["Keras LSTM, XLA"] == {"xla": True, "use_cudnn": "auto"}
    assert options["Keras LSTM, cuDNN"] == {"xla": False, "use_cudnn": True}
    assert options["products, PyTorch"] == {"library": "torch"}
    names = ["JAX scan", "TF1 static_rnn", "tf2 fast"]
    chosen = [strategy.name for strategy in strategies.choose(names)]
    assert chosen == ["TF1 static_rnn", "tf2 fast", "JAX scan"]
    with pytest.raises(UserError, match="did you mean tf2 fast"):
        strategies.choose(["JAX scan", "tf2 fsat"])


# --- What must come out of a step ---


def test_the_reference_has_the_right_gradients():
    """Its update against a difference quotient of its own loss."""
    job = JOB.replace(layers=2, dtype="float64")
    data = reference.data_for(job)
    rng = np.random.default_rng(1)
    direction = [
        [rng.normal(size=v.shape) for v in layer] for layer in data.weights
    ]

    def loss(distance):
        moved = [
            [v + distance * d for v, d in zip(*both, strict=True)]
            for both in zip(data.weights, direction, strict=True)
        ]
        return reference.step(job, data.x, data.target, data.state, moved)[1]

    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    update = sum(
        ((old - new) * d).sum() / data.learning_rate
        for layers in zip(
            data.weights, data.new_weights, direction, strict=True
        )
        for old, new, d in zip(*layers, strict=True)
    )
    assert slope == pytest.approx(update, rel=1e-6)


def test_how_far_a_strategy_is_off():
    """The change of a weight counts by the size it should have."""
    old, new = np.zeros((2, 2)), np.full((2, 2), 0.5)
    bias = np.array([1.0, 2.0])
    data = reference.Data(
        *(None, None, None, [(old, bias)], 0.1),
        outputs=np.array([[1.0, -2.0]]),
        loss=4.0,
        new_weights=[(new, bias + 0.25)],
    )
    exact = data.errors(data.outputs, 4.0, data.new_weights)
    assert exact == {"outputs": 0, "loss": 0, "update": 0}
    off = np.array(new)
    off[1, 0] -= 0.125
    found = data.errors(
        np.array([[1.25, -2.5]]), 3.0, [(off, bias + np.array([0.25, 0.125]))]
    )
    # 0.125 of 0.5, and 0.125 of 0.25.
    assert found == {"outputs": 0.5, "loss": 0.25, "update": 0.5}
    found = data.errors(data.outputs, 4.0, [(off, bias + 0.25)])
    assert found["update"] == 0.25


@pytest.mark.parametrize(
    ("dtype", "values", "update"),
    [("float32", 2e-5, 2e-3), ("float64", 1e-12, 1e-9)],
)
def test_what_is_told_to_be_wrong(dtype, values, update):
    right = {"outputs": values, "loss": values, "update": update}
    assert reference.wrong(right, dtype) is None
    for name, limit in right.items():
        more = right | {name: 1.1 * limit}
        said = f"{name} off by {1.1 * limit:.1e}"
        assert reference.wrong(more, dtype) == said
    for name in right:
        said = f"{name} off by nan"
        assert reference.wrong(right | {name: math.nan}, dtype) == said


def test_the_first_step_changes_a_weight_by_a_thousandth():
    job = jobs.Job(steps=3, batch=2, width=4, layers=2)
    data = reference.data_for(job)
    changes = [
        np.abs(new - old).max()
        for news, olds in zip(data.new_weights, data.weights, strict=True)
        for new, old in zip(news, olds, strict=True)
    ]
    assert max(changes) == pytest.approx(1e-3, rel=1e-6)
    assert data.x.shape == data.target.shape == (2, 3, 4)
    assert data.state.shape == (2, 2, 2, 4)
    assert [[v.shape for v in layer] for layer in data.weights] == [
        [(8, 16), (16,)]
    ] * 2
    assert data.x.dtype == data.weights[0][0].dtype == np.float32
    kernel = data.weights[0][0]
    assert 0.98 * 0.5 < np.abs(kernel).max() <= 0.5  # the root of 6 / 24
    loss = np.mean((data.outputs - data.target) ** 2)
    assert data.loss == pytest.approx(loss)


def test_a_strategy_is_built_by_its_maker(monkeypatch):
    made = dataclasses.replace(
        strategies.STRATEGIES["products, NumPy"], maker="somehow"
    )
    monkeypatch.setattr(
        products, "somehow", lambda *of, **how: (of, how), raising=False
    )
    assert made.build(JOB, "data") == ((JOB, "data"), {"library": "numpy"})


# --- Turns ---


class Clock:
    """A contestant without a process: `ask` takes what `costs` says."""

    def __init__(self, name, costs, log, kinds=("forward", "train")):
        self.strategy = strategies.STRATEGIES[name]
        self.costs, self.log = costs, log
        self.seconds, self.calls = {}, {}
        self.job, self.kinds = JOB, kinds

    def ask(self, kind, calls):
        self.log.append((self.strategy.name, kind, calls))
        cost = self.costs[kind]
        return cost.pop(0) if isinstance(cost, list) else cost

    warm_up = contest.Contestant.warm_up
    turn = contest.Contestant.turn


def test_a_turn_lasts_as_long_as_it_was_asked_to():
    log = []
    costs = {"forward": [0.03, 0.01, 0.5, 0.02], "train": [2.0, 3.0, 2.5]}
    one = Clock("tf2 fast", costs, log)
    # 0.25 s are 25 calls of 10 ms (the shorter of two); one of 2 s.
    assert one.warm_up(0.25) == pytest.approx(25 * 0.01 + 2.0)
    assert one.calls == {"forward": 25, "train": 1}
    assert one.seconds == {"forward": [], "train": []}
    one.turn("forward")
    one.turn("train")
    name = "tf2 fast"
    assert log == [
        *[(name, "forward", 1)] * 2,
        *[(name, "train", 1)] * 2,
        (name, "forward", 6),  # not counted
        (name, "forward", 25),
        (name, "train", 1),
    ]
    assert one.seconds == {"forward": [0.02], "train": [2.5]}
    fast = Clock(name, {"forward": 1e-6, "train": 1e-6}, [])
    fast.warm_up(1.0)
    assert fast.calls == {"forward": 500, "train": 500}


@pytest.mark.parametrize(
    ("cost", "count"), [(0.001, 5), (0.5, 5), (1.25, 4), (9.0, 3)]
)
def test_contestants_take_turns_from_either_end(cost, count):
    """Two of them, two kinds: a round costs four steps of 10 s in all."""
    log = []
    costs = {"forward": cost / 2, "train": cost / 2, "square": 1e-9}
    kinds = ("forward", "train", "square")
    running = [
        Clock("tf2 fast", costs, log),
        Clock("products, NumPy", costs, log, kinds),
    ]
    preset = jobs.Preset((), rounds=5, turn_seconds=1e-9)
    contest._rounds(running, preset)
    names = ["tf2 fast", "products, NumPy"]
    turns = [entry[:2] for entry in log[10:]]
    wanted = []
    for number in range(count):
        order = names if number % 2 == 0 else names[::-1]
        wanted += [(n, kind) for kind in kinds[:2] for n in order]
        wanted += [(names[1], "square")]
    assert turns == wanted
    assert [len(c.seconds["train"]) for c in running] == [count] * 2


def test_what_is_held_of_a_job(monkeypatch):
    """Reasons not to run, contestants that fail, and those that run."""
    said = []

    class Fake(Clock):
        missing = None

        def __init__(self, strategy, job, data):
            costs = {"forward": 1.0, "train": 2.0}
            super().__init__(strategy.name, costs, [])
            if strategy.name == "JAX scan":
                self.missing = "no jax"

        def result(self):
            missing = {"missing": self.missing} if self.missing else {}
            return {"seconds": self.seconds, **missing}

        def __enter__(self):
            return self

        def __exit__(self, *_):
            said.append("ended")

    monkeypatch.setattr(contest, "Contestant", Fake)
    names = ["tf2 fast", "Keras LSTM, cuDNN", "JAX scan", "tf2 static"]
    preset = jobs.Preset((JOB,), rounds=9, turn_seconds=1)
    chosen = strategies.choose(names)
    held = contest.hold(JOB, chosen, preset, said.append)
    # Two that run take 6 s a round: 10 s are two rounds, but three at least.
    seconds = {"forward": [1.0] * 3, "train": [2.0] * 3}
    assert held == {
        "tf2 static": {"seconds": seconds},
        "tf2 fast": {"seconds": seconds},
        "Keras LSTM, cuDNN": {"missing": "needs a GPU"},
        "JAX scan": {"missing": "no jax", "seconds": {}},
    }
    order = ["tf2 static", "tf2 fast", "Keras LSTM, cuDNN", "JAX scan"]
    assert said == [f"{JOB}: {name}" for name in order] + ["ended"] * 3


# --- The command ---


@pytest.fixture
def unmeasured(monkeypatch):
    """`rnn-parity bench` with figures made up; what it was asked."""
    asked_for = []

    def hold(job, chosen, preset, advance):
        names = [strategy.name for strategy in chosen]
        asked_for.append((job, names, preset.rounds, preset.turn_seconds))
        for name in names:
            advance(name)
        return {
            name: measured(
                *(job, job.steps * job.width * place),
                **{"build": 1, "square": 1 if "products" in name else None},
            )
            for place, name in enumerate(names, 1)
        }

    monkeypatch.setattr(contest, "probe", lambda device: {})
    monkeypatch.setattr(contest, "hold", hold)
    return asked_for


def test_sizes_make_every_job(unmeasured, call_cli, tmp_path):
    done = call_cli(
        *("bench", "--steps", "3,5", "--width", "4", "--layers", "2,1"),
        *("--batch", "7", "--dtype", "float64", "--out", tmp_path),
        *("--strategy", "tf2 fast", "--strategy", "tf2 dynamic"),
    )
    assert done.returncode == 0, done.stderr
    names = ["tf2 dynamic", "tf2 fast"]
    wanted = [
        jobs.Job(t, 7, 4, layers, "float64")
        for t in (3, 5)
        for layers in (2, 1)
    ]
    assert unmeasured == [(job, names, 5, 0.05) for job in wanted]
    assert done.stderr == "timing 1/8 tf2 dynamic\n"
    found = results.read(tmp_path / "unrolling.json")
    assert found.preset == "own sizes"
    assert found.jobs == wanted
    assert found.get(wanted[-1], "tf2 fast").median == 40
    text = (tmp_path / "unrolling.md").read_text()
    assert text == tables.markdown(found)
    *shown, one, other = done.stdout.splitlines()
    assert [one, other] == [
        f"wrote {tmp_path / name}"
        for name in ("unrolling.json", "unrolling.md")
    ]
    first = [row.split() for row in shown if "tf2 fast" in row]
    assert first[0][:4] == ["tf2", "fast", "1.00", "s"]
    assert [" ".join(row[9:11]) for row in first] == [
        *("24.0 s", "24.0 s", "40.0 s", "40.0 s"),
    ]


def test_sizes_have_defaults(unmeasured, call_cli):
    name = ("--strategy", "tf2 fast")
    done = call_cli("bench", "--steps", "4", *name, "--device", "gpu")
    assert done.returncode == 0, done.stderr
    job = jobs.Job(4, 16, 64, 1, "float32", "gpu")
    assert unmeasured == [(job, ["tf2 fast"], 5, 0.05)]


@pytest.mark.parametrize("name", ["quick", "full"])
def test_a_preset_has_its_jobs_and_strategies(unmeasured, call_cli, name):
    given = ("--preset", name) if name == "full" else ()
    done = call_cli("bench", *given)
    assert done.returncode == 0, done.stderr
    preset = jobs.PRESETS[name]
    most = preset.names or tuple(strategies.STRATEGIES)
    order = list(strategies.STRATEGIES)
    expected = [
        (job, sorted(names, key=order.index))
        for some, names in (
            (preset.jobs, most),
            (preset.more_jobs, preset.more_names),
        )
        for job in some
    ]
    assert [each[:2] for each in unmeasured] == expected
    total = sum(len(names) for _, names in expected)
    assert done.stderr.splitlines()[0].startswith(f"timing 1/{total} ")
    assert f"Preset `{name}` on " in done.stdout


# --- Plots ---


def test_lines_are_what_was_measured(found):
    for value, scale in (
        (lambda m: m.median, 1e-3),
        (lambda m: m.memory / MIB, 1),
    ):
        figure = plots._lines(found, SERIES, "a label", value)
        (axes,) = figure.axes
        place = 0 if scale == 1e-3 else 3
        wanted = {
            name: [
                (job.steps, row[place] * scale)
                for job, row in zip(SERIES, rows, strict=True)
                if isinstance(row, tuple)
            ]
            for name, rows in OF_SERIES.items()
            if "products" not in name
        }
        drawn = {
            line.get_label(): list(zip(*line.get_data(), strict=True))
            for line in axes.lines
        }
        assert list(drawn) == list(wanted)
        for name, points in wanted.items():
            assert drawn[name] == [
                (steps, pytest.approx(each)) for steps, each in points
            ]
        styles = [line.get_linestyle() for line in axes.lines]
        assert styles == [":", "-", "-", "-", "--", "-."]
        assert axes.get_xlabel() == "T"
        assert axes.get_ylabel() == "a label"
        assert axes.get_title() == "B=2 H=4 L=1 float32 cpu"
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert list(axes.get_xticks()) == [10, 20, 40]
        colours = [str(line.get_color()) for line in axes.lines]
        assert len(set(colours)) == len(colours)
        marks = [line.get_marker() for line in axes.lines]
        assert len(set(marks)) == len(marks)


def test_a_heat_map_has_the_winner_in_its_cell(found):
    figure = plots._heat_map(found, GRID)
    (axes,) = figure.axes
    said = {
        text.get_position(): text.get_text().split("\n")
        for text in axes.texts
    }
    # Batches go up, widths to the right.
    wanted = {
        (column, row): [
            "tf2 fast",
            f"{OF_GRID['tf2 fast'][3 * row + column]}.00 ms",
        ]
        for row in range(3)
        for column in range(3)
    }
    wanted[2, 0] = ["JAX scan, fast", "3.20 ms"]
    assert said == wanted
    boxes = {
        (*patch.get_xy(), patch.get_width(), patch.get_height()): (
            patch.get_facecolor()
        )
        for patch in axes.patches
    }
    assert set(boxes) == {(x - 0.5, y - 0.5, 1, 1) for x, y in wanted}
    assert len(set(boxes.values())) == 2
    odd = boxes.pop((1.5, -0.5, 1, 1))
    assert odd not in boxes.values()
    labels = [
        [text.get_text() for text in axis.get_ticklabels()]
        for axis in (axes.xaxis, axes.yaxis)
    ]
    assert labels == [["16", "64", "256"], ["1", "16", "64"]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width H", "batch B")
    assert axes.get_xlim() == axes.get_ylim() == (-0.5, 2.5)
    assert axes.get_title() == "Fastest training step, T=32 float32 cpu"


def test_each_plot_draws_its_own_figure(found, monkeypatch, tmp_path):
    """Time, build and memory of the first series, and the first grid."""
    drawn = {}

    def keep(figure, path):
        drawn[path.name] = figure
        return [path]

    monkeypatch.setattr(plots, "_save", keep)
    paths = plots.write(found, tmp_path, "pre")
    names = ["time", "build", "memory", "winner"]
    assert [path.name for path in paths] == [f"pre_{name}" for name in names]
    values = {}
    for name in names[:3]:
        (axes,) = drawn[f"pre_{name}"].axes
        values[axes.get_ylabel()] = list(axes.lines[1].get_ydata())
    assert values == {
        "training step [s]": pytest.approx([0.003, 0.006, 0.012]),
        "build or trace [s]": [0.25, 0.1767767, 0.125],
        "memory beyond the imports [MiB]": [30, 40, 60],
    }


# --- TensorFlow's own tables ---


def test_ratios_are_those_of_the_columns_title():
    """The mean counts there: 3 of 1, 2 and 6."""
    grids = rnn_test.grids("cpu")
    held, memory = {}, {"memory": 5}
    for number, grid in enumerate(grids):
        first, *rest = grid.rows[0]
        held[first] = {"seconds": [1.0, 2.0, 6.0], **memory}
        for case in rest:
            held[case] = {"seconds": [2.0 * (number + 1)] * 3, **memory}
    made = results.assemble("tf-rnn-test", {}, *rnn_test.records(held))
    shown = rnn_test.tables(results.Results(made), "cpu")
    three = "3.000000"
    assert [table.rows[0] for table in shown] == [
        ["1", three, "2.000000", "0.666667"],
        ["256", "50", "512", three, "4.000000", "1.333333"],
        ["256", "100", "512", three, "6.000000", "2.000000"],
        ["128", "50", "256", three, "8.000000", "0.375000"],
        ["16", "50", "16", three, "10.000000", "0.300000"],
        ["16", "100", "128", three, "0.030000"],
    ]
    assert [table.columns[-1] for table in shown] == [
        "dt(dynamic)/dt(static)",
        "dt(dynamic)/dt(static)",
        "dt(swap)/dt(no_swap)",
        "dt(half_seq_len)/dt(unroll_half)",
        "dt(concat_state)/dt(tuple_state)",
        "elapsed_t/len",
    ]
    assert [table.title for table in shown] == [grid.title for grid in grids]
    assert shown[1].rows[2] == ["256", "50", "128", *["not run"] * 2, ""]
    assert shown[5].rows[9] == ["16", "1000", "128", "not run", ""]
    assert shown[0].rows[2] == ["50", "not run", "not run", ""]


def test_tensorflows_grids():
    sizes = [
        [(c.job.batch, c.job.steps, c.job.width) for c, *_ in grid.rows]
        for grid in rnn_test.grids("gpu")
    ]
    assert sizes == [
        [(512, 1, 512), (512, 25, 512), (512, 50, 512)],
        [(256, 50, 512), (256, 50, 256), (256, 50, 128)],
        [(b, 100, n) for b in (256, 512) for n in (512, 256, 128)],
        [(128, 50, 256)],
        [(b, 50, n) for b in (16, 128) for n in (16, 128)],
        [(16, t, 128) for t in range(100, 1100, 100)],
    ]
    cases = [
        [(c.name, c.loop, c.lengths, c.unrolled) for c in grid.rows[0]]
        for grid in rnn_test.grids("gpu")
    ]
    assert cases == [
        [(n, n, "random", None) for n in ("static", "dynamic")],
        [(n, n, "random", None) for n in ("static", "dynamic")],
        [(n, "dynamic", "random", None) for n in ("no_swap", "swap")],
        [
            ("half_seq_len", "static", "half", None),
            ("unroll_half", "static", "half", 25),
        ],
        [
            (n, "static", "full", None)
            for n in ("concat_state", "tuple_state")
        ],
        [("long", "dynamic", "full", None)],
    ]
    every = [c for g in rnn_test.grids("gpu") for row in g.rows for c in row]
    assert {case.job.device for case in every} == {"gpu"}
    assert {c.name for c in every if c.swap} == {"swap", "long"}
    assert {c.name for c in every if c.tuple_state} == {"tuple_state"}
    assert sum(c.creation for c in every) == 6


# --- benchmarks/training_step.py: 666 batches an epoch ---


def of_step(us, first):
    return {"us": us, "spread": 0.1, "first": first, "error": 1e-6}


def test_epochs_after_which_compiling_pays():
    """A session's start takes 1 s, ours 4; an epoch saves 0.5 s of them.

    Both first times hold a whole epoch: 0.6 s and 0.1 s of it.
    """
    second = 1e6 / 666
    both = {
        "TF1 session": of_step(0.6 * second, 1.6),
        "tf2": of_step(0.1 * second, 4.1),
    }
    assert training_step.pays_after(both) == pytest.approx(6)
    both["tf2"]["first"] = 0.5  # no longer start: at once
    assert training_step.pays_after(both) == 0.0


def test_the_table_of_training_steps():
    second = 1e6 / 666
    every = {
        "s1": {
            "TF1 session": of_step(0.6 * second, 1.6),
            "TF1 session, predictions": of_step(0.9 * second, 9.0),
            "tf2": of_step(0.1 * second, 4.1),
            "JAX": {"missing": "no jax"},
            "C": of_step(0.05 * second, 0.1),
        },
        "s7": {
            "TF1 session": of_step(1000.0, 5.0),
            "tf2": of_step(500.04, 5.0),
        },
    }
    shown = training_step.table(every)
    columns = [[c.header, *c.cells] for c in shown.columns]
    # 5 - 666 x 500.04 us; and the starts differ by 666 x 499.96 us.
    assert columns == [
        ["us a step", "s1", "s7"],
        ["TF1 session", "901 (6.0)", "1000 (2.0)"],
        ["TF1 session, predictions", "1351 (9.0)", ""],
        ["tf2", "150.2", "500.0"],
        ["JAX", "no jax", ""],
        ["PyTorch", "", ""],
        ["C", "75 (0.5)", ""],
        ["tf2 starts in", "4.0 s", "4.7 s"],
        ["pays after", "6.0 epochs", "1.0 epochs"],
    ]


def contestant(seconds, **report):
    made = object.__new__(training_step.Contestant)
    made.seconds, made.report = seconds, report
    return made


def test_the_first_turn_is_not_counted():
    scale = 666 * 1e-6  # seconds for a microsecond a step
    turns = [99 * scale, 5 * scale, 1 * scale, 2 * scale]
    found = contestant(turns, first=3.0, error=None).result()
    assert found == {
        "us": pytest.approx(2.0),
        "spread": pytest.approx(2.0),
        "first": 3.0,
        "error": None,
    }


@pytest.mark.parametrize(
    ("report", "missing"),
    [
        ({"error": 1e-4}, None),
        ({"error": 1.1e-4}, "differs by 1.1e-04"),
        ({"error": math.nan}, "differs by nan"),
        ({"error": None}, None),
        ({"missing": "no jax"}, "no jax"),
    ],
)
def test_who_is_off_by_more_than_rounding_is_out(report, missing):
    assert contestant([], **report).missing() == missing


def test_a_section_holds_those_who_can(monkeypatch):
    log = []

    class Fake:
        def __init__(self, name, key):
            self.name, self.turns = name, 0
            self.reason = "no jax" if name == "JAX" else None

        def missing(self):
            return self.reason

        def turn(self):
            self.turns += 1
            log.append(self.name)

        def result(self):
            return {"turns": self.turns}

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(training_step, "Contestant", Fake)
    said = []
    found = training_step.hold("s7", 2, said.append)
    ran = ["TF1 session", "TF1 session, predictions", "tf2"]
    assert found == {
        "JAX": {"missing": "no jax"},
        **{name: {"turns": 3} for name in ran},
    }
    assert log == ran * 3
    assert said == [f"s7: {name}" for name in [*ran, "JAX"]]
    for key, names in (("s1", ["PyTorch", "C"]), ("s2", ["PyTorch"])):
        every = training_step.hold(key, 1, said.append)
        assert [*every] == ["JAX", *ran, *names]


def test_the_first_losses_are_held_against_numpys(monkeypatch):
    import rnn_parity
    from rnn_parity.config import Config
    from rnn_parity.training import stream

    config = Config(total_series_length=1875)
    section = rnn_parity.SECTIONS["s1"]
    params = stream.initial_params(section, config, 0)
    series = stream.epoch(section, config, 0, 0)
    of = (section, config, params, series)
    windows = [
        np.stack([v[:, 15 * n : 15 * n + 15] for n in range(20)])
        for v in (series.x, series.y)
    ]
    right = rnn_parity.load("s1", "numpy_ref").train(
        config, params, *windows, np.zeros((5, 4))
    )
    losses = np.concatenate([right.losses, np.full(5, 9.0)])
    assert training_step._error(*of, losses) == 0
    losses[3] += 0.25
    losses[7] -= 0.5
    assert training_step._error(*of, losses) == pytest.approx(0.5)
    dropout = (rnn_parity.SECTIONS["s6"], *of[1:])
    assert training_step._error(*dropout, losses) is None


# --- benchmarks/modes.py ---


def test_the_ways_are_summed_up(monkeypatch, capsys, tmp_path):
    """The first turn aside, the median and how far apart they are."""

    class Process:
        turns = iter(range(10**6))

        def __init__(self, command, **_):
            self.way = command[command.index("--way") + 1]
            self.key = command[command.index("--sections") + 1]
            self.stdin = self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def close(self):
            pass

    times = {}

    def turn(process):
        place = modes.WAYS.index(process.way) + 1
        count = times.setdefault((process.key, process.way), [])
        count.append(None)
        seconds = [99, 4, 1, 2][len(count) - 1]
        scale = 1e-6 if process.key == "s1" else 1e-3
        return seconds * place * scale

    monkeypatch.setattr(modes.subprocess, "Popen", Process)
    monkeypatch.setattr(modes, "_turn", turn)
    path = tmp_path / "modes.json"
    with contextlib.suppress(SystemExit):
        modes.main(["--sections", "s1,s4", "--rounds", "3", "--json", path])
    ways = ["TF1 session", "eager", "step", "epoch", "xla", "xla, one thread"]
    found = json.loads(path.read_text())
    assert list(found) == ["s1", "s4"]
    for key, scale in (("s1", 1), ("s4", 1000)):
        assert found[key] == {
            way: {
                "us": pytest.approx(2 * place * scale),
                "spread": pytest.approx(1.5),
            }
            for place, way in enumerate(ways, 1)
        }
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{key} {way:16} {2 * place * scale:10.1f} µs a step"
        for key, scale in (("s1", 1), ("s4", 1000))
        for place, way in enumerate(ways, 1)
    ]


# --- The machine ---


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "processor : 0\nmodel name\t: A: B 2.0 \nmodel name : C\n",
            "A: B 2.0",
        ),
        ("processor : 0\nvendor model name : no\n", "as Python says"),
        (None, "as Python says"),
    ],
)
def test_the_machine_without_its_name(text, name, monkeypatch):
    """As Linux tells it, or else Python."""

    def opened(path):
        assert path == "/proc/cpuinfo"
        if text is None:
            raise OSError
        return io.StringIO(text)

    monkeypatch.setattr(results, "open", opened, raising=False)
    monkeypatch.setattr(
        results.platform, "processor", lambda: "as Python says"
    )
    monkeypatch.setattr(results.devices, "cores", lambda: 3)
    found = results.machine_info({"device_name": "a GPU"})
    libraries = found.pop("libraries")
    assert set(libraries) <= {
        "tensorflow",
        "keras",
        "tf-keras",
        "torch",
        "jax",
    }
    assert libraries["keras"] == importlib.metadata.version("keras")
    version = platform.python_version()
    assert found == {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": name,
        "cores": 3,
        "cpu": {"brand_raw": name},
        "gpu": "a GPU",
        "python_implementation": platform.python_implementation(),
        "python_implementation_version": version,
        "python_version": version,
    }
    assert results.machine_info({})["gpu"] == ""
    monkeypatch.setattr(importlib.metadata, "version", str.upper)
    assert results.machine_info({})["libraries"] == {
        name: name.upper()
        for name in ("tensorflow", "keras", "tf-keras", "torch", "jax")
    }


def test_a_run_of_another_version_is_refused(tmp_path, found):
    path = tmp_path / "run.json"
    made = json.loads(json.dumps(found.document))
    made["rnn_parity"]["version"] = 2
    path.write_text(json.dumps(made))
    with pytest.raises(UserError, match="is of another version, 2"):
        results.read(path)


# --- A strategy's own process ---


class Timed:
    """A contestant on a clock of its own; every call takes `costs`."""

    def __init__(self, clock, costs, one_graph=False):
        self.clock, self.costs, self.one_graph = clock, costs, one_graph
        self.log = []

    def spend(self, what, kind):
        self.log.append((what, kind))
        self.clock[0] += self.costs[what, kind]

    def prepare(self, kind):
        self.spend("prepare", kind)

    def run(self, kind):
        self.spend("run", kind)

    def outputs(self):
        return list(self.log)

    def loss(self):
        return "loss"

    def weights(self):
        return "weights"

    def nodes(self):
        return 77


class TimedMany(Timed):
    def run_many(self, calls):
        self.log.append(("many", calls))
        self.clock[0] += 6.0


@pytest.fixture
def clock(monkeypatch):
    time = [100.0]
    monkeypatch.setattr(worker.time, "perf_counter", lambda: time[0])
    return time


COSTS = {
    ("prepare", "forward"): 1.0,
    ("run", "forward"): 2.0,
    ("prepare", "train"): 4.0,
    ("run", "train"): 8.0,
}


@pytest.mark.parametrize("one_graph", [False, True])
@pytest.mark.parametrize("off", [1e-6, 1e-3])
def test_building_and_first_calls_are_timed_apart(clock, one_graph, off):
    """Where forward pass and training are one graph, so is their build."""
    made = object.__new__(worker._Worker)
    made.report = {"nodes": None}
    made.contestant = Timed(clock, COSTS, one_graph)
    errors = {"outputs": off, "loss": 0.0, "update": 0.0}
    given = []

    def errors_of(*results):
        given.append(results)
        return errors

    data = reference.Data(*[None] * 8)
    data.errors = errors_of
    made._prove(None, JOB, data)
    wanted = {
        "nodes": 77,
        "build_forward": 1.0,
        "first_forward": 2.0,
        "build_train": 5.0 if one_graph else 4.0,
        "first_train": 8.0,
        "errors": errors,
    }
    if off == 1e-3:
        wanted["missing"] = "wrong: outputs off by 1.0e-03"
    assert made.report == wanted
    # Outputs are those of the weights before the update.
    forward = [("prepare", "forward"), ("run", "forward")]
    assert given == [(forward, "loss", "weights")]


def test_a_calls_seconds_are_the_mean_of_all(clock):
    made = object.__new__(worker._Worker)
    made.contestant = Timed(clock, COSTS)
    assert made.seconds("forward", 3) == 2.0
    assert made.contestant.log == [("run", "forward")] * 3
    assert made.seconds("train", 2) == 8.0
    made.contestant = TimedMany(clock, COSTS)
    assert made.seconds("train", 4) == 1.5
    assert made.seconds("forward", 4) == 2.0
    log = [("many", 4), *[("run", "forward")] * 4]
    assert made.contestant.log == log


def test_a_limits_square_is_counted():
    made = object.__new__(worker._Worker)
    made.report = {}
    made.contestant = Timed([0.0], {("run", "square"): 1.0})
    made._measure_square(JOB)
    side = products.SIDE
    assert made.report == {"square_flops": 2 * side * side * side}
    assert made.contestant.log == [("run", "square")]


def test_memory_is_in_bytes(monkeypatch):
    status = "Name: x\nVmHWM:\t  2000 kB\nVmRSS:\t   1500 kB\n"
    opened = lambda path: io.StringIO(status)  # noqa: E731
    monkeypatch.setattr(worker, "open", opened, raising=False)
    assert worker.memory("VmRSS") == 1500 * 1024
    assert worker.memory("VmHWM") == 2000 * 1024
    made = object.__new__(worker._Worker)
    made.started_at = 7
    assert made.memory() == {"started_at": 7, "peak": 2000 * 1024}


def test_contestants_are_asked_for_what_they_can():
    made = object.__new__(contest.Contestant)
    made.report = {}
    for name, kinds in (
        ("tf2 fast", ("forward", "train")),
        ("products, NumPy", ("forward", "train", "square")),
    ):
        made.strategy = strategies.STRATEGIES[name]
        assert made.kinds == kinds
    assert made.missing is None
    made.seconds, made.calls, sent = {"train": [3.0]}, {"train": 2}, []
    made.connection = types.SimpleNamespace(
        send=sent.append, recv=lambda: {"peak": 5, "nodes": 7}
    )
    made._signal = lambda name: None
    made.report = {"peak": 1, "first_train": 9}
    assert made.result() == {
        "seconds": {"train": [3.0]},
        "calls": {"train": 2},
        **{"peak": 5, "nodes": 7, "first_train": 9},
    }
    assert sent == ["report"]
    made.report = {"missing": "why"}
    made.seconds, made.calls = {}, {}
    result = {"seconds": {}, "calls": {}, "missing": "why"}
    assert made.result() == result
