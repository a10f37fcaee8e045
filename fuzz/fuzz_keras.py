"""A .keras file on its way back to a checkpoint."""

import functools
import pathlib
import tempfile

import numpy as np

from fuzz import edits

PATH = "model.keras"


@functools.cache
def base():
    import rnn_parity

    rng = np.random.RandomState(3)
    with tempfile.TemporaryDirectory() as folder:
        arrays = pathlib.Path(folder, "weights.npz")
        np.savez(
            arrays,
            **{
                "rnn/lstm_cell/kernel": rng.normal(size=(5, 12)).astype("f"),
                "rnn/lstm_cell/bias": rng.normal(size=12).astype("f"),
                "global_step": np.array(7),
            },
        )
        model = pathlib.Path(folder, PATH)
        rnn_parity.convert_checkpoint(arrays).save(model)
        return model.read_bytes()


def files():
    return edits.edited_archive(base()).map(lambda whole: {PATH: whole})


def read(path):
    from rnn_parity.checkpoints.export import export_checkpoint

    export_checkpoint(path, path.with_name("back"), force=True)
