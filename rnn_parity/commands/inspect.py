"""`rnn-parity inspect`."""

import contextlib

import click

from rnn_parity.commands import checkpoint_options, options

_MANY = 10_000  # variables, which take some seconds


@click.command()
@click.argument("checkpoint", type=options.Path())
@checkpoint_options.recognising
@click.option(
    "--json",
    "json_path",
    type=options.Path(),
    metavar="FILE",
    help="Also write it all to FILE; - writes only that, to stdout.",
)
def inspect(checkpoint, json_path, **answers):
    """List the recurrent cells in a TensorFlow 1 CHECKPOINT.

    CHECKPOINT is a prefix such as model.ckpt-1000, one of its files, a
    folder, a SavedModel, an .npz file, or an .h5 file of tf.keras. Both
    formats and the names of every release are read, and no code of
    TensorFlow 1 runs.

    \b
    Examples:
      rnn-parity inspect model.ckpt-1000
      rnn-parity inspect trained/ --cell rnn/mine=BasicLSTMCell
    """
    from rnn_parity.checkpoints import reader
    from rnn_parity.checkpoints.options import Options

    with _reserved(json_path, checkpoint) as place:
        opened = reader.open_checkpoint(checkpoint)
        with _progress(len(opened.shapes)) as show:
            inventory = Options(**answers).recognise(opened, show)
        if place:
            _write_json(opened, inventory, place)
    if json_path != "-":
        _print(opened, inventory)


def _progress(variables):
    """A function that shows progress where recognising takes long."""
    from rnn_parity import progress

    if variables < _MANY:
        return contextlib.nullcontext()
    return progress.shares(f"recognising {variables} variables")


@contextlib.contextmanager
def _reserved(path, checkpoint):
    """Where to write JSON: None, -, or a `files.Place` that is no input."""
    from rnn_parity import files
    from rnn_parity.checkpoints import sources

    if path in (None, "-"):
        yield path
        return
    options.must_begin_with(b"{", path, "JSON")
    files.must_not_be(path, sources.files_of(checkpoint))
    with files.reserve(path) as place:
        yield place


def _print(opened, inventory):
    console = options.console(options.WIDE)
    for note in opened.notes:
        console.print(note, soft_wrap=True)
    if inventory.stacks:
        console.print(_cells(inventory))
    else:
        console.print("no recurrent cell was recognised")
        console.print()
    if inventory.read_outs:
        console.print(_read_outs(inventory))
    if inventory.embeddings:
        console.print(_embeddings(inventory))
    for line in _lines(inventory):
        console.print(line, soft_wrap=True)
    for question in inventory.questions:
        console.print(
            f"open: {question.text}",
            style="yellow",
            soft_wrap=True,
        )


_NUMERIC = ("layer", "inputs", "units", "classes", "ids", "width")


def _table(*columns):
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for column in columns:
        numeric = column in _NUMERIC
        table.add_column(
            column,
            justify="right" if numeric else "left",
            overflow="fold",
        )
    return table


def _cells(inventory):
    table = _table(
        "stack", "way", "layer", "kind", "inputs", "units", "with", "scope"
    )
    for stack in inventory.stacks:
        ways = (("fw", stack.forward), ("bw", stack.backward))
        for way, cells in ways:
            for layer, cell in enumerate(cells):
                table.add_row(
                    stack.name,
                    way if stack.backward else "",
                    str(layer),
                    cell.kind.name,
                    str(cell.sizes.inputs),
                    str(cell.sizes.units),
                    ", ".join(_extras(cell, inventory)),
                    cell.scope,
                )
    return table


def _extras(cell, inventory):
    found = []
    if cell.peepholes:
        found.append("peepholes")
    if cell.projection:
        found.append(f"projection {cell.sizes.outputs}")
    if any(name in inventory.averages for name in cell.names):
        found.append("averages")
    found += [
        base
        for base, slots in inventory.slots.items()
        if any(n in by_name for by_name in slots.values() for n in cell.names)
    ]
    return found


def _read_outs(inventory):
    table = _table("read-out", "of", "inputs", "classes", "kernel", "bias")
    for one in inventory.read_outs:
        table.add_row(
            one.name,
            one.stack or "(see below)",
            str(one.inputs),
            str(one.classes),
            f"{one.kernel}{' (transposed)' * one.transposed}",
            one.bias or "none",
        )
    return table


def _embeddings(inventory):
    table = _table("embedding", "feeds", "ids", "width", "variable")
    for one in inventory.embeddings:
        feeds = ", ".join(one.stacks) or "nothing here"
        sizes = str(one.vocabulary), str(one.width)
        table.add_row(one.name, feeds, *sizes, one.variable)
    return table


def _lines(inventory):
    for base, slots in inventory.slots.items():
        counts = [f"{name} of {len(v)}" for name, v in slots.items()]
        yield f"slots of {base}: {', '.join(counts)} variables"
    if inventory.averages:
        yield f"moving averages of {len(inventory.averages)} variables"
    if inventory.counters:
        yield f"counters: {', '.join(inventory.counters)}"
    for name, why in inventory.others.items():
        shape = list(inventory.shapes.get(name, ()))
        yield f"not a cell: {name} {shape}, {why}"
    yield from inventory.notes


def _write_json(opened, inventory, path):
    import json

    from rnn_parity import files

    text = json.dumps(_as_json(opened, inventory), indent=1)
    if path == "-":
        click.echo(text)  # JSON escapes control characters itself
        return
    with files.atomic_write(path) as file:
        file.write(text)


def _as_json(opened, inventory):
    return {
        "stacks": [
            {
                "name": stack.name,
                "form": stack.form,
                "cells": [
                    {
                        "scope": cell.scope,
                        "kind": cell.kind.name,
                        "layer": layer,
                        "direction": way,
                        "inputs": cell.sizes.inputs,
                        "units": cell.sizes.units,
                        "outputs": cell.sizes.outputs,
                        "peepholes": cell.peepholes,
                        "projection": cell.projection,
                        "variables": cell.variables,
                    }
                    for way, cells in (
                        ("fw", stack.forward),
                        ("bw", stack.backward),
                    )
                    for layer, cell in enumerate(cells)
                ],
            }
            for stack in inventory.stacks
        ],
        "read_outs": [vars(one) for one in inventory.read_outs],
        "embeddings": [vars(one) for one in inventory.embeddings],
        "slots": inventory.slots,
        "averages": inventory.averages,
        "counters": inventory.counters,
        "others": inventory.others,
        "notes": [*opened.notes, *inventory.notes],
        "questions": [vars(one) for one in inventory.questions],
    }
