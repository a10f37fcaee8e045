"""`rnn-parity mistakes`."""

import click

from rnn_parity.commands import options
from rnn_parity.config import DTYPES


@click.command()
@click.option(
    "--section",
    "section_keys",
    multiple=True,
    callback=options.section_keys,
    metavar="SECTION",
    help="Only mistakes that can be made in this section, measured there.",
)
def mistakes(section_keys):
    """Print the catalogue of porting mistakes, each measured now.

    Every mistake is made on purpose in NumPy's version of a section and
    held against what TensorFlow 1.15.5 computed, in float32 and float64.
    Needs no TensorFlow.
    """
    from rnn_parity import mistakes as catalogue
    from rnn_parity import progress

    listed = [
        (mistake, _where(mistake, section_keys))
        for mistake in catalogue.CATALOGUE.values()
        if not section_keys or set(section_keys) & set(mistake.sections)
    ]
    rows = []
    with progress.steps(len(listed), "measuring") as advance:
        for mistake, key in listed:
            advance(mistake.name)
            rows.append(
                [catalogue.measure(mistake, key, dtype) for dtype in DTYPES]
            )
    options.console().print(_mistakes_table(rows))


def _where(mistake, section_keys):
    """The first section that was asked for and that it can be made in."""
    return next(
        key
        for key in mistake.sections
        if not section_keys or key in section_keys
    )


def _mistakes_table(rows):
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1), show_lines=False)
    table.caption = (
        "The largest error on that rung, at the odd sizes, in the first of "
        "the sections; in brackets where it is within tolerance."
    )
    table.add_column("mistake", overflow="fold")
    table.caption_justify = "left"
    table.add_column("sections", no_wrap=True)
    table.add_column("shows at", no_wrap=True)
    for dtype in DTYPES:
        table.add_column(dtype, justify="right", no_wrap=True)
    for row in rows:
        mistake = row[0].mistake
        table.add_row(
            Text.assemble(f"{mistake.name}\n", (mistake.explanation, "dim")),
            _span(mistake.sections),
            mistake.rung,
            *map(_error_cell, row),
        )
    return table


def _span(keys):
    """ "s3 to s7" for neighbours, "s1" for one."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"


def _error_cell(measured):
    from rich.text import Text

    error = f"{measured.error:.0e}"
    if measured.rung is None:
        return Text(f"({error})", style="dim")
    return error
