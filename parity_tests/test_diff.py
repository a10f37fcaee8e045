"""`rnn-parity diff` as its user sees it: in a terminal, a pipe, a page."""

import os
import pty
import re
import select
import subprocess
import sys

import pytest
from conftest import CHROMIUM

_CODE = "import sys\nfrom rnn_parity.cli import main\nmain(sys.argv[1:])"
_COLOURS = re.compile("\x1b\\[([0-9;]*)m")


def in_terminal(*arguments, width):
    """What a terminal of that width is sent."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "COLUMNS": str(width),
        "TERM": "xterm-256color",
    }
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-c", _CODE, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    sent = b""
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        if not select.select([ours], [], [], 0.05)[0]:
            continue
        try:
            sent += os.read(ours, 65536)
        except OSError:  # Linux says so where all is read
            break
    os.close(ours)
    assert process.wait() == 0, sent.decode()
    return sent.decode().replace("\r\n", "\n")


def plain(text):
    return _COLOURS.sub("", text)


# --- In a terminal ---


@pytest.mark.parametrize("width", [80, 120, 160])
def test_it_fits_the_window(width):
    shown = plain(in_terminal("diff", "s3", width=width))
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) > 100


def test_what_became_of_a_line_stands_beside_it(run_cli):
    shown = run_cli("diff", "s3", "--numpy").stdout
    for pieces in (
        (" = tf.split(", "| ", " = tf.expand_dims(", " = np.split("),
        ("AdagradOptimizer(", "| ", "keras.optimizers.Adagrad("),
        ("in range(", "| ", "in tf.range(", "in range("),
    ):
        assert re.search(".*".join(map(re.escape, pieces)), shown), pieces


def test_what_changed_is_coloured():
    shown = in_terminal("diff", "s3", "--region", "forward", width=160)
    styles = set(_COLOURS.findall(shown))
    assert {"31", "1;31", "32", "1;32"} <= styles
    (line,) = [
        line
        for line in shown.splitlines()
        if "tf.nn.static_rnn" in plain(line)
    ]
    assert re.search("\x1b\\[[0-9;]*31m[^\x1b]*static_rnn", line)


# --- In a pipe ---


def test_it_needs_no_tensorflow(run_cli):
    before = "import sys; sys.modules['tensorflow'] = None"
    done = run_cli("diff", "s3", "--numpy", before=before)
    assert done.returncode == 0, done.stderr


def test_piped_it_is_plain_and_marked(run_cli):
    done = run_cli("diff", "s2", "--region", "forward")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    head, *_, last = done.stdout.splitlines()
    assert re.match(
        r"TensorFlow 1 \(legacy_v1\) +TensorFlow 2 \(tf2\)$", head
    )
    assert last.count("return states_series, current_state") == 2
    assert " | " in done.stdout
    assert " <\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("s9",), "unknown section 's9'"),
        (("s3_lstn",), "did you mean s3_lstm?"),
        (("s3", "--region", "forwards"), "did you mean forward?"),
        (("s3", "--region", "backward"), "add --numpy"),
        (("s3", "--html", "no/such/folder/x.html"), "no/such/folder"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(run_cli, arguments, message):
    done = run_cli("diff", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("rnn-parity: error: ")
    assert message in done.stderr


# --- As a page ---


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{whether NumPy is on it: path}."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for numpy in (False, True):
        made[numpy] = folder / f"{numpy}.html"
        extra = ["--numpy"] if numpy else []
        arguments = ["diff", "s3", "--html", str(made[numpy]), *extra]
        subprocess.run([sys.executable, "-c", _CODE, *arguments], check=True)
    return made


def test_a_page_needs_nothing_else(pages):
    text = pages[True].read_text()
    assert not re.search(r"(src|href)=|url\(|@import|<script", text)


@pytest.mark.xdist_group("browser")
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("numpy", [False, True])
def test_a_page_in_a_browser(browser, pages, width, numpy):
    page = browser.new_page(viewport={"width": width, "height": 900})
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(pages[numpy].as_uri())
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - innerWidth"
    )
    beside = page.locator(".sbs-same .sbs-second").first.is_visible()
    shown = page.locator("body").inner_text()
    page.close()
    assert requests == [pages[numpy].as_uri()]
    assert complaints == []
    assert overflow <= 0
    assert beside == (width == 1440)
    assert ("np.split(batchX" in shown) == numpy
