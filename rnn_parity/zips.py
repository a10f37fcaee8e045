"""Opening zip archives that others made, at a cost that is bounded.

`.npz` and `.keras` files are zip archives. Their directory says how large
every member is, and is checked before any of them is unpacked.
"""

import collections
import contextlib
import os
import struct
import zipfile
import zlib

from rnn_parity import files, memory
from rnn_parity.errors import UserError, damaged

_MOST = 1032  # how many times smaller deflate can make anything
_DAMAGE = (
    EOFError,
    NotImplementedError,  # methods and versions that zipfile does not know
    OSError,
    OverflowError,
    RuntimeError,  # encrypted
    ValueError,  # names that are no UTF-8, negative offsets
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@contextlib.contextmanager
def opened(path):
    """Opens an archive, and closes it again.

    Yields:
        `zipfile.ZipFile`. What it raises inside the `with` is damage.

    Raises:
        UserError: there is no regular file, it is damaged, or what its
            directory says cannot be or would take too much memory.
    """
    files.must_be_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check(path, archive.infolist())
            yield archive
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except _DAMAGE as error:
        raise damaged(path, error) from None


def _check(path, members):
    counts = collections.Counter(member.filename for member in members)
    for member in members:
        problem = _problem(member)
        if counts[member.filename] > 1:
            problem = "more than once"
        if problem:
            raise UserError(
                f"{path} holds {member.orig_filename!r} {problem}; make it "
                "anew"
            )
    size = os.path.getsize(path)
    if sum(member.compress_size for member in members) > size:
        raise UserError(f"{path} is damaged: its members overlap")
    memory.check_file(path, size, sum(one.file_size for one in members))


def _problem(member):
    """What is wrong about a member, from its entry alone, or None."""
    stored, packed = member.file_size, member.compress_size
    if "\0" in member.orig_filename:
        return "with a NUL in its name"
    if member.compress_type == zipfile.ZIP_STORED:
        return None if stored == packed else "with two different sizes"
    if member.compress_type == zipfile.ZIP_DEFLATED:
        return "with an impossible size" if stored > _MOST * packed else None
    return "compressed by a method that is not read here"
