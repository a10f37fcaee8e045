"""`rnn-parity convert`."""

import sys

import click

from rnn_parity.commands import checkpoint_options, options


@click.command()
@click.argument("checkpoint", type=options.Path())
@click.option(
    "--out",
    required=True,
    type=options.Path(),
    metavar="FILE",
    help="Where to write: .keras, .weights.h5 or .npz.",
)
@checkpoint_options.converting
@click.option(
    "--strict",
    is_flag=True,
    help="Refuse what no Keras layer can express.",
)
@click.option(
    "--whole",
    is_flag=True,
    help="Of an .h5 file that model.save wrote, or a SavedModel of tf.keras: "
    "the model as it was, with all its layers. Takes none of the options "
    "above.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def convert(checkpoint, out, force, whole, **given):
    """Turn a TensorFlow 1 CHECKPOINT into Keras 3 layers, with proof.

    Every converted cell, loop and read-out is run on random data beside
    NumPy equations of the TensorFlow 1 cell; nothing is written if they
    disagree. What a checkpoint cannot tell is an option, and what was
    assumed is printed.

    \b
    Examples:
      rnn-parity convert model.ckpt-1000 --out model.keras
      rnn-parity convert trained/ --out model.keras --forget-bias 0.5
      rnn-parity convert trained/ --out model.keras --averages --strict
      rnn-parity convert model.h5 --out model.keras --whole   # of tf.keras
    """
    checkpoint_options.give_memory_back()
    if whole:
        _convert_whole(checkpoint, out, force)
        return
    from rnn_parity import progress
    from rnn_parity.checkpoints import saving
    from rnn_parity.checkpoints.convert import convert_checkpoint

    with saving.reserve(out, checkpoint, force) as place:
        with progress.shares("converting") as show:
            converted = convert_checkpoint(checkpoint, progress=show, **given)
        converted.save(place)
    _print(converted.report, out)


def _convert_whole(path, out, force):
    checkpoint_options.refuse_others(
        ("checkpoint", "out", "force", "whole"),
        "is for recurrent layers, and --whole takes the model as it is; "
        "leave one of them out",
    )
    from rnn_parity import progress
    from rnn_parity.checkpoints import saving, whole

    with saving.reserve(out, path, force) as place:
        with progress.shares("converting") as show:
            converted = whole.convert_model(path, progress=show)
        converted.save(place)
    console = options.console()
    console.print(
        f"the Keras 3 model computes what tf-keras does, to "
        f"{converted.error:.1e}",
        soft_wrap=True,
    )
    for line in converted.notes:
        console.print(line, soft_wrap=True)
    _print_written(out, converted.own)


def _print(report, out):
    from rich import box
    from rich.table import Table

    console = options.console(options.WIDE)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("TensorFlow 1", overflow="fold")
    table.add_column("Keras", overflow="fold")
    table.add_column("error", justify="right")
    for one in report.agreements:
        table.add_row(one.name, one.form, f"{one.error:.1e}")
    console.print(table)
    for scope, lacking in report.own.items():
        line = f"{scope} has {lacking}, which no Keras layer has; "
        console.print(f"{line}tf2.tf1_cells does", soft_wrap=True)
    for line in report.notes:
        console.print(line, soft_wrap=True)
    for name, why in report.left_out.items():
        console.print(f"left out: {name}, {why}", soft_wrap=True)
    console.print(report.optimizer, soft_wrap=True)
    _print_written(out, report.own)


def _print_written(out, own):
    from rnn_parity import files

    console = options.console()
    for line in files.leftovers(out):
        console.print(line, soft_wrap=True)
    console.print(f"wrote {out}", style="bold", soft_wrap=True)
    if own and str(out).endswith(".keras"):
        console.print(
            "load it with: import keras, tf2.tf1_cells; "
            f"keras.models.load_model({str(out)!r})",
            soft_wrap=True,
        )
    sys.stdout.flush()
