"""What the last published benchmark run says."""

import functools
import html
import json
import math
import pathlib
import re

from benchmarks import training_step
from docs_build.svg import Drawing
from rnn_parity import sections
from rnn_parity.bench import results as bench
from rnn_parity.bench.jobs import LANDMARK

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
    """Seconds until the first epoch is done."""
    return f"{results('training_step')[key][who]['first']:.1f}"


def starts_in(key, who):
    """Seconds to build and compile, before the first step."""
    return (
        f"{training_step.starts_in(results('training_step')[key][who]):.1f}"
    )


def pays_after(key):
    """Epochs after which tf2's longer start has paid for itself."""
    return f"{training_step.pays_after(results('training_step')[key]):.1f}"


def _rounded(number):
    return f"{number:,.0f}" if number >= 20 else f"{number:.1f}"


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
                else '<td class="number">\N{EN DASH}</td>'
            )
        rows += "</tr>"
    return slots.block(
        '<div class="table" tabindex="0" role="region" aria-label="Speed">'
        f'<table class="plain"><thead><tr><td></td>{heads}</tr></thead>'
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
    bar, left, width = 24, 196, 236
    rows = sum(len(row) for row in measured.values())
    height = rows * bar + len(measured) * 40 + 10
    drawing = Drawing(
        left + width + 64, height, "Microseconds per training step."
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


_PLOTS = {
    "unrolling_time": "How long a training step takes, by the number of "
    "time steps T.",
    "unrolling_build": "How long building or tracing takes, by T: what "
    "unrolls grows with T, what loops does not.",
    "unrolling_memory": "How much memory is taken beyond the imports, by T.",
    "unrolling_winner": "Who has the fastest training step, by batch and "
    "width.",
}
_SHOWN = ("Which one when", "This project's fast path", "Goals")


def unrolling(slots):
    """The published run: verdicts, plots, and its other tables folded up."""
    path = _RESULTS / "unrolling.md"
    if not path.exists():
        return (
            "\nNo run is published with this version of the guide; the "
            "command above makes one.\n"
        )
    intro, *parts = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
    intro = intro.partition("\n")[2]
    shown = [part for part in parts if part.startswith(_SHOWN)]
    shown.sort(key=lambda part: _SHOWN.index(_named(part)))
    rest = [part for part in parts if part not in shown]
    verdicts, *more = (f"\n### {part}" for part in shown)
    folded = "".join(map(_folded, rest))
    return (
        f"{intro}{verdicts}{_figures(slots)}{''.join(more)}"
        f"\n### All tables\n{folded}"
    )


def landmark_ms(name):
    """Milliseconds of a strategy's training step where the goals are."""
    found = bench.read(_RESULTS / "unrolling.json")
    return _rounded(1e3 * found.get(LANDMARK, name).median)


def _named(part):
    return next(name for name in _SHOWN if part.startswith(name))


def _folded(part):
    """Markdown that opens when its title is clicked."""
    title, _, text = part.partition("\n")
    body = "".join(f"    {line}\n" for line in text.strip().splitlines())
    return f'\n??? "{title}"\n\n{body}'


def _figures(slots):
    return slots.block(
        "".join(
            '<figure class="plot"><div tabindex="0" role="group" '
            f'aria-label="Plot"><img src="../../assets/results/{plot.name}" '
            f'alt="{html.escape(_caption(plot))}"></div><figcaption>'
            f"{html.escape(_caption(plot))}</figcaption></figure>"
            for plot in plots()
        )
    )


def _caption(plot):
    return _PLOTS.get(plot.stem, plot.stem.replace("_", " "))


def plots():
    """The plots of the published run of `rnn-parity bench`."""
    order = list(_PLOTS)
    return sorted(
        _RESULTS.glob("unrolling*.svg"),
        key=lambda plot: (
            order.index(plot.stem) if plot.stem in order else len(order),
            plot.stem,
        ),
    )
