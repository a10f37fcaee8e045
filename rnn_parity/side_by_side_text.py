"""A section side by side as text: in columns, or one below the other.

In columns a mark stands between the first two: | for changed, < and > for
lines of one side only. One below the other, lines begin with - and +, as in
a patch. Every line is a list of (text, style) pieces, to be printed as they
are or in colour.
"""

import itertools

from rnn_parity import side_by_side

_NARROWEST = 50  # a column; below, lines of code break too often
_OLD, _NEW, _THIRD, _HEAD = "red", "green", "cyan", "bold"


def widest(parts):
    """The length of the longest line of code."""
    return max(
        len(cell or "")
        for _, methods in parts
        for _, rows in methods
        for row in rows
        for cell in row.cells
    )


def columns_fit(count, width):
    """Whether `count` columns can be read in a window."""
    return _column_width(count, width) >= _NARROWEST


def _column_width(count, width):
    return (width - 3 * (count - 1)) // count


def in_columns(titles, parts, width=None):
    """Lines of all columns beside one another, folded to fit.

    Args:
        titles: one for each column.
        parts: [(heading, methods of `side_by_side.methods`)].
        width: of the window; None for as wide as it takes.
    """
    column = widest(parts)
    if width:
        column = min(column, _column_width(len(titles), width))
    yield _joined([[(title, _HEAD)] for title in titles], " ", column)
    for heading, methods in parts:
        yield from _heading(heading)
        for number, (_, rows) in enumerate(methods):
            if number:
                yield []
            for row in rows:
                yield from _columns_of(row, column)


def _columns_of(row, column):
    cells = [_folded(pieces, column) for pieces in _styled(row)]
    lines = itertools.zip_longest(*cells, fillvalue=[])
    mark = _mark(row)
    for line in lines:
        yield _joined(line, mark, column)


def _joined(cells, mark, column):
    line = []
    for number, pieces in enumerate(cells):
        if number:
            line.append((f" {mark} " if number == 1 else "   ", ""))
        line += pieces
        used = sum(len(text) for text, _ in pieces)
        line.append((" " * (column - used), ""))
    return _without_end(line)


def _without_end(line):
    """Without spaces at its end."""
    while line and not line[-1][0].strip():
        line.pop()
    if line:
        text, style = line.pop()
        line.append((text.rstrip(), style))
    return line


def below(titles, parts, width):
    """Lines of one column: - the first version, + the second, then others."""
    first, second, *others = titles
    yield [(f"- {first}", _OLD)]
    yield [(f"+ {second}", _NEW)]
    for heading, methods in parts:
        yield from _heading(heading)
        for number, (_, rows) in enumerate(methods):
            if number:
                yield []
            yield from _patch(rows, width)
            for column, title in enumerate(others, 2):
                yield from _other(rows, column, title, width)


def _patch(rows, width):
    for same, run in side_by_side.hunks(rows):
        if same:
            for row in run:
                yield from _prefixed("  ", [(row.cells[0] or "", "")], width)
            continue
        styled = [(row, _styled(row)) for row in run]
        for side, sign in ((0, "- "), (1, "+ ")):
            for row, pieces in styled:
                if row.cells[side] is not None:
                    yield from _prefixed(sign, pieces[side], width)


def _other(rows, column, title, width):
    lines = [row.cells[column] for row in rows]
    lines = [line for line in lines if line is not None]
    if lines:
        yield []
        yield [(f"  {title}", _HEAD)]
    for line in lines:
        yield from _prefixed("  ", [(line, _THIRD)], width)


def _prefixed(sign, pieces, width):
    style = {"- ": _OLD, "+ ": _NEW}.get(sign, "")
    for line in _folded(pieces, width - len(sign)):
        yield _without_end([(sign, style), *line])


def _heading(heading):
    yield []
    yield [(f"--- {heading} ---", _HEAD)]
    yield []


def _mark(row):
    first, second, *_ = row.cells
    if row.same or first == second:  # empty lines within what changed
        return " "
    return "<" if second is None else ">" if first is None else "|"


def _styled(row):
    """Pieces of every column."""
    first, second, *others = row.cells
    rest = [[(cell or "", _THIRD)] for cell in others]
    if row.same:
        return [[(first or "", "")], [(second or "", "")], *rest]
    return [
        _changed(first, second, _OLD),
        _changed(second, first, _NEW),
        *rest,
    ]


def _changed(line, other, colour):
    return [
        (piece, f"bold {colour}" if changed else colour)
        for piece, changed in side_by_side.changes(line, other)
    ]


def _folded(pieces, width):
    """One line or more; what does not fit goes on below, indented more."""
    styles = [style for text, style in pieces for _ in text]
    line = "".join(text for text, _ in pieces)
    indentation = min(len(line) - len(line.lstrip()) + 4, width // 2)
    lines, start, room = [], 0, width
    while len(line) - start > room:
        end = _break(line, start, start + room)
        lines.append((start, end))
        start, room = end, width - indentation
        while line[start : start + 1] == " ":
            start += 1
    lines.append((start, len(line)))
    return [
        ([(" " * indentation, "")] if number else [])
        + _pieces(line, styles, start, end)
        for number, (start, end) in enumerate(lines)
    ]


def _break(line, start, end):
    """Where to fold: between words if there is a place, or after a mark."""
    body = start + len(line[start:]) - len(line[start:].lstrip())
    places = range(end, body + (end - body) // 3, -1)
    for marks in (" ,", "([.="):
        for at in places:
            if line[at - 1] in marks and line[at - 2 : at] != "# ":
                return at
    return end


def _pieces(line, styles, start, end):
    return [
        ("".join(line[at] for at in run), style)
        for style, run in itertools.groupby(
            range(start, end), styles.__getitem__
        )
    ]
