"""The benchmark of training steps runs; what it measures is not judged."""

import json
import pathlib

import pytest
from conftest import run_python

from rnn_parity.training import session

ROOT = pathlib.Path(__file__).parent.parent
SCRIPT = ("-m", "benchmarks.training_step")


@pytest.mark.thorough
def test_contestants_prove_themselves_and_take_turns(tmp_path):
    path = tmp_path / "times.json"
    done = run_python(
        *(*SCRIPT, "--sections", "s1", "--rounds", "1", "--json", path),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "pays after" in done.stdout
    assert all(
        line.startswith("timing ") for line in done.stderr.splitlines()
    ), done.stderr
    results = json.loads(path.read_text())["s1"]
    # Peers are optional; what they are not, they must say.
    for name in ("TF1 session", "TF1 session, predictions", "tf2"):
        assert results[name]["us"] > 0
    for name, result in results.items():
        assert result.get("missing", "no ").startswith("no "), name
        assert result.get("error", 0) < 1e-4, name


@pytest.mark.thorough
def test_every_way_to_run_a_section_is_timed(tmp_path):
    path = tmp_path / "modes.json"
    done = run_python(
        *("-m", "benchmarks.modes", "--sections", "s1", "--rounds", "1"),
        *("--json", path),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    times = json.loads(path.read_text())["s1"]
    assert set(times) == {*session.MODES, "TF1 session", "xla, one thread"}
    for name, result in times.items():
        assert result["us"] > 0
        assert f"s1 {name} " in done.stdout


@pytest.mark.thorough
def test_a_contestant_that_computes_something_else_is_not_timed(tmp_path):
    """A tf2 that trains at another rate."""
    before = (
        "from benchmarks import training_step as bench\n"
        "make = bench._tf2\n"
        "def wrong(section, config, params, echo_rnn):\n"
        "    slow = config.replace(learning_rate=0.01)\n"
        "    return make(section, slow, params, echo_rnn)\n"
        "bench._tf2 = wrong\n"
        "bench.contest('tf2', 's1')\n"
    )
    done = run_python("-c", before, cwd=ROOT, input="")
    assert done.returncode == 0, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error > 1e-4


@pytest.mark.parametrize("script", ["training_step", "modes"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sections", "s0"), "unknown section 's0'"),
        (("--json", "nowhere/times.json"), "there is no folder nowhere"),
        (("--rounds", "0"), "0 is not in the range"),
    ],
)
def test_a_mistake_is_one_line(script, arguments, message):
    done = run_python("-m", f"benchmarks.{script}", *arguments, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
