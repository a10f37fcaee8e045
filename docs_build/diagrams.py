"""The tutorial's diagrams, drawn from what the project's own code returns."""

import numpy as np

from docs_build.svg import CELL, Drawing
from numpy_ref.s1_vanilla_rnn import EchoRNN as VanillaRNN
from numpy_ref.s5_dynamic_rnn import EchoRNN as DynamicRNN
from rnn_parity import Config, data

# The sizes of the tutorial's own drawings.
SMALL = Config(
    total_series_length=36,
    truncated_backprop_length=3,
    batch_size=3,
    state_size=3,
    num_layers=1,
    dtype="float64",
)
_TINTS = ("tint-a", "tint-b", "tint-c")


def reshaped_series():
    """One series becomes rows; arrows show what stays adjacent."""
    x, _ = data.generate_data(SMALL, np.random.RandomState(7))
    rows, columns = x.shape
    left, top, step = 40, 92, CELL + 26
    drawing = Drawing(
        left + columns * CELL + 40,
        top + rows * step,
        f"A series of {x.size} values cut into {rows} rows of {columns}; the "
        "end of each row is followed by the start of the next.",
    )
    narrow = (columns * CELL) / x.size
    drawing.words(left, 20, f"x, {x.size} values in order", anchor="start")
    for place, value in enumerate(x.ravel()):
        fill = "one" if value else "zero"
        drawing.rectangle(left + place * narrow, 28, narrow, 18, fill)
    drawing.words(left, top - 10, f"x.reshape(({rows}, -1))", anchor="start")
    for row in range(rows):
        for column in range(columns):
            drawing.bit(
                left + column * CELL,
                top + row * step,
                x[row, column],
                row * columns + column,
            )
        if row + 1 < rows:
            right, y = left + columns * CELL, top + row * step + CELL / 2
            drawing.path(
                f"M {right} {y} h 16 v {step / 2} H {left - 18} "
                f"v {step / 2} h 15"
            )
    return drawing.picture("reshaped")


def sliding_window():
    """The batch window on the matrix of order indices."""
    order = np.arange(SMALL.total_series_length)
    matrix = order.reshape(SMALL.batch_size, -1)
    windows = data.batch_windows(matrix, SMALL)
    rows, columns = matrix.shape
    left, top = 12, 46
    drawing = Drawing(
        left + columns * CELL + 12,
        top + rows * CELL + 44,
        "A window of three columns over all rows moves three columns to the "
        "right at every step.",
    )
    for row in range(rows):
        for column in range(columns):
            index = matrix[row, column]
            fill = "tint-a" if index in windows[1] else "soft"
            place = left + column * CELL, top + row * CELL
            drawing.cell(*place, index, fill)
    width = SMALL.truncated_backprop_length * CELL
    for number in range(len(windows)):
        x = left + number * width
        if number == 1:
            size = width + 4, rows * CELL + 4
            drawing.rectangle(x - 2, top - 2, *size, "none", "b", True)
        drawing.words(x + width / 2, top - 10, f"window {number}", size=12)
    below = top + rows * CELL + 18
    start = left + 1.5 * width
    drawing.path(f"M {start} {below} h {width - 6}", "b")
    drawing.words(
        start + width / 2,
        below + 18,
        f"{SMALL.truncated_backprop_length} steps on, at every step",
        size=12,
    )
    return drawing.picture("sliding")


def split_columns():
    """The window's columns, one per time step."""
    order = np.arange(SMALL.total_series_length)
    matrix = order.reshape(SMALL.batch_size, -1)
    batch = data.batch_windows(matrix, SMALL)[1]
    rows, steps = batch.shape
    left, top = 20, 40
    apart = CELL + 76
    second = left + steps * CELL + 110
    drawing = Drawing(
        second + (steps - 1) * apart + CELL + 30,
        top + rows * CELL + 34,
        "The batch of three rows becomes three columns, one for each time "
        "step, each holding one value per row.",
    )
    drawing.words(left + steps * CELL / 2, top - 14, "batchX", size=12)
    for step in range(steps):
        for row in range(rows):
            index = batch[row, step]
            y = top + row * CELL
            drawing.cell(
                left + step * CELL, y, index, _TINTS[step], "on-tint"
            )
            x = second + step * apart
            drawing.cell(x, y, index, _TINTS[step], "on-tint")
            if step + 1 < steps:
                middle = y + CELL / 2
                drawing.path(
                    f"M {x + CELL + 4} {middle} h {apart - CELL - 8}"
                )
        name = f"inputs_series[{step}]"
        drawing.words(
            second + step * apart + CELL / 2, top - 14, name, size=11
        )
    middle = top + rows * CELL / 2
    drawing.path(f"M {left + steps * CELL + 16} {middle} h 70")
    drawing.words(
        left + steps * CELL + 51, middle - 8, "unstack", "quiet", 11
    )
    return drawing.picture("split")


def matrices():
    """One step of section 1, with the numbers it computes."""
    np.random.seed(2016)
    network = VanillaRNN(SMALL)
    x, _ = data.generate_data(SMALL, np.random.RandomState(7))
    batch = data.batch_windows(x, SMALL)[1].astype(SMALL.dtype)
    state = np.full((SMALL.batch_size, SMALL.state_size), 0.5)
    states, _ = network.forward_pass(batch, state)
    both, _ = network.tape[0]
    inputs, units = 1, SMALL.state_size
    top, left = 46, 12
    drawing = Drawing(
        522,
        250,
        "Input and state side by side, times W, whose first row belongs to "
        "the input and whose other rows belong to the state, plus b.",
    )
    middle = top + 2 * CELL
    drawing.words(left + 2 * CELL, top - 12, "[x, s]", size=13)
    for row, values in enumerate(both.tolist()):
        y = top + CELL / 2 + row * CELL
        for column, value in enumerate(values):
            fill = "tint-b" if column < inputs else "tint-a"
            place = left + column * CELL, y
            drawing.cell(*place, f"{value:.1f}", fill, "on-tint", 10)
    x = left + (inputs + units) * CELL
    drawing.words(x + 14, middle + 5, "\N{MULTIPLICATION SIGN}", size=18)
    x += 28
    drawing.words(x + 1.5 * CELL, top - 12, "W", size=13)
    tints = ["tint-b"] * inputs + ["tint-a"] * units
    drawing.matrix(x, top, network.W.tolist(), colours=tints)
    x += units * CELL
    drawing.words(x + 14, middle + 5, "+", size=18)
    x += 28
    drawing.words(x + 1.5 * CELL, top - 12, "b", size=13)
    drawing.matrix(x, middle - CELL / 2, network.b.tolist())
    x += units * CELL
    drawing.words(x + 27, middle + 5, "tanh →", size=13)
    x += 54
    drawing.words(x + 1.5 * CELL, top - 12, "next s", size=13)
    drawing.matrix(x, top + CELL / 2, states[0].tolist(), "tint-a")
    y = top + 4 * CELL + 30
    for text, colour in (
        ("orange: the input and W's first row", "b"),
        (
            "blue: the state and W's other rows. Each colour is a product of "
            "its own;",
            "a",
        ),
        ("TensorFlow 1 makes them one, Keras keeps two and adds.", "ink"),
    ):
        drawing.words(left, y, text, colour, 12, "start")
        y += 18
    return drawing.picture("matrices")


def missed_dependency():
    """Which echoes fall into the window of their input, for two lengths."""
    drawing = Drawing(
        430,
        320,
        "With a window as long as the echo every arc crosses a "
        "border; with one twice as long two thirds of them do not.",
    )
    for number, steps in enumerate((3, 6)):
        _echoes(drawing, 30 + number * 160, steps)
    return drawing.picture("missed")


def _echoes(drawing, top, steps):
    config = SMALL.replace(
        total_series_length=12, batch_size=1, truncated_backprop_length=steps
    )
    x, y = data.generate_data(config, np.random.RandomState(3))
    order = np.arange(x.size).reshape(x.shape)
    windows = data.batch_windows(order, config)
    window_of = {i: n for n, window in enumerate(windows) for i in window[0]}
    left, row = 20, top + 62
    seen = 0
    for place in range(x.size):
        drawing.bit(left + place * CELL, row, x[0, place], place)
        echo = place + config.echo_step
        if echo not in window_of:
            continue
        assert y[0, echo] == x[0, place]
        inside = window_of[place] == window_of[echo]
        seen += inside
        start = left + place * CELL + CELL / 2
        end = left + echo * CELL + CELL / 2
        drawing.path(
            f"M {start} {row - 2} C {start} {row - 44} {end} {row - 44} "
            f"{end} {row - 3}",
            "c" if inside else "line",
            dashed=not inside,
            arrow=inside,
        )
    for window in range(len(windows) + 1):
        x_border = left + window * steps * CELL
        drawing.path(
            f"M {x_border} {row - 8} v {CELL + 16}", "b", arrow=False
        )
    echoes = x.size - config.echo_step
    drawing.words(
        left,
        top,
        f"truncated_backprop_length = {steps}: {seen} of {echoes} echoes "
        "within a window",
        size=12,
        anchor="start",
    )


def flattened_logits():
    """The flat batch of section 5: rows first, then steps."""
    rows, steps = SMALL.batch_size, SMALL.truncated_backprop_length
    names = np.array(
        [
            [[f"{r},{t}"] * SMALL.state_size for t in range(steps)]
            for r in range(rows)
        ]
    )
    flat = names.reshape(-1, SMALL.state_size)
    np.random.seed(2016)
    network = DynamicRNN(SMALL)
    states = np.zeros(names.shape)
    logits, _ = network.read_out(states)
    assert len(logits) == len(flat)
    of_step = [int(name.partition(",")[2]) for name in flat[:, 0]]
    tints = [_TINTS[step] for step in of_step]
    gaps = range(steps, len(flat), steps)
    top, left = 50, 70
    classes = SMALL.num_classes
    height = len(flat) * CELL + 8 * len(gaps)
    drawing = Drawing(
        left + 446,
        top + height + 20,
        "States of all rows and steps as one flat batch, row by row, times "
        "W2 plus b2, gives as many logits and labels.",
    )
    drawing.words(left + 45, 18, "states_series", size=12)
    drawing.words(
        left + 45, 34, f"[{len(flat)}, {SMALL.state_size}]", "quiet", 11
    )
    drawing.matrix(left, top, flat.tolist(), gaps=gaps, colours=tints)
    for row in range(rows):
        y = top + row * (steps * CELL + 8) + steps * CELL / 2 + 4
        drawing.words(left - 44, y, f"row {row}", "ink", 12)
    x, middle = left + 3 * CELL, top + height / 2
    drawing.words(x + 18, middle + 6, "\N{MULTIPLICATION SIGN}", size=18)
    x += 36
    drawing.words(x + CELL, middle - 58, "W2", size=12)
    drawing.matrix(x, middle - 1.5 * CELL, network.W2.tolist())
    x += classes * CELL
    drawing.words(x + 18, middle + 6, "+", size=18)
    x += 36
    drawing.words(x + CELL, middle - 28, "b2", size=12)
    drawing.matrix(x, middle - CELL / 2, network.b2.tolist())
    x += classes * CELL
    drawing.words(x + 18, middle + 6, "=", size=18)
    x += 36
    drawing.words(x + CELL, 18, "logits", size=12)
    drawing.words(x + CELL, 34, str(list(logits.shape)), "quiet", 11)
    names_of_logits = flat[:, :classes].tolist()
    drawing.matrix(x, top, names_of_logits, gaps=gaps, colours=tints)
    x += classes * CELL + 30
    drawing.words(x + CELL / 2, 18, "labels", size=12)
    drawing.words(x + CELL / 2, 34, f"[{len(flat)}]", "quiet", 11)
    drawing.matrix(x, top, flat[:, :1].tolist(), gaps=gaps, colours=tints)
    return drawing.picture("flattened")


FIGURES = {
    function.__name__: function
    for function in (
        reshaped_series,
        sliding_window,
        split_columns,
        matrices,
        missed_dependency,
        flattened_logits,
    )
}


def figure(slots, name, caption):
    """A figure for a page."""
    return slots.block(
        f'<figure class="drawn"><div tabindex="0" role="group" '
        f'aria-label="Figure">{FIGURES[name]()}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )
