"""Numbers at the edges: huge logits, the bounds of what is drawn, shifts.

Every expected value is worked out here, apart from the code.
"""

import importlib
import warnings

import numpy as np
import pytest
from conftest import SIZES

from numpy_ref import ops
from numpy_ref import tf1_frequency_cells as frequency
from rnn_parity import IMPLEMENTATIONS, SECTIONS, weights
from rnn_parity.training import stream

DTYPES = ["float32", "float64"]


@pytest.fixture(autouse=True)
def no_overflow():
    """NumPy's overflows and invalid values are errors here."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


# --- Losses and gates at +-1000 ---

# Logits, the label, the loss, and its gradient.
LOSSES = [
    ([1000, 0, 0], 0, 0, [0, 0, 0]),
    ([1000, 0, 0], 1, 1000, [1, -1, 0]),
    ([-1000, 0, 0], 0, 1000 + np.log(2), [-1, 0.5, 0.5]),
    ([-1000, 0, -1000], 1, 0, [0, 0, 0]),
    ([1000, 1000, -1000], 1, np.log(2), [0.5, -0.5, 0]),
    ([-1000, -1000, 1000], 0, 2000, [-1, 0, 1]),
    (
        [1000, 999, -1000],
        0,
        0.3132616875182228,
        [-0.2689414213699951, 0.2689414213699951, 0],
    ),
    (
        [-1000, -998, -1000],
        1,
        0.23954476966932963,
        [0.10650697891920076, -0.2130139578384015, 0.10650697891920076],
    ),
    ([1000, 1000, 1000], 2, np.log(3), [1 / 3, 1 / 3, -2 / 3]),
    ([-1000, -1000, -1000], 0, np.log(3), [-2 / 3, 1 / 3, 1 / 3]),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("logits", "label", "loss", "gradient"), LOSSES)
def test_losses_of_huge_logits(dtype, logits, label, loss, gradient):
    logits = np.array([logits, logits[::-1]], dtype)
    labels = np.array([label, 2 - label])
    losses = ops.sparse_softmax_cross_entropy(logits, labels)
    assert losses.dtype == dtype
    np.testing.assert_allclose(losses, [loss, loss], rtol=1e-6)
    found = ops.cross_entropy_gradient(logits, labels)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [gradient, gradient[::-1]], atol=1e-7)
    one_hot = np.arange(3) == labels[:, None]
    likelihood = ops.softmax(logits)
    np.testing.assert_allclose(likelihood, found + one_hot, atol=1e-7)
    np.testing.assert_allclose(likelihood.sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sigmoid_of_huge_numbers(dtype):
    x = np.array([-1000, -88, -1, 0, 1, 88, 1000], dtype)
    found = ops.sigmoid(x)
    assert found.dtype == dtype
    assert (found[0], found[3], found[6]) == (0, 0.5, 1)
    np.testing.assert_allclose(found[1], np.exp(-88.0), rtol=1e-5)
    np.testing.assert_allclose(found[[2, 4]], [0.26894142, 0.73105858])
    np.testing.assert_allclose(found + found[::-1], 1, rtol=1e-7)


HUGE = SIZES.replace(batch_size=2, truncated_backprop_length=3)


@pytest.mark.parametrize("key", SECTIONS)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_loss_of_a_section_at_huge_logits(key, sign):
    """2000 for a label whose logit is -1000 beside one of 1000."""
    section = SECTIONS[key]
    module = importlib.import_module(f"numpy_ref.{section.module}")
    network = module.EchoRNN(HUGE)
    of_step = np.array([1000.0, -1000.0, -1000.0]) * sign
    labels = np.array([[0, 0, 1], [0, 2, 0]])
    rows = np.tile(of_step, (2, 3, 1))
    logits = {"s1": list(np.unstack(rows, axis=1)), "s5": rows.reshape(6, 3)}
    logits = logits.get(key, rows)
    lengths = [np.array([3, 2])] if section.lengths else []
    loss = network.calculate_loss(logits, labels, *lengths)
    if sign == 1:
        each = np.array([[0.0, 0.0, 2000.0], [0.0, 2000.0, 0.0]])
    else:
        each = np.where(labels == 0, 2000, 0) + np.log(2)
    counted = np.array([[1, 1, 1], [1, 1, 0 if section.lengths else 1]])
    wanted = (each * counted).sum() / counted.sum()
    np.testing.assert_allclose(loss, wanted, rtol=1e-12)


# --- What is drawn to start from ---

WIDE = SIZES.replace(state_size=40, num_classes=7, num_layers=2)


def assert_uniform(array, low, high, name):
    """Within the bounds, up to them, and evenly: as far as chance goes."""
    span, root = high - low, np.sqrt(array.size)
    near = 10 * span / array.size
    assert low <= array.min() <= low + near, name
    assert high - near <= array.max() <= high, name
    spread = span / np.sqrt(12)  # of numbers drawn evenly
    assert abs(array.mean() - (low + high) / 2) < 5 * spread / root, name
    assert abs(array.std() - spread) < 3 * spread / root, name
    assert len(np.unique(array)) > 0.98 * array.size, name


def assert_initial(name, array):
    if name.endswith("kernel"):
        limit = np.sqrt(6 / (array.shape[0] + array.shape[1]))
        assert_uniform(array, -limit, limit, name)
    elif name.startswith("W"):
        assert_uniform(array, 0, 1, name)
    else:
        assert array.any() == 0, name


def shapes_by_hand(key, units=40, classes=7, layers=2):
    read_out = {"W2": (units, classes), "b2": (1, classes)}
    if key == "s1":
        return {"W": (1 + units, units), "b": (1, units)} | read_out
    scopes = {"s2": "rnn/basic_rnn_cell", "s3": "rnn/basic_lstm_cell"}
    columns = units if key == "s2" else 4 * units
    if key in scopes:
        scope = scopes[key]
        return {
            f"{scope}/kernel": (1 + units, columns),
            f"{scope}/bias": (columns,),
        } | read_out
    found = {}
    for layer in range(layers):
        scope = f"rnn/multi_rnn_cell/cell_{layer}/lstm_cell"
        inputs = units if layer else 1
        found[f"{scope}/kernel"] = (inputs + units, columns)
        found[f"{scope}/bias"] = (columns,)
    return found | read_out


@pytest.mark.parametrize("key", SECTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bounds_of_the_weights_to_start_from(key, dtype):
    section, config = SECTIONS[key], WIDE.replace(dtype=dtype)
    found = stream.initial_params(section, config, seed=4)
    assert {n: a.shape for n, a in found.items()} == shapes_by_hand(key)
    for name, array in found.items():
        assert array.dtype == dtype
        assert_initial(name, array)
    again = stream.initial_params(section, config, seed=4)
    other = stream.initial_params(section, config, seed=5)
    for name, array in found.items():
        np.testing.assert_array_equal(array, again[name])
        assert np.array_equal(array, other[name]) == (not array.any()), name
    # The weights are not of the numbers that the data are made of.
    of_data = np.random.RandomState([4, 1]).uniform(size=5)
    assert not np.isin(of_data.astype(dtype), found["W2"]).any()


def test_what_a_seed_gives_stays_the_same():
    """Or a session that another release saved would go on differently."""
    section = SECTIONS["s1"]
    found = stream.initial_params(section, WIDE, seed=4)
    rng = np.random.RandomState([4, 0])
    np.testing.assert_array_equal(found["W"], rng.uniform(0, 1, (41, 40)))
    np.testing.assert_array_equal(found["W2"], rng.uniform(0, 1, (40, 7)))
    for series, seeds in (
        (stream.epoch(section, WIDE, 4, 2), [4, 1, 2]),
        (stream.fresh(section, WIDE, 4), [4, 2]),
    ):
        x = np.random.RandomState(seeds).choice(7, 24)
        np.testing.assert_array_equal(series.x, x.reshape(2, 12))
        late = np.append(0, x[:-1])  # an echo of one step
        np.testing.assert_array_equal(series.y, late.reshape(2, 12))


@pytest.mark.parametrize("key", SECTIONS)
def test_random_weights_leave_nothing_zero_or_alike(key):
    rng = np.random.RandomState(2)
    found = weights.random_params(SECTIONS[key], WIDE, rng)
    assert {n: a.shape for n, a in found.items()} == shapes_by_hand(key)
    for name, array in found.items():
        assert array.dtype == "float64"
        assert array.all(), name
        np.testing.assert_array_equal(array, array.astype("float32"))
        if array.size > 1000:
            assert abs(array.mean() - 0.1) < 0.05
            assert abs(array.std() - 0.6) < 0.05
    values = np.concatenate([array.ravel() for array in found.values()])
    assert len(np.unique(values)) > 0.98 * len(values)


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (80, 20)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_bounds_of_glorot(shape, dtype):
    np.random.seed(3)
    found = ops.glorot_uniform(shape, dtype)
    assert (found.shape, found.dtype) == (shape, dtype)
    limit = np.sqrt(6 / (shape[0] + shape[1]))
    assert_uniform(found, -limit, limit, "kernel")


def drawn_by(implementation, key):
    """{name: array} of a section's own start, before anything is put in."""
    module = importlib.import_module(
        f"{implementation}.{SECTIONS[key].module}"
    )
    if implementation == "tf2":
        importlib.import_module("keras").utils.set_random_seed(6)
    np.random.seed(6)
    if implementation != "legacy_v1":
        return own_variables(module.EchoRNN(WIDE))
    from rnn_parity.quiet import tf

    with warnings.catch_warnings(), tf.Graph().as_default():
        warnings.simplefilter("ignore")
        tf.compat.v1.set_random_seed(7)
        network = module.EchoRNN(WIDE)
        found = {
            variable.op.name: network.session.run(variable)
            for variable in tf.compat.v1.trainable_variables()
        }
        network.session.close()
    return found


def own_variables(network):
    """Of NumPy by name, of Keras by path."""
    variables = network.variables
    if isinstance(variables, dict):
        return {name: np.asarray(one) for name, one in variables.items()}
    return {
        getattr(one, "path", one.name).removesuffix(":0"): np.asarray(one)
        for one in variables
    }


@pytest.mark.parametrize("key", SECTIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_bounds_of_what_every_version_draws(implementation, key):
    found = drawn_by(implementation, key)
    assert {"W2", "b2"} <= set(found)
    for name, array in found.items():
        local = name.rpartition("/")[2]
        if local == "recurrent_kernel":  # Keras' own, orthogonal
            product = array @ array.T
            np.testing.assert_allclose(product, np.eye(len(array)), atol=1e-5)
        elif local == "bias" and implementation == "tf2" and key != "s2":
            forget = np.repeat([0.0, 1.0, 0.0, 0.0], 40)
            np.testing.assert_array_equal(array, forget)
        else:
            assert_initial(local, array)


# --- A grid whose pieces start elsewhere ---


def a_grid(offset, feature_size=2, skip=2, ranges=None, inputs=5):
    """A grid of one unit whose cells are only asked for their pieces."""
    random = np.random.default_rng(9)
    arrays = {
        "kernel": random.normal(size=(feature_size + 2, 4)),
        "bias": random.normal(size=4),
    }
    count = len(ranges or [None])
    blocks = [
        frequency.GridBlock(arrays, arrays, 1.0, None, False)
        for _ in range(count)
    ]
    return frequency.GridLSTMCell(
        blocks=blocks,
        input_size=inputs,
        frequency_skip=skip,
        ranges=ranges,
        slice_offset=offset,
    )


# Inputs 1 to 5; the pieces of two that start at 0 and 2 after the shift.
SHIFTED = {
    0: [[1, 2], [3, 4]],
    1: [[2, 3], [4, 5]],
    2: [[3, 4], [5, 0]],
    4: [[5, 0], [0, 0]],
    -1: [[0, 1], [2, 3]],
    -2: [[0, 0], [1, 2]],
    -3: [[0, 0], [0, 1]],
}


@pytest.mark.parametrize("offset", SHIFTED)
def test_pieces_of_a_shifted_grid(offset):
    grid = a_grid(offset)
    rows = np.array([[1.0, 2, 3, 4, 5], [10, 20, 30, 40, 50]])
    (cut,) = grid.cut(rows)
    for number, piece in enumerate(SHIFTED[offset]):
        np.testing.assert_array_equal(cut[number][0], piece)
        np.testing.assert_array_equal(cut[number][1], np.multiply(piece, 10))
    assert len(cut) == 2
    assert grid.output_size == 2 * 2
    assert grid.state_size == (1,) * 4


def test_pieces_of_two_shifted_blocks():
    ranges = [(0, 3), (1, 5)]
    rows = np.array([[1.0, 2, 3, 4, 5]])
    cut = a_grid(-1, skip=1, ranges=ranges).cut(rows)
    pieces = [[piece[0].tolist() for piece in block] for block in cut]
    assert pieces == [[[0, 1], [1, 2]], [[1, 2], [2, 3], [3, 4]]]


@pytest.mark.parametrize("offset", [-2, -1, 1, 3])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_shifted_grid_in_keras_is_one_with_shifted_inputs(offset, reverse):
    from rnn_parity.quiet import tf
    from tf2.tf1_cells import GridLSTMCell

    random = np.random.default_rng(3)
    inputs = random.normal(size=(3, 5))
    shifted = np.zeros_like(inputs)
    if offset < 0:
        shifted[:, -offset:] = inputs[:, :offset]
    else:
        shifted[:, :-offset] = inputs[:, offset:]
    cells = [
        GridLSTMCell(
            2, 5, 2, 2, slice_offset=at, reverse=reverse, dtype="float64"
        )
        for at in (offset, 0)
    ]
    values = [random.normal(size=shape) for shape in ((6, 8), (8,)) * 2]
    states = [tf.constant(random.normal(size=(3, 2))) for _ in range(4)]
    results = []
    for cell, given in zip(cells, (inputs, shifted), strict=True):
        cell.build((3, 5))
        cell.set_weights(values)
        output, new = cell(tf.constant(given), states)
        results.append([output, *new])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
