"""What the commands on checkpoints take."""

import functools
import os

import click

from rnn_parity.errors import UserError


def give_memory_back():
    """TensorFlow does not keep what it no longer needs; before its import.

    Its own allocator, of oneDNN, holds as much as ever was in use at once.
    """
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")


def refuse_others(own, why):
    """Refuses options of this command that would not be looked at.

    Args:
        own: the names of those that are.
        why: what follows the option in the message.
    """
    context = click.get_current_context()
    for option in context.command.params:
        if not option.expose_value:  # --debug goes with everything
            continue
        where = context.get_parameter_source(option.name)
        if option.name not in own and where.name == "COMMANDLINE":
            raise UserError(f"{option.opts[0]} {why}")


def _pairs(text, option):
    """SCOPE=VALUE -> (scope, value)."""
    scope, equals, value = text.rpartition("=")
    if not equals or not scope or not value:
        raise UserError(f"{option} wants SCOPE=VALUE, not {text}")
    return scope, value


def _once(pairs, flag):
    """A dict of (scope, value), none given twice."""
    found = {}
    for scope, value in pairs:
        if found.setdefault(scope, value) != value:
            raise UserError(
                f"{flag} {scope} is given as {found[scope]} and as {value}"
            )
    return found


def _cells(_context, _option, values):
    return _once((_pairs(value, "--cell") for value in values), "--cell")


def _per_cell(kind):
    """VALUE for all cells, or SCOPE=VALUE for one, repeatable."""

    def read(_context, option, values):
        flag = option.opts[0]
        scoped = []
        for value in values:
            if "=" in value:
                scope, value = _pairs(value, flag)
                scoped.append((scope, _as(kind, value, flag)))
            elif len(values) > 1:
                raise UserError(
                    f"{flag} is given {len(values)} times; write "
                    f"{flag} SCOPE=VALUE for each"
                )
            else:
                return _as(kind, value, flag)
        return _once(scoped, flag) or None

    return read


def _as(kind, value, flag):
    try:
        return kind(value)
    except ValueError:
        what = "whole number" if kind is int else "number"
        raise UserError(f"{flag} {value} is not a {what}") from None


def _names_pair(_context, _option, values):
    pairs = [tuple(value.split(",")) for value in values]
    for pair, value in zip(pairs, values, strict=True):
        if len(pair) != 2:
            raise UserError(
                f"--bidirectional wants FORWARD,BACKWARD, not {value}"
            )
    return pairs


def _embeddings(_context, _option, values):
    """{table: the stacks that read its rows}; none where it says none."""
    found = {}
    for value in values:
        table, stack = _pairs(value, "--embedding")
        found.setdefault(table, set()).add(stack)
    for table, stacks in found.items():
        if len(stacks) > 1 and "none" in stacks:
            raise UserError(
                f"--embedding {table} is given as none and as "
                f"{', '.join(sorted(stacks - {'none'}))}"
            )
    return {table: sorted(by - {"none"}) for table, by in found.items()}


def _residual(_context, _option, values):
    return True if "all" in values else values


_RECOGNISING = (
    click.option(
        "--cell",
        "cells",
        multiple=True,
        callback=_cells,
        metavar="SCOPE=KIND",
        help="What the cell in a scope is, such as BasicLSTMCell; dense or "
        "other for no cell. Repeatable.",
    ),
    click.option(
        "--bidirectional",
        multiple=True,
        callback=_names_pair,
        metavar="FORWARD,BACKWARD",
        help="Two stacks that are the two directions of one. Repeatable.",
    ),
    click.option(
        "--apart",
        multiple=True,
        metavar="STACK",
        help="A stack that is no direction of another. Repeatable.",
    ),
    click.option(
        "--embedding",
        "embeddings",
        multiple=True,
        callback=_embeddings,
        metavar="TABLE=STACK",
        help="A table of rows that a stack reads by their numbers; "
        "TABLE=none where it feeds none. Repeatable.",
    ),
)
_OF_READ_OUTS = (
    click.option(
        "--transposed",
        multiple=True,
        metavar="NAME",
        help="A read-out whose square kernel is [classes, outputs].",
    ),
)
_OF_CELLS = (
    click.option(
        "--forget-bias",
        multiple=True,
        callback=_per_cell(float),
        metavar="[SCOPE=]VALUE",
        help="Added to the forget gate by TensorFlow 1; 1.0 by default.",
    ),
    click.option(
        "--activation",
        multiple=True,
        callback=_per_cell(str),
        metavar="[SCOPE=]NAME",
        help="tanh by default; relu, sigmoid, linear, elu and so on. Of a "
        "read-out, by its name, none by default.",
    ),
    click.option(
        "--recurrent-activation",
        multiple=True,
        callback=_per_cell(str),
        metavar="[SCOPE=]NAME",
        help="Of the gates of tf.keras' layers: hard_sigmoid by default, as "
        "in TensorFlow 1; sigmoid as in TensorFlow 2.",
    ),
    click.option(
        "--cell-clip",
        multiple=True,
        callback=_per_cell(float),
        metavar="[SCOPE=]VALUE",
        help="Largest magnitude of the cell state; none by default.",
    ),
    click.option(
        "--proj-clip",
        multiple=True,
        callback=_per_cell(float),
        metavar="[SCOPE=]VALUE",
        help="Largest magnitude of a projected output; none by default.",
    ),
    click.option(
        "--residual",
        multiple=True,
        callback=_residual,
        metavar="SCOPE",
        help="A cell with a ResidualWrapper; all for all that can have "
        "one. Repeatable.",
    ),
    click.option(
        "--averages",
        is_flag=True,
        help="Take the exponential moving averages for the weights.",
    ),
)
_OF_THE_MODEL = (
    click.option(
        "--layers",
        multiple=True,
        callback=_per_cell(int),
        metavar="[STACK=]N",
        help="How many layers one cell serves, as [cell] * N.",
    ),
    click.option(
        "--input-keep-prob",
        type=float,
        default=1.0,
        metavar="P",
        help="A DropoutWrapper's, for training further.",
    ),
    click.option(
        "--output-keep-prob",
        type=float,
        default=1.0,
        metavar="P",
        help="The same for outputs.",
    ),
    click.option(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="Of the optimizer; no checkpoint holds it.",
    ),
    click.option(
        "--momentum",
        type=float,
        metavar="M",
        help="Of the Momentum or RMSProp optimizer.",
    ),
)


def _adding(options):
    def add(command):
        return functools.reduce(
            lambda made, option: option(made), reversed(options), command
        )

    return add


recognising = _adding(_RECOGNISING + _OF_READ_OUTS)
converting = _adding(_RECOGNISING + _OF_READ_OUTS + _OF_CELLS + _OF_THE_MODEL)
diagnosing = _adding(_RECOGNISING + _OF_CELLS)
