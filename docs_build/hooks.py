"""What MkDocs calls while it builds: pages are templates, filled from code.

In a page, {{ name(...) }} calls a function of `docs_build.macros`. What it
returns is Markdown; HTML in it waits in a slot until Markdown is done. A
fence called equations holds LaTeX, a line for each.
"""

import pathlib
import sys

import jinja2
from mkdocs.structure.files import File

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from docs_build import macros, measured, slots, speed
from rnn_parity import side_by_side_page

_waiting = {}


def on_pre_build(config):
    """Measures what takes seconds, on all cores."""
    measured.compute_all(macros.measurements())


def on_files(files, config):
    """Adds the style of the side-by-side view, which the CLI has too."""
    style = side_by_side_page.STYLE.replace(
        ".sbs-dark", '[data-md-color-scheme="slate"] .sbs'
    )
    files.append(
        File.generated(config, "assets/side_by_side.css", content=style)
    )
    for plot in speed.plots():
        name = f"assets/results/{plot.name}"
        files.append(File.generated(config, name, content=plot.read_bytes()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Fills a page in."""
    kept = _waiting[page.file.src_uri] = slots.Slots()
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    markdown = macros.equations_filled(markdown, kept)
    template = environment.from_string(markdown)
    return template.render(macros.for_page(kept))


def on_page_content(html, page, config, files):
    """Puts the HTML where its slots are."""
    html = html.replace("<th></th>", "<td></td>")  # a corner is no heading
    return _waiting.pop(page.file.src_uri).fill(html)
