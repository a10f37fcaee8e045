"""`rnn-parity run`, as a process: what a user sees, and what is on disk."""

import dataclasses
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import run_python, spread
from PIL import Image

from rnn_parity import Config, memory, sections
from rnn_parity.errors import UserError
from rnn_parity.training import checkpoint

NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None"
SIZES = (
    *("--epochs", "2", "--total-series-length", "600", "--batch-size", "3"),
    *("--truncated-backprop-length", "5", "--state-size", "6"),
)
NUMPY = ("--impl", "numpy_ref")
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
FOREVER = ("--epochs", "100000", "--total-series-length", "600")
XLA = ("--mode", "xla")


def headless():
    """The environment without a display."""
    return {k: v for k, v in os.environ.items() if k not in DISPLAYS}


def one_line(text):
    assert text.count("\n") == 1, text
    return text


@pytest.mark.parametrize(
    "implementation",
    spread(["legacy_v1", "tf2", "numpy_ref"], ["tf2"].__contains__),
)
def test_a_run_says_how_well_the_network_echoes(
    run_cli, implementation, tmp_path
):
    figure, film = tmp_path / "echo.png", tmp_path / "echo.gif"
    done = run_cli(
        *("run", "s3", "--impl", implementation, *SIZES),
        *("--figure", figure, "--animate", film),
        env=headless(),
    )
    assert done.returncode == 0, done.stderr
    heading, epoch, fresh = done.stdout.splitlines()
    assert heading.startswith("s3, LSTM: " + implementation)
    assert "2 epochs of 40 batches" in heading
    assert "but in its first batch" in epoch
    assert "echo accuracy" in fresh
    assert "(" + fresh.split("(")[1] == fresh[fresh.index("(") :]
    # Progress, and no word of TensorFlow's own.
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith("training ") for line in lines), done.stderr
    assert Image.open(figure).size == (1000, 600)
    with Image.open(film) as frames:
        assert frames.n_frames >= 2


def test_numpy_needs_no_tensorflow(run_cli):
    done = run_cli("run", "s1", *NUMPY, *SIZES, before=NO_TENSORFLOW)
    assert done.returncode == 0, done.stderr


def test_help_lists_every_constant_of_the_tutorial(run_cli):
    done = run_cli("run", "--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for field in dataclasses.fields(Config):
        assert f"--{field.name.replace('_', '-')}" in text
        assert f"[{field.default}]" in text


def test_a_run_that_cannot_learn_says_so(run_cli):
    done = run_cli(
        *("run", "s1", *NUMPY, "--total-series-length", "600"),
        *("--truncated-backprop-length", "4", "--echo-step", "4"),
        *("--epochs", "1"),
    )
    assert done.returncode == 0, done.stderr
    assert "not above echo_step 4: no window holds" in done.stdout


def test_a_run_whose_loss_overflows_says_so(run_cli, tmp_path):
    done = run_cli(
        *("run", "s1", *NUMPY, *SIZES, "--learning-rate", "1e38"),
        *("--figure", tmp_path / "lost.png"),
    )
    assert done.returncode == 0, done.stderr
    assert "the loss is no finite number from step " in done.stdout
    assert "Warning" not in done.stderr


def test_an_echo_of_no_steps_has_no_spike_to_explain(run_cli):
    done = run_cli("run", "s1", *NUMPY, *SIZES, "--echo-step", "0")
    assert done.returncode == 0, done.stderr
    assert "but in its first batch" not in done.stdout


def read(folder):
    return checkpoint.read(folder)


def assert_same(one, other):
    np.testing.assert_array_equal(one.losses, other.losses)
    np.testing.assert_array_equal(one.state, other.state)
    for name, value in other.arrays.items():
        np.testing.assert_array_equal(one.arrays[name], value)


@pytest.mark.parametrize(
    "how", [NUMPY, pytest.param(XLA, marks=pytest.mark.thorough)]
)
def test_resuming_in_a_new_process_is_bit_identical(run_cli, how, tmp_path):
    straight, in_two = tmp_path / "straight", tmp_path / "in two"
    run = ("run", "s3", *how, *SIZES)
    assert run_cli(*run, "--save", straight).returncode == 0
    done = run_cli(*run, "--epochs", "1", "--save", in_two)
    assert done.returncode == 0, done.stderr
    done = run_cli("run", "s3", *how, "--resume", in_two, "--epochs", "2")
    assert done.returncode == 0, done.stderr
    assert "from step 40" in done.stdout
    assert read(in_two).steps_done == 80
    assert_same(read(in_two), read(straight))
    assert os.listdir(in_two) == [checkpoint.NAME]


def start(*arguments):
    code = "import sys; from rnn_parity.cli import main; main(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as of a terminal of its own
    )


def wait_for_steps(folder, steps, process):
    """Until the checkpoint in `folder` has at least `steps`."""
    for _ in range(6000):  # minutes, where others use the machine too
        assert process.poll() is None, process.communicate()
        path = folder / checkpoint.NAME
        if path.exists() and read(folder).steps_done >= steps:
            return
        time.sleep(0.05)
    raise AssertionError("no checkpoint")


def test_killed_at_any_moment_it_goes_on_bit_identically(run_cli, tmp_path):
    """`kill -9` three times, while it saves after every stride."""
    folder = tmp_path / "killed"
    long = ("run", "s4", *NUMPY, "--total-series-length", "3000")
    process = start(
        *long, "--epochs", "100000", "--save-every", "0", "--save", folder
    )
    for kill in range(1, 4):
        wait_for_steps(folder, 40 * kill, process)
        process.kill()
        process.communicate()
        # What is there is whole, wherever it was hit.
        before = read(folder)
        process = start("run", "s4", "--resume", folder, "--save-every", "0")
        wait_for_steps(folder, before.steps_done + 1, process)
    process.kill()
    process.communicate()
    epochs = read(folder).epoch + 1
    done = run_cli("run", "s4", "--resume", folder, "--epochs", epochs)
    assert done.returncode == 0, done.stderr
    straight = tmp_path / "straight"
    done = run_cli(*long, "--epochs", epochs, "--save", straight)
    assert done.returncode == 0, done.stderr
    assert_same(read(folder), read(straight))


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    folder = tmp_path / "stopped"
    process = start(
        "run", "s1", *NUMPY, *FOREVER, "--save", folder, "--save-every", "0"
    )
    wait_for_steps(folder, 10, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    last = err.splitlines()[-1]
    steps = read(folder).steps_done
    assert last == (
        f"interrupted after step {steps}; go on with: rnn-parity run s1 "
        f"--resume {folder}"
    )
    assert "fresh data" in out


def test_a_figure_needs_no_notebook(run_cli, tmp_path):
    """A notebook's shell says it has a backend, of a package it has."""
    backend = "module://matplotlib_inline.backend_inline"
    done = run_cli(
        *("run", "s1", *NUMPY, *SIZES, "--figure", "echo.png"),
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": backend},
    )
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == ["echo.png"]


@pytest.mark.parametrize("when", ["starting", "training"])
def test_ctrl_c_that_python_drops_is_heeded(run_cli, when):
    """A finalizer must not raise; the interruption is lost in it."""
    before = (
        "import os, signal\n"
        "from rnn_parity.training import session\n"
        "class Dropping:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        f"name = {'__init__' if when == 'starting' else 'advance'!r}\n"
        "real = getattr(session.Session, name)\n"
        "def interrupted(*args, **kwargs):\n"
        "    Dropping()\n"
        "    return real(*args, **kwargs)\n"
        "setattr(session.Session, name, interrupted)\n"
    )
    done = run_cli("run", "s1", *NUMPY, *FOREVER, before=before, timeout=60)
    assert done.returncode == 130
    assert "interrupted" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs Xvfb")
def test_a_live_window_can_be_closed_while_training(tmp_path):
    shown, display = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(display), "-screen", "0", "1200x800x24"],
        pass_fds=[display],
        stderr=subprocess.DEVNULL,
    )
    try:
        number = os.read(shown, 20).decode().strip()
        environment = {**os.environ, "DISPLAY": f":{number}"}
        code = (
            "from matplotlib import pyplot\n"
            "from rnn_parity.training import picture\n"
            "show, shown = picture.Window.show, []\n"
            "def show_then_close(self, *drawn):\n"
            "    show(self, *drawn)\n"
            "    shown.append(len(pyplot.get_fignums()))\n"
            "    if len(shown) == 3:\n"
            "        pyplot.close(self.figure)\n"
            "picture.Window.show = show_then_close\n"
            "picture._SECONDS_BETWEEN_DRAWINGS = 0\n"
            "import atexit; atexit.register(lambda: print(shown))\n"
            "import sys\n"
            "from rnn_parity.cli import main\n"
            "main(sys.argv[1:])"
        )
        run = ("run", "s1", *NUMPY, "--total-series-length", "9000")
        done = run_python(
            *("-c", code, *run, "--epochs", "3", "--live"),
            env=environment,
            timeout=120,
        )
    finally:
        server.terminate()
        server.wait()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("[1, 1, 1, 0")


WRONG = {
    "unknown section 's3_lst' (did you mean s3_lstm?)": ("s3_lst",),
    "unknown version 'tf3' (did you mean tf2?)": ("s1", "--impl", "tf3"),
    "unknown mode 'fast'": ("s1", "--mode", "fast"),
    "mode and unroll are for tf2": ("s1", *NUMPY, "--mode", "xla"),
    "unroll is 'often'": ("s1", "--unroll", "often"),
    "does not divide total_series_length": ("s1", "--batch-size", "7"),
    "must be a finite number above 0": ("s1", "--learning-rate", "-1"),
    "dtype is 'half'": ("s1", "--dtype", "half"),
    "is not a valid integer": ("s1", "--epochs", "many"),
    "there is no folder": ("s1", *NUMPY, "--resume", "nowhere"),
    "echo.bmp ends in .bmp": ("s1", *NUMPY, "--figure", "echo.bmp"),
    "there is no folder gone": ("s1", *NUMPY, "--figure", "gone/echo.png"),
    "the picture can be written as .gif": (
        *("s1", *NUMPY, "--animate", "echo.png"),
    ),
    "--live needs a display": ("s1", *NUMPY, "--live"),
    "numpy_ref runs on the CPU": ("s1", *NUMPY, "--device", "gpu"),
    "--over says what workers are": ("s1", "--over", "processes"),
    "holds other files; name a new": ("s1", *NUMPY, "--save", "."),
    "cannot use /proc/here": ("s1", *NUMPY, "--save", "/proc/here"),
    "--save names nothing": ("s1", *NUMPY, "--save", ""),
    "is not enough memory": ("s1", *NUMPY, "--state-size", "10000000"),
    "make state_size, num_layers": (
        *("s4", "--num-layers", "1000", "--state-size", "100000"),
    ),
    "num_layers is 1001; it must be at most 1000": (
        *("s4", "--num-layers", "1001"),
    ),
    "for these sizes": (
        *("s3", "--batch-size", "1000000", "--state-size", "1000000"),
        *("--total-series-length", "15000000"),
    ),
    "--save-every is nan": ("s1", *NUMPY, "--save-every", "nan"),
    "--save-every goes with": ("s1", *NUMPY, "--save-every", "3"),
    "leave --save away": ("s1", "--save", "a", "--resume", "b"),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_mistake_gets_one_line_and_exit_code_2(
    call_cli, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "mine.txt").touch()
    done = call_cli("run", *WRONG[message])
    assert done.returncode == 2, done.stderr
    assert message in one_line(done.stderr)
    assert os.listdir(tmp_path) == ["mine.txt"]


@pytest.mark.parametrize(
    ("key", "sizes", "least"),
    [
        ("s1", {"total_series_length": 5000}, 24 * 5000),
        ("s3", {"state_size": 300}, 8 * 4 * 301 * 300),
        ("s4", {"num_layers": 700, "state_size": 9}, 8 * 699 * 4 * 18 * 9),
        ("s2", {"truncated_backprop_length": 70}, 4 * 70 * 5 * 4),
    ],
)
def test_sizes_that_cannot_fit_are_refused(monkeypatch, key, sizes, least):
    """A little less than they take is too little; twice that is enough."""
    section = sections.find(key)
    small = {"total_series_length": 350, "dtype": "float32"}
    config = Config(**(small | sizes))
    rest = 16 * config.total_series_length + 40_000
    monkeypatch.setattr(memory, "available", lambda: least - 1)
    with pytest.raises(UserError, match="not enough memory"):
        memory.check(section, config)
    monkeypatch.setattr(memory, "available", lambda: 3 * least + rest)
    memory.check(section, config)


def test_memory_is_what_is_free(monkeypatch, tmp_path):
    meminfo = tmp_path / "meminfo"
    monkeypatch.setattr(memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(memory, "_CGROUPS", ())
    in_all = memory.available()
    meminfo.write_text("MemTotal:  99 kB\nMemAvailable:    7 kB\n")
    assert memory.available() == 7 * 1024 < in_all
    meminfo.write_text("of another system\n")
    assert memory.available() == in_all


def test_a_gpu_that_is_not_there_is_one_line(run_cli):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = run_cli("run", "s1", "--device", "gpu", env=environment)
    assert done.returncode == 2
    assert "TensorFlow sees no GPU here" in one_line(done.stderr)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "saved"
    process = start("run", "s2", *NUMPY, *SIZES, "--save", folder)
    process.communicate()
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("s3",), "holds section s2, not s3"),
        (("s2", "--state-size", "7"), "was trained with state_size 6"),
        (("s2", "--seed", "4"), "was trained with seed 3"),
        (("s2",), "has trained 2 of 2 epochs; ask for more with --epochs"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(
    run_cli, saved, arguments, message
):
    before = (saved / checkpoint.NAME).read_bytes()
    done = run_cli("run", *arguments, "--resume", saved)
    assert done.returncode == 2
    assert message in one_line(done.stderr)
    assert (saved / checkpoint.NAME).read_bytes() == before


def test_a_checkpoint_is_never_overwritten_by_a_new_run(run_cli, saved):
    before = (saved / checkpoint.NAME).read_bytes()
    done = run_cli("run", "s2", *NUMPY, *SIZES, "--save", saved)
    assert done.returncode == 2
    assert "already holds a checkpoint (s2 numpy_ref" in one_line(done.stderr)
    assert (saved / checkpoint.NAME).read_bytes() == before


def test_a_full_disk_leaves_the_last_checkpoint(run_cli, tmp_path):
    """Writing fails once the file would be larger than 12 kB."""
    folder = tmp_path / "full"
    run = ("run", "s1", *NUMPY, "--total-series-length", "600")
    done = run_cli(*run, "--epochs", "2", "--save", folder)
    assert done.returncode == 0, done.stderr
    before = (folder / checkpoint.NAME).read_bytes()
    limit = len(before) + 2000
    done = run_cli(
        *("run", "s1", "--resume", folder, "--epochs", "3000"),
        *("--save-every", "0"),
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (limit, limit)
        ),
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert f"cannot write {folder / checkpoint.NAME}: File too large" in last
    assert read(folder).steps_done >= 16
    assert os.listdir(folder) == [checkpoint.NAME]
