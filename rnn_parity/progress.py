"""Progress of long work, on stderr: a bar, or lines where there is none."""

import contextlib
import sys
import time

from rnn_parity import text

_SECONDS_BETWEEN_LINES = 5.0


@contextlib.contextmanager
def steps(total, title):
    """Gives advance(description, count=1), to call with a few words."""
    if sys.stderr.isatty():
        with _bar(total, title) as advance:
            yield advance
    else:
        yield _lines(total, title)


@contextlib.contextmanager
def shares(title):
    """Gives show(description, share), the share of the work that is done."""
    with steps(100, title) as advance:
        done = 0

        def show(description, share):
            nonlocal done
            count = int(100 * share) - done
            done += count
            advance(description, count)

        yield show


@contextlib.contextmanager
def _bar(total, title):
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn(title, markup=False),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.description}", markup=False),
    )
    console = Console(stderr=True)
    with progress.Progress(
        *columns, console=console, transient=True
    ) as shown:
        task = shown.add_task("", total=total)

        def advance(description, count=1):
            shown.update(
                task, description=text.escaped(description), advance=count
            )

        yield advance


def _lines(total, title):
    """A line now and then, for logs."""
    done, printed_at = 0, -_SECONDS_BETWEEN_LINES

    def advance(description, count=1):
        nonlocal done, printed_at
        done += count
        now = time.monotonic()
        if now - printed_at >= _SECONDS_BETWEEN_LINES:
            printed_at = now
            line = f"{title} {done}/{total} {text.escaped(description)}"
            print(line, file=sys.stderr)

    return advance
