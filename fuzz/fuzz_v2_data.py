"""The data files of a V2 checkpoint."""

from hypothesis import strategies as st

from fuzz import edits, fuzz_v2_index

# isort: split
import checkpoint_writer as writer

PATH = "model"


@st.composite
def files(draw):
    made = fuzz_v2_index.base()
    found = {f"{PATH}.index": writer.table(made.stored())}
    for number, data in enumerate(made.data):
        name = f"{PATH}.data-{number:05d}-of-00002"
        found[name] = draw(edits.edited(bytes(data)))[: len(data)]
        found[name] += bytes(len(data) - len(found[name]))
    return found
