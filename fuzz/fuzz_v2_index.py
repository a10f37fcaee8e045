"""The index of a V2 checkpoint, also with right checksums."""

import numpy as np
from hypothesis import strategies as st

from fuzz import edits

# isort: split
import checkpoint_writer as writer

PATH = "model"


def base():
    made = writer.Bundle()
    made.add("cell/kernel", np.ones((5, 8)))
    made.add("cell/bias", np.ones(8, "f"), shard=1)
    made.add("nothing", np.ones((0, 4), "i4"))
    made.add_slices("table", np.ones((7, 3), "f"), [4, 1, 2])
    made.add_strings("words", [b"", b"one", b"x" * 200])
    return made


def change_fields(draw, one):
    field = draw(st.sampled_from(["dtype", "shard_id", "offset", "size"]))
    bits = 32 if field in ("dtype", "shard_id") else 64
    setattr(one, field, draw(edits.numbers(bits)))


def change_shape(draw, one):
    sizes = draw(st.lists(edits.numbers(), max_size=10))
    writer._set_shape(one.shape, sizes)
    one.shape.unknown_rank = draw(st.integers(0, 9)) == 0


def change_slices(draw, one):
    if not one.slices or draw(st.booleans()):
        one.slices.add()
    proto = draw(st.sampled_from(list(one.slices)))
    extent = proto.extent.add()
    if draw(st.booleans()):
        extent = draw(st.sampled_from(list(proto.extent)))
    if draw(st.booleans()):
        extent.start = draw(edits.numbers())
    if draw(st.booleans()):
        extent.length = draw(edits.numbers())
    if draw(st.booleans()):
        proto.extent.pop(draw(st.integers(0, len(proto.extent) - 1)))


def change_key(draw, made, key):
    other = draw(edits.edited(key, most=1))
    made.entries[other] = made.entries.pop(key)


def change(draw, made):
    key = draw(st.sampled_from(sorted(made.entries)))
    which = draw(st.integers(0, 9))
    if which < 5:
        change_fields(draw, made.entries[key])
    elif which < 7:
        change_shape(draw, made.entries[key])
    elif which < 8:
        change_slices(draw, made.entries[key])
    elif which < 9:
        change_key(draw, made, key)
    else:
        made.header.num_shards = draw(edits.numbers(32))


def table(draw, stored):
    """A table of entries, perhaps with a block or all of it changed."""
    which = draw(st.integers(0, 4))
    if which == 0:
        return draw(edits.edited(writer.table(stored)))
    if which == 1:
        content = draw(edits.edited(writer.block(stored)))
        compression = draw(st.sampled_from([0, 0, 0, 1, 2]))
        return writer.table_of([(b"\xff", content)], compression=compression)
    if which == 2:
        at = draw(st.integers(0, len(stored) - 1))
        key, value = stored[at]
        stored[at] = key, draw(edits.edited(value))
    return writer.table(stored, draw(st.integers(1, 9)))


@st.composite
def files(draw):
    made = base()
    for _ in range(draw(st.integers(0, 3))):
        change(draw, made)
    found = {f"{PATH}.index": table(draw, made.stored())}
    for number, data in enumerate(made.data):
        found[f"{PATH}.data-{number:05d}-of-00002"] = bytes(data)
    return found
