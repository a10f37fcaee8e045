"""Reading the sorted tables that TensorFlow's checkpoints are made of.

The index of a V2 checkpoint and every file of a V1 checkpoint are tables of
LevelDB: blocks of sorted keys and values, an index block of where each block
is, and a footer of where that index is. TensorFlow trusts their contents, so
they are read and checked here before TensorFlow opens the file.

Source: "doc/table_format.md" of LevelDB; `tsl/lib/io/table*` and
`tsl/lib/io/block*` of TensorFlow.
"""

import contextlib
import itertools
import os
import struct

from rnn_parity.checkpoints import crc32c
from rnn_parity.errors import UserError
from rnn_parity.files import must_be_regular

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48  # bytes
_TRAILER = 5  # bytes after a block: its compression, its checksum
_HEAD = 15  # bytes, at most, of the three numbers before a key
_NOT_COMPRESSED, _SNAPPY = 0, 1
_RESTART_INTERVAL = 16  # entries after which a key is stored in full


class NoTable(UserError):
    """A file does not end as a table does."""


@contextlib.contextmanager
def open_table(path):
    """A `Table` of a file that is open meanwhile.

    Raises:
        UserError: the file cannot be read or is no table, or its footer or
            its index block is damaged.
    """
    must_be_regular(path)
    try:
        file = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    with file:
        yield Table(path, file)


class Table:
    """A table in a file.

    Attributes:
        path: the file's path.
    """

    def __init__(self, path, file):
        self.path = str(path)
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._blocks = self._listed_blocks(self._index_handle())

    def entries(self):
        """Yields (key, value) of every entry, two bytes objects, in order.

        Raises:
            UserError: the table is damaged.
        """
        for block, keys in self._checked_blocks(self._whole_block):
            for key, start, stop in keys:
                yield key, block[start:stop]

    def unread_entries(self):
        """Yields (key, size of the value, how to read it), in order.

        Only what is asked for is read, and the checksum of its block is not
        held against it: TensorFlow does that when it reads the value.

        Raises:
            UserError: the table is damaged.
        """
        for block, keys in self._checked_blocks(self._block):
            for key, start, stop in keys:
                part = slice(start, stop)
                yield key, stop - start, lambda b=block, p=part: b[p]

    # --- Blocks ---

    def _index_handle(self):
        footer = self._bytes(max(0, self._size - _FOOTER), _FOOTER)
        if len(footer) < _FOOTER or footer[-8:] != _MAGIC:
            raise NoTable(
                f"{self.path} is no TensorFlow checkpoint, or is cut off; "
                "copy it again"
            )
        unused, used = self._handle(footer)
        self._whole_block(*unused)  # of what LevelDB may add: nothing
        handle, _ = self._handle(footer[used:])
        return handle

    def _handle(self, stored):
        """((offset, size) of a block, bytes that this takes)."""
        offset, used = varint(stored, 0)
        size, used = varint(stored, used)
        if offset is None or size is None:
            self.damaged("a block's place is cut off")
        if offset + size + _TRAILER > self._size - _FOOTER:
            self.damaged("a block lies outside of the file")
        return (offset, size), used

    def _listed_blocks(self, index):
        """[(last key allowed, offset, size)] of the blocks of entries."""
        block, found, past = self._whole_block(*index), [], 0
        for key, start, stop in self._keys(block):
            (offset, size), _ = self._handle(block[start:stop])
            if offset < past:
                self.damaged("two blocks overlap")
            if found and key <= found[-1][0]:
                self.damaged("its blocks are out of order")
            past = offset + size + _TRAILER
            found.append((key, offset, size))
        if past > index[0]:
            self.damaged("a block overlaps the index of blocks")
        return found

    def _checked_blocks(self, read):
        """Yields (block, [(key, start, end of its value)]), all in order."""
        last = None
        for most, offset, size in self._blocks:
            block = read(offset, size)
            keys = list(self._keys(block))
            for key, _, _ in keys:
                if last is not None and key <= last:
                    self.damaged(
                        f"{shown(key)} is stored twice, or out of order"
                    )
                last = key
            if keys and last > most:
                self.damaged(f"{shown(last)} is in the wrong block")
            last = most  # the next block's keys are beyond it
            yield block, keys

    def _whole_block(self, offset, size):
        """The bytes of a block, after its checksum was checked."""
        stored = self._bytes(offset, size + _TRAILER)
        if len(stored) < size + _TRAILER:
            self.damaged("it is cut off")
        (checksum,) = struct.unpack("<I", stored[-4:])
        if crc32c.masked(stored[:-4]) != checksum:
            self.damaged("a block does not match its checksum")
        return self._uncompressed(stored[:size], stored[size])

    def _block(self, offset, size):
        """A block to read parts of, a large one not as a whole."""
        compression = self._bytes(offset + size, 1)
        if compression == bytes([_NOT_COMPRESSED]):
            return _Part(self._bytes, offset, size)
        return self._whole_block(offset, size)

    def _uncompressed(self, block, compression):
        if compression == _NOT_COMPRESSED:
            return block
        if compression != _SNAPPY:
            self.damaged(f"a block is compressed by {compression}, unknown")
        try:
            return snappy_uncompressed(block)
        except ValueError as error:
            self.damaged(f"a compressed block is wrong: {error}")

    def _bytes(self, offset, count):
        self._file.seek(offset)
        return self._file.read(count)

    # --- Entries of a block ---

    def _keys(self, block):
        """Yields (key, start of its value, end of its value) in a block."""
        end, restarts = self._restarts(block)
        at, key, in_full, total = 0, b"", set(), 0
        while at < end:
            shared, unshared, size, used = _entry_head(
                block[at : min(at + _HEAD, end)]
            )
            start = at + used + (unshared or 0)
            if size is None or shared > len(key) or start + size > end:
                self.damaged("an entry of a block does not fit into it")
            if not shared:
                in_full.add(at)
            key = key[:shared] + block[at + used : start]
            total += len(key)
            if total > _RESTART_INTERVAL * len(block):
                self.damaged("its keys are longer than TensorFlow writes any")
            yield key, start, start + size
            at = start + size
        if end and not in_full.issuperset(restarts):
            self.damaged("a block has entries at other places than it says")

    def _restarts(self, block):
        """(where a block's entries end, where its keys are in full)."""
        if len(block) < 4:
            self.damaged("a block is cut off")
        (count,) = struct.unpack("<I", block[len(block) - 4 : len(block)])
        end = len(block) - 4 - 4 * count
        if count < 1 or end < 0:
            self.damaged("a block has no room for its entries")
        restarts = struct.unpack(f"<{count}I", block[end : len(block) - 4])
        if any(b <= a for a, b in itertools.pairwise(restarts)):
            self.damaged("a block has entries at other places than it says")
        return end, restarts

    def damaged(self, what):
        """Raises the error that a table is damaged, and how."""
        raise damaged(self.path, what)


class _Part:
    """A part of a file, sliced as its bytes would be."""

    def __init__(self, read, offset, size):
        self._read, self._offset, self._size = read, offset, size

    def __len__(self):
        return self._size

    def __getitem__(self, part):
        start, stop, _ = part.indices(self._size)
        return self._read(self._offset + start, max(0, stop - start))


def damaged(path, what):
    """The error that a checkpoint's file is damaged, and how."""
    return UserError(f"{path} is damaged: {what}; copy it again")


def shown(key):
    """A key as text, for an error line; a name is the most of it."""
    text = repr(key.decode("utf-8", "backslashreplace"))
    return text if len(text) <= 120 else f"{text[:120]}..."


def _entry_head(head):
    """(bytes shared, not shared, of the value, of these), None for cut."""
    if len(head) > 2 and max(head[:3]) < 128:
        return head[0], head[1], head[2], 3
    shared, at = varint(head, 0, 5)
    unshared, at = varint(head, at, 5)
    size, at = varint(head, at, 5)
    return shared, unshared, size, at


def varint(stored, at, longest=10):
    """(a number of seven bits a byte, where it ends), None if it does not."""
    number = 0
    for place in range(longest):
        if at >= len(stored):
            break
        byte, at = stored[at], at + 1
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at
    return None, len(stored)


# --- Snappy ---

_MOST_FOR_A_BYTE = 22  # 64 bytes are copied by an element of 3


def snappy_uncompressed(stored):
    """What snappy compressed, as TensorFlow 1 could compress blocks.

    Raises:
        ValueError: it is damaged.

    Source: "format_description.txt" of snappy.
    """
    length, at = varint(stored, 0, 5)
    if length is None or length > _MOST_FOR_A_BYTE * len(stored):
        raise ValueError("it cannot be as long as it says")
    found = bytearray()
    while at < len(stored) and len(found) <= length:
        size, back, at = _snappy_element(stored, at)
        if back is None:
            found += stored[at : at + size]
            at += size
        elif 0 < back <= len(found):
            part = found[len(found) - back :][:size]
            found += (part * (size // len(part) + 1))[:size]
        else:
            raise ValueError("it copies what is not there")
    if len(found) != length:
        raise ValueError("it is not as long as it says")
    return bytes(found)


def _snappy_element(stored, at):
    """(bytes, how far back they are copied from or None, what follows)."""
    tag, at = stored[at], at + 1
    kind, rest = tag & 3, tag >> 2
    if kind == 0:
        extra = max(0, rest - 59)  # bytes of a length of its own
        size = int.from_bytes(stored[at : at + extra], "little")
        return (size if extra else rest) + 1, None, at + extra
    extra = {1: 1, 2: 2, 3: 4}[kind]
    back = int.from_bytes(stored[at : at + extra], "little")
    if kind == 1:
        return (rest & 7) + 4, back | rest >> 3 << 8, at + extra
    return rest + 1, back, at + extra
