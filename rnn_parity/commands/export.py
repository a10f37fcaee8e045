"""`rnn-parity export`."""

import click

from rnn_parity.commands import checkpoint_options, options


@click.command()
@click.argument("model", type=click.Path())
@click.option(
    "--out",
    required=True,
    type=click.Path(),
    metavar="CHECKPOINT",
    help="The prefix to write, such as model.ckpt-1000.",
)
@click.option(
    "--like",
    type=click.Path(),
    metavar="CHECKPOINT",
    help="What MODEL was converted from; needed once Keras has saved it "
    "anew. The options below are for that conversion.",
)
@checkpoint_options.converting
@click.option("--force", is_flag=True, help="Replace what is there.")
def export(model, out, like, force, **given):
    """Turn a converted MODEL back into a TensorFlow 1 checkpoint.

    TensorFlow 1.15 restores it under the names it had. What was not changed
    comes back bit for bit; where a model was trained further, biases are
    right to one unit in the last place of what Keras holds, the forget bias
    counted in.

    \b
    Examples:
      rnn-parity export model.keras --out back/model.ckpt
      rnn-parity export tuned.keras --out back/model.ckpt --like model.ckpt
    """
    from rnn_parity.checkpoints.export import export_checkpoint

    if like is None:
        given = {}
    arrays, notes = export_checkpoint(model, out, like, force, **given)
    console = options.console()
    for line in notes:
        console.print(line, soft_wrap=True, markup=False)
    console.print(
        f"wrote {len(arrays)} variables to {out}",
        style="bold",
        soft_wrap=True,
    )
