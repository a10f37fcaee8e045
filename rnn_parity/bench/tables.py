"""Tables, for a terminal and as Markdown."""

import dataclasses

from rnn_parity.bench import growth, verdict
from rnn_parity.bench import results as asking
from rnn_parity.bench.verdict import seconds

NOT_RUN = "not run"


@dataclasses.dataclass
class Table:
    """Rows of text under a title; the first column is what they are of."""

    title: str
    columns: list
    rows: list
    note: str = ""

    def markdown(self):
        lines = [f"## {self.title}", ""]
        lines.append(f"| {' | '.join(self.columns)} |")
        lines.append("|---" * len(self.columns) + "|")
        for row in self.rows:
            lines.append(f"| {' | '.join(row)} |")
        if self.note:
            lines += ["", self.note]
        return "\n".join([*lines, ""])

    def rich(self):
        from rich import box
        from rich.table import Table as Shown

        shown = Shown(
            title=self.title,
            title_justify="left",
            caption=self.note or None,
            caption_justify="left",
            box=box.SIMPLE,
            padding=(0, 1),
        )
        for number, column in enumerate(self.columns):
            justify = "right" if number and len(self.columns) > 3 else "left"
            shown.add_column(column, justify=justify, overflow="fold")
        for row in self.rows:
            shown.add_row(*row)
        return shown


def summary(results):
    """What a terminal shows: the verdict, the goals, and every job."""
    tables = [_verdict(results), _goals(results)]
    tables += [job_table(results, job) for job in results.jobs]
    return [table for table in tables if table.rows]


def everything(results):
    """What the Markdown file holds."""
    tables = [_verdict(results), _goals(results), _fast_path(results)]
    for jobs in asking.series(results):
        tables += _series(results, jobs)
    for grid in asking.grids(results):
        tables += [_grid(results, grid, kind) for kind in _KINDS]
    tables += [job_table(results, job) for job in results.jobs]
    return [table for table in tables if table.rows]


_KINDS = {"train": "training step", "forward": "forward"}


def markdown(results):
    """The whole Markdown file."""
    title = "Static, dynamic, partial or fused?"
    return page(title, results, everything(results))


def page(title, results, tables):
    """A title, a paragraph on the run, and tables."""
    head = [f"# {title}", "", about(results), ""]
    return "\n".join([*head, *(table.markdown() for table in tables)])


def about(results):
    """A paragraph on the run: preset, machine, versions."""
    machine = results.machine
    libraries = ", ".join(
        f"{name} {version}"
        for name, version in machine.get("libraries", {}).items()
    )
    where = machine.get("gpu") or machine.get("processor", "")
    return (
        f"Preset `{results.preset}` on {machine.get('cores', '?')} cores, "
        f"{where}; Python {machine.get('python_version', '?')}, {libraries}."
        f" {results.note}".rstrip()
    )


def _verdict(results):
    rows = [[v.when, v.use, v.because] for v in verdict.lines(results)]
    return Table(
        "Which one when",
        ["when", "use", "measured"],
        rows,
        "Of what TensorFlow offers, plain or with this project's `unroll`; "
        "PyTorch and JAX are in the other tables.",
    )


def _goals(results):
    rows = [
        ["holds" if g.holds else "does not hold", g.aim, g.measured]
        for g in verdict.goals(results)
    ]
    return Table("Goals", ["", "aim", "measured"], rows)


def _fast_path(results):
    rows = [
        [
            name,
            f"{mean:.2f}",
            f"{won} of {count}",
            f"{worst[0]:.2f} at {worst[1]}",
        ]
        for name, count, mean, won, worst in verdict.fast_path(results)
    ]
    return Table(
        "This project's fast path against each: training step",
        ["strategy", "its time by ours", "jobs ours wins", "worst for ours"],
        rows,
        "Time of the strategy divided by that of `tf2 fast`, a geometric "
        "mean over all jobs; below 1 ours is slower.",
    )


# --- One job ---


def job_table(results, job):
    """All that was measured of a job, a strategy a row."""
    rows = [_job_row(results, job, name) for name in results.names]
    rate = {k: results.rate(job, k) for k in ("train", "square")}
    note = ""
    if all(rate.values()):
        note = (
            f"Share of the matrix-product rate: own, that of the step's own "
            f"products, {rate['train'] / 1e9:.0f} Gflop/s; big, that of a "
            f"large square product, {rate['square'] / 1e9:.0f} Gflop/s."
        )
    return Table(
        str(job),
        [
            "strategy",
            "build",
            "first call",
            "forward",
            "training step",
            "own",
            "big",
            "memory",
            "nodes",
        ],
        [row for row in rows if row],
        note,
    )


def _job_row(results, job, name):
    train = results.get(job, name)
    forward = results.get(job, name, "forward")
    if train is None:
        reason = results.reasons.get((job, name))
        if reason is None:
            return None
        return [name, f"{NOT_RUN}: {reason}", *[""] * 7]
    limit = train.family == "limit"
    return [
        name,
        "" if limit else seconds(train.build),
        "" if limit else seconds(train.first),
        spread(forward),
        spread(train),
        _share(results.share(job, name, "train")),
        _share(results.share(job, name, "square")),
        f"{train.memory / 2**20:.0f} MiB",
        "" if train.nodes is None else str(train.nodes),
    ]


def _share(share):
    return "" if share is None else f"{share:.0%}"


def spread(measured):
    """The median, and the interquartile range in percent of it."""
    share = measured.iqr / measured.median
    return f"{seconds(measured.median)} ±{share:.0%}"


# --- Against T ---


def _series(results, jobs):
    rest = str(jobs[0]).split(" ", 1)[1]
    columns = ["strategy", *(f"T={job.steps}" for job in jobs)]
    shown = {
        f"Training step against T, {rest}": lambda m: spread(m),
        f"Build or trace against T, {rest}": lambda m: seconds(m.build),
        f"First call against T, {rest}": lambda m: seconds(m.first),
        f"Memory against T, {rest}": lambda m: f"{m.memory / 2**20:.0f} MiB",
        f"Graph nodes against T, {rest}": lambda m: str(m.nodes or ""),
    }
    names = [
        n for n in results.names if any(_timed(results, j, n) for j in jobs)
    ]
    for title, show in shown.items():
        rows = [
            [name, *(_cell(results.get(job, name), show) for job in jobs)]
            for name in names
        ]
        yield Table(title, columns, rows)
    yield _growth(results, jobs, names, rest)


def _timed(results, job, name):
    found = results.get(job, name)
    return found is not None and found.family != "limit"


def _cell(measured, show):
    return NOT_RUN if measured is None else show(measured)


def _growth(results, jobs, names, rest):
    rows = []
    for name in names:
        fits = growth.of(results, jobs, name)
        rows.append(
            [
                name,
                _fit(fits["build"], lambda a: seconds(100 * a)),
                _fit(fits["step"], lambda a: seconds(100 * a)),
                _fit(fits["memory"], lambda a: f"{100 * a / 2**20:.1f} MiB"),
            ]
        )
    return Table(
        f"Growth with T, {rest}",
        ["strategy", "build", "training step", "memory"],
        rows,
        "The exponent p of T^p, fitted to the logarithms, and what 100 more "
        "steps of T add, from a straight line.",
    )


def _fit(found, show):
    if found is None:
        return NOT_RUN
    exponent, added = found
    return f"T^{exponent:.2f}, {show(added) if added > 0 else 'nothing'}"


# --- Over batch and width ---


def winner(results, job, kind="train"):
    """(name, seconds) of the fastest of all, or None."""
    found = results.of(job, kind)
    if not found:
        return None
    name = min(found, key=lambda n: found[n].median)
    return name, found[name].median


def _grid(results, grid, kind):
    widths = sorted({job.width for job in grid})
    rows = []
    for batch in sorted({job.batch for job in grid}):
        cells = {job.width: job for job in grid if job.batch == batch}
        rows.append(
            [
                f"B={batch}",
                *(_won(results, cells.get(w), kind) for w in widths),
            ]
        )
    first = grid[0]
    return Table(
        f"Fastest over batch and width, {_KINDS[kind]}, T={first.steps} "
        f"L={first.layers} {first.dtype} {first.device}",
        ["", *(f"H={width}" for width in widths)],
        rows,
    )


def _won(results, job, kind):
    won = job and winner(results, job, kind)
    return f"{won[0]} {seconds(won[1])}" if won else NOT_RUN
