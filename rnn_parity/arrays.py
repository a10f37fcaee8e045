"""Reading `.npy` and `.npz` files that others made, and writing `.npz`.

Nothing is unpickled. What a header declares is held against the bytes that
are there before any array is made, so a file costs no more memory than
`memory.check_file` allows. Source of the format: `numpy/lib/format.py`.
"""

import math
import os
import warnings
import zipfile

import numpy as np

from rnn_parity import files, memory, zips
from rnn_parity.errors import UserError, damaged

_KINDS = "biufcSU"
_BLOCK = 1 << 20  # bytes that are read at once
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST = 65_000  # bytes of a name in a zip archive, and its ending


def load(path):
    """The array of a `.npy` file, or {name: array} of a `.npz` file.

    Which it is, the file's contents say.

    Raises:
        UserError: it is neither, is damaged, holds something else than
            numbers and text, or would take too much memory.
    """
    files.must_be_regular(path)
    try:
        with open(path, "rb") as file:
            archive = file.read(2) == b"PK"
            size = os.fstat(file.fileno()).st_size
            if not archive:
                memory.check_file(path, size, size)
                file.seek(0)
                return read(file, size, path)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    return _members(path)


def load_npz(path):
    """{name: array} of a `.npz` file, names sorted.

    Raises:
        UserError: as `load`, or it is a `.npy` file.
    """
    found = load(path)
    if not isinstance(found, dict):
        raise UserError(
            f"{path} cannot be read: it holds one array, and is no .npz file"
        )
    return found


def _members(path):
    found = {}
    with zips.opened(path) as archive:
        members = sorted(archive.infolist(), key=lambda one: one.filename)
        for member in members:
            name = member.filename
            if not name.endswith(".npy"):
                raise UserError(
                    f"{path} is no .npz file of arrays: it holds {name}"
                )
            found[name.removesuffix(".npy")] = read_member(
                archive, member, path
            )
    if not found:
        raise UserError(f"{path} holds no arrays")
    return found


def read_member(archive, member, path):
    """The array in a member of an archive that `zips.opened` opened.

    Args:
        archive: `zipfile.ZipFile`.
        member: `zipfile.ZipInfo`.
        path: of the archive, for messages.

    Raises:
        UserError: it is damaged or holds something else.
    """
    with archive.open(member) as file:
        return read(file, member.file_size, f"{path}, {member.filename},")


def read(file, size, what):
    """The array of a `.npy` file, in the byte order of this machine.

    Args:
        file: binary, at its start.
        size: bytes in it.
        what: it is, for messages.

    Raises:
        UserError: it is damaged or holds something else.
    """
    try:
        shape, order, dtype = _header(file)
        _must_be_numbers(what, dtype)
        needed = _bytes_of(shape, dtype)
        there = size - file.tell()
        if needed != there:
            raise ValueError(
                f"its header declares {needed} bytes of numbers, and there "
                f"are {there}"
            )
        array = _filled(file, needed).view(dtype).reshape(shape, order=order)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # zip, zlib, ast and NumPy have many
        raise damaged(what, error) from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file):
    """(shape, "F" or "C", dtype)."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"format version {version} is not of plain arrays")
    with warnings.catch_warnings():
        # NumPy warns where Python 2 wrote sizes such as 10L.
        warnings.simplefilter("ignore")
        shape, fortran, dtype = _HEADERS[version](file)
    return shape, "F" if fortran else "C", dtype


def _must_be_numbers(what, dtype):
    if dtype.hasobject:
        raise UserError(
            f"{what} holds Python objects, not numbers, which are not read; "
            "save it again with one shape for all"
        )
    if dtype.kind not in _KINDS or not dtype.itemsize:
        raise UserError(
            f"{what} holds {_shortened(dtype)}, which is no dtype of "
            "numbers; save it again as float32"
        )


def _shortened(dtype):
    text = str(dtype)
    return text if len(text) < 60 else f"{text[:60]}..."


def _bytes_of(shape, dtype):
    if any(size < 0 for size in shape):
        raise ValueError(f"the shape {list(shape)} is negative")
    return math.prod(shape) * dtype.itemsize


def _filled(file, size):
    """The next `size` bytes, read in blocks."""
    found, done = np.empty(size, np.uint8), 0
    while done < size:
        count = file.readinto(found[done : done + _BLOCK])
        if not count:
            raise EOFError("it is cut off")
        done += count
    return found


def write_npz(file, arrays):
    """Writes what `numpy.savez` writes, one array in memory at a time.

    Args:
        file: binary, to be written to.
        arrays: pairs (name, array).

    Raises:
        UserError: a zip archive cannot hold a name, or holds it already.
    """
    written = set()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays:
            _must_be_a_name(name, written)
            written.add(name)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _must_be_a_name(name, written):
    problem = None
    if "\0" in name:
        problem = "with a NUL in it"
    elif name in written:
        problem = "twice"
    elif len(name.encode("utf-8", "surrogatepass")) > _LONGEST:
        problem = f"of {len(name)} characters"
    elif name != name.encode("utf-8", "replace").decode():
        problem = "that is no text"
    if problem:
        raise UserError(
            f"an .npz file cannot hold the name {name[:60]!r} {problem}; "
            "write .keras"
        )
