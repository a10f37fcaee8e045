"""The command line. TensorFlow and NumPy are imported only where used."""

import contextlib
import errno
import os
import sys

import click

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
from rnn_parity.errors import UserError


def main(arguments=None):
    """Runs the command line and exits.

    With 0, 1 (it is not so), 2 (misuse), 130 (Ctrl-C) or, as every command
    whose reader has gone, 141.
    """
    _prepare_streams()
    # That of a notebook need not be installed here, and shows no window.
    os.environ.pop("MPLBACKEND", None)
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt, EOFError):
        _say("interrupted")
        code = INTERRUPTED
    except click.ClickException as error:
        _say(f"error: {error.format_message()}")
        code = MISUSE
    except UserError as error:
        _say(f"error: {error}")
        code = MISUSE
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package in _OWN:
            raise
        _say(
            f"error: the package {package} is missing; install what "
            "requirements.txt lists"
        )
        code = MISUSE
    except BrokenPipeError:
        _drop_output()
        code = UNREAD
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _drop_output()
        _say(f"error: cannot write the output: {error.strerror}")
        code = MISUSE
    sys.exit(code or OK)


_OWN = ("rnn_parity", "legacy_v1", "tf2", "numpy_ref", "recorded")


def _run(arguments):
    """As click's own `main`, which takes a gone reader for a failure."""
    try:
        with cli.make_context("rnn-parity", list(arguments)) as context:
            return cli.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code


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
    click.echo(f"rnn-parity: {' '.join(line.split())}", err=True)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
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
    cli.add_command(command)
