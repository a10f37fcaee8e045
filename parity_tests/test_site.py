"""The guide as its reader sees it: built, and opened in a browser."""

import fcntl
import functools
import http.server
import os
import pathlib
import subprocess
import sys
import threading
import urllib.parse

import pytest
from conftest import in_browser, spread

ROOT = pathlib.Path(__file__).parent.parent
pytestmark = in_browser
pytest.importorskip("mkdocs", reason="the guide needs the docs extra")

WIDE, NARROW = (1440, 900), (390, 844)


def build(folder):
    """`make docs`, into a folder."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict"),
            *("--site-dir", str(folder)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Built once, also where several processes share the tests out."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / "guide.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder, built = shared / "guide", shared / "guide.built"
        if not built.exists():
            build(folder)
            built.touch()
    return folder


@pytest.fixture(scope="session")
def address(site):
    """Where the site is served, as GitHub Pages would: below a folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def open_page(browser, address):
    """Opens a page of the site; it must behave until the test is over."""
    contexts, complaints = [], []

    def open_page(path="", size=WIDE, scheme="light"):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complain(page, said))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", stays_here)
        page.goto(address + path)
        page.wait_for_load_state("load")
        return page

    def complain(page, said):
        if said.type in ("error", "warning"):
            complaints.append(f"{page.url}: {said.text}")

    def stays_here(request):
        local = request.url.startswith((address, "data:", "blob:"))
        if not local:
            complaints.append(f"leaves the machine: {request.url}")

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def pages_of(site):
    """The address of every page, below the site's."""
    return sorted(
        "" if path.parent == site else f"{path.parent.relative_to(site)}/"
        for path in site.rglob("index.html")
    )


_WHAT_IS_THERE = """() => ({
  links: [...document.querySelectorAll('a[href]')].map((a) => a.href),
  ids: [...document.querySelectorAll('[id]')].map((e) => e.id),
  overflow: document.documentElement.scrollWidth - innerWidth,
  empty: [...document.querySelectorAll('[data-slot]')].length,
})"""


# Dark, they have no colour that section 6 has not.
_ALIKE = [f"sections/s{number}/" for number in (1, 2, 3, 4, 5, 7)]
_AT_ONCE = "*, *::before, *::after { transition: none !important }"
_DARK = "document.body.setAttribute('data-md-color-scheme', 'slate')"


def violations(axe, page, options=None):
    """What axe-core finds, one line for each rule."""
    found = axe.run(page, options=options).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]


def test_every_page_leads_somewhere_and_fits(site, address, open_page):
    """Links, and widths."""
    page = open_page()
    seen = {}
    for path in pages_of(site):
        page.goto(address + path)
        seen[address + path] = there = page.evaluate(_WHAT_IS_THERE)
        page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        narrow = page.evaluate(_WHAT_IS_THERE)
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        assert there["empty"] == 0, path
        assert there["overflow"] <= 0, path
        assert narrow["overflow"] <= 0, path
    assert len(seen) >= 20
    for url, there in seen.items():
        for link in there["links"]:
            target, _, anchor = link.partition("#")
            assert target in seen, f"{url} -> {link}"
            anchor = urllib.parse.unquote(anchor)
            assert anchor in ["", *seen[target]["ids"]], f"{url} -> {link}"


# A page of every make, but for the long ones.
_OF_EVERY_MAKE = ["", "chapters/truncated/", "quiz/", "sections/s1/"]


@pytest.mark.parametrize(
    "paths", [_OF_EVERY_MAKE, pytest.param(None, marks=pytest.mark.thorough)]
)
def test_axe_finds_nothing(paths, site, address, open_page):
    """Light and dark."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page()
    wrong = []
    for path in paths or pages_of(site):
        page.goto(address + path)
        page.add_style_tag(content=_AT_ONCE)
        wrong += [(path, words) for words in violations(axe, page)]
        if path not in _ALIKE:
            page.evaluate(_DARK)
            assert sum(background(page)) < 200, path
            colours = {"runOnly": ["color-contrast"]}
            wrong += [(path, word) for word in violations(axe, page, colours)]
    assert wrong == []


def test_every_page_is_in_the_menu(site, open_page, address):
    page = open_page()
    menu = page.locator("nav.md-nav--primary a[href]")
    links = menu.evaluate_all("all => all.map((a) => a.href)")
    assert {link.partition("#")[0] for link in links} >= {
        address + path for path in pages_of(site)
    }


# --- Side by side ---


@pytest.mark.parametrize(
    "key", spread([f"s{n}" for n in range(1, 8)], ["s1", "s6"].__contains__)
)
def test_the_pair_stands_side_by_side_where_there_is_room(open_page, key):
    page = open_page(f"sections/{key}/")
    hunks = page.locator(".sbs-hunk:not(.sbs-same)")
    assert hunks.count() > 10
    for place in range(0, hunks.count(), 5):
        sides = hunks.nth(place).locator(".sbs-side")
        left, right = (sides.nth(n).bounding_box() for n in (0, 1))
        assert left["x"] + left["width"] <= right["x"]
        assert left["y"] == right["y"]
        assert min(left["width"], right["width"]) > 500
    cut = page.evaluate(
        "() => [...document.querySelectorAll('.sbs-line')].filter("
        "(line) => line.scrollWidth > line.clientWidth + 1).length"
    )
    assert cut == 0


@pytest.mark.parametrize("key", ["s1", "s6"])
def test_on_a_telephone_the_pair_is_one_column(open_page, key):
    page = open_page(f"sections/{key}/", NARROW)
    same = page.locator(".sbs-hunk.sbs-same").first
    assert same.locator(".sbs-side").nth(0).is_visible()
    assert not same.locator(".sbs-side").nth(1).is_visible()
    old = page.locator(".sbs-old").first.bounding_box()
    new = page.locator(".sbs-new").first.bounding_box()
    assert old["y"] + old["height"] <= new["y"] + 1
    assert old["x"] + old["width"] <= NARROW[0]


# --- What can be clicked ---


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("DropoutWrapper", "lookup/symbols/"),
        ("BasicLSTMCell", "lookup/symbols/"),
        ("tf.contrib.rnn.static_rnn", "lookup/symbols/"),
        ("tf.unpack", "lookup/symbols/"),
        ("'tensorflow' has no attribute 'placeholder'", "lookup/errors/"),
        ("lstm_cell/kernel not found in checkpoint", "lookup/errors/"),
        ("truncated", "chapters/truncated/"),
        ("convert checkpoint", "chapters/checkpoints/"),
        ("workers", "reference/"),
    ],
)
def test_search_finds_it_first(open_page, words, path):
    found = search(open_page(), words).first
    found.wait_for(timeout=10000)
    assert path in found.get_attribute("href")


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("forget_bias", "sections/s3/"),
        ("dynamic_rnn sequence_length", "chapters/lengths/"),
        ("static_rnn", "chapters/unrolling/"),
    ],
)
def test_search_leads_to_a_chapter(open_page, words, path):
    page = open_page()
    found = search(page, words).and_(page.locator(f"[href*='{path}']")).first
    found.wait_for(timeout=10000)
    found.click()
    page.wait_for_url(f"**/{path}**")


def search(page, words):
    """The links that the search shows."""
    page.keyboard.press("/")
    page.keyboard.type(words)
    return page.locator(".md-search-result__link")


@pytest.mark.parametrize(
    ("path", "words", "shown"),
    [
        ("lookup/symbols/", "GRUCell reset", "nn.rnn_cell.GRUCell"),
        ("lookup/errors/", "no attribute 'Session'", "'Session'"),
    ],
)
def test_a_field_leaves_what_was_typed(open_page, path, words, shown):
    page = open_page(path)
    rows = page.locator(".symbols tbody tr, .message")
    assert rows.count() > 30
    page.get_by_label("Find").fill(words)
    left = [row.inner_text() for row in rows.all() if row.is_visible()]
    assert 0 < len(left) < 10
    assert shown in left[0]
    page.get_by_label("Find").fill("")
    assert all(row.is_visible() for row in rows.all())


@pytest.mark.parametrize("path", ["lookup/symbols/", "lookup/errors/"])
def test_a_telephone_shows_all_of_a_lookup(open_page, path):
    page = open_page(path, NARROW)
    for cell in page.locator(".symbols tbody :is(td, th), .message h2").all():
        box = cell.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW[0]


def test_dark_mode_is_remembered(open_page):
    page = open_page("sections/s3/")
    body = page.locator("body")
    assert body.get_attribute("data-md-color-scheme") == "default"
    light = background(page)
    page.get_by_title("Switch to dark mode").click()
    assert body.get_attribute("data-md-color-scheme") == "slate"
    assert sum(background(page)) < sum(light) / 3
    page.reload()
    assert body.get_attribute("data-md-color-scheme") == "slate"
    page.get_by_title("Switch to light mode").click()
    assert body.get_attribute("data-md-color-scheme") == "default"


def background(page):
    colour = page.locator("body").evaluate(
        "(body) => getComputedStyle(body).backgroundColor"
    )
    numbers = colour.partition("(")[2].rstrip(")").split(",")
    return [float(number) for number in numbers[:3]]


def test_the_systems_dark_mode_is_followed(open_page):
    page = open_page(scheme="dark")
    assert sum(background(page)) < 200


def test_commands_are_copied(open_page):
    page = open_page()
    block = page.locator(".highlight").first
    block.hover()
    block.locator("button[title='Copy to clipboard'], .md-clipboard").click()
    page.locator(".md-dialog--active").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == "make check"


def test_the_tensorflow_2_side_is_copied(open_page):
    page = open_page("sections/s3/")
    button = page.get_by_role("button", name="Copy TensorFlow 2").nth(2)
    button.click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    source = (ROOT / "tf2/s3_lstm.py").read_text()
    lines = copied.strip("\n").splitlines()
    assert len(lines) >= 4
    indented = "\n".join(f"    {line}".rstrip() for line in lines)
    assert indented in source


def test_the_quiz_by_mouse(open_page):
    page = open_page("quiz/")
    forms = page.locator("form.quiz")
    assert forms.count() == 13
    first = forms.nth(0)
    first.get_by_role("button", name="Check").click()
    assert "Choose" in first.locator(".said").inner_text()
    right = int(first.get_attribute("data-right"))
    first.locator("label").nth((right + 1) % 3).click()
    first.get_by_role("button", name="Check").click()
    assert first.locator(".said").inner_text().startswith("No.")
    assert not first.locator("details p").is_visible()
    first.locator("label").nth(right).click()
    first.get_by_role("button", name="Check").click()
    assert first.locator(".said").inner_text() == "Right."
    assert first.locator("details p").is_visible()
    assert page.locator("#score").inner_text() == "1 of 13 right"


def test_the_quiz_by_keyboard(open_page):
    page = open_page("quiz/")
    forms = page.locator("form.quiz")
    for place in range(forms.count()):
        form = forms.nth(place)
        form.locator("input").first.focus()
        page.keyboard.press("Space")
        for _ in range(int(form.get_attribute("data-right"))):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.textContent")
        assert focused == "Check"
        page.keyboard.press("Enter")
        assert form.locator(".said").inner_text() == "Right."
    total = forms.count()
    score = page.locator("#score").inner_text()
    assert score == f"{total} of {total} right"


def test_an_answer_opens_without_answering(open_page):
    page = open_page("quiz/")
    page.locator("form.quiz summary").nth(4).focus()
    page.keyboard.press("Enter")
    assert page.locator("form.quiz details p").nth(4).is_visible()


# --- Never stale ---


@pytest.mark.thorough
def test_built_again_it_is_the_same(site, tmp_path):
    again = build(tmp_path / "again")
    for path in sorted(again.rglob("*.html")):
        name = path.relative_to(again)
        assert path.read_text() == (site / name).read_text(), name
