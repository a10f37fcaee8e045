"""The benchmarks run; what they measure is not judged here."""

import pathlib

from conftest import run_python

BENCHMARKS = pathlib.Path(__file__).parent.parent / "benchmarks"


def test_every_way_of_training_runs():
    done = run_python(
        *("-m", "pytest", "-q", "-k", "s2", "--benchmark-disable"),
        *("-p", "no:cacheprovider", BENCHMARKS),
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
