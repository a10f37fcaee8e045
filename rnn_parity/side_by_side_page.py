"""A section side by side as HTML, and as one page that needs nothing else.

What both versions share is written twice, one beside the other, and shown
once where the window is too narrow for two columns.
"""

import html
import itertools
import re

from rnn_parity import side_by_side

STYLE = r"""
.sbs { --old: #9c1c14; --new: #0b5a26; --old-back: #fdeeed;
  --new-back: #e9f6ec; --rule: #8888; --quiet: #5a5f66;
  margin: 0 0 1.2em; }
.sbs-dark { --old: #ffb4ab; --new: #93dfa3; --old-back: #3a1e1c;
  --new-back: #15301c; --quiet: #a9b0b8; }
.sbs-heads, .sbs-hunk { display: grid;
  grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); column-gap: 1.2em; }
.sbs-heads { font-weight: 600; font-size: 13px;
  border-bottom: 1px solid var(--rule); margin-bottom: .5em; }
.sbs-method { border-bottom: 1px solid var(--rule); padding: .5em 0; }
.sbs-method:last-child { border-bottom: 0; }
.sbs-side { font: 12px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo,
  Consolas, monospace; min-width: 0; }
.sbs-line { display: block; white-space: pre-wrap;
  overflow-wrap: anywhere; min-height: 1.5em; padding-right: .3em;
  padding-left: calc((var(--in, 0) + 3) * 1ch);
  text-indent: calc((var(--in, 0) + 2.5) * -1ch); }
.sbs-room { display: block; height: 1.5em; }
.sbs-old .sbs-line { background: var(--old-back); }
.sbs-new .sbs-line { background: var(--new-back); }
.sbs-old b { color: var(--old); }
.sbs-new b { color: var(--new); }
.sbs-side i { color: var(--quiet); font-style: normal; }
.sbs-old i, .sbs-new i { color: inherit; }
.sbs-third { margin-top: .5em; padding-top: .5em;
  border-top: 1px dashed var(--rule); }
@media (max-width: 60em) {
  .sbs-heads, .sbs-hunk { grid-template-columns: minmax(0, 1fr); }
  .sbs-same .sbs-second { display: none; }
  .sbs-room { display: none; }
  .sbs-heads { border: 0; }
  .sbs-heads span:first-child::before { content: "\2212\a0"; }
  .sbs-heads span:last-child::before { content: "+\a0"; }
  .sbs-heads span:first-child { color: var(--old); }
  .sbs-heads span:last-child { color: var(--new); }
  .sbs-old .sbs-line { border-left: 3px solid var(--old); }
  .sbs-new .sbs-line { border-left: 3px solid var(--new); }
}
""".strip()

_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem auto;
  max-width: 84rem; padding: 0 1rem; color: #1b1e22; background: #fff; }
h2 { margin-top: 2.2rem; }
@media (prefers-color-scheme: dark) {
  body { color: #e4e6e9; background: #16191d; }
  .sbs { --old: #ffb4ab; --new: #93dfa3; --old-back: #3a1e1c;
    --new-back: #15301c; --quiet: #a9b0b8; }
}
""".strip()


def page(section, titles, parts):
    """HTML text.

    Args:
        section: a record of `rnn_parity.sections`.
        titles: one for each column.
        parts: [(heading, methods of `side_by_side.methods`)].
    """
    title = html.escape(f"{section.key}: {section.title}")
    regions = "\n".join(
        f"<h2>{html.escape(heading)}</h2>\n{region(titles, methods)}"
        for heading, methods in parts
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>\n{STYLE}\n{_PAGE_STYLE}\n</style>"
        f"\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{regions}\n</main>\n"
        "</body>\n</html>\n"
    )


def region(titles, methods):
    """One region's HTML, to be styled with STYLE.

    Args:
        titles: one for each column.
        methods: what `side_by_side.methods` returns.
    """
    heads = "".join(f"<span>{html.escape(t)}</span>" for t in titles[:2])
    body = "\n".join(method(rows, titles[2:]) for _, rows in methods)
    return (
        f'<div class="sbs"><div class="sbs-heads">{heads}</div>\n{body}\n'
        "</div>"
    )


def method(rows, more_titles=()):
    """One method's HTML; further columns follow below the first two."""
    parts = [_hunk(*hunk) for hunk in side_by_side.hunks(rows)]
    for column, title in enumerate(more_titles, 2):
        lines = [row.cells[column] for row in rows]
        lines = [line for line in lines if line is not None]
        if lines:
            parts.append(
                f'<div class="sbs-third"><div>{html.escape(title)}</div>'
                f"{_side([(line, None) for line in lines], '')}</div>"
            )
    return f'<div class="sbs-method">{"".join(parts)}</div>'


def _hunk(same, rows):
    pairs = [row.cells[:2] for row in rows]
    kinds = ("", "") if same else ("sbs-old", "sbs-new")
    first = _side(pairs, kinds[0])
    turned = [(other, line) for line, other in pairs]
    second = _side(turned, f"{kinds[1]} sbs-second".strip())
    same_or_not = " sbs-same" if same else ""
    return f'<div class="sbs-hunk{same_or_not}">{first}{second}</div>'


def _side(pairs, kind):
    """One column; room where only the other one has a line."""
    lines = "".join(
        '<span class="sbs-room"></span>'
        if line is None
        else _line(line, other, kind)
        for line, other in pairs
    )
    return f'<div class="{f"sbs-side {kind}".strip()}">{lines}</div>'


def _line(line, other, kind):
    indentation = len(line) - len(line.lstrip())
    marked = "sbs-old" in kind or "sbs-new" in kind
    pieces = [(line, False)]
    if marked:
        pieces = side_by_side.changes(line, other)
    style = f' style="--in:{indentation}"' if indentation else ""
    return (
        f'<span class="sbs-line"{style}>{_marked_up(line, pieces)}\n</span>'
    )


_COMMENT = re.compile(r"#.*")
_BREAKS = re.compile(r"([.,(\[=])(?=[^\W\d])")  # else they break within words


def _marked_up(line, pieces):
    """Changed pieces in bold, comments set apart."""
    changed = [is_new for piece, is_new in pieces for _ in piece]
    comment = _COMMENT.search(line)
    starts = comment.start() if comment else len(line)
    runs = itertools.groupby(
        range(len(line)), lambda at: (changed[at], at >= starts)
    )
    marked = ""
    for (is_new, in_comment), run in runs:
        places = list(run)
        text = html.escape(line[places[0] : places[-1] + 1])
        text = _BREAKS.sub(r"\1<wbr>", text)
        text = f"<i>{text}</i>" if in_comment else text
        marked += f"<b>{text}</b>" if is_new else text
    return marked
