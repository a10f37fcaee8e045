"""Writing files whole or not at all."""

import contextlib
import os
import pathlib
import tempfile

from rnn_parity.errors import UserError


def must_be_writable(path):
    """Says so before the long work if `path` could not be written after it.

    Raises:
        UserError: no such folder, no permission, or `path` is a folder.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent}; make it first")
    with atomic_write(path, keep=False):
        pass


@contextlib.contextmanager
def atomic_write(path, mode="w", keep=True):
    """A file that appears under its name only once it is complete.

    Args:
        path: where it is to be.
        mode: "w" for text (UTF-8), "wb" for bytes.
        keep: False only tries whether it could be written.

    Raises:
        UserError: it cannot be written; what was there is left as it was.
    """
    path = pathlib.Path(path)
    encoding = None if "b" in mode else "utf-8"
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}."
        )
        with open(handle, mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep:
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
            temporary = None
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask
