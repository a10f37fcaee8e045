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

from numpy_ref import ops
from rnn_parity import check, contract, ladder, sections
from rnn_parity.check import MASKS_FROM

EVERY = tuple(sections.SECTIONS)


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One way to get a port wrong.

    Attributes:
        name: short, for tables and tests.
        explanation: one line.
        sections: keys of the sections it can be made in.
        rung: the first rung of the ladder where it shows.
        apply: EchoRNN class -> subclass that makes the mistake.
        dtypes: where it can be seen at all; float32 hides some.
    """

    name: str
    explanation: str
    sections: tuple
    rung: str
    apply: Callable
    dtypes: tuple = ("float32", "float64")


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one mistake does to one section.

    Attributes:
        rung: the first rung that differs, or None if none does.
        error: the largest error on that rung (on the rung where it should
            show, if none differs).
        tolerance: what the rung allows.
    """

    mistake: Mistake
    section: str
    dtype: str
    rung: str | None
    error: float
    tolerance: float


CATALOGUE = {}


def _mistake(name, rung, explanation, of=EVERY, dtypes=None):
    def register(apply):
        CATALOGUE[name] = Mistake(
            name=name,
            explanation=explanation,
            sections=tuple(of),
            rung=rung,
            apply=apply,
            dtypes=dtypes or ("float32", "float64"),
        )
        return apply

    return register


def make(mistake, section):
    """The section's NumPy version with the mistake in it, as a contract."""
    return contract.Contract(section, "numpy_ref", mistake.apply)


def measure(mistake, key, dtype, case="odd", release=MASKS_FROM):
    """Holds a mistake against a recorded release, as `Measured`."""
    section = sections.SECTIONS[key]
    inputs = check.recorded_inputs(key, case, dtype, release)
    observed = ladder.observe(make(mistake, section), inputs, dtype)
    differences = ladder.compare(
        observed,
        check.recorded_observation(key, case, dtype, release),
        section,
        dtype,
    )
    first = ladder.first_difference(differences)
    rung = first.rung if first else mistake.rung
    worst = max(
        (d for d in differences if d.rung == rung), key=lambda d: d.error
    )
    return Measured(
        mistake,
        key,
        dtype,
        first and first.rung,
        worst.error,
        worst.tolerance,
    )


# --- Ways to make a mistake ---


def _with(**methods):
    """EchoRNN -> a subclass with some methods replaced."""

    def apply(echo_rnn):
        return type("EchoRNN", (echo_rnn,), methods)

    return apply


def _in_weights(change):
    """The forward pass sees weights that `change` has spoilt.

    `change({name: array})` works in place on copies; the update still goes
    to the real ones.
    """

    def apply(echo_rnn):
        def forward_pass(self, *args, **kwargs):
            kept = {n: v.copy() for n, v in self.variables.items()}
            change(self.variables)
            outcome = echo_rnn.forward_pass(self, *args, **kwargs)
            for name, value in kept.items():
                self.variables[name][...] = value
            return outcome

        return _with(forward_pass=forward_pass)(echo_rnn)

    return apply


# --- Section 1: the recurrent weights ---


def _in_recurrent_weights(change):
    """As `_in_weights`, for the rows of W that the state is multiplied by."""
    return _in_weights(lambda v: change(v["W"][1:]))


def _transpose(square):
    square[...] = square.T.copy()


def _zero(array):
    array[...] = 0


_mistake(
    "recurrent_weights_dropped",
    "one step",
    "The state is not multiplied in: W has only its input row.",
    of=["s1"],
)(_in_recurrent_weights(_zero))

_mistake(
    "recurrent_weights_transposed",
    "one step",
    "The recurrent rows of W are transposed.",
    of=["s1"],
)(_in_recurrent_weights(_transpose))


def _state_before_input(variables):
    W = variables["W"]
    W[...] = np.roll(W, 1, axis=0)


_mistake(
    "state_before_input",
    "one step",
    "State and input are concatenated in the wrong order.",
    of=["s1"],
)(_in_weights(_state_before_input))


def _first_bias_for_all(variables):
    variables["b"][...] = variables["b"][0, 0]


_mistake(
    "bias_not_broadcast",
    "one step",
    "One unit's bias is added to all units.",
    of=["s1"],
)(_in_weights(_first_bias_for_all))

_mistake(
    "bias_forgotten",
    "one step",
    "The bias inside the tanh is left out.",
    of=["s1"],
)(_in_weights(lambda variables: _zero(variables["b"])))


@_mistake(
    "state_written_in_place",
    "gradients",
    "Each step overwrites the state that the way back needs.",
    of=["s1"],
)
def _state_in_place(echo_rnn):
    def forward_pass(self, *args, **kwargs):
        outcome = echo_rnn.forward_pass(self, *args, **kwargs)
        last = self.tape[-1][1]
        self.tape = [(concatenated, last) for concatenated, _ in self.tape]
        return outcome

    return _with(forward_pass=forward_pass)(echo_rnn)


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


def _zero_state(state):
    return (
        tuple(map(np.zeros_like, state))
        if isinstance(state, tuple)
        else np.zeros_like(state)
    )


@_mistake(
    "initial_state_ignored",
    "one step",
    "Every batch starts from zeros, whatever state it is given.",
)
def _initial_state_ignored(echo_rnn):
    def forward_pass(self, batchX, init_state, *args, **kwargs):
        zeros = _zero_state(init_state)
        return echo_rnn.forward_pass(self, batchX, zeros, *args, **kwargs)

    return _with(forward_pass=forward_pass)(echo_rnn)


@_mistake(
    "state_not_carried",
    "training losses",
    "The state after a batch is not handed to the next one.",
)
def _state_not_carried(echo_rnn):
    def train_step(self, *args, **kwargs):
        loss, state = echo_rnn.train_step(self, *args, **kwargs)
        return loss, _zero_state(state)

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
