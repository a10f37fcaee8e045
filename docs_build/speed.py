"""What the last published benchmark run says."""

import functools
import html
import json
import math
import pathlib
import re

from docs_build.svg import Drawing
from rnn_parity import Config, sections

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


def pays_after(key, slow="TF1 session", fast="tf2"):
    """Epochs after which the longer start has paid for itself."""
    row = results("training_step")[key]
    saved = (row[slow]["us"] - row[fast]["us"]) * Config().num_batches / 1e6
    return f"{(row[fast]['first'] - row[slow]['first']) / saved:.1f}"


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


# --- The ways to run a TensorFlow 2 session: benchmarks/modes.py ---


def way_us(key, way):
    """Microseconds per step of one way."""
    return _rounded(results("modes")[key][way]["us"])


def way_times(key, slow, fast):
    """How many times one way's step is another's."""
    row = results("modes")[key]
    return _rounded(row[slow]["us"] / row[fast]["us"])


_SAID = {
    "TF1 session": "one session.run a step",
    "eager": "the obvious port: no tf.function",
    "step": "1. a tf.function call a step",
    "epoch": "2. a tf.function call an epoch",
    "xla": "3. the same, compiled by XLA",
    "xla, one thread": "4. the same, on one thread",
}


def ways(slots):
    """Bars on a scale of powers of ten, a group for each section."""
    measured = results("modes")
    bar, left, width = 24, 250, 400
    rows = sum(len(row) for row in measured.values())
    height = rows * bar + len(measured) * 40 + 10
    drawing = Drawing(
        left + width + 90, height, "Microseconds per training step."
    )
    slowest = max(
        each["us"] for row in measured.values() for each in row.values()
    )
    y = 10
    for key, row in measured.items():
        title = (
            f"{key} {sections.SECTIONS[key].title}, \N{MICRO SIGN}s per step"
        )
        drawing.words(4, y + 16, title, size=14, anchor="start")
        y += 30
        for way, result in row.items():
            share = math.log10(result["us"]) / math.log10(slowest)
            fill = "b" if way == "TF1 session" else "a"
            drawing.words(left - 10, y + 15, _SAID[way], "ink", 12, "end")
            drawing.rectangle(left, y + 3, width * share, bar - 7, fill, fill)
            number = f"{result['us']:,.0f}"
            place = left + width * share + 8
            drawing.words(place, y + 15, number, "ink", 12, "start")
            y += bar
        y += 10
    return slots.block(
        '<figure class="drawn"><div tabindex="0" role="group" '
        f'aria-label="Chart">{drawing.picture("ways")}</div><figcaption>Bars '
        "are on a scale of powers of ten: a step to the right is many times "
        "slower.</figcaption></figure>"
    )


# --- Unrolling: rnn-parity bench ---


def unrolling(slots):
    """The published run: its tables and plots, or how to make one."""
    path = _RESULTS / "unrolling.md"
    if not path.exists():
        return (
            "\nNo run is published with this version of the guide; the "
            "command above makes one.\n"
        )
    shown = re.sub("^#", "###", path.read_text(), flags=re.MULTILINE)
    figures = "".join(
        f'<figure class="plot"><img src="../../assets/results/{plot.name}" '
        f'alt="{html.escape(plot.stem.replace("_", " "))}"></figure>'
        for plot in plots()
    )
    return shown + slots.block(figures)


def plots():
    """The plots of the published run of `rnn-parity bench`."""
    return sorted(_RESULTS.glob("unrolling*.svg"))
