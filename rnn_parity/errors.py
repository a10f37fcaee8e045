"""The exception for mistakes that the caller can mend, and its one line."""

import errno
import os

_LONGEST = 300  # characters of a library's message


class UserError(ValueError):
    """Something the caller gave is wrong; the message says what to do.

    The command line prints the message as one line and exits with code 2.
    """


def damaged(path, error):
    """The `UserError` about a file that `error` came up in."""
    reason = str(error).split("\n", maxsplit=1)[0][:120]
    if isinstance(error, PermissionError):
        return UserError(f"cannot read {path}: {error.strerror}")
    return UserError(
        f"{path} cannot be read, it is damaged or of another kind "
        f"({reason or type(error).__name__}); copy it again"
    )


OWN_PACKAGES = ("rnn_parity", "legacy_v1", "tf2", "numpy_ref", "recorded")


def explained(error):
    """What the command line says of an exception, in one line.

    Args:
        error: any exception but an exit or an interruption. Exceptions of
            packages are told by the names of their classes, so that none is
            imported for it.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, UserError):
        return str(error)
    if names & {"MemoryError", "ResourceExhaustedError"}:
        return (
            "there is not enough memory for this; use a machine with more, "
            "or smaller sizes"
        )
    if isinstance(error, RecursionError):
        return (
            "something in the file is nested or stacked too deeply for "
            "Python; if no network of yours is that deep, it is damaged"
        )
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        if package and package not in OWN_PACKAGES:
            return (
                f"the package {package} is missing; install what "
                "requirements.txt lists"
            )
    if isinstance(error, OSError) and error.filename is not None:
        return _of_a_file(error)
    if isinstance(error, EOFError):
        return "a file ends too early; it is cut off or damaged"
    return _unforeseen(error)


def _of_a_file(error):
    """What is wrong with the file or folder that an OSError names."""
    reasons = {
        errno.EACCES: "you may not read or write it",
        errno.EPERM: "you may not read or write it",
        errno.EISDIR: "it is a folder; name a file",
        errno.ENOENT: "there is no such file or folder",
        errno.ENOSPC: "the disk is full",
        errno.ENAMETOOLONG: "a name in it is too long for this disk",
    }
    reason = reasons.get(error.errno) or error.strerror or str(error)
    name = error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    return f"cannot use {name}: {reason}"


def _unforeseen(error):
    kind = type(error).__name__
    lines = str(error).strip().splitlines()
    first = lines[0].strip() if lines else ""
    if len(first) > _LONGEST:
        first = f"{first[:_LONGEST]}..."
    said = f"{kind}: {first}" if first else kind
    return (
        f"{said.rstrip('.:;')}; a damaged file can cause this, and so can a "
        "fault of rnn-parity (--debug shows where it happened)"
    )
