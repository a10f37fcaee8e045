"""How far two versions may be apart: the one table.

Both measures are in the unit of `rnn_parity.ladder.Difference.error`, over
the sections named, both cases and all tensors of the rungs. `measured` is
the largest error that `rnn-parity check` finds (2-core x86-64 with AVX-512,
TensorFlow 2.21); `releases` is how far the genuine releases 0.12.1, 1.0.1
and 1.15.5 are from one another. `allowed` is about three times the larger
of the two at most. `parity_tests/test_tolerances.py` measures again.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """One row: what is allowed, what was measured, and why."""

    dtype: str
    rungs: tuple
    sections: tuple
    measured: float
    releases: float
    allowed: float
    reason: str


_PLAIN = ("s1", "s2")
_LSTM = ("s3", "s4", "s5", "s6", "s7")
_ALL = _PLAIN + _LSTM
_FORWARD = ("one step", "states", "logits", "predictions", "loss")
_TRAINING = ("training losses", "final weights", "accumulators")

_ORDER = "sums run in another order, and T steps add up"
_SMALL = "gradients are means, so smaller than what they are made of"
_CHAOS = "200 updates at a high rate amplify rounding; plain cells most"
_MILD = "200 updates amplify rounding; LSTMs much less than plain cells"
_FEW = "20 updates; further on, genuine releases drift apart themselves"

TABLE = (
    Tolerance("float64", _FORWARD, _ALL, 6.4e-16, 2.3e-16, 2e-15, _ORDER),
    Tolerance(
        "float64", ("gradients",), _ALL, 2.3e-16, 1.7e-16, 7e-16, _SMALL
    ),
    Tolerance("float64", _TRAINING, _PLAIN, 1.9e-14, 5.1e-15, 6e-14, _CHAOS),
    Tolerance("float64", _TRAINING, _LSTM, 5.5e-15, 8.8e-16, 2e-14, _MILD),
    Tolerance("float32", _FORWARD, _ALL, 4.2e-7, 3.0e-7, 1e-6, _ORDER),
    Tolerance("float32", ("gradients",), _ALL, 9.0e-8, 6.0e-8, 3e-7, _SMALL),
    Tolerance(
        "float32", ("training losses",), _ALL, 2.4e-7, 1.9e-7, 7e-7, _FEW
    ),
    Tolerance(
        "float32", ("final weights",), _ALL, 1.2e-6, 7.6e-7, 2e-6, _FEW
    ),
    Tolerance("float32", ("accumulators",), _ALL, 1.4e-7, 6.0e-8, 3e-7, _FEW),
)


def find(section, rung, dtype):
    """The row for a rung of a section.

    Raises:
        LookupError: the table has no such row, which is a bug.
    """
    for row in TABLE:
        if (
            row.dtype == dtype
            and rung in row.rungs
            and section.key in row.sections
        ):
            return row
    raise LookupError(f"no tolerance for {section.key} {rung} {dtype}")


@dataclasses.dataclass(frozen=True)
class CellTolerance:
    """What numpy_ref's TensorFlow 1 cells are held to, all recorded cases."""

    measured: float
    allowed: float
    reason: str


CELLS = {
    "float64": CellTolerance(5.7e-16, 2e-15, _ORDER),
    "float32": CellTolerance(3.7e-7, 1e-6, _ORDER),
}
