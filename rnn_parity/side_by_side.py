"""The versions of a section beside one another, region by region.

A region is what stands under one heading of a section file; within it,
methods of the same name are held against each other.
"""

import ast
import collections
import dataclasses
import difflib
import functools
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
_WORD = re.compile(r"\w+")
_TARGET = re.compile(r" *([\w.]+)(?:, [^=()]+)? = ")


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of each version, side by side.

    Attributes:
        cells: a line per version, None where it has none.
        same: whether the first two are the same; empty lines and brackets
            within what changed count as changed.
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
    return _beside(_paired(first, second), others)


def of_pair(rows):
    """The rows that one of the first two versions has."""
    return [row for row in rows if row.cells[:2] != (None, None)]


def hunks(rows):
    """The pair in runs that are the same, or are not: [(same, rows)]."""
    return [
        (same, list(run))
        for same, run in itertools.groupby(
            of_pair(rows), lambda row: row.same
        )
    ]


def _without_ends(lines):
    """Without empty lines at either end."""
    return "\n".join(lines).strip("\n").splitlines()


def _paired(first, second):
    """Rows of two columns: what is the same stands on one line."""
    matcher = difflib.SequenceMatcher(_is_bare, first, second, autojunk=False)
    for kind, i, i_end, j, j_end in matcher.get_opcodes():
        if kind == "equal":
            yield from (Row((line, line), True) for line in first[i:i_end])
        else:
            beside = _aligned(first[i:i_end], second[j:j_end], likeness)
            yield from (Row(cells, False) for cells in beside)


def _is_bare(line):
    """Nothing but closing brackets, where no two versions should meet."""
    return not line.strip(" )]},:")


def _beside(pairs, others):
    """The other columns too, each line near what it is like."""

    def like(row, line):
        return max(likeness(cell, line) for cell in row.cells[:2])

    rows = list(pairs)
    for place, lines in enumerate(others, 2):
        blank = Row((None,) * place, True)
        beside = _aligned(rows, lines, like)
        rows = [(row or blank, line) for row, line in beside]
        rows = [Row((*row.cells, line), row.same) for row, line in rows]
    return rows


def _aligned(first, second, like):
    """[(one of first, one of second)], in order, the like ones together.

    Between them, what is like nothing is paired as it comes; None where one
    of the two has no more.
    """
    found, i, j = [], 0, 0
    for partner, other in _partners(first, second, like):
        found += itertools.zip_longest(first[i:partner], second[j:other])
        found.append((first[partner], second[other]))
        i, j = partner + 1, other + 1
    return [*found, *itertools.zip_longest(first[i:], second[j:])]


def _partners(first, second, like):
    """[(place in first, place in second)], the likest there are in all."""

    @functools.cache
    def best(i, j):
        """(likeness, pairs) from these places on."""
        if i == len(first) or j == len(second):
            return 0, ()
        found = [best(i + 1, j), best(i, j + 1)]
        if share := like(first[i], second[j]):
            more, pairs = best(i + 1, j + 1)
            found.append((share + more, ((i, j), *pairs)))
        return max(found, key=lambda each: each[0])

    return best(0, 0)[1]


def likeness(line, other):
    """What two lines share, up to 1.5; 0 where one did not become the other.

    The share of common words, and a half where they assign to the same name.
    """
    if line is None or other is None:
        return 0
    words = [
        collections.Counter(_WORD.findall(text)) for text in (line, other)
    ]
    total = sum(sum(each.values()) for each in words)
    if not total:
        return 0
    share = 2 * sum((words[0] & words[1]).values()) / total
    targets = [_TARGET.match(text) for text in (line, other)]
    if all(targets) and targets[0][1] == targets[1][1]:
        share += 0.5
    return share if share > 0.6 else 0


def changes(line, other):
    """[(piece of `line`, whether `other` lacks it)], word by word.

    Nothing is marked in a line that did not become the other.
    """
    if not likeness(line, other):
        return [(line or "", False)]
    words = [re.findall(r"\w+|\s+|[^\w\s]", text) for text in (line, other)]
    matcher = difflib.SequenceMatcher(None, *words, autojunk=False)
    return [
        ("".join(words[0][i:i_end]), kind != "equal")
        for kind, i, i_end, _, _ in matcher.get_opcodes()
        if i_end > i
    ]
