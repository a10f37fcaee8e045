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
    type=options.Path(),
    metavar="FILE",
    help="Write a page that needs nothing else, instead.",
)
def diff(section, regions, numpy, html):
    """Show SECTION in TensorFlow 1 and 2 side by side, region by region.

    What differs is coloured and marked: | for changed, < and > for lines of
    one side only. In a window too narrow for columns, what was there before
    stands above what became of it.

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
        (side_by_side.REGIONS[region], methods)
        for region in regions
        if (methods := side_by_side.methods(section, region, versions))
    ]
    if not parts:
        raise UserError(
            "only NumPy has a backward pass of its own; add --numpy"
        )
    titles = [_TITLES[version] for version in versions]
    if html:
        from rnn_parity import side_by_side_page

        options.must_begin_with(b"<!DOCTYPE html", html, "HTML page")
        with files.atomic_write(html) as file:
            file.write(side_by_side_page.page(section, titles, parts))
        return
    _print(titles, parts)


def _print(titles, parts):
    from rnn_parity import side_by_side_text

    console = options.console()
    if not console.is_terminal:
        for line in side_by_side_text.in_columns(titles, parts):
            click.echo("".join(text for text, _ in line))
        return
    width = console.width
    layout = side_by_side_text.below
    if side_by_side_text.columns_fit(len(titles), width):
        layout = side_by_side_text.in_columns
    for line in layout(titles, parts, width):
        console.print(_text(line), no_wrap=True, crop=False)


def _text(line):
    from rich.text import Text

    return Text.assemble(*line)
