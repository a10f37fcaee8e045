"""`rnn-parity diagnose`."""

import click

from rnn_parity.commands import checkpoint_options, options
from rnn_parity.errors import UserError


@click.command()
@click.argument("checkpoint", type=options.Path())
@click.option(
    "--inputs",
    type=options.Path(),
    metavar="X.npy",
    help="What your port was given, [batch, time, features], or ids "
    "[batch, time] that an embedding in the checkpoint is read by.",
)
@click.option(
    "--outputs",
    type=options.Path(),
    metavar="Y.npy",
    help="What it computed: all outputs [batch, time, O], or the last "
    "[batch, O].",
)
@click.option(
    "--final-state",
    type=options.Path(),
    metavar="F.npz",
    help="The final state it computed, as for --state.",
)
@click.option(
    "--lengths",
    type=options.Path(),
    metavar="L.npy",
    help="TensorFlow 1's sequence_length, [batch].",
)
@click.option(
    "--state",
    type=options.Path(),
    metavar="S.npz",
    help="The initial state: arrays [batch, units], c before h, the lowest "
    "layer first, forward before backward; or one array of them all, as "
    ".npy. Zeros by default.",
)
@click.option(
    "--data",
    type=options.Path(),
    metavar="FILE.npz",
    help="All of these in one file, as inputs, outputs, lengths, state and "
    "final_state (or state/0, state/1, ...).",
)
@click.option(
    "--stack",
    metavar="NAME",
    help="Which cells, where the checkpoint has several stacks.",
)
@checkpoint_options.diagnosing
def diagnose(
    checkpoint, inputs, outputs, final_state, lengths, state, data, **told
):
    """Say which mistake explains what your port of CHECKPOINT computed.

    Runs the cells in a TensorFlow 1 checkpoint (a prefix, a folder, an .npz
    or .h5 file) as TensorFlow 1 would, in NumPy, then with every mistake of a
    catalogue, singly, in single layers, in pairs and, the usual ones, in
    threes. Exits with 0 if a mistake explains your numbers or they match as
    they are, 1 if nothing does, 2 for misuse.

    \b
    Examples:
      rnn-parity diagnose model.ckpt-1000 --inputs x.npy --outputs y.npy
      rnn-parity diagnose run/ --data port.npz --forget-bias 0
      rnn-parity diagnose weights.npz --inputs x.npy --outputs last.npy
          --lengths l.npy --state s.npz --stack decoder/rnn
    """
    from rnn_parity import progress
    from rnn_parity.checkpoints import diagnose as search

    given = _given(
        data,
        inputs=inputs,
        outputs=outputs,
        final_state=final_state,
        lengths=lengths,
        state=state,
    )
    found = search.diagnose(checkpoint, **given, **told, watch=progress.steps)
    _print(found)
    if found.verdict == search.UNEXPLAINED:
        return options.DIFFERENT
    return options.OK


def _print(found):
    layers = ", ".join(
        f"{cell.kind.name} ({cell.sizes.inputs} inputs, "
        f"{cell.sizes.units} units)"
        for cell in found.stack.cells
    )
    options.say(f"{found.stack.name}, {found.stack.form}: {layers}")
    for note in found.notes:
        options.say(f"note: {note}")
    for line in found.lines():
        options.say(line)


# --- Files ---


def _given(data, **paths):
    """{what: array, or {name: array}} of all that is given."""
    given = _members(data, list(paths)) if data else {}
    for what, path in paths.items():
        if path is None:
            continue
        if what in given:
            option = what.replace("_", "-")
            raise UserError(f"{what} is in {data} too; leave out --{option}")
        given[what] = _read(path, several="state" in what)
    if "inputs" not in given:
        raise UserError("give --inputs X.npy, or --data with inputs in it")
    if not {"outputs", "final_state"} & set(given):
        raise UserError(
            "give what your port computed: --outputs Y.npy or --final-state"
        )
    return given


def _members(path, known):
    """The members of an .npz file, states with their parts together."""
    arrays = _read(path, several=True)
    if not isinstance(arrays, dict):
        raise UserError(f"{path} is no .npz file; name its array by --inputs")
    found = {}
    for name, array in arrays.items():
        if name in known:
            found[name] = array
            continue
        # The longest first: final_state/0 is no state.
        what = next(
            (
                what
                for what in ("final_state", "state")
                if name.startswith(what)
            ),
            None,
        )
        if what is None:
            raise UserError(
                f"{path} holds {name!r}; it may hold {', '.join(known)}"
            )
        found.setdefault(what, {})
        if not isinstance(found[what], dict):
            raise UserError(f"{path} holds both {what} and {name}")
        found[what][name] = array
    return found


def _read(path, several=False):
    """An array of an .npy file; of an .npz file {name: array}."""
    from rnn_parity import arrays

    found = arrays.load(path)
    if several or not isinstance(found, dict):
        return found
    if len(found) == 1:
        return next(iter(found.values()))
    raise UserError(
        f"{path} holds {len(found)} arrays ({', '.join(found)}); give one "
        "as .npy, or them all as --data"
    )
