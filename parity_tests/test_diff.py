"""`rnn-parity diff` as its user sees it: in a terminal, a pipe, a page."""

import os
import pty
import re
import select
import subprocess
import sys

import pytest
from conftest import CHROMIUM

from rnn_parity import SECTIONS, side_by_side
from rnn_parity.sections import IMPLEMENTATIONS

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


def source_lines(key, version, region=None):
    """Every line of a version that is to be seen, without indentation."""
    source = side_by_side.path(SECTIONS[key], version).read_text()
    blocks = side_by_side.blocks(source)
    wanted = [region] if region else list(side_by_side.REGIONS)
    return [
        line.strip()
        for name in wanted
        for lines in blocks.get(name, {}).values()
        for line in lines
        if line.strip()
    ]


# --- In a terminal ---


@pytest.mark.parametrize("width", [80, 120, 160])
def test_it_fits_the_window(width):
    shown = plain(in_terminal("diff", "s3", width=width))
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) > 100


def test_at_160_columns_nothing_is_folded(key):
    shown = plain(in_terminal("diff", key, width=160))
    lines = shown.splitlines()
    for version in IMPLEMENTATIONS[:2]:
        for line in source_lines(key, version):
            assert any(line in each for each in lines), line


def test_at_80_columns_it_reads_as_a_patch(key):
    shown = plain(in_terminal("diff", key, width=80)).splitlines()
    heads = ["- TensorFlow 1 (legacy_v1)", "+ TensorFlow 2 (tf2)"]
    assert shown[:2] == heads
    for sign, version in zip("-+", IMPLEMENTATIONS, strict=False):
        source = side_by_side.path(SECTIONS[key], version).read_text()
        regions = side_by_side.blocks(source).values()
        methods = [lines for region in regions for lines in region.values()]
        wanted = [line for lines in methods for line in lines if line]
        of_version = (f"{sign} ", "  ")
        assert [
            line[2:] for line in shown[2:] if line[:2] in of_version
        ] == wanted


def test_numpy_below_the_pair_leaves_the_pair_alone():
    arguments = ("diff", "s3", "--region", "forward")
    pair = plain(in_terminal(*arguments, width=80))
    with_numpy = plain(in_terminal(*arguments, "--numpy", width=80))
    assert with_numpy.startswith(pair)
    assert with_numpy.removeprefix(pair).startswith("\n  NumPy")


def test_what_became_of_a_line_stands_beside_it(run_cli):
    shown = run_cli("diff", "s3", "--numpy").stdout
    for pieces in (
        (" = tf.split(", "| ", " = tf.expand_dims(", " = np.split("),
        ("AdagradOptimizer(", "| ", "keras.optimizers.Adagrad("),
        ("in range(", "| ", "in tf.range(", "in range("),
    ):
        assert re.search(".*".join(map(re.escape, pieces)), shown), pieces


def test_no_bracket_ties_two_versions_together():
    pairs = [
        row.cells[:2]
        for section in SECTIONS.values()
        for region in side_by_side.REGIONS
        for _, rows in side_by_side.methods(section, region, IMPLEMENTATIONS)
        for row in rows
        if row.same
    ]
    assert pairs
    assert all(first == second for first, second in pairs)


def test_folded_lines_break_between_words_and_lose_nothing():
    shown = plain(in_terminal("diff", "s6", "--region", "forward", width=112))
    squeezed = re.sub(r"\s+", "", shown)
    assert "keep_prob=tf.constant" in squeezed
    words = set(re.findall(r"\w+", shown))
    known = set()
    for version in IMPLEMENTATIONS[:2]:
        source = side_by_side.path(SECTIONS["s6"], version).read_text()
        known |= set(re.findall(r"\w+", source))
    headings = set(
        re.findall(r"\w+", "TensorFlow 1 2 legacy_v1 tf2 Forward pass")
    )
    assert words <= known | headings


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


def test_three_columns_where_there_is_room_and_below_where_not():
    wide = plain(
        in_terminal("diff", "s1", "--region", "forward", "--numpy", width=230)
    )
    assert re.search("TensorFlow 1.*TensorFlow 2.*NumPy", wide)
    narrow = plain(
        in_terminal("diff", "s1", "--region", "forward", "--numpy", width=120)
    )
    assert max(map(len, narrow.splitlines())) <= 120
    assert "np.unstack(batchX, axis=1)" in narrow


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


def test_a_region_alone_or_all_of_them(run_cli):
    every = run_cli("diff", "s5").stdout
    for region, heading in side_by_side.REGIONS.items():
        assert (f"--- {heading} ---" in every) == (region != "backward")
    alone = run_cli("diff", "s5", "--region", "loss").stdout
    assert re.findall("--- (.*) ---", alone) == ["Calculating loss"]


def test_numpy_stands_beside_them(run_cli):
    done = run_cli("diff", "s3", "--region", "backward", "--numpy")
    assert done.returncode == 0, done.stderr
    for line in source_lines("s3", "numpy_ref", "backward"):
        assert line in done.stdout, line


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
