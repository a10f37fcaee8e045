"""What a file or an option may cause: one line, exit code 2, no harm.

And what a name in a file may do to a terminal: nothing.
"""

import contextlib
import errno
import os
import pty
import re
import subprocess
import sys
import types
import warnings

import numpy as np
import pytest
from conftest import run_python

import recorded
import rnn_parity
from rnn_parity import UserError, cli, keras_backend, progress, text
from rnn_parity.commands import options

# Clears the screen, sets the title, rings, closes rich's markup, turns the
# direction of writing round, breaks the line, and is an emoji to rich.
NASTY = "\x1b[2J\x1b]0;t\x07[/]\u202eab\u2028\r\n\t\x9b1m:smile:\udc80"
WRITTEN = r"\x1b[2J\x1b]0;t\x07[/]\u202eab\u2028\r\n\t\x9b1m:smile:\udc80"
CHECKPOINT = recorded.FOLDER / "checkpoints" / "stacked_lstm"
MODEL = recorded.FOLDER / "models" / "sentiment.h5"
ROOT = str(recorded.FOLDER.parent)
PLAIN = "a/b:0 [x] ü≤µ 日本 \\x1b"


# --- Text from files ---


def test_what_a_terminal_acts_on_is_written_out():
    assert text.escaped(NASTY) == WRITTEN
    for code in [*range(0x20), *range(0x7F, 0xA0), 0x200B, 0x200F, 0xFEFF]:
        assert text.escaped(f"a{chr(code)}b").isprintable(), code
    for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2029]:
        assert text.escaped(chr(code)) == f"\\u{code:04x}"


def test_what_can_be_read_is_printed_as_it_is():
    assert text.escaped(PLAIN) == PLAIN
    assert text.escaped("a\n\x1b", keep="\n") == "a\n\\x1b"
    assert text.escaped(7) == "7"


@pytest.fixture
def terminal(monkeypatch):
    """Has rich take stdout for a terminal; ESC of its own is its styles."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "300")


def harmless(printed):
    """Whether there is nothing but styles, which `ESC [ numbers m` are."""
    unstyled = re.sub(r"\x1b\[[\d;]*m", "", printed)
    return unstyled.replace("\n", "").isprintable()


def test_a_console_prints_names_escaped(capsys, terminal):
    from rich.table import Table

    console = options.console()
    assert console.is_terminal
    table = Table(title=NASTY, caption=NASTY)
    table.add_column(NASTY)
    table.add_row(NASTY)
    console.print(table)
    console.print(NASTY, style="bold", soft_wrap=True)
    printed = capsys.readouterr().out
    assert printed.count(WRITTEN) == 5
    assert "\x1b[1m" in printed  # bold is ours
    assert harmless(printed)


def test_a_line_is_printed_escaped(capsys):
    options.say(NASTY)
    options.say(PLAIN)
    assert capsys.readouterr().out == f"{WRITTEN}\n{PLAIN}\n"


def test_progress_shows_names_escaped(capsys):
    with progress.steps(2, "converting") as advance:
        advance(NASTY)
    assert capsys.readouterr().err == f"converting 1/2 {WRITTEN}\n"


def test_progress_on_a_terminal_shows_names_escaped():
    """A bar moves the cursor itself; what it shows of a name does not."""
    code = (
        "from rnn_parity import progress\n"
        "with progress.steps(1, 'exporting') as advance:\n"
        f"    advance({NASTY!r})\n"
    )
    shown, status = on_a_terminal("-c", code)
    assert status == 0
    assert r"\x1b[2J\x1b]0;t\x07[/]\u202eab" in shown
    assert "\x07" not in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def on_a_terminal(*arguments):
    """Runs this interpreter on a terminal 200 wide; (output, exit code)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"},
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: it has ended
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    return shown.decode(errors="replace"), process.wait()


# --- Names in files, by command ---


@pytest.fixture
def nasty_file(tmp_path):
    """A small checkpoint whose scope is everything a name should not be."""
    rng = np.random.RandomState(5)
    scope = NASTY.replace("\udc80", "")  # which .npz cannot hold
    path = tmp_path / "nasty\x1b[31m\x07.npz"
    np.savez(
        path,
        **{
            f"{scope}/basic_lstm_cell/kernel": rng.normal(size=(7, 16)),
            f"{scope}/basic_lstm_cell/bias": rng.normal(size=16),
            f"{scope}/unknown": rng.normal(size=(2, 3)),
        },
    )
    return path


SHOWN = WRITTEN.removesuffix(r"\udc80")


def test_inspect_prints_names_escaped(call_cli, nasty_file, terminal):
    done = call_cli("inspect", nasty_file)
    assert done.returncode == 0, done.stderr
    assert f"{SHOWN}/basic_lstm_cell" in done.stdout
    assert f"not a cell: {SHOWN}/unknown [2, 3]" in done.stdout
    assert harmless(done.stdout)


def test_json_on_stdout_holds_no_control_character(call_cli, nasty_file):
    done = call_cli("inspect", nasty_file, "--json", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace("\n", "").isprintable()
    assert r"\u001b[2J" in done.stdout


def test_convert_prints_names_escaped(
    call_cli, nasty_file, tmp_path, terminal
):
    out = tmp_path / "\x1b[32mout.npz"
    done = call_cli("convert", nasty_file, "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"left out: {SHOWN}/unknown" in done.stdout
    assert r"\x1b[32mout.npz" in done.stdout
    assert harmless(done.stdout + done.stderr)


def test_diagnose_prints_names_escaped(call_cli, nasty_file, tmp_path):
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, np.zeros((2, 3, 3), np.float32))
    np.save(y, np.zeros((2, 3, 4), np.float32))
    done = call_cli("diagnose", nasty_file, "--inputs", x, "--outputs", y)
    assert SHOWN in done.stdout
    assert harmless(done.stdout + done.stderr)


def test_an_error_line_names_what_is_wrong_escaped(call_cli, nasty_file):
    for arguments in (
        ["inspect", nasty_file, "--cell", f"{NASTY}=BasicLSTMCell"],
        ["inspect", f"{nasty_file}\n\x1b[2J"],
    ):
        done = call_cli(*arguments)
        assert done.returncode == 2
        assert r"\x1b[2J" in done.stderr
        assert done.stderr.count("\n") == 1
        assert harmless(done.stderr)


# --- Whatever a file causes ---


class _Foreign(Exception):
    """Of a library."""


class ResourceExhaustedError(Exception):
    """TensorFlow's, by its name."""


@pytest.fixture
def failing(monkeypatch, call_cli):
    """Calls a command that raises what it is given."""

    def call(error, *arguments):
        def fail(*_):
            raise error

        monkeypatch.setattr("rnn_parity.sections.find", fail)
        return call_cli(*(arguments or ("diff", "s1")))

    return call


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UserError("no such thing"), "error: no such thing"),
        (MemoryError(), "not enough memory"),
        (np._core._exceptions._ArrayMemoryError((9,), np.dtype("f4")), "not"),
        (ResourceExhaustedError("OOM when"), "not enough memory"),
        (RecursionError("maximum"), "nested or stacked too deeply"),
        (EOFError(), "cut off or damaged"),
        (_Foreign("first\nsecond"), "_Foreign: first; a damaged file"),
        (KeyError("layers"), "KeyError: 'layers'; a damaged file"),
        (ValueError(f"\x1b[2J{'x' * 9999}"), r"ValueError: \x1b[2Jxxx"),
        (AssertionError(), "AssertionError; a damaged file"),
        (SystemExit(1), "SystemExit: 1; a damaged file"),
        (ModuleNotFoundError("no", name="jax.x"), "the package jax is miss"),
        (ModuleNotFoundError("no", name="tf2.x"), "ModuleNotFoundError: no"),
        (OSError(errno.EACCES, "x", "a\x07b"), r"use a\x07b: you may not"),
        (OSError(errno.ENAMETOOLONG, "x", "nn"), "use nn: a name in it is"),
        (OSError(errno.ELOOP, "Too many levels", "l"), "use l: Too many"),
        (OSError("Unable to open (truncated)"), "OSError: Unable to open"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_exception_is_one_line_and_2(failing, error, words):
    done = failing(error)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.startswith("rnn-parity: error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 600
    assert harmless(done.stderr)
    assert done.stdout == ""


def test_ctrl_c_in_the_middle_of_an_import_is_no_damage(failing):
    error = ImportError("numpy failed to import")
    error.__context__ = KeyboardInterrupt()
    done = failing(error)
    assert (done.returncode, done.stderr) == (
        130,
        "rnn-parity: interrupted\n",
    )


def test_an_error_while_ending_is_not_taken_for_ctrl_c(failing):
    error = UserError("the disk is full")
    error.__context__ = KeyboardInterrupt()
    done = failing(error)
    assert done.returncode == 2
    assert "the disk is full" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--debug", "diff", "s1"), ("diff", "s1", "--debug")]
)
def test_debug_shows_the_traceback_and_then_the_line(failing, arguments):
    done = failing(ValueError("\x07broken"), *arguments)
    assert done.returncode == 2
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("Traceback")
    assert "in fail" in done.stderr
    assert last.startswith(r"rnn-parity: error: ValueError: \x07broken")
    assert harmless(done.stderr)


def test_debug_goes_with_every_command_and_option(call_cli, tmp_path):
    for command in cli.COMMANDS:
        assert "--debug" in call_cli(command.name, "--help").stdout
    missing = tmp_path / "nothing.h5"
    done = call_cli(
        "convert",
        missing,
        "--whole",
        "--out",
        tmp_path / "m.keras",
        "--debug",
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"no file {missing}")


def test_python_gets_the_exception_itself(monkeypatch):
    from rnn_parity.checkpoints import convert

    def fail(_path):
        raise RecursionError("a fault")

    monkeypatch.setattr(convert, "convert_checkpoint", fail)
    with pytest.raises(RecursionError, match="a fault"):
        rnn_parity.convert_checkpoint("model.ckpt")


# --- How Python was started ---


def test_warnings_and_docstrings_are_no_condition(tmp_path):
    """-W error makes errors of libraries' warnings; -OO drops docstrings."""
    out = tmp_path / "m.keras"
    done = run_python(
        *("-OO", "-W", "error", "-m", "rnn_parity", "convert"),
        *(CHECKPOINT, "--out", out),
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert done.returncode == 0, done.stderr
    assert out.exists()


@pytest.mark.parametrize(
    "command", [command.name for command in cli.COMMANDS]
)
def test_help_has_its_text_without_docstrings(command):
    done = run_python(
        *("-m", "rnn_parity", command, "--help"),
        env={**os.environ, "PYTHONOPTIMIZE": "2"},
    )
    assert done.returncode == 0, done.stderr
    assert "Exits with" in done.stdout or "\n\n  " in done.stdout
    assert (
        done.stdout
        == run_python("-m", "rnn_parity", command, "--help").stdout
    )


def test_a_warning_is_no_error(failing, monkeypatch, call_cli):
    def warn(*_):
        warnings.warn(f"{NASTY} is deprecated", stacklevel=1)
        raise UserError("said after it")

    monkeypatch.setattr("rnn_parity.sections.find", warn)
    warnings.simplefilter("error")
    done = call_cli("diff", "s1")
    assert done.stderr == "rnn-parity: error: said after it\n"
    with pytest.raises(UserWarning):  # the caller's filters are as before
        warnings.warn("x", stacklevel=1)


# --- Another backend of Keras ---


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--section", "s1", "--jobs", "1"),
        ("run", "s1"),
        ("run", "s1", "--impl", "legacy_v1"),
        ("convert", CHECKPOINT, "--out", "m.keras"),
        ("convert", MODEL, "--whole", "--out", "m.keras"),
        ("inspect", CHECKPOINT),
        ("bench", "--steps", "3"),
    ],
)
def test_another_backend_is_one_line(run_cli, tmp_path, arguments):
    done = run_cli(
        *arguments,
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": ROOT},
        cwd=tmp_path,
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "Keras computes with jax here (because of KERAS_BACKEND)" in last
    assert "set KERAS_BACKEND=tensorflow" in last
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_backend_is_found_as_keras_finds_it(monkeypatch, tmp_path):
    keras_backend.must_be_tensorflow()  # that of these tests
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    keras_backend.must_be_tensorflow()  # no settings at all
    settings = tmp_path / "keras.json"
    for content in ("{", "[]", "{}", '{"backend": "tensorflow"}'):
        settings.write_text(content)
        keras_backend.must_be_tensorflow()
    settings.write_text('{"backend": "torch"}')
    with pytest.raises(UserError, match=r"torch here \(because of .*json\)"):
        keras_backend.must_be_tensorflow()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    keras_backend.must_be_tensorflow()
    # Once it is imported, nothing else counts.
    config = types.SimpleNamespace(backend=lambda: "jax")
    imported = types.SimpleNamespace(config=config)
    monkeypatch.setitem(sys.modules, "keras", imported)
    with pytest.raises(UserError, match=r"with jax .*keras.config.backend"):
        keras_backend.must_be_tensorflow()


# --- Wrong inputs, by the dozen ---


@pytest.fixture
def cell_file(tmp_path):
    """An LSTM of 3 inputs and 4 units, as .npz, which needs no TensorFlow."""
    rng = np.random.RandomState(2)
    path = tmp_path / "cell.npz"
    scope = "rnn/basic_lstm_cell"
    arrays = {"kernel": rng.normal(size=(7, 16)), "bias": rng.normal(size=16)}
    np.savez(path, **{f"{scope}/{name}": a for name, a in arrays.items()})
    return path


def is_one_line(done):
    """Foreseen: it is not what is said of an exception of a library."""
    assert done.returncode == 2, done
    assert done.stderr.startswith("rnn-parity: error: ")
    assert done.stderr.count("\n") == 1
    assert "--debug" not in done.stderr
    return True


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (np.zeros((0, 5, 3)), np.zeros((0, 5, 4))),
        (np.zeros((2, 0, 3)), np.zeros((2, 0, 4))),
        (np.zeros((2, 5, 0)), np.zeros((2, 5, 4))),
        (np.zeros((2, 5, 3)), np.zeros(())),
        (np.zeros((2, 5, 3)), np.zeros(0)),
        (np.zeros(()), np.zeros((2, 5, 4))),
        (np.full((2, 5, 3), "ab"), np.zeros((2, 5, 4))),
        (np.zeros((2, 5, 3)), np.full((2, 5, 4), b"ab")),
        (np.zeros((2, 5, 3), "M8[s]"), np.zeros((2, 5, 4))),
        (np.zeros((2, 5, 3)), np.zeros((2, 5, 4), [("a", "f4")])),
        (np.full((2, 5, 3), np.nan), np.zeros((2, 5, 4))),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_that_are_no_data_are_one_line(
    call_cli, cell_file, tmp_path, inputs, outputs
):
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, inputs)
    np.save(y, outputs)
    done = call_cli("diagnose", cell_file, "--inputs", x, "--outputs", y)
    assert is_one_line(done)


@pytest.fixture
def odd_places(tmp_path):
    """Paths that hold no checkpoint, or cannot."""
    folder = tmp_path / "places"
    folder.mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    for suffix in ("npz", "npy", "keras", "index", "pb"):
        (folder / f"empty.{suffix}").touch()
        (folder / f"noise.{suffix}").write_bytes(bytes(range(1, 256)) * 9)
    long = "n" * 300
    return [
        *folder.iterdir(),
        folder,
        folder / long,
        folder / long / "x",
        folder / f"{long}.npz",
        folder / "noise.npz" / "x",
        folder / "\udcff.npz",
        "/dev/null",
        "/dev/zero",
    ]


def test_a_place_without_a_checkpoint_is_one_line(call_cli, odd_places):
    for path in odd_places:
        assert is_one_line(call_cli("inspect", path)), path


@pytest.mark.parametrize("weights", [np.zeros(0), ["a"], np.zeros(())])
def test_arrays_that_are_no_weights_are_one_line(call_cli, tmp_path, weights):
    path, x = tmp_path / "cell.npz", tmp_path / "x.npy"
    scope = "rnn/basic_lstm_cell"
    np.savez(path, **{f"{scope}/kernel": weights, f"{scope}/bias": weights})
    np.save(x, np.zeros((2, 5, 3)))
    done = call_cli("diagnose", path, "--inputs", x, "--outputs", x)
    assert is_one_line(done)


def test_a_place_that_cannot_be_written_to_is_one_line(
    call_cli, cell_file, tmp_path
):
    long = "n" * 300
    for out in (long, f"{long}/x", "cell.npz/x", ".", "nowhere/x"):
        path = tmp_path / out
        assert is_one_line(call_cli("inspect", cell_file, "--json", path))
        assert is_one_line(call_cli("diff", "s1", "--html", path))
