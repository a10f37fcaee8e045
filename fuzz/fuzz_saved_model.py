"""A SavedModel of tf.keras: its graph of objects, and what layers say."""

import functools

from hypothesis import strategies as st

import recorded
from fuzz import edits

PATH = ""


@functools.cache
def base(name):
    folder = recorded.FOLDER / "models" / name
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@st.composite
def files(draw):
    found = dict(
        base(draw(st.sampled_from(["sentiment_saved", "sentiment_exported"])))
    )
    told = [n for n in found if n.endswith((".pb", ".json"))]
    name = draw(st.sampled_from(sorted(told)))
    found[name] = draw(edits.edited(found[name], most=8))
    return found
