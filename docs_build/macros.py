"""What a page can call."""

import functools
import json
import re

from latex2mathml import converter

from docs_build import (
    diagrams,
    drift,
    errors,
    pairs,
    proofs,
    quiz,
    speed,
    symbols,
    tables,
    traps,
    truncation,
)
from recorded import record_all
from rnn_parity import sections, tolerances, verdicts
from rnn_parity.bench.jobs import LANDMARK
from rnn_parity.config import DTYPES


def measurements():
    """What pages will ask `docs_build.measured` for; the longest first."""
    keys = list(sections.SECTIONS)
    return [
        *((drift.nudged, *curve) for curve in drift.CURVES),
        *((traps.measure, key) for key in reversed(keys)),
        *(
            (tables.worst_errors, key, dtype, of_releases)
            for key in keys
            for dtype in DTYPES
            for of_releases in (False, True)
            if not (of_releases and sections.SECTIONS[key].masks)
        ),
    ]


def for_page(slots):
    """{name: function or value} for the template of one page."""
    making = {
        "agreement": tables.agreement,
        "drift_chart": drift.chart,
        "figure": diagrams.figure,
        "messages": errors.table,
        "numpy_backward": pairs.backward,
        "other_proofs": symbols.other_proofs,
        "pair": pairs.pair,
        "program_table": symbols.program_table,
        "proofs": proofs.listed,
        "questions": quiz.questions,
        "region": pairs.one_region,
        "releases_table": drift.releases_table,
        "speed_table": speed.table,
        "test_source": proofs.source,
        "traps": traps.of_section,
        "truncation_chart": truncation.chart,
        "unrolling": speed.unrolling,
        "verdict_table": symbols.verdict_table,
        "ways": speed.ways,
    }
    return {
        **{n: functools.partial(f, slots) for n, f in making.items()},
        "cell_tolerance": lambda dtype: (
            f"{tolerances.CELLS[dtype].allowed:.0e}"
        ),
        "drift": drift,
        "error": traps.error,
        "first": speed.first,
        "landmark": LANDMARK,
        "landmark_ms": speed.landmark_ms,
        "m": lambda latex: slots.inline(converter.convert(latex)),
        "pays_after": speed.pays_after,
        "restored_count": _restored(),
        "tensorflow": errors.recorded()["tensorflow"],
        "starts_in": speed.starts_in,
        "times": speed.times,
        "title": lambda key: sections.SECTIONS[key].title,
        "trap_count": traps.count(),
        "truncation": truncation,
        "us": speed.us,
        "verdict_counts": symbols.counts(),
        "verdict_total": len(verdicts.TABLE),
        "way_times": speed.way_times,
        "way_us": speed.way_us,
        "without_verdict": _without_verdict,
    }


def _without_verdict():
    """A list of the symbols that nothing is recorded of."""
    return "\n".join(
        f"- `{symbol}`: {what}"
        for symbol, what in verdicts.WITHOUT_VERDICT.items()
    )


def _restored():
    """How many exports the genuine release has restored."""
    told = json.loads(record_all.RESTORED.read_text("utf-8"))
    return len(told["restored"])


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
