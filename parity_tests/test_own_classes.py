"""Every class and function of `tf2.tf1_cells`, saved and loaded by value.

The table below holds a value away from the default for every option of every
class. A new class or option that is not in it fails a test.
"""

import inspect
import json

import keras
import numpy as np
import pytest

from rnn_parity.quiet import tf
from tf2 import tf1_cells
from tf2.tf1_cells import (
    AttentionCellWrapper,
    AttentionWrapper,
    CoupledLSTMCell,
    Embedding,
    GridLSTMCell,
    GridRNNCell,
    IntersectionRNNCell,
    NASCell,
    PhasedLSTMCell,
    ResidualCell,
    SRUCell,
    TF1LSTMCell,
    TimeFreqLSTMCell,
    UGRNNCell,
)

INPUTS, ROWS = 4, 3
DTYPE = "float64"  # Keras' own default is float32


def an_lstm(units=INPUTS, name="within", **options):
    """A cell within another one, itself away from its defaults."""
    options = {"use_peepholes": True, "forget_bias": 0.2} | options
    return TF1LSTMCell(units, dtype=DTYPE, name=name, **options)


OF_ALL = {"name": "mine", "trainable": False, "dtype": DTYPE}
OF_CELLS = OF_ALL | {"forget_bias": 0.35, "activation": "softsign"}
OPTIONS = {
    TF1LSTMCell: OF_CELLS
    | {
        "units": 5,
        "use_peepholes": True,
        "projection": 3,
        "cell_clip": 0.45,
        "proj_clip": 0.05,
        "layer_norm": True,
    },
    CoupledLSTMCell: OF_CELLS
    | {
        "units": 5,
        "use_peepholes": True,
        "projection": 3,
        "proj_clip": 0.05,
    },
    UGRNNCell: OF_CELLS | {"units": 5},
    IntersectionRNNCell: OF_CELLS | {"units": 5},
    SRUCell: OF_CELLS | {"units": 5},
    NASCell: OF_CELLS | {"units": 5, "projection": 3, "use_bias": True},
    PhasedLSTMCell: OF_CELLS
    | {"units": 5, "use_peepholes": True, "leak": 0.3},
    TimeFreqLSTMCell: OF_CELLS
    | {
        "units": 3,
        "input_size": INPUTS,
        "feature_size": 2,
        "frequency_skip": 2,
        "use_peepholes": True,
        "cell_clip": 0.3,
    },
    GridLSTMCell: OF_CELLS
    | {
        "units": 3,
        "input_size": INPUTS,
        "feature_size": 2,
        "frequency_skip": 2,
        "ranges": [(0, 4), (0, 4)],
        "use_peepholes": True,
        "share_weights": True,
        "coupled": True,
        "cell_clip": 0.3,
        "slice_offset": -1,
        "reverse": True,
    },
    ResidualCell: OF_ALL | {"cell": an_lstm},
    AttentionCellWrapper: OF_ALL
    | {
        "cell": an_lstm,
        "attn_length": 3,
        "attn_size": 2,
        "attn_vec_size": 5,
        "input_size": 6,
    },
    AttentionWrapper: OF_ALL
    | {
        "cell": an_lstm,
        "memory_shape": (3, 2),
        "attention": "luong",
        "attention_units": INPUTS,
        "attention_layer_size": 5,
        "scale": True,
        "output_attention": False,
    },
    GridRNNCell: OF_ALL
    | {
        "cells": lambda: [an_lstm(3)],
        "dimensions": 2,
    },
    Embedding: OF_ALL
    | {
        "input_dim": 7,
        "output_dim": 3,
        "embeddings_initializer": keras.initializers.Constant(0.3),
        "embeddings_regularizer": keras.regularizers.L1(0.125),
        "embeddings_constraint": keras.constraints.MaxNorm(0.75),
        "mask_zero": True,
    },
}
# Options of the base class that a cell of TensorFlow 1 does not have.
WITHOUT_EFFECT = {
    (IntersectionRNNCell, "activation"),
    (SRUCell, "forget_bias"),
    (NASCell, "activation"),
    (NASCell, "forget_bias"),
    (PhasedLSTMCell, "forget_bias"),
}
# Options that the table leaves out of action, each with what it needs.
VARIANTS = [
    (TF1LSTMCell, {"layer_norm": False}),
    (
        GridLSTMCell,
        {"coupled": False, "share_weights": False, "slice_offset": 1},
    ),
    (AttentionWrapper, {"attention": "bahdanau", "attention_units": 3}),
    (GridRNNCell, {"cells": lambda: [an_lstm(3), an_lstm(3, "other")]}),
]
# What other values of these options need: `coupled` has no forget gate.
OTHERWISE = {
    (GridLSTMCell, "forget_bias"): {"coupled": False},
    (TF1LSTMCell, "cell_clip"): {"layer_norm": False},
    (AttentionWrapper, "attention_units"): VARIANTS[2][1],
}
CELLS = [each for each in OPTIONS if each is not Embedding]
SETS = [*((kind, {}) for kind in CELLS), *VARIANTS]
# Keras saves no arrays as options, nor what quantizes or adapts a table.
NOT_SAVED = {"weights", "lora_rank", "lora_alpha", "quantization_config"}


def make(kind, **other):
    """The class with the table's options, its functions called."""
    options = OPTIONS[kind] | other
    made = {
        name: value() if name in ("cell", "cells") else value
        for name, value in options.items()
    }
    return kind(**made)


def parameters(kind):
    """{option: default} of the constructor, all bases of ours included."""
    found = {}
    for base in kind.__mro__:
        own = base.__module__ == tf1_cells.__name__
        if "__init__" not in vars(base) or not (own or kind is Embedding):
            continue
        if base is keras.Layer:
            break
        signature = inspect.signature(base.__init__).parameters
        found |= {
            name: each.default
            for name, each in list(signature.items())[1:]
            if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        }
    return found


def registered():
    """Classes and functions that Keras finds by name in a file."""
    objects = keras.saving.get_custom_objects()
    return {
        name: one
        for name, one in objects.items()
        if name.startswith("rnn_parity>")
    }


def test_every_class_and_function_of_ours_is_in_the_table():
    ours = set(registered().values())
    assert ours == {*OPTIONS, tf1_cells.hard_sigmoid}
    bases = {tf1_cells.Arrays, tf1_cells.Wrapper, tf1_cells.TF1Cell}
    layers = {
        one
        for one in vars(tf1_cells).values()
        if inspect.isclass(one)
        and issubclass(one, keras.Layer)
        and one.__module__ == tf1_cells.__name__
    }
    assert layers - bases == set(OPTIONS)


@pytest.mark.parametrize("kind", OPTIONS)
def test_every_option_has_a_value_away_from_its_default(kind):
    found = parameters(kind)
    given = OPTIONS[kind]
    assert set(given) - set(OF_ALL) == set(found) - NOT_SAVED
    for name, default in found.items():
        if default is not inspect.Parameter.empty and name in given:
            assert given[name] != default, name


def plain(value):
    """As a file holds it, so that tuples and lists are alike."""
    return json.loads(
        json.dumps(keras.saving.serialize_keras_object(value)),
        object_hook=without_shapes,
    )


def without_shapes(serialized):
    """A cell is the same whether it is built already or not."""
    return {k: v for k, v in serialized.items() if k != "build_config"}


def held(layer, option):
    """What a layer has of an option, as a file would hold it."""
    if option == "dtype":
        return layer.dtype_policy.name
    value = getattr(layer, option)
    if option == "trainable":
        value = bool(value)
    return plain(value)


def told(options, option):
    """What the table says, in the same form."""
    value = options[option]
    if option in ("cell", "cells"):
        value = value()
    if option == "activation":
        value = keras.activations.get(value)
    return plain(value)


def random_weights(layer, seed=3):
    random = np.random.default_rng(seed)
    for variable in layer.weights:
        drawn = random.normal(0.1, 0.6, variable.shape)
        if "period" in variable.name or "ratio" in variable.name:
            drawn = 0.3 + np.abs(drawn)
        variable.assign(drawn)


def built(kind, seed=3, **other):
    cell = make(kind, **other)
    cell.build((ROWS, INPUTS))
    random_weights(cell, seed)
    return cell


def one_step(cell):
    """What a cell computes of random inputs and states, as arrays."""
    random = np.random.default_rng(5)
    states = cell.get_initial_state(ROWS)
    states = [
        tf.constant(random.uniform(0.1, 1.2, state.shape)) for state in states
    ]
    inputs = tf.constant(random.normal(0.3, 1.0, (ROWS, INPUTS)))
    output, states = cell(inputs, states)
    return [np.asarray(each) for each in [output, *states]]


def assert_is(loaded, kind, original, **other):
    assert type(loaded) is kind
    options = OPTIONS[kind] | other
    for option in options:
        assert held(loaded, option) == told(options, option), option
        assert held(original, option) == told(options, option), option
    assert len(loaded.trainable_weights) == 0  # the table's `trainable`


@pytest.mark.parametrize(("kind", "other"), SETS)
def test_a_config_makes_the_same_cell_again(kind, other):
    original = built(kind, **other)
    loaded = kind.from_config(plain(original.get_config()))
    loaded.build((ROWS, INPUTS))
    assert [one.shape for one in loaded.weights] == [
        one.shape for one in original.weights
    ]
    for one, wanted in zip(loaded.weights, original.weights, strict=True):
        assert one.name == wanted.name
        one.assign(wanted)
    assert_is(loaded, kind, original, **other)
    results = zip(one_step(loaded), one_step(original), strict=True)
    for got, expected in results:
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(("kind", "other"), SETS)
def test_a_file_holds_the_same_cell(kind, other, tmp_path):
    cell = make(kind, **other)
    rnn = keras.layers.RNN(cell, return_sequences=True, dtype=DTYPE)
    model = keras.Sequential([keras.Input((None, INPUTS), dtype=DTYPE), rnn])
    random_weights(cell)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[0].cell
    assert_is(loaded, kind, cell, **other)
    paths = [one.path.partition("/")[2] for one in cell.weights]
    assert len(set(paths)) == len(paths)
    for one, wanted in zip(loaded.weights, cell.weights, strict=True):
        assert one.name == wanted.name
        np.testing.assert_array_equal(one, wanted, one.name)
    for got, expected in zip(one_step(loaded), one_step(cell), strict=True):
        np.testing.assert_array_equal(got, expected)


def with_default(kind, option):
    """(a cell of the table's options, the same with one at its default)."""
    other = OTHERWISE.get((kind, option), {})
    default = parameters(kind)[option]
    return built(kind, **other), built(kind, **other | {option: default})


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        (kind, name)
        for kind in CELLS
        for name, default in parameters(kind).items()
        if default is not inspect.Parameter.empty
    ],
)
def test_an_option_changes_what_is_computed(kind, option):
    """So the outputs of a loaded cell tell whether it has the option."""
    given, default = with_default(kind, option)
    shapes = [
        [one.shape for one in cell.weights] for cell in (given, default)
    ]
    if shapes[0] != shapes[1]:
        return
    results = [one_step(cell) for cell in (given, default)]
    alike = [one.shape for one in results[0]] == [
        one.shape for one in results[1]
    ] and all(map(np.array_equal, *results))
    assert alike == ((kind, option) in WITHOUT_EFFECT)


@pytest.mark.parametrize(("kind", "other"), SETS)
def test_every_weight_has_a_part_in_what_is_computed(kind, other):
    cell = built(kind, **other)
    before = one_step(cell)
    for variable in cell.weights:
        value = np.asarray(variable)
        variable.assign(value + 0.3)
        after = one_step(cell)
        variable.assign(value)
        assert not all(map(np.array_equal, before, after)), variable.path


# --- Embedding ---


def test_a_saved_embedding_is_the_same(tmp_path):
    layer = make(Embedding)
    model = keras.Sequential([keras.Input((None,), dtype="int32"), layer])
    random_weights(layer)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[0]
    assert_is(loaded, Embedding, layer)
    again = Embedding.from_config(plain(layer.get_config()))
    assert_is(again, Embedding, layer)
    ids = np.array([[3, 0, 6], [1, 1, 0]])
    np.testing.assert_array_equal(
        loaded(ids), np.asarray(layer.embeddings)[ids]
    )
    np.testing.assert_array_equal(loaded.compute_mask(ids), ids != 0)


IDS = np.array([[3, 0, 5, 0], [0, 1, 2, 4]])
GIVEN = np.array([[True, True, False, False], [True, False, True, True]])
MASKS = {
    (False, False): None,
    (False, True): GIVEN,
    (True, False): IDS > 0,
    (True, True): np.array(
        [[True, False, False, False], [False, False, True, True]]
    ),
}


@pytest.mark.parametrize(("mask_zero", "given"), MASKS)
@pytest.mark.parametrize("loaded", [False, True])
def test_masks_by_value(mask_zero, given, loaded):
    layer = Embedding(7, 3, mask_zero=mask_zero)
    if loaded:
        layer = Embedding.from_config(layer.get_config())
    mask = tf.constant(GIVEN) if given else None
    found = layer.compute_mask(tf.constant(IDS), mask)
    expected = MASKS[mask_zero, given]
    if expected is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("mask_zero", "given"), MASKS)
@pytest.mark.parametrize("loaded", [False, True])
def test_masks_end_the_rows_of_a_model(mask_zero, given, loaded, tmp_path):
    """2 x + 1 from 0 on tells how many steps the next layer takes."""
    ids = keras.Input((4,), dtype="int32")
    rows = Embedding(7, 1, "ones", mask_zero=mask_zero)(ids)
    taken = keras.layers.SimpleRNN(
        1,
        activation=None,
        kernel_initializer="ones",
        recurrent_initializer=keras.initializers.Constant(2.0),
    )(rows)
    model = keras.Model(ids, taken)
    if loaded:
        model.save(tmp_path / "model.keras")
        model = keras.models.load_model(tmp_path / "model.keras")
    mask = tf.constant(GIVEN) if given else None
    expected = MASKS[mask_zero, given]
    if expected is None:
        expected = np.ones((2, 4), bool)
    wanted = [2.0 ** row.sum() - 1 for row in expected]
    found = np.asarray(model(tf.constant(IDS), mask=mask))[:, 0]
    np.testing.assert_array_equal(found, wanted)


# --- Functions ---


POINTS = np.array([-9.0, -2.5, -2.4, -1.0, 0.0, 0.5, 2.4, 2.5, 9.0])
BY_HAND = np.array([0.0, 0.0, 0.02, 0.3, 0.5, 0.6, 0.98, 1.0, 1.0])


def test_the_hard_sigmoid_by_hand_and_by_its_name():
    np.testing.assert_allclose(
        tf1_cells.hard_sigmoid(tf.constant(POINTS)), BY_HAND, atol=1e-15
    )
    name = keras.activations.serialize(tf1_cells.hard_sigmoid)
    again = keras.activations.deserialize(json.loads(json.dumps(name)))
    assert again is tf1_cells.hard_sigmoid
    assert again is not keras.activations.hard_sigmoid


@pytest.mark.parametrize(
    "function",
    [one for one in registered().values() if inspect.isfunction(one)],
)
def test_a_function_is_saved_in_either_place_of_a_layer(function, tmp_path):
    layers = [
        keras.layers.LSTM(2, activation=function, return_sequences=True),
        keras.layers.GRU(
            2, recurrent_activation=function, return_sequences=True
        ),
        keras.layers.RNN(TF1LSTMCell(2, activation=function)),
    ]
    model = keras.Sequential([keras.Input((None, INPUTS)), *layers])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers
    assert loaded[0].cell.activation is function
    assert loaded[0].cell.recurrent_activation is keras.activations.sigmoid
    assert loaded[1].cell.activation is keras.activations.tanh
    assert loaded[1].cell.recurrent_activation is function
    assert loaded[2].cell.activation is function
