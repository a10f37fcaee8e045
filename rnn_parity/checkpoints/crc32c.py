"""CRC-32C, the checksum in TensorFlow's checkpoint files.

TensorFlow has it only inside its operations, and Python's `zlib` has a CRC
of another polynomial.

Source: RFC 3720, appendix B.4; the masking is LevelDB's, `util/crc32c.h`.
"""

import functools

_POLYNOMIAL = 0x82F63B78  # bits in reversed order
_ALL_ONES = 0xFFFFFFFF
_LANE = 256  # bytes of a lane, a power of two
_FEW = 2048  # bytes, below which a plain loop is quicker
_MASK_DELTA = 0xA282EAD8


def masked(data):
    """The checksum of some bytes, as it is stored beside them."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ALL_ONES


def crc32c(data):
    """The CRC-32C of some bytes, an int of 32 bits."""
    if len(data) < _FEW:
        return _by_bytes(data) ^ _ALL_ONES
    return _by_lanes(data) ^ _ALL_ONES


@functools.cache
def _table():
    """What each value of a byte does to the register."""
    table = list(range(256))
    for at, register in enumerate(table):
        for _ in range(8):
            odd = register & 1
            register = register >> 1 ^ (_POLYNOMIAL if odd else 0)
        table[at] = register
    return table


def _by_bytes(data):
    table, register = _table(), _ALL_ONES
    for byte in data:
        register = table[(register ^ byte) & 255] ^ register >> 8
    return register


def _by_lanes(data):
    """The same, of many stretches at once.

    The register starts as zeros in every lane, since a CRC is linear: its
    ones at the start are as good as inverted bits in the first four bytes,
    and zeros put before the data change nothing.
    """
    import numpy as np

    lanes = 1 << (-(-len(data) // _LANE) - 1).bit_length()
    padded = np.zeros(lanes * _LANE, np.uint8)
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    padded[len(padded) - len(data) :][:4] ^= 255
    columns = np.ascontiguousarray(padded.reshape(lanes, _LANE).T)
    table = np.array(_table(), np.uint32)
    registers = np.zeros(lanes, np.uint32)
    for column in columns:
        registers = table[(registers ^ column) & 255] ^ registers >> 8
    shift = _zeros_after(_LANE)
    while len(registers) > 1:  # each pair is one lane of twice the length
        registers = _shifted(shift, registers[::2]) ^ registers[1::2]
        shift = _shifted(shift, shift)
    return int(registers[0])


@functools.cache
def _zeros_after(count):
    """What `count` zero bytes, a power of two, make of each register bit."""
    import numpy as np

    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    shift = np.array(_table(), np.uint32)[bits & 255] ^ bits >> 8
    while count > 1:
        shift, count = _shifted(shift, shift), count // 2
    return shift


def _shifted(shift, registers):
    """Registers after the zero bytes that `shift` stands for."""
    import numpy as np

    found = np.zeros_like(registers)
    for bit, image in enumerate(shift):
        found ^= (registers >> np.uint32(bit) & np.uint32(1)) * image
    return found
