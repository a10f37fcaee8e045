"""HTML that Markdown must leave alone."""

import re


class Slots:
    """Keeps HTML aside, and puts it back where it belongs."""

    def __init__(self):
        self._kept = []

    def block(self, html):
        """Markdown that stands for a block of HTML."""
        self._kept.append(html)
        return f'\n\n<div data-slot="{len(self._kept) - 1}"></div>\n\n'

    def inline(self, html):
        """Markdown that stands for HTML within a line."""
        self._kept.append(html)
        return f'<span data-slot="{len(self._kept) - 1}"></span>'

    def fill(self, page):
        """The page with every slot filled.

        Raises:
            LookupError: Markdown has lost one.
        """
        pattern = r'<(div|span) data-slot="(\d+)"></\1>'
        page, found = re.subn(
            pattern, lambda match: self._kept[int(match[2])], page
        )
        if found != len(self._kept):
            raise LookupError(f"{len(self._kept)} slots, {found} filled")
        return page
