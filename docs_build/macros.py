"""What a page can call."""

import functools
import re

from latex2mathml import converter

from docs_build import pairs, speed, tables, traps
from rnn_parity import sections


def for_page(slots):
    """{name: function or value} for the template of one page."""
    return {
        "m": lambda latex: slots.inline(converter.convert(latex)),
        "pair": functools.partial(pairs.pair, slots),
        "numpy_backward": functools.partial(pairs.backward, slots),
        "traps": functools.partial(traps.of_section, slots),
        "error": traps.error,
        "trap_count": traps.count,
        "agreement": functools.partial(tables.agreement, slots),
        "us": speed.us,
        "times": speed.times,
        "first": speed.first,
        "speed_table": functools.partial(speed.table, slots),
        "title": lambda key: sections.SECTIONS[key].title,
    }


def equations_filled(markdown, slots):
    """Every fence of equations as MathML, which browsers know by now."""
    return _FENCE.sub(
        lambda found: slots.block(_equations(found[1])), markdown
    )


_FENCE = re.compile(r"^```equations\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _equations(latex):
    made = "".join(
        f'<div class="equation">{converter.convert(line, display="block")}'
        "</div>"
        for line in latex.splitlines()
    )
    return (
        '<div class="equations" tabindex="0" role="group" '
        f'aria-label="Equations">{made}</div>'
    )
