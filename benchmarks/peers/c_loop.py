"""Section 1 in C, on one core: what the arithmetic itself costs."""

import ctypes
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

if not shutil.which("cc"):
    raise ImportError("the C peer needs a compiler", name="cc")

_SOURCE = pathlib.Path(__file__).with_suffix(".c")


def _compiled(config):
    sizes = {
        "B": config.batch_size,
        "T": config.truncated_backprop_length,
        "H": config.state_size,
        "C": config.num_classes,
    }
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder) / "c_loop.so"
        subprocess.run(
            ["cc", "-O3", "-march=native", "-shared", "-fPIC", _SOURCE]
            + [f"-D{name}={size}" for name, size in sizes.items()]
            + ["-o", library, "-lm"],
            check=True,
        )
        return ctypes.CDLL(str(library))


def build(section, config, params):
    library = _compiled(config)
    values = np.concatenate([v.ravel() for v in params.values()])
    values = values.astype("f4")
    accumulators = np.full(values.shape, 0.1, "f4")

    def pointer(array):
        return array.ctypes.data_as(ctypes.c_void_p)

    def run(x, y, state):
        x, y = np.ascontiguousarray(x, "f4"), np.ascontiguousarray(y, "i4")
        state = np.array(state, "f4")
        steps = config.truncated_backprop_length
        losses = np.zeros(x.shape[1] // steps, "f4")
        library.train(
            *map(pointer, (values, accumulators, state, x, y)),
            x.shape[1],
            ctypes.c_float(config.learning_rate),
            pointer(losses),
        )
        return losses

    return run
