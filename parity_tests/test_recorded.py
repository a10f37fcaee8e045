"""What genuine TensorFlow 1 computed: whole, provenanced, and in step."""

import shutil

import numpy as np
import pytest

import recorded
from recorded import record_all
from rnn_parity import SECTIONS, UserError, cases, check


def test_the_recorded_inputs_are_the_cases(key, tmp_path):
    section = SECTIONS[key]
    cases.write_inputs(tmp_path / "now.npz", section)
    now = recorded.read(tmp_path / "now.npz")
    kept = recorded.read(recorded.inputs_path(section))
    assert recorded.fingerprint(now) == recorded.fingerprint(kept)


@pytest.mark.parametrize("release", recorded.RELEASES)
def test_every_file_says_where_it_comes_from(key, release):
    path = recorded.release_path(SECTIONS[key], release)
    says = recorded.provenance(path, recorded.read(path))
    wanted = {r.version: r for r in record_all.RELEASES}[release]
    assert says["tensorflow"] == release
    assert says["section"] == key
    assert says["python"].startswith(f"{wanted.python}.")
    assert f"numpy=={says['numpy']}" in wanted.packages
    assert says["seeds"] == {c.name: c.seed for c in cases.CASES.values()}
    config = cases.CASES["odd"].config
    assert set(says["variable_names"]) >= set(
        SECTIONS[key].param_shapes(config.replace(num_layers=3))
    )


def test_all_of_it_stays_small():
    files = list(recorded.FOLDER.glob("*.npz"))
    assert sum(file.stat().st_size for file in files) < 2_000_000


def test_200_steps_are_recorded_in_both_dtypes(key):
    shapes = {
        case.name: SECTIONS[key].param_shapes(case.config)
        for case in cases.CASES.values()
    }
    for release in recorded.RELEASES:
        arrays = recorded.read(recorded.release_path(SECTIONS[key], release))
        for case in cases.CASES:
            for dtype in ("float32", "float64"):
                losses = arrays[f"{case}/{dtype}/losses"]
                assert losses.shape == (200,)
                of = recorded.Case(None, arrays, f"{case}/{dtype}/step200/")
                names = set(of.under("params"))
                assert names == set(of.under("accumulators"))
                assert names == set(shapes[case])
                assert losses.dtype == dtype
                assert np.isfinite(losses).all()


@pytest.fixture
def copy_of_recorded(tmp_path, monkeypatch):
    """A folder of recorded files that may be damaged."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    for file in recorded.FOLDER.glob("s1*.npz"):
        shutil.copy(file, folder)
    monkeypatch.setattr(recorded, "FOLDER", folder)
    check._arrays.cache_clear()
    yield folder
    check._arrays.cache_clear()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5000])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    path.write_text("not a recorded file\n")


def without_arrays(path):
    with open(path, "wb") as file:
        np.savez(file, provenance=np.array("{}"))


def other_inputs(path):
    arrays = recorded.read(path)
    says = str(arrays["provenance"]).replace('sha256": "', 'sha256": "0')
    with open(path, "wb") as file:
        np.savez(file, **{**arrays, "provenance": np.array(says)})


@pytest.mark.parametrize(
    "damage",
    [truncate, flip, empty, foreign, without_arrays, other_inputs],
)
def test_a_damaged_file_is_one_clear_line(copy_of_recorded, damage):
    damage(copy_of_recorded / "s1_tf1.15.5.npz")
    with pytest.raises(UserError) as caught:
        check.recorded_observation("s1", "odd", "float64", "1.15.5")
    message = str(caught.value)
    assert "s1_tf1.15.5.npz" in message
    assert "make record" in message
    assert "\n" not in message


def test_a_missing_file_is_one_clear_line(copy_of_recorded):
    (copy_of_recorded / "s1_inputs.npz").unlink()
    with pytest.raises(UserError, match=r"s1_inputs\.npz is missing"):
        check.recorded_inputs("s1", "odd", "float64")


def test_recording_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(record_all, "find_python", lambda version: None)
    assert record_all.main() == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(recorded.RELEASES)
    for release, line in zip(recorded.RELEASES, said, strict=True):
        assert f"not recorded: TensorFlow {release} needs Python 3." in line
