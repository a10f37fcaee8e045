"""Checking the index of a V2 checkpoint, which TensorFlow calls a bundle.

The index `PREFIX.index` is a table of variables: their types, their shapes
and where each is in a data file, `PREFIX.data-00000-of-00001` and so on.
TensorFlow believes what it says and ends the process where that is wrong,
so all of it is held against the data files before TensorFlow opens them.

Source: `tensorflow/core/protobuf/tensor_bundle.proto` and
`tensorflow/core/util/tensor_bundle/tensor_bundle.cc` of TensorFlow.
"""

import itertools
import math
import os
import re

from rnn_parity.checkpoints import sstable, tensor_slice
from rnn_parity.errors import UserError
from rnn_parity.files import must_be_regular

_HEADER = b""  # the key of the first entry
_FORMAT = 1  # the newest that is known
_LENGTHS_CHECKSUM = 4  # bytes
_LONGEST_VARINT = 10  # bytes


def read_index(prefix):
    """What the index of a V2 checkpoint says, all of it checked.

    Args:
        prefix: the path before `.index`.

    Returns:
        ({name: shape}, {name: type's name}, the paths of the data files).

    Raises:
        UserError: the index or a data file is missing or damaged, or the
            one does not fit the other. Whether the data match their
            checksums is left to TensorFlow.
    """
    path = f"{prefix}.index"
    header, entries = _entries(path)
    data = _data_files(prefix, header.num_shards)
    index = _Index(path, entries, data)
    index.check()
    return index.shapes, index.types, list(data)


def numbered_beside(prefix, mark=".data"):
    """The files PREFIX MARK-00000-of-00002, ... that are there.

    Args:
        prefix: the path that their names begin with.
        mark: what stands between it and the numbers: ".data" of a V2
            checkpoint, nothing of the shards of a V1.

    Returns:
        {(number, of how many): path}.
    """
    folder, base = os.path.split(prefix)
    if not os.path.isdir(folder or "."):
        return {}
    pattern = re.compile(re.escape(base + mark) + r"-(\d{5})-of-(\d{5})$")
    found = {}
    for name in os.listdir(folder or "."):
        numbers = pattern.match(name)
        if numbers:
            at = tuple(map(int, numbers.groups()))
            found[at] = os.path.join(folder, name)
    return found


def _entries(path):
    """(the header, {key: BundleEntryProto})."""
    from rnn_parity.quiet import tf  # noqa: F401  before its parts

    # isort: split
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import tensor_bundle_pb2 as proto

    found, header = {}, None
    with sstable.open_table(path) as table:
        for key, value in table.entries():
            try:
                if header is not None:
                    found[key] = proto.BundleEntryProto.FromString(value)
                elif key == _HEADER:
                    header = proto.BundleHeaderProto.FromString(value)
                else:
                    break
            except DecodeError:
                table.damaged(f"{sstable.shown(key)} cannot be parsed")
    if header is None:
        raise sstable.damaged(path, "it does not begin with a header")
    _must_be_known(path, header)
    return header, found


def _must_be_known(path, header):
    if header.num_shards < 1:
        raise sstable.damaged(
            path, f"it says that there are {header.num_shards} data files"
        )
    if header.endianness not in (header.LITTLE, header.BIG):
        raise sstable.damaged(path, "it says no order of bytes")
    version = header.version
    if version.min_consumer > _FORMAT or _FORMAT in version.bad_consumers:
        raise UserError(
            f"{path} is of a newer format than this TensorFlow reads, "
            f"{version.min_consumer}; save it again with an older one"
        )


def _data_files(prefix, total):
    """{path: bytes} of all data files, in their order."""
    beside = numbered_beside(prefix)
    if not beside:
        raise UserError(
            f"{prefix} has an index but no data; copy its .data- files too"
        )
    numbers = {number for number, of in beside if of == total}
    if len(numbers) < total:
        first = next(n for n in itertools.count() if n not in numbers)
        raise UserError(
            f"{prefix} lacks {total - len(numbers)} of its {total} data "
            f"files (the first is number {first:05d}); copy the whole "
            "checkpoint"
        )
    paths = [beside[number, total] for number in range(total)]
    for path in paths:
        must_be_regular(path)
    try:
        return {path: os.stat(path).st_size for path in paths}
    except OSError as error:
        raise UserError(
            f"cannot read {error.filename}: {error.strerror}"
        ) from None


class _Index:
    """The entries of an index, being checked.

    Attributes:
        shapes: {name: shape}.
        types: {name: type's name}.
    """

    def __init__(self, path, entries, data):
        self.shapes, self.types = {}, {}
        self._path = path
        self._entries = entries
        self._data = list(data.items())
        self._places = [[] for _ in data]  # (offset, end, name) in each

    def check(self):
        """Checks every entry, on its own and among the others."""
        used = set()
        for key, entry in self._entries.items():
            if key.startswith(b"\x00"):
                continue  # a slice, checked with its variable
            name = self._name(key)
            with tensor_slice.checked(self._path, name):
                kind = tensor_slice.type_of(entry.dtype)
                shape = tensor_slice.shape_of(entry.shape)
                if entry.slices:
                    used.update(self._check_slices(key, entry, shape, name))
                else:
                    self._check_place(entry, shape, kind, name)
            self.shapes[name] = shape
            self.types[name] = kind.name
        if len(used) + len(self.shapes) < len(self._entries):
            raise sstable.damaged(
                self._path, "it has a slice that belongs to no variable"
            )
        self._check_overlaps()

    def _name(self, key):
        try:
            return key.decode("utf-8")
        except UnicodeDecodeError:
            raise sstable.damaged(
                self._path, f"{sstable.shown(key)} is no name of a variable"
            ) from None

    def _check_slices(self, key, entry, shape, name):
        """The keys of the slices of a partitioned variable."""
        slices = [tensor_slice.slice_of(p, shape) for p in entry.slices]
        for extents in slices:
            if all(length == tensor_slice.WHOLE for _, length in extents):
                raise ValueError("has a slice that is all of it")
        tensor_slice.must_be_covered(shape, slices)
        keys = [tensor_slice.slice_key(key, extents) for extents in slices]
        for at, extents in zip(keys, slices, strict=True):
            self._check_slice(at, entry, extents, shape, name)
        return keys

    def _check_slice(self, key, entry, extents, shape, name):
        stored = self._entries.get(key)
        if stored is None:
            raise ValueError("has a slice that is not stored")
        if stored.dtype != entry.dtype:
            raise ValueError("has a slice of another type")
        if stored.slices:
            raise ValueError("has a slice that is in slices itself")
        of_slice = tensor_slice.shape_of(stored.shape)
        if of_slice != tensor_slice.sliced_shape(extents, shape):
            raise ValueError("has a slice of another shape than it says")
        kind = tensor_slice.type_of(stored.dtype)
        self._check_place(stored, of_slice, kind, name)

    def _check_place(self, entry, shape, kind, name):
        """That an entry's bytes are in its file, as many as it needs."""
        if not 0 <= entry.shard_id < len(self._data):
            raise ValueError(
                f"is in data file number {entry.shard_id} of "
                f"{len(self._data)}"
            )
        path, there = self._data[entry.shard_id]
        end = entry.offset + entry.size
        if entry.offset < 0 or entry.size < 0 or end > there:
            raise ValueError(
                f"is at bytes {entry.offset} to {end} of {path}, which has "
                f"{there}"
            )
        count = math.prod(shape)
        if not kind.size:
            _check_strings(path, entry, count)
        elif entry.size != count * kind.size:
            raise ValueError(
                f"takes {entry.size} bytes, and its shape and type "
                f"{count * kind.size}"
            )
        self._places[entry.shard_id].append((entry.offset, end, name))

    def _check_overlaps(self):
        for places in self._places:
            places = sorted(place for place in places if place[0] < place[1])
            for before, after in itertools.pairwise(places):
                if after[0] < before[1]:
                    raise sstable.damaged(
                        self._path,
                        f"variables {before[2]!r} and {after[2]!r} are in "
                        "the same place",
                    )


def _check_strings(path, entry, count):
    """That strings are as long together as their place is.

    Their lengths come first, each of 1 to 10 bytes, then the checksum of
    these, then the strings.
    """
    if count > entry.size:
        raise ValueError(f"has {count} strings in {entry.size} bytes")
    with open(path, "rb") as file:
        file.seek(entry.offset)
        lengths = file.read(min(entry.size, count * _LONGEST_VARINT))
    at = total = 0
    for _ in range(count):
        length, at = sstable.varint(lengths, at)
        if length is None:
            raise ValueError("has strings whose lengths are cut off")
        total += length
    if at + _LENGTHS_CHECKSUM + total != entry.size:
        raise ValueError(
            f"has strings of {total} bytes together in {entry.size} bytes"
        )
