"""What an HDF5 file of tf.keras says of its layers, made anew or refused.

Whatever is planted in it, no Keras sees it here.
"""

import functools
import json

import h5py
from hypothesis import strategies as st

import recorded
from fuzz import edits

PATH = "model.json"


@functools.cache
def base(name):
    with h5py.File(recorded.FOLDER / "models" / f"{name}.h5") as file:
        return file.attrs["model_config"]


@st.composite
def files(draw):
    models = ["cells", "documents", "encoder_decoder", "stack", "tagger"]
    text = base(draw(st.sampled_from(models)))
    if draw(st.booleans()):
        return {PATH: draw(edits.edited(text.encode()))}
    value = draw(edits.planted(lambda: json.loads(text)))
    return {PATH: json.dumps(value).encode()}


def read(path):
    from rnn_parity.checkpoints import config_safety

    config = config_safety.object_of(path.read_bytes(), str(path))
    config_safety.rebuilt(config, str(path))
