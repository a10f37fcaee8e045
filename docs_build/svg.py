"""A little SVG: squares, words, arrows. Colours are the page's own.

Names such as "a", "one", "line" stand for the CSS variables --a, --one,
--line of docs/assets/site.css, which change with dark mode.
"""

import html

CELL = 30
_LEAST = 0.68  # how far a picture may shrink before it has to be scrolled


class Drawing:
    """Collects shapes; `picture` makes the SVG of them."""

    def __init__(self, width, height, title):
        self.size = width, height
        self.title = title
        self.shapes = []

    def rectangle(self, x, y, width, height, fill, line="line", dashed=False):
        dashes = ' stroke-dasharray="6 4"' if dashed else ""
        weight = 2.5 if dashed else 1
        self.shapes.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" '
            f'height="{height:g}" rx="2" fill="{_colour(fill)}" '
            f'stroke="{_colour(line)}" stroke-width="{weight}"{dashes}/>'
        )

    def words(self, x, y, text, colour="ink", size=13, anchor="middle"):
        self.shapes.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" '
            f'text-anchor="{anchor}" fill="{_colour(colour)}">'
            f"{html.escape(str(text))}</text>"
        )

    def cell(self, x, y, text="", fill="soft", colour="ink", size=11):
        """A square of CELL, with a few characters in it."""
        self.rectangle(x, y, CELL, CELL, fill)
        if text != "":
            middle = x + CELL / 2, y + CELL / 2 + size / 3
            self.words(*middle, text, colour, size)

    def bit(self, x, y, value, text=""):
        """A square that says 0 or 1 by its colour."""
        fill, colour = ("one", "on-one") if value else ("zero", "ink")
        self.cell(x, y, text, fill, colour)

    def path(self, points, colour="quiet", dashed=False, arrow=True):
        """An SVG path, such as "M 0 0 L 9 9"."""
        dashes = ' stroke-dasharray="4 4"' if dashed else ""
        head = ' marker-end="url(#head)"' if arrow else ""
        self.shapes.append(
            f'<path d="{points}" fill="none" stroke="{_colour(colour)}" '
            f'stroke-width="1.8"{dashes}{head}/>'
        )

    def matrix(self, x, y, rows, fill="soft", gaps=(), colours=None):
        """Rows of numbers or words; `gaps` leave room before some rows.

        Args:
            colours: a fill for every row, instead of `fill`.
        """
        top = y
        for number, row in enumerate(rows):
            top += 8 if number in gaps else 0
            of_row = colours[number] if colours else fill
            text = "ink" if of_row == "soft" else "on-tint"
            for column, value in enumerate(row):
                place = x + column * CELL, top
                self.cell(*place, _short(value), of_row, text, 10)
            top += CELL

    def picture(self, name):
        """The SVG; `name` keeps its arrowheads apart from others'."""
        shapes = "\n".join(self.shapes).replace("#head", f"#{name}-head")
        width, height = self.size
        return (
            f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" style="min-width: {width * _LEAST:g}px" '
            f'role="img" '
            f'aria-label="{html.escape(self.title)}" '
            'font-family="inherit"><defs>'
            f'<marker id="{name}-head" viewBox="0 0 8 8" refX="7" refY="4" '
            'markerWidth="6" markerHeight="6" orient="auto-start-reverse">'
            '<path d="M0 0 L8 4 L0 8 z" fill="var(--quiet, #555)"/>'
            f"</marker></defs>\n{shapes}\n</svg>"
        )


def _colour(name):
    return name if name == "none" else f"var(--{name}, currentColor)"


def _short(value):
    return f"{value:.1f}" if isinstance(value, float) else value
