"""Data-parallel training: real replicas, real processes on loopback."""

import json
import os
import signal
import time

import numpy as np
import pytest
from conftest import run_python, spread
from test_run import start, wait_for_steps

from rnn_parity import Config, UserError
from rnn_parity.quiet import tf
from rnn_parity.training import checkpoint, workers
from rnn_parity.training.session import Session

CONFIG = Config(
    num_epochs=1,
    total_series_length=1200,
    truncated_backprop_length=5,
    batch_size=6,
    state_size=3,
    num_layers=2,
    dtype="float64",
)
OPTIONS = (
    *("--epochs", "1", "--total-series-length", "1200", "--batch-size", "6"),
    *("--truncated-backprop-length", "5", "--state-size", "3"),
    *("--num-layers", "2", "--dtype", "float64"),
)
# Logical devices can be made only once in a process.
ON_DEVICES = """
import json, sys
from rnn_parity import Config, UserError
from rnn_parity.training import workers
from rnn_parity.training.session import Session
config = Config(**json.loads(sys.argv[1]))
strategy = workers.strategy(int(sys.argv[2]), "devices")
losses = {}
for key in sys.argv[3:]:
    session = Session(key, "tf2", config, strategy=strategy)
    assert session.network._step is not None
    while not session.finished:
        session.advance()
    losses[key] = session.losses.tolist()
print(json.dumps([strategy.num_replicas_in_sync, losses]))
"""


def alone(key):
    one = Session(key, "numpy_ref", CONFIG)
    while not one.finished:
        one.advance()
    return one


# `test_worker_shares.py` holds the sum over replicas in every section.
@pytest.mark.thorough
@pytest.mark.parametrize(
    ("replicas", "keys"), [(3, ("s1", "s6")), (2, ("s3", "s7"))]
)
def test_replicas_reproduce_the_losses_of_one(replicas, keys):
    config = {
        name: getattr(CONFIG, name) for name in Config.__dataclass_fields__
    }
    done = run_python("-c", ON_DEVICES, json.dumps(config), replicas, *keys)
    assert done.returncode == 0, done.stderr
    count, losses = json.loads(done.stdout)
    assert count == replicas
    for key in keys:
        assert len(losses[key]) == 40
        np.testing.assert_allclose(
            losses[key][:20], alone(key).losses[:20], rtol=0, atol=1e-12
        )


@pytest.mark.parametrize(
    "key", spread(["s4", "s6", "s7"], ["s7"].__contains__)
)
def test_processes_reproduce_the_losses_of_one(run_cli, key, tmp_path):
    folder = tmp_path / "saved"
    done = run_cli(
        *("run", key, *OPTIONS, "--save", folder),
        *("--workers", "2", "--over", "processes"),
    )
    assert done.returncode == 0, done.stderr
    assert "tf2 on 2 replicas" in done.stdout
    assert all(
        line.startswith("training ") for line in done.stderr.splitlines()
    ), done.stderr
    saved = checkpoint.read(folder)
    one = alone(key)
    np.testing.assert_allclose(
        saved.losses[:20], one.losses[:20], rtol=0, atol=1e-12
    )
    for name, value in saved.params().items():
        np.testing.assert_allclose(
            value, one.network.params()[name], rtol=0, atol=1e-10
        )


def workers_of(process):
    """{worker index: process id} of what `process` started."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{entry}/environ") as file:
                variables = file.read().split("\0")
        except OSError:
            continue
        for variable in variables:
            name, _, value = variable.partition("=")
            if parent == process.pid and name == "RNN_PARITY_WORKER":
                children[int(value)] = int(entry)
    return children


@pytest.mark.thorough
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_is_named_and_the_checkpoint_is_good(
    run_cli, victim, tmp_path
):
    folder = tmp_path / "saved"
    process = start(
        *("run", "s1", *OPTIONS, "--epochs", "100000", "--save", folder),
        *("--save-every", "0", "--workers", "2", "--over", "processes"),
    )
    wait_for_steps(folder, 1, process)
    workers = workers_of(process)
    assert sorted(workers) == [0, 1]
    os.kill(workers[victim], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    last = err.splitlines()[-1]
    assert last.startswith(
        f"rnn-parity: error: worker {victim} of 2 was killed by signal 9"
    )
    assert "Traceback" not in err
    time.sleep(0.1)
    assert not [pid for pid in workers.values() if running(pid)]
    steps = checkpoint.read(folder).steps_done
    done = run_cli(
        *("run", "s1", "--resume", folder, "--epochs", steps // 40 + 1),
    )
    assert done.returncode == 0, done.stderr
    assert "tf2 (xla, dynamic)" in done.stdout
    assert f"from step {steps}" in done.stdout


@pytest.mark.thorough
@pytest.mark.parametrize("at", ["terminal", "process"])
def test_ctrl_c_ends_all_workers_and_saves(at, tmp_path):
    """A terminal interrupts the process group, `kill -INT` the process."""
    process = start(
        *("run", "s1", *OPTIONS, "--epochs", "100000", "--save", tmp_path),
        *("--save-every", "0", "--workers", "2", "--over", "processes"),
    )
    wait_for_steps(tmp_path, 1, process)
    workers = workers_of(process)
    interrupt = os.killpg if at == "terminal" else os.kill
    interrupt(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    steps = checkpoint.read(tmp_path).steps_done
    last = err.splitlines()[-1]
    assert f"interrupted after step {steps}" in last
    assert last.endswith("--workers 2 --over processes")
    time.sleep(0.1)
    assert not [pid for pid in workers.values() if running(pid)]


@pytest.mark.thorough
def test_workers_without_their_launcher_save_and_end(tmp_path):
    process = start(
        *("run", "s1", *OPTIONS, "--epochs", "100000", "--save", tmp_path),
        *("--save-every", "0", "--workers", "2", "--over", "processes"),
    )
    wait_for_steps(tmp_path, 1, process)
    workers = workers_of(process)
    process.kill()
    _, err = process.communicate(timeout=60)
    steps = checkpoint.read(tmp_path).steps_done
    assert f"interrupted after step {steps}" in err.splitlines()[-1]
    deadline = time.monotonic() + 60
    while any(map(running, workers.values())):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--workers", "4"), "4 workers cannot share batch_size 6 evenly"),
        (("--workers", "2", "--mode", "xla"), "train step by step"),
        (("--workers", "2", "--impl", "numpy_ref"), "--workers is for tf2"),
    ],
)
def test_what_workers_cannot_do_is_one_line(run_cli, arguments, message):
    done = run_cli("run", "s1", *OPTIONS, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("index", "error", "ends"),
    [
        (None, ValueError, False),
        ("0", ValueError, False),
        ("1", ValueError, True),
        ("1", UserError, False),
        (None, tf.errors.AbortedError, False),
        ("0", tf.errors.AbortedError, True),
        ("1", tf.errors.AbortedError, True),
    ],
)
def test_only_the_first_worker_tells_what_it_met(
    monkeypatch, index, error, ends
):
    """Others end with a code that is not the command line's own."""

    class _EndedError(Exception):
        pass

    def end(code):
        assert code not in (0, 1, 2, 130)
        raise _EndedError

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.delenv("RNN_PARITY_WORKER", raising=False)
    if index is not None:
        monkeypatch.setenv("RNN_PARITY_WORKER", index)
    told = error(None, None, "x") if "tensorflow" in str(error) else error()
    with (
        pytest.raises(_EndedError if ends else error),
        workers.ending_if_another_is_lost(),
    ):
        raise told
