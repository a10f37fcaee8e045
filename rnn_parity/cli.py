"""The command line. TensorFlow and NumPy are imported only where used."""

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
from rnn_parity.commands.options import INTERRUPTED, MISUSE, OK
from rnn_parity.commands.run import run
from rnn_parity.errors import UserError


def main(arguments=None):
    """Runs the command line and exits: 0, 1, 2 (misuse) or 130 (Ctrl-C)."""
    try:
        code = cli.main(arguments, "rnn-parity", standalone_mode=False)
    except click.exceptions.Abort:
        _say("interrupted")
        code = INTERRUPTED
    except click.ClickException as error:
        _say(f"error: {error.format_message()}")
        code = MISUSE
    except KeyboardInterrupt:
        _say("interrupted")
        code = INTERRUPTED
    except UserError as error:
        _say(f"error: {error}")
        code = MISUSE
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        sys.stderr.close()
        code = OK
    sys.exit(code or OK)


def _say(line):
    click.echo(f"rnn-parity: {' '.join(line.split())}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rnn-parity")
def cli():
    """TensorFlow 1 recurrent networks, native TensorFlow 2 and NumPy: the
    same sections three ways, proven equal to what TensorFlow 1 computed.
    """


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
