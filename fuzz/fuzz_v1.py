"""A V1 checkpoint of two shards, also with right checksums."""

import numpy as np
from hypothesis import strategies as st

from fuzz import edits, fuzz_v2_index

# isort: split
import checkpoint_writer as writer

PATH = "model"


def base():
    table = np.ones((7, 3), "f")
    first, second = writer.Slices(), writer.Slices()
    first.add("table", table[:4], table.shape, 0)
    second.add("table", table[4:], table.shape, 4)
    first.add("cell/bias", np.ones(8, "f"))
    second.add("step", np.array(7, "i4"))
    return first, second


def change(draw, made):
    listed = draw(st.sampled_from(list(made.meta.tensor)))
    which = draw(st.integers(0, 4))
    if which == 0:
        listed.type = draw(edits.numbers(32))
    elif which == 1:
        fuzz_v2_index.change_shape(draw, listed)
    elif which == 2:
        listed.name = draw(st.text(max_size=5))
    elif which == 3:
        value = draw(st.sampled_from(list(made.values.values())))
        value.data.data.float_val.extend([1.0] * draw(st.integers(0, 9)))
        del value.data.data.float_val[: draw(st.integers(0, 9))]
    else:
        extent = listed.slice[0].extent.add()
        extent.start = draw(edits.numbers())
        extent.length = draw(edits.numbers())


@st.composite
def files(draw):
    found = {}
    for number, made in enumerate(base()):
        for _ in range(draw(st.integers(0, 2))):
            change(draw, made)
        name = f"{PATH}-{number:05d}-of-00002"
        found[name] = fuzz_v2_index.table(draw, made.stored())
    return found
