"""Progress of long work, on stderr: a bar, or lines where there is none."""

import contextlib
import sys
import time

_SECONDS_BETWEEN_LINES = 5.0


@contextlib.contextmanager
def steps(total, title):
    """Gives a function to call with a few words at each step."""
    if sys.stderr.isatty():
        with _bar(total, title) as advance:
            yield advance
    else:
        yield _lines(total, title)


@contextlib.contextmanager
def _bar(total, title):
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn(title),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    with progress.Progress(
        *columns, console=console, transient=True
    ) as shown:
        task = shown.add_task("", total=total)
        started = []

        def advance(description):
            started.append(description)
            shown.update(
                task, description=description, completed=len(started)
            )

        yield advance


def _lines(total, title):
    """A line now and then, for logs."""
    started = []
    last = [-_SECONDS_BETWEEN_LINES]

    def advance(description):
        started.append(description)
        now = time.monotonic()
        if now - last[0] >= _SECONDS_BETWEEN_LINES:
            last[0] = now
            count = f"{len(started)}/{total}"
            print(f"{title} {count} {description}", file=sys.stderr)

    return advance
