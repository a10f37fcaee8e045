"""What a `.keras` file may hold, checked before Keras loads it.

It is a zip archive of a configuration, of weights as HDF5, and of what
`saving` adds to find the way back.
"""

import contextlib
import io
import math
import os
import re
import shutil
import struct
import tempfile
import zipfile

from rnn_parity import arrays, files, zips
from rnn_parity.checkpoints import config_safety, kinds
from rnn_parity.checkpoints.hdf5_checks import must_be_self_contained
from rnn_parity.errors import UserError, damaged

CONFIG, METADATA = "config.json", "metadata.json"
WEIGHTS = "model.weights.h5"
FOLDER = "rnn_parity"
ORIGIN = f"{FOLDER}/origin.json"
STRINGS = ".tensor"  # as tf.io serialises them
_KEPT = re.compile(rf"{FOLDER}/kept/\d+(\.npy|{re.escape(STRINGS)})")

# JSON as `fits` takes it: of the origin, and of parts of it.
_NAMES = {str: str}
_SHAPE = [int]
_CELL = {
    "scope": str,
    "kind": tuple(kinds.BY_NAME),
    "variables": {str: [str]},
    "sizes": [int],
    "options": {str: (str, float, int, bool, None)},
    "where": list,
    "shapes": {str: _SHAPE},
}
_READ_OUT = {
    "name": str,
    "kernel": str,
    "bias": (str, None),
    "transposed": bool,
    "layer": str,
    "bias_shape": (_SHAPE, None),
}
_OF_ORIGIN = {
    "format": str,
    "version": int,
    "cells": [_CELL],
    "read_outs": [_READ_OUT],
    "embeddings": [{"variable": str, "layer": str}],
    "sources": _NAMES,
    "optimizer": (str, None),
    "slots": {str: _NAMES},
    "steps": (int, None),
    "kept": _NAMES,
    "stored": _NAMES,
}


def check(path):
    """Refuses a `.keras` file that is damaged, or is not what Keras writes.

    Every member is read once, in blocks, and held against its checksum.

    Raises:
        UserError: it is no `.keras` file, is damaged, holds members that
            are not known, refers to other files, or would take too much
            memory.
    """
    if not os.path.exists(path):
        raise UserError(f"there is no file {path}")
    if not os.path.isdir(path):
        files.must_be_regular(path)
    if os.path.isdir(path) or not zipfile.is_zipfile(path):
        raise UserError(
            f"{path} is no .keras file, or is cut off; give what "
            "rnn-parity convert wrote"
        )
    with zips.opened(path) as archive:
        _must_be_known(path, archive.namelist())
        wrong = archive.testzip()
        if wrong is not None:
            raise UserError(
                f"{path} is damaged: {wrong} has another checksum"
            )
        read_json(path, archive, CONFIG)
        with _seekable(path, archive) as weights:
            must_be_self_contained(weights, f"{path}, {WEIGHTS},")


def _must_be_known(path, names):
    for name in names:
        known = name in (CONFIG, METADATA, WEIGHTS, ORIGIN)
        if not known and not _KEPT.fullmatch(name):
            raise UserError(
                f"{path} holds {name!r}, which neither Keras nor rnn-parity "
                "writes for such a model; it is not loaded"
            )
    for name in (CONFIG, WEIGHTS):
        if name not in names:
            raise UserError(f"{path} is damaged: {name} is missing")


def read_json(path, archive, name):
    """The JSON object in a member.

    Raises:
        UserError: it is damaged, too long or too deep.
    """
    size = archive.getinfo(name).file_size
    what = f"{path}, {name},"
    if size > config_safety.LONGEST_TEXT:
        raise UserError(f"{what} is {size / 1e6:.4g} MB of JSON; too much")
    return config_safety.object_of(archive.read(name), what)


@contextlib.contextmanager
def _seekable(path, archive):
    """The weights as a file; where they are stored plainly, in place."""
    member = archive.getinfo(WEIGHTS)
    if member.compress_type == zipfile.ZIP_STORED:
        with open(path, "rb") as whole:
            # A local header ends in its name and more, of these lengths.
            whole.seek(member.header_offset + 26)
            lengths = struct.unpack("<HH", whole.read(4))
            start = whole.tell() + sum(lengths)
            yield _Part(whole, start, member.file_size)
        return
    with archive.open(member) as file, tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        yield copy


class _Part(io.RawIOBase):
    """Some bytes of a file as a file."""

    def __init__(self, file, start, size):
        self.file, self.start, self.size, self.at = file, start, size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}
        self.at = base[whence] + offset
        return self.at

    def tell(self):
        return self.at

    def readinto(self, buffer):
        count = max(0, min(len(buffer), self.size - self.at))
        self.file.seek(self.start + self.at)
        count = self.file.readinto(memoryview(buffer)[:count])
        self.at += count
        return count


# --- What it says of its origin ---


def check_origin(path, archive, origin):
    """Refuses an origin that is not as `saving` writes it.

    Args:
        path: of the `.keras` file, for messages.
        archive: `zipfile.ZipFile`.
        origin: JSON.

    Raises:
        UserError: a part is missing or of another type, or what it names is
            not in the archive.
    """
    wrong = next(
        (
            name
            for name, wanted in _OF_ORIGIN.items()
            if not fits(origin.get(name), wanted)
        ),
        None,
    )
    kept = set(origin["kept"].values()) if wrong is None else set()
    if wrong is None and not all(map(_is_consistent, origin["cells"])):
        wrong = "cells"
    if not kept <= set(filter(_KEPT.fullmatch, archive.namelist())):
        wrong = "kept"
    if wrong is not None:
        raise UserError(
            f"{path} is damaged: what {ORIGIN} says of {wrong} is missing or "
            "wrong; convert the checkpoint again"
        )


def fits(value, wanted):
    """Whether JSON is of a form.

    Args:
        value: any JSON.
        wanted: a type, of which int means not negative and float finite; a
            value; a tuple of alternatives; [form of all]; {str: form of
            all}; or {key: form} with exactly these keys.
    """
    if isinstance(wanted, tuple):
        return any(fits(value, one) for one in wanted)
    if isinstance(wanted, list):
        return isinstance(value, list) and all(
            fits(each, wanted[0]) for each in value
        )
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            return False
        if str in wanted:
            return all(fits(each, wanted[str]) for each in value.values())
        return set(value) == set(wanted) and all(
            fits(value[key], wanted[key]) for key in wanted
        )
    if wanted is int:
        return type(value) is int and value >= 0
    if wanted is float:
        return type(value) is float and math.isfinite(value)
    if isinstance(wanted, type):
        return isinstance(value, wanted)
    return type(value) is type(wanted) and value == wanted


def _is_consistent(cell):
    """Whether a cell's parts fit one another."""
    where = cell["where"]
    names = [name for each in cell["variables"].values() for name in each]
    return (
        len(where) == 3
        and isinstance(where[0], str)
        and fits(where[1], ("forward_layer", "backward_layer", None))
        and fits(where[2], (int, None))
        and len(cell["sizes"]) == 3
        and all(cell["variables"].values())
        and all(cell["shapes"].get(name) for name in names)
    )


# --- Arrays that are kept ---


def read_kept(path, archive, name):
    """The array in a member that keeps one.

    Raises:
        UserError: it is damaged.
    """
    member = archive.getinfo(name)
    if not name.endswith(STRINGS):
        return arrays.read_member(archive, member, path)
    try:
        return _strings(archive.read(member))
    except Exception as error:  # protobuf's
        raise damaged(f"{path}, {name},", error) from None


def _strings(serialised):
    """An array of `bytes`, of what tf.io.serialize_tensor wrote.

    TensorFlow repeats the last one where there are fewer than the shape has.
    """
    import rnn_parity.quiet  # noqa: F401  before TensorFlow

    # isort: split
    import numpy as np
    from tensorflow.core.framework import tensor_pb2, types_pb2

    proto = tensor_pb2.TensorProto.FromString(serialised)
    shape = [dim.size for dim in proto.tensor_shape.dim]
    found = np.empty(len(proto.string_val), object)
    found[:] = list(proto.string_val)
    if proto.dtype != types_pb2.DT_STRING or min([0, *shape]) < 0:
        raise ValueError("it is no tensor of strings")
    return found.reshape(shape)
