"""What the tests share: a process runner and one section's worth of data."""

import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from rnn_parity import SECTIONS, Config, cases, cli, weights

# A shell that starts the suite in the background has Ctrl-C ignored, and so
# would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SIZES = Config(
    total_series_length=24,
    truncated_backprop_length=4,
    state_size=5,
    num_classes=3,
    echo_step=1,
    batch_size=2,
    num_layers=3,
    learning_rate=0.1,
    output_keep_prob=0.7,
    dtype="float64",
)


def spread(grid, chosen):
    """Parameters of which `make test` runs a part and `make test-all` all.

    For grids whose other cells take the same way through the code.

    Args:
        grid: list of parameters, each a value or a tuple of values.
        chosen: says of one whether `make test` runs it.
    """
    return [
        one
        if chosen(one)
        else _thorough(one if type(one) is tuple else [one])
        for one in grid
    ]


def _thorough(values):
    return pytest.param(*values, marks=pytest.mark.thorough)


@pytest.fixture
def call_cli(capsys):
    """`rnn-parity` in this process, which has TensorFlow already."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(
            arguments, ended.value.code, out, err
        )

    return call


def make_inputs(key, config=SIZES, seed=7, batches=2):
    """Random inputs of any size for a section, as `cases.Inputs`."""
    section = SECTIONS[key]
    rng = np.random.RandomState(seed)
    steps, rows = config.truncated_backprop_length, config.batch_size
    shape = (batches, rows, steps)
    masks, lengths = [None], None
    if section.masks:
        masks = cases.draw_masks(section, config, rng, batches)
    if section.lengths:
        lengths = rng.randint(0, steps + 1, shape[:2])
    return cases.Inputs(
        config=config,
        params=weights.random_params(section, config, rng),
        init_state=rng.normal(0.2, 0.6, section.state_shape(config)),
        batches_x=rng.normal(0.3, 1.0, shape),
        batches_y=rng.randint(0, config.num_classes, shape),
        dropout_masks=masks[0],
        training_masks=masks if section.masks else None,
        sequence_length=lengths,
    )


def run_python(*arguments, **kwargs):
    """Runs this interpreter; stdout and stderr as text, never raises."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **kwargs,
    )


def pytest_collection_modifyitems(items):
    """Tests that share what the versions compute share a process."""
    for item in items:
        of = getattr(item, "callspec", None)
        if of and "comparison" in of.params:
            comparison = of.params["comparison"]
            group = (comparison.section, comparison.dtype, comparison.case)
            item.add_marker(pytest.mark.xdist_group(" ".join(group)))


@pytest.fixture
def run_cli():
    """`rnn-parity` as a process of its own."""

    def run(*arguments, before="", **kwargs):
        code = (
            f"{before}\nimport sys\nfrom rnn_parity.cli import main\n"
            "main(sys.argv[1:])"
        )
        return run_python("-c", code, *arguments, **kwargs)

    return run


CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)

# Tests with a browser share one, and so a process. They need Chromium, and
# the site built, so they are for `make test-all`.
in_browser = [
    pytest.mark.thorough,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here"),
]


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(params=list(SECTIONS))
def key(request):
    """Every section in turn."""
    return request.param
