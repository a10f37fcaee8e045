"""What the last published benchmark run says."""

import functools
import json
import pathlib

from rnn_parity import sections

_RESULTS = pathlib.Path(__file__).parent.parent / "benchmarks" / "results"


@functools.cache
def results(name):
    """A results file as it is, or None where it does not exist yet."""
    path = _RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def us(key, who):
    """Microseconds per training step, such as 583 or 11.5."""
    return _rounded(results("training_step")[key][who]["us"])


def times(key, slow, fast="tf2"):
    """How many times one's step is the other's, such as 51."""
    row = results("training_step")[key]
    return _rounded(row[slow]["us"] / row[fast]["us"])


def first(key, who):
    """Seconds until the first step is done."""
    return f"{results('training_step')[key][who]['first']:.1f}"


def _rounded(number):
    return f"{number:.0f}" if number >= 20 else f"{number:.1f}"


def table(slots):
    """Everybody's microseconds per step, section by section."""
    everybody = list(results("training_step")["s1"])
    heads = "".join(f'<th class="number">{who}</th>' for who in everybody)
    rows = ""
    for key, row in results("training_step").items():
        title = sections.SECTIONS[key].title
        rows += f'<tr><th scope="row">{key} {title}</th>'
        for who in everybody:
            rows += (
                f'<td class="number">{us(key, who)}</td>'
                if (who in row)
                else '<td class="number">none</td>'
            )
        rows += "</tr>"
    return slots.block(
        '<div class="table" tabindex="0" role="region" aria-label="Speed">'
        f"<table><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )
