"""Which mistake explains what a port of a TensorFlow 1 network computed.

    found = diagnose("model.ckpt-1000", inputs, outputs)
    print(*found.lines(), sep="\\n")

The stack in the checkpoint is run in NumPy as TensorFlow 1 runs it, then with
every mistake of `port_mistakes`, singly, in single layers, in pairs and, the
usual ones, in threes. What reproduces the numbers is the explanation. Needs
TensorFlow only to read a checkpoint that is no `.npz` file.
"""

import contextlib
import dataclasses
import itertools
import re

import numpy as np

from rnn_parity import ladder
from rnn_parity.checkpoints import kinds as kinds_
from rnn_parity.checkpoints import port_mistakes, reader
from rnn_parity.checkpoints.options import (
    OF_CELLS,
    Options,
    cells_at,
    check_told,
    checked,
    told_of,
)
from rnn_parity.checkpoints.port import Port, layer_of, table_of
from rnn_parity.errors import UserError

AS_IT_IS, EXPLAINED = "as it is", "explained"
UNEXPLAINED = "unexplained"

TOLERANCE = 1e-5  # float32's rounding; measured: 4e-7
_HALF_TOLERANCE = 5e-3  # of numbers in float16
_NOISE = 1e-6  # below this, errors are not held against one another
_FAR_BELOW = 20  # times smaller than without the mistake
_NEARER = 0.99  # of the error without it, for a mistake to change it
_SMALLEST = 1e-3  # magnitude that errors are relative to
_FEWEST = 8  # numbers that tell a factor
_LARGE = 1e3  # inputs from which saturation is looked for
_FEW_ROWS = 4  # that rule out most mistakes


@dataclasses.dataclass(frozen=True)
class Fit:
    """How closely a port reproduces the numbers.

    Attributes:
        error: `ladder.Difference.error`, the largest of all arrays.
        relative: the same, over the numbers' magnitude where it is below 1.
        reading: what the outputs were taken for, such as "the last step".
    """

    error: float
    relative: float
    reading: str


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Mistakes that a port was tried with.

    Attributes:
        mistakes: tuple of `port_mistakes.Mistake`.
        fit: how closely they reproduce the numbers.
    """

    mistakes: tuple
    fit: Fit

    @property
    def name(self):
        return ", and ".join(mistake.name for mistake in self.mistakes)


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found.

    Attributes:
        verdict: "as it is", "explained" or "unexplained".
        stack: the `inventory.Stack`.
        without: the Fit without any mistake.
        tolerance: the largest relative error that counts as a match.
        explanations: what reproduces the numbers equally well, the closest
            first; empty if nothing does, or if they match as it is.
        closest: the Explanation that comes nearest, where nothing explains
            the numbers; None if no mistake comes nearer than none.
        silent: names of mistakes that would change nothing on these data.
        tried: how many single mistakes, pairs and threes were tried.
        notes: lines about what was assumed.
    """

    verdict: str
    stack: object
    without: Fit
    tolerance: float
    explanations: tuple = ()
    closest: Explanation | None = None
    silent: tuple = ()
    tried: tuple = (0, 0, 0)
    notes: tuple = ()

    def lines(self):
        """The verdict in words."""
        if self.verdict == AS_IT_IS:
            yield (
                f"matches as it is (max error {self.without.error:.2g}"
                f"{_as_read(self.without)})"
            )
            if self.silent:
                yield (
                    "on these data it would match as well with: "
                    f"{'; '.join(self.silent)}"
                )
        elif self.verdict == EXPLAINED:
            yield from self._explained()
        else:
            yield from self._unexplained()

    def _explained(self):
        for found in self.explanations:
            yield (
                f"matches with {found.name} (max error "
                f"{found.fit.error:.2g}; without "
                f"{'them' if len(found.mistakes) > 1 else 'it'} "
                f"{self.without.error:.2g}{_as_read(found.fit)})"
            )
            for mistake in found.mistakes:
                yield f"  to mend it: {mistake.cure}"
        if len(self.explanations) > 1:
            yield (
                f"these {len(self.explanations)} explain the numbers equally "
                "well; only other data can tell them apart"
            )

    def _unexplained(self):
        single, pairs, threes = self.tried
        yield (
            f"no mistake of the catalogue explains the numbers: {single} "
            f"single ones, {pairs} pairs and {threes} threes tried (max "
            f"error without any {self.without.error:.2g})"
        )
        if self.closest is None:
            return
        fit = self.closest.fit
        yield f"the closest is {self.closest.name}: max error {fit.error:.2g}"
        if fit.relative < min(0.02, self.without.relative / _FAR_BELOW):
            yield (
                "that takes most of it away: it may be so, with something "
                "small besides (lower precision such as float16 or TF32, "
                "weights of a few steps before or after)"
            )
        else:
            yield (
                "that is no explanation; look at what the catalogue cannot "
                "know: weights of another checkpoint or layer, inputs "
                "prepared otherwise, dropout left on, options the cell was "
                "made with, more mistakes at once"
            )


def _as_read(fit):
    return f"; read as {fit.reading}" if fit.reading else ""


def diagnose(
    checkpoint,
    inputs,
    outputs=None,
    *,
    final_state=None,
    lengths=None,
    state=None,
    stack=None,
    cells=None,
    bidirectional=(),
    apart=(),
    embeddings=None,
    forget_bias=None,
    activation=None,
    recurrent_activation=None,
    cell_clip=None,
    proj_clip=None,
    residual=(),
    averages=False,
    pairs=True,
    watch=None,
):
    """Finds the mistakes that a port was made with.

    Args:
        checkpoint: a path, as `reader.open_checkpoint` takes it, or what
            that returns.
        inputs: [B, T, I], what the port was given; or ids [B, T], whole
            numbers, where an embedding feeds the stack.
        outputs: what the port computed: all outputs [B, T, O], or the last
            [B, O], of the last step or each row's last valid one. May be
            None where `final_state` is given.
        final_state: what the port computed; arrays in any nesting or in a
            dict: c before h, the lowest layer first, forward before
            backward. One array may hold them all: [layers, 2, B, H], or
            side by side [B, sum of sizes].
        lengths: [B], TensorFlow 1's sequence_length.
        state: the initial state, like `final_state`; zeros by default.
        stack: the name of one of several stacks.
        cells, bidirectional, apart, embeddings: answers, as
            `rnn_parity.convert_checkpoint` takes them.
        forget_bias, activation, recurrent_activation, cell_clip, proj_clip:
            what the TensorFlow 1 cells were made with, one value for all or
            {scope or stack: value}; None is TensorFlow 1's default.
        residual: scopes of the cells inside a ResidualWrapper; True for all
            that can be.
        averages: whether the moving averages are meant, not the weights.
        pairs: whether to try two mistakes at once, where one is not enough.
        watch: called with (how many, what); gives a context whose value is
            called with (words) after each, as `progress.steps` does.

    Returns:
        A `Diagnosis`.

    Raises:
        UserError: something does not fit the stack; the message says what.
    """
    if isinstance(checkpoint, (str, bytes)) or hasattr(
        checkpoint, "__fspath__"
    ):
        checkpoint = reader.open_checkpoint(checkpoint)
    given = Options(
        cells=dict(cells or {}),
        bidirectional=tuple(bidirectional),
        apart=tuple(apart),
        embeddings=dict(embeddings or {}),
        forget_bias=forget_bias,
        activation=activation,
        recurrent_activation=recurrent_activation,
        cell_clip=cell_clip,
        proj_clip=proj_clip,
        residual=residual if residual is True else tuple(residual),
    )
    inventory = given.recognise(checkpoint)
    if inventory.questions and not inventory.stacks:
        raise UserError(inventory.questions[0].text)
    chosen = inventory.stack(stack)
    ways = _ways(chosen, checkpoint, inventory, averages)
    ways = _with_options(ways, given, inventory, checkpoint.told)
    embedding = inventory.embedding(chosen)
    table = embedding and table_of(
        embedding, checkpoint, inventory.averages, averages
    )
    right = _port(chosen, ways, inputs, lengths, state, table)
    numbers = _numbers(right, outputs, final_state)
    _must_be_in_range(right, numbers, _dtype(chosen, checkpoint))
    _must_not_saturate(right, numbers)
    search = _Search(right, numbers, watch or _unwatched)
    found = search.run(pairs)
    notes = [*checkpoint.notes, *_about(inventory.notes, chosen)]
    return dataclasses.replace(
        found, stack=chosen, notes=(*notes, *found.notes)
    )


def _about(notes, stack):
    names = (stack.name, *(cell.scope for cell in stack.cells))
    return [note for note in notes if any(name in note for name in names)]


@contextlib.contextmanager
def _unwatched(_total, _what):
    yield lambda _words: None


# --- What is given ---


def _ways(stack, checkpoint, inventory, averages):
    return tuple(
        tuple(
            layer_of(cell, checkpoint, inventory.averages, averages)
            for cell in way
        )
        for way in (stack.forward, stack.backward)
        if way
    )


def _with_options(ways, given, inventory, told):
    """The layers with what a checkpoint does not tell about them."""
    layers = [layer for way in ways for layer in way]
    chosen = {layer.scope: {} for layer in layers}
    for option in OF_CELLS:
        values = _per_layer(option, getattr(given, option), layers, inventory)
        for scope, value in values.items():
            chosen[scope][option] = value
    residual = given.residuals(inventory)

    def with_options(layer):
        kind = layer.kind
        if "cell_clip" in chosen[layer.scope] and kind is _BASIC:
            kind = kinds_.BY_NAME["LSTMCell"]  # the same, with clips
        options = told_of(layer, told) | chosen[layer.scope]
        for name, value in options.items():
            check_told(name, value, layer.scope)
        return dataclasses.replace(
            layer,
            kind=kind,
            options=options,
            residual=layer.scope in residual,
        )

    return tuple(tuple(map(with_options, way)) for way in ways)


_BASIC = kinds_.BY_NAME["BasicLSTMCell"]


def _per_layer(option, given, layers, inventory):
    """{scope: value} of an option, given for all or for some."""
    if given is None:
        return {}
    able = [
        layer
        for layer in layers
        if (option in layer.kind.options and option != "proj_clip")
        or (option == "cell_clip" and layer.kind is _BASIC)
        or (option == "proj_clip" and "projection_kernel" in layer.arrays)
    ]
    if not isinstance(given, dict):
        value = checked(option, given)
        _must_be_able(option, able or layers, able)
        return {layer.scope: value for layer in able}
    found = {}
    for where, value in given.items():
        meant = {cell.scope for cell in cells_at(where, inventory)}
        meant = [layer for layer in layers if layer.scope in meant]
        _must_be_able(option, meant, able)
        found |= {layer.scope: checked(option, value) for layer in meant}
    return found


def _must_be_able(option, meant, able):
    if not {layer.scope for layer in meant} <= {la.scope for la in able}:
        names = ", ".join(dict.fromkeys(layer.kind.name for layer in meant))
        raise UserError(f"there is no {option} in a {names}")


def _port(stack, ways, inputs, lengths, state, table):
    ids = None
    if table is not None and _are_ids(inputs):
        ids = np.asarray(inputs).astype(np.int64)
        if ids.size and not 0 <= ids.min() <= ids.max() < len(table):
            raise UserError(
                f"the ids go from {ids.min()} to {ids.max()}; the embedding "
                f"has rows 0 to {len(table) - 1}"
            )
        inputs = table[ids]
    inputs = _array("the inputs", inputs)
    width = stack.inputs
    if inputs.ndim != 3 or inputs.shape[2] != width:
        raise UserError(
            f"the inputs are {list(inputs.shape)}; {stack.name} takes "
            f"[batch, time, {width}]"
            + (", or whole numbers [batch, time]" * (table is not None))
        )
    if 0 in inputs.shape[:2]:
        raise UserError(
            f"the inputs are {list(inputs.shape)}: there is nothing in them"
        )
    rows, steps = inputs.shape[:2]
    if lengths is not None:
        lengths = _lengths(lengths, rows, steps)
    shapes = [
        [_state_shapes(layer, rows) for layer in layers] for layers in ways
    ]
    if state is None:
        flat = [np.zeros(shape) for shape in _flat(shapes)]
    else:
        flat = _states("the initial state", state, _flat(shapes))
    arrays = iter(flat)
    states = tuple(
        tuple(tuple(next(arrays) for _ in of_layer) for of_layer in way)
        for way in shapes
    )
    by_layer = stack.form == "two ways, layer by layer"
    # Keras repeats its last output past a row's end.
    of_keras = all(layer.kind.keras for way in ways for layer in way)
    loop = {"past_outputs": "repeated"} if of_keras else {}
    return Port(ways, by_layer, inputs, states, lengths, loop, ids, table)


def _are_ids(inputs):
    array = np.asarray(inputs)
    return array.ndim == 2 and array.dtype.kind in "iu"


def _state_shapes(layer, rows):
    size = layer.made.state_size
    sizes = size if isinstance(size, tuple) else (size,)
    return [(rows, units) for units in sizes]


def _flat(shapes):
    return [s for way in shapes for of_layer in way for s in of_layer]


def _array(what, given):
    """Finite numbers in float64.

    Raises:
        UserError: it is something else.
    """
    try:
        array = np.asarray(given)
    except ValueError:
        raise UserError(f"{what}: not an array of one shape") from None
    if array.dtype.kind not in "fiub" and "float" not in array.dtype.name:
        raise UserError(f"{what}: {array.dtype} is no array of numbers")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))
        raise UserError(
            f"{what}: {len(where)} of {array.size} numbers are NaN or "
            f"infinite, the first at {where[0].tolist()}"
        )
    return array


def _lengths(given, rows, steps):
    array = _array("the lengths", given)
    if array.shape != (rows,):
        raise UserError(
            f"the lengths are {list(array.shape)}; the inputs have {rows} "
            f"rows, so they are [{rows}]"
        )
    if np.any(array != np.round(array)) or np.any(
        (array < 0) | (array > steps)
    ):
        raise UserError(
            f"the lengths go from {array.min():g} to {array.max():g}; the "
            f"inputs have {steps} steps, so they are whole numbers from 0 "
            f"to {steps}"
        )
    return array.astype(int)


def _states(what, given, shapes):
    """States in any nesting as a list of arrays of `shapes`."""
    found = [_array(what, array) for array in _in_order(given)]
    if [array.shape for array in found] == shapes:
        return found
    if len(found) == 1:
        parts = _parts(found[0], shapes)
        if parts is not None:
            return parts
    wanted = ", ".join(str(list(shape)) for shape in shapes)
    there = ", ".join(str(list(array.shape)) for array in found) or "nothing"
    order = "c before h, the lowest layer first, forward before backward"
    raise UserError(
        f"{what} is {there}; it is to be {wanted}"
        + (f" ({order})" if len(shapes) > 1 else "")
    )


def _parts(array, shapes):
    """One array as many: [..., B, H], or side by side [B, sum of H]."""
    rows, sizes = shapes[0][0], [size for _, size in shapes]
    if array.shape == (rows, sum(sizes)):
        return np.split(array, np.cumsum(sizes)[:-1], 1)
    if array.ndim > 2 and array.shape[-2:] == shapes[0]:
        parts = list(array.reshape(-1, *array.shape[-2:]))
        if [part.shape for part in parts] == shapes:
            return parts
    return None


def _in_order(given):
    """The arrays of a nested state or of a dict, in the order they mean."""
    if isinstance(given, dict):
        return [given[name] for name in sorted(given, key=_place)]
    if isinstance(given, (tuple, list)):
        return [array for part in given for array in _in_order(part)]
    return [given]


def _place(name):
    """Sorts names of states: forward, then layers, then c before h."""
    backward = bool(re.search(r"(?i)(bw|backward|reverse)", name))
    words = re.search(r"(?i)(?:^|[^a-z])([ch])_?(\d*)$", name)
    if words:  # c0, h0, c1, h1
        rest = name[: words.start(1)]
        name = f"{rest}{words.group(2)}{words.group(1)}"
    parts = re.split(r"(\d+)", name)
    return backward, [int(p) if p.isdigit() else p for p in parts]


@dataclasses.dataclass(frozen=True)
class _Numbers:
    """What the port computed, in float64.

    Attributes:
        outputs: [B, T, O], [B, O] or None.
        final_state: list of arrays, perhaps empty.
        tolerance: what their dtype allows.
        scales: of the arrays, what errors are relative to.
    """

    outputs: np.ndarray | None
    final_state: list
    tolerance: float
    scales: tuple

    @property
    def count(self):
        arrays = [self.outputs, *self.final_state]
        return sum(array.size for array in arrays if array is not None)

    def rows(self, count):
        """Of the first rows alone."""
        outputs = self.outputs
        return dataclasses.replace(
            self,
            outputs=None if outputs is None else outputs[:count],
            final_state=[array[:count] for array in self.final_state],
        )

    def fit(self, computed):
        """The `Fit` of what a port computes."""
        found, scales = [], list(self.scales)
        if self.outputs is not None:
            scale = scales.pop(0)
            fits = [
                _fit(array, self.outputs, scale, reading)
                for reading, array in self.readings(computed).items()
            ]
            found.append(min(fits, key=lambda fit: fit.relative))
        if self.final_state:
            found += map(_fit, computed.final_state, self.final_state, scales)
        worst = max(found, key=lambda fit: fit.relative)
        return dataclasses.replace(worst, reading=found[0].reading)

    def readings(self, computed):
        """{what it is: array} of all that the outputs could be."""
        if self.outputs is None:
            return {}
        return (
            {"": computed.outputs}
            if self.outputs.ndim == 3
            else (computed.last)
        )

    def differ(self, one, other):
        """Whether two ports would differ in what is compared."""
        pairs = [
            (array, self.readings(other)[reading])
            for reading, array in self.readings(one).items()
        ]
        if self.final_state:
            pairs += zip(one.final_state, other.final_state, strict=True)
        smallest = self.tolerance * min(self.scales) / 10
        return any(_fit(*pair, 1.0).error > smallest for pair in pairs)


def _fit(computed, given, scale, reading=""):
    if computed.shape != given.shape:
        return Fit(np.inf, np.inf, reading)
    with np.errstate(all="ignore"):
        error = ladder.error_of(computed, given)
    return Fit(error, float(error / scale), reading)


def _numbers(port, outputs, final_state):
    if outputs is None and final_state is None:
        raise UserError("give the outputs or the final state of your port")
    arrays, half = [], False
    if outputs is not None:
        half = np.asarray(outputs).dtype.itemsize == 2
        outputs = _array("the outputs", outputs)
        if not outputs.size:
            raise UserError("the outputs are empty")
        if not outputs.ndim:
            raise UserError("the outputs are one number; give an array")
        arrays.append(outputs)
    final = []
    if final_state is not None:
        shapes = [
            array.shape
            for way in port.states
            for of_layer in way
            for array in of_layer
        ]
        final = _states("the final state", final_state, shapes)
        arrays += final
    return _Numbers(
        outputs,
        final,
        _HALF_TOLERANCE if half else TOLERANCE,
        tuple(min(1.0, max(np.abs(a).max(), _SMALLEST)) for a in arrays),
    )


def _dtype(stack, checkpoint):
    """What TensorFlow 1 computes a stack in: float64, or float32."""
    names = [name for cell in stack.cells for name in cell.names]
    wide = any(checkpoint.dtypes.get(name) == "float64" for name in names)
    return "float64" if wide else "float32"


def _must_be_in_range(port, numbers, dtype):
    """Refuses what is infinite in the dtype that is computed in.

    Raises:
        UserError: a number is too large.
    """
    largest = float(np.finfo(dtype).max)
    states = [s for way in port.states for layer in way for s in layer]
    outputs = [] if numbers.outputs is None else [numbers.outputs]
    for what, arrays in (
        ("the inputs", [port.inputs]),
        ("the initial state", states),
        ("the outputs", outputs),
        ("the final state", numbers.final_state),
    ):
        size = max((np.abs(array).max() for array in arrays), default=0)
        if size > largest:
            raise UserError(
                f"{what}: {size:.3g} is infinite in {dtype}, in which the "
                "checkpoint is; give what the network was made for"
            )


def _must_not_saturate(port, numbers):
    """Refuses inputs that only their signs are left of.

    Whatever explained them would be chance.

    Raises:
        UserError: half of them give the same, or what is computed overflows.
    """
    size = np.abs(port.inputs).max()
    if size < _LARGE:
        return
    with np.errstate(all="ignore"):
        whole = port.run()
        half = dataclasses.replace(port, inputs=port.inputs / 2).run()
        if numbers.differ(half, whole):
            return
    raise UserError(
        f"the inputs go up to {size:.3g}, which every gate is saturated by: "
        "halved they give the same, and nothing can be told from them; give "
        "inputs such as the network was trained with"
    )


# --- The search ---


class _Search:
    """Runs ports against the numbers."""

    def __init__(self, right, numbers, watch):
        self.right, self.numbers, self.watch = right, numbers, watch
        self.few = numbers.rows(_FEW_ROWS)
        self.tolerance = numbers.tolerance
        self.singles, self.alone = [], {}
        self.counts = [0, 0, 0]

    def run(self, pairs):
        self.without = self.numbers.fit(self.right.run())
        self.try_singles()
        self.outputs_fit()
        explained = self.best(self.singles, self.explains)
        if self.without.relative <= self.tolerance and not explained:
            return self.told(AS_IT_IS, silent=self.silent())
        tried = list(self.singles)
        if not explained:
            tried += self.in_single_layers()
            explained = self.best(tried, self.explains)
        if not explained and pairs:
            both = self.in_pairs()
            explained = self.best(both, self.together_explain)
            tried += both
        explained = explained or self.scaled()
        if explained:
            return self.told(EXPLAINED, explanations=explained)
        nearer = [
            found
            for found in tried
            if found.fit.relative < self.without.relative * _NEARER
        ]
        closest = min(nearer, key=lambda e: e.fit.relative, default=None)
        return self.told(UNEXPLAINED, closest=self.in_full(closest))

    def told(self, verdict, **found):
        notes = ()
        if self.numbers.count < 8 and verdict == EXPLAINED:
            notes = (
                f"there are only {self.numbers.count} numbers to go by; "
                "more rows or steps would make it sure",
            )
        return Diagnosis(
            verdict,
            None,
            self.without,
            self.tolerance,
            tried=tuple(self.counts),
            notes=notes,
            **found,
        )

    def try_singles(self):
        """Every mistake that applies, into `singles`."""
        every = [
            (mistake, mistake.applied(self.right))
            for mistake in port_mistakes.catalogue()
        ]
        every = [pair for pair in every if pair[1] is not None]
        with self.watch(len(every), "trying") as advance:
            for mistake, port in every:
                self.singles.append(self.tried(port, mistake))
                advance(mistake.name)

    def tried(self, port, *mistakes):
        """The `Explanation`; of a few rows, where these rule it out."""
        self.counts[len(mistakes) - 1] += 1
        apart = not any(mistake.mixes_rows for mistake in mistakes)
        if apart and len(self.right.inputs) > _FEW_ROWS and self.rows_alone():
            rough = self.few.fit(port.rows(_FEW_ROWS).run())
            if rough.relative > self.tolerance:
                return Explanation(mistakes, rough)
        return Explanation(mistakes, self.numbers.fit(port.run()))

    def rows_alone(self):
        """Whether the first axis of the numbers is that of the inputs."""
        outputs = self.numbers.outputs
        return outputs is None or len(outputs) == len(self.right.inputs)

    def in_full(self, explanation):
        """The same, of all rows."""
        if explanation is None or not np.isfinite(explanation.fit.error):
            return None
        port = self.with_all(explanation.mistakes)
        return dataclasses.replace(
            explanation, fit=self.numbers.fit(port.run())
        )

    def outputs_fit(self):
        """Some port puts out what has the shape of the outputs."""
        fits = [self.without, *(found.fit for found in self.singles)]
        outputs = self.numbers.outputs
        if outputs is None or any(np.isfinite(fit.error) for fit in fits):
            return
        right = self.right.run().outputs.shape
        raise UserError(
            f"the outputs are {list(outputs.shape)}; of these inputs they "
            f"are to be {list(right)}, or the last alone "
            f"[{right[0]}, {right[2]}] (the cells' outputs, before any dense "
            "layer)"
        )

    def explains(self, explanation):
        return self.far_below(explanation.fit, [self.without])

    def far_below(self, fit, others):
        """Whether it matches, and others do not by far."""
        return fit.relative <= self.tolerance and all(
            other.relative > _NOISE
            and fit.relative * _FAR_BELOW <= other.relative
            for other in others
        )

    def best(self, tried, explains):
        """Those that explain the numbers equally well, the closest first."""
        found = sorted(filter(explains, tried), key=lambda e: e.fit.relative)
        if not found:
            return ()
        limit = max(10 * found[0].fit.relative, _NOISE)
        return tuple(e for e in found if e.fit.relative <= limit)

    def silent(self):
        """Names of mistakes that the numbers do not show.

        Zeros for an initial state are no state to make mistakes with.
        """
        reading = self.without.reading
        zeros = not any(
            array.any()
            for way in self.right.states
            for of_layer in way
            for array in of_layer
        )
        aside = {"axes", "final state"}
        if zeros:
            aside.add("initial state")
        names = []
        for found in self.singles:
            (mistake,) = found.mistakes
            silent = (
                found.fit.relative <= self.tolerance
                and found.fit.reading == reading
            )
            about_data = not aside & set(mistake.touches)
            if silent and about_data and mistake.paired:
                names.append(mistake.name)
        return tuple(names)

    def scaled(self):
        """The outputs times a number, some of them dropped or none."""
        if self.numbers.outputs is None:
            return ()
        right = self.right.run()
        found = [
            self.as_scaled(array, reading)
            for reading, array in self.numbers.readings(right).items()
            if array.shape == self.numbers.outputs.shape
        ]
        finals = zip(
            right.final_state, self.numbers.final_state, strict=False
        )
        if any(_fit(*pair, 1.0).error > self.tolerance for pair in finals):
            return ()
        return self.best(filter(None, found), self.explains)

    def as_scaled(self, right, reading):
        """An `Explanation`, or None where there is too little to go by."""
        outputs, there = self.numbers.outputs, right != 0
        kept = there & (outputs != 0)
        if kept.sum() < _FEWEST:
            return None
        factor = (outputs * right)[kept].sum() / (right[kept] ** 2).sum()
        dropped = 1 - kept.sum() / there.sum()
        wanted = np.where(kept | ~there, factor * right, 0.0)
        fit = _fit(wanted, outputs, self.numbers.scales[0], reading)
        return Explanation((port_mistakes.scaled(factor, dropped),), fit)

    # --- More than a single mistake in all layers ---

    def in_single_layers(self):
        """Every mistake of a cell in one layer, where there are several."""
        if len(self.right.layers) < 2:
            return []
        tried = []
        for way, layers in enumerate(self.right.ways):
            for at, layer in enumerate(layers):
                for found in self.singles:
                    (mistake,) = found.mistakes
                    if mistake.of_layer is None or not mistake.paired:
                        continue
                    alone = mistake.only_in(way, at, layer.scope)
                    port = alone.applied(self.right)
                    if port is not None:
                        tried.append(self.tried(port, alone))
        return tried

    def in_pairs(self):
        """Every two that combine, and every three of the usual ones."""
        right = self.right.rows(_FEW_ROWS).run()
        self.alone = {
            found.mistakes[0]: found.fit
            for found in self.singles
            if found.mistakes[0].paired
            and self.shows(found.mistakes[0], right)
        }
        pairs = combined(self.alone, 2)
        tried = self.together(pairs, "trying pairs")
        if not self.best(tried, self.together_explain):
            usual = [mistake for mistake in self.alone if mistake.usual]
            threes = combined(usual, 3)
            tried += self.together(threes, "trying threes")
        return tried

    def together(self, groups, title):
        """The `Explanation` of every group of mistakes that applies."""
        tried = []
        with self.watch(len(groups), title) as advance:
            for mistakes in groups:
                port = self.with_all(mistakes)
                if port is not None:
                    tried.append(self.tried(port, *mistakes))
                advance(", and ".join(mistake.name for mistake in mistakes))
        return tried

    def with_all(self, mistakes):
        """The port with all of them, or None where they do not combine."""
        port = self.right
        for mistake in mistakes:
            port = mistake.applied(port)
            if port is None:
                return None
        return port

    def shows(self, mistake, right):
        """Whether a mistake changes what is compared, of a few rows."""
        if mistake.mixes_rows:
            return True
        wrong = mistake.applied(self.right).rows(_FEW_ROWS)
        return self.numbers.differ(wrong.run(), right)

    def together_explain(self, explanation):
        alone = [self.alone[mistake] for mistake in explanation.mistakes]
        return self.far_below(explanation.fit, [self.without, *alone])


def combined(mistakes, size):
    """Every `size` mistakes that touch nothing in common."""
    return [
        group
        for group in itertools.combinations(mistakes, size)
        if len({what for one in group for what in one.touches})
        == sum(len(one.touches) for one in group)
    ]
