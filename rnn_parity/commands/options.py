"""What several commands take and print with."""

import os

import click

from rnn_parity import sections, text
from rnn_parity.errors import UserError

WIDE = 1000  # for a pipe, where names matter more than columns
OK, DIFFERENT, MISUSE, INTERRUPTED = 0, 1, 2, 130
UNREAD = 141  # what shells report of a command ended by SIGPIPE


class Path(click.Path):
    """A path, not an empty one; what is there its user sees."""

    def __init__(self):
        super().__init__(readable=False)

    def convert(self, value, param, context):
        if value == "":  # as of a shell variable that is not set
            raise UserError(f"{_called(param)} names nothing; give a path")
        return super().convert(value, param, context)


def _called(param):
    if isinstance(param, click.Argument):
        return param.name.upper()
    return param.opts[0]


def must_begin_with(start, path, kind):
    """Sees that writing to `path` would replace a file of its own kind.

    A slip must not cost a model.

    Args:
        start: bytes that every such file begins with.
        kind: what such a file is called.

    Raises:
        UserError: what is there is something else.
    """
    if os.path.isfile(path) and os.path.getsize(path):
        try:
            with open(path, "rb") as file:
                found = file.read(len(start))
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        if found != start:
            raise UserError(
                f"{path} is there already and no {kind}; name another file"
            )


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


def say(line, err=False):
    """Prints a line that may hold names from files, to stdout or stderr."""
    click.echo(text.escaped(line), err=err)


def console(width=100):
    """Rich's console for stdout.

    Strings are printed as they are, in tables too: brackets are no markup,
    and `text.escaped` writes out what a terminal would act on. Lines and
    styles of our own are a `rich.text.Text`.

    Args:
        width: for where it is no terminal.
    """
    import rich.console

    class Console(rich.console.Console):
        def on_broken_pipe(self):
            raise BrokenPipeError  # Rich exits with 1, as if a proof failed

        def render_str(self, line, **how):
            return super().render_str(text.escaped(line), **how)

    def made(**size):
        return Console(highlight=False, markup=False, emoji=False, **size)

    return made() if made().is_terminal else made(width=width)
