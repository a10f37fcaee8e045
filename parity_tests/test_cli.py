"""The command line, as a process."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from conftest import run_python

NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None"
QUICK = ("check", "--section", "s1", "--impl", "numpy_ref")


def one_line(text):
    assert text.count("\n") == 1, text
    return text


def test_help_imports_neither_tensorflow_nor_numpy():
    code = (
        "import sys\nfrom rnn_parity.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'tensorflow', 'keras', 'tf_keras', 'numpy', 'matplotlib'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    assert "check" in done.stdout


def test_the_console_script_is_installed():
    done = subprocess.run(
        [pathlib.Path(sys.executable).with_name("rnn-parity"), "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0.1.0" in done.stdout


def test_check_prints_tables_and_says_that_all_agree(run_cli):
    done = run_cli("check", "--section", "s1", "--case", "odd")
    assert done.returncode == 0, done.stderr
    assert "float32: worst error over 12 comparisons" in done.stdout
    assert "float64: worst error over 12 comparisons" in done.stdout
    assert done.stdout.splitlines()[-1] == "all 24 comparisons agree"
    # Progress on stderr, and no word of TensorFlow's own.
    assert all(
        line.startswith("checking ") for line in done.stderr.splitlines()
    ), done.stderr


@pytest.mark.parametrize(
    ("ending", "shown"),
    [("pass", False), ("KeyboardInterrupt", False), ("ImportError", True)],
)
def test_chatter_is_shown_only_with_an_import_that_fails(ending, shown):
    """A module in TensorFlow's place that writes to descriptor 2."""
    raising = "pass" if ending == "pass" else f"raise {ending}"
    code = (
        "import builtins, os, types\n"
        "real = builtins.__import__\n"
        "def fake(name, *rest):\n"
        "    if name != 'tensorflow':\n"
        "        return real(name, *rest)\n"
        "    os.write(2, b'chatter\\n')\n"
        f"    {raising}\n"
        "    return types.SimpleNamespace()\n"
        "builtins.__import__ = fake\n"
        "try:\n"
        "    from rnn_parity import quiet\n"
        "except (AttributeError, KeyboardInterrupt, ImportError):\n"
        "    pass\n"
    )
    done = run_python("-c", code)
    assert ("chatter" in done.stderr) is shown, done.stderr


def test_numpy_is_checked_without_tensorflow(run_cli):
    done = run_cli(*QUICK, before=NO_TENSORFLOW)
    assert done.returncode == 0, done.stderr
    assert "all 12 comparisons agree" in done.stdout


def test_check_fails_with_1_and_names_the_first_rung(run_cli):
    before = (
        "from numpy_ref import s1_vanilla_rnn as s1\n"
        "read_out = s1.EchoRNN.read_out\n"
        "def wrong(self, states):\n"
        "    logits, predictions = read_out(self, states)\n"
        "    return logits, [p[:, ::-1] for p in predictions]\n"
        "s1.EchoRNN.read_out = wrong\n"
    )
    done = run_cli(*QUICK, "--case", "odd", before=before)
    assert done.returncode == 1
    line = done.stdout.splitlines()[-2]
    assert line.startswith("s1 float64 odd: numpy_ref against 1.15.5 differ")
    assert "rung 'predictions', predictions[" in line
    assert " against 0." in line
    assert "6 of 6 comparisons differ" in done.stdout


def test_json_holds_every_comparison(run_cli, tmp_path):
    path = tmp_path / "check.json"
    done = run_cli(*QUICK, "--json", path)
    assert done.returncode == 0, done.stderr
    written = json.loads(path.read_text())
    assert written["agree"] is True
    assert len(written["comparisons"]) == 12
    assert written["environment"]["numpy"]
    difference = written["comparisons"][0]["differences"][0]
    assert difference["error"] <= difference["tolerance"]
    assert [p.name for p in tmp_path.iterdir()] == ["check.json"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "--section", "s0"], "unknown section 's0'"),
        (["check", "--section", "s1_vanila"], "did you mean s1_vanilla_rnn?"),
        (["check", "--dtype", "float16"], "unknown dtype 'float16'"),
        (["check", "--case", "evn"], "unknown case 'evn'"),
        (["check", "--impl", "jax"], "unknown implementation 'jax'"),
        (["check", "--against", "1.15"], "did you mean 1.15.5?"),
        (
            ["check", "--impl", "tf2", "--against", "tf2", "--case"],
            "requires an argument",
        ),
        (["chekc"], "No such command"),
        (["check", "--tolerance", "1"], "No such option"),
        (["check", "--json", "/no/such/folder/x.json"], "there is no folder"),
        (["check", "--json", "."], "is a folder"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(run_cli, arguments, words):
    done = run_cli(*arguments)
    assert done.returncode == 2
    assert words in one_line(done.stderr)
    assert done.stdout == ""


def test_a_damaged_recorded_file_is_one_line(run_cli, tmp_path):
    before = (
        "import pathlib, shutil, recorded\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "for file in recorded.FOLDER.glob('s1*'):\n"
        "    shutil.copy(file, folder)\n"
        "recorded.FOLDER = folder\n"
        "spoilt = folder / 's1_tf1.0.1.npz'\n"
        "spoilt.write_bytes(spoilt.read_bytes()[:1000])\n"
    )
    done = run_cli(*QUICK, before=before)
    assert done.returncode == 2
    *progress, last = done.stderr.splitlines()
    assert "s1_tf1.0.1.npz is damaged" in last
    assert all(line.startswith("checking ") for line in progress)


def test_ctrl_c_is_130_and_one_line(run_cli):
    before = (
        "from rnn_parity import check\n"
        "def interrupted(comparison):\n    raise KeyboardInterrupt\n"
        "check.run = interrupted\n"
    )
    done = run_cli(*QUICK, before=before)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "rnn-parity: interrupted"
    assert "Traceback" not in done.stderr


def shell(line, cwd, **environment):
    """A line of bash, `rnn-parity` in it a process of its own."""
    line = line.replace("rnn-parity", f"{sys.executable} -m rnn_parity")
    root = str(pathlib.Path(__file__).parent.parent)
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": root, **environment},
    )


AGAINST = f"rnn-parity {' '.join(QUICK)} --against 1.15.5"


@pytest.mark.parametrize(
    "line",
    [
        f"{AGAINST} --json kept",
        "rnn-parity run s1 --impl numpy_ref --epochs 1 --animate kept.gif",
        "rnn-parity diff s3",
        "rnn-parity run --help",
    ],
)
def test_a_reader_that_has_gone_is_141_and_files_are_there(line, tmp_path):
    reader = "head -1" if "run s1" in line else "true"
    done = shell(f"{line} | {reader}", tmp_path)
    assert done.returncode == 141, done.stderr
    assert "Traceback" not in done.stderr
    assert [name[:4] for name in os.listdir(tmp_path)] == (
        ["kept"] if "kept" in line else []
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
@pytest.mark.parametrize("command", ["diff s3", "--help", QUICK[0]])
def test_output_that_does_not_fit_is_one_line(command, tmp_path):
    if command == QUICK[0]:
        command = AGAINST.removeprefix("rnn-parity ")
    done = shell(f"rnn-parity {command} > /dev/full", tmp_path)
    assert done.returncode == 2
    assert "cannot write the output" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_as_good_as_none(closed, tmp_path):
    line = f"rnn-parity run s1 --impl numpy_ref --epochs 1 {closed}"
    done = shell(line, tmp_path)
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr


def test_what_the_terminal_cannot_show_is_replaced(tmp_path):
    done = shell(AGAINST, tmp_path, PYTHONIOENCODING="latin-1")
    assert done.returncode == 0, done.stderr
    assert "?2e-15" in done.stdout


def test_without_a_command_there_is_help(run_cli):
    done = run_cli()
    assert done.returncode == 2
    assert "\n  check  " in done.stdout


def test_a_missing_package_is_one_line(run_cli):
    done = run_cli("run", "s1", before=NO_TENSORFLOW)
    assert done.returncode == 2
    assert "the package tensorflow is missing" in one_line(done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("diff", "s1", "--html", ""),
        ("check", "--json", ""),
        ("bench", "--out", ""),
        ("inspect", ""),
        ("convert", "model.ckpt", "--out", ""),
        ("export", "", "--out", "model.ckpt"),
    ],
)
def test_an_empty_path_is_refused(run_cli, arguments):
    done = run_cli(*arguments)
    assert done.returncode == 2
    assert "names nothing; give a path" in one_line(done.stderr)


def test_importing_a_version_prints_nothing():
    code = (
        "import numpy as np, rnn_parity\n"
        "from conftest import SIZES, make_inputs\n"
        "from rnn_parity import ladder\n"
        "for version in rnn_parity.IMPLEMENTATIONS:\n"
        "    contract = rnn_parity.load('s1', version)\n"
        "    ladder.observe(contract, make_inputs('s1'), 'float64')\n"
    )
    done = run_python("-c", code, cwd=__file__.rpartition("/")[0])
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")


def test_mistakes_are_listed_with_their_sizes(run_cli):
    done = run_cli("mistakes", "--section", "s7", before=NO_TENSORFLOW)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    lines = {row[0]: row[1:] for row in rows if row}
    section, rung, *errors = lines["outputs_held_past_the_end"]
    assert (section, rung) == ("s7", "states")
    assert all(0.01 < float(error) < 10 for error in errors)
    assert len(errors) == 2
    hidden = lines["learning_rate_not_rounded"]
    assert hidden[-2].startswith("(")
    assert not hidden[-1].startswith("(")
    assert "dropout_scale_missing" not in lines
    assert "The last output is repeated" in done.stdout


def test_brackets_of_a_mistake_are_printed(run_cli):
    done = run_cli("mistakes", "--section", "s4", before=NO_TENSORFLOW)
    assert "[cell] * n" in done.stdout


WITH_PROCESSES = ("check", "--section", "s1", "--jobs", "2")


@pytest.mark.thorough
def test_many_processes_find_what_one_finds(run_cli):
    """Of NumPy, since what each imports is not what is tested."""
    command = ("check", "--impl", "numpy_ref", "--against", "1.15.5")
    outputs = [
        run_cli(*command, "--jobs", jobs).stdout for jobs in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert "all 28 comparisons agree" in outputs[0]


def test_ctrl_c_ends_all_processes_with_one_line():
    code = "from rnn_parity.cli import main\nimport sys\nmain(sys.argv[1:])"
    running = subprocess.Popen(
        [sys.executable, "-c", code, *WITH_PROCESSES, "--section", "s4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    first = running.stderr.readline()
    assert first.startswith("checking ")
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == "rnn-parity: interrupted"
    assert stdout == ""
    assert ended(running.pid)


def test_no_process_outlives_a_killed_check():
    running = subprocess.Popen(
        [sys.executable, "-m", "rnn_parity", *WITH_PROCESSES],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr.readline().startswith("checking ")
    running.kill()
    running.wait()
    assert ended(running.pid)


def ended(group, seconds=30):
    """Whether no process of the group is left, in a while."""
    for _ in range(10 * seconds):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
