"""Checking the files of a V1 checkpoint, tables of "saved tensor slices".

A file's first entry lists the variables, or slices of them, that this file
holds. The others are their values, one entry a slice. Of several files, the
shards, each lists its own, so what a missing one held cannot be told unless
it was part of a partitioned variable.

Source: `tensorflow/core/util/saved_tensor_slice.proto` and
`tensorflow/core/util/tensor_slice_reader.cc` of TensorFlow.
"""

import math

from rnn_parity.checkpoints import sstable, tensor_slice
from rnn_parity.errors import UserError

_META = b""  # the key of the first entry
_FORMAT = 1  # the newest that is known
# Bytes of an element, at the least; integers are of as many as they need.
_FIXED = {"float32": 4, "float64": 8, "complex64": 8, "complex128": 16}
_STRING = 2


def read_meta(paths):
    """What the files of a V1 checkpoint say, all of it checked.

    Args:
        paths: of every file.

    Returns:
        ({name: shape}, {name: type's name}, names of those in slices).

    Raises:
        UserError: a file is missing or damaged, or a part of a variable is
            in none. Whether the values match their checksums is left to
            TensorFlow.
    """
    shapes, types, slices = {}, {}, {}
    for path in paths:
        try:
            meta, sizes = _entries(path)
        except sstable.NoTable:
            raise UserError(
                f"{path} is no TensorFlow checkpoint, or is cut off; give a "
                "prefix such as model.ckpt-1000, a folder or an .npz file"
            ) from None
        for stored in meta.tensor:
            name = stored.name
            with tensor_slice.checked(path, name):
                kind = tensor_slice.type_of(stored.type)
                shape = tensor_slice.shape_of(stored.shape)
                if shapes.setdefault(name, shape) != shape:
                    raise ValueError("has another shape in another place")
                if types.setdefault(name, kind.name) != kind.name:
                    raise ValueError("has another type in another place")
                slices.setdefault(name, []).extend(
                    _slices(stored, shape, kind, sizes)
                )
    for name, found in slices.items():
        with tensor_slice.checked(paths[0], name):
            _must_be_complete(shapes[name], found)
    return shapes, types, {n for n, found in slices.items() if len(found) > 1}


def _entries(path):
    """(what the first entry says, {key: bytes of its value})."""
    from rnn_parity.quiet import tf  # noqa: F401  before its parts

    # isort: split
    from google.protobuf.message import DecodeError
    from tensorflow.core.util import saved_tensor_slice_pb2 as proto

    meta, sizes = None, {}
    with sstable.open_table(path) as table:
        for key, size, read in table.unread_entries():
            if key != _META:
                sizes[key] = size
                continue
            try:
                meta = proto.SavedTensorSlices.FromString(read()).meta
            except DecodeError:
                table.damaged("its list of variables cannot be parsed")
    if meta is None:
        raise sstable.damaged(path, "it does not begin with its variables")
    versions = meta.versions
    if versions.min_consumer > _FORMAT or _FORMAT in versions.bad_consumers:
        raise UserError(
            f"{path} is of a newer format than this TensorFlow reads, "
            f"{versions.min_consumer}; save it again with an older one"
        )
    return meta, sizes


def _slices(stored, shape, kind, sizes):
    """The slices of a variable in a file, after each was checked."""
    if "\0" in stored.name or not stored.name:
        raise ValueError("has no name that a variable can have")
    if not stored.slice:
        raise ValueError("is listed without a value")
    least = _FIXED.get(kind.name, 1 if kind.size else _STRING)
    found = []
    for proto in stored.slice:
        extents = tensor_slice.slice_of(proto, shape)
        key = tensor_slice.slice_key(stored.name.encode(), extents)
        size = sizes.get(key)
        count = math.prod(tensor_slice.sliced_shape(extents, shape))
        if size is None:
            raise ValueError("has a value that is not in the file")
        if count * least > size:
            raise ValueError(
                f"has {count} elements in a value of {size} bytes"
            )
        found.append(extents)
    return found


def _must_be_complete(shape, slices):
    try:
        tensor_slice.must_be_covered(shape, slices)
    except ValueError as error:
        raise ValueError(f"{error}; a shard may be missing") from None
