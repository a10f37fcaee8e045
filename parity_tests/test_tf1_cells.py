"""numpy_ref's cells and loops against what TensorFlow 1.15.5 computed."""

import pytest
import tf1_cases

from rnn_parity import ladder, tolerances

NAMES = [*tf1_cases.CELLS, *tf1_cases.LOOPS]
ALL = [
    (name, dtype)
    for name in NAMES
    for dtype in tf1_cases.recorded_dtypes()[name]
]


def errors(name, dtype):
    """{array: its error}, names, dtypes and shapes being equal."""
    case = tf1_cases.Recorded(name, dtype)
    found = tf1_cases.run(name, case)
    assert sorted(found) == sorted(case.expected)
    for key, value in case.expected.items():
        assert found[key].dtype == value.dtype == dtype
        assert found[key].shape == value.shape
    return {
        key: ladder.error_of(found[key], value)
        for key, value in case.expected.items()
    }


@pytest.mark.parametrize(("name", "dtype"), ALL)
def test_numpy_computes_what_tensorflow_1_did(name, dtype):
    allowed = tolerances.CELLS[dtype].allowed
    assert max(errors(name, dtype).values()) <= allowed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_tolerance_is_no_looser_than_it_must_be(dtype):
    row = tolerances.CELLS[dtype]
    largest = max(
        max(errors(*one).values()) for one in ALL if one[1] == dtype
    )
    assert row.measured / 4 <= largest <= row.allowed
    assert row.allowed <= 4 * row.measured


def test_every_recorded_case_is_checked():
    assert sorted(NAMES) == sorted(tf1_cases.recorded_dtypes())
