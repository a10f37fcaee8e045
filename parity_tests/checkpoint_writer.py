"""Writes checkpoints of TensorFlow entry by entry, right or wrong.

Checksums are right in any case, as in a file that somebody made on purpose.
"""

import struct

import numpy as np

from rnn_parity.checkpoints import crc32c, tensor_slice
from rnn_parity.quiet import tf

# isort: split
from tensorflow.core.protobuf import tensor_bundle_pb2
from tensorflow.core.util import saved_tensor_slice_pb2

MAGIC = bytes.fromhex("57fb808b247547db")


def varint(number):
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def checksum(data):
    return struct.pack("<I", crc32c.masked(data))


# --- Tables ---


def entry(key, value, shared=0):
    """An entry of a block, its key without the bytes it shares."""
    head = varint(shared) + varint(len(key)) + varint(len(value))
    return head + key + value


def block(entries, restarts=None):
    """A block of (key, value), every 16th key stored in full."""
    stored, at, last = b"", [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % 16:
            while key[:shared] == last[:shared] and shared < len(key):
                shared += 1
            shared -= key[:shared] != last[:shared]
        else:
            at.append(len(stored))
        stored += entry(key[shared:], value, shared)
        last = key
    at = at or [0] if restarts is None else restarts
    return stored + struct.pack(f"<{len(at) + 1}I", *at, len(at))


def trailed(content, compression=0):
    """A block as it is in a file."""
    content += bytes([compression])
    return content + checksum(content)


def table_of(blocks, handles=None, compression=0):
    """A table of (last key, content of a block).

    Args:
        handles: changes the list of (key, offset, size) that is stored.
    """
    stored, places = b"", []
    for key, content in blocks:
        places.append((key, len(stored), len(content)))
        stored += trailed(content, compression)
    if handles:
        places = handles(places)
    meta_index, empty = len(stored), block([])
    stored += trailed(empty)
    index = block(
        [(key, varint(at) + varint(size)) for key, at, size in places]
    )
    footer = varint(meta_index) + varint(len(empty))
    footer += varint(len(stored)) + varint(len(index))
    return stored + trailed(index) + footer.ljust(40, b"\0") + MAGIC


def table(entries, in_a_block=7):
    """A table of (key, value), in the order given."""
    entries = list(entries)
    parts = [
        entries[at : at + in_a_block]
        for at in range(0, len(entries), in_a_block)
    ]
    return table_of([(part[-1][0], block(part)) for part in parts])


# --- V2 ---


class Bundle:
    """A V2 checkpoint that is being made.

    Attributes:
        header: BundleHeaderProto.
        entries: {key: BundleEntryProto}, to be changed at will.
        data: what each data file holds.
    """

    def __init__(self, shards=2):
        self.header = tensor_bundle_pb2.BundleHeaderProto(num_shards=shards)
        self.header.version.producer = 1
        self.entries = {}
        self.data = [bytearray() for _ in range(shards)]

    def add(self, name, array, shard=0):
        kind = tf.as_dtype(array.dtype).as_datatype_enum
        raw = array.tobytes()
        self._place(name.encode(), kind, array.shape, raw, shard)

    def add_strings(self, name, strings, shard=0):
        lengths = b"".join(varint(len(one)) for one in strings)
        summed = b"".join(struct.pack("<I", len(one)) for one in strings)
        after = checksum(summed) + b"".join(strings)
        self._place(
            name.encode(), 7, [len(strings)], lengths + after, shard,
            summed + after,
        )  # fmt: skip

    def add_slices(self, name, array, rows, shard=1):
        """A variable partitioned by rows, as many in each as `rows` says."""
        full = self.entry(name)
        full.dtype = tf.as_dtype(array.dtype).as_datatype_enum
        _set_shape(full.shape, array.shape)
        start = 0
        for count in rows:
            extents = [(start, count)] + [(0, -1)] * (array.ndim - 1)
            _add_extents(full.slices.add(), extents)
            part = array[start : start + count]
            key = tensor_slice.slice_key(name.encode(), extents)
            self._place(key, full.dtype, part.shape, part.tobytes(), shard)
            start += count

    def entry(self, key):
        key = key if isinstance(key, bytes) else key.encode()
        return self.entries.setdefault(
            key, tensor_bundle_pb2.BundleEntryProto()
        )

    def _place(self, key, kind, shape, raw, shard, summed=None):
        one = self.entry(key)
        one.dtype, one.shard_id = kind, shard
        one.offset, one.size = len(self.data[shard]), len(raw)
        one.crc32c = crc32c.masked(raw if summed is None else summed)
        _set_shape(one.shape, shape)
        self.data[shard] += raw

    def stored(self):
        """[(key, value)] of the index, in order."""
        return [
            (b"", self.header.SerializeToString()),
            *sorted(
                (key, one.SerializeToString())
                for key, one in self.entries.items()
            ),
        ]

    def write(self, prefix, index=None):
        """Writes all files; the index from its entries, or as it is."""
        with open(f"{prefix}.index", "wb") as file:
            file.write(table(self.stored()) if index is None else index)
        for number, data in enumerate(self.data):
            ending = f".data-{number:05d}-of-{len(self.data):05d}"
            with open(f"{prefix}{ending}", "wb") as file:
                file.write(data)


def _set_shape(proto, shape):
    del proto.dim[:]
    for size in shape:
        proto.dim.add().size = size


def _add_extents(proto, extents):
    for start, length in extents:
        extent = proto.extent.add()
        if length != -1:
            extent.start, extent.length = start, length


# --- V1 ---


class Slices:
    """A file of a V1 checkpoint that is being made.

    Attributes:
        meta: what its first entry lists.
        values: {key: SavedTensorSlices}.
    """

    def __init__(self):
        first = saved_tensor_slice_pb2.SavedTensorSlices()
        first.meta.versions.producer = 1
        self.first, self.meta, self.values = first, first.meta, {}

    def add(self, name, array, shape=None, start=None):
        """A variable, or rows of one of another shape from `start` on."""
        listed = self.meta.tensor.add(name=name)
        listed.type = tf.as_dtype(array.dtype).as_datatype_enum
        _set_shape(listed.shape, shape or array.shape)
        extents = [(0, -1)] * array.ndim
        if start is not None:
            extents[0] = (start, len(array))
        _add_extents(listed.slice.add(), extents)
        value = saved_tensor_slice_pb2.SavedTensorSlices()
        value.data.name = name
        _add_extents(value.data.slice, extents)
        value.data.data.dtype = listed.type
        field = {np.dtype("f4"): "float_val", np.dtype("i4"): "int_val"}
        getattr(value.data.data, field[array.dtype]).extend(
            array.ravel().tolist()
        )
        key = tensor_slice.slice_key(name.encode(), extents)
        self.values[key] = value
        return listed

    def stored(self):
        """[(key, value)] of the file, in order."""
        return [
            (b"", self.first.SerializeToString()),
            *sorted(
                (key, value.SerializeToString())
                for key, value in self.values.items()
            ),
        ]

    def write(self, path, content=None):
        with open(path, "wb") as file:
            file.write(table(self.stored()) if content is None else content)
