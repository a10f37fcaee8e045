"""How closely versions and releases agree."""

import itertools

import recorded
from docs_build import measured
from docs_build.traps import in_words
from rnn_parity import cases, check, ladder, sections, tolerances
from rnn_parity.config import DTYPES


def worst_errors(key, dtype, of_releases):
    """{rung: largest error}, both cases, computed now.

    Of NumPy against every recorded release, or of the releases against one
    another (without dropout's sections, whose masks differ).
    """
    worst = {}
    for case in cases.CASES:
        for version, reference in _pairs(of_releases):
            for difference in _compared(key, dtype, case, version, reference):
                rung = difference.rung
                worst[rung] = max(worst.get(rung, 0.0), difference.error)
    return worst


def _pairs(of_releases):
    if of_releases:
        return list(itertools.combinations(recorded.RELEASES, 2))
    return [("numpy_ref", release) for release in recorded.RELEASES]


def _compared(key, dtype, case, version, reference):
    if version in recorded.RELEASES:
        pair = (
            check.recorded_observation(key, case, dtype, release)
            for release in (version, reference)
        )
        section = sections.SECTIONS[key]
        return ladder.compare(*pair, section, dtype)
    comparison = check.Comparison(key, dtype, case, version, reference)
    return check.run(comparison)


_AFTER = """
*Ours to releases* is the NumPy version against 0.12.1, 1.0.1 and 1.15.5, at
the tutorial's sizes and at odd ones, computed when this page was built.
*Release to release* holds the genuine releases against one another: no port
can be asked to be closer than that. The legacy and the TensorFlow 2 version
are held to the same limits by

```sh
.venv/bin/rnn-parity check --section {}
```
"""


def agreement(slots, key):
    """A table: rung by rung, how far apart, and how far is allowed."""
    section = sections.SECTIONS[key]
    rows = ""
    for rung in ladder.RUNGS[1:]:
        rows += f'<tr><th scope="row">{rung}</th>'
        for dtype in DTYPES:
            row = tolerances.find(section, rung, dtype)
            releases = "masks differ"
            if not section.masks:
                releases = in_words(
                    measured.result(worst_errors, key, dtype, True)[rung]
                )
            ours = in_words(
                measured.result(worst_errors, key, dtype, False)[rung]
            )
            for cell in (ours, releases, in_words(row.allowed)):
                rows += f'<td class="number">{cell}</td>'
        rows += "</tr>"
    heads = "".join(
        f'<th class="number">{head}</th>'
        for head in (
            "ours to<br>releases",
            "release<br>to release",
            "allowed",
        )
    )
    table = (
        '<div class="table" tabindex="0" role="region" '
        'aria-label="Agreement, rung by rung"><table class="agreement">'
        '<thead><tr><td></td><th colspan="3">float32</th>'
        f'<th colspan="3">float64</th></tr><tr><td></td>{heads * 2}</tr>'
        "</thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )
    return slots.block(table) + _AFTER.format(key)
