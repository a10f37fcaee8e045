"""How cost grows with T: an exponent, and what one more step adds."""

import numpy as np


def fit(steps, values):
    """(p, a) of values ~ T^p and values ~ a T + b, by least squares.

    Args:
        steps: [N], T.
        values: [N], positive.

    Returns:
        Two floats, or None with fewer than three points.
    """
    if len(steps) < 3:
        return None
    steps, values = np.float64(steps), np.float64(values)
    exponent = np.polyfit(np.log(steps), np.log(values), 1)[0]
    added = np.polyfit(steps, values, 1)[0]
    return float(exponent), float(added)


def of(results, jobs, name):
    """{"build", "step", "memory": what `fit` gives} over a series."""
    found = [(job.steps, results.get(job, name)) for job in jobs]
    found = [(steps, m) for steps, m in found if m is not None]
    steps = [steps for steps, _ in found]
    measured = [m for _, m in found]
    return {
        "build": fit(steps, [max(m.build, 1e-6) for m in measured]),
        "step": fit(steps, [m.median for m in measured]),
        "memory": fit(steps, [max(m.memory, 1) for m in measured]),
    }
