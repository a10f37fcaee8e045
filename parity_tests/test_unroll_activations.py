"""`tf2.unroll` with every activation in either place of a cell.

Some activations take a faster way through the loop. Whichever way it is, the
numbers and the gradients are those of the equations, written out here.
"""

import functools
import types

import keras
import numpy as np
import pytest

from rnn_parity.quiet import tf
from tf2 import tf1_cells
from tf2 import unroll as module
from tf2.unroll import unroll

B, T, FEATURES, H = 2, 2, 3, 4
DTYPE = "float64"
# Those that need more arguments, or halve what they are given.
OTHERS = {"threshold", "glu", "get", "serialize", "deserialize"}
OF_KERAS = {
    name: function
    for name, function in vars(keras.activations).items()
    if isinstance(function, types.FunctionType) and name not in OTHERS
}
OF_TENSORFLOW = {
    "tf.tanh": tf.tanh,
    "tf.sigmoid": tf.sigmoid,
    "tf.nn.relu": tf.nn.relu,
    "tf.nn.leaky_relu": tf.nn.leaky_relu,
    "hard_sigmoid of Keras 2": tf1_cells.hard_sigmoid,
    "a partial": functools.partial(tf.nn.leaky_relu, alpha=0.3),
    "a lambda": lambda x: tf.tanh(x) / 2 + 0.1,
}
ACTIVATIONS = OF_KERAS | OF_TENSORFLOW


def set_up(cell):
    """Random weights, inputs and one state part after another."""
    cell.build((None, FEATURES))
    random = np.random.default_rng(8)
    for variable in cell.weights:
        variable.assign(random.normal(0.1, 0.5, variable.shape))
    parts = 2 if isinstance(cell, keras.layers.LSTMCell) else 1
    state = [
        tf.constant(random.normal(0.2, 0.7, (B, H))) for _ in range(parts)
    ]
    inputs = tf.constant(random.normal(0.1, 1.0, (B, T, FEATURES)))
    return inputs, state


def lstm_by_hand(cell, x, state):
    """One step of the equations; gates in Keras' order i, f, c, o."""
    h, c = state
    z = tf.matmul(x, cell.kernel) + tf.matmul(h, cell.recurrent_kernel)
    i, f, j, o = (
        z[:, n * H : (n + 1) * H] + cell.bias[n * H : (n + 1) * H]
        for n in range(4)
    )
    gate, activation = cell.recurrent_activation, cell.activation
    c = gate(f) * c + gate(i) * activation(j)
    h = gate(o) * activation(c)
    return h, [h, c]


def simple_by_hand(cell, x, state):
    z = tf.matmul(x, cell.kernel) + cell.bias
    h = cell.activation(z + tf.matmul(state[0], cell.recurrent_kernel))
    return h, [h]


def loop_by_hand(step, cell, inputs, state):
    outputs = []
    for t in range(T):
        output, state = step(cell, inputs[:, t], state)
        outputs.append(output)
    return tf.stack(outputs, 1), state


def everything(run, inputs, state, variables):
    """Outputs, final state, and the gradients of a lopsided loss."""
    sources = [inputs, *state, *variables]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs, final = run(inputs, state)
        weights = tf.range(1, T + 1, dtype=outputs.dtype)[None, :, None]
        loss = tf.reduce_sum(outputs * outputs * weights)
        for part in final:
            loss += tf.reduce_sum(tf.sin(part))
    return [outputs, *final, *tape.gradient(loss, sources)]


def assert_by_hand(cell, step, *more):
    inputs, state = set_up(cell)
    variables = [*(one.value for one in cell.trainable_variables), *more]
    runs = (
        functools.partial(unroll, cell),
        functools.partial(loop_by_hand, step, cell),
    )
    found, expected = (
        everything(run, inputs, state, variables) for run in runs
    )
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if other is not None:
            one, other = map(tf.convert_to_tensor, (one, other))
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.fixture
def by_hand(monkeypatch):
    """Small states take the derivative by hand too."""
    monkeypatch.setattr(module, "_LITTLE", 0)


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_lstm_with_any_activation_in_either_place(name):
    function = ACTIVATIONS[name]
    for places in ({"activation"}, {"recurrent_activation"}):
        options = dict.fromkeys(places, function)
        cell = keras.layers.LSTMCell(H, dtype=DTYPE, **options)
        assert_by_hand(cell, lstm_by_hand)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_simple_rnn_with_any_activation(name):
    cell = keras.layers.SimpleRNNCell(H, ACTIVATIONS[name], dtype=DTYPE)
    assert_by_hand(cell, simple_by_hand)


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_one_activation_in_both_places(name):
    cell = keras.layers.LSTMCell(
        H, name, recurrent_activation=name, dtype=DTYPE
    )
    assert_by_hand(cell, lstm_by_hand)
    cell = keras.layers.LSTMCell(H, "sigmoid", "tanh", dtype=DTYPE)
    assert_by_hand(cell, lstm_by_hand)


# --- Functions of a user's own ---


def closure(scale):
    def scaled(x):
        return tf.tanh(x * scale)

    return scaled


def of_no_module(scale):
    function = closure(scale)
    function.__module__ = None
    return function


def in_no_module(scale):
    """Made by `exec`, in a namespace that has no name."""
    space = {"tf": tf, "scale": scale}
    exec("def scaled(x): return tf.tanh(x * scale)", space)
    return space["scaled"]


def wrapped(scale):
    """Says that it is Keras' own."""
    function = functools.wraps(keras.activations.tanh)(closure(scale))
    assert function.__module__ == keras.activations.tanh.__module__
    return function


def decorated(scale):
    """Its code is TensorFlow's."""
    return tf.autograph.experimental.do_not_convert(closure(scale))


class Callable:
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, x):
        return tf.tanh(x * self.scale)


def method(scale):
    return Callable(scale).__call__


def partial(scale):
    return functools.partial(lambda scale, x: tf.tanh(x * scale), scale)


OWN = [
    closure,
    of_no_module,
    in_no_module,
    wrapped,
    decorated,
    Callable,
    method,
    partial,
]


@pytest.mark.parametrize("make", OWN)
def test_what_a_function_holds_gets_its_gradient(make):
    scale = tf.constant(np.array([0.5, 1.5, -0.7, 2.0]))
    function = make(scale)
    simple = keras.layers.SimpleRNNCell(H, function, dtype=DTYPE)
    assert_by_hand(simple, simple_by_hand, scale)
    lstm = keras.layers.LSTMCell(
        H, recurrent_activation=function, dtype=DTYPE
    )
    assert_by_hand(lstm, lstm_by_hand, scale)


@pytest.mark.parametrize("make", OWN)
def test_a_cell_may_be_any_function(make):
    """(x, state) -> (output, new state), with what it holds."""
    scale = tf.constant(np.array([0.5, 1.5, -0.7]))
    function = make(scale)

    def step(_, x, state):
        mixed = function(x) + 0.5 * state[0]
        return 2 * mixed, [mixed]

    random = np.random.default_rng(2)
    inputs = tf.constant(random.normal(size=(B, T, FEATURES)))
    state = [tf.constant(random.normal(size=(B, FEATURES)))]
    runs = (
        functools.partial(unroll, functools.partial(step, None)),
        functools.partial(loop_by_hand, step, None),
    )
    found, expected = (
        everything(run, inputs, state, [scale]) for run in runs
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)


def test_cells_of_our_own_run_as_their_equations_say():
    """A cell within a closure, with a clip that acts."""
    cell = tf1_cells.TF1LSTMCell(
        H, True, projection=2, proj_clip=0.05, dtype=DTYPE
    )
    random = np.random.default_rng(4)
    cell.build((None, FEATURES))
    for variable in cell.weights:
        variable.assign(random.normal(0.1, 0.6, variable.shape))
    inputs = tf.constant(random.normal(size=(B, T, FEATURES)))
    state = [tf.constant(random.normal(size=(B, n))) for n in (2, H)]
    outputs, _ = unroll(cell, inputs, state)
    inside, _ = unroll(lambda x, states: cell(x, states), inputs, state)
    np.testing.assert_array_equal(outputs, inside)
    assert np.abs(outputs).max() == 0.05
