"""What `recognise` says that a checkpoint holds."""

import dataclasses
import difflib

from rnn_parity.checkpoints import kinds
from rnn_parity.errors import UserError

SHOWN = 8  # names in a line


@dataclasses.dataclass(frozen=True)
class Cell:
    """A recurrent cell.

    Attributes:
        scope: what its variables' names begin with.
        kind: a record of `kinds`.
        sizes: inputs, units and outputs.
        variables: {argument: names}; more than one are joined by rows.
    """

    scope: str
    kind: kinds.Kind
    sizes: kinds.Sizes
    variables: dict

    @property
    def names(self):
        return [name for names in self.variables.values() for name in names]

    @property
    def peepholes(self):
        return any(name.endswith("_diag") for name in self.variables)

    @property
    def projection(self):
        return self.sizes.outputs != self.sizes.units or any(
            name.startswith("projection") for name in self.variables
        )


@dataclasses.dataclass(frozen=True)
class Stack:
    """Cells that one loop ran.

    Attributes:
        name: the scope of the loop; of two loops, both with a "+".
        form: "one way"; "two ways", each direction a stack of its own, as
            `bidirectional_dynamic_rnn` has it; or "two ways, layer by
            layer", as `stack_bidirectional_dynamic_rnn` has it.
        forward, backward: cells, the lowest first; backward may be empty.
        way: of a stack that is one direction of another, "forward" or
            "backward".
    """

    name: str
    form: str
    forward: tuple
    backward: tuple = ()
    way: str | None = None

    def ways(self):
        """Each direction of two as a stack of its own, by name."""
        if self.form != "two ways":
            return {}
        names = self.name.split("+")
        if len(names) == 1:
            names = [f"{names[0]}/fw", f"{names[0]}/bw"]
        cells = self.forward, self.backward
        return {
            name: Stack(name, "one way", of_way, way=way)
            for name, of_way, way in zip(
                names, cells, ("forward", "backward"), strict=True
            )
        }

    @property
    def cells(self):
        return (*self.forward, *self.backward)

    @property
    def inputs(self):
        return self.forward[0].sizes.inputs

    @property
    def outputs(self):
        """How many numbers come out a step, of both directions."""
        tops = [way[-1] for way in (self.forward, self.backward) if way]
        return sum(top.sizes.outputs for top in tops)


@dataclasses.dataclass(frozen=True)
class ReadOut:
    """A dense layer that reads what a stack puts out.

    Attributes:
        name: its scope, or its kernel's name.
        kernel, bias: names; the bias may be None.
        transposed: whether the kernel is stored [classes, outputs].
        stack: the name of the stack it reads; None where several fit.
        inputs, classes: its sizes.
    """

    name: str
    kernel: str
    bias: str | None
    transposed: bool
    stack: str | None
    inputs: int
    classes: int


@dataclasses.dataclass(frozen=True)
class Embedding:
    """A table whose rows stand for whole numbers, the ids.

    Attributes:
        name: its scope, or the variable's name.
        variable: the variable's name.
        stacks: names of the stacks that read its rows; none where that
            cannot be told.
        vocabulary, width: its sizes.
    """

    name: str
    variable: str
    stacks: tuple
    vocabulary: int
    width: int


@dataclasses.dataclass(frozen=True)
class Question:
    """What has to be settled before converting.

    Attributes:
        subject: the scope or variable it is about.
        text: what is open, and the option that settles it.
    """

    subject: str
    text: str


@dataclasses.dataclass(frozen=True)
class Inventory:
    """All that a checkpoint holds.

    Attributes:
        shapes: {name: shape} it was made from.
        stacks: list of Stack.
        read_outs: list of ReadOut.
        embeddings: list of Embedding.
        slots: {optimizer: {slot: {variable: name of the slot variable}}}.
        averages: {variable: name of its moving average}.
        counters: names such as global_step.
        others: {name: why it belongs to nothing above}.
        notes: lines about what was assumed, for the user.
        questions: list of Question.
    """

    shapes: dict
    stacks: list
    read_outs: list
    embeddings: list
    slots: dict
    averages: dict
    counters: list
    others: dict
    notes: list
    questions: list

    def stack(self, name=None):
        """The stack of that name; the only one if there is just one.

        One direction of two goes by its own name, or NAME/fw and NAME/bw.

        Raises:
            UserError: no stack, several to choose from, or none so named.
        """
        names = [stack.name for stack in self.stacks]
        if name is None and len(names) == 1:
            return self.stacks[0]
        if not names:
            raise UserError("there is no recurrent cell in the checkpoint")
        if name is None:
            raise UserError(
                f"there are {len(names)} stacks, name one: {', '.join(names)}"
            )
        if name in names:
            return self.stacks[names.index(name)]
        for stack in self.stacks:
            if name in stack.ways():
                return stack.ways()[name]
        raise UserError(unknown("stack", name, names))

    def embedding(self, stack):
        """The one whose rows a stack, or one direction of it, reads."""
        for embedding in self.embeddings:
            for name in embedding.stacks:
                ways = self.stack(name).ways()
                if name == stack.name or stack.name in ways:
                    return embedding
        return None


def unknown(what, name, names):
    """A line about a name that is not among `names`."""
    names = [known for known in names if known]
    near = difflib.get_close_matches(name, names, 1, 0.5)
    hint = f"there are: {some(names)}" if names else "there is none"
    hint = f"did you mean {near[0]}?" if near else hint
    return f"there is no {what} {name!r}; {hint}"


def some(names, joint=", ", shown=SHOWN, count=None):
    """The first of many names, and how many more there are.

    A line that lists all of them may be as long as the checkpoint, and there
    may be as many such lines.

    Args:
        names: a list, or the beginning of one.
        joint: what is between two names.
        shown: how many to list.
        count: how many there are; as many as in `names` by default.
    """
    more = (len(names) if count is None else count) - shown
    listed = joint.join(names[:shown])
    return f"{listed} and {more} more" if more > 0 else listed
