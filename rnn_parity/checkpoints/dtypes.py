"""Which dtypes the parts of a checkpoint may have beside one another.

TensorFlow 1 computes in the dtype of its variables and casts nothing by
itself. So cells that one loop runs have one dtype, and where a graph casts
between parts, to more digits is the only cast that a checkpoint can tell.
"""

import numpy as np

from rnn_parity.errors import UserError

_REAL = ("float16", "float32", "float64")


def check(converted):
    """Says which of the weights do not go together.

    Args:
        converted: `convert.Converted`, nothing built yet.

    Returns:
        Lines about rows and outputs that are cast, exactly.

    Raises:
        UserError: a weight is no real number; a stack, or a read-out, has
            weights of several dtypes; or what one part gives to another
            would lose digits.
    """
    dtypes = {
        name: converted.checkpoint.dtypes[converted.source(name)]
        for name in converted.weights()
    }
    for name, dtype in dtypes.items():
        if dtype not in _REAL:
            raise UserError(
                f"{name} holds {dtype}, and weights are real numbers"
            )
    inventory = converted.inventory
    for stack in inventory.stacks:
        names = [name for cell in stack.cells for name in cell.names]
        _must_be_one(stack.name, names, dtypes)
    for one in inventory.read_outs:
        names = [name for name in (one.kernel, one.bias) if name]
        _must_be_one(one.name, names, dtypes)
    of_stacks = {
        stack.name: stack.cells[0].names[0] for stack in inventory.stacks
    }
    given = [
        (embedding.variable, of_stacks[name])
        for embedding in inventory.embeddings
        for name in embedding.stacks
    ]
    given += [
        (of_stacks[one.stack], one.kernel)
        for one in inventory.read_outs
        if one.stack is not None
    ]
    return [
        _must_widen(*pair, dtypes)
        for pair in given
        if dtypes[pair[0]] != dtypes[pair[1]]
    ]


def _must_be_one(part, names, dtypes):
    first = names[0]
    for name in names:
        if dtypes[name] != dtypes[first]:
            raise UserError(
                f"{part} has weights of several dtypes: {first} is "
                f"{dtypes[first]}, {name} {dtypes[name]}, and TensorFlow 1 "
                f"computes it in one; {_save_anew(dtypes, first, name)}"
            )


def _must_widen(source, reader, dtypes):
    """A line about what `source` gives to `reader`."""
    if np.promote_types(dtypes[source], dtypes[reader]) != dtypes[reader]:
        raise UserError(
            f"{source} is {dtypes[source]}, and {reader}, which takes what "
            f"it gives, {dtypes[reader]}: TensorFlow 1 has rounded one of "
            "them, and no checkpoint tells which; "
            f"{_save_anew(dtypes, source, reader)}"
        )
    return (
        f"what {source} ({dtypes[source]}) gives is cast to {dtypes[reader]} "
        f"for {reader}, which changes no number"
    )


def _save_anew(dtypes, *names):
    widest = np.result_type(*(dtypes[name] for name in names)).name
    return (
        f"save all variables as {widest}, which changes no number (to an "
        f".npz file, numpy.savez with array.astype('{widest}') under each "
        "name), and convert that"
    )
