"""A port of a stack, right or with mistakes in it, run in NumPy.

    port = Port(...)                    # the cells and loops of numpy_ref
    port.changed(merge="sum").run()     # the same with something changed

B rows, T steps, I inputs, H units, P outputs of a cell, O of the stack.
"""

import dataclasses
import functools

import numpy as np

from numpy_ref import ops, tf1_cells
from numpy_ref.tf1_rnn import copy_through, reverse_sequence
from rnn_parity.checkpoints.kinds import BY_NAME, flat_bias
from rnn_parity.errors import UserError

LSTMS = (
    "LSTMCell",
    "BasicLSTMCell",
    "LSTMBlockCell",
    "LayerNormBasicLSTMCell",
    "CudnnCompatibleLSTMCell",
)
GRUS = ("GRUCell", "CudnnCompatibleGRUCell")

# What a port may do otherwise in its loops, as TensorFlow 1 does it.
LOOP = {
    "past_outputs": "zero",  # "repeated": the last output again
    "past_state": "held",  # "running": steps past the end count
    "backward_order": "own end",  # "whole": all T steps; "forward"
    "backward_lengths": True,  # False: it reads past the end too
    "turned_back": True,  # False: outputs in the order of reading
    "merge": "concatenated",  # see MERGES
    "merge_below": "concatenated",  # between layers of two directions
    "batch_is_time": False,  # True: the first axis is taken for time
    "time_major": False,  # True: outputs are saved [T, B, O]
    "swap_final": False,  # True: h before c in the final state
    "inputs_late": 0,  # steps; early where below 0
    "outputs_late": 0,
    "inputs_turned": False,  # True: the one direction reads backward
    "outputs_turned": False,
    "carried": True,  # False: every step starts from the initial state
    "puts_out": "h",  # "c": the top layer's cell state
    "layers": None,  # how many, from below, where the others are left out
}
MERGES = {
    "concatenated": lambda fw, bw: np.concat([fw, bw], -1),
    "exchanged": lambda fw, bw: np.concat([bw, fw], -1),
    "sum": np.add,
    "average": lambda fw, bw: (fw + bw) / 2,
    "product": np.multiply,
    "forward": lambda fw, bw: fw,
    "backward": lambda fw, bw: bw,
}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A cell of a port.

    Attributes:
        scope: where the checkpoint has it.
        kind, sizes: those of the `inventory.Cell`.
        arrays: {argument: array}, float64.
        others: the same of what the port may have read instead (moving
            averages or, where those are meant, the weights), or None.
        changes: {what: how} the port does otherwise: attributes of the
            cell, and "sigmoid", "reset", "update", "norm_epsilon".
        options: as `Kind.make` takes them.
        residual: whether the input is added to the output.
    """

    scope: str
    kind: object
    sizes: object
    arrays: dict
    others: dict | None = None
    changes: dict = dataclasses.field(default_factory=dict)
    options: dict = dataclasses.field(default_factory=dict)
    residual: bool = False

    def changed(self, **changes):
        return dataclasses.replace(self, changes=self.changes | changes)

    def with_arrays(self, **arrays):
        return dataclasses.replace(self, arrays=self.arrays | arrays)

    @functools.cached_property
    def made(self):
        """The cell as TensorFlow 1 has it; for a look at its attributes."""
        return self.kind.make(self.arrays, **self.options)

    def get(self, name):
        """How the port does `name`; None where its cell has no such."""
        return self.changes.get(name, getattr(self.made, name, None))

    def as_kind(self, name, **arrays):
        """A cell of another kind, from these arrays."""
        kind = BY_NAME[name]
        kept = {k: v for k, v in self.options.items() if k in kind.options}
        return dataclasses.replace(
            self, kind=kind, arrays=arrays, options=kept
        )

    def cell(self):
        """A cell of numpy_ref, changed where the port is."""
        cell = self.kind.make(self.arrays, **self.options)
        for name, value in self.changes.items():
            setattr(cell, name, value)
        if "norm_epsilon" in self.changes:
            cell.norm = functools.partial(_norm, cell)
        if self.kind.name in LSTMS and "sigmoid" in self.changes:
            cell = _LSTM(cell)
        elif self.kind.name in GRUS and self.changes:
            cell = _GRU(cell)
        return tf1_cells.ResidualWrapper(cell) if self.residual else cell


def _norm(cell, x, which):
    """Layer normalisation with another epsilon; None leaves it out."""
    if cell.norm_epsilon is None:
        return x
    mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    scaled = (x - mean) / np.sqrt(variance + cell.norm_epsilon)
    return cell.gammas[which] * scaled + cell.betas[which]


class _LSTM(tf1_cells.DeviceWrapper):
    """An `LSTMCell` with another sigmoid."""

    def step_at(self, time, inputs, state):
        cell, (c, h) = self.cell, state
        sigmoid, activation = cell.sigmoid, cell.activation
        i, j, f, o = cell.gates(inputs, h)
        i = sigmoid(i + cell.peephole(cell.w_i_diag, c))
        f = f + cell.forget_bias + cell.peephole(cell.w_f_diag, c)
        new_c = sigmoid(f) * c + i * activation(j)
        new_c = tf1_cells.clip(cell.norm(new_c, "state"), cell.cell_clip)
        o = sigmoid(o + cell.peephole(cell.w_o_diag, new_c))
        new_h = cell.project(o * activation(new_c))
        return new_h, (new_c, new_h)


class _GRU(tf1_cells.DeviceWrapper):
    """A GRU with its reset before or after the product, and so on."""

    def __init__(self, cell):
        super().__init__(cell)
        before = hasattr(cell, "candidate_kernel")
        if before:
            kernel, rows = cell.candidate_kernel, cell.input_size
            self.kernels = kernel[:rows], kernel[rows:]
            self.biases = cell.candidate_bias, 0.0
        else:
            self.kernels = cell.input_kernel, cell.hidden_kernel
            self.biases = cell.input_bias, cell.hidden_bias
        self.reset = getattr(cell, "reset", "before" if before else "after")
        self.activation = getattr(cell, "activation", np.tanh)
        self.sigmoid = getattr(cell, "sigmoid", ops.sigmoid)

    def step_at(self, time, inputs, state):
        cell = self.cell
        gates = tf1_cells.linear(
            inputs, state, cell.gate_kernel, cell.gate_bias
        )
        r, u = np.split(self.sigmoid(gates), 2, 1)
        candidate = self.candidate(inputs, state, r)
        if getattr(cell, "update", "state") == "candidate":
            u = 1 - u
        new_state = u * state + (1 - u) * candidate
        return new_state, new_state

    def candidate(self, inputs, state, r):
        bias, state_bias = self.biases
        if self.reset == "after with bias":
            bias, state_bias = 0.0, bias + state_bias
        inside = np.matmul(inputs, self.kernels[0]) + bias
        if self.reset == "before":
            inside += np.matmul(r * state, self.kernels[1]) + state_bias
        else:
            inside += r * (np.matmul(state, self.kernels[1]) + state_bias)
        return self.activation(inside)


@dataclasses.dataclass(frozen=True)
class Computed:
    """What a port computes.

    Attributes:
        outputs: [B, T, O], or as the port saves them.
        last: {what it is: [B, O]}, what could pass for the last output.
        final_state: list of arrays [B, H], c before h, the lowest layer
            first, forward before backward.
    """

    outputs: np.ndarray
    last: dict
    final_state: list


@dataclasses.dataclass(frozen=True)
class Port:
    """A stack, what goes in, and what the port does otherwise.

    Attributes:
        ways: tuples of Layer, the lowest first: forward, and backward
            where there is such.
        by_layer: whether a layer reads both directions of that below.
        inputs: [B, T, I].
        states: like `ways`, each layer's arrays: (c, h), or (h,).
        lengths: [B] or None.
        loop: what is not as in `LOOP`.
        ids, table: [B, T] and [V, I], where the inputs are an embedding's
            rows; or None.
    """

    ways: tuple
    by_layer: bool
    inputs: np.ndarray
    states: tuple
    lengths: np.ndarray | None = None
    loop: dict = dataclasses.field(default_factory=dict)
    ids: np.ndarray | None = None
    table: np.ndarray | None = None

    def with_ids(self, ids):
        """Reads these rows, from the end below 0, as Keras does.

        Past the end there are zeros, as on a GPU; a CPU refuses.
        """
        there = ids < len(self.table)
        rows = self.table[np.where(there, ids, 0)]
        inputs = np.where(there[..., np.newaxis], rows, 0.0)
        return dataclasses.replace(self, inputs=inputs, ids=ids)

    def changed(self, **loop):
        return dataclasses.replace(self, loop=self.loop | loop)

    def get(self, name):
        return self.loop.get(name, LOOP[name])

    @property
    def layers(self):
        return [layer for way in self.ways for layer in way]

    @property
    def padded(self):
        """Whether some row ends before the last step."""
        steps = self.inputs.shape[1]
        return self.lengths is not None and bool(np.any(self.lengths < steps))

    def rows(self, count):
        """The first rows alone."""
        lengths = None if self.lengths is None else self.lengths[:count]
        states = map_arrays(lambda array: array[:count], self.states)
        return dataclasses.replace(
            self,
            inputs=self.inputs[:count],
            ids=None if self.ids is None else self.ids[:count],
            lengths=lengths,
            states=states,
        )

    def run(self):
        """Computes it all; overflows are kept as infinities."""
        port = self
        if self.get("batch_is_time"):
            port = self._with_first_axis_as_time()
        inputs = shifted(port.inputs, self.get("inputs_late"))
        if self.get("inputs_turned"):
            inputs = inputs[:, ::-1]
        port = dataclasses.replace(port, inputs=inputs)
        with np.errstate(all="ignore"):
            found = port._saved(*port._run())
            if self.get("layers") is None:
                return found
            lower = port._lowest(self.get("layers"))
            below = lower._saved(*lower._run())
        return dataclasses.replace(below, final_state=found.final_state)

    def _lowest(self, count):
        """The layers from below; their final states are not all of them."""
        return dataclasses.replace(
            self,
            ways=tuple(way[:count] for way in self.ways),
            states=tuple(way[:count] for way in self.states),
        )

    def _with_first_axis_as_time(self):
        rows, steps = self.inputs.shape[:2]
        states = map_arrays(
            lambda array: np.zeros((steps, array.shape[1])), self.states
        )
        return dataclasses.replace(
            self,
            inputs=np.swapaxes(self.inputs, 0, 1),
            states=self.states if rows == steps else states,
        )

    def _run(self):
        """((outputs, state), ...) by direction, states as in `states`."""
        if len(self.ways) == 1:
            return (self._forward(self.ways[0], self.inputs, self.states[0]),)
        if not self.by_layer:
            return self._both(self.ways, self.inputs, self.states)
        inputs, finals = self.inputs, ([], [])
        for layers in zip(*self.ways, strict=True):
            at = len(finals[0])
            both = self._both(
                [(layer,) for layer in layers],
                inputs,
                [way[at : at + 1] for way in self.states],
            )
            merge = MERGES[self.get("merge_below")]
            inputs = merge(*(outputs for outputs, _ in both))
            for final, (_, state) in zip(finals, both, strict=True):
                final.extend(state)
        return tuple(
            (outputs, final)
            for (outputs, _), final in zip(both, finals, strict=True)
        )

    def _both(self, ways, inputs, states):
        order = self.get("backward_order")
        lengths = self.lengths
        if not self.get("backward_lengths"):
            order, lengths = "whole", None
        turn = {
            "own end": lambda series: reverse_sequence(series, lengths),
            "whole": lambda series: series[:, ::-1],
            "forward": lambda series: series,
        }[order]
        forward = self._forward(ways[0], inputs, states[0])
        outputs, final = self._loop(ways[1], turn(inputs), states[1], lengths)
        if self.get("turned_back"):
            outputs = turn(outputs)
        return forward, (outputs, final)

    def _forward(self, layers, inputs, states):
        repeat = self.get("past_outputs") == "repeated"
        return self._loop(layers, inputs, states, self.lengths, repeat)

    def _loop(self, layers, series, states, lengths, repeat=False):
        """TensorFlow 1's loop, or with other things done."""
        cell = tf1_cells.MultiRNNCell([layer.cell() for layer in layers])
        initial = tuple(s if len(s) == 2 else s[0] for s in states)
        state = initial
        outputs = np.zeros((*series.shape[:2], cell.output_size))
        last = np.zeros((len(series), cell.output_size))
        for time in range(series.shape[1]):
            last_before = last if repeat else 0.0
            start = state if self.get("carried") else initial
            last, new_state = cell.step_at(time, series[:, time], start)
            if self.get("puts_out") == "c":
                last = new_state[-1][0]
            if lengths is not None:
                valid = time < lengths[:, np.newaxis]
                last = np.where(valid, last, last_before)
                if self.get("past_state") == "held":
                    new_state = copy_through(valid, new_state, state)
            outputs[:, time], state = last, new_state
        return outputs, [s if isinstance(s, tuple) else (s,) for s in state]

    def _saved(self, *ways):
        """`Computed`, of (outputs, state) by direction."""
        late = self.get("outputs_late")
        series = [shifted(outputs, late) for outputs, _ in ways]
        if self.get("outputs_turned"):
            series = [outputs[:, ::-1] for outputs in series]
        valid = [last_valid(outputs, self.lengths) for outputs in series]
        last = {
            "the last valid step": valid,
            "the last step": [outputs[:, -1] for outputs in series],
        }
        if len(ways) == 2:
            # What Keras' Bidirectional gives without return_sequences.
            own_last = [valid[0], series[1][:, 0]]
            last["each direction's own last step"] = own_last
        outputs = self._merged(series)
        if self.get("time_major") != self.get("batch_is_time"):
            outputs = np.swapaxes(outputs, 0, 1)
        final = [
            array
            for _, state in ways
            for of_layer in state
            for array in self._final(of_layer)
        ]
        last = {name: self._merged(parts) for name, parts in last.items()}
        return Computed(outputs, last, final)

    def _merged(self, parts):
        """The outputs of all directions as one array."""
        if len(parts) == 1:
            return parts[0]
        return MERGES[self.get("merge")](*parts)

    def _final(self, of_layer):
        return of_layer[::-1] if self.get("swap_final") else of_layer


def shifted(series, late):
    """[B, T, ...] so many steps later, earlier below 0; zeros come in."""
    if not late:
        return series
    moved = np.zeros_like(series)
    if late > 0:
        moved[:, late:] = series[:, :-late]
    else:
        moved[:, :late] = series[:, -late:]
    return moved


def last_valid(series, lengths):
    """[B, T, O] -> [B, O]; zeros for rows without any step."""
    if lengths is None:
        return series[:, -1]
    last = series[np.arange(len(series)), np.maximum(lengths, 1) - 1]
    return np.where(lengths[:, np.newaxis] > 0, last, 0)


def map_arrays(function, nested):
    """`function` of every array in nested tuples and lists."""
    if isinstance(nested, (tuple, list)):
        return tuple(map_arrays(function, part) for part in nested)
    return function(nested)


# --- From a checkpoint ---


def layer_of(cell, checkpoint, averages, use_averages=False):
    """A recognised cell with its arrays.

    Args:
        cell: `inventory.Cell`.
        checkpoint: `reader.Checkpoint`.
        averages: {variable: name of its moving average}.
        use_averages: whether those are meant, not the weights.

    Raises:
        UserError: an array cannot be read, or is not of finite numbers.
    """
    arrays = _arrays(cell, checkpoint, {})
    others = None
    if set(cell.names) <= set(averages):
        others = _arrays(cell, checkpoint, averages)
    elif use_averages:
        raise UserError(f"{checkpoint.path} has no averages of {cell.scope}")
    if use_averages:
        arrays, others = others, arrays
    return Layer(cell.scope, cell.kind, cell.sizes, arrays, others)


def table_of(embedding, checkpoint, averages, use_averages=False):
    """[V, I] in float64; arguments and errors as of `layer_of`."""
    stand_in = averages if use_averages else {}
    name = stand_in.get(embedding.variable, embedding.variable)
    return _array([name], checkpoint)


def _arrays(cell, checkpoint, stand_in):
    found = {}
    for argument, names in cell.variables.items():
        names = [stand_in.get(name, name) for name in names]
        found[argument] = flat_bias(argument, _array(names, checkpoint))
    return found


def _array(names, checkpoint):
    """One argument, its slices joined, in float64."""
    parts = []
    for name in names:
        if name not in checkpoint.shapes:  # its average stands for it
            name = f"{name}/ExponentialMovingAverage"
        part = np.asarray(checkpoint.read(name))
        if part.dtype.kind not in "fiuV":
            raise UserError(f"{name} holds {part.dtype}, not numbers")
        part = part.astype(np.float64)
        if not np.isfinite(part).all():
            raise UserError(f"{name} holds what is not a finite number")
        parts.append(part)
    return np.concat(parts)
