"""What a checkpoint holds, from the names and shapes of its variables alone.

    inventory = recognise({name: shape})

A *stack* is what one `static_rnn`, `dynamic_rnn` or `bidirectional_rnn` ran:
cells on top of one another, in one or two directions. What names and shapes
leave open is a note, where the reading does not change what is computed or
evidence speaks for one, or else a question, which an option answers.
"""

import collections
import dataclasses
import functools
import itertools
import re

from rnn_parity.checkpoints import kinds, objects
from rnn_parity.checkpoints.inventory import (
    SHOWN,
    Cell,
    Embedding,
    Inventory,
    Question,
    ReadOut,
    Stack,
    some,
    unknown,
)
from rnn_parity.checkpoints.scopes import (
    BY_LAYER,
    in_loop,
    natural,
    number_at_end,
    numbered_next,
    outer_scopes,
    place_of,
    unsupported,
)
from rnn_parity.checkpoints.stack_index import Counterparts, StackIndex
from rnn_parity.checkpoints.variables import Variables, inside
from rnn_parity.errors import UserError

DENSE, OTHER = "dense", "other"
_PLAIN_NAMES = (
    "kernel",
    "weights",
    "w",
    "W",
    "Matrix",
    "weight",
)

KERAS_ADAM = "Adam of tf.keras"  # Adam/kernel/m, not kernel/Adam
# {what an optimizer calls itself in a slot's name: its slots, in order}
OPTIMIZERS = {
    "Adagrad": ("accumulator",),
    "Adam": ("m", "v"),
    KERAS_ADAM: ("m", "v"),
    "Momentum": ("momentum",),
    "RMSProp": ("rms", "momentum"),
    "Adadelta": ("accum", "accum_update"),
    "Ftrl": ("accum", "linear"),
}
_AVERAGE = re.compile(r"(?i)(average|ema|shadow)")
_COUNTER = re.compile(
    r"(^|/)(global_step|beta[12]_power|learning_rate|lr|local_step|biased"
    r"|Variable)(_\d+)?$"
)
# Of Keras 2.2 without TensorFlow's, and of TensorFlow's since 2.11.
_NAMELESS_SLOT = re.compile(
    r"(^|/)training(_\d+)?/\w+/Variable(_\d+)?$|/_variables/\d+$"
)
_NO_CELL = re.compile(
    r"(?i)^(dense|fc\d*|fully_connected|proj(ection)?|softmax|logits?|out(put)?"
    r"|linear|embed\w*|memory_layer|query_layer|attention_layer"
    r"|(in|out)put_projection\w*|attn_output_projection|embedding_wrapper"
    r"|attention_cell_wrapper|gates|candidate)"
    r"(_\d+)?$"
)
_CELL_OF_KERAS = re.compile(r"/cells/\d+$")
_WAY_OF_KERAS = re.compile(r"^(.+)/(forward|backward)_([^/]+)$")
_WRAPPERS = re.compile(
    r"^(input|output)_projection_wrapper|^embedding_wrapper"
    r"|^attention_cell_wrapper"
)
_EMBEDDING = re.compile(
    r"(?i)embed|(^|[/_])(word|char)?_?emb(s?)([/_]|$)|lookup_table|word_?vec"
    r"|(^|[/_])(glove|w2v)"
)
_NO_EMBEDDING = re.compile(r"(?i)proj|(^|/)(kernel|bias)$")
_SOUNDS_RECURRENT = re.compile(r"(?i)lstm|gru|rnn|cell|recur")
_NAMES_BETWEEN = 256  # two calls of progress
_SHAPES_SHOWN = 16  # all of a cell; at most 11 are
INSIDE_ONLY = "only the cell in it is converted"


def recognise(
    shapes,
    kind=None,
    bidirectional=(),
    apart=(),
    transposed=(),
    embeddings=None,
    progress=None,
):
    """Says what a checkpoint holds.

    Args:
        shapes: {name: shape}.
        kind: {scope or kernel: a kind's name, "dense" or "other"}; answers
            questions, and overrules what names and shapes say.
        bidirectional: pairs of stacks (forward, backward) to be two
            directions of one.
        apart: stacks that are no direction of another.
        transposed: read-outs whose square kernel is stored [classes,
            outputs].
        embeddings: {variable: the stack that reads its rows, a list of
            them, or None}, where names and widths do not tell or tell
            wrongly.
        progress: called with (what is being done, share done 0 to 1).

    Raises:
        UserError: an answer names something that is not there, or does not
            fit.
    """
    return _Recognition(
        dict(shapes),
        dict(kind or {}),
        bidirectional,
        apart,
        transposed,
        dict(embeddings or {}),
        progress or (lambda what, share: None),
    ).run()


class _Recognition:
    def __init__(
        self,
        shapes,
        answers,
        bidirectional,
        apart,
        transposed,
        read_by,
        progress,
    ):
        self.progress = progress
        self.shapes = shapes
        self.answers = answers
        self.apart = set(apart)
        self.pairs = [tuple(pair) for pair in bidirectional]
        self.transposed = set(transposed)
        self.read_by = {
            table: [names] if isinstance(names, str) else list(names or ())
            for table, names in read_by.items()
        }
        self.left = Variables(
            {name: tuple(shape) for name, shape in sorted(shapes.items())}
        )
        self.notes, self.questions, self.others = [], [], {}
        self.stacks, self.read_outs = StackIndex([]), []
        self.noted, self.used_answers, self.certain = set(), set(), []
        self.open, self.kernels, self.misfits = set(), {}, {}

    def run(self):
        if self.left.pop(objects.GRAPH, None) is not None:
            self.others[objects.GRAPH] = "how tf.train.Checkpoint finds them"
        slots, averages = self.take_slots()
        counters = self.take_counters()
        cells = self.take_cells()
        stacks = self.pair_up(self.group(cells))
        self.stacks = StackIndex(stacks)
        read_outs = self.read_outs = self.take_read_outs()
        embeddings = self.take_embeddings()
        self.take_others()
        self.all_answers_used()
        return Inventory(
            self.shapes,
            stacks,
            read_outs,
            embeddings,
            slots,
            averages,
            counters,
            dict(sorted(self.others.items())),
            self.notes,
            self.questions,
        )

    def counted(self, names, what, start, end):
        """Yields the names, and says how much of the work is done."""
        for at, name in enumerate(names):
            if at % _NAMES_BETWEEN == 0:
                share = start + (end - start) * at / len(names)
                self.progress(what, share)
            yield name

    # --- What belongs to another variable ---

    def take_slots(self):
        """Slots and averages, told by a variable's whole name in theirs."""
        found, averages = {}, {}
        for name in filter(_NAMELESS_SLOT.search, list(self.left)):
            self.others[name] = "an optimizer's, which does not say of what"
            del self.left[name]
        of_keras = self.keras_adam()
        for name, shape in list(self.left.items()):
            owner, ending = self.owner(name, shape)
            if owner is None:
                continue
            if ending in ("biased", "local_step"):
                self.others[name] = "how a moving average corrects its start"
            elif _AVERAGE.search(ending):
                averages[owner] = name
            elif ending in ("m", "v") and name == (
                f"{of_keras}/{owner}/{ending}"
            ):
                number = OPTIMIZERS[KERAS_ADAM].index(ending)
                by_owner = found.setdefault(KERAS_ADAM, {})
                by_owner.setdefault(owner, {})[number] = name
            else:
                base = re.sub(r"_\d+$", "", ending)
                found.setdefault(base, {}).setdefault(owner, {})[
                    number_at_end(ending)
                ] = name
            del self.left[name]
        averages |= self.only_averages()
        return self.name_slots(found), averages

    def keras_adam(self):
        """The scope of tf.keras' Adam, where there is one alone."""
        scopes = [
            name.removesuffix("/iter")
            for name in self.left
            if re.search(r"(^|/)Adam(_\d+)?/iter$", name)
        ]
        return scopes[0] if len(scopes) == 1 else None

    def owner(self, name, shape):
        """(the variable that `name` is a slot of, its ending)."""
        candidate, _, ending = name.rpartition("/")
        # One that a canned Estimator trains has t_0/ before the ending.
        candidate = re.sub(r"(^|/)t_\d+$", "", candidate)
        while candidate and shape != ():
            owned = self.shapes.get(candidate)
            if owned is not None and tuple(owned) == shape:
                return candidate, ending
            candidate = candidate.partition("/")[2]
        return None, None

    def only_averages(self):
        """Averages without the variables they are of stand for them."""
        ending = "/ExponentialMovingAverage"
        alone = [name for name in self.left if name.endswith(ending)]
        if alone:
            names = f"{len(alone)} variables are there as moving averages"
            self.notes.append(f"{names} alone, which are read in their place")
        stands_for = {name.removesuffix(ending): name for name in alone}
        for name, average in stands_for.items():
            self.left[name] = self.left.pop(average)
        return stands_for

    def name_slots(self, found):
        """{base: {variable: {number: name}}} -> as Inventory has it."""
        slots = {}
        for base, by_variable in sorted(found.items()):
            known = OPTIMIZERS.get(base)
            for variable, numbered in by_variable.items():
                for number, name in sorted(numbered.items()):
                    whole = known if known else ()
                    if base == "RMSProp" and 2 in numbered:
                        whole = ("rms", "mean_gradient", "momentum")
                    slot = (
                        whole[number]
                        if number < len(whole)
                        else f"slot {number}"
                    )
                    slots.setdefault(base, {}).setdefault(slot, {})[
                        variable
                    ] = name
        return slots

    def take_counters(self):
        counters = [
            name
            for name, shape in self.left.items()
            if shape == () or (shape == (1,) and _COUNTER.search(name))
        ]
        for name in counters:
            del self.left[name]
        return counters

    # --- Cells ---

    def take_cells(self):
        """Every cell; what could be two things is a question."""
        cells, undecided, used = [], [], set()
        scopes = self.scopes()
        fits = functools.cache(self.fitting)  # asked twice of each scope
        self.certain = sorted(
            scope
            for scope in self.counted(scopes, "scopes", 0.0, 0.5)
            if self.answers.get(scope) is None
            and self.is_certain(scope, fits)
        )
        for scope in self.counted(scopes, "cells", 0.5, 0.8):
            answer = self.answer_for(scope)
            # What an outer scope's cell has taken is no cell of its own.
            if answer in (DENSE, OTHER) or self.left.all_under(scope, used):
                continue
            fitting = fits(scope, answer)
            chosen = self.choose(scope, fitting, answer)
            if chosen is None and self.may_be_cell(scope, fitting):
                undecided.append((scope, fitting))
            elif chosen is not None:
                used.update(chosen.names)
                if answer is not None or self.is_all_of(chosen):
                    cells.append(chosen)
        # A layer's inputs are the outputs of the layer below it.
        settled = {}
        for cell in cells:
            settled.setdefault(_key_and_layer(cell.scope), cell)
        for scope, fitting in undecided:
            cells += self.settle_by_layer(scope, fitting, settled)
        widths = functools.partial(self.widths_in_loops, cells)
        widths = functools.cache(widths)
        cells = [cell for cell in cells if not self.reads_out(cell, widths)]
        for cell in cells:
            for name in cell.names:
                self.left.pop(name, None)
        return cells

    def is_certain(self, scope, fits):
        """Whether more than shapes says that a scope is a cell's.

        Args:
            scope: of the cell.
            fits: `fitting`, or what remembers its answers.
        """
        if unsupported(scope):
            return False
        named = kinds.named(scope)
        if named is not None:
            return self.as_kind(scope, named) is not None
        return any(cell.kind.distinct for cell in fits(scope, None))

    def is_all_of(self, cell):
        """Asks where a scope holds vectors that such a cell does not have.

        Of a normalisation, mostly, of a cell that somebody wrote.
        """
        names = self.left.under(cell.scope)
        with_kernel = {
            name.rpartition("/")[0]
            for name in names
            if len(self.left[name]) > 1
        } - {cell.scope}
        besides = [
            name
            for name in names
            if len(self.left[name]) == 1
            and name not in cell.names
            and name.rpartition("/")[0] not in with_kernel
        ]
        if besides:
            more = f" and {len(besides) - 1} more" * (len(besides) > 1)
            self.questions.append(
                Question(
                    cell.scope,
                    f"{cell.scope} has the shapes of a {cell.kind.name}, but "
                    f"holds {besides[0]}{more}, which that has no place for, "
                    "so it computes something else; --cell "
                    f"{cell.scope}={OTHER} leaves it out, or "
                    f"={cell.kind.name} converts it without them",
                )
            )
        return not besides

    def scopes(self):
        """Every scope that holds an array of some cell, the outer first."""
        locals_ = {
            name
            for kind in kinds.KINDS
            for names in kind.arguments.values()
            for name in names
        }
        most = max(name.count("/") for name in locals_) + 1
        found = set()
        for variable in self.left:
            parts = variable.rsplit("/", most)
            for count in range(1, len(parts)):
                local = "/".join(parts[-count:])
                if local in locals_:
                    found.add(variable[: -len(local) - 1])
        # Hand-made cells: the kernel has no scope, so its name stands in.
        found |= {name for name in self.answers if name in self.left}
        return sorted(found, key=lambda s: (s.count("/"), natural(s)))

    def answer_for(self, scope):
        answer = self.answers.get(scope)
        if answer is None:
            return None
        self.used_answers.add(scope)
        self.must_be_a_kind(answer)
        return answer

    def must_be_a_kind(self, answer):
        known = [DENSE, OTHER, *kinds.BY_NAME]
        if answer not in known:
            raise UserError(unknown("kind of cell", answer, known))

    def fitting(self, scope, answer):
        """The cells that the variables of a scope can be."""
        tried = kinds.KINDS if answer is None else [kinds.BY_NAME[answer]]
        found = [self.as_kind(scope, kind) for kind in tried]
        found = [cell for cell in found if cell is not None]
        if answer is not None and not found:
            shapes = self.shapes_in(scope)
            raise UserError(
                f"{scope} cannot be a {answer}; its variables are {shapes}"
            )
        # The same numbers come out of these; the plainest name is enough.
        names = {cell.kind.name for cell in found}
        same = ("LSTMCell", "LSTMBlockCell", "CudnnCompatibleLSTMCell")
        if answer is None and "BasicLSTMCell" in names:
            found = [cell for cell in found if cell.kind.name not in same]
        elif answer is None and "LSTMCell" in names:
            found = [cell for cell in found if cell.kind.name not in same[1:]]
        return found

    def shapes_in(self, scope):
        names = self.left.at_or_under(scope)
        shapes = [f"{name} {list(self.left[name])}" for name in names]
        return some(shapes, shown=_SHAPES_SHOWN)

    def as_kind(self, scope, kind):
        """The variables in `scope` as a cell of `kind`, or None."""
        if scope in self.left:  # a kernel by its own name
            bias = self.bias_of(scope)
            if set(kind.arguments) != {"kernel", "bias"} or bias is None:
                return None
            return self.sized(
                scope, kind, {"kernel": (scope,), "bias": (bias,)}
            )
        variables = {}
        for argument, names in kind.arguments.items():
            for name in names:
                if f"{scope}/{name}" in self.left:
                    variables[argument] = self.shards(scope, name)
                    break
        missing = set(kind.arguments) - set(variables)
        for together in kind.optional:
            if missing.issuperset(together):
                missing -= set(together)
        if missing or self.unexplained(scope, variables):
            return None
        return self.sized(scope, kind, variables)

    def sized(self, scope, kind, variables):
        sizes = kind.sizes(
            {
                argument: self.joined_shape(names)
                for argument, names in variables.items()
            }
        )
        return sizes and Cell(scope, kind, sizes, variables)

    def shards(self, scope, name):
        """W_0, W_1, ... are one array, its rows shared out."""
        names = [f"{scope}/{name}"]
        if name.endswith("_0"):
            while f"{scope}/{name[:-1]}{len(names)}" in self.left:
                names.append(f"{scope}/{name[:-1]}{len(names)}")
        return tuple(names)

    def joined_shape(self, names):
        shapes = [self.left[name] for name in names]
        rows = sum(shape[0] for shape in shapes) if shapes[0] else 0
        return (rows, *shapes[0][1:])

    def unexplained(self, scope, variables):
        """Whether the scope holds what this kind of cell does not have."""
        used = {name for names in variables.values() for name in names}
        groups = kinds_groups() | {
            name[len(scope) + 1 :].split("/")[0]
            for name in used
            if "/" in name[len(scope) + 1 :]
        }
        for child in self.left.children(scope):
            whole = f"{scope}/{child}"
            if whole in self.left and whole not in used:
                return True
            of_group = child in groups or child.startswith("group")
            if of_group and set(self.left.under(whole)) - used:
                return True
        return False

    def choose(self, scope, fitting, answer):
        """The one cell it must be, or None."""
        if not fitting:
            return None
        if answer is not None:
            return fitting[0]
        if unsupported(scope):
            return None
        named = kinds.named(scope)
        if named is not None:
            exact = self.as_kind(scope, named)
            if exact is not None:
                return exact
            # Wrapped kinds store an LSTM's variables under other names, and
            # some leave out what they were told not to use.
            family = _plain([c for c in fitting if c.kind.lstm == named.lstm])
            return family[0] if len(family) == 1 else None
        if not self.may_be_cell(scope, fitting):
            return None
        hinted = self.hinted(scope, fitting)
        if len(hinted) == 1 and hinted[0].kind.keras:
            return hinted[0]
        if len(hinted) == 1:
            self.say_kind(hinted[0], len(fitting) == 1)
            return hinted[0]
        return None

    def may_be_cell(self, scope, fitting):
        """Whether more than shapes, which any dense layer has, says so."""
        last = scope.rsplit("/", 1)[-1]
        if fitting and fitting[0].kind.keras:
            return True
        if not fitting or kinds.named(scope) is not None:
            return False
        if unsupported(scope) or _NO_CELL.match(last):
            return False
        if fitting[0].kind.distinct:
            return True
        if self.certain[inside(self.certain, scope)]:
            return False  # a cell has no other cell in it
        if in_loop(scope) and not self.outside_the_loop(scope):
            return True
        words = kinds.bare(last), last.lower().split("_")
        called = "lstm" in words[0] or "gru" in words[0]
        return called and not any(map(_NO_CELL.match, words[1]))

    def outside_the_loop(self, scope):
        """Whether the loop that a scope is in has a cell already.

        Then somebody called an outer scope like a loop.
        """
        certain = inside(self.certain, scope.rpartition("/")[0])
        others = certain.stop - certain.start
        return others > (scope in self.certain[certain])

    def hinted(self, scope, fitting):
        """Those that a word in the scope's last part speaks for."""
        last = kinds.bare(scope.rsplit("/", 1)[-1])
        for word in ("ugrnn", "coupled", "lstm", "gru", "intersection"):
            of_word = [c for c in fitting if word in c.kind.name.lower()]
            if word in last and of_word:
                return _plain(of_word)
        return fitting

    def say_kind(self, cell, only):
        why = "nothing else has these shapes" if only else "its name says so"
        self.notes.append(
            f"{cell.scope} is read as a {cell.kind.name}: {why} "
            f"(--cell {cell.scope}=KIND to overrule)"
        )

    def settle_by_layer(self, scope, fitting, settled):
        """The cell that fits the layer below, in a list; or asks.

        Args:
            scope: of the cell.
            fitting: what it can be.
            settled: {(key of a stack, layer): cell}; gets this one too.
        """
        key, layer = _key_and_layer(scope)
        below = layer and settled.get((key, (*layer[:-1], layer[-1] - 1)))
        chained = [
            cell
            for cell in fitting
            if below and cell.sizes.inputs == below.sizes.outputs
        ]
        if len(chained) == 1:
            self.notes.append(
                f"{scope} is read as a {chained[0].kind.name}, the one that "
                f"takes the {below.sizes.outputs} outputs of the layer "
                f"below (--cell {scope}=KIND to overrule)"
            )
            settled.setdefault((key, layer), chained[0])
            return chained
        self.questions.append(
            Question(
                scope,
                f"{scope} fits {len(fitting)} kinds of cell: "
                f"{_kinds_of(fitting)}; "
                f"say which: --cell {scope}={fitting[0].kind.name}, or "
                f"={DENSE} if it is no cell",
            )
        )
        return []

    def widths_in_loops(self, cells):
        """How many numbers come out of the cells, and stacks, in loops."""
        loops = [cell for cell in cells if in_loop(cell.scope)]
        return {cell.sizes.outputs for cell in loops} | {
            stack.outputs for stack in self.group(loops)
        }

    def reads_out(self, cell, widths):
        """Whether what is called a cell is rather a read-out.

        Args:
            cell: what it would be.
            widths: gives those of `widths_in_loops`.
        """
        arguments = set(cell.variables)
        if (
            cell.scope in self.answers
            or in_loop(cell.scope)
            or arguments != {"kernel", "bias"}
            or "fused" in cell.scope.lower()
        ):
            return False
        rows, columns = self.joined_shape(cell.variables["kernel"])
        if rows not in widths():
            return False
        if cell.sizes.units > 1:
            self.questions.append(
                Question(
                    cell.scope,
                    f"{cell.scope} can be a {cell.kind.name} or a read-out "
                    f"[{rows}, {columns}]; say which: "
                    f"--cell {cell.scope}={cell.kind.name} or ={DENSE}",
                )
            )
            return False
        self.notes.append(
            f"{cell.scope} is read as a read-out [{rows}, {columns}] of the "
            f"{rows} outputs there are, not as the cell of one unit it is "
            f"named after (--cell {cell.scope}={cell.kind.name} to overrule)"
        )
        return True

    # --- Stacks ---

    def group(self, cells):
        """Stacks of cells, no two of them with one name."""
        stacks = self.grouped(cells)
        counts = collections.Counter(stack.name for stack in stacks)
        stacks = [
            dataclasses.replace(stack, name=_shared_scope(stack.cells))
            if counts[stack.name] > 1
            else stack
            for stack in stacks
        ]
        return sorted(stacks, key=lambda stack: natural(stack.name))

    def grouped(self, cells):
        of_keras = [cell for cell in cells if cell.kind.keras]
        stacks = self.layers_of_keras(of_keras)
        by_key, lone = {}, {}
        for cell in sorted(cells, key=lambda cell: natural(cell.scope)):
            if not cell.kind.keras:
                by_key.setdefault(place_of(cell.scope).key, []).append(cell)
        for key, members in by_key.items():
            places = [place_of(cell.scope) for cell in members]
            slots = {(p.backward, p.layer) for p in places}
            if len(slots) < len(members):  # several share one place
                stacks += [Stack(c.scope, "one way", (c,)) for c in members]
                continue
            ways = {False: [], True: []}
            for place, cell in sorted(
                zip(places, members, strict=True),
                key=lambda pair: pair[0].layer,
            ):
                ways[place.backward].append(cell)
            forward, backward = tuple(ways[False]), tuple(ways[True])
            form = places[0].form
            if not (forward and backward):
                if form != "one way":
                    way = "fw" if forward else "bw"
                    lone.setdefault(key[0], []).append(way)
                forward, backward = forward or backward, ()
                form = "one way"
            stack = Stack(key[0], form, forward, backward)
            why = _broken(stack, places)
            if why:
                self.note(f"{why}, so its cells are each converted alone")
            stacks += _alone(stack) if why else [stack]
        for name, ways in lone.items():
            if len(ways) > 1:
                self.note(
                    f"{name} has two directions that are built differently; "
                    "each is a stack of its own, and reads its inputs as "
                    "given"
                )
                continue
            self.note(
                f"{name} has two directions, of which only {ways[0]} was "
                "recognised; it reads its inputs as given"
            )
        return stacks

    def layers_of_keras(self, cells):
        """Every layer a stack, for nothing says which reads which.

        In one layer are the cells of a `StackedRNNCells` and the two
        directions of a `Bidirectional`.
        """
        by_layer = {}
        for cell in sorted(cells, key=lambda cell: natural(cell.scope)):
            layer = _CELL_OF_KERAS.sub("", cell.scope)
            by_layer.setdefault(layer, []).append(cell)
        ways = {}
        for layer in by_layer:
            way = _WAY_OF_KERAS.match(layer)
            if way:
                name, which, inner = way.groups()
                ways.setdefault((name, inner), {})[which] = layer
        # Directions made apart have names of their own.
        halves_of = {}
        for key, layers in ways.items():
            if len(layers) == 1:
                halves_of.setdefault(key[0], []).append(key)
        for name, halves in halves_of.items():
            if len(halves) == 2:
                joined = ways.pop(halves[0]) | ways.pop(halves[1])
                ways[name, ""] = joined
        stacks = []
        for (name, _), layers in ways.items():
            if len(layers) == 2:
                forward, backward = (
                    tuple(by_layer.pop(layers[way]))
                    for way in ("forward", "backward")
                )
                stacks.append(Stack(name, "two ways", forward, backward))
        for layer, members in by_layer.items():
            stacks.append(Stack(layer, "one way", tuple(members)))
        whole = []
        for stack in stacks:
            why = _broken(stack, [])
            if why:
                self.note(f"{why}, so its cells are each converted alone")
            whole += _alone(stack) if why else [stack]
        return whole

    def note(self, line):
        """Notes what several cells, or several looks at one, may say."""
        if line not in self.noted:
            self.noted.add(line)
            self.notes.append(line)

    def pair_up(self, stacks):
        """Joins two stacks that are the two directions of one."""
        by_name = {stack.name: stack for stack in stacks}
        for pair in self.pairs:
            for name in pair:
                if name not in by_name:
                    raise UserError(unknown("stack", name, list(by_name)))
        for name in self.apart:
            if name not in by_name:
                raise UserError(unknown("stack", name, list(by_name)))
        named = [name for pair in self.pairs for name in pair]
        twice = [
            name
            for name in named
            if named.count(name) > 1 or name in self.apart
        ]
        if twice:
            raise UserError(
                f"{twice[0]} is named twice in bidirectional and apart; a "
                "stack is one direction of one other, or of none"
            )
        joined = [
            self.join(*(by_name[name] for name in pair))
            for pair in self.pairs
        ]
        paired = {*named, *self.apart}
        counterparts = Counterparts(stacks)
        for forward in stacks:
            if forward.name in paired or forward.form != "one way":
                continue
            backward = counterparts.of(forward)
            if backward is not None and backward.name not in paired:
                self.notes.append(
                    f"{forward.name} and {backward.name} are read as the "
                    "two directions of one, as their names say (--apart "
                    f"{forward.name} to overrule)"
                )
                paired |= {forward.name, backward.name}
                joined.append(self.join(forward, backward))
        gone = paired - self.apart
        stacks = [stack for stack in stacks if stack.name not in gone]
        stacks = sorted([*stacks, *joined], key=lambda s: natural(s.name))
        return self.pair_by_width(stacks, paired)

    def pair_by_width(self, stacks, paired):
        """Asks whether X and X_1 are where something reads both."""
        by_name = {stack.name: stack for stack in stacks}
        single = {stack.outputs for stack in stacks}
        readers = self.readers_of_widths()
        for forward in list(stacks):
            backward = by_name.get(numbered_next(forward.name, by_name))
            if (
                backward is None
                or {forward.name, backward.name} & paired
                or {forward.form, backward.form} != {"one way"}
                or backward.inputs != forward.inputs
                or len(backward.forward) != len(forward.forward)
                or forward.forward[0].kind.keras  # has Bidirectional
            ):
                continue
            both = forward.outputs + backward.outputs
            names = f"{forward.name} and {backward.name}"
            option = f"--bidirectional {forward.name},{backward.name}"
            if both in readers and both not in single:
                self.questions.append(
                    Question(
                        forward.name,
                        f"{names} may be two directions of one, or read "
                        f"inputs of their own: {readers[both]} reads {both} "
                        f"= {forward.outputs} + {backward.outputs}; "
                        f"say which: {option} or --apart {forward.name}",
                    )
                )
            else:
                self.notes.append(
                    f"{names} may be two directions of one, which nothing "
                    f"but the order of their names would tell ({option})"
                )
        return stacks

    def readers_of_widths(self):
        """{width: the first matrix that has such a side}."""
        found = {}
        for name, shape in self.left.matrices():
            for width in shape:
                found.setdefault(width, name)
        return found

    def join(self, forward, backward):
        """The stack of two directions that two stacks make."""
        if forward.form != "one way" or backward.form != "one way":
            raise UserError(
                f"{forward.name} and {backward.name} cannot be two "
                "directions of one: one of them has two already"
            )
        if forward.inputs != backward.inputs:
            raise UserError(
                f"{forward.name} and {backward.name} cannot be two "
                f"directions of one: they read {forward.inputs} and "
                f"{backward.inputs} inputs"
            )
        depths = len(forward.forward), len(backward.forward)
        if len(set(depths)) > 1:
            raise UserError(
                f"{forward.name} and {backward.name} cannot be two "
                f"directions of one here: they have {depths[0]} and "
                f"{depths[1]} layers; converted apart, each runs by its name"
            )
        return Stack(
            f"{forward.name}+{backward.name}",
            "two ways",
            forward.forward,
            backward.forward,
        )

    # --- Read-outs, embeddings and the rest ---

    def take_read_outs(self):
        found = []
        for kernel, _ in self.left.matrices():
            if kernel not in self.left or self.marked_other(kernel):
                continue
            read_out = self.read_out(kernel)
            if read_out is None:
                continue
            found.append(read_out)
            for name in (read_out.kernel, read_out.bias):
                self.left.pop(name, None)
        return sorted(found, key=lambda one: natural(one.name))

    def take_embeddings(self):
        """Tables named as embeddings, and those that the user says are."""
        feeds = self.readers_given()
        may_feed = self.readers_by_width(feeds)
        rivals_of = _rivals(may_feed)
        for table, names in may_feed.items():
            rivals = rivals_of[names]  # the table is one of them
            certain = len(names) == len(rivals) == 1
            feeds[table] = names if certain else ()
            if certain:
                self.notes.append(
                    f"{table} is read as what feeds {names[0]}, whose inputs "
                    f"have its width, so ids go in (--embedding {table}=none "
                    "to overrule)"
                )
            elif names:
                first = [o for o in rivals[: SHOWN + 1] if o != table]
                others = some(first, count=len(rivals) - 1)
                others = f", as may {others}" if first else ""
                self.notes.append(
                    f"{table} may feed {some(names, ' or ')}{others}; it is "
                    "a layer of its own, not in the model (--embedding "
                    f"{table}={names[0]})"
                )
            else:
                self.notes.append(
                    f"{table} feeds no stack by its width; it is a layer of "
                    "its own, not in the model"
                )
        plain = ("embeddings", *_PLAIN_NAMES)
        found = [
            Embedding(
                self.name_of(table, plain),
                table,
                names,
                *self.left.pop(table),
            )
            for table, names in feeds.items()
        ]
        return sorted(found, key=lambda one: natural(one.name))

    def readers_given(self):
        """{table: names of the stacks that the user says read its rows}."""
        by_name = self.stacks.by_name
        feeds, fed = {}, {}
        for table, names in self.read_by.items():
            shape = self.left.get(table, ())
            if len(shape) != 2:
                tables = [n for n, s in self.left.items() if len(s) == 2]
                raise UserError(unknown("embedding", table, tables))
            for name in names:
                if name not in by_name:
                    raise UserError(unknown("stack", name, list(by_name)))
                if by_name[name].inputs != shape[1]:
                    raise UserError(
                        f"{table} cannot feed {name}: its rows have "
                        f"{shape[1]} numbers, and {name} takes "
                        f"{by_name[name].inputs}"
                    )
                if fed.setdefault(name, table) != table:
                    raise UserError(
                        f"{name} cannot read both {fed[name]} and {table}"
                    )
            feeds[table] = tuple(names)
        return feeds

    def readers_by_width(self, given):
        """{table: names of stacks} of what is named as an embedding."""
        fed = {name for names in given.values() for name in names}
        found = {}
        for table, (_, width) in self.left.matrices():
            if table in given or not self.called_embedding(table):
                continue
            names = self.stacks.nearest(table, "inputs", width)
            if "attention" in table.lower():
                names = ()
            elif fed:
                names = tuple(name for name in names if name not in fed)
            found[table] = names
        return found

    def called_embedding(self, name):
        return (
            _EMBEDDING.search(name) is not None
            and not _NO_EMBEDDING.search(name)
            and not self.marked_other(name)
            and self.bias_of(name) is None
        )

    def marked_other(self, kernel):
        scope, _, local = kernel.rpartition("/")
        return local == "carry_w" or OTHER in (
            self.answers.get(kernel),
            self.answers.get(scope),
        )

    def read_out(self, kernel):
        bias = self.bias_of(kernel)
        rows, columns = self.left[kernel]
        outputs = self.stacks.outputs
        straight = rows in outputs and (
            bias is None or _vector_of(self.left[bias], columns)
        )
        turned = columns in outputs and (
            bias is None or _vector_of(self.left[bias], rows)
        )
        if bias is None and not self.called_read_out(kernel):
            return None
        if not straight and not turned:
            return None
        name = self.name_of(kernel, _PLAIN_NAMES)
        given = name in self.transposed or kernel in self.transposed
        if straight and turned and rows == columns and not given:
            self.notes.append(
                f"{kernel} is square, so it may be stored transposed; read "
                f"as it is (--transposed {kernel})"
            )
        transposed = given if straight and turned else turned
        if given and not transposed:
            raise UserError(
                f"{kernel} cannot be transposed: of {rows} and {columns} "
                f"numbers only {rows} come out of a stack"
            )
        inputs, classes = (columns, rows) if transposed else (rows, columns)
        stack = self.stack_read(kernel, inputs)
        if stack and self.stacks.by_name[stack].inputs == classes:
            self.notes.append(
                f"{kernel} is taken to read {stack}, and by its sizes may "
                f"feed it instead (--cell {name}={OTHER} leaves it out)"
            )
        return ReadOut(name, kernel, bias, transposed, stack, inputs, classes)

    def name_of(self, variable, plain):
        """Its scope where its own name is a plain one, or else its name."""
        scope, _, local = variable.rpartition("/")
        if scope and local in plain and scope not in self.stacks.taken:
            return scope
        return variable

    def called_read_out(self, kernel):
        scope = kernel.rpartition("/")[0]
        if DENSE in (self.answers.get(kernel), self.answers.get(scope)):
            return True
        if "embed" in kernel.lower():
            return False
        words = ("softmax", "proj", "out", "logit", "dense", "fully", "fc")
        return any(word in kernel.lower() for word in words)

    def bias_of(self, kernel):
        """The vector beside a kernel whose name says that it is its bias."""
        scope, _, local = kernel.rpartition("/")
        wanted = set()
        for one, other in (
            ("kernel", "bias"),
            ("weights", "biases"),
            ("weight", "bias"),
            ("Matrix", "Bias"),
            ("W", "b"),
            ("w", "b"),
            ("W", "B"),
        ):
            if one in local:
                wanted |= {
                    local.replace(one, other, 1),
                    other.join(local.rsplit(one, 1)),
                }
        numbered = re.match(r"^Variable(?:_(\d+))?$", local)
        if numbered:
            wanted = {f"Variable_{int(numbered.group(1) or 0) + 1}"}
        prefix = f"{scope}/" if scope else ""
        rows, columns = self.left[kernel]
        beside = [
            f"{prefix}{name}"
            for name in sorted(wanted)
            if f"{prefix}{name}" in self.left and name != local
        ]
        for name in beside:
            shape = self.left[name]
            if _vector_of(shape, columns) or _vector_of(shape, rows):
                return name
        return None

    def stack_read(self, kernel, inputs):
        """The name of the stack a read-out belongs to."""
        fitting = self.stacks.nearest(kernel, "outputs", inputs)
        if len(fitting) > 1:
            self.notes.append(
                f"{kernel} could read any of {some(fitting)}; it is "
                "converted, but the model leaves it unconnected"
            )
        return fitting[0] if len(fitting) == 1 else None

    def take_others(self):
        """Says of everything else why it is nothing of the above."""
        self.open = {question.subject for question in self.questions}
        self.kernels = {}
        for kernel, _ in self.left.matrices():
            self.kernels.setdefault(self.bias_of(kernel), kernel)
        for name in self.counted(self.left, "other variables", 0.8, 1.0):
            self.others.setdefault(name, self.why_not(name))

    def why_not(self, name):
        scope, _, local = name.rpartition("/")
        last = scope.rsplit("/", 1)[-1]
        shape = self.left[name]
        part = unsupported(scope)
        if part:
            return f"a cell that is not converted ({part})"
        if local == "opaque_kernel":
            return "cuDNN's own order, which only a GPU can turn into arrays"
        if any(outer in self.open for outer in outer_scopes(name)):
            return "see the question about it"
        if re.match(r"carry_[wb]$", local):
            return f"a HighwayWrapper's gate; {INSIDE_ONLY}"
        if _WRAPPERS.match(last):
            return f"of a wrapper ({last}); {INSIDE_ONLY}"
        if "attention_wrapper" in name:
            return f"of an AttentionWrapper; {INSIDE_ONLY}"
        if "attention" in name.lower():
            return "of an attention, which is not converted"
        if f"{scope}/recurrent_kernel" in self.shapes:
            return "of a tf.keras layer that is not converted"
        misfit = self.misfit(name)
        if misfit:
            return misfit
        if len(shape) == 2 and self.bias_of(name):
            merged = self.stacks.merged.get(2 * shape[0])
            if merged:
                return (
                    f"a dense layer of {shape[0]} inputs, as many as "
                    f"the two directions of {merged} have merged"
                )
            hint = self.cell_by_hand(name)
            return f"a dense layer that reads no recurrent output{hint}"
        if name in self.kernels:
            return f"the bias of {self.kernels[name]}"
        return "not recognised"

    def misfit(self, name):
        """What is wrong with a variable in a scope called after a cell."""
        for scope in outer_scopes(name):
            kind = kinds.named(scope)
            if kind is None:
                continue
            if scope not in self.misfits:
                self.misfits[scope] = (
                    f"called after {kind.name}, whose shapes these are not: "
                    f"{self.shapes_in(scope)}"
                )
            return self.misfits[scope]
        return None

    def cell_by_hand(self, kernel):
        """A hint that a kernel and its bias may be those of a cell."""
        scope, _, local = kernel.rpartition("/")
        subject = scope if scope and local in kinds.PLAIN_KERNELS else kernel
        fitting = self.fitting(subject, None)
        by_name = _SOUNDS_RECURRENT.search(scope) is not None
        if not fitting or (self.stacks.by_name and not by_name):
            return ""
        return (
            f"; were it a cell, it could be {_kinds_of(fitting)}: "
            f"--cell {subject}={fitting[0].kind.name}"
        )

    def all_answers_used(self):
        scopes = {name.rpartition("/")[0] for name in self.shapes}
        known = set(self.shapes) | scopes
        for name, answer in self.answers.items():
            self.must_be_a_kind(answer)
            if name not in self.used_answers and name not in known:
                raise UserError(unknown("scope", name, sorted(known)))
        read = {n for one in self.read_outs for n in (one.name, one.kernel)}
        for name in self.transposed:
            if name not in read:
                raise UserError(unknown("read-out", name, sorted(read)))


def _key_and_layer(scope):
    """Of a cell's scope: its stack's key, and where it is in the stack."""
    place = place_of(scope)
    return place.key, place.layer


def _rivals(may_feed):
    """{names of stacks: the tables that may feed one of them}, in order.

    Args:
        may_feed: {table: names of stacks}.
    """
    tables, groups_of = {}, {}
    for table, names in may_feed.items():
        tables.setdefault(names, []).append(table)
    groups = list(tables.values())
    for number, names in enumerate(tables):
        for name in names:
            groups_of.setdefault(name, set()).add(number)
    place = {table: at for at, table in enumerate(may_feed)}
    found = {}
    for names in tables:
        numbers = set().union(*(groups_of[name] for name in names))
        of_all = (table for number in numbers for table in groups[number])
        found[names] = sorted(of_all, key=place.get)
    return found


def _plain(cells):
    """Without what only a name of its own speaks for, if more is left."""
    rare = ("CoupledInputForgetGateLSTMCell",)
    return [c for c in cells if c.kind.name not in rare] or cells


def _kinds_of(cells):
    return ", ".join(
        f"{cell.kind.name} ({cell.sizes.inputs} inputs, "
        f"{cell.sizes.units} units)"
        for cell in cells
    )


def _broken(stack, places):
    """Why cells do not make the stack that their names say, or None."""
    ways = [way for way in (stack.forward, stack.backward) if way]
    if len({(len(way), way[0].sizes.inputs) for way in ways}) > 1:
        return f"{stack.name} has directions of different sizes"
    if any(
        _gaps(place.layer for place in places if place.backward is backward)
        for backward in (False, True)
    ):
        return (
            f"{stack.name} lacks a layer between others, or has something "
            "round its cell"
        )
    for way in ways:
        for layer in range(1, len(way)):
            below = [way] if stack.form == "two ways" else ways
            width = sum(w[layer - 1].sizes.outputs for w in below)
            wanted = way[layer].sizes.inputs
            if wanted != width:
                return (
                    f"{way[layer].scope} of {stack.name} takes {wanted} "
                    f"inputs and {width} come from the layer below"
                )
    return None


def _alone(stack):
    """Its cells, or pairs of cells where layers have two directions."""
    if stack.form == BY_LAYER and len(stack.forward) == len(stack.backward):
        return [
            Stack(_shared_scope(pair), "two ways", pair[:1], pair[1:])
            for pair in zip(stack.forward, stack.backward, strict=True)
        ]
    return [Stack(c.scope, "one way", (c,)) for c in stack.cells]


def _shared_scope(cells):
    """The scope that cells share; of one alone, its own."""
    parts = [cell.scope.split("/") for cell in cells]
    shared = itertools.takewhile(
        lambda level: len(set(level)) == 1, zip(*parts, strict=False)
    )
    return "/".join(level[0] for level in shared)


def _gaps(layers):
    """Whether numbers of layers, perhaps nested, leave some out."""
    by_outer = {}
    for layer in layers:
        for depth, number in enumerate(layer):
            by_outer.setdefault(layer[:depth], set()).add(number)
    return any(
        numbers != set(range(len(numbers))) for numbers in by_outer.values()
    )


def kinds_groups():
    """Sub-scopes that only cells have."""
    return {"gates", "Gates", "candidate", "Candidate", "projection"}


def _vector_of(shape, size):
    return shape in ((size,), (1, size))
