"""The variables of a checkpoint, found by the scope that they are in."""

import bisect


def inside(names, scope):
    """The slice of sorted `names` that begin with the scope and a "/"."""
    after = chr(ord("/") + 1)
    return slice(
        bisect.bisect_left(names, f"{scope}/"),
        bisect.bisect_left(names, f"{scope}{after}"),
    )


class Variables(dict):
    """A dictionary {name: shape} that also finds names by their scope.

    A checkpoint may have 100,000 variables in as many scopes, so what is
    asked about one scope must not look at the variables of all the others.
    The names are sorted once; names that are taken out stay in that list and
    are passed over. A new name makes the list anew at the next question.
    """

    def __init__(self, shapes):
        super().__init__(shapes)
        self._names = self._children = None

    def __setitem__(self, name, shape):
        if name not in self:
            self._names = None
        super().__setitem__(name, shape)

    def matrices(self):
        """[(name, shape)] of those of two dimensions."""
        return [item for item in self.items() if len(item[1]) == 2]

    def under(self, scope):
        """The names in a scope at any depth, in the dictionary's order."""
        self._index()
        names = self._names[inside(self._names, scope)]
        return sorted(filter(self.__contains__, names), key=self._place.get)

    def at_or_under(self, scope):
        """The same, with the variable that is called like the scope."""
        names = self.under(scope)
        if scope in self:
            names = sorted([scope, *names], key=self._place.get)
        return names

    def all_under(self, scope, wanted):
        """Whether each name in a scope, or of that name, is in `wanted`."""
        self._index()
        if scope in self and scope not in wanted:
            return False
        of_scope = inside(self._names, scope)
        return all(
            self._names[at] in wanted
            for at in range(of_scope.start, of_scope.stop)
            if self._names[at] in self
        )

    def children(self, scope):
        """The parts that follow a scope in names, some of them taken out."""
        self._index()
        return self._children.get(scope, {})

    def _index(self):
        if self._names is not None:
            return
        self._place = {name: place for place, name in enumerate(self)}
        self._names = sorted(self)
        self._children = {}
        for name in self._names:
            self._add_to_parents(name)

    def _add_to_parents(self, name):
        end = len(name)
        while (cut := name.rfind("/", 0, end)) >= 0:
            siblings = self._children.setdefault(name[:cut], {})
            part = name[cut + 1 : end]
            if part in siblings:
                return  # and so are its parents
            siblings[part] = None
            end = cut
