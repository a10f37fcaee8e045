"""A section side by side as one HTML page that needs nothing else."""

import html

from rnn_parity.side_by_side import changes

_STYLE = """
:root { color-scheme: light dark; --old: #b3261e; --new: #146c2e;
  --old-back: #fbeceb; --new-back: #e8f5ea; --line: #c8c8c8; }
@media (prefers-color-scheme: dark) { :root { --old: #ffb4ab;
  --new: #8bd99a; --old-back: #3b1d1b; --new-back: #17321d;
  --line: #555; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem auto;
  max-width: 110rem; padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; border-bottom: 1px solid var(--line); }
td, th { padding: 0 .75rem; vertical-align: top; }
td { font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; }
td + td { border-left: 1px solid var(--line); }
td.old { background: var(--old-back); }
td.new { background: var(--new-back); }
td.old b { color: var(--old); }
td.new b { color: var(--new); }
""".strip()


def page(section, titles, parts):
    """HTML text.

    Args:
        section: a record of `rnn_parity.sections`.
        titles: one for each column.
        parts: [(heading, rows of `side_by_side.rows`)].
    """
    title = html.escape(f"{section.key}: {section.title}")
    tables = "\n".join(_table(titles, *part) for part in parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
        f"<body>\n<h1>{title}</h1>\n{tables}\n</body>\n</html>\n"
    )


def _table(titles, heading, rows):
    heads = "".join(f'<th scope="col">{html.escape(t)}</th>' for t in titles)
    body = "\n".join(f"<tr>{''.join(_cells(row))}</tr>" for row in rows)
    return (
        f'<h2>{html.escape(heading)}</h2>\n<div class="scroll" tabindex="0" '
        f'role="region" aria-label="{html.escape(heading)}"><table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n"
        "</table></div>"
    )


def _cells(row):
    first, second, *others = row.cells
    if row.same:
        yield from (_cell(cell, None) for cell in (first, second))
    else:
        yield _cell(first, second, "old")
        yield _cell(second, first, "new")
    yield from (_cell(cell, None) for cell in others)


def _cell(line, other, kind=None):
    if line is None or kind is None:
        return f"<td>{html.escape(line or '')}</td>"
    pieces = (
        f"<b>{html.escape(piece)}</b>" if changed else html.escape(piece)
        for piece, changed in changes(line, other)
    )
    return f'<td class="{kind}">{"".join(pieces)}</td>'
