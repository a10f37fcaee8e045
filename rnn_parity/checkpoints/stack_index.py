"""Stacks found by their names and widths, without a look at each."""

import re

_COUNTERPARTS = (
    ("fw", "bw"),
    ("fwd", "bwd"),
    ("forward", "backward"),
    ("l2r", "r2l"),
    ("ltr", "rtl"),
)


class StackIndex:
    """What is asked about all stacks for every read-out and embedding.

    Attributes:
        by_name: {name: stack}.
        outputs: the set of how many numbers come out of stacks.
        taken: the names of all stacks and the scopes of all cells.
        merged: {outputs: the name of the first stack of tf.keras that has
            two directions and as many outputs}.
    """

    def __init__(self, stacks):
        self.by_name = {stack.name: stack for stack in stacks}
        self.outputs = {stack.outputs for stack in stacks}
        self.taken = set(self.by_name)
        self.merged, near = {}, {}
        for stack in stacks:
            self.taken.update(cell.scope for cell in stack.cells)
            if stack.backward and stack.forward[0].kind.keras:
                self.merged.setdefault(stack.outputs, stack.name)
            for scope in _scopes(stack.name):
                for side in ("inputs", "outputs"):
                    key = side, getattr(stack, side), scope
                    near.setdefault(key, []).append(stack.name)
        self._near = {key: tuple(names) for key, names in near.items()}

    def nearest(self, name, side, width):
        """The names of those with most of a name's parts in common.

        Args:
            name: of a read-out or embedding.
            side: "inputs" or "outputs".
            width: how many of them the stacks must have.
        """
        for scope in reversed(_scopes(name)):
            if (side, width, scope) in self._near:
                return self._near[side, width, scope]
        return ()


class Counterparts:
    """The stacks by what is left of their names without the direction."""

    def __init__(self, stacks):
        self._backward = {}
        for name, stack in {stack.name: stack for stack in stacks}.items():
            for _, backward in _COUNTERPARTS:
                key = backward, _without(backward, name)
                self._backward.setdefault(key, []).append(stack)

    def of(self, forward):
        """The stack whose name says bw where this one's says fw, or None."""
        for way, other in _COUNTERPARTS:
            if way not in forward.name.lower():
                continue
            key = other, _without(way, forward.name)
            for stack in self._backward.get(key, ()):
                if (
                    stack.form == "one way"
                    and stack.inputs == forward.inputs
                    and len(stack.forward) == len(forward.forward)
                ):
                    return stack
        return None


def _without(way, name):
    return re.sub(way, "<>", name, flags=re.IGNORECASE)


def _scopes(name):
    """Every scope that a name is in, the whole name too: "", "a/", "a/b/"."""
    whole = f"{name}/"
    ends = (slash.end() for slash in re.finditer("/", whole))
    return ["", *(whole[:end] for end in ends)]
