"""What rounding does to a training session: recorded, and nudged."""

import functools
import math

import numpy as np

import recorded
import rnn_parity
from docs_build import measured
from docs_build.svg import Drawing
from docs_build.traps import in_words
from rnn_parity import Config, data, sections
from rnn_parity.config import DTYPES
from rnn_parity.training import stream

STEPS = 600
CURVES = {
    ("s1", "float32"): "b",
    ("s3", "float32"): "a",
    ("s1", "float64"): "b",
    ("s3", "float64"): "a",
}


@functools.cache
def between(key, dtype, one="1.0.1", other="1.15.5"):
    """|loss of one release - loss of the other|, step by step."""
    section = sections.SECTIONS[key]
    losses = []
    for release in (one, other):
        path = recorded.release_path(section, release)
        case = recorded.Case(path, recorded.read(path), f"tutorial/{dtype}/")
        losses.append(case["losses"].astype(float))
    return np.abs(losses[0] - losses[1])


def largest(key, dtype):
    """The largest difference in the loss, in words."""
    return in_words(between(key, dtype).max())


def worst_step(key, dtype):
    """The step at which the difference is largest, from 1."""
    return int(between(key, dtype).argmax()) + 1


def nudged(key, dtype):
    """|change of the loss| where one weight is one unit in the last place
    larger: NumPy, the tutorial's job, the first steps of an epoch."""
    config, section = Config(dtype=dtype), sections.SECTIONS[key]
    params = stream.initial_params(section, config, 0)
    series = stream.epoch(section, config, 0, 0)
    windows = [data.batch_windows(s, config) for s in (series.x, series.y)]
    windows = [each[:STEPS] for each in windows]
    state = np.zeros(section.state_shape(config), dtype)
    other = dict(params)
    name = next(iter(params))
    weights = np.array(params[name], dtype)
    weights.flat[0] = np.nextafter(weights.flat[0], weights.dtype.type(9))
    other[name] = weights
    network = rnn_parity.load(key, "numpy_ref")
    losses = [
        network.train(config, each, *windows, state).losses.astype(float)
        for each in (params, other)
    ]
    return np.abs(losses[0] - losses[1])


def nudge(key, dtype):
    """The largest change of the loss, in words."""
    return in_words(measured.result(nudged, key, dtype).max())


def releases_table(slots):
    """1.0.1 against 1.15.5: the largest difference, section by section."""
    rows = ""
    for key, section in sections.SECTIONS.items():
        if section.masks:
            continue
        rows += f'<tr><th scope="row">{key} {section.title}</th>'
        for dtype in DTYPES:
            difference = between(key, dtype)
            few = in_words(difference[:20].max())
            all_steps = in_words(difference.max())
            for cell in (few, all_steps):
                rows += f'<td class="number">{cell}</td>'
        rows += "</tr>"
    heads = (
        '<th class="number">20 steps</th><th class="number">200 steps</th>'
    )
    return slots.block(
        '<div class="table" tabindex="0" role="region" '
        'aria-label="Drift between releases"><table class="plain"><thead><tr>'
        '<td></td><th colspan="2">float32</th><th colspan="2">float64</th>'
        "</tr>"
        f"<tr><td></td>{heads * 2}</tr></thead><tbody>{rows}</tbody></table>"
        "</div>"
    )


def chart(slots, caption):
    """How a nudge grows, on a scale of powers of ten."""
    left, top, width, height = 56, 24, 380, 240
    drawing = Drawing(
        left + width + 92,
        top + height + 50,
        f"The change of the loss over {STEPS} steps after a nudge of one "
        "unit in the last place, sections 1 and 3 in float32 and float64.",
    )
    lowest, highest = -17, 0

    def place(step, exponent):
        share = (exponent - lowest) / (highest - lowest)
        return left + width * step / STEPS, top + height * (1 - share)

    for exponent in range(lowest + 1, highest + 1, 4):
        _, y = place(0, exponent)
        drawing.path(f"M {left} {y:.1f} h {width}", "line", arrow=False)
        drawing.words(left - 8, y + 4, f"1e{exponent}", "quiet", 12, "end")
    for step in range(0, STEPS + 1, 100):
        x, _ = place(step, 0)
        drawing.words(x, top + height + 20, step, "quiet", 12)
    drawing.words(left + width / 2, top + height + 42, "step", "quiet", 12)
    ends = {}
    for key, dtype in CURVES:
        points = [
            place(*point)
            for point in _smooth(measured.result(nudged, key, dtype))
        ]
        line = " L ".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dashed = dtype == "float64"
        drawing.path(f"M {line}", CURVES[key, dtype], dashed, arrow=False)
        ends[key, dtype] = points[-1][1]
    for (key, dtype), y in _apart(ends).items():
        place_of_label = left + width + 8, y + 4
        words = f"{key} {dtype}"
        colour = CURVES[key, dtype]
        drawing.words(*place_of_label, words, colour, 12, "start")
    return slots.block(
        '<figure class="drawn"><div tabindex="0" role="group" '
        f'aria-label="Chart">{drawing.picture("nudge")}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _apart(heights, least=15):
    """Moves labels down where they would cover one another."""
    moved = {}
    for name in sorted(heights, key=heights.get):
        lowest = max(moved.values(), default=-least) + least
        moved[name] = max(heights[name], lowest)
    return moved


def _smooth(difference, every=10):
    """[(step, exponent of the largest of some steps)]; none for zeros."""
    largest = {
        start + every: difference[start : start + every].max()
        for start in range(0, len(difference), every)
    }
    return [(at, math.log10(each)) for at, each in largest.items() if each]
