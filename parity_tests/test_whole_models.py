"""Whole models of tf.keras in HDF5, made models of Keras 3."""

import itertools
import json
import os
import re
import subprocess
import sys
import warnings

import h5py
import keras
import numpy as np
import pytest
import tf_keras
from conftest import spread
from test_checkpoint_commands import one_line
from test_keras_checkpoints import as_exported, as_saved_model

import recorded
import rnn_parity
from numpy_ref import tf1_keras_cells, tf1_rnn
from rnn_parity import UserError, ladder, tolerances
from rnn_parity.quiet import tf
from tf2 import tf1_cells

HDF5 = recorded.FOLDER / "checkpoints" / "keras_model" / "model.h5"
ALLOWED = tolerances.CELLS["float32"].allowed
layers = tf_keras.layers


def written(folder, model):
    """`model` with random weights, saved as tf.keras saved it."""
    random = np.random.default_rng(5)
    model.set_weights(
        [
            (0.4 * random.standard_normal(each.shape)).astype(each.dtype.name)
            + ("variance" in each.name)
            for each in model.weights
        ]
    )
    path = folder / "model.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


def sequential(*inside, shape=(5, 3), **options):
    return tf_keras.Sequential([tf_keras.Input(shape), *inside], **options)


def lstm(units=4, **options):
    return layers.LSTM(units, return_sequences=True, **options)


# --- The models ---


def stacked():
    return sequential(
        lstm(recurrent_activation="hard_sigmoid", name="a/b"),
        layers.Dropout(0.5),
        layers.GRU(3, reset_after=False, go_backwards=True),
        layers.Dense(2, "softmax"),
        name="with/slash",
    )


def masked_ids():
    return tf_keras.Sequential(
        [
            layers.Embedding(11, 6, input_length=7, mask_zero=True),
            layers.Bidirectional(lstm(), merge_mode="sum"),
            layers.TimeDistributed(layers.Dense(5, "tanh")),
        ]
    )


def encoder_decoder():
    """The state of one layer starts another."""
    source, target = tf_keras.Input((5, 3)), tf_keras.Input((4, 2))
    _, h, c = layers.LSTM(4, return_state=True)(source)
    outputs, *_ = layers.LSTM(4, return_state=True, return_sequences=True)(
        target, initial_state=[h, c]
    )
    return tf_keras.Model([source, target], layers.Dense(3)(outputs))


def directions_with_a_state():
    x = tf_keras.Input((5, 3))
    y, *state = layers.Bidirectional(lstm(return_state=True))(x)
    both = layers.Bidirectional(
        lstm(), backward_layer=lstm(4, activation="relu", go_backwards=True)
    )
    return tf_keras.Model(x, [both(y, initial_state=state), state[0]])


def twins():
    """A model within, and a layer, each used twice."""
    x, y = tf_keras.Input((5, 3)), tf_keras.Input((5, 3))
    within = sequential(lstm(), layers.GlobalMaxPooling1D(), name="within")
    shared = layers.Dense(2)
    both = layers.Concatenate()([shared(within(x)), shared(within(y))])
    return tf_keras.Model([x, y], both)


def frozen_within():
    within = sequential(lstm(), layers.BatchNormalization(), lstm(3))
    within.layers[0].trainable = False
    x = tf_keras.Input((2, 5, 3))
    return tf_keras.Model(x, layers.TimeDistributed(within)(x))


def by_name():
    a, b = tf_keras.Input((5, 3), name="a"), tf_keras.Input((5, 2), name="b")
    x = lstm()(layers.Masking(-1.0)(layers.Concatenate()([a, b])))
    return tf_keras.Model({"a": a, "b": b}, {"y": layers.Dense(2)(x)})


def convolutions():
    return sequential(
        layers.Conv1D(4, 3, padding="causal", activation="hard_sigmoid"),
        layers.SpatialDropout1D(0.2),
        layers.BatchNormalization(),
        layers.LeakyReLU(0.1),
        layers.RNN([layers.LSTMCell(3), layers.SimpleRNNCell(4, "elu")]),
        layers.Activation("hard_sigmoid"),
        shape=(8, 6),
    )


def stateful():
    first = tf_keras.Input(batch_shape=(2, 4, 3))
    return tf_keras.Sequential([first, lstm(stateful=True)])


def doubles():
    return tf_keras.Sequential(
        [tf_keras.Input((4, 3), dtype="float64"), lstm(dtype="float64")]
    )


MODELS = (
    stacked,
    masked_ids,
    encoder_decoder,
    directions_with_a_state,
    twins,
    frozen_within,
    by_name,
    convolutions,
    stateful,
    doubles,
)


def inputs_of(model):
    """Other inputs than those of the proof."""
    random = np.random.default_rng(99)
    arrays = []
    for tensor in model.inputs:
        shape = [size or 2 for size in tensor.shape]
        if len(shape) == 2:
            arrays.append(random.integers(0, 11, shape))
        else:
            x = random.standard_normal(shape)
            arrays.append(x.astype(tensor.dtype.name))
    nested = model.input if len(arrays) > 1 else model.inputs[0]
    return tf.nest.pack_sequence_as(nested, arrays)


@pytest.mark.parametrize(
    "make", spread(MODELS, lambda one: MODELS.index(one) % 2 == 0)
)
def test_a_model_is_what_it_was(make, tmp_path):
    old = make()
    path = written(tmp_path, old)
    found = rnn_parity.convert_model(path)
    found.save(tmp_path / "model.keras")
    x = inputs_of(old)
    expected = tf.nest.flatten(old(x))
    for model in (
        found.model,
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            computed = tf.nest.flatten(model(x))
        for value, reference in zip(computed, expected, strict=True):
            error = ladder.error_of(np.asarray(value), reference.numpy())
            assert error < 1e-5
    names = [layer.name.replace("/", ".") for layer in old.layers]
    inputs = "InputLayer"  # which a Sequential does not list
    assert [
        layer.name
        for layer in found.model.layers
        if type(layer).__name__ != inputs
    ] == [
        name
        for name, layer in zip(names, old.layers, strict=True)
        if type(layer).__name__ != inputs
    ]


MAKERS = [masked_ids, encoder_decoder, frozen_within, convolutions]


@pytest.mark.parametrize(
    ("make", "save"),
    spread(
        list(itertools.product(MAKERS, [as_saved_model, as_exported])),
        lambda one: (
            one
            in [
                (frozen_within, as_saved_model),
                (encoder_decoder, as_exported),
            ]
        ),
    ),
)
def test_a_saved_model_is_what_it_was(make, save, tmp_path):
    old = make()
    written(tmp_path, old)
    x = inputs_of(old)
    expected = old(x)
    found = rnn_parity.convert_model(save(old, tmp_path))
    error = ladder.error_of(np.asarray(found.model(x)), expected.numpy())
    assert error < 1e-5


def test_what_was_frozen_is(tmp_path):
    within = sequential(
        lstm(trainable=False),
        layers.Bidirectional(layers.GRU(3), trainable=False),
        layers.Dense(4),
    )
    x = tf_keras.Input((5, 3))
    still = sequential(layers.Dense(2), shape=(4,))
    still.trainable = False
    old = tf_keras.Model(x, still(within(x)))
    found = rnn_parity.convert_model(written(tmp_path, old))
    found.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    shapes = sorted(tuple(w.shape) for w in old.trainable_weights)
    assert shapes == [(4,), (6, 4)]
    for model in (found.model, again):
        assert shapes == sorted(
            tuple(w.shape) for w in model.trainable_weights
        )


def test_what_1_15_5_computed_comes_out():
    found = rnn_parity.convert_model(HDF5)
    truth = recorded.read(HDF5.parent / "truth.npz")
    model = found.model
    assert [layer.name for layer in model.layers][1:3] == ["lstm", "gru"]
    for name in ("lstm", "gru"):
        full = truth[f"{name}/lengths"] == truth[f"{name}/inputs"].shape[1]
        state = [
            truth[f"{name}/state/{at}"]
            for at in ((1, 0) if name == "lstm" else (0,))
        ]
        outputs, *_ = model.get_layer(name)(
            truth[f"{name}/inputs"], initial_state=state
        )
        reference = truth[f"{name}/outputs"][full]
        error = ladder.error_of(np.asarray(outputs)[full], reference)
        assert error <= ALLOWED
    assert found.own
    assert "optimizer's slots are left out" in found.notes[0]


GENUINE = sorted(
    path
    for path in (recorded.FOLDER / "models").iterdir()
    if path.suffix != ".npz"
)


@pytest.mark.parametrize("path", GENUINE, ids=lambda path: path.stem)
def test_a_model_that_1_15_5_saved_computes_what_it_did_there(path):
    name = re.sub("_(saved|exported)$", "", path.stem)
    truth = recorded.read(path.with_name(f"{name}.npz"))
    inputs = [truth[name] for name in sorted(truth) if "inputs" in name]
    found = rnn_parity.convert_model(path)
    outputs = found.model(inputs if len(inputs) > 1 else inputs[0])
    error = ladder.error_of(np.asarray(outputs), truth["outputs"])
    assert error <= ALLOWED
    assert json.loads(str(truth["provenance"]))["tensorflow"] == "1.15.5"


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_layers_of_cudnn_run_without_it(tmp_path, kind, gates):
    layer = getattr(layers, kind)(5, return_sequences=True, name="rnn")
    path = written(tmp_path, sequential(layer))
    random = np.random.default_rng(8)
    stored = {
        "kernel": random.standard_normal((3, gates * 5)),
        "recurrent_kernel": random.standard_normal((5, gates * 5)),
        "bias": random.standard_normal(2 * gates * 5),
    }
    stored = {name: a.astype("float32") for name, a in stored.items()}
    with h5py.File(path, "a") as file:
        group = file["model_weights/rnn/rnn"]
        config = json.loads(file.attrs["model_config"])
        (of_layer,) = [
            each
            for each in config["config"]["layers"]
            if each["class_name"] == kind
        ]
        of_layer["class_name"] = f"CuDNN{kind}"
        for option in ("activation", "recurrent_activation", "reset_after"):
            of_layer["config"].pop(option, None)
        file.attrs["model_config"] = json.dumps(config)
        (inside,) = group.values()  # tf-keras has a scope for the cell
        group = inside if hasattr(inside, "values") else group
        for name, array in stored.items():
            del group[f"{name}:0"]
            group[f"{name}:0"] = array
    model = rnn_parity.convert_model(path).model
    x = random.standard_normal((2, 5, 3)).astype("float32")
    cell = getattr(tf1_keras_cells, f"CuDNN{kind}")(**stored)
    expected, _ = tf1_rnn.dynamic_rnn(cell, x, cell.zero_state(2))
    assert ladder.error_of(np.asarray(model(x)), expected) <= ALLOWED


# --- What is refused ---


def op_in_between():
    x = tf_keras.Input((5, 3))
    return tf_keras.Model(x, lstm()(x)[:, -1])


class Own(layers.Layer):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (op_in_between, "a SlicingOpLambda, is none that Keras 3 has"),
        (
            lambda: sequential(lstm(time_major=True, name="axes")),
            "axes of .*, a LSTM, has time_major",
        ),
        (
            lambda: sequential(layers.Lambda(lambda x: x, name="code")),
            "code of .*, a Lambda, is Python code in the file",
        ),
        (lambda: sequential(Own()), "cannot load .*Unknown layer: 'Own'"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, make, message):
    path = written(tmp_path, make())
    with pytest.raises(UserError, match=message) as no:
        rnn_parity.convert_model(path)
    assert "without --whole its recurrent layers" in str(no.value)
    assert "\n" not in str(no.value)


def test_a_model_that_random_inputs_do_not_suit_is_named(tmp_path):
    """Ids that nothing says are ids: minus one has no row."""
    model = sequential(layers.Flatten(), layers.Embedding(3, 2), lstm())
    path = written(tmp_path, model)
    with pytest.raises(UserError, match="does not run on random inputs"):
        rnn_parity.convert_model(path)


def test_code_in_a_file_is_not_run(tmp_path):
    flag = str(tmp_path / "flag")
    layer = layers.Lambda(lambda x: os.mkdir(flag) or x)
    path = written(tmp_path, sequential(layer))
    os.rmdir(flag)  # it ran as it was made
    with pytest.raises(UserError, match="is not run here"):
        rnn_parity.convert_model(path)
    assert not os.path.exists(flag)


def test_a_wrong_model_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path, stacked())
    monkeypatch.setattr(tf1_cells, "hard_sigmoid", _of_keras_3)
    with pytest.raises(UserError, match="computes something else in Keras 3"):
        rnn_parity.convert_model(path)


@keras.saving.register_keras_serializable("of_tests")
def _of_keras_3(x):
    return keras.activations.hard_sigmoid(x)


def test_weights_alone_are_no_model(tmp_path):
    stacked().save_weights(tmp_path / "weights.h5")
    with pytest.raises(UserError, match=r"weights.h5 holds weights alone"):
        rnn_parity.convert_model(tmp_path / "weights.h5")
    (tmp_path / "no.h5").write_text("no")
    with pytest.raises(UserError, match="damaged or of another kind"):
        rnn_parity.convert_model(tmp_path / "no.h5")
    with pytest.raises(UserError, match="there is no file"):
        rnn_parity.convert_model(tmp_path / "gone.h5")
    with pytest.raises(UserError, match="is no SavedModel; --whole takes"):
        rnn_parity.convert_model(tmp_path)


def test_a_saved_model_that_is_no_model_is_named(tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "module"))
    with pytest.raises(UserError, match="does not say which layer reads"):
        rnn_parity.convert_model(tmp_path / "module")
    folder = as_exported(stacked(), tmp_path)
    (folder / "assets" / "saved_model.json").write_text("{")
    with pytest.raises(UserError, match=r"cannot be read \(Expecting"):
        rnn_parity.convert_model(folder)
    other = sequential(lstm(7), shape=(5, 3))
    text = other.to_json()
    (folder / "assets" / "saved_model.json").write_text(text)
    with pytest.raises(UserError, match="tf-keras cannot load"):
        rnn_parity.convert_model(folder)


def test_weights_that_are_not_finite_are_named(tmp_path):
    model = stacked()
    path = written(tmp_path, model)
    with h5py.File(path, "a") as file:
        groups = file["model_weights"]
        (dense,) = [groups[n] for n in groups if n.startswith("dense")]
        (name,) = [n for n in dense.attrs["weight_names"] if "bias" in str(n)]
        dense[name][...] = np.nan
    with pytest.raises(UserError, match=r"dense.* of .* not finite"):
        rnn_parity.convert_model(path)


# --- The command ---


@pytest.mark.thorough
def test_the_command_converts_a_whole_model(run_cli, tmp_path):
    """Loaded in a process of its own, with the import that is printed."""
    out = tmp_path / "model.keras"
    done = run_cli("convert", HDF5, "--out", out, "--whole")
    assert done.returncode == 0, done.stderr
    assert "computes what tf-keras does, to " in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "load it" in line]
    code = line.removeprefix("load it with: ").replace("; ", "\nmodel = ")
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(model.count_params())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split()[-1] == "346"
    assert "Traceback" not in done.stderr


def test_the_command_says_what_does_not_go_together(call_cli, tmp_path):
    out = tmp_path / "model.keras"
    done = call_cli(
        "convert", HDF5, "--out", out, "--whole", "--forget-bias", 1
    )
    assert done.returncode == 2
    assert "--forget-bias is for recurrent layers" in one_line(done.stderr)
    done = call_cli(
        "convert", HDF5, "--out", tmp_path / "model.npz", "--whole"
    )
    assert done.returncode == 2
    assert "must end in .keras or .weights.h5" in one_line(done.stderr)
    assert not list(tmp_path.iterdir())
    done = call_cli("inspect", HDF5)
    assert "convert --whole takes all of it" in done.stdout
