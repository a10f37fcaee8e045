"""`rnn-parity diff`: every line of every version, once, in order, marked.

What a section file holds is read from it here with `ast` alone, and what is
shown is taken apart into columns again.
"""

import ast
import functools
import html
import itertools
import re

import pytest

from rnn_parity import SECTIONS, side_by_side, side_by_side_page
from rnn_parity import side_by_side_text as as_text
from rnn_parity.commands import options
from rnn_parity.sections import IMPLEMENTATIONS

HEADINGS = {
    "top": "Top of the file",
    "variables": "Variables and placeholders",
    "forward": "Forward pass",
    "loss": "Calculating loss",
    "backward": "Backward pass",
    "training": "Running a training session",
}
TITLES = {
    "legacy_v1": "TensorFlow 1 (legacy_v1)",
    "tf2": "TensorFlow 2 (tf2)",
    "numpy_ref": "NumPy (numpy_ref)",
}
PAIRS = list(itertools.permutations(IMPLEMENTATIONS, 2))


@functools.cache
def lines_of(key, version):
    """[(heading, method, line)] of all lines, as the file has them.

    A heading's own line and empty lines around a method are left out.
    """
    path = side_by_side.path(SECTIONS[key], version)
    assert path.parts[-2:] == (version, f"{SECTIONS[key].module}.py")
    source = path.read_text()
    lines = source.splitlines()
    (network,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    ]
    owner = {}
    for method in network.body:
        if isinstance(method, ast.FunctionDef):
            first = method.decorator_list[0] if method.decorator_list else 0
            start = first.lineno if first else method.lineno
            for number in range(start, method.end_lineno + 1):
                owner[number] = method.name
    found, heading = [], "Top of the file"
    for number, line in enumerate(lines, 1):
        if line.startswith("    # --- "):
            heading = line.removeprefix("    # --- ").removesuffix(" ---")
            continue
        if heading == "Top of the file":
            found.append((heading, "", line))
        elif number in owner:
            dedented = line.removeprefix("    ") if line else ""
            found.append((heading, owner[number], dedented))
        else:
            assert not line.strip(), f"{path}: {line} is in no method"
    while found[-1][2] == "":
        found.pop()
    return found


def without_edges(lines):
    """[(heading, method, line)] without empty lines at a method's ends."""
    kept = []
    for _, group in itertools.groupby(lines, lambda each: each[:2]):
        group = list(group)
        while group and not group[0][2].strip():
            group.pop(0)
        while group and not group[-1][2].strip():
            group.pop()
        kept += group
    return kept


@functools.cache
def methods_of(key, region, versions):
    """The same, kept: it takes a while."""
    return side_by_side.methods(SECTIONS[key], region, versions)


def column(key, versions, place):
    """[(heading, method, line)] of a column of `side_by_side.methods`."""
    return [
        (heading, name, row.cells[place])
        for region, heading in side_by_side.REGIONS.items()
        for name, rows in methods_of(key, region, versions)
        for row in rows
        if row.cells[place] is not None
    ]


def in_order_of(key, versions, place):
    """What the column must be: methods in the order of the first version
    that has them, each with its own lines in the file's order."""
    of = {v: without_edges(lines_of(key, v)) for v in versions}
    order = dict.fromkeys(
        each[:2] for version in versions for each in of[version]
    )
    mine = of[versions[place]]
    headings = list(HEADINGS.values())
    return [
        each
        for method in sorted(order, key=lambda m: headings.index(m[0]))
        for each in mine
        if each[:2] == method
    ]


def test_regions_have_these_headings():
    assert side_by_side.REGIONS == HEADINGS


# --- Rows: each line once, in order, and marked for what it is ---


@pytest.mark.parametrize("versions", [*PAIRS, IMPLEMENTATIONS], ids=str)
def test_every_line_of_every_version_is_there_once_in_order(key, versions):
    for place in range(len(versions)):
        assert column(key, versions, place) == in_order_of(
            key, versions, place
        )


@pytest.mark.parametrize("versions", [*PAIRS, IMPLEMENTATIONS], ids=str)
def test_rows_are_the_same_where_both_lines_are(key, versions):
    for region in side_by_side.REGIONS:
        for _, rows in methods_of(key, region, versions):
            for row in rows:
                assert len(row.cells) == len(versions)
                first, second, *others = row.cells
                bare = not (first or "").strip(" )]},:")
                assert row.same == (first == second and not bare) or bare
                assert not row.same or first == second
                assert any(cell is not None for cell in row.cells)
                if first is None and second is None:
                    assert others != [None]
            pair = side_by_side.of_pair(rows)
            assert pair == [r for r in rows if r.cells[:2] != (None, None)]
            hunks = side_by_side.hunks(rows)
            assert [row for _, run in hunks for row in run] == pair
            assert all(row.same == same for same, run in hunks for row in run)
            kinds = [same for same, _ in hunks]
            assert all(a != b for a, b in itertools.pairwise(kinds))


FIRST = ["a = one(x)", "b = 2", "", "shared(1)", "gone forever", "end"]
SECOND = ["b = 3", "", "a = one(y)", "shared(1)", "end", ")"]


def test_lines_that_are_alike_stand_beside_one_another():
    rows = list(side_by_side._paired(FIRST, SECOND))
    assert [(*row.cells, row.same) for row in rows] == [
        # a and a share more than b and b.
        (None, "b = 3", False),
        (None, "", False),
        ("a = one(x)", "a = one(y)", False),
        ("b = 2", None, False),
        ("", None, False),
        ("shared(1)", "shared(1)", True),
        ("gone forever", None, False),
        ("end", "end", True),
        (None, ")", False),
    ]
    assert [r.cells[0] for r in rows if r.cells[0] is not None] == FIRST
    assert [r.cells[1] for r in rows if r.cells[1] is not None] == SECOND


def test_a_third_column_is_beside_what_it_is_like():
    rows = side_by_side._rows(
        [
            ["", "x = one(a, b)", "y = two(c)", "", ""],
            ["x = one(b, a)", "y = two(c)"],
            ["", "start", "y = two(c, d)", "more", ""],
        ]
    )
    assert [(row.cells, row.same) for row in rows] == [
        (("x = one(a, b)", "x = one(b, a)", "start"), False),
        (("y = two(c)", "y = two(c)", "y = two(c, d)"), True),
        ((None, None, "more"), True),
    ]
    rows = side_by_side._rows(
        [
            ["x = one(a, b)", "y = two(c)"],
            ["x = one(b, a)", "y = two(c)"],
            ["start", "go on", "y = two(c, d)"],
        ]
    )
    assert [row.cells for row in rows] == [
        ("x = one(a, b)", "x = one(b, a)", "start"),
        (None, None, "go on"),
        ("y = two(c)", "y = two(c)", "y = two(c, d)"),
    ]


@pytest.mark.parametrize(
    ("line", "other", "share"),
    [
        # 2 x 3 of 6 words, and they assign to the same name.
        ("a = b(c)", "a = b(c)", 1.5),
        # 2 x 2 of 6 words, 0.67; the same target.
        ("a = b(c)", "a = b(d)", 4 / 6 + 0.5),
        # 2 x 1 of 6 is 0.33; 0.83 with the target.
        ("a = b(c)", "a = d(e)", 2 / 6 + 0.5),
        ("f(a, b, c)", "g(a, b, c)", 6 / 8),
        ("x = f(a, b, c)", "y = f(a, b, c)", 8 / 10),
        # 0.6 is not enough: 2 x 3 of 10.
        ("f(a, b, c, d)", "f(a, b, x, y)", 0),
        ("f(a, b, c, d)", "f(a, b, c, y)", 8 / 10),
        ("f(a, a)", "f(a)", 4 / 5),
        ("a, b = c", "a, d = c", 4 / 6 + 0.5),
        (")", ")", 0),
        (None, "a", 0),
        ("a", None, 0),
    ],
)
def test_how_like_two_lines_are(line, other, share):
    assert side_by_side.likeness(line, other) == pytest.approx(share)
    assert side_by_side.likeness(other, line) == pytest.approx(share)


@pytest.mark.parametrize(
    ("line", "other", "pieces"),
    [
        (
            "a = b(c, x)",
            "a = b(d, x)",
            [("a = b(", False), ("c", True), (", x)", False)],
        ),
        (
            "a = b(c, new, x)",
            "a = b(c, x)",
            [("a = b(c, ", False), ("new, ", True), ("x)", False)],
        ),
        ("a = b(c, x)", "a = b(c, new, x)", [("a = b(c, x)", False)]),
        ("nothing like it", "at all", [("nothing like it", False)]),
        # Of so many words that `difflib` would take all for junk.
        (
            f"{'a, ' * 99}b{', a' * 99}",
            f"{'a, ' * 99}c{', a' * 99}",
            [("a, " * 99, False), ("b", True), (", a" * 99, False)],
        ),
        ("alone", None, [("alone", False)]),
        (None, "alone", [("", False)]),
    ],
)
def test_what_changed_in_a_line_word_by_word(line, other, pieces):
    found = side_by_side.changes(line, other)
    merged = [
        ("".join(text for text, _ in run), changed)
        for changed, run in (
            (changed, list(run))
            for changed, run in itertools.groupby(
                found, lambda piece: piece[1]
            )
        )
    ]
    assert merged == pieces


# --- As text ---


def parts_of(key, versions):
    return [
        (heading, methods)
        for region, heading in HEADINGS.items()
        if (methods := methods_of(key, region, versions))
    ]


def text_of(line):
    return "".join(text for text, _ in line)


def expected_in_columns(parts, width):
    """The lines where nothing is folded: columns, and a mark between."""
    for heading, methods in parts:
        yield from ("", f"--- {heading} ---", "")
        for number, (_, rows) in enumerate(methods):
            if number:
                yield ""
            for row in rows:
                first, second, *others = row.cells
                if first == second:
                    mark = " "
                elif second is None:
                    mark = "<"
                else:
                    mark = ">" if first is None else "|"
                line = f"{first or '':{width}} {mark} {second or '':{width}}"
                for other in others:
                    line += f"   {other or '':{width}}"
                yield line.rstrip()


@pytest.mark.parametrize("versions", [*PAIRS, IMPLEMENTATIONS], ids=str)
def test_columns_show_every_row_and_its_mark(key, versions):
    parts = parts_of(key, versions)
    titles = [TITLES[version] for version in versions]
    head, *shown = map(text_of, as_text.in_columns(titles, parts))
    width = max(
        len(line)
        for version in versions
        for _, _, line in without_edges(lines_of(key, version))
    )
    assert as_text.widest(parts) == width
    assert head == "   ".join(f"{t:{width}}" for t in titles).rstrip()
    assert shown == list(expected_in_columns(parts, width))


def test_what_a_pipe_gets_is_that(key, call_cli):
    """Two versions, or three."""
    numpy = key in ("s2", "s5", "s6")
    versions = IMPLEMENTATIONS if numpy else IMPLEMENTATIONS[:2]
    titles = [TITLES[version] for version in versions]
    wanted = as_text.in_columns(titles, parts_of(key, versions))
    done = call_cli("diff", key, *(["--numpy"] if numpy else []))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == list(map(text_of, wanted))


def unfolded(shown, widths, starts):
    """The text of each column of folded lines, without any space."""
    texts = ["" for _ in widths]
    for line in shown:
        for place, (start, width) in enumerate(
            zip(starts, widths, strict=True)
        ):
            texts[place] += line[start : start + width]
    return [re.sub(r"\s", "", text) for text in texts]


@pytest.mark.parametrize("width", [103, 120, 131, 160, 200])
def test_folded_columns_lose_and_double_nothing(key, width):
    versions = IMPLEMENTATIONS[:2]
    titles = [TITLES[version] for version in versions]
    parts = parts_of(key, versions)
    each = min(as_text.widest(parts), (width - 3) // 2)
    _, *shown = map(text_of, as_text.in_columns(titles, parts, width))
    assert max(map(len, shown)) <= width
    shown = [line for line in shown if not line.startswith("--- ")]
    starts = (0, each + 3)
    found = unfolded(shown, (each, each), starts)
    for place, version in enumerate(versions):
        wanted = "".join(
            line for _, _, line in in_order_of(key, versions, place)
        )
        assert found[place] == re.sub(r"\s", "", wanted), version
    marks = {line[each : each + 3] for line in shown if len(line) > each}
    assert marks <= {"   ", " | ", " < ", " > ", " <", " |", " >"}


def test_three_folded_columns_lose_nothing(key):
    titles = [TITLES[version] for version in IMPLEMENTATIONS]
    parts = parts_of(key, IMPLEMENTATIONS)
    _, *shown = map(text_of, as_text.in_columns(titles, parts, 156))
    assert max(map(len, shown)) <= 156
    shown = [line for line in shown if not line.startswith("--- ")]
    found = unfolded(shown, (50, 50, 50), (0, 53, 106))
    for place in range(3):
        wanted = "".join(
            line for _, _, line in in_order_of(key, IMPLEMENTATIONS, place)
        )
        assert found[place] == re.sub(r"\s", "", wanted)


@pytest.mark.parametrize(
    ("count", "width", "fit"),
    [(2, 102, False), (2, 103, True), (3, 155, False), (3, 156, True)],
)
def test_columns_need_fifty_letters_each(count, width, fit):
    assert as_text.columns_fit(count, width) is fit


def expected_below(key, versions):
    """[(sign, line)] of a patch: what goes above what comes, in runs."""
    for heading, methods in parts_of(key, versions):
        yield "head", heading
        for _, rows in methods:
            pair = [r for r in rows if r.cells[:2] != (None, None)]
            for same, run in itertools.groupby(pair, lambda row: row.same):
                run = [row.cells for row in run]
                if same:
                    yield from (("  ", cells[0]) for cells in run)
                    continue
                for place, sign in ((0, "- "), (1, "+ ")):
                    for cells in run:
                        if cells[place] is not None:
                            yield sign, cells[place]
            for place, version in enumerate(versions[2:], 2):
                cells = [row.cells[place] for row in rows]
                cells = [cell for cell in cells if cell is not None]
                if cells:
                    yield "  ", TITLES[version]
                yield from (("  ", cell) for cell in cells)


@pytest.mark.parametrize("versions", [*PAIRS[:1], IMPLEMENTATIONS], ids=str)
def test_one_below_the_other_reads_as_a_patch(key, versions):
    titles = [TITLES[version] for version in versions]
    parts = parts_of(key, versions)
    shown = list(map(text_of, as_text.below(titles, parts, 200)))
    assert shown[:2] == [f"- {titles[0]}", f"+ {titles[1]}"]
    wanted = [
        f"--- {line} ---" if sign == "head" else f"{sign}{line}".rstrip()
        for sign, line in expected_below(key, versions)
    ]
    assert [line for line in shown[2:] if line] == [
        line for line in wanted if line
    ]


@pytest.mark.parametrize("width", [40, 57, 80])
def test_a_folded_patch_loses_nothing(key, width):
    parts = parts_of(key, IMPLEMENTATIONS)
    titles = [TITLES[version] for version in IMPLEMENTATIONS]
    shown = list(map(text_of, as_text.below(titles, parts, width)))
    assert max(map(len, shown)) <= width
    text = "".join(
        line[2:]
        for line in shown[2:]
        if not line.startswith("--- ") or not line.endswith(" ---")
    )
    wanted = "".join(
        line
        for sign, line in expected_below(key, IMPLEMENTATIONS)
        if sign != "head"
    )
    assert re.sub(r"\s", "", text) == re.sub(r"\s", "", wanted)


def one_method(*rows):
    return [("A heading", [("name", [side_by_side.Row(*r) for r in rows])])]


ROWS = one_method(
    (("same = 1", "same = 1", "third"), True),
    (("a = old(x)", "a = new(x)", None), False),
    (("lost", None, None), False),
    ((None, "come", "b"), False),
)


def test_colours_say_which_side_and_what_changed():
    titles = ["One", "Two", "Three"]
    old, new = "bold red", "bold green"
    assert list(as_text.in_columns(titles, ROWS)) == [
        [
            *(("One", "bold"), ("       ", ""), ("   ", "")),
            *(("Two", "bold"), ("       ", ""), ("   ", "")),
            ("Three", "bold"),
        ],
        [],
        [("--- A heading ---", "bold")],
        [],
        [
            *(("same = 1", ""), ("  ", ""), ("   ", "")),
            *(("same = 1", ""), ("  ", ""), ("   ", "")),
            ("third", "cyan"),
        ],
        [
            *(("a = ", "red"), ("old", old), ("(x)", "red"), ("", "")),
            *((" | ", ""), ("a = ", "green"), ("new", new)),
            ("(x)", "green"),
        ],
        [("lost", "red"), ("      ", ""), (" <", "")],
        [
            *(("          ", ""), (" > ", ""), ("come", "green")),
            *(("      ", ""), ("   ", ""), ("b", "cyan")),
        ],
    ]
    assert list(as_text.below(titles, ROWS, 80)) == [
        [("- One", "red")],
        [("+ Two", "green")],
        [],
        [("--- A heading ---", "bold")],
        [],
        [("  ", ""), ("same = 1", "")],
        [("- ", "red"), ("a = ", "red"), ("old", old), ("(x)", "red")],
        [("- ", "red"), ("lost", "red")],
        [("+ ", "green"), ("a = ", "green"), ("new", new), ("(x)", "green")],
        [("+ ", "green"), ("come", "green")],
        [],
        [("  Three", "bold")],
        [("  ", ""), ("third", "cyan")],
        [("  ", ""), ("b", "cyan")],
    ]


TWELVE = ("one(", "two,", "three)")


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        ("as wide as it", 13, ["as wide as it"]),
        ("a = one(two, three)", 14, ["a = one(two,", "    three)"]),
        ("  a = one(two, three)", 14, ["  a = one(two,", "      three)"]),
        (
            "none.of.these.places",
            12,
            ["none.of.", "    these.", "    places"],
        ),
        ("abcdefghijklmnop", 10, ["abcdefghij", "    klmnop"]),
        ("abcdefghijklmnopqr", 10, ["abcdefghij", "    klmnop", "    qr"]),
        (
            "        a = one(two, three)",
            12,
            [f"{' ' * 8}a =", *(f"{' ' * 6}{s}" for s in TWELVE)],
        ),
        ("x = 1  # a comment", 10, ["x = 1 ", "    # a", "    commen"]),
    ],
)
def test_where_a_line_is_folded(line, width, lines):
    assert as_text._break("word word XXXX", 0, 12) == 10
    found = as_text._folded([(line[:3], "red"), (line[3:], "")], width)
    shown = [text_of(each).rstrip() for each in found]
    assert shown[: len(lines)] == [each.rstrip() for each in lines]
    assert max(map(len, shown)) <= width
    squeezed = "".join("".join(shown).split())
    assert squeezed == "".join(line.split())
    assert found[0][0] == (line[:3], "red")


@pytest.mark.parametrize(
    ("width", "flags", "columns"),
    [
        (103, (), True),
        (102, (), False),
        (156, ("--numpy",), True),
        (155, ("--numpy",), False),
    ],
)
def test_a_terminal_gets_what_fits_it(
    call_cli, monkeypatch, width, flags, columns
):
    import rich.console

    def console():
        return rich.console.Console(
            force_terminal=True, width=width, color_system=None
        )

    monkeypatch.setattr(options, "console", console)
    done = call_cli("diff", "s3", *flags)
    versions = IMPLEMENTATIONS if flags else IMPLEMENTATIONS[:2]
    titles = [TITLES[version] for version in versions]
    layout = as_text.in_columns if columns else as_text.below
    wanted = layout(titles, parts_of("s3", versions), width)
    assert done.stdout.splitlines() == list(map(text_of, wanted))


def test_a_region_alone_is_its_part_of_the_whole(call_cli):
    key, versions = "s3", IMPLEMENTATIONS
    for region in ("top", "loss", "backward"):
        heading = HEADINGS[region]
        parts = [p for p in parts_of(key, versions) if p[0] == heading]
        wanted = as_text.in_columns([TITLES[v] for v in versions], parts)
        done = call_cli("diff", key, "--region", region, "--numpy")
        assert done.stdout.splitlines() == list(map(text_of, wanted))
    done = call_cli("diff", key, "--region", "backward")
    assert done.returncode == 2


# --- As a page ---


def sides(markup):
    """[(classes, [line, or None where there is room])] in order."""
    found = []
    for classes, body in re.findall(
        r'<div class="sbs-side([^"]*)">(.*?)</div>', markup, re.DOTALL
    ):
        lines = re.findall(
            r'<span class="sbs-(room|line)"[^>]*>(.*?)\n?</span>',
            body,
            re.DOTALL,
        )
        found.append(
            (
                classes.split(),
                [
                    html.unescape(re.sub("<[^>]+>", "", text))
                    if kind == "line"
                    else None
                    for kind, text in lines
                ],
            )
        )
    return found


def test_a_page_has_every_line_on_its_side(key, call_cli, tmp_path):
    numpy = key in ("s1", "s3", "s6")
    versions = IMPLEMENTATIONS if numpy else IMPLEMENTATIONS[:2]
    path = tmp_path / "page.html"
    flags = ("--numpy",) if numpy else ()
    done = call_cli("diff", key, "--html", path, *flags)
    assert (done.returncode, done.stdout) == (0, "")
    text = path.read_text()
    titles = [TITLES[version] for version in versions]
    section = SECTIONS[key]
    assert text.count(f"<h1>{key}: {section.title}</h1>") == 1
    assert text.count(f"<title>{key}: {section.title}</title>") == 1
    parts = parts_of(key, versions)
    assert re.findall("<h2>(.*?)</h2>", text) == [h for h, _ in parts]
    heads = "".join(f"<span>{title}</span>" for title in titles[:2])
    assert text.count(f'<div class="sbs-heads">{heads}</div>') == len(parts)
    wanted = []
    for _, methods in parts:
        for _, rows in methods:
            for same, run in side_by_side.hunks(rows):
                one, other = zip(*(r.cells[:2] for r in run), strict=True)
                kinds = ([], []) if same else (["sbs-old"], ["sbs-new"])
                wanted.append((kinds[0], list(one)))
                wanted.append(([*kinds[1], "sbs-second"], list(other)))
            third = [row.cells[2] for row in rows] if numpy else []
            third = [line for line in third if line is not None]
            if third:
                wanted.append(([], third))
    assert sides(text) == wanted
    assert text.count("sbs-third") == (
        text.count('<div class="sbs-third"><div>NumPy (numpy_ref)</div>')
        + side_by_side_page.STYLE.count("sbs-third")
    )


def test_a_page_is_made_of_its_methods():
    rows = ROWS[0][1][0][1]
    methods = [("one", rows), ("two", rows[:1])]
    titles = ["A & B", "C", "D"]
    one, two = (
        side_by_side_page.method(of_method, ["D"]) for _, of_method in methods
    )
    region = side_by_side_page.region(titles, methods)
    assert region == (
        '<div class="sbs"><div class="sbs-heads"><span>A &amp; B</span>'
        f"<span>C</span></div>\n{one}\n{two}\n</div>"
    )
    parts = [("Top & more", methods), ("Loss", methods[:1])]
    page = side_by_side_page.page(SECTIONS["s3"], titles, parts)
    last = side_by_side_page.region(titles, methods[:1])
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
        '\n<meta name="viewport" content="width=device-width">\n'
        "<title>s3: LSTM</title>\n<style>\n"
    )
    body = (
        "</style>\n</head>\n<body>\n<main>\n<h1>s3: LSTM</h1>\n"
        f"<h2>Top &amp; more</h2>\n{region}\n<h2>Loss</h2>\n{last}\n"
        "</main>\n</body>\n</html>\n"
    )
    assert page.startswith(f"{head}{side_by_side_page.STYLE}\n")
    assert page.endswith(body)


def test_a_pages_marks():
    """Bold for what changed, italics for comments, room for what is not."""
    markup = side_by_side_page.method(ROWS[0][1][0][1], ["Three"])
    assert markup == (
        '<div class="sbs-method">'
        '<div class="sbs-hunk sbs-same">'
        '<div class="sbs-side"><span class="sbs-line">same = 1\n</span>'
        "</div>"
        '<div class="sbs-side sbs-second"><span class="sbs-line">same = 1\n'
        "</span></div></div>"
        '<div class="sbs-hunk">'
        '<div class="sbs-side sbs-old"><span class="sbs-line">a = '
        "<b>old</b>(<wbr>x)\n</span>"
        '<span class="sbs-line">lost\n</span>'
        '<span class="sbs-room"></span></div>'
        '<div class="sbs-side sbs-new sbs-second"><span class="sbs-line">a '
        "= <b>new</b>(<wbr>x)\n</span>"
        '<span class="sbs-room"></span>'
        '<span class="sbs-line">come\n</span></div></div>'
        '<div class="sbs-third"><div>Three</div><div class="sbs-side">'
        '<span class="sbs-line">third\n</span><span class="sbs-line">b\n'
        "</span></div></div></div>"
    )
    line = side_by_side_page._line
    assert line("    x = a  # <b", None, "") == (
        '<span class="sbs-line" style="--in:4">    x = a  <i># &lt;b</i>\n'
        "</span>"
    )
    assert line("x = f(a)  # old", "x = f(a)  # new", "sbs-new") == (
        '<span class="sbs-line">x = f(<wbr>a)  <i># </i><b><i>old</i></b>\n'
        "</span>"
    )
