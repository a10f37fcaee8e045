"""An .npz file, also with right checksums."""

import io
import zipfile

import numpy as np
from hypothesis import strategies as st

from fuzz import edits

PATH = "model.npz"


def base():
    stored = io.BytesIO()
    arrays = {
        "rnn/lstm_cell/kernel": np.ones((5, 8), "f"),
        "rnn/lstm_cell/bias": np.ones(8),
        "step": np.array(7),
    }
    np.savez(stored, **arrays)
    return stored.getvalue()


@st.composite
def files(draw):
    whole = base()
    if draw(st.booleans()):
        return {PATH: draw(edits.edited(whole))}
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(whole)) as old,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if draw(st.booleans()):
                content = draw(edits.edited(content))
            new.writestr(name, content)
    return {PATH: changed.getvalue()}
