"""Two runs side by side."""

from rnn_parity.bench.tables import Table
from rnn_parity.bench.verdict import seconds
from rnn_parity.errors import UserError


def table(first, second):
    """Training steps and forward passes that both runs timed.

    Args:
        first, second: `results.Results`.

    Raises:
        UserError: they have nothing in common.
    """
    rows = []
    for job in first.jobs:
        for name in first.names:
            for kind in first.kinds:
                pair = [r.get(job, name, kind) for r in (first, second)]
                if all(pair):
                    rows.append([str(job), name, kind, *_compared(*pair)])
    if not rows:
        raise UserError("the two files have no job and strategy in common")
    return Table(
        "A beside B",
        ["job", "strategy", "", "A", "B", "B by A", ""],
        rows,
        "Faster or slower where the middle halves of both runs' rounds lie "
        "apart.",
    )


def _compared(a, b):
    ratio = b.median / a.median
    apart = abs(b.median - a.median) > (a.iqr + b.iqr) / 2
    word = "" if not apart else "slower" if ratio > 1 else "faster"
    return [seconds(a.median), seconds(b.median), f"{ratio:.2f}", word]
