"""The catalogue of porting mistakes: what each does, and where it shows.

Each is NumPy's version of a section with one thing wrong. The suite holds
it against what a genuine release computed and must see it on the rung that
is named here; `rnn-parity mistakes` measures them all.

A mistake is a function from a section's `EchoRNN` class to a subclass that
makes it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from numpy_ref import cells, ops
from numpy_ref.tf1_cells import hard_sigmoid
from rnn_parity import check, contract, ladder, sections
from rnn_parity.cases import CASES
from rnn_parity.config import DTYPES

EVERY = tuple(sections.SECTIONS)
LSTMS = tuple(k for k, s in sections.SECTIONS.items() if s.state != "single")
STACKS = tuple(k for k, s in sections.SECTIONS.items() if s.state == "stack")


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One way to get a port wrong.

    Attributes:
        name: short, for tables and tests.
        explanation: one line.
        sections: keys of the sections it can be made in.
        rung: the first rung of the ladder where it shows.
        apply: EchoRNN class -> subclass that makes the mistake.
        dtypes, cases: where it can be seen; float32 hides some.
    """

    name: str
    explanation: str
    sections: tuple
    rung: str
    apply: Callable
    dtypes: tuple = DTYPES
    cases: tuple = tuple(CASES)


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one mistake does to one section.

    Attributes:
        rung: the first rung that differs, or None if none does.
        error: the largest error on that rung (on the rung where it should
            show, if none differs).
    """

    mistake: Mistake
    section: str
    dtype: str
    rung: str | None
    error: float


CATALOGUE = {}


def _mistake(
    name,
    rung,
    explanation,
    of=EVERY,
    dtypes=DTYPES,
    cases=tuple(CASES),
):
    def register(apply):
        CATALOGUE[name] = Mistake(
            name=name,
            explanation=explanation,
            sections=tuple(of),
            rung=rung,
            apply=apply,
            dtypes=dtypes,
            cases=cases,
        )
        return apply

    return register


def make(mistake, section):
    """The section's NumPy version with the mistake in it, as a contract."""
    return contract.Contract(section, "numpy_ref", mistake.apply)


def measure(mistake, key, dtype, case="odd"):
    """Holds a mistake against what TensorFlow 1.15.5 computed."""
    differences = _differences(mistake, key, dtype, case, training=False)
    if all(d.agrees for d in differences):
        differences = _differences(mistake, key, dtype, case, training=True)
    first = ladder.first_difference(differences)
    rung = first.rung if first else mistake.rung
    worst = max(
        (d for d in differences if d.rung == rung), key=lambda d: d.error
    )
    return Measured(mistake, key, dtype, first and first.rung, worst.error)


def _differences(mistake, key, dtype, case, training):
    section = sections.SECTIONS[key]
    inputs = check.recorded_inputs(key, case, dtype)
    observed = ladder.observe(make(mistake, section), inputs, dtype, training)
    reference = check.recorded_observation(key, case, dtype, check.MASKS_FROM)
    return ladder.compare(observed, reference, section, dtype)


# --- Ways to make a mistake ---


def _with(**methods):
    """EchoRNN -> a subclass with some methods replaced."""

    def apply(echo_rnn):
        return type("EchoRNN", (echo_rnn,), methods)

    return apply


def _in_weights(change):
    """The forward pass sees weights that `change(network)` has spoilt.

    `change` works in place; the update goes to the real weights.
    """

    def apply(echo_rnn):
        def forward_pass(self, *args, **kwargs):
            kept = {n: v.copy() for n, v in self.variables.items()}
            change(self)
            outcome = echo_rnn.forward_pass(self, *args, **kwargs)
            for name, value in kept.items():
                self.variables[name][...] = value
            return outcome

        return _with(forward_pass=forward_pass)(echo_rnn)

    return apply


def _kernels(network):
    """The cells' kernels, [inputs + H, H] or [inputs + H, 4 H]."""
    return [
        variable
        for name, variable in network.variables.items()
        if name == "W" or name.endswith("kernel")
    ]


def _biases(network):
    return [
        variable
        for name, variable in network.variables.items()
        if name == "b" or name.endswith("bias")
    ]


def _recurrent_blocks(network):
    """What the state is multiplied by, a square for every gate."""
    units = network.config.state_size
    return [
        block
        for kernel in _kernels(network)
        for block in np.split(
            kernel[-units:], kernel.shape[1] // units, axis=1
        )
    ]


def _in_state(change):
    """The forward pass starts from `change(init_state)`, an array."""

    def apply(echo_rnn):
        def forward_pass(self, batchX, init_state, *args, **kwargs):
            changed = change(np.asarray(init_state))
            return echo_rnn.forward_pass(
                self, batchX, changed, *args, **kwargs
            )

        return _with(forward_pass=forward_pass)(echo_rnn)

    return apply


def _layers(network):
    return getattr(network.cell, "cells", [network.cell])


def _in_cells(**changes):
    """Every LSTM cell with some methods or attributes replaced."""

    def apply(echo_rnn):
        def declare_variables(self):
            echo_rnn.declare_variables(self)
            for cell in _layers(self):
                cell.__class__ = type("LSTMCell", (cells.LSTMCell,), changes)

        return _with(declare_variables=declare_variables)(echo_rnn)

    return apply


# --- Every section: the recurrent weights ---


@_mistake(
    "recurrent_weights_dropped",
    "one step",
    "The state is not multiplied in: only the input's rows are left.",
)
@_in_weights
def _recurrent_weights_dropped(network):
    for block in _recurrent_blocks(network):
        block[...] = 0


@_mistake(
    "recurrent_weights_transposed",
    "one step",
    "What the state is multiplied by is transposed.",
)
@_in_weights
def _recurrent_weights_transposed(network):
    for block in _recurrent_blocks(network):
        block[...] = block.T.copy()


@_mistake(
    "state_before_input",
    "one step",
    "State and input are concatenated in the wrong order.",
)
@_in_weights
def _state_before_input(network):
    units = network.config.state_size
    for kernel in _kernels(network):
        kernel[...] = np.roll(kernel, len(kernel) - units, axis=0)


@_mistake(
    "bias_not_broadcast",
    "one step",
    "One unit's bias is added to all units.",
)
@_in_weights
def _bias_not_broadcast(network):
    for bias in _biases(network):
        bias[...] = bias.flat[0]


@_mistake("bias_forgotten", "one step", "The cells' bias is left out.")
@_in_weights
def _bias_forgotten(network):
    for bias in _biases(network):
        bias[...] = 0


@_mistake(
    "state_written_in_place",
    "gradients",
    "Each step overwrites the state that the way back needs.",
)
def _state_in_place(echo_rnn):
    def forward_pass(self, *args, **kwargs):
        outcome = echo_rnn.forward_pass(self, *args, **kwargs)
        self.tape = [_overwritten(step, self.tape[-1]) for step in self.tape]
        return outcome

    return _with(forward_pass=forward_pass)(echo_rnn)


def _overwritten(tape, last):
    """A step's tape with the last step's state in it, in every layer."""
    if isinstance(tape, list):
        return [_overwritten(*pair) for pair in zip(tape, last, strict=True)]
    kept, state, *rest = tape
    if isinstance(kept, (list, tuple)):  # a stack's: scale or mask after it
        return (_overwritten(kept, last[0]), state, *rest)
    return (kept, last[1], *rest)


# --- Sections 1 and 2: the plain cell ---


def _sigmoid_step(self, inputs, state):
    both = np.concat([inputs, state], 1)
    new_state = ops.sigmoid(np.matmul(both, self.kernel) + self.bias)
    return new_state, new_state, (both, new_state)


def _sigmoid_pass(self, batchX, init_state):
    state, states_series, self.tape = init_state, [], []
    for inputs in np.split(batchX, batchX.shape[1], axis=1):
        both = np.concat([inputs, state], 1)
        state = ops.sigmoid(np.matmul(both, self.W) + self.b)
        states_series.append(state)
        self.tape.append((both, state))
    return states_series, state


@_mistake(
    "sigmoid_for_tanh",
    "one step",
    "The state is squashed by a sigmoid instead of a tanh.",
    of=["s1", "s2"],
)
def _sigmoid_for_tanh(echo_rnn):
    def declare_variables(self):
        echo_rnn.declare_variables(self)
        changes = {"step": _sigmoid_step}
        cell = type("BasicRNNCell", (cells.BasicRNNCell,), changes)
        self.cell.__class__ = cell

    if echo_rnn.__module__.endswith("s1_vanilla_rnn"):
        return _with(forward_pass=_sigmoid_pass)(echo_rnn)
    return _with(declare_variables=declare_variables)(echo_rnn)


# --- Sections 3 to 7: the LSTM cell ---


def _gates(order):
    """The kernel's columns are taken to be in another order than i j f o."""

    def split_gates(self, gates):
        named = dict(zip(order, np.split(gates, 4, 1), strict=True))
        return tuple(named[gate] for gate in "ijfo")

    return _in_cells(split_gates=split_gates)


_mistake(
    "gates_in_keras_order",
    "one step",
    "Gates are read as i, f, j, o (Keras, PyTorch), not as i, j, f, o.",
    of=LSTMS,
)(_gates("ifjo"))

_mistake(
    "gates_in_textbook_order",
    "one step",
    "Gates are read as f, i, j, o (most papers), not as i, j, f, o.",
    of=LSTMS,
)(_gates("fijo"))

_mistake(
    "output_gate_before_forget_gate",
    "one step",
    "Gates are read as i, j, o, f, not as i, j, f, o.",
    of=LSTMS,
)(_gates("ijof"))

_mistake(
    "forget_bias_missing",
    "one step",
    "1.0 is not added to the forget gate: the checkpoint does not hold it.",
    of=LSTMS,
)(_in_cells(forget_bias=0.0))

_mistake(
    "forget_bias_doubled",
    "one step",
    "1.0 is folded into the bias and added at run time as well.",
    of=LSTMS,
)(_in_cells(forget_bias=2.0))


def _bias_on_input_gate(self, i, j, f, o):
    i, f = i + self.forget_bias, f - self.forget_bias
    return cells.LSTMCell.activate(self, i, j, f, o)


_mistake(
    "forget_bias_on_the_input_gate",
    "one step",
    "1.0 is added to the input gate instead of the forget gate.",
    of=LSTMS,
)(_in_cells(activate=_bias_on_input_gate))


def _hard_sigmoids(self, i, j, f, o):
    i, f, o = (hard_sigmoid(gate) for gate in (i, f + self.forget_bias, o))
    return i, np.tanh(j), f, o


_mistake(
    "hard_sigmoid",
    "one step",
    "Gates use the piecewise linear sigmoid that was Keras' default.",
    of=LSTMS,
)(_in_cells(activate=_hard_sigmoids))


def _no_output_tanh(self, inputs, state):
    _, (c, _h), tape = cells.LSTMCell.step(self, inputs, state)
    *_, o, _tanh_c = tape
    return o * c, (c, o * c), tape


_mistake(
    "output_tanh_missing",
    "one step",
    "The output is o c instead of o tanh(c).",
    of=LSTMS,
)(_in_cells(step=_no_output_tanh))

_mistake(
    "state_tuple_swapped",
    "one step",
    "c and h change places: TensorFlow 1 has c first, Keras h.",
    of=LSTMS,
)(_in_state(lambda state: np.flip(state, axis=-3)))


# --- Sections 4 to 7: layers ---


def _numbered(network, layer):
    """Kernel and bias of a layer."""
    return _kernels(network)[layer], _biases(network)[layer]


@_mistake(
    "layers_in_the_wrong_order",
    "one step",
    "The second and the third layer have each other's weights.",
    of=STACKS,
)
@_in_weights
def _layers_swapped(network):
    second, third = _numbered(network, 1), _numbered(network, 2)
    for one, other in zip(second, third, strict=True):
        one[...], other[...] = other.copy(), one.copy()


@_mistake(
    "layers_share_weights",
    "one step",
    "[cell] * n: every layer above the first has the second's weights.",
    of=STACKS,
)
@_in_weights
def _layers_share_weights(network):
    for variables in (_kernels(network), _biases(network)):
        for variable in variables[2:]:
            variable[...] = variables[1]


_mistake(
    "states_of_the_layers_reversed",
    "one step",
    "The top layer starts from the bottom layer's state, and so on.",
    of=STACKS,
)(_in_state(lambda state: np.flip(state, axis=0)))


def _in_stack(step):
    """The stack of cells steps as `step(self, inputs, state, *scale)`."""

    def apply(echo_rnn):
        def declare_variables(self):
            echo_rnn.declare_variables(self)
            stack = type(
                "MultiRNNCell", (cells.MultiRNNCell,), {"step": step}
            )
            self.cell.__class__ = stack

        return _with(declare_variables=declare_variables)(echo_rnn)

    return apply


@_mistake(
    "output_of_the_layer_below",
    "one step",
    "The read-out gets the output of the last layer but one.",
    of=STACKS,
)
@_in_stack
def _output_below(self, inputs, state, *scale):
    stack = cells.MultiRNNCell
    _, new_state, tape = stack.step(self, inputs, state, *scale)
    _c, h = new_state[-2]
    return h, new_state, tape


@_mistake(
    "logits_in_time_order",
    "logits",
    "The flat batch is read as [T, B] where it is [B, T].",
    of=["s5", "s6", "s7"],
)
def _logits_in_time_order(echo_rnn):
    def read_out(self, states_series):
        rows = self.config.batch_size
        by_row = states_series.reshape(rows, -1, self.config.state_size)
        by_time = np.swapaxes(by_row, 0, 1).reshape(states_series.shape)
        return echo_rnn.read_out(self, by_time)

    return _with(read_out=read_out)(echo_rnn)


# --- Section 6: dropout ---


def _in_masks(change):
    """What outputs are multiplied by, [L, T, B, H], is `change`d first."""

    def apply(echo_rnn):
        def drop_out(self, *args, **kwargs):
            scales = echo_rnn.drop_out(self, *args, **kwargs)
            return change(scales, self.config.output_keep_prob)

        return _with(drop_out=drop_out)(echo_rnn)

    return apply


def _of_dropout(name, explanation, rung="one step", **more):
    return _mistake(name, rung, explanation, of=["s6"], **more)


_of_dropout(
    "dropout_scale_missing",
    "What dropout keeps is not divided by output_keep_prob.",
)(_in_masks(lambda scales, keep: (scales > 0).astype(scales.dtype)))

_of_dropout(
    "keep_prob_taken_for_rate",
    "output_keep_prob is given where Keras wants the share to drop.",
    cases=("odd",),  # the tutorial's 0.5 is both
)(_in_masks(lambda scales, keep: (scales > 0) / scales.dtype.type(1 - keep)))

_of_dropout(
    "keep_prob_rounded",
    "A float keep probability goes through float32, as in 1.15.5.",
    dtypes=("float64",),
    cases=("odd",),  # 0.5 is exact
)(_in_masks(lambda scales, keep: scales * (keep / float(np.float32(keep)))))

_of_dropout(
    "mask_shared_over_time",
    "One mask for all steps, as Keras' own cells keep it.",
    rung="states",
)(_in_masks(lambda scales, keep: scales[:, :1] + 0 * scales))

_of_dropout(
    "mask_shared_over_rows",
    "One mask for all rows of the batch.",
)(_in_masks(lambda scales, keep: scales[:, :, :1] + 0 * scales))


def _not_on_top(scales, _keep):
    return np.concat([scales[:-1], np.ones_like(scales[-1:])])


_of_dropout(
    "dropout_between_layers_only",
    "The last layer's output is not dropped.",
)(_in_masks(_not_on_top))


@_of_dropout(
    "dropout_on_the_carried_state",
    "h is dropped where the next step reads it, not only in the output.",
    rung="states",
)
@_in_stack
def _dropped_state(self, inputs, state, scale_per_layer):
    output, new_state, tape = cells.MultiRNNCell.step(
        self, inputs, state, scale_per_layer
    )
    dropped = [
        (c, h * scale)
        for (c, h), scale in zip(new_state, scale_per_layer, strict=True)
    ]
    return output, dropped, tape


@_of_dropout(
    "dropout_when_predicting",
    "Dropout stays on when the network predicts, as in the tutorial.",
)
def _dropout_when_predicting(echo_rnn):
    def forward_pass(self, batchX, init_state, dropout_masks=None, **_):
        return echo_rnn.forward_pass(
            self, batchX, init_state, dropout_masks, training=True
        )

    return _with(forward_pass=forward_pass)(echo_rnn)


# --- Section 7: sequence lengths ---


def _of_lengths(name, rung, explanation):
    return _mistake(name, rung, explanation, of=["s7"])


def _in_lengths(change):
    """The forward pass takes other lengths than it was given."""

    def apply(echo_rnn):
        def forward_pass(self, batchX, init_state, sequence_length):
            changed = change(sequence_length, batchX.shape[1])
            return echo_rnn.forward_pass(self, batchX, init_state, changed)

        return _with(forward_pass=forward_pass)(echo_rnn)

    return apply


_of_lengths(
    "length_ignored",
    "one step",
    "Padding is read as if it were data.",
)(_in_lengths(lambda lengths, steps: np.full_like(lengths, steps)))

_of_lengths(
    "length_one_too_long",
    "one step",
    "Steps are counted from 1: one step of padding is read as data.",
)(_in_lengths(lambda lengths, _steps: lengths + 1))


@_of_lengths(
    "outputs_held_past_the_end",
    "states",
    "The last output is repeated past the end, as Keras masking does.",
)
def _outputs_held(echo_rnn):
    def forward_pass(self, batchX, init_state, sequence_length):
        states_series, current_state = echo_rnn.forward_pass(
            self, batchX, init_state, sequence_length
        )
        held = states_series.copy()
        for step in range(1, held.shape[1]):
            ended = ~self.valid_steps[:, step]
            held[ended, step] = held[ended, step - 1]
        return held, current_state

    return _with(forward_pass=forward_pass)(echo_rnn)


@_of_lengths(
    "state_not_copied_through",
    "states",
    "The state goes on changing past the end of its sequence.",
)
def _state_not_copied(echo_rnn):
    def forward_pass(self, batchX, init_state, sequence_length):
        full = np.full_like(sequence_length, batchX.shape[1])
        _, current_state = echo_rnn.forward_pass(
            self, batchX, init_state, full
        )
        states_series, _ = echo_rnn.forward_pass(
            self, batchX, init_state, sequence_length
        )
        return states_series, current_state

    return _with(forward_pass=forward_pass)(echo_rnn)


@_of_lengths(
    "loss_over_padding",
    "loss",
    "The loss is averaged over all steps, the padding among them.",
)
def _loss_over_padding(echo_rnn):
    def calculate_loss(self, logits, batchY, sequence_length):
        full = np.full_like(sequence_length, batchY.shape[1])
        return echo_rnn.calculate_loss(self, logits, batchY, full)

    return _with(calculate_loss=calculate_loss)(echo_rnn)


@_of_lengths(
    "loss_averaged_row_by_row",
    "loss",
    "Every row counts the same in the loss, however short it is.",
)
def _loss_by_row(echo_rnn):
    def calculate_loss(self, logits, batchY, sequence_length):
        losses = ops.sparse_softmax_cross_entropy(logits, batchY)
        valid = ops.sequence_mask(sequence_length, batchY.shape[1])
        by_row = (losses * valid).sum(axis=1) / valid.sum(axis=1).clip(1)
        return by_row.mean(dtype=losses.dtype)

    return _with(calculate_loss=calculate_loss)(echo_rnn)


# --- Every section: data and state ---


@_mistake(
    "rows_read_as_steps",
    "one step",
    "The batch is reshaped in the wrong order: rows and steps are mixed.",
)
def _rows_read_as_steps(echo_rnn):
    def forward_pass(self, batchX, *args, **kwargs):
        mixed = batchX.T.reshape(batchX.shape)
        return echo_rnn.forward_pass(self, mixed, *args, **kwargs)

    return _with(forward_pass=forward_pass)(echo_rnn)


_mistake(
    "initial_state_ignored",
    "one step",
    "Every batch starts from zeros, whatever state it is given.",
)(_in_state(np.zeros_like))


@_mistake(
    "state_not_carried",
    "training losses",
    "The state after a batch is not handed to the next one.",
)
def _state_not_carried(echo_rnn):
    def train_step(self, *args, **kwargs):
        loss, state = echo_rnn.train_step(self, *args, **kwargs)
        return loss, np.zeros_like(np.asarray(state))

    return _with(train_step=train_step)(echo_rnn)


# --- Every section: read-out and loss ---


def _each(function, series):
    """Over a list of T tensors, or over the one tensor they became."""
    if isinstance(series, list):
        return [function(tensor) for tensor in series]
    return function(series)


def _late(series):
    """The same series, one step later."""
    if isinstance(series, list):
        return [series[-1], *series[:-1]]
    return np.roll(series, 1, axis=-2)


@_mistake(
    "read_out_one_step_late",
    "logits",
    "Step t is read out of the state of step t - 1.",
)
def _read_out_late(echo_rnn):
    def read_out(self, states_series):
        return echo_rnn.read_out(self, _late(states_series))

    return _with(read_out=read_out)(echo_rnn)


@_mistake(
    "read_out_bias_forgotten",
    "logits",
    "b2 is left out of the logits.",
)
def _read_out_bias_forgotten(echo_rnn):
    def read_out(self, states_series):
        logits_series, _ = echo_rnn.read_out(self, states_series)
        logits_series = _each(lambda logits: logits - self.b2, logits_series)
        return logits_series, _each(ops.softmax, logits_series)

    return _with(read_out=read_out)(echo_rnn)


def _predicting(predict):
    """The predictions, and nothing else, are made by `predict(logits)`."""

    def apply(echo_rnn):
        def read_out(self, states_series):
            logits_series, _ = echo_rnn.read_out(self, states_series)
            return logits_series, _each(predict, logits_series)

        return _with(read_out=read_out)(echo_rnn)

    return apply


_mistake(
    "softmax_over_rows",
    "predictions",
    "softmax runs over the rows of the batch, not over the classes.",
)(_predicting(lambda logits: ops.softmax(logits.T).T))

_mistake(
    "softmax_twice",
    "predictions",
    "The predictions go through softmax twice.",
)(_predicting(lambda logits: ops.softmax(ops.softmax(logits))))


@_mistake(
    "loss_of_predictions",
    "loss",
    "The loss takes predictions for logits: softmax is applied twice.",
)
def _loss_of_predictions(echo_rnn):
    def calculate_loss(self, logits_series, *args, **kwargs):
        predictions = _each(ops.softmax, logits_series)
        return echo_rnn.calculate_loss(self, predictions, *args, **kwargs)

    return _with(calculate_loss=calculate_loss)(echo_rnn)


@_mistake(
    "labels_one_step_late",
    "loss",
    "Each prediction is held against the label of the step before.",
)
def _labels_late(echo_rnn):
    def calculate_gradients(self, batchX, batchY, *args, **kwargs):
        late = np.roll(batchY, 1, axis=1)
        return echo_rnn.calculate_gradients(
            self, batchX, late, *args, **kwargs
        )

    return _with(calculate_gradients=calculate_gradients)(echo_rnn)


def _scaled_loss(scale):
    """Loss and gradients times `scale(batchY)`."""

    def apply(echo_rnn):
        def calculate_gradients(self, batchX, batchY, *args, **kwargs):
            loss, gradients, state = echo_rnn.calculate_gradients(
                self, batchX, batchY, *args, **kwargs
            )
            by = loss.dtype.type(scale(batchY))
            scaled = {n: by * np.asarray(g) for n, g in gradients.items()}
            return by * loss, scaled, state

        return _with(calculate_gradients=calculate_gradients)(echo_rnn)

    return apply


_mistake(
    "loss_summed",
    "loss",
    "The loss is summed over steps and rows, not averaged.",
)(_scaled_loss(lambda batchY: batchY.size))

_mistake(
    "loss_summed_over_steps",
    "loss",
    "The loss is averaged over rows but summed over steps.",
)(_scaled_loss(lambda batchY: batchY.shape[1]))


@_mistake(
    "initial_state_gradient_forgotten",
    "gradients",
    "Nothing flows back into the initial state, as if it were a constant.",
)
def _initial_state_constant(echo_rnn):
    def calculate_gradients(self, *args, **kwargs):
        loss, gradients, state = echo_rnn.calculate_gradients(
            self, *args, **kwargs
        )
        of_state = np.zeros_like(np.asarray(gradients["init_state"]))
        return loss, {**gradients, "init_state": of_state}, state

    return _with(calculate_gradients=calculate_gradients)(echo_rnn)


# --- Every section: Adagrad ---


def _with_optimizer(optimizer):
    """Another optimizer, made as `ops.Adagrad` is."""

    def apply(echo_rnn):
        def build_training(self):
            echo_rnn.build_training(self)
            rate = self.config.learning_rate
            self.optimizer = optimizer(rate, self.variables)

        return _with(build_training=build_training)(echo_rnn)

    return apply


@_mistake(
    "adagrad_with_keras_epsilon",
    "training losses",
    "Keras' Adagrad adds 1e-7 inside the root; TensorFlow 1's adds nothing.",
    dtypes=("float64",),
)
@_with_optimizer
class _KerasEpsilon(ops.Adagrad):
    def step(self, gradient, accumulator):
        return gradient / np.sqrt(accumulator + 1e-7)


@_mistake(
    "adagrad_from_zero",
    "training losses",
    "The accumulators start at 0 with epsilon 1e-10, as PyTorch's do.",
)
@_with_optimizer
class _FromZero(ops.Adagrad):
    initial_accumulator_value = 0.0

    def step(self, gradient, accumulator):
        return gradient / (np.sqrt(accumulator) + 1e-10)


@_mistake(
    "adagrad_accumulates_late",
    "training losses",
    "A step is divided by the accumulator before its own gradient is in.",
)
@_with_optimizer
class _AccumulatesLate(ops.Adagrad):
    def step(self, gradient, accumulator):
        return gradient / np.sqrt(accumulator - gradient * gradient)


@_mistake(
    "learning_rate_not_rounded",
    "training losses",
    "The rate stays 0.3 in float64; TensorFlow 1 rounds it to float32.",
    dtypes=("float64",),
)
@_with_optimizer
class _RateNotRounded(ops.Adagrad):
    def __init__(self, learning_rate, variables):
        super().__init__(learning_rate, variables)
        self.learning_rate = np.float64(learning_rate)


@_mistake(
    "plain_gradient_descent",
    "training losses",
    "The step is not divided by the root of the accumulator.",
)
@_with_optimizer
class _GradientDescent(ops.Adagrad):
    def step(self, gradient, accumulator):
        return gradient
