"""The catalogue of mistakes, measured while the site is built."""

import html

import numpy as np

from docs_build import measured, pairs
from rnn_parity import mistakes

_RUNGS = {
    "one step": "the first step",
    "states": "the states",
    "logits": "the logits",
    "predictions": "the predictions",
    "loss": "the loss",
    "gradients": "the gradients",
    "training losses": "the training losses",
}


def measure(key):
    """{mistake: (rung, error)} of a section, in float64 at the odd sizes."""
    np.random.seed(2016)  # one draws masks
    found = {}
    for name, mistake in mistakes.CATALOGUE.items():
        if key in mistake.sections:
            seen = mistakes.measure(mistake, key, "float64")
            found[name] = seen.rung, seen.error
    return found


def error(name, key):
    """The size of the error, such as 0.31 or 1e-08."""
    _, size = measured.result(measure, key)[name]
    return in_words(size)


def in_words(number):
    """Two digits."""
    if not number:
        return "0"
    return f"{number:.1e}" if number < 0.001 else f"{number:.2g}"


def count():
    """How many mistakes there are."""
    return len(mistakes.CATALOGUE)


_BEFORE = """
Each is made on purpose in the NumPy version and held against what TensorFlow
1.15.5 computed, in float64. The error is the largest absolute difference
where it first shows, divided by the reference's largest value where that is
above 1. Those below 1e-6 cannot be seen in float32.
"""
_COMMAND = """
```sh
.venv/bin/rnn-parity mistakes --section {}
```
"""


def of_section(slots, key):
    """What they are, a table of all that can be made, and the command."""
    made = [m for m in mistakes.CATALOGUE.values() if key in m.sections]
    made.sort(key=lambda m: len(m.sections))  # this section's own first
    rows = "".join(_row(mistake, key) for mistake in made)
    table = (
        '<div class="table" tabindex="0" role="region" '
        'aria-label="Traps of this section"><table class="traps"><thead>'
        "<tr><th>What goes wrong</th><th>shows in</th>"
        '<th class="number">error</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    return _BEFORE + slots.block(table) + _COMMAND.format(key)


def _row(mistake, key):
    rung, size = measured.result(measure, key)[mistake.name]
    return (
        f"<tr><td>{pairs.marked_up(mistake.explanation)} "
        f"<code>{html.escape(mistake.name)}</code></td>"
        f"<td>{_RUNGS[rung]}</td>"
        f'<td class="number">{in_words(size)}</td></tr>'
    )
