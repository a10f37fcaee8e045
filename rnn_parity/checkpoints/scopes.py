"""What a variable's scope says of the cell in it, part by part."""

import dataclasses
import re

from rnn_parity.checkpoints import kinds

BY_LAYER = "two ways, layer by layer"
_DIRECTION = re.compile(r"(?i)^(fw|bw)$")
_STACK = re.compile(r"^(multi_rnn_cell|MultiRNNCell)(_\d+)?$")
_BIDIRECTIONAL_STACK = re.compile(r"^stack_bidirectional_rnn(_\d+)?$")
_LAYER = re.compile(r"^(?:cell_|Cell)(\d+)$")
_LOOP = re.compile(
    r"(?i)^(rnn|birnn|bidirectional_rnn|multi_?rnn_?cell|fw|bw"
    r"|stack_bidirectional_rnn|cell_?\d+|attention_wrapper)(_\d+)?$"
)


@dataclasses.dataclass(frozen=True)
class Place:
    """Its stack's key, and where in the stack it is."""

    key: tuple
    form: str
    layer: tuple
    backward: bool


def place_of(scope):
    """What the parts of a cell's scope say."""
    parts = scope.split("/")
    kept, layer, backward, name, form = [], [], False, None, "one way"
    at = 0
    while at < len(parts) - 1:
        part, following = parts[at], parts[at + 1]
        number = _LAYER.match(following)
        two_ways = _BIDIRECTIONAL_STACK.match(part) or (
            number and "bidirectional_rnn" in parts[at + 2 : at + 3]
        )  # it may have another scope
        if number and (_STACK.match(part) or two_ways):
            if name is None:
                name = "/".join(kept or [part])
            if two_ways:
                name = "/".join([*kept, part])
                form = BY_LAYER
            if not kept or kept[-1] != f"{part}/#":  # stacks in stacks
                kept.append(f"{part}/#")
            layer.append(int(number.group(1)))
            at += 2
            if at < len(parts) - 1 and parts[at] == following:
                at += 1  # some releases wrote it twice
            continue
        if _DIRECTION.match(part):
            name = "/".join(kept) if name is None else name
            backward = part.lower() == "bw"
            form = "two ways" if form == "one way" else form
            part = "<way>"
        kept.append(part)
        at += 1
    if name is None:
        name = "/".join(parts[:-1])
    stacked = any(part.endswith("#") for part in kept)
    whole = tuple(kept)
    if not name:  # nothing but the cell's own name
        name, whole = scope, (scope,)
    elif form == "one way" and not stacked:
        whole = (name,)
    return Place((name, whole), form, tuple(layer), backward)


def in_loop(scope):
    return any(_LOOP.match(part) for part in scope.split("/")[:-1])


def unsupported(scope):
    """The part of a scope that is called after a cell we do not convert."""
    for part in scope.split("/"):
        if kinds.bare(part) in kinds.UNSUPPORTED:
            return part
    return None


def numbered_next(name, names):
    """The second of two, X and X_1 or X_1 and X_2; None if there are more.

    Args:
        name: the first.
        names: all there are.
    """
    base, _, last = name.rpartition("/")
    prefix = f"{base}/" if base else ""
    found = re.match(r"^(.*?)(\d+)$", last)
    if found is None:
        family = [name, f"{name}_1", f"{name}_2"]
    else:
        stem, number = found.group(1), int(found.group(2))
        family = [f"{prefix}{stem}{n}" for n in range(number, number + 3)]
        before = f"{prefix}{stem}{number - 1}"
        unnumbered = f"{prefix}{stem.removesuffix('_')}"
        if before in names or (number == 1 and unnumbered in names):
            return None
    second, third = family[1:]
    return second if second in names and third not in names else None


def number_at_end(ending):
    found = re.search(r"_(\d+)$", ending)
    return int(found.group(1)) if found else 0


def natural(name):
    """A sort key: cell_2 before cell_10."""
    pieces = re.split(r"(\d+)", name)
    return [int(p) if p.isdigit() else p for p in pieces]


def outer_scopes(name):
    """The scopes that a name is in, the innermost first."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
