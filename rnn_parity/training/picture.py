"""The tutorial's picture: the loss, and each row's input, echo, prediction.

Files and films need no display; only `Window` does.
"""

import io
import math
import os
import pathlib
import time

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rnn_parity import files
from rnn_parity.errors import UserError

_MOST_ROWS = 11
_MOST_FRAMES = 100
_SECONDS_BETWEEN_DRAWINGS = 0.2
# Okabe and Ito's palette, told apart by colour-blind people too.
_INPUT, _ECHO, _PREDICTION, _LINE = "#0072B2", "#D55E00", "#009E73", "#555555"
_PAST_THE_END = "#DDDDDD"


def draw(figure, losses, view, config, title):
    """Draws the picture anew.

    Args:
        figure: a `matplotlib.figure.Figure`.
        losses: [steps so far].
        view: `session.View`, the window to show row by row.
        config: `rnn_parity.Config`.
        title: what was trained.
    """
    figure.clear()
    rows = min(len(view.x), _MOST_ROWS)
    columns = 3 if rows <= 5 else 4
    grid = figure.subplots(
        math.ceil((rows + 1) / columns), columns, squeeze=False
    ).ravel()
    _draw_loss(grid[0], losses, config)
    for row in range(rows):
        _draw_row(grid[row + 1], view, row, config)
    for axes in grid[rows + 1 :]:
        axes.set_axis_off()
    shown = "" if rows == len(view.x) else f", rows 1 to {rows} shown"
    figure.suptitle(f"{title}{shown}", fontsize=10)
    figure.legend(
        *grid[1].get_legend_handles_labels(),
        loc="lower center",
        ncols=3,
        fontsize=9,
        frameon=False,
    )
    figure.tight_layout(rect=(0, 0.05, 1, 1))


def _draw_loss(axes, losses, config):
    steps = np.arange(len(losses))
    axes.plot(steps, losses, color=_LINE, linewidth=0.7)
    first = steps[:: config.num_batches]
    axes.plot(
        first, losses[first], ".", color=_ECHO, markersize=3, clip_on=False
    )
    axes.set_title("loss (dots: first batch of an epoch)", fontsize=8)
    axes.set_xlabel("training step", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.set_ylim(bottom=0)


def _draw_row(axes, view, row, config):
    steps = np.arange(config.truncated_backprop_length)
    highest = max(config.num_classes - 1, 1)
    for values, height, colour, label in (
        (view.x, 1.0, _INPUT, "input"),
        (view.y, 0.5, _ECHO, f"its echo, {config.echo_step} steps later"),
        (view.predicted, 0.3, _PREDICTION, "the network's echo"),
    ):
        heights = values[row] / highest * height
        heights = np.where(steps < view.lengths[row], heights, 0)
        axes.bar(steps, heights, width=1, color=colour, label=label)
    end = len(steps) - 0.5
    over = ""
    if view.lengths[row] < len(steps):
        over = " (grey: past its end)"
        axes.axvspan(view.lengths[row] - 0.5, end, color=_PAST_THE_END)
    axes.set_xlim(-0.5, end)
    axes.set_ylim(0, 2)
    axes.set_yticks([])
    axes.set_title(f"row {row + 1}{over}", fontsize=8)
    axes.set_xlabel("time step in the window", fontsize=8)
    axes.tick_params(labelsize=7)


def new_figure():
    figure = Figure(figsize=(10, 6), dpi=100)
    FigureCanvasAgg(figure)
    return figure


_FORMATS = (".png", ".svg", ".pdf")


def check_figure(path):
    """Says before the training what would fail after it."""
    _check_suffix(path, _FORMATS)
    files.must_be_writable(path)


def check_film(path):
    _check_suffix(path, (".gif",))
    files.must_be_writable(path)


def _check_suffix(path, known):
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in known:
        raise UserError(
            f"{path} ends in {suffix or 'nothing'}; the picture can be "
            f"written as {', '.join(known)}"
        )


def save(path, *drawn):
    """Writes the picture; `drawn` is what `draw` takes after the figure."""
    figure = new_figure()
    draw(figure, *drawn)
    content = io.BytesIO()
    figure.savefig(content, format=pathlib.Path(path).suffix[1:].lower())
    with files.atomic_write(path, "wb") as file:
        file.write(content.getvalue())


class Film:
    """Pictures taken while training, as a GIF of at most 100 frames."""

    def __init__(self, path, calls):
        self.path = path
        self.every = math.ceil(calls / _MOST_FRAMES)
        self.calls = 0
        self.frames = []

    def __call__(self, drawn):
        """Takes a frame now and then; `drawn()` gives what to draw."""
        self.calls += 1
        if self.calls % self.every == 0:
            self.take(*drawn())

    def take(self, *drawn):
        from PIL import Image

        figure = new_figure()
        draw(figure, *drawn)
        figure.canvas.draw()
        frame = Image.fromarray(np.asarray(figure.canvas.buffer_rgba()))
        self.frames.append(frame.convert("P", palette=Image.Palette.ADAPTIVE))

    def write(self, *drawn):
        """Writes the film; the last frame, given here, stays longer."""
        self.take(*drawn)
        times = [100] * (len(self.frames) - 1) + [3000]
        content = io.BytesIO()
        self.frames[0].save(
            content,
            format="GIF",
            save_all=True,
            append_images=self.frames[1:],
            duration=times,
            loop=0,
        )
        with files.atomic_write(self.path, "wb") as file:
            file.write(content.getvalue())

    def finish(self):
        """Nothing is left to do."""


class Window:
    """The picture in a window, drawn anew while training."""

    def __init__(self):
        if not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise UserError(
                "--live needs a display and there is none; use --figure "
                "FILE or --animate FILE"
            )
        from matplotlib import pyplot

        try:
            pyplot.switch_backend("TkAgg")
            self.figure = pyplot.figure(figsize=(10, 6))
        except Exception as error:  # Tk names its errors by release
            raise UserError(
                f"--live cannot open a window ({error}); use --figure FILE "
                "or --animate FILE"
            ) from None
        self.pyplot = pyplot
        self.figure.canvas.manager.set_window_title("rnn-parity")
        pyplot.show(block=False)
        self.drawn_at = -math.inf

    def __call__(self, drawn):
        """Draws, unless it just did or the window is closed."""
        now = time.monotonic()
        if now - self.drawn_at >= _SECONDS_BETWEEN_DRAWINGS:
            self.drawn_at = now
            self.show(*drawn())

    def write(self, *drawn):
        """Shows the last picture."""
        self.show(*drawn)

    def show(self, *drawn):
        if self.pyplot.fignum_exists(self.figure.number):
            draw(self.figure, *drawn)
            self.figure.canvas.draw_idle()
            self.figure.canvas.flush_events()

    def finish(self):
        """Waits until the window is closed."""
        self.pyplot.show(block=True)
