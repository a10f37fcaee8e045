"""The command line. TensorFlow and NumPy are imported only where used."""

import contextlib
import errno
import os
import re
import sys
import traceback
import warnings

import click

from rnn_parity import errors, text
from rnn_parity.commands.bench import bench
from rnn_parity.commands.check import check
from rnn_parity.commands.convert import convert
from rnn_parity.commands.diagnose import diagnose
from rnn_parity.commands.diff import diff
from rnn_parity.commands.export import export
from rnn_parity.commands.inspect import inspect
from rnn_parity.commands.mistakes import mistakes
from rnn_parity.commands.options import (
    INTERRUPTED,
    MISUSE,
    OK,
    UNREAD,
)
from rnn_parity.commands.run import run


def main(arguments=None):
    """Runs the command line and exits.

    With 0, 1 (it is not so), 2 (misuse, or an input that cannot be used, in
    one line), 130 (Ctrl-C) or, as every command whose reader has gone, 141.
    """
    if arguments is None:
        _start_again_with_docstrings()
    _prepare_streams()
    # That of a notebook need not be installed here, and shows no window.
    os.environ.pop("MPLBACKEND", None)
    shown = {"debug": False}
    try:
        with _warnings_left_out():
            code = _run(
                sys.argv[1:] if arguments is None else arguments, shown
            )
        sys.stdout.flush()
    except BaseException as error:
        code = _ended_by(error, shown["debug"])
    sys.exit(code or OK)


def _start_again_with_docstrings():
    """tf-keras cannot be imported without them, and `--help` needs ours.

    Python leaves them out with -OO or PYTHONOPTIMIZE=2. The process is
    replaced by one that is called the same way without either.
    """
    if sys.flags.optimize < 2:
        return
    own = len(sys.orig_argv) - len(sys.argv[1:])
    python, *options = sys.orig_argv[:own]
    kept = [one for one in options if not re.fullmatch("-O+", one)]
    if kept == options and "PYTHONOPTIMIZE" not in os.environ:
        return  # nothing would change
    os.environ.pop("PYTHONOPTIMIZE", None)
    os.execv(sys.executable, [python, *kept, *sys.argv[1:]])


def _run(arguments, shown):
    """As click's own `main`, which takes a gone reader for a failure."""
    try:
        with cli.make_context(
            "rnn-parity", list(arguments), obj=shown
        ) as context:
            return cli.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code


def _ended_by(error, debug):
    """Says what ended the command, then lets go of stdout; the exit code."""
    if debug:
        shown = "".join(traceback.format_exception(error))
        _to_stderr(text.escaped(shown, keep="\n"))
    code = _answer(error)
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
    return code


def _answer(error):
    """Says in one line what ended the command; returns the exit code."""
    if _is_interruption(error):
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _drop_output()
        return UNREAD
    if isinstance(error, click.ClickException):
        _say(f"error: {' '.join(error.format_message().split())}")
        return MISUSE
    unnamed = isinstance(error, OSError) and error.filename is None
    if unnamed and error.errno == errno.ENOSPC:
        _drop_output()
        _say(f"error: cannot write the output: {error.strerror}")
        return MISUSE
    _say(f"error: {errors.explained(error)}")
    return MISUSE


def _is_interruption(error):
    """Also of what a library raised when Ctrl-C met it half imported."""
    while error is not None and not isinstance(error, errors.UserError):
        if isinstance(error, click.exceptions.Abort | KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def _warnings_left_out():
    """Ignores Python's warnings, here and in processes that are started.

    They are about libraries, may hold names from files, and with -W error
    each one would end the command.
    """
    kept_options = sys.warnoptions[:]
    kept_variable = os.environ.pop("PYTHONWARNINGS", None)
    sys.warnoptions.clear()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.warnoptions[:] = kept_options
        if kept_variable is not None:
            os.environ["PYTHONWARNINGS"] = kept_variable


def _prepare_streams():
    """Whatever the streams are, nothing that is printed is an error."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:  # closed, as by the shell's >&-
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            setattr(sys, name, os.fdopen(number, "w"))
    # Where it knows no ≤ and no µ, ? stands for it.
    with contextlib.suppress(AttributeError):  # a notebook's own stream
        sys.stdout.reconfigure(errors="replace")


def _drop_output():
    """Python would try to write the rest once more as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(line):
    _to_stderr(f"rnn-parity: {text.escaped(line)}\n")


def _to_stderr(shown):
    with contextlib.suppress(OSError):  # full or gone: the code says enough
        click.echo(shown, err=True, nl=False)


def _set_debug(context, _option, value):
    """Before or after the name of the command: either is enough."""
    shown = context.ensure_object(dict)
    shown["debug"] = shown.get("debug") or value


_DEBUG = click.Option(
    ["--debug"],
    is_flag=True,
    is_eager=True,  # the options after it may be wrong
    expose_value=False,
    callback=_set_debug,
    help="Of an error, also show the traceback.",
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    params=[_DEBUG],
)
@click.version_option(package_name="rnn-parity")
@click.pass_context
def cli(context):
    """TensorFlow 1 recurrent networks, native TensorFlow 2 and NumPy: the
    same sections three ways, proven equal to what TensorFlow 1 computed.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(MISUSE)


COMMANDS = (
    bench,
    check,
    convert,
    diagnose,
    diff,
    export,
    inspect,
    mistakes,
    run,
)
for command in COMMANDS:
    command.params.append(_DEBUG)
    cli.add_command(command)
