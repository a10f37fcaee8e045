"""`rnn-parity check`."""

import contextlib

import click

from rnn_parity import sections
from rnn_parity.commands import options
from rnn_parity.config import DTYPES


@click.command()
@click.option(
    "--section",
    "section_keys",
    multiple=True,
    callback=options.section_keys,
    metavar="SECTION",
    help="Only this section, such as s1 or s1_vanilla_rnn. Repeatable.",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    callback=options.names(DTYPES),
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
    callback=options.names(sections.IMPLEMENTATIONS),
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
    type=options.Path(),
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

    wanted = proof.comparisons(
        section_keys or None,
        dtypes or DTYPES,
        cases or None,
        implementations or sections.IMPLEMENTATIONS,
        against,
    )
    with _reserved(json_path) as place:
        results = _climb(wanted, jobs)
        if place:
            _write_json(place, results)
    _print_results(results)
    return options.DIFFERENT if any(r.first for r in results) else options.OK


@contextlib.contextmanager
def _reserved(path):
    """The `files.Place` to write to at the end, if any."""
    from rnn_parity import files

    if path is None:
        yield None
        return
    options.must_begin_with(b"{", path, "JSON")
    with files.reserve(path) as place:
        yield place


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

    console = options.console()
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
