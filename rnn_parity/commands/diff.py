"""`rnn-parity diff`."""

import click

from rnn_parity import sections
from rnn_parity.commands import options
from rnn_parity.errors import UserError

_TITLES = {
    "legacy_v1": "TensorFlow 1 (legacy_v1)",
    "tf2": "TensorFlow 2 (tf2)",
    "numpy_ref": "NumPy (numpy_ref)",
}


def _region(_context, _option, value):
    from rnn_parity import side_by_side

    if value is None:
        return list(side_by_side.REGIONS)
    if value not in side_by_side.REGIONS:
        known = list(side_by_side.REGIONS)
        raise UserError(sections.unknown("region", value, known))
    return [value]


@click.command()
@click.argument("section")
@click.option(
    "--region",
    "regions",
    callback=_region,
    metavar="REGION",
    help="Only top, variables, forward, loss, backward or training.",
)
@click.option("--numpy", is_flag=True, help="The NumPy version beside them.")
@click.option(
    "--html",
    type=click.Path(),
    metavar="FILE",
    help="Write a page that needs nothing else, instead.",
)
def diff(section, regions, numpy, html):
    """Show SECTION in TensorFlow 1 and 2 side by side, region by region.

    What differs is coloured; in a pipe it is marked: | for changed, < and >
    for lines of one side only.

    \b
    Examples:
      rnn-parity diff s3
      rnn-parity diff s5 --region forward --numpy
      rnn-parity diff s1 --html s1.html
    """
    from rnn_parity import files, side_by_side

    section = sections.find(section)
    versions = list(sections.IMPLEMENTATIONS[: 3 if numpy else 2])
    parts = [
        (side_by_side.REGIONS[region], rows)
        for region in regions
        if (rows := side_by_side.rows(section, region, versions))
    ]
    if not parts:
        raise UserError(
            "only NumPy has a backward pass of its own; add --numpy"
        )
    titles = [_TITLES[version] for version in versions]
    if html:
        from rnn_parity import side_by_side_page

        files.must_be_writable(html)
        with files.atomic_write(html) as file:
            file.write(side_by_side_page.page(section, titles, parts))
        return
    console = options.console()
    if console.is_terminal:
        _print_coloured(console, titles, parts)
    else:
        for line in _plain(titles, parts):
            click.echo(line)


def _print_coloured(console, titles, parts):
    from rich import box
    from rich.table import Table

    for heading, rows in parts:
        table = Table(
            title=heading,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            padding=(0, 1),
            expand=True,
        )
        for title in titles:
            table.add_column(title, overflow="fold", ratio=1)
        for row in rows:
            table.add_row(*_coloured(row))
        console.print(table)


def _coloured(row):
    from rich.text import Text

    from rnn_parity.side_by_side import changes

    first, second, *others = row.cells
    if row.same:
        return [Text(cell or "") for cell in row.cells]
    pieces = [changes(first, second), changes(second, first)]
    cells = []
    for colour, parts in zip(("red", "green"), pieces, strict=True):
        cells.append(
            Text.assemble(
                *(
                    (piece, f"bold {colour}" if changed else colour)
                    for piece, changed in parts
                )
            )
        )
    return [*cells, *(Text(cell or "", "cyan") for cell in others)]


def _plain(titles, parts):
    width = max(
        len(cell or "")
        for _, rows in parts
        for row in rows
        for cell in row.cells
    )
    yield _line(titles, " ", width)
    for heading, rows in parts:
        yield ""
        yield f"--- {heading} ---"
        yield ""
        for row in rows:
            yield _line([c or "" for c in row.cells], _mark(row), width)


def _line(cells, mark, width):
    first, second, *others = cells
    line = f"{first:{width}} {mark} {second:{width}}"
    for other in others:
        line += f"   {other}"
    return line.rstrip()


def _mark(row):
    if row.same:
        return " "
    first, second, *_ = row.cells
    return "<" if second is None else ">" if first is None else "|"
