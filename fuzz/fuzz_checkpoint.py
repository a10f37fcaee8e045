"""The file called `checkpoint`."""

from hypothesis import strategies as st

from fuzz import edits, fuzz_v2_index

# isort: split
import checkpoint_writer as writer

PATH = ""

TEXT = (
    b'model_checkpoint_path: "model-2"\n'
    b'all_model_checkpoint_paths: "../elsewhere/model"\n'
    b'all_model_checkpoint_paths: "/tmp/m\\303\\274ll/model"\n'
    b'all_model_checkpoint_paths: "model-?????-of-00002"\n'
)


@st.composite
def files(draw):
    made = fuzz_v2_index.base()
    found = {"model.index": writer.table(made.stored())}
    for number, data in enumerate(made.data):
        found[f"model.data-{number:05d}-of-00002"] = bytes(data)
    found["checkpoint"] = draw(
        st.one_of(edits.edited(TEXT, most=6), st.binary(max_size=200))
    )
    return found
