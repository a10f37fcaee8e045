"""What `rnn-parity run --save` wrote, resumed."""

import functools
import pathlib
import tempfile

from fuzz import edits
from rnn_parity import Config
from rnn_parity.training import checkpoint
from rnn_parity.training.session import Session

PATH = ""


@functools.cache
def base():
    config = Config(total_series_length=60, state_size=3, batch_size=2)
    with tempfile.TemporaryDirectory() as folder:
        Session("s2", "numpy_ref", config).checkpoint().write(folder)
        return pathlib.Path(folder, checkpoint.NAME).read_bytes()


def files():
    return edits.edited_archive(base()).map(
        lambda whole: {checkpoint.NAME: whole}
    )


def read(path):
    checkpoint.read(path)
