"""A few inputs of each target of `make fuzz` that takes little time."""

import importlib
import shutil

import pytest
from hypothesis import HealthCheck, given, settings

from fuzz import __main__ as fuzz
from rnn_parity.checkpoints import reader

QUICK = ["checkpoint", "configuration", "npz", "training", "v1"]


@pytest.fixture(params=[*QUICK, "v2_data", "v2_index"])
def target(request):
    return request.param, importlib.import_module(
        f"fuzz.fuzz_{request.param}"
    )


def test_inputs_end_in_arrays_or_in_one_line(target, tmp_path):
    name, target = target
    inputs, found = tmp_path / "inputs", set()
    inputs.mkdir()

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.files())
    def attempt(files):
        read = getattr(target, "read", fuzz.read_arrays)
        found.add(fuzz.outcome(read, target.PATH, files, inputs))

    attempt()
    assert "read" in found or name in ("configuration", "v1")


def test_what_once_ended_the_process_is_refused(tmp_path):
    kept = sorted((fuzz.HERE / "corpus" / "v2_index").iterdir())
    assert kept
    for folder in kept:
        inputs = shutil.copytree(folder, tmp_path / folder.name)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        read = reader.open_checkpoint
        assert fuzz.outcome(read, "model", files, inputs) == "refused"


def test_a_fault_is_no_outcome(tmp_path):
    def fail(_):
        raise KeyError("a fault")

    (tmp_path / "inputs").mkdir()
    with pytest.raises(KeyError):
        fuzz.outcome(fail, "model", {"model": b""}, tmp_path / "inputs")
