"""Every version of every section answers the one contract."""

import itertools

import numpy as np
import pytest
from conftest import SIZES, make_inputs, spread

import rnn_parity
from rnn_parity import UserError, ladder


def copies(inputs):
    return [np.array(v) for v in [*inputs.params.values(), inputs.init_state]]


@pytest.mark.parametrize(
    ("key", "version", "dtype"),
    spread(
        list(
            itertools.product(
                rnn_parity.SECTIONS,
                rnn_parity.IMPLEMENTATIONS,
                ["float32", "float64"],
            )
        ),
        lambda one: (
            one[1] == "numpy_ref"
            or (one[0], one[2])
            in [("s1", "float64"), ("s4", "float64"), ("s6", "float32")]
        ),
    ),
)
def test_shapes_and_dtypes_are_the_contracts(key, version, dtype):
    config = SIZES.replace(dtype=dtype)
    inputs = make_inputs(key)
    observed = ladder.observe(rnn_parity.load(key, version), inputs, dtype)
    section = rnn_parity.SECTIONS[key]
    state = section.state_shape(config)
    shapes = section.param_shapes(config)
    assert observed["states"]["states_series"].shape == (2, 4, 5)
    assert observed["states"]["final_state"].shape == state
    assert observed["logits"]["logits"].shape == (2, 4, 3)
    assert observed["predictions"]["predictions"].shape == (2, 4, 3)
    assert np.shape(observed["loss"]["loss"]) == ()
    assert observed["gradients"].pop("init_state").shape == state
    assert observed["training losses"]["losses"].shape == (2,)
    assert observed["final weights"].pop("final_state").shape == state
    for rung in ("gradients", "final weights", "accumulators"):
        assert {n: v.shape for n, v in observed[rung].items()} == shapes
    for rung in observed.values():
        for name, array in rung.items():
            assert isinstance(array, (np.ndarray, np.generic)), name
            assert array.dtype == dtype, name


@pytest.mark.parametrize(
    ("key", "version"),
    spread(
        list(
            itertools.product(rnn_parity.SECTIONS, rnn_parity.IMPLEMENTATIONS)
        ),
        lambda one: one[1] == "numpy_ref" or one[0] in ("s1", "s4"),
    ),
)
def test_calls_leave_nothing_behind(key, version):
    """What went in is untouched; a second call gives the same again."""
    contract = rnn_parity.load(key, version)
    inputs = make_inputs(key)
    before = copies(inputs)
    once = ladder.observe(contract, inputs, "float64")
    kept = {
        (rung, name): np.array(value)
        for rung, tensors in once.items()
        for name, value in tensors.items()
    }
    again = ladder.observe(contract, inputs, "float64")
    for kept_before, now in zip(before, copies(inputs), strict=True):
        np.testing.assert_array_equal(kept_before, now)
    for (rung, name), value in kept.items():
        np.testing.assert_array_equal(value, once[rung][name])
        np.testing.assert_array_equal(value, again[rung][name])


@pytest.mark.parametrize(
    ("key", "version"),
    spread(
        list(
            itertools.product(rnn_parity.SECTIONS, rnn_parity.IMPLEMENTATIONS)
        ),
        lambda one: one[1] == "numpy_ref" or one[0] in ("s2", "s7"),
    ),
)
def test_other_weights_and_sizes_in_turn_do_not_mix(key, version):
    contract = rnn_parity.load(key, version)
    first, second = make_inputs(key, seed=1), make_inputs(key, seed=2)
    wide = make_inputs(key, SIZES.replace(state_size=6), seed=3)
    alone = {
        id(inputs): ladder.observe(contract, inputs, "float64")
        for inputs in (first, second, wide)
    }
    for inputs in (wide, first, second):
        again = ladder.observe(contract, inputs, "float64")
        for name, value in again["final weights"].items():
            before = alone[id(inputs)]["final weights"][name]
            np.testing.assert_array_equal(value, before)


def call(key, **changes):
    """`loss_and_gradients` of numpy_ref with some arguments spoilt."""
    inputs = make_inputs(key)
    given = {
        "config": SIZES,
        "params": inputs.params,
        "batch_x": inputs.batches_x[0],
        "batch_y": inputs.batches_y[0],
        "init_state": inputs.init_state,
        **inputs.first_extras(),
    }
    given.update(changes)
    contract = rnn_parity.load(key, "numpy_ref")
    return contract.loss_and_gradients(**given)


def spoilt(array, value):
    array = np.array(array, dtype=float)
    array.flat[-1] = value
    return array


INPUTS = make_inputs("s1")
WRONG = {
    "NaN in the weights": (
        {
            "params": {
                **INPUTS.params,
                "W": spoilt(INPUTS.params["W"], np.nan),
            }
        },
        "W holds NaN",
    ),
    "infinite state": (
        {"init_state": spoilt(INPUTS.init_state, np.inf)},
        "init_state holds NaN or infinite",
    ),
    "overflow in float32": (
        {
            "config": SIZES.replace(dtype="float32"),
            "batch_x": spoilt(INPUTS.batches_x[0], 1e300),
        },
        "batch_x holds NaN or infinite values (as float32)",
    ),
    "state of the wrong shape": (
        {"init_state": np.zeros((5, 2))},
        "init_state has shape (5, 2); section s1 with this config needs "
        "(2, 5)",
    ),
    "batch of another size": (
        {"batch_x": np.zeros((3, 4))},
        "batch_x has shape (3, 4)",
    ),
    "ragged batch": ({"batch_x": [[1, 2], [3]]}, "batch_x is no array"),
    "words": ({"batch_x": [["a"] * 4] * 2}, "not real numbers"),
    "label too large": (
        {"batch_y": spoilt(INPUTS.batches_y[0], 3)},
        "batch_y runs from 0.0 to 3.0; it must stay within 0 and 2",
    ),
    "label below zero": (
        {"batch_y": spoilt(INPUTS.batches_y[0], -1)},
        "stay within 0 and 2",
    ),
    "fractional label": (
        {"batch_y": spoilt(INPUTS.batches_y[0], 0.5)},
        "not whole numbers",
    ),
    "missing variable": (
        {"params": {k: v for k, v in INPUTS.params.items() if k != "b"}},
        "missing b",
    ),
    "unknown variable": (
        {"params": {**INPUTS.params, "V": np.zeros(3)}},
        "unknown V",
    ),
    "wrong weight shape": (
        {"params": {**INPUTS.params, "W": INPUTS.params["W"].T}},
        "W has shape (5, 6)",
    ),
    "no config": ({"config": {"batch_size": 2}}, "rnn_parity.Config"),
    "masks where there are none": (
        {"dropout_masks": np.ones((1, 4, 2, 5))},
        "section s1 takes no dropout_masks",
    ),
    "lengths where there are none": (
        {"sequence_length": [4, 4]},
        "section s1 takes no sequence_length",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_clear_line(name):
    changes, words = WRONG[name]
    with pytest.raises(UserError) as caught:
        call("s1", **changes)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_training_on_nothing_is_refused(key):
    contract = rnn_parity.load(key, "numpy_ref")
    inputs = make_inputs(key)
    nothing = np.zeros((0, 2, 4))
    with pytest.raises(UserError, match="no batch"):
        contract.train(
            SIZES, inputs.params, nothing, nothing, inputs.init_state
        )


@pytest.mark.parametrize(
    ("section", "version", "words"),
    [
        ("s9", "tf2", "unknown section 's9'"),
        ("s1_vanila_rnn", "tf2", "did you mean s1_vanilla_rnn?"),
        ("s1", "tf3", "did you mean tf2?"),
        (1, "tf2", "unknown section 1"),
    ],
)
def test_an_unknown_name_is_one_clear_line(section, version, words):
    with pytest.raises(UserError) as caught:
        rnn_parity.load(section, version)
    assert words in str(caught.value)


def test_a_section_goes_by_its_key_and_by_its_file_name():
    by_key = rnn_parity.load("s1", "numpy_ref")
    assert rnn_parity.load("s1_vanilla_rnn", "numpy_ref") is by_key
