"""The one exception for mistakes that the caller can mend."""


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
