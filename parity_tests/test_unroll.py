"""tf2.unroll: one contract for every way of running over time."""

import functools
import itertools
from typing import NamedTuple

import keras
import numpy as np
import pytest
from conftest import spread

from rnn_parity.quiet import tf
from tf2 import unroll as module
from tf2.unroll import Split, unroll

B, T, FEATURES, H = 3, 7, 2, 5
FACTORS = ["static", "dynamic", 1, 2, 3, 4, T, T + 2]
NO_SPLIT = functools.partial(keras.layers.LSTMCell, activation="softsign")


class Plain(keras.layers.LSTMCell):
    """A cell that unroll does not know: TensorFlow differentiates it."""


def prelu(units, dtype):
    """An activation that has a variable of its own."""
    activation = keras.layers.PReLU("random_normal", dtype=dtype)
    activation.build((None, units))
    return keras.layers.SimpleRNNCell(
        units, activation=activation, dtype=dtype
    )


CELLS = {
    "simple_rnn": keras.layers.SimpleRNNCell,
    "lstm": keras.layers.LSTMCell,
    "lstm, softsign": NO_SPLIT,
    "simple_rnn, PReLU": prelu,
    "lstm without bias": functools.partial(
        keras.layers.LSTMCell, use_bias=False
    ),
    "gru": functools.partial(keras.layers.GRUCell, reset_after=False),
    "gru, reset after": keras.layers.GRUCell,
    "own cell": Plain,
}


def make(name, dtype):
    """A cell with random weights, and [state parts] with random values."""
    if name == "stack":
        cells = [
            keras.layers.LSTMCell(H, dtype=dtype),
            keras.layers.GRUCell(4, dtype=dtype),
            keras.layers.SimpleRNNCell(6, dtype=dtype),
        ]
        cell = keras.layers.StackedRNNCells(cells, dtype=dtype)
    else:
        cell = CELLS[name](H, dtype=dtype)
    cell.build((None, FEATURES))
    rng = np.random.RandomState(3)
    for variable in cell.weights:
        variable.assign(rng.normal(0.1, 0.5, variable.shape))
    state = cell.get_initial_state(batch_size=B)
    state = state if isinstance(state, list) else [state]
    state = tf.nest.map_structure(
        lambda part: tf.constant(rng.normal(0.2, 0.7, part.shape), dtype),
        state,
    )
    inputs = tf.constant(rng.normal(0.1, 1.0, (B, T, FEATURES)), dtype)
    return cell, inputs, state


def everything(run, cell, inputs, state):
    """Outputs, final state, and the gradients of a lopsided loss."""
    sources = [inputs, *tf.nest.flatten(state)]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs, final = run(inputs, state)
        weights = tf.range(1, T + 1, dtype=outputs.dtype)[None, :, None]
        loss = tf.reduce_sum(outputs * outputs * weights)
        for part in tf.nest.flatten(final):
            loss += tf.reduce_sum(tf.sin(part))
    gradients = tape.gradient(loss, [*sources, *cell.trainable_variables])
    return [outputs, *tf.nest.flatten(final), *gradients]


def keras_rnn(cell, dtype, sequence_length):
    """What Keras' own RNN layer makes of the same cell."""
    rnn = keras.layers.RNN(
        cell,
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        dtype=dtype,
    )
    mask = None
    if sequence_length is not None:
        mask = tf.sequence_mask(sequence_length, T)

    def run(inputs, state):
        outputs, *final = rnn(inputs, initial_state=state, mask=mask)
        return outputs, final

    return run


def plain_function(function):
    """Without autograph, which nothing here needs and which takes time."""
    return tf.function(function, autograph=False)


def worst(got, wanted):
    return max(
        float(np.abs(one - other).max() / max(1, np.abs(other).max()))
        for one, other in zip(got, wanted, strict=True)
    )


@pytest.fixture
def size(request, monkeypatch):
    """States of few numbers take one way through an LSTM, others another."""
    if request.param == "much":
        monkeypatch.setattr(module, "_LITTLE", 0)


SIZES = ["little", "much"]
LENGTHS = [0, T, 4]


@pytest.mark.parametrize(
    ("size", "name", "lengths"),
    spread(
        [
            *itertools.product(SIZES, [*CELLS, "stack"], [LENGTHS]),
            *itertools.product(SIZES, [*CELLS, "stack"], [None]),
        ],
        lambda one: (
            one[::2] == ("little", LENGTHS)
            or one in [("much", "lstm", LENGTHS), ("much", "stack", None)]
            or one in [("much", "own cell", LENGTHS), ("little", "gru", None)]
        ),
    ),
    indirect=["size"],
)
@pytest.mark.usefixtures("size")
def test_every_factor_equals_keras_rnn(name, lengths):
    cell, inputs, state = make(name, "float64")
    wanted = everything(
        keras_rnn(cell, "float64", lengths), cell, inputs, state
    )
    for factor in factors_of(name, lengths):
        run = functools.partial(
            unroll, cell, unroll=factor, sequence_length=lengths
        )
        traced = plain_function(functools.partial(everything, run, cell))
        assert worst(traced(inputs, state), wanted) < 1e-14, factor
    eager = everything(run, cell, inputs, state)
    assert worst(eager, wanted) < 1e-14


def factors_of(name, lengths):
    """All factors where they are what is tested, else one of each kind."""
    every = name == "lstm" and lengths is not None
    if every and module._LITTLE:
        return ["static", "dynamic", 1, 3, T, T + 2]
    return ["dynamic", 3]


@pytest.mark.thorough
@pytest.mark.parametrize("size", SIZES, indirect=True)
@pytest.mark.parametrize("name", ["lstm", "own cell"])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.usefixtures("size")
def test_every_factor_equals_the_static_loop(name, lengths):
    cell, inputs, state = make(name, "float64")
    results = []
    for factor in FACTORS:
        run = functools.partial(
            unroll, cell, unroll=factor, sequence_length=lengths
        )
        traced = plain_function(functools.partial(everything, run, cell))
        results.append(traced(inputs, state))
    for factor, result in zip(FACTORS, results, strict=True):
        assert worst(result, results[0]) < 1e-14, factor


@pytest.mark.parametrize(
    ("size", "name", "factor"),
    spread(
        list(itertools.product(SIZES, ["lstm", "own cell"], ["dynamic", 3])),
        lambda one: (
            one in [("little", "lstm", "dynamic"), ("much", "own cell", 3)]
        ),
    ),
    indirect=["size"],
)
@pytest.mark.usefixtures("size")
def test_xla_gives_the_same(name, factor):
    cell, inputs, state = make(name, "float32")
    lengths = [T, 2, 0]
    run = functools.partial(
        unroll, cell, unroll=factor, sequence_length=lengths
    )
    rnn = keras_rnn(cell, "float32", lengths)
    wanted = everything(rnn, cell, inputs, state)
    compiled = tf.function(
        functools.partial(everything, run, cell),
        autograph=False,
        jit_compile=True,
    )
    assert worst(compiled(inputs, state), wanted) < 2e-6


@pytest.mark.parametrize("name", ["lstm", "own cell"])
def test_batch_and_time_may_be_unknown(name):
    cell, inputs, state = make(name, "float64")
    specs = [
        tf.TensorSpec([None, None, FEATURES], inputs.dtype),
        [tf.TensorSpec([None, H], inputs.dtype) for _ in state],
    ]
    run = functools.partial(unroll, cell)
    traced = tf.function(run, input_signature=specs)
    for steps in (T, 2, 1):
        outputs, final = traced(inputs[:, :steps], state)
        wanted = run(inputs[:, :steps], state)
        assert worst([outputs, *final], [wanted[0], *wanted[1]]) < 1e-15


@pytest.mark.parametrize("factor", ["dynamic", 3])
def test_the_batch_may_be_unknown(factor):
    cell, inputs, state = make("lstm", "float64")
    specs = [
        tf.TensorSpec([None, T, FEATURES], inputs.dtype),
        [tf.TensorSpec([None, H], inputs.dtype) for _ in state],
    ]
    run = functools.partial(unroll, cell, unroll=factor)
    traced = tf.function(run, input_signature=specs)
    outputs, final = traced(inputs, state)
    wanted = run(inputs, state)
    assert worst([outputs, *final], [wanted[0], *wanted[1]]) < 1e-15


def test_the_loop_grows_with_its_factor_and_not_with_time():
    cell, inputs, state = make("lstm", "float32")

    def operations(factor, steps):
        longer = tf.tile(inputs, [1, 8, 1])[:, :steps]
        traced = tf.function(functools.partial(unroll, cell, unroll=factor))
        graph = traced.get_concrete_function(longer, state).graph
        return len(graph.as_graph_def().node) + sum(
            len(function.node_def)
            for function in graph.as_graph_def().library.function
        )

    assert operations("dynamic", 48) == operations("dynamic", 8)
    assert operations(4, 48) == operations(4, 8)
    assert operations("dynamic", 48) < operations(4, 48)
    assert operations("static", 8) * 3 < operations("static", 48)


def test_any_function_is_a_cell():
    inputs = tf.reshape(tf.range(24.0), [2, 4, 3])

    def running_sum(x, total):
        total = total + tf.reduce_sum(x, 1, keepdims=True)
        return -total, total

    outputs, total = tf.function(unroll)(
        running_sum, inputs, tf.zeros([2, 1])
    )
    sums = np.cumsum(inputs.numpy().sum(2), 1)
    np.testing.assert_array_equal(outputs[..., 0], -sums)
    np.testing.assert_array_equal(total[:, 0], sums[:, -1])


@pytest.mark.parametrize("where", ["bias", "project"])
def test_a_split_of_ones_own_equals_the_function_it_splits(where):
    """Its bias where it is cheap, or with the inputs."""
    rng = np.random.RandomState(5)
    kernel = tf.Variable(rng.normal(0, 0.5, (FEATURES, H)))
    recurrent = tf.Variable(rng.normal(0, 0.5, (H, H)))
    bias = tf.Variable(rng.normal(0.3, 0.5, H))

    def whole(x, state):
        z = tf.matmul(x, kernel) + tf.matmul(state[0], recurrent) + bias
        hidden = tf.sin(z) + 0.1 * state[0]
        return 2 * hidden, [hidden]

    def activate(z, state):
        hidden = tf.sin(z) + 0.1 * state[0]
        return 2 * hidden, [hidden]

    def project(x):
        return tf.tensordot(x, kernel, 1) + (
            bias if where == "project" else 0
        )

    split = Split(
        project,
        recurrent,
        activate,
        bias=bias if where == "bias" else None,
    )
    inputs = tf.constant(rng.normal(size=(B, T, FEATURES)))
    state = [tf.constant(rng.normal(size=(B, H)))]

    class Weights:
        trainable_variables = (kernel, recurrent, bias)

    results = [
        tf.function(
            functools.partial(
                everything, functools.partial(unroll, cell), Weights
            )
        )(inputs, state)
        for cell in (split, whole)
    ]
    assert worst(*results) < 1e-14


@pytest.mark.parametrize("shape", [[B], [B, 4, H], []])
@pytest.mark.parametrize("factor", ["static", "dynamic", 3])
def test_lengths_hold_states_of_any_rank(factor, shape):
    """A scalar is of no row: TensorFlow 1 let it go on."""
    inputs = tf.random.stateless_normal([B, T, FEATURES], [1, 2])
    lengths = [0, T, 4]

    def cell(x, state):
        rows = [B if shape else 1] + [1] * (len(shape) - 1)
        more = tf.reshape(tf.reduce_sum(x, 1)[: rows[0]], rows)
        return x, state + (more if shape else more[0])

    _, got = tf.function(unroll)(
        cell, inputs, tf.ones(shape), factor, sequence_length=lengths
    )
    sums = inputs.numpy().sum(2)
    if shape:
        added = [
            sums[row, :length].sum() for row, length in enumerate(lengths)
        ]
        added = np.reshape(added, [B] + [1] * (len(shape) - 1))
    else:
        added = sums[0].sum()
    np.testing.assert_allclose(got, np.ones(shape) + added, rtol=1e-5)


@pytest.mark.parametrize("lengths", [None, [0, T, 4]])
@pytest.mark.parametrize("shape", [[B], [B, 4, H]])
def test_a_split_may_have_states_of_any_rank(shape, lengths):
    rng = np.random.RandomState(6)
    recurrent = tf.constant(rng.normal(0, 0.5, (H, H)))

    def activate(z, state):
        hidden, memory = tf.sin(z), state[1]
        if memory.shape.rank == 1:
            memory += tf.reduce_sum(hidden, 1)
        else:
            memory *= 0.5 + hidden[:, None]
        return hidden, [hidden, memory]

    def whole(x, state):
        z = tf.pad(x, [[0, 0], [0, H - FEATURES]])
        return activate(z + tf.matmul(state[0], recurrent), state)

    split = Split(
        lambda x: tf.pad(x, [[0, 0], [0, 0], [0, H - FEATURES]]),
        recurrent,
        activate,
    )
    inputs = tf.constant(rng.normal(size=(B, T, FEATURES)))
    state = [rng.normal(size=(B, H)), rng.normal(size=shape)]
    state = [tf.constant(part) for part in state]

    class NoWeights:
        trainable_variables = ()

    results = [
        everything(
            functools.partial(unroll, cell, sequence_length=lengths),
            NoWeights,
            inputs,
            state,
        )
        for cell in (split, whole)
    ]
    assert worst(*results) < 1e-14


class Within(keras.Layer):
    """A cell round another, of which it is the layer."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def call(self, inputs, states, training=False):
        return self.cell(inputs, states, training=training)


@pytest.mark.parametrize("where", ["alone", "within", "stack in a stack"])
def test_dropout_of_a_cell_is_one_mask_for_all_steps(where):
    keras.utils.set_random_seed(4)
    dropped = keras.layers.SimpleRNNCell(
        1, dropout=0.5, kernel_initializer="ones", activation=None
    )
    dropped.build((None, 8))
    dropped.recurrent_kernel.assign([[0.0]])
    inputs = tf.tile(2.0 ** tf.range(8.0)[None, None], [4, 5, 1])
    cell, state = dropped, [tf.zeros([4, 1])]
    if where == "within":
        cell = Within(dropped)
        cell.built = True
    elif where == "stack in a stack":
        stack = keras.layers.StackedRNNCells
        cell, state = stack([stack([dropped])]), [[state]]

    @tf.function
    def run(training):
        return unroll(cell, inputs, state, training=training)[0][..., 0]

    kept = run(True)
    np.testing.assert_array_equal(kept, np.tile(kept[:, :1], 5))
    assert len(set(kept[:, 0].numpy())) == 4  # each row its own
    assert np.any(run(True) != kept)  # and each call its own
    np.testing.assert_array_equal(run(False), np.full((4, 5), 255.0))
    # The loop's mask is gone with the loop.
    dropped(inputs[:, 0], [tf.zeros([4, 1])], training=True)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16"])
def test_inputs_and_state_become_of_the_cells_dtype(dtype, dropout):
    """NumPy's numbers are float64 unless told otherwise."""
    cell = keras.layers.LSTMCell(H, dropout=dropout, dtype=dtype)
    inputs = np.ones([B, T, FEATURES])
    state = [np.ones([B, H])] * 2
    run = functools.partial(unroll, cell, training=True)
    wanted = {"mixed_float16": "float16"}.get(dtype, dtype)
    for way in (run, tf.function(run)):
        outputs, final = way(inputs, state)
        assert {x.dtype.name for x in [outputs, *final]} == {wanted}


class CH(NamedTuple):
    """As TensorFlow 1's `LSTMStateTuple`, with c first."""

    c: tf.Tensor
    h: tf.Tensor


@pytest.mark.parametrize(
    ("name", "state", "message"),
    [
        ("lstm", None, r"cell\.get_initial_state"),
        ("lstm", [[B, H]], r"must be \[h, c\], each \[3, 5\]"),
        ("lstm", [[B, H]] * 3, r"\[h, c\]"),
        ("lstm", [[B, H], [B, H + 1]], r"it is .*\[3, 6\]"),
        ("lstm", [[B + 1, H]] * 2, r"it is .*\[4, 5\]"),
        ("lstm", CH([B, H], [B, H]), r"it is CH\(c="),
        ("lstm", {"c": [B, H], "h": [B, H]}, r"must be \[h, c\]"),
        ("gru", [[1, H]], r"must be \[h\], each \[3, 5\]"),
        ("stack", [[[B, H], [B, H]], [[B, 4]]], "stack of 3 cells"),
    ],
)
def test_a_state_that_is_not_the_cells_is_refused(name, state, message):
    cell, inputs, _ = make(name, "float32")

    def zeros(shapes):
        if isinstance(shapes, dict):
            return {key: zeros(shape) for key, shape in shapes.items()}
        if isinstance(shapes, CH):
            return CH(*map(tf.zeros, shapes))
        if isinstance(shapes[0], int):
            return tf.zeros(shapes)
        return [zeros(shape) for shape in shapes]

    with pytest.raises(ValueError, match=message):
        unroll(cell, inputs, state and zeros(state))


@pytest.mark.parametrize("lengths", [4, [4], [1, 2], [[1], [2], [3]]])
def test_lengths_that_are_not_one_a_row_are_refused(lengths):
    cell, inputs, state = make("lstm", "float32")
    with pytest.raises(ValueError, match=r"sequence_length .* must be \[3\]"):
        unroll(cell, inputs, state, sequence_length=lengths)


@pytest.mark.parametrize("factor", ["dynamics", 0, -1, 2.5, True, None])
def test_what_is_no_way_of_unrolling_is_refused(factor):
    cell, inputs, state = make("lstm", "float32")
    with pytest.raises(ValueError, match="'static', 'dynamic' or a whole"):
        unroll(cell, inputs, state, factor)


@pytest.mark.parametrize("factor", ["static", 2])
def test_only_a_dynamic_loop_can_do_without_the_time_steps(factor):
    cell, _, state = make("lstm", "float32")

    @tf.function(input_signature=[tf.TensorSpec([B, None, FEATURES])])
    def run(inputs):
        return unroll(cell, inputs, state, factor)

    with pytest.raises(ValueError, match="only a dynamic loop"):
        run(tf.zeros([B, T, FEATURES]))


def test_inputs_without_time_are_refused():
    cell, inputs, state = make("lstm", "float32")
    with pytest.raises(ValueError, match=r"\[batch, time, features\]"):
        unroll(cell, inputs[:, 0], state)
    with pytest.raises(ValueError, match="one time step at least"):
        unroll(cell, inputs[:, :0], state)
    with pytest.raises(ValueError, match=r"inputs\.row_lengths\(\)"):
        unroll(cell, tf.RaggedTensor.from_tensor(inputs), state)
