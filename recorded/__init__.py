"""What genuine TensorFlow 1 releases computed, and how to read it.

`<section>_inputs.npz` is what went in; `<section>_tf<release>.npz` is what
came out of that release, run by `record.py`, with its provenance.
`cells_tf1.15.5.npz` is the same for single cells and loops (see
`record_cells.py`), `checkpoints/` for checkpoints (`record_checkpoints.py`),
`models/` for whole models of tf.keras (`record_models.py`).
Reading needs NumPy and no TensorFlow.
"""

import hashlib
import json
import math
import os
import pathlib

import numpy as np

from rnn_parity import arrays
from rnn_parity.config import Config
from rnn_parity.errors import UserError

RELEASES = ("0.12.1", "1.0.1", "1.15.5")
FOLDER = pathlib.Path(__file__).parent


def inputs_path(section):
    """Where the inputs of a section are kept."""
    return FOLDER / f"{section.key}_inputs.npz"


def release_path(section, release):
    """Where the outputs of one release are kept."""
    return FOLDER / f"{section.key}_tf{release}.npz"


def read(path):
    """All arrays of a recorded file, by name.

    Raises:
        UserError: the file is missing, damaged, or not a recorded file.
    """
    if not os.path.exists(path):
        raise UserError(f"{path} is missing; {_RESTORE}")
    try:
        return _unflattened(arrays.load_npz(path))
    except Exception as error:  # an index of other arrays raises many kinds
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path} is damaged ({reason}); {_RESTORE}") from None


def _unflattened(stored):
    """Undoes `flattened` of record.py; inputs are as they are."""
    if "index" not in stored:
        return stored
    whole = {"provenance": stored["provenance"]}
    taken = dict.fromkeys(stored, 0)
    for name, dtype, shape in json.loads(str(stored["index"])):
        start = taken[dtype]
        taken[dtype] += math.prod(shape)
        part = stored[dtype][start : taken[dtype]]
        whole[name] = part.reshape(shape)
    return whole


_RESTORE = "restore it with git checkout, or record it again: make record"


def fingerprint(arrays):
    """SHA-256 over names, dtypes, shapes and bytes, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        for part in (name, array.dtype.str, str(array.shape)):
            digest.update(part.encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def provenance(path, arrays):
    """Release, interpreter, NumPy, seeds and original variable names.

    Raises:
        UserError: the file does not say where it comes from.
    """
    try:
        says = json.loads(str(arrays["provenance"]))
        return {**says, "inputs_sha256": says["inputs_sha256"]}
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path} has no provenance; {_RESTORE}") from None


class Case:
    """The arrays of one case (and dtype), by the rest of their name."""

    def __init__(self, path, arrays, prefix):
        self.path = path
        self.arrays = arrays
        self.prefix = prefix

    def __getitem__(self, name):
        try:
            return self.arrays[f"{self.prefix}{name}"]
        except KeyError:
            raise UserError(
                f"{self.path} has no {self.prefix}{name}; {_RESTORE}"
            ) from None

    def __contains__(self, name):
        return f"{self.prefix}{name}" in self.arrays

    def under(self, folder):
        """{name: array} of everything recorded under `folder`."""
        start = f"{self.prefix}{folder}/"
        return {
            name.removeprefix(start): value
            for name, value in self.arrays.items()
            if name.startswith(start)
        }

    def masks(self, name):
        """Dropout masks, which are kept as bits, as an array of 0 and 1."""
        shape = tuple(self[f"{name}_shape"])
        bits = np.unpackbits(self[name], count=int(np.prod(shape)))
        return bits.reshape(shape)

    def config(self):
        """The `rnn_parity.Config` that was recorded with the inputs."""
        return Config(**json.loads(str(self["config"])))
