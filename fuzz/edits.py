"""Ways to change bytes and numbers."""

import copy
import io
import pathlib
import struct
import sys
import zipfile

from hypothesis import strategies as st

# Where the writer of checkpoints is.
sys.path.append(str(pathlib.Path(__file__).parents[1] / "parity_tests"))

_EDGES = [
    edge + near
    for edge in (0, 2**7, 2**8, 2**16, 2**31, 2**32, 2**62)
    for near in (-1, 0, 1)
] + [2**63 - 1, -(2**63), -(2**31)]


def numbers(bits=64):
    """Signed numbers, those at which something overflows more often."""
    most = 2 ** (bits - 1)
    edges = [edge for edge in _EDGES if -most <= edge < most]
    return st.one_of(
        st.integers(-2, 20),
        st.sampled_from(edges),
        st.integers(-most, most - 1),
    )


@st.composite
def edited(draw, content, most=3):
    """Bytes with a few flipped, cut, doubled, moved or put in."""
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        stop = min(len(content), start + draw(st.integers(0, 40)))
        part, rest = content[start:stop], content[stop:]
        other = draw(
            st.one_of(
                st.binary(max_size=12),
                st.just(b""),
                st.just(part * 2),
                st.just(content[: stop - start]),
                st.just(bytes(byte ^ 1 for byte in part)),
                st.just(bytes(byte ^ 128 for byte in part)),
                st.just(b"\xff" * len(part)),
                numbers().map(lambda number: struct.pack("<q", number)),
            )
        )
        content = content[:start] + other + rest
    if draw(st.integers(0, 9)) == 0:
        content = content[: draw(st.integers(0, len(content)))]
    return content


@st.composite
def edited_archive(draw, whole):
    """A zip archive, edited as it is or in its members, checksums right."""
    if draw(st.booleans()):
        return draw(edited(whole))
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(whole)) as old,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if draw(st.booleans()):
                content = draw(edited(content))
            new.writestr(name, content)
    return changed.getvalue()


def _places(value):
    """Yields (container, key) of every value within JSON."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


_PLANTED = [
    None,
    True,
    -1,
    2**40,
    1e300,
    "",
    "os.system",
    "x" * 300,
    [],
    {},
    [[1]],
    {"class_name": "__lambda__", "config": {"value": "4wAAAA"}},
    {"class_name": "Lambda", "config": {"function": ["4wAAAA", None, None]}},
    {"module": "os", "class_name": "system", "config": {}},
    {"__passive_serialization__": True, "class_name": "x", "config": {}},
    {"_CONSTANT_VALUE": 3},
]
_KEYS = ["module", "registered_name", "layer", "layers", "cell", "custom"]


@st.composite
def planted(draw, make):
    """JSON with other values, or more, in a few places.

    Args:
        make: gives the value, anew for each input.
    """
    value = make()
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        container, key = places[draw(st.integers(0, len(places) - 1))]
        new = copy.deepcopy(draw(st.sampled_from(_PLANTED)))
        what = draw(st.sampled_from(["put", "add", "drop"]))
        if what == "put":
            container[key] = new
        elif what == "drop":
            del container[key]
        elif isinstance(container, dict):
            container[draw(st.sampled_from(_KEYS))] = new
        else:
            container.insert(key, new)
        if not value:
            break
    return value
