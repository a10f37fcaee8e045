"""Writing files whole or not at all."""

import contextlib
import os
import pathlib
import stat
import tempfile

from rnn_parity.errors import UserError


def must_be_writable(path):
    """Says so before the long work if `path` could not be written after it.

    Raises:
        UserError: no such folder, no permission, or `path` is a folder.
    """
    if str(path).endswith(os.sep) or pathlib.Path(path).is_dir():
        raise UserError(f"{path} is a folder; name a file")
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent}; make it first")
    with atomic_write(path, keep=False):
        pass


def must_be_regular(path):
    """Refuses to open what is there but is not a regular file.

    Opening a pipe waits for its other end for ever, and a device has no end.
    A link to a regular file is one.

    Raises:
        UserError: `path` is a folder, a pipe, a socket or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # whoever opens it says why it cannot be read
    if not stat.S_ISREG(mode):
        raise UserError(
            f"{path} is {_kind_of(mode)}, not a regular file; name a file"
        )


def _kind_of(mode):
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for test, name in kinds if test(mode)), "a device")


def make_folder(path):
    """Makes a folder, and those it is in, unless it is there.

    Raises:
        UserError: it cannot be made.
    """
    try:
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {path}: {error.strerror}") from None


@contextlib.contextmanager
def atomic_write(path, mode="w", keep=True):
    """A file that appears under its name only once it is complete.

    A link stays, and what it leads to is replaced, with the permissions it
    had. A device or a pipe is written to as it is.

    Args:
        path: where it is to be.
        mode: "w" for text (UTF-8), "wb" for bytes.
        keep: False only tries whether it could be written.

    Raises:
        UserError: it cannot be written; what was there is left as it was.
    """
    encoding = None if "b" in mode else "utf-8"
    temporary = None
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            path = path if keep else os.devnull
            with open(path, mode, encoding=encoding) as file:
                yield file
            return
        target = pathlib.Path(os.path.realpath(path))
        handle, temporary = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}."
        )
        with open(handle, mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep:
            os.chmod(temporary, _permissions(target))
            os.replace(temporary, target)
            temporary = None
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _permissions(path):
    """Those it has, or would have been given."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(os.stat(path).st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
