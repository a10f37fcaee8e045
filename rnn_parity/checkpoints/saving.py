"""Writing a converted model, and beside it what the way back needs.

A `.keras` file is a zip archive. A few members more, which Keras does not
look at, say where every array came from: `rnn_parity/origin.json`, and
`rnn_parity/kept/` with what is in no layer: counters, variables that
were not recognised, and biases as they were, since adding a forget bias in
float32 loses low bits. Keras drops them when it saves the model anew.
"""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import shutil
import tempfile
import zipfile

import numpy as np

from rnn_parity import files, zips
from rnn_parity.arrays import write_npz
from rnn_parity.checkpoints import archive as archives
from rnn_parity.checkpoints import (
    forms,
    kinds,
    optimizers,
    reader,
    sources,
)
from rnn_parity.checkpoints.inventory import Cell
from rnn_parity.errors import UserError

SMALL = 64e6  # bytes
_FORMAT, _VERSION = "rnn-parity origin", 1
ENDINGS = (".keras", ".weights.h5", ".npz")


def save(converted, path, force=False):
    """See `convert.Converted.save`; `path` may be what `reserve` gave."""
    with reserve(path, converted.checkpoint.path, force) as place:
        if place.path.endswith(".npz"):
            with place.writing("wb") as file:
                # Zip archives cut names off at a NUL.
                write_npz(
                    file,
                    (
                        (name.replace("\0", "%00"), array)
                        for name, array in arrays(converted)
                    ),
                )
            return
        _write(
            converted.model, place, lambda file: _add_origin(converted, file)
        )


def save_model(model, path, source, force=False):
    """Writes a model that has no origin of ours; see `save`."""
    with reserve(path, source, force) as place:
        if place.path.endswith(".npz"):
            raise UserError(f"{path} must end in .keras or .weights.h5")
        _write(model, place, lambda file: None)


def _write(model, place, add):
    """A model to its file; `add` may put more into a `.keras` file."""
    size = _must_have_room(model, place)
    with _temporary_in(place) as temporary:
        _save_as_keras(model, temporary, size <= SMALL)
        if place.path.endswith(".keras"):
            add(temporary)
            place.put(temporary)
        else:
            # HDF5 crashes on a full disk, so Keras writes it within a zip.
            with (
                zipfile.ZipFile(temporary) as archive,
                archive.open("model.weights.h5") as weights,
                place.writing("wb") as file,
            ):
                shutil.copyfileobj(weights, file)


@contextlib.contextmanager
def reserve(path, source, force=False):
    """Keeps the file to write, from before the long work until after it.

    Args:
        path: of the file, or the `files.Place` that is kept already.
        source: the path of what is converted.

    Yields:
        The `files.Place`.

    Raises:
        UserError: another ending, there already, not writable, the source,
            or another process writes it.
    """
    if not os.fspath(path).rstrip(os.sep).endswith(ENDINGS):
        raise UserError(
            f"{path} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        )
    files.must_not_be(path, sources.files_of(source), "what is converted")
    if not os.path.isdir(path):
        files.must_be_regular(path)
    with files.reserve(path, replace=force) as place:
        yield place


def _must_have_room(model, place):
    """Bytes of the model; HDF5 would crash on a full disk."""
    size = size_of(model)
    free = shutil.disk_usage(place.folder).free
    if free < 2 * size:
        raise UserError(
            f"cannot write {place}: it takes {2 * size / 1e6:.3g} MB for "
            f"a while, and {free / 1e6:.3g} MB are free"
        )
    return size


def size_of(model):
    """Bytes of its variables, the optimizer's too."""
    optimizer = getattr(model, "optimizer", None)
    variables = model.variables + (optimizer.variables if optimizer else [])
    return sum(
        math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables
    )


def _save_as_keras(model, path, small):
    """Writes a `.keras` file, by way of an HDF5 file in it.

    On disk HDF5 crashes where a limit is met; in memory it takes a copy of
    the whole model, which is for small ones. Keras decides by how much
    memory is free, unless what it writes is a folder.
    """
    if small:
        model.save(path)
        return
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        model.save(folder, zipped=False)
        with zipfile.ZipFile(path, "w") as archive:
            for member in sorted(pathlib.Path(folder).rglob("*")):
                if member.is_file():  # assets/ is an empty folder
                    archive.write(member, member.relative_to(folder))


@contextlib.contextmanager
def _temporary_in(place):
    """A path for a `.keras` file; HDF5's errors become one line."""
    try:
        yield place.folder / "model.keras"
    except OSError as error:
        reason = error.strerror or str(error).split("\n", maxsplit=1)[0]
        raise UserError(f"cannot write {place}: {reason}") from None


def arrays(converted):
    """Every ("layer/array", array) in Keras' layout, then the slots'.

    Before them what says so: names are such as tf.keras' layers have.
    """
    yield reader.CONVERTED, np.array("arrays in the layout of Keras 3")
    for place in optimizers.places(converted):
        for name, variable in place.variables.items():
            yield f"{place.name}/{name}", np.asarray(variable)
    optimizer = getattr(converted.model, "optimizer", None)
    if optimizer is None:
        return
    ((base, _),) = converted.inventory.slots.items()
    for slot, attribute in optimizers.MATCHES[base].slots.items():
        values = getattr(optimizer, attribute)
        for place in optimizers.trained_places(converted) if values else ():
            for name, variable in place.variables.items():
                index = optimizer._get_variable_index(variable)
                key = f"optimizer/{base}/{slot}/{place.name}/{name}"
                yield key, np.asarray(values[index])


# --- Where everything came from ---


@dataclasses.dataclass(frozen=True)
class Origin:
    """What the way back needs.

    Attributes:
        cells: list of {"cell": Cell, "options", "where", "shapes"}; where
            is (layer's name, "forward_layer", "backward_layer" or None,
            index in a stack or None).
        read_outs: list of {"name", "kernel", "bias", "transposed", "layer",
            "bias_shape"}.
        embeddings: list of {"variable", "layer"}.
        sources: {variable: what it was read from}, where that is another.
        optimizer: what TensorFlow 1 called it, or None.
        slots: {slot: {variable: name}} of those in the Keras optimizer.
        steps: the optimizer's, when it was converted, not since.
        kept: {variable: function that gives its array} of what is in no
            layer, or not exactly.
        stored: {variable: what it is in the checkpoint}, where that is
            another name.
    """

    cells: list
    read_outs: list
    embeddings: list
    sources: dict
    optimizer: str | None
    slots: dict
    steps: int | None
    kept: dict
    stored: dict


def origin_of(converted):
    """The `Origin` of a converted checkpoint."""
    from rnn_parity.checkpoints import model

    stored = converted.checkpoint.shapes
    cells = [
        {
            "cell": cell,
            "options": converted.cell_options[cell.scope],
            "where": _where(converted, cell),
            "shapes": {
                name: list(stored[converted.source(name)])
                for name in cell.names
            },
        }
        for cell in converted.cells
    ]
    read_outs = [
        {
            "name": one.name,
            "kernel": one.kernel,
            "bias": one.bias,
            "transposed": one.transposed,
            "layer": model.encode(one.name),
            "bias_shape": one.bias
            and list(stored[converted.source(one.bias)]),
        }
        for one in converted.inventory.read_outs
    ]
    embeddings = [
        {"variable": one.variable, "layer": model.encode(one.name)}
        for one in converted.inventory.embeddings
        if one.stacks
    ]
    apart = {
        one.variable
        for one in converted.inventory.embeddings
        if not one.stacks
    }
    sources = {
        name: converted.source(name)
        for name in converted.weights()
        if name not in apart
    }
    optimizer = getattr(converted.model, "optimizer", None)
    base, slots = None, {}
    if optimizer:
        ((base, slots),) = converted.inventory.slots.items()
        slots = optimizers.in_keras(optimizer, base, slots)
    moved = set(sources.values()) - _rounded(converted)
    if base != "Momentum":
        moved |= {
            of_slot
            for by_name in slots.values()
            for name, of_slot in by_name.items()
            if name in sources
        }

    def reading(name):
        return lambda: np.asarray(converted.checkpoint.read(name))

    return Origin(
        cells,
        read_outs,
        embeddings,
        {name: source for name, source in sources.items() if name != source},
        base,
        slots,
        optimizers.steps_before(converted, base) if optimizer else None,
        {name: reading(name) for name in stored if name not in moved},
        {
            name: at
            for name, at in converted.checkpoint.stored.items()
            if name != at
        },
    )


def _rounded(converted):
    """The variables that converting does not leave as they were."""
    found = set()
    for cell in converted.cells:
        folded = converted.cell_options[cell.scope].get("forget_bias", 0.0)
        added_up = cell.kind.name == forms.TWO_BIASES
        if (folded or added_up) and "bias" in cell.variables:
            (name,) = cell.variables["bias"]
            found.add(converted.source(name))
    return found


def _where(converted, cell):
    """How to find a cell's arrays in the model."""
    import keras

    from rnn_parity.checkpoints import model

    runner = converted._runners[cell.scope]
    name, way, index = runner.layer.name, None, None
    for layer in converted.model.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            for attribute in ("forward_layer", "backward_layer"):
                if getattr(layer, attribute) is runner.layer:
                    name, way = layer.name, attribute
    inside = model._inner_cells(runner.layer)
    if len(inside) > 1:
        index = [c is runner.keras_cell for c in inside].index(True)
    return [name, way, index]


def _add_origin(converted, path):
    origin = origin_of(converted)
    stored = converted.checkpoint.dtypes
    text = {
        "format": _FORMAT,
        "version": _VERSION,
        "cells": [
            {
                **{k: v for k, v in of_cell.items() if k != "cell"},
                "scope": of_cell["cell"].scope,
                "kind": of_cell["cell"].kind.name,
                "variables": of_cell["cell"].variables,
                "sizes": dataclasses.astuple(of_cell["cell"].sizes),
            }
            for of_cell in origin.cells
        ],
        "read_outs": origin.read_outs,
        "embeddings": origin.embeddings,
        "sources": origin.sources,
        "optimizer": origin.optimizer,
        "slots": origin.slots,
        "steps": origin.steps,
        "kept": {
            name: f"{archives.FOLDER}/kept/{number}"
            + (archives.STRINGS if stored[name] == "string" else ".npy")
            for number, name in enumerate(origin.kept)
        },
        "stored": origin.stored,
    }
    with zipfile.ZipFile(path, "a") as archive:
        for name, member in text["kept"].items():
            with archive.open(member, "w", force_zip64=True) as file:
                _write_array(file, origin.kept[name](), member)
        archive.writestr(archives.ORIGIN, json.dumps(text, indent=1))


def _write_array(file, array, member):
    if member.endswith(archives.STRINGS):  # NumPy would need pickle
        from rnn_parity.quiet import tf

        file.write(tf.io.serialize_tensor(tf.constant(array)).numpy())
    else:
        np.lib.format.write_array(file, array, allow_pickle=False)


def read_origin(path):
    """The `Origin` in a `.keras` file, or None where there is none.

    Its arrays are read from the file as it is now, whatever becomes of it.

    Raises:
        UserError: it is damaged, or of a version that is not known.
    """
    with zips.opened(path) as archive:
        if archives.ORIGIN not in archive.namelist():
            return None
        text = archives.read_json(path, archive, archives.ORIGIN)
        if text.get("version") != _VERSION:
            raise UserError(
                f"{path} was converted by another release of rnn-parity"
            )
        # Older files have neither.
        text = {"embeddings": [], "stored": {}} | text
        archives.check_origin(path, archive, text)
    archive = zipfile.ZipFile(path)  # open as long as something reads from it

    def reading(member):
        return lambda: archives.read_kept(path, archive, member)

    cells = [
        {
            "cell": Cell(
                one["scope"],
                kinds.BY_NAME[one["kind"]],
                kinds.Sizes(*one["sizes"]),
                {k: tuple(v) for k, v in one["variables"].items()},
            ),
            "options": one["options"],
            "where": one["where"],
            "shapes": one["shapes"],
        }
        for one in text["cells"]
    ]
    return Origin(
        cells,
        text["read_outs"],
        text["embeddings"],
        text["sources"],
        text["optimizer"],
        text["slots"],
        text["steps"],
        {name: reading(member) for name, member in text["kept"].items()},
        text["stored"],
    )
