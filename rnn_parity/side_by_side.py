"""The versions of a section beside one another, region by region.

A region is what stands under one heading of a section file; within it,
methods of the same name are held against each other.
"""

import ast
import dataclasses
import difflib
import importlib.util
import itertools
import pathlib
import re
import textwrap

REGIONS = {
    "top": "Top of the file",
    "variables": "Variables and placeholders",
    "forward": "Forward pass",
    "loss": "Calculating loss",
    "backward": "Backward pass",
    "training": "Running a training session",
}
_HEADING = re.compile(r" +# --- (.+) ---$")


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of each version, side by side.

    Attributes:
        cells: a line per version, None where it has none.
        same: whether the first two are the same, but for indentation.
    """

    cells: tuple
    same: bool


def path(section, version):
    """Where a version of a section stands; imports no TensorFlow."""
    package = pathlib.Path(importlib.util.find_spec(version).origin)
    return package.with_name(f"{section.module}.py")


def blocks(source):
    """{region: {method name: its lines}} of a section file.

    What stands before the first heading is one block, called "".
    """
    lines = source.splitlines()
    (network,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "EchoRNN"
    ]
    methods = [n for n in network.body if isinstance(n, ast.FunctionDef)]
    by_heading = {heading: key for key, heading in REGIONS.items()}
    headings = {
        number: by_heading[found.group(1)]
        for number, line in enumerate(lines, 1)
        if (found := _HEADING.match(line))
    }
    found = {"top": {"": lines[: min(headings) - 1]}}
    for method in methods:
        start = min(
            [method.lineno, *(d.lineno for d in method.decorator_list)]
        )
        region = headings[max(n for n in headings if n < start)]
        body = "\n".join(lines[start - 1 : method.end_lineno])
        body = textwrap.dedent(body).splitlines()
        found.setdefault(region, {})[method.name] = body
    return found


def methods(section, region, versions):
    """[(method name, its rows)] of a region; "" for what is in no method.

    Args:
        section: a record of `rnn_parity.sections`.
        region: a key of REGIONS.
        versions: two or three of `sections.IMPLEMENTATIONS`.
    """
    columns = [
        blocks(path(section, version).read_text()).get(region, {})
        for version in versions
    ]
    names = dict.fromkeys(name for column in columns for name in column)
    return [
        (name, _rows([column.get(name, []) for column in columns]))
        for name in names
    ]


def _rows(columns):
    first, second, *others = map(_without_ends, columns)
    return list(_beside(_paired(first, second), others))


def hunks(rows):
    """Rows in runs of what is the same and what is not: [(same, rows)]."""
    return [
        (same, list(run))
        for same, run in itertools.groupby(rows, lambda row: row.same)
    ]


def _without_ends(lines):
    """Without empty lines at either end."""
    return "\n".join(lines).strip("\n").splitlines()


def _paired(first, second):
    """Rows of two columns: what is alike stands on one line."""
    stripped = [[line.strip() for line in lines] for lines in (first, second)]
    matcher = difflib.SequenceMatcher(None, *stripped, autojunk=False)
    for kind, i, i_end, j, j_end in matcher.get_opcodes():
        for cells in itertools.zip_longest(first[i:i_end], second[j:j_end]):
            yield Row(cells, kind == "equal")


def _beside(pairs, others):
    """The other columns, each from the top."""
    pairs = list(pairs)
    for cells in itertools.zip_longest(pairs, *others):
        pair, *rest = cells
        if pair is None:
            pair = Row((None, None), True)
        yield Row((*pair.cells, *rest), pair.same)


def changes(line, other):
    """[(piece of `line`, whether `other` lacks it)], word by word."""
    if line is None or other is None:
        return [(line or "", other is None)]
    words = [re.findall(r"\w+|\s+|[^\w\s]", text) for text in (line, other)]
    matcher = difflib.SequenceMatcher(None, *words, autojunk=False)
    return [
        ("".join(words[0][i:i_end]), kind != "equal")
        for kind, i, i_end, _, _ in matcher.get_opcodes()
        if i_end > i
    ]
