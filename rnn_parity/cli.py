"""The command line. TensorFlow and NumPy are imported only where used."""

import sys

import click

from rnn_parity import sections
from rnn_parity.config import DTYPES
from rnn_parity.errors import UserError

OK, DIFFERENT, MISUSE, INTERRUPTED = 0, 1, 2, 130


def main(arguments=None):
    """Runs the command line and exits: 0, 1, 2 (misuse) or 130 (Ctrl-C)."""
    try:
        code = cli.main(arguments, "rnn-parity", standalone_mode=False)
    except click.exceptions.Abort:
        _say("interrupted")
        code = INTERRUPTED
    except click.ClickException as error:
        _say(f"error: {error.format_message()}")
        code = MISUSE
    except KeyboardInterrupt:
        _say("interrupted")
        code = INTERRUPTED
    except UserError as error:
        _say(f"error: {error}")
        code = MISUSE
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        sys.stderr.close()
        code = OK
    sys.exit(code or OK)


def _say(line):
    click.echo(f"rnn-parity: {' '.join(line.split())}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rnn-parity")
def cli():
    """TensorFlow 1 recurrent networks, native TensorFlow 2 and NumPy: the
    same sections three ways, proven equal to what TensorFlow 1 computed.
    """


def _names(known):
    """An option value out of `known`, with a hint when misspelt."""

    def check(_context, option, values):
        for value in values:
            if value not in known:
                kind = option.name.removesuffix("s")
                raise UserError(sections.unknown(kind, value, list(known)))
        return values

    return check


def _section_keys(_context, _option, values):
    return tuple(sections.find(value).key for value in values)


@cli.command()
@click.option(
    "--section",
    "section_keys",
    multiple=True,
    callback=_section_keys,
    metavar="SECTION",
    help="Only this section, such as s1 or s1_vanilla_rnn. Repeatable.",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    callback=_names(DTYPES),
    metavar="DTYPE",
    help="Only float32 or float64.",
)
@click.option(
    "--case",
    "cases",
    multiple=True,
    metavar="CASE",
    help="Only the tutorial's sizes (tutorial) or the odd ones (odd).",
)
@click.option(
    "--impl",
    "implementations",
    multiple=True,
    callback=_names(sections.IMPLEMENTATIONS),
    metavar="VERSION",
    help="Only examine legacy_v1, tf2 or numpy_ref. Repeatable.",
)
@click.option(
    "--against",
    multiple=True,
    metavar="REFERENCE",
    help="Only comparisons with this version or TensorFlow release "
    "(0.12.1, 1.0.1 or 1.15.5). Repeatable.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(),
    metavar="FILE",
    help="Also write every comparison to FILE.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes to use; as many as there are cores by default.",
)
def check(
    section_keys, dtypes, cases, implementations, against, json_path, jobs
):
    """Prove that the versions of every section agree.

    Climbs one ladder (shapes, one step, states, logits, predictions, loss,
    gradients, training losses, final weights, accumulators) for each pair
    of versions and each version against each recorded TensorFlow 1
    release. Exits with 0 if all agree, 1 if not, 2 for misuse.

    \b
    Examples:
      rnn-parity check
      rnn-parity check --section s1 --dtype float64 --against 1.15.5
      rnn-parity check --impl numpy_ref --against 1.15.5   (no TensorFlow)
    """
    from rnn_parity import check as proof
    from rnn_parity import files

    wanted = proof.comparisons(
        section_keys or None,
        dtypes or DTYPES,
        cases or None,
        implementations or sections.IMPLEMENTATIONS,
        against,
    )
    if json_path:
        files.must_be_writable(json_path)
    results = _climb(wanted, jobs)
    _print_results(results)
    if json_path:
        _write_json(json_path, results)
    return DIFFERENT if any(r.first for r in results) else OK


def _climb(wanted, jobs):
    from rnn_parity import check as proof
    from rnn_parity import progress
    from rnn_parity.report import Result

    found = {}
    with progress.steps(len(wanted), "checking") as advance:
        for comparison, differences in proof.run_all(wanted, jobs):
            advance(str(comparison))
            found[comparison] = Result(comparison, differences)
    return [found[comparison] for comparison in wanted]


def _print_results(results):
    from rnn_parity import report

    console = _console()
    for table in report.tables(results):
        console.print(table)
        console.print()
    *failures, last = report.summary(results)
    for line in failures:
        console.print(line, style="red", soft_wrap=True)
    console.print(last, style="bold", soft_wrap=True)


def _write_json(path, results):
    import json

    from rnn_parity import files, report

    with files.atomic_write(path) as file:
        json.dump(report.as_json(results), file, indent=1)


@cli.command()
@click.option(
    "--section",
    "section_keys",
    multiple=True,
    callback=_section_keys,
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
    _console().print(_mistakes_table(rows))


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
            f"{mistake.name}\n[dim]{mistake.explanation}[/]",
            _span(mistake.sections),
            mistake.rung,
            *map(_error_cell, row),
        )
    return table


def _span(keys):
    """ "s3 to s7" for neighbours, "s1" for one."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"


def _error_cell(measured):
    error = f"{measured.error:.0e}"
    if measured.rung is None:
        return f"[dim]({error})[/]"
    return error


def _console():
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        return Console(highlight=False, width=100)
    return console
