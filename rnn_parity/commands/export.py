"""`rnn-parity export`."""

import click

from rnn_parity.commands import checkpoint_options, options


@click.command()
@click.argument("model", type=options.Path())
@click.option(
    "--out",
    required=True,
    type=options.Path(),
    metavar="CHECKPOINT",
    help="The prefix to write, such as model.ckpt-1000.",
)
@click.option(
    "--like",
    type=options.Path(),
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
    counted in, or of the forget bias where that is larger.

    \b
    Examples:
      rnn-parity export model.keras --out back/model.ckpt
      rnn-parity export tuned.keras --out back/model.ckpt --like model.ckpt
    """
    checkpoint_options.give_memory_back()
    from rnn_parity import progress
    from rnn_parity.checkpoints.export import export_checkpoint

    if like is None:
        checkpoint_options.refuse_others(
            ("model", "out", "like", "force"),
            "is for the conversion of --like CHECKPOINT; name that too, or "
            "leave it out",
        )
        given = {}
    with progress.shares("exporting") as show:
        shapes, notes = export_checkpoint(
            model, out, like, force, progress=show, **given
        )
    console = options.console()
    for line in notes:
        console.print(line, soft_wrap=True)
    console.print(
        f"wrote {len(shapes)} variables to {out}",
        style="bold",
        soft_wrap=True,
    )
