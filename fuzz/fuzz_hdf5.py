"""An HDF5 file of tf.keras, which has no checksums."""

import functools

import recorded
from fuzz import edits

PATH = "model.h5"


@functools.cache
def base():
    folder = recorded.FOLDER / "checkpoints" / "keras_model"
    return (folder / "model.h5").read_bytes()


def files():
    return edits.edited(base(), most=12).map(lambda content: {PATH: content})
