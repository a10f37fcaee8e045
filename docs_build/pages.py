"""Addresses of pages, for links in HTML that Markdown does not see."""

import re


def url(target):
    """The address of "../folder/page.md#anchor", from a page's own."""
    page, mark, anchor = target.partition("#")
    return f"../{page.removesuffix('.md')}/{mark}{anchor}"


def slug(words):
    """An anchor: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
