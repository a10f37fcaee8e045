"""Legacy and TensorFlow 2 side by side, with the reason for what differs."""

import html
import re

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from docs_build import reasons
from rnn_parity import sections, side_by_side, side_by_side_page

_TITLES = ["TensorFlow 1", "TensorFlow 2", "The same in NumPy"]


def pair(slots, key):
    """Every region of a section; headings as Markdown, code in slots."""
    section = sections.SECTIONS[key]
    made = ""
    for region, heading in side_by_side.REGIONS.items():
        methods = side_by_side.methods(
            section, region, sections.IMPLEMENTATIONS
        )
        methods = [
            each for each in methods if any(side_by_side.of_pair(each[1]))
        ]
        if methods:
            made += f"\n\n### {heading} {{#{region}}}\n"
            made += slots.block(_region(key, methods))
    return made


def one_region(slots, key, region):
    """One region of a section, without a heading."""
    section = sections.SECTIONS[key]
    versions = sections.IMPLEMENTATIONS
    methods = side_by_side.methods(section, region, versions)
    return slots.block(_region(key, methods))


def _region(key, methods):
    heads = "".join(f"<span>{title}</span>" for title in _TITLES[:2])
    parts = [_method(key, name, rows) for name, rows in methods]
    return (
        '<div class="sbs" data-search-exclude>'
        f'<div class="sbs-heads">{heads}</div>{"".join(parts)}</div>'
    )


def _method(key, name, rows):
    both = side_by_side.of_pair(rows)
    pair = side_by_side_page.method(both)
    head = f'<div class="sbs-head">{_why(key, name, both)}</div>'
    return f"<section>{head}{pair}{_in_numpy(rows)}</section>"


def _why(key, name, rows):
    """The reason, above the code; nothing where nothing differs."""
    if all(row.same for row in rows):
        same = f"<code>{name}</code> is the same in both."
        return f'<p class="sbs-why">{same}</p>'
    shown = f"<code>{name}</code>: " if name else ""
    reason = marked_up(reasons.find(key, name))
    return f'<p class="sbs-why">{shown}{reason}</p>'


def _in_numpy(rows):
    lines = [row.cells[2] for row in rows]
    text = "\n".join(line for line in lines if line is not None)
    if not text:
        return ""
    return f"<details><summary>{_TITLES[2]}</summary>{code(text)}</details>"


def backward(slots, key):
    """NumPy's backward pass, which the other two leave to the framework."""
    section = sections.SECTIONS[key]
    source = side_by_side.path(section, "numpy_ref").read_text()
    methods = side_by_side.blocks(source)["backward"].values()
    text = "\n\n".join("\n".join(lines) for lines in methods)
    return slots.block(code(text))


def code(text):
    """Python, highlighted."""
    return _highlighted(text, "python")


def shell(text):
    """A command, highlighted."""
    return _highlighted(text, "bash")


def _highlighted(text, language):
    formatter = HtmlFormatter(
        cssclass=f"language-{language} highlight", wrapcode=True
    )
    return highlight(text, get_lexer_by_name(language), formatter)


def marked_up(text):
    """Plain text as HTML, `this` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
