"""The one exception for mistakes that the caller can mend."""


class UserError(ValueError):
    """Something the caller gave is wrong; the message says what to do.

    The command line prints the message as one line and exits with code 2.
    """
