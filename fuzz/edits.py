"""Ways to change bytes and numbers."""

import pathlib
import struct
import sys

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
