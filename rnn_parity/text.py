"""Text from files, printed so that a terminal only shows it.

A name in a file may hold anything: escape sequences that clear the screen or
set the window's title, characters that reverse the direction of writing, a
line break that makes one line look like two. Whatever prints such text calls
`escaped` first.
"""


def escaped(text, keep=""):
    r"""The text with whatever a terminal would act on written out.

    Control characters, direction and zero-width characters, line and
    paragraph separators, lone surrogates and every other character that
    `str.isprintable` denies become what `repr` writes: "\x1b", "\u202e".

    Args:
        text: a string, or anything that has one.
        keep: characters to leave as they are, such as "\n".
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else _written_out(one)
        for one in text
    )


def _written_out(character):
    return character.encode("unicode_escape").decode("ascii")
