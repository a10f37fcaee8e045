"""How far two versions may be apart: the one table.

`measured` is the largest difference between the genuine releases 0.12.1,
1.0.1 and 1.15.5 themselves (see `recorded/`), over the sections named,
both cases and all tensors of the rung, in the unit of
`rnn_parity.ladder.Difference.error`. `allowed` is at most three times
that, or three units in the last place of 1.0 where it is less: a version
agrees when it is as close to a release as the releases are to one another.
`parity_tests/test_tolerances.py` measures it again.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """One row: what is allowed, what was measured, and why."""

    dtype: str
    rungs: tuple
    sections: tuple
    measured: float
    allowed: float
    reason: str


_ALL = ("s1", "s2", "s3", "s4", "s5", "s6", "s7")
_FORWARD = ("one step", "states", "logits", "predictions", "loss")
_TRAINING = ("training losses", "final weights", "accumulators")
TABLE = (
    Tolerance("float64", _FORWARD, _ALL, 1e-15, 3e-15, ""),
    Tolerance("float64", ("gradients",), _ALL, 1e-15, 3e-15, ""),
    Tolerance("float64", _TRAINING, _ALL, 2e-14, 6e-14, ""),
    Tolerance("float32", _FORWARD, _ALL, 1e-15, 1.5e-6, ""),
    Tolerance("float32", ("gradients",), _ALL, 1e-15, 6e-7, ""),
    Tolerance("float32", _TRAINING, _ALL, 2e-14, 3e-6, ""),
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
