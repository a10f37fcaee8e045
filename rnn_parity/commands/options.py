"""What several commands take and print with."""

from rnn_parity import sections
from rnn_parity.errors import UserError

WIDE = 1000  # for a pipe, where names matter more than columns
OK, DIFFERENT, MISUSE, INTERRUPTED = 0, 1, 2, 130


def names(known):
    """An option value out of `known`, with a hint when misspelt."""

    def check(_context, option, values):
        for value in values:
            if value not in known:
                kind = option.name.removesuffix("s")
                raise UserError(sections.unknown(kind, value, list(known)))
        return values

    return check


def section_keys(_context, _option, values):
    return tuple(sections.find(value).key for value in values)


def console(width=100, markup=True):
    """Rich's console for stdout.

    Args:
        width: for where it is no terminal.
        markup: whether brackets are Rich's; not where names are printed.
    """
    from rich.console import Console

    made = Console(highlight=False, markup=markup)
    if not made.is_terminal:
        return Console(highlight=False, markup=markup, width=width)
    return made
