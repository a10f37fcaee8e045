"""rnn-parity bench: proven first, then timed. How fast is not judged."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import run_python, spread

from rnn_parity.bench import (
    contest,
    jobs,
    plots,
    reference,
    results,
    strategies,
    tables,
    verdict,
)
from rnn_parity.bench.contestants import tf2_function

JOB = jobs.Job(steps=3, batch=2, width=4)
STRATEGIES = [
    s for s in strategies.STRATEGIES.values() if s.family != "limit"
]
ON_CPU = [s.name for s in STRATEGIES if not s.gpu_only]
STACK = JOB.replace(layers=2, dtype="float64")
TINY = ("bench", "--steps", "3", "--batch", "2", "--width", "4")


# --- What must come out ---


@pytest.mark.parametrize(
    "wrong", ["outputs", "loss", "kernel", "bias", "not a number"]
)
def test_a_wrong_result_is_told(wrong):
    data = reference.data_for(JOB)
    outputs, loss = np.array(data.outputs), data.loss
    weights = [[np.array(v) for v in layer] for layer in data.new_weights]
    found = data.errors(outputs, loss, weights)
    assert reference.wrong(found, "float64") is None
    if wrong == "outputs":
        outputs[1, 2, 3] += 1e-3
    elif wrong == "loss":
        loss *= 1.001
    elif wrong == "not a number":
        outputs[0, 0, 0] = np.nan
    else:  # no update at all of one of them
        which = ("kernel", "bias").index(wrong)
        weights[0][which] = data.weights[0][which]
    found = data.errors(outputs, loss, weights)
    assert reference.wrong(found, "float32") is not None


@pytest.mark.parametrize(
    ("loop", "xla", "parts"),
    spread(
        [("static", False, 1), ("dynamic", True, 2), (2, False, 3)],
        [("dynamic", True, 2)].__contains__,
    ),
)
def test_more_steps_a_call_are_the_same_steps(loop, xla, parts):
    job = STACK.replace(batch=5)
    data = reference.data_for(job)
    once = tf2_function.Unrolled(job, data, loop, xla)
    if parts == 1:
        many = tf2_function.ManySteps(job, data, loop, True)
    else:
        many = tf2_function.ManyStepsInParts(job, data, loop, parts)
    for contestant in (once, many):
        contestant.prepare("train")
    for _ in range(3):
        once.run("train")
    many.run_many(3)
    assert many.loss() == pytest.approx(once.loss(), rel=1e-12)
    for one, other in zip(once.weights(), many.weights(), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_a_batch_is_in_parts_where_there_is_work(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    assert JOB.parts() == 1
    assert jobs.Job(steps=32, batch=16, width=64).parts() == 3
    assert jobs.LANDMARK.parts() == 4  # no more than cores
    assert jobs.LANDMARK.replace(batch=3).parts() == 3  # nor than rows
    assert jobs.LANDMARK.replace(device="gpu").parts() == 1
    stack = jobs.Job(steps=32, batch=16, width=16, layers=8)
    assert stack.replace(layers=1).parts() == 1 < stack.parts()


# --- A run, as a process ---


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Every strategy at a stack of two layers in float64."""
    folder = tmp_path_factory.mktemp("bench")
    done = run_python(
        *("-m", "rnn_parity", *TINY, "--layers", "2", "--dtype", "float64"),
        *("--out", folder),
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def test_every_strategy_is_proven_and_timed(ran):
    folder, done = ran
    assert all(
        line.startswith("timing ") for line in done.stderr.splitlines()
    ), done.stderr
    found = results.read(folder / "unrolling.json")
    assert found.jobs == [STACK]
    for name in ON_CPU:
        reason = found.reasons.get((STACK, name), "")
        if reason:  # peers are optional
            assert reason in ("no torch", "no jax"), name
            continue
        for kind in ("forward", "train"):
            measured = found.get(STACK, name, kind)
            assert measured.median > 0
            assert measured.build > 0
            assert measured.first > 0
            assert measured.memory > 0
    assert "Keras LSTM, cuDNN" in {name for _, name in found.reasons}
    assert found.rate(STACK, "square") > found.rate(STACK, "train") > 0


def test_the_file_is_pytest_benchmarks_and_names_no_machine(ran):
    import platform

    from pytest_benchmark.stats import normalize_stats

    folder, _ = ran
    text = (folder / "unrolling.json").read_text()
    made = json.loads(text)
    for benchmark in made["benchmarks"]:
        normalize_stats(benchmark["stats"])
        assert (
            benchmark["extra_info"]["errors"] is None
            or max(benchmark["extra_info"]["errors"].values()) < 1e-9
        )
    assert made["machine_info"]["libraries"]["tensorflow"]
    for name in (platform.node(), str(folder), "/home/"):
        assert not name or name not in text


def test_graphs_of_static_loops_grow(ran):
    found = results.read(ran[0] / "unrolling.json")
    legacy = [found.get(STACK, f"TF1 {n}_rnn") for n in ("static", "dynamic")]
    assert all(measured.nodes > 100 for measured in legacy)


def test_markdown_has_what_was_measured(ran):
    text = (ran[0] / "unrolling.md").read_text()
    for name in ON_CPU:
        assert f"| {name} |" in text
    assert "not run: needs a GPU" in text


def test_a_strategy_that_computes_something_else_is_not_timed():
    """PyTorch with another learning rate."""
    pytest.importorskip("torch")
    before = (
        "import sys\n"
        "import rnn_parity.bench.contestants.torch_lstm as peer\n"
        "build = peer.build\n"
        "def wrong(job, data):\n"
        "    data.learning_rate *= 1.1\n"
        "    return build(job, data)\n"
        "peer.build = wrong\n"
        "from multiprocessing import Pipe\n"
        "from rnn_parity.bench import jobs, reference, strategies, worker\n"
        "strategy = strategies.STRATEGIES['PyTorch nn.LSTM']\n"
        "job = jobs.Job(steps=3, batch=2, width=4)\n"
        "ours, theirs = Pipe()\n"
        "from threading import Thread\n"
        "arguments = (theirs, strategy, job, reference.data_for(job))\n"
        "Thread(target=worker.serve, args=arguments, daemon=True).start()\n"
        "print(ours.recv()['missing'])\n"
    )
    done = run_python("-c", before)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("wrong: update off by 1.0e-01")


# --- What it says of measurements ---


def made_up(without=()):
    """A document: times grow with T, tf2 fast and PyTorch share the grid."""
    series = [JOB.replace(steps=t) for t in (10, 100, 1000)]
    grid = jobs.grid((32,), (1, 64), (16, 256))
    held = {}
    for job in (*series, *grid, jobs.LANDMARK):
        base = job.flops("train") / 1e11
        times = {
            "TF1 static_rnn": 4 * base,
            "tf2 dynamic": 3 * base,
            "tf2 fast": 1.1 * base,
            "PyTorch nn.LSTM": base * (0.5 if job.batch == 1 else 2),
            "products, NumPy": base,
        }
        held[job] = {
            name: _result(job, name, time)
            for name, time in times.items()
            if name not in without
        }
    held[series[-1]]["TF1 static_rnn"] = {"missing": "builds for too long"}
    return results.Results(results.document("made up", {}, held)), series


def _result(job, name, time):
    build = job.steps / 100 if "static" in name else 0.2
    return {
        "seconds": {
            kind: [time, time * 1.01, time * 1.02]
            for kind in ("forward", "train", "square")
        },
        "calls": {"forward": 1, "train": 1, "square": 1},
        **{f"build_{kind}": build for kind in ("forward", "train")},
        **{f"first_{kind}": 0.5 for kind in ("forward", "train")},
        "square_flops": job.flops("train"),
        "nodes": 100,
        "started_at": 10**8,
        "peak": 10**8 + 10**5 * job.steps,
    }


@pytest.mark.parametrize(
    "without", [["PyTorch nn.LSTM"], ["tf2 dynamic", "tf2 fast"]]
)
def test_goals_need_both_sides(without):
    found, _ = made_up(without)
    assert not any("a call" in goal.aim for goal in verdict.goals(found))
    assert "Growth with T" in tables.markdown(found)


def test_plots_are_drawn(tmp_path):
    found, _ = made_up()
    paths = plots.write(found, tmp_path)
    names = {path.name for path in paths}
    assert names == {
        f"unrolling_{what}.{kind}"
        for what in ("time", "build", "memory", "winner")
        for kind in ("png", "svg")
    }
    for path in paths:
        start = path.read_bytes()[:6]
        assert start[1:4] == b"PNG" or start.startswith(b"<?xml"), path


# --- TensorFlow's own tables ---


@pytest.mark.thorough
def test_rnn_tests_cases_are_proven_and_timed():
    """A case of every table, at a small size."""
    code = (
        "import dataclasses, json\n"
        "from multiprocessing import Pipe\n"
        "from rnn_parity.bench import rnn_test\n"
        "for grid in rnn_test.grids('cpu'):\n"
        "    for case in grid.rows[0]:\n"
        "        job = case.job.replace(steps=4, batch=3, width=5)\n"
        "        half = case.unrolled and 2\n"
        "        small = dataclasses.replace(case, job=job, unrolled=half)\n"
        "        ours, theirs = Pipe()\n"
        "        rnn_test.serve(theirs, small)\n"
        "        print(json.dumps(ours.recv()))\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    found = list(map(json.loads, done.stdout.splitlines()))
    assert len(found) == 11
    for result in found:
        assert len(result["seconds"]) in (5, 20), result
        assert min(result["seconds"]) > 0


# --- Mistakes ---


@pytest.mark.parametrize("when", ["importing", "timing"])
def test_ctrl_c_of_a_terminal_is_one_line(when):
    """It reaches the workers and what forks them too."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rnn_parity", *TINY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if when == "timing":
        said = process.stderr.readline()
        assert said.startswith("timing "), said
    else:
        time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = [line for line in said.splitlines() if line]
    assert lines[-1] == "rnn-parity: interrupted"
    assert all(line.startswith("timing ") for line in lines[:-1]), said


ON_LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere workers do not sleep"
)


def _stat(pid):
    """(state, process group), or None where there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
    except OSError:
        return None
    state, _, group, *_ = fields.split()
    return state, int(group)


def _states(group):
    """Of all processes of a group; those that nobody waits for are gone."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    found = filter(None, map(_stat, pids))
    return [state for state, of in found if of == group and state != "Z"]


@ON_LINUX
def test_workers_sleep_but_for_their_turn():
    """A library whose threads wait in a loop would slow the next one."""
    strategy = strategies.STRATEGIES["products, NumPy"]
    data = reference.data_for(JOB)
    with contest.Contestant(strategy, JOB, data) as contestant:
        for _ in range(3):
            assert contestant.ask("train", 2) > 0
            time.sleep(0.1)
            assert _stat(contestant.process.pid)[0] == "T"
        assert contestant.result()["peak"] > 0
    assert _stat(contestant.process.pid) is None


@ON_LINUX
def test_no_worker_outlives_a_killed_run():
    process = subprocess.Popen(
        [sys.executable, "-m", "rnn_parity", *TINY],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not _states(process.pid).count("T") >= 2:
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    for _ in range(100):
        if not _states(process.pid):
            break
        time.sleep(0.1)
    assert _states(process.pid) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--preset", "fast"), "unknown preset 'fast'"),
        (("--steps", "3", "--strategy", "tf2 dynamik"), "did you mean"),
        (("--steps", "0"), "--steps is '0'; it must be whole numbers"),
        (("--steps", "3,x"), "--steps is '3,x'"),
        (("--preset", "fast"), "choose from quick, full, tf-rnn-test"),
        (("--batch", "3"), "--batch goes with --steps"),
        (("--dtype", "float64"), "--dtype goes with --steps"),
        (("--preset", "tf-rnn-test", "--width", "3"), "sizes and strategies"),
        (("--steps", "5,4000000000"), "not enough memory for T=4000000000"),
        (("--steps", "3", "--width", "9999999"), "not enough memory for"),
        (("--steps", "3", "--preset", "quick"), "leave --preset away"),
        (("--preset", "tf-rnn-test", "--steps", "3"), "sizes and strategies"),
        (("--out", "file/folder"), "cannot make file/folder"),
        (("--compare", "no.json", "no.json"), "cannot read no.json"),
        (("--compare", "half.json", "half.json"), "no JSON, or not all"),
        (("--compare", "other.json", "other.json"), "holds no results of"),
        (("--compare", "list.json", "list.json"), "holds no results of"),
        (("--compare", "null.json", "null.json"), "holds no results of"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, run_cli, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "half.json").write_text('{"benchmarks": [{"na')
    (tmp_path / "other.json").write_text('{"benchmarks": []}')
    (tmp_path / "list.json").write_text("[1, 2]")
    made = made_up()[0].document
    made["benchmarks"][0]["stats"]["median"] = None
    (tmp_path / "null.json").write_text(json.dumps(made))
    done = run_cli("bench", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_gpu_without_a_gpu_is_one_line(run_cli):
    done = run_cli(
        "bench", "--device", "gpu", env={"CUDA_VISIBLE_DEVICES": "-1"}
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "TensorFlow sees no GPU here" in done.stderr
