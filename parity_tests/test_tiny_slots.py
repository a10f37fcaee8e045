"""Updates where the slots are so small that an optimizer's epsilon decides.

What comes out is worked out here from TensorFlow 1's equations, with its
default epsilons: a gradient of 1e-9 moves a weight by far less, or more, with
any other.
"""

import importlib

import keras
import numpy as np
import pytest
from conftest import SIZES

import rnn_parity
from numpy_ref import ops
from rnn_parity import SECTIONS
from rnn_parity.checkpoints import optimizers
from rnn_parity.quiet import tf

RATE, SHAPE = 0.01, (4, 2)
GRADIENT = 1e-9 * np.array([[1, -2], [3, 0.5], [-0.7, 1.5], [2, -1]])
# Slots as small, none of them alike.
FIRST = 1e-10 * np.array([[2, 1], [-3, 0.4], [0.6, -5], [1, 7]])
SQUARE = 1e-20 * np.array([[1, 4], [2, 9], [16, 3], [5, 0.5]])
OTHER = 1e-21 * np.array([[3, 1], [7, 2], [1, 8], [4, 6]])
STEPS = 7


def adam(epsilon, g=GRADIENT, b1=0.9, b2=0.999, t=STEPS + 1):
    m, v = b1 * FIRST + (1 - b1) * g, b2 * SQUARE + (1 - b2) * g * g
    rate = RATE * np.sqrt(1 - b2**t) / (1 - b1**t)
    return rate * m / (np.sqrt(v) + epsilon)


def rmsprop(momentum=0.0, centered=False, g=GRADIENT):
    mean_square = 0.9 * SQUARE + 0.1 * g * g
    mean = 0.9 * FIRST + 0.1 * g if centered else 0
    step = RATE * g / np.sqrt(mean_square - mean * mean + 1e-10)
    return momentum * FIRST + step


def adadelta(g=GRADIENT):
    accumulated = 0.95 * SQUARE + 0.05 * g * g
    return RATE * np.sqrt(OTHER + 1e-8) / np.sqrt(accumulated + 1e-8) * g


ADAM_OF_KERAS = {
    "Adam/iter": STEPS,
    "Adam/beta_1": 0.8,
    "Adam/beta_2": 0.99,
    "Adam/decay": 0.0,
    "Adam/learning_rate": RATE,
}
# {what: (slots, counters, options, how far a weight goes down)}.
CASES = {
    "Adagrad": (
        {"Adagrad": SQUARE},
        {},
        {},
        RATE * GRADIENT / np.sqrt(SQUARE + GRADIENT**2),
    ),
    "Adam": (
        {"Adam": FIRST, "Adam_1": SQUARE},
        {
            "beta1_power": 0.9 ** (STEPS + 1),
            "beta2_power": 0.999 ** (STEPS + 1),
        },
        {},
        adam(1e-8),
    ),
    "Adam of tf.keras": (
        {"m": FIRST, "v": SQUARE},
        ADAM_OF_KERAS,
        {"learning_rate": None},  # which tf.keras saves
        adam(1e-7, b1=0.8, b2=0.99),
    ),
    "Momentum": (
        {"Momentum": FIRST},
        {},
        {"momentum": 0.8},
        RATE * (0.8 * FIRST + GRADIENT),
    ),
    "Momentum by default": (
        {"Momentum": FIRST},
        {},
        {},
        RATE * (0.9 * FIRST + GRADIENT),
    ),
    "RMSProp": (
        {"RMSProp": SQUARE, "RMSProp_1": 0 * FIRST},
        {},
        {},
        rmsprop(),
    ),
    "RMSProp with momentum": (
        {"RMSProp": SQUARE, "RMSProp_1": FIRST},
        {},
        {"momentum": 0.8},
        rmsprop(0.8),
    ),
    "Adadelta": (
        {"Adadelta": SQUARE, "Adadelta_1": OTHER},
        {},
        {},
        adadelta(),
    ),
}
NAME = "dense/kernel"
SHAPES = {
    "rnn/lstm_cell/kernel": (3 + 4, 16),
    "rnn/lstm_cell/bias": (16,),
    NAME: SHAPE,
    "dense/bias": (2,),
}


def checkpoint(path, slots, counters, dtype):
    """All weights 0, so that the smallest update is seen in full."""
    arrays = {n: np.zeros(s, dtype) for n, s in SHAPES.items()}
    # A cell of zeros would compute zeros whatever was wrong with it.
    random = np.random.default_rng(2)
    arrays["rnn/lstm_cell/kernel"] += random.normal(size=(7, 16))
    of_keras = "m" in slots
    for slot, value in slots.items():
        for name, shape in SHAPES.items():
            at = f"Adam/{name}/{slot}" if of_keras else f"{name}/{slot}"
            given = value if name == NAME else np.ones(shape) * value[0, 0]
            arrays[at] = given.astype(dtype)
    for name, value in counters.items():
        kind = "int64" if name == "Adam/iter" else "float32"
        arrays[name] = np.array(value, kind)
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_epsilons_with_tiny_slots(case, dtype, tmp_path):
    slots, counters, options, step = CASES[case]
    path = checkpoint(tmp_path / "m.npz", slots, counters, dtype)
    options = {"learning_rate": RATE} | options
    found = rnn_parity.convert_checkpoint(path, **options)
    assert found.model.optimizer is not None, found.report.optimizer
    found.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    gradient = tf.constant(GRADIENT.astype(dtype))
    for model in (found.model, loaded):
        kernel = model.get_layer("dense").kernel
        model.optimizer.apply([gradient], [kernel.value])
        np.testing.assert_allclose(-np.asarray(kernel), step, rtol=3e-5)


@pytest.mark.parametrize("centered", [False, True])
def test_the_epsilon_of_a_centered_rmsprop(centered):
    """Which is in no checkpoint of the cases above: three slots."""
    match = optimizers.MATCHES["RMSProp"]
    made = optimizers._made(
        match.name,
        match.arguments | {"centered": centered, "learning_rate": RATE},
    )
    assert float(made.learning_rate) == np.float32(RATE)
    assert made.rho == 0.9
    variable = tf.Variable(np.zeros(SHAPE))
    made.build([variable])
    made._velocities[0].assign(SQUARE)
    if centered:
        made._average_gradients[0].assign(FIRST)
    made.apply([tf.constant(GRADIENT)], [variable])
    step = rmsprop(centered=centered)
    np.testing.assert_allclose(-variable.numpy(), step, rtol=1e-6)


def test_no_case_is_left_out():
    assert {name.partition(" ")[0] for name in CASES} == {
        name.partition(" ")[0] for name in optimizers.MATCHES
    }
    wanted = {"Adam": 1e-8, "Adam of tf.keras": 1e-7, "RMSProp": 1e-10}
    wanted |= {"Adadelta": 1e-8, "Adagrad": 0.0}
    for name, match in optimizers.MATCHES.items():
        assert match.arguments.get("epsilon") == wanted.get(name)


# --- The Adagrad of the sections ---


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adagrad_of_numpy_with_tiny_accumulators(dtype):
    variable = np.zeros(SHAPE, dtype)
    made = ops.Adagrad(RATE, {"w": variable})
    np.testing.assert_array_equal(
        made.accumulators["w"], np.full(SHAPE, 0.1, dtype)
    )
    made.accumulators["w"][...] = SQUARE
    made.apply({"w": GRADIENT.astype(dtype)})
    step = RATE * GRADIENT / np.sqrt(SQUARE + GRADIENT**2)
    assert variable.dtype == dtype
    np.testing.assert_allclose(-variable, step, rtol=1e-6)
    sums = SQUARE + GRADIENT**2
    np.testing.assert_allclose(made.accumulators["w"], sums, rtol=1e-6)


@pytest.mark.parametrize("key", SECTIONS)
def test_adagrad_of_every_section_of_tf2_has_no_epsilon(key):
    config = SIZES.replace(learning_rate=RATE)
    module = importlib.import_module(f"tf2.{SECTIONS[key].module}")
    network = module.EchoRNN(config)
    slots = [
        one
        for one in network.optimizer.variables
        if one.path.endswith("accumulator")
    ]
    assert len(slots) == len(network.variables)
    random = np.random.default_rng(3)
    gradients, steps = [], []
    for variable, slot in zip(network.variables, slots, strict=True):
        np.testing.assert_allclose(slot, np.full(variable.shape, 0.1))
        assert variable.dtype == slot.dtype == "float64"
        square = 1e-20 * random.uniform(1, 9, variable.shape)
        gradient = 1e-10 * random.uniform(0.5, 3, variable.shape)
        slot.assign(square)
        variable.assign(np.zeros(variable.shape))
        gradients.append(tf.constant(gradient))
        steps.append(gradient / np.sqrt(square + gradient**2))
    network.optimizer.apply(gradients, network.variables)
    for variable, step in zip(network.variables, steps, strict=True):
        moved = -np.asarray(variable)
        np.testing.assert_allclose(moved, np.float32(RATE) * step, rtol=1e-6)
