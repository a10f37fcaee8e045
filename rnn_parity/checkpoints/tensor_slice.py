"""Shapes, types and slices of tensors, as checkpoints of TensorFlow say them.

A partitioned variable is stored as slices, each under a key of its own.
Values that TensorFlow's own writers never write make its reader end the
process, so all are checked here. Every error is a ValueError whose text goes
on from "variable NAME ...".

Source: `tensorflow/core/framework/tensor_slice.cc` and `tensor_shape.cc`,
`tensorflow/core/util/saved_tensor_slice_util.cc` and
`tensorflow/core/lib/strings/ordered_code.cc` of TensorFlow.
"""

import collections
import contextlib
import dataclasses
import functools
import itertools
import math

from rnn_parity.checkpoints.sstable import damaged

_MOST_COUNTED = 2**63 - 1
_MOST_DIMENSIONS = 254
_MOST_SLICED = 8  # dimensions that TensorFlow can put slices together in
_REFERENCES = 100  # from here on, types of references to tensors
WHOLE = -1  # the length of a slice that takes all of a dimension


@dataclasses.dataclass(frozen=True)
class Type:
    """A type of elements.

    Attributes:
        name: TensorFlow's name, such as "float32".
        size: bytes of an element; 0 for strings.
    """

    name: str
    size: int


@contextlib.contextmanager
def checked(path, name):
    """Turns a ValueError about a variable into the error for the user."""
    try:
        yield
    except ValueError as error:
        text = repr(name) if len(name) <= 120 else f"{name[:120]!r}..."
        raise damaged(path, f"variable {text} {error}") from None


@functools.cache
def type_of(number):
    """The `Type` of a number of the enumeration DataType."""
    from rnn_parity.quiet import tf

    if number < _REFERENCES:
        with contextlib.suppress(TypeError):
            found = tf.dtypes.as_dtype(number)
            if found in (tf.resource, tf.variant):
                raise ValueError(
                    f"is a {found.name}, which no array can stand for"
                )
            return Type(found.name, found.size)
    raise ValueError(f"is of type number {number}, which no array is")


def shape_of(proto):
    """The shape in a TensorShapeProto, a tuple."""
    if proto.unknown_rank:
        raise ValueError("has a shape of unknown rank")
    shape = tuple(dimension.size for dimension in proto.dim)
    if len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"has {len(shape)} dimensions")
    if any(size < 0 for size in shape):
        raise ValueError(f"has a negative size in its shape, {min(shape)}")
    if math.prod(max(1, size) for size in shape) > _MOST_COUNTED:
        raise ValueError(
            f"has a shape, {_short(shape)}, of more elements than can be "
            "counted"
        )
    return shape


def slice_of(proto, shape):
    """((start, length) in each dimension) of a TensorSliceProto.

    The length is `WHOLE` where the slice takes all of a dimension.

    Args:
        shape: that of the tensor it is a slice of.
    """
    if len(proto.extent) != len(shape):
        raise ValueError(
            f"has a slice of {len(proto.extent)} dimensions in its shape "
            f"{_short(shape)}"
        )
    found = []
    for extent, size in zip(proto.extent, shape, strict=True):
        start, length = extent.start, WHOLE
        if extent.HasField("length"):
            length = extent.length
        elif start:
            raise ValueError("has a slice with a start and no length")
        if length != WHOLE and not 0 < length <= size - start <= size:
            raise ValueError(
                f"has a slice of {length} from {start} on, outside of its "
                f"shape {_short(shape)}"
            )
        found.append((start, length))
    return tuple(found)


def sliced_shape(extents, shape):
    """The shape of a slice of a tensor."""
    return tuple(
        size if length == WHOLE else length
        for (_, length), size in zip(extents, shape, strict=True)
    )


def must_be_covered(shape, slices):
    """Raises unless slices hold each element of a tensor exactly once.

    A set of boxes fills a box exactly when their corners, added up with the
    signs of an alternating sum, are the corners of that box. That takes as
    long as there are slices, and not as there are pairs of them.
    """
    split = [
        axis
        for axis in range(len(shape))
        if any(extents[axis][1] != WHOLE for extents in slices)
    ]
    if len(shape) > _MOST_SLICED:
        raise ValueError(
            f"has {len(shape)} dimensions, and TensorFlow puts slices of at "
            f"most {_MOST_SLICED} together"
        )
    corners = collections.Counter()
    for sign, extents in [(-1, [(0, WHOLE)] * len(shape))] + [
        (1, extents) for extents in slices
    ]:
        for corner, turn in _corners(extents, shape, split):
            corners[corner] += sign * turn
    if any(corners.values()):
        raise ValueError(
            f"has slices that leave a gap in its shape {_short(shape)}, or "
            "overlap"
        )


def _corners(extents, shape, axes):
    """Yields (corner, 1 or -1) of a slice, in some of its dimensions."""
    ends = []
    for axis in axes:
        start, length = extents[axis]
        length = shape[axis] if length == WHOLE else length
        ends.append(((start, 1), (start + length, -1)))
    for corner in itertools.product(*ends):
        yield tuple(at for at, _ in corner), math.prod(s for _, s in corner)


# --- Keys ---


def slice_key(name, extents):
    """The key that a slice of a tensor is stored under.

    Args:
        name: the tensor's, as bytes; bytes 0 and 255, which would have to
            be escaped, are in no name.
        extents: as `slice_of` gives them.
    """
    numbers = b"".join(map(_ordered, itertools.chain(*extents)))
    count = len(extents)
    rank = bytes([1, count]) if count else b"\x00"
    return b"\x00" + name + b"\x00\x01" + rank + numbers


def _ordered(number):
    """A number as bytes that sort as numbers do, of 7 bits a byte."""
    if number == WHOLE:
        return b"\x7f"
    size = number.bit_length() // 7 + 1
    ones = (1 << size) - 1 << 7 * size
    return (number | ones).to_bytes(size, "big")


def _short(shape):
    text = str(list(shape))
    return text if len(text) <= 60 else f"{text[:60]}..."
