"""Plots of a run: lines against T, and who wins over batch and width."""

import pathlib

from rnn_parity.bench import results as asking
from rnn_parity.bench import tables

_STYLES = {"tf1": ":", "tf2": "-", "keras": "--", "peer": "-."}
_MARKS = "osDv^<>PX*hp"


def write(results, folder, prefix="unrolling"):
    """Draws what the run has jobs for.

    Args:
        results: a `results.Results`.
        folder: must exist; files there are replaced.
        prefix: how their names start.

    Returns:
        The paths, a .png and an .svg of each.
    """
    figures = {}
    for jobs in asking.series(results)[:1]:
        figures |= {
            "time": _lines(
                results, jobs, "training step [s]", lambda m: m.median
            ),
            "build": _lines(
                results, jobs, "build or trace [s]", lambda m: m.build
            ),
            "memory": _lines(
                results,
                jobs,
                "memory beyond the imports [MiB]",
                lambda m: m.memory / 2**20,
            ),
        }
    for grid in asking.grids(results)[:1]:
        figures["winner"] = _heat_map(results, grid)
    paths = []
    for name, figure in figures.items():
        paths += _save(figure, pathlib.Path(folder) / f"{prefix}_{name}")
    return paths


def _save(figure, path):
    from rnn_parity import files

    paths = []
    for suffix in (".png", ".svg"):
        where = path.with_name(path.name + suffix)
        with files.atomic_write(where, "wb") as file:
            # No date in it: the same results give the same file.
            metadata = {"Date": None} if suffix == ".svg" else None
            figure.savefig(
                file, format=suffix[1:], dpi=110, metadata=metadata
            )
        paths.append(where)
    return paths


def _figure(width, height):
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "rnn-parity"
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _colours(names):
    import matplotlib

    palette = matplotlib.colormaps["tab20"]
    order = [*range(0, 20, 2), *range(1, 20, 2)]
    return {name: palette(order[n % 20]) for n, name in enumerate(names)}


def _names(results, jobs):
    """Strategies that were timed at any of the jobs."""
    return [
        name
        for name in results.names
        if any(name in results.of(job) for job in jobs)
    ]


def _lines(results, jobs, label, value):
    figure, axes = _figure(8.5, 5)
    names = _names(results, jobs)
    colours = _colours(names)
    for number, name in enumerate(names):
        found = [(job.steps, results.get(job, name)) for job in jobs]
        found = [(steps, m) for steps, m in found if m]
        axes.plot(
            [steps for steps, _ in found],
            [value(m) for _, m in found],
            _STYLES[found[0][1].family],
            color=colours[name],
            marker=_MARKS[number % len(_MARKS)],
            markersize=4,
            label=name,
        )
    axes.set(xscale="log", yscale="log", xlabel="T", ylabel=label)
    axes.set_xticks([job.steps for job in jobs])
    axes.get_xaxis().set_major_formatter("{x:.0f}")
    axes.get_xaxis().set_minor_formatter("")
    axes.set_title(str(jobs[0]).split(" ", 1)[1], fontsize=10)
    axes.grid(True, which="major", alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    return figure


def _heat_map(results, grid):
    """Every cell in its winner's colour, with its time in it."""
    batches = sorted({job.batch for job in grid})
    widths = sorted({job.width for job in grid})
    figure, axes = _figure(1.9 * len(widths) + 1, 0.9 * len(batches) + 1.4)
    won = {job: tables.winner(results, job) for job in grid}
    winners = {winner[0] for winner in won.values() if winner}
    names = [name for name in results.names if name in winners]
    colours = _colours(names)
    for job, winner in won.items():
        if winner is None:
            continue
        place = widths.index(job.width), batches.index(job.batch)
        _fill(axes, place, *winner, colours[winner[0]])
    axes.set(
        xlim=(-0.5, len(widths) - 0.5),
        ylim=(-0.5, len(batches) - 0.5),
        xlabel="width H",
        ylabel="batch B",
    )
    axes.set_xticks(range(len(widths)), widths)
    axes.set_yticks(range(len(batches)), batches)
    axes.set_title(
        f"Fastest training step, T={grid[0].steps} {grid[0].dtype} "
        f"{grid[0].device}",
        fontsize=10,
    )
    return figure


def _fill(axes, place, name, time, colour):
    from matplotlib.patches import Rectangle

    x, y = place
    corner = x - 0.5, y - 0.5
    axes.add_patch(Rectangle(corner, 1, 1, color=colour, alpha=0.5))
    axes.text(
        x,
        y,
        f"{name}\n{tables.seconds(time)}",
        ha="center",
        va="center",
        fontsize=8,
    )
