"""A whole model of tf.keras in HDF5, converted with all its layers."""

import functools
import io
import json

import h5py
from hypothesis import strategies as st

import recorded
from fuzz import edits

PATH = "model.h5"


@functools.cache
def base():
    return (recorded.FOLDER / "models" / "sentiment.h5").read_bytes()


@st.composite
def files(draw):
    if draw(st.booleans()):
        return {PATH: draw(edits.edited(base(), most=12))}
    changed = io.BytesIO(base())
    with h5py.File(changed, "r+") as file:
        text = file.attrs["model_config"]
        value = draw(edits.planted(lambda: json.loads(text)))
        file.attrs["model_config"] = json.dumps(value)
    return {PATH: changed.getvalue()}


def read(path):
    import rnn_parity

    rnn_parity.convert_model(path)
