"""What converts has the dtypes of its file, whatever the process is set to.

Every kind of part is in one checkpoint, with slots, so that each setting of
the process costs one conversion.
"""

import contextlib
import json
import os
import threading
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tf_keras
from conftest import run_python, spread
from test_convert import PROJECTED, STORED, shapes_of

import rnn_parity
from rnn_parity import UserError, ladder
from rnn_parity.checkpoints import (
    keras_config,
    kinds,
    reader,
    saving,
    undrawn,
)
from rnn_parity.checkpoints.export import export_checkpoint

RATE = 0.1  # which float16, float32 and float64 all round
OPTIONS = {
    "residual": ["residual", "turned"],
    "cells": {"residual/lstm_cell": "LSTMCell"},
    "learning_rate": RATE,
}


class Arrays:
    """The variables of cells, random, none of them symmetric."""

    def __init__(self, dtype, seed=3):
        self.dtype, self.random = dtype, np.random.default_rng(seed)

    def __call__(self, *shape):
        return self.random.normal(0.1, 0.5, shape).astype(self.dtype)

    def lstm(self, scope, inputs, units):
        return {
            f"{scope}/kernel": self(inputs + units, 4 * units),
            f"{scope}/bias": self(4 * units),
        }

    def projected(self, scope, inputs, units, outputs):
        return {
            f"{scope}/kernel": self(inputs + outputs, 4 * units),
            f"{scope}/bias": self(4 * units),
            f"{scope}/projection/kernel": self(units, outputs),
            **{f"{scope}/w_{gate}_diag": self(units) for gate in "fio"},
        }

    def gru(self, scope, inputs, units):
        return {
            f"{scope}/gates/kernel": self(inputs + units, 2 * units),
            f"{scope}/gates/bias": self(2 * units),
            f"{scope}/candidate/kernel": self(inputs + units, units),
            f"{scope}/candidate/bias": self(units),
        }

    def normalised(self, scope, inputs, units):
        found = {f"{scope}/kernel": self(inputs + units, 4 * units)}
        for name in ("input", "transform", "forget", "output", "state"):
            for part in ("gamma", "beta"):
                found[f"{scope}/{name}/{part}"] = self(units)
        return found

    def words(self):
        """An embedding, a loop and a read-out."""
        return {
            "words/embedding": self(11, 9),
            **self.gru("words/rnn/gru_cell", 9, 14),
            "out/kernel": self(14, 13),
            "out/bias": self(13),
        }


def everything(dtype):
    """{name: array} of every form that a stack takes, and its slots."""
    make = Arrays(dtype)
    deep = "deep/multi_rnn_cell/cell_{}/basic_lstm_cell"
    tall = "tall/{}/multi_rnn_cell/cell_{}/lstm_cell"
    net = "net/cell_{}/bidirectional_rnn/{}/lstm_cell"
    found = {
        **make.lstm("plain/lstm_cell", 3, 5),
        **make.lstm(deep.format(0), 3, 4),
        **make.lstm(deep.format(1), 4, 2),
        **make.lstm("both/fw/lstm_cell", 3, 4),
        **make.lstm("both/bw/lstm_cell", 3, 2),
        # No one layer of Keras holds these two.
        **make.lstm("mixed/fw/lstm_cell", 3, 4),
        **make.gru("mixed/bw/gru_cell", 3, 2),
        **make.lstm(net.format(0, "fw"), 3, 4),
        **make.lstm(net.format(0, "bw"), 3, 3),
        **make.lstm(net.format(1, "fw"), 7, 4),
        **make.lstm(net.format(1, "bw"), 7, 3),
        **make.lstm("residual/lstm_cell", 3, 3),
        **make.lstm("turned/fw/lstm_cell", 3, 3),
        **make.lstm("turned/bw/lstm_cell", 3, 3),
        **make.lstm(tall.format("fw", 0), 3, 4),
        **make.lstm(tall.format("fw", 1), 4, 2),
        **make.lstm(tall.format("bw", 0), 3, 3),
        **make.lstm(tall.format("bw", 1), 3, 5),
        **make.projected("projected/lstm_cell", 3, 6, 2),
        **make.normalised("normal/layer_norm_basic_lstm_cell", 3, 3),
        **make.words(),
    }
    return found | {
        f"{name}/Momentum": make(*array.shape)
        for name, array in found.items()
    }


# --- What a process can be set to ---


SETTINGS = {
    "mixed_float16": (None, "mixed_float16"),
    "mixed_bfloat16": (None, "mixed_bfloat16"),
    "policy float64": (None, "float64"),
    "floatx float64": ("float64", "float64"),
    "floatx float16": ("float16", "float16"),
}


@contextlib.contextmanager
def set_to(name):
    """The process' floatx and dtype policy, as they were afterwards."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    floatx, policy = SETTINGS[name]
    try:
        keras.config.set_floatx(floatx or before[0])
        keras.config.set_dtype_policy(policy)
        yield
        # Converting has left both alone.
        assert keras.config.floatx() == (floatx or before[0])
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def config_in(path):
    """A `.keras` file's configuration, without addresses of objects."""
    with zipfile.ZipFile(path) as archive:
        return without_ids(json.loads(archive.read("config.json")))


def without_ids(value):
    if isinstance(value, list):
        return [without_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_ids(each)
        for key, each in value.items()
        if key != "shared_object_id"
    }


def inputs_of(model, dtype):
    random = np.random.default_rng(7)
    tensors = model.inputs
    found = {
        tensor.name: random.integers(0, 11, (2, 4))
        if "int" in tensor.dtype
        else random.standard_normal((2, 4, tensor.shape[-1])).astype(dtype)
        for tensor in tensors
    }
    return found if len(found) > 1 else found.popitem()[1]


def outputs_of(model, dtype="float32"):
    found = model(inputs_of(model, dtype))
    found = found if isinstance(found, dict) else {"one": found}
    return {name: np.asarray(each) for name, each in found.items()}


def weights_of(model):
    """Those that are no random seeds, and the optimizer's."""
    optimizer = getattr(model, "optimizer", None)
    return [
        np.asarray(variable)
        for variable in (
            *model.weights,
            *(optimizer.variables if optimizer else ()),
        )
        if variable.name != "seed_generator_state"
    ]


def assert_same(found, expected):
    """Bit for bit, and of the same dtype."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = found.values(), expected.values()
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def layers_in(model):
    return [
        layer
        for layer in model._flatten_layers()
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def assert_all_of(model, dtype):
    for layer in (model, *layers_in(model)):
        assert layer.dtype_policy.name == dtype, layer.name
    of_rows = {v.dtype for v in model.weights if "seed" not in v.name}
    assert of_rows == {dtype}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("everything") / "float32.npz"
    np.savez(path, **everything("float32"))
    return path


@pytest.fixture(scope="module")
def as_ever(file):
    """(weights, outputs, configuration) where nothing is set."""
    found = rnn_parity.convert_checkpoint(file, **OPTIONS)
    assert_all_of(found.model, "float32")
    found.save(file.with_name("as_ever.keras"))
    config = config_in(file.with_name("as_ever.keras"))
    return weights_of(found.model), outputs_of(found.model), config


@pytest.mark.parametrize(
    "setting",
    spread([*SETTINGS], ["floatx float64"].__contains__),
)
def test_a_setting_of_the_process_changes_nothing(
    setting, file, as_ever, tmp_path
):
    """Nor does how many layers it has made: the names are the same."""
    weights, outputs, config = as_ever
    path = tmp_path / "model.keras"
    with set_to(setting):
        found = rnn_parity.convert_checkpoint(file, **OPTIONS)
        assert type(found.model.optimizer) is keras.optimizers.SGD
        assert_all_of(found.model, "float32")
        assert_same(weights_of(found.model), weights)
        assert_same(outputs_of(found.model), outputs)
        found.save(path)
        export_checkpoint(path, tmp_path / "back")
    assert config_in(path) == config
    assert_same(weights_of(keras.models.load_model(path)), weights)
    back = reader.open_checkpoint(tmp_path / "back")
    for name, array in everything("float32").items():
        np.testing.assert_array_equal(back.read(name), array, name)
        assert back.dtypes[name] == "float32"


@pytest.mark.thorough
def test_floatx_in_keras_json_changes_nothing(file, as_ever, tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float16"}')
    code = (
        "import sys, keras, rnn_parity\n"
        "assert keras.config.floatx() == 'float16'\n"
        f"rnn_parity.convert_checkpoint({str(file)!r}, **{OPTIONS!r})"
        ".save(sys.argv[1])"
    )
    path = tmp_path / "model.keras"
    environment = {**os.environ, "KERAS_HOME": str(tmp_path)}
    done = run_python("-c", code, path, env=environment)
    assert done.returncode == 0, done.stderr
    weights, _, config = as_ever
    assert config_in(path) == config
    assert_same(weights_of(keras.models.load_model(path)), weights)


@pytest.mark.parametrize("setting", ["mixed_float16", "floatx float64"])
def test_dropout_has_the_dtype_of_what_it_drops(setting, tmp_path):
    make = Arrays("float32")
    path = tmp_path / "weights.npz"
    np.savez(
        path,
        **make.lstm("both/fw/lstm_cell", 3, 4),
        **make.lstm("both/bw/lstm_cell", 3, 2),
    )
    keep = {"input_keep_prob": 0.8, "output_keep_prob": 0.6}
    plain = rnn_parity.convert_checkpoint(path)
    with set_to(setting):
        found = rnn_parity.convert_checkpoint(path, **keep)
        assert_all_of(found.model, "float32")
        outputs = outputs_of(found.model)
    for one, other in zip(
        outputs.values(), outputs_of(plain.model).values(), strict=True
    ):
        assert one.dtype == other.dtype
        assert ladder.error_of(one, other) < 1e-6
    names = [layer.name for layer in found.model.layers]
    again = rnn_parity.convert_checkpoint(path, **keep).model.layers
    assert names == [layer.name for layer in again]


# --- Every form and every kind, in each dtype ---


def assert_goes_back(found, arrays, tmp_path):
    """To a checkpoint, bit for bit."""
    found.save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "back")
    back = reader.open_checkpoint(tmp_path / "back")
    for name, array in arrays.items():
        assert back.dtypes[name] == array.dtype.name, name
        np.testing.assert_array_equal(back.read(name), array, name)


def assert_agrees_to_rounding(found, dtype):
    """Each part is within a few places of what numpy_ref computes."""
    for one in found.report.agreements:
        assert one.error <= 30 * np.finfo(dtype).eps, one


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_every_form_of_a_stack_in_another_dtype(dtype, tmp_path):
    arrays = everything(dtype)
    np.savez(tmp_path / "weights.npz", **arrays)
    found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz", **OPTIONS)
    assert_all_of(found.model, dtype)
    assert_agrees_to_rounding(found, dtype)
    slots = found.model.optimizer.momentums
    assert {slot.dtype for slot in slots} == {dtype}
    assert found.model.optimizer.learning_rate.dtype == "float32"
    outputs = outputs_of(found.model, dtype)
    assert {each.dtype.name for each in outputs.values()} == {dtype}
    assert_goes_back(found, arrays, tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_every_kind_of_cell_in_each_dtype(dtype, tmp_path):
    make, arrays, told = Arrays(dtype), {}, {}
    for kind, stored in STORED.items():
        projected = kind in PROJECTED
        shapes = shapes_of(kind, 3, 5, 4 if projected else 5, projected)
        scope = f"of_{kind.lower()}/{stored}"
        told[scope] = kind
        of_kind = kinds.BY_NAME[kind]
        for argument, shape in shapes.items():
            name = f"{scope}/{of_kind.arguments[argument][0]}"
            arrays[name] = make(*shape)
    np.savez(tmp_path / "weights.npz", **arrays)
    found = rnn_parity.convert_checkpoint(
        tmp_path / "weights.npz", cells=told
    )
    assert {cell.kind.name for cell in found.cells} == set(STORED)
    assert_all_of(found.model, dtype)
    assert_agrees_to_rounding(found, dtype)
    assert_goes_back(found, arrays, tmp_path)


# --- Several dtypes in one checkpoint ---


def in_dtypes(arrays, **dtypes):
    """The arrays, those whose names end so in another dtype."""
    return {
        name: array.astype(
            next(
                (to for end, to in dtypes.items() if name.endswith(end)),
                array.dtype,
            )
        )
        for name, array in arrays.items()
    }


def of_words(**dtypes):
    return in_dtypes(Arrays("float32").words(), **dtypes)


def two_layers():
    cell = "rnn/multi_rnn_cell/cell_{}/lstm_cell"
    first, second = Arrays("float32"), Arrays("float64")
    return first.lstm(cell.format(0), 3, 4) | second.lstm(
        cell.format(1), 4, 2
    )


def two_directions():
    first, second = Arrays("float32"), Arrays("float64")
    return first.lstm("both/fw/lstm_cell", 3, 4) | second.lstm(
        "both/bw/lstm_cell", 3, 4
    )


MIXED = {
    "in a cell": (
        lambda: in_dtypes(
            Arrays("float32").lstm("rnn/lstm_cell", 3, 5), bias="float64"
        ),
        ("rnn/lstm_cell/kernel is float32", "rnn/lstm_cell/bias float64"),
    ),
    "in a stack": (
        two_layers,
        ("cell_0/lstm_cell/kernel is float32", "kernel float64"),
    ),
    "in two directions": (
        two_directions,
        (
            "both/fw/lstm_cell/kernel is float32",
            "bw/lstm_cell/kernel float64",
        ),
    ),
    "in a read-out": (
        lambda: of_words(**{"out/bias": "float64"}),
        ("out/kernel is float32", "out/bias float64"),
    ),
    "of an embedding that would be rounded": (
        lambda: of_words(embedding="float64"),
        ("words/embedding is float64", "which takes what it gives, float32"),
    ),
    "of a read-out that would round": (
        lambda: of_words(**{"out/kernel": "float16", "out/bias": "float16"}),
        ("words/rnn/gru_cell/gates/kernel is float32", "float16"),
    ),
}


@pytest.mark.parametrize("case", MIXED)
def test_several_dtypes_are_one_line(case, tmp_path):
    make, parts = MIXED[case]
    np.savez(tmp_path / "weights.npz", **make())
    with pytest.raises(UserError) as refused:
        rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
    line = str(refused.value)
    for part in (*parts, "save all variables as float"):
        assert part in line
    assert "\n" not in line


def test_saved_in_the_dtype_that_the_line_names_it_converts(tmp_path):
    make, _ = MIXED["in a cell"]
    arrays = {n: array.astype("float64") for n, array in make().items()}
    np.savez(tmp_path / "weights.npz", **arrays)
    found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
    assert_all_of(found.model, "float64")


def test_what_is_cast_to_more_digits_is_said_and_exact(tmp_path):
    """Also where dropout is between: it computes with the cells' digits."""
    dtypes = {"embedding": "float16", "out/kernel": "float64"}
    arrays = of_words(**dtypes, **{"out/bias": "float64"})
    np.savez(tmp_path / "weights.npz", **arrays)
    found = rnn_parity.convert_checkpoint(
        tmp_path / "weights.npz", input_keep_prob=0.9
    )
    notes = "\n".join(found.report.notes)
    assert "words/embedding (float16) gives is cast to float32" in notes
    assert "gates/kernel (float32) gives is cast to float64" in notes
    (dropout,) = (
        layer
        for layer in found.model.layers
        if isinstance(layer, keras.layers.Dropout)
    )
    assert dropout.compute_dtype == "float32"
    wide = of_words(embedding="float32")
    wide["words/embedding"] = arrays["words/embedding"].astype("float32")
    np.savez(tmp_path / "wide.npz", **wide)
    other = rnn_parity.convert_checkpoint(tmp_path / "wide.npz")
    ids = np.arange(10).reshape(2, 5)
    outputs = [one.run(ids)[0] for one in (found, other)]
    assert_same(outputs[:1], outputs[1:])
    logits = found.read_out(outputs[0])
    exact = outputs[0].astype("float64") @ arrays["out/kernel"]
    assert logits.dtype == "float64"
    assert ladder.error_of(logits, exact + arrays["out/bias"]) < 1e-15
    assert_goes_back(found, arrays, tmp_path)


def test_slots_of_another_dtype_are_left_out(tmp_path):
    arrays = Arrays("float64").lstm("rnn/lstm_cell", 3, 5)
    slots = {
        f"{name}/Momentum": array.astype("float32")
        for name, array in arrays.items()
    }
    np.savez(tmp_path / "weights.npz", **arrays, **slots)
    found = rnn_parity.convert_checkpoint(
        tmp_path / "weights.npz", learning_rate=RATE
    )
    assert "Momentum is float32, and rnn/" in found.report.optimizer
    assert not hasattr(found.model, "optimizer")
    assert_goes_back(found, arrays | slots, tmp_path)


# --- Whole models ---


def whole_model(dtype):
    layers, of = tf_keras.layers, {"dtype": dtype}
    x = tf_keras.Input((4, 3), **of)
    y = layers.Bidirectional(
        layers.LSTM(4, return_sequences=True, **of), **of
    )(x)
    within = tf_keras.Sequential(
        [tf_keras.Input((4, 8), **of), layers.GRU(3, **of)]
    )
    return tf_keras.Model(x, layers.Dense(2, **of)(within(y)))


@pytest.mark.parametrize(
    ("dtype", "setting"),
    spread(
        [
            ("float32", "floatx float16"),
            ("float64", "mixed_bfloat16"),
            ("float16", "floatx float64"),
        ],
        [("float64", "mixed_bfloat16")].__contains__,
    ),
)
def test_a_whole_model_has_the_dtypes_of_its_file(dtype, setting, tmp_path):
    old = whole_model(dtype)
    old.save(tmp_path / "model.h5")
    found = rnn_parity.convert_model(tmp_path / "model.h5")
    with set_to(setting):
        other = rnn_parity.convert_model(tmp_path / "model.h5")
        assert_all_of(other.model, dtype)
        outputs = outputs_of(other.model, dtype)
    assert_same(outputs, outputs_of(found.model, dtype))
    assert_same(weights_of(other.model), old.get_weights())
    assert other.error <= 30 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_that_say_no_dtype_have_that_of_the_weights(dtype, tmp_path):
    """As Keras 2.0 to 2.2 wrote them, whatever tf-keras' floatx is."""
    whole_model(dtype).save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in keras_config.every_layer(config):
            if layer["class_name"] != "InputLayer":
                layer["config"].pop("dtype", None)
        file.attrs["model_config"] = json.dumps(config)
    other = {"float32": "float64", "float64": "float32"}[dtype]
    before = tf_keras.backend.floatx()
    tf_keras.backend.set_floatx(other)
    try:
        found = rnn_parity.convert_model(tmp_path / "model.h5")
    finally:
        tf_keras.backend.set_floatx(before)
    assert_all_of(found.model, dtype)
    assert found.error <= 30 * np.finfo(dtype).eps


# --- Nothing is left behind, nor in the way of another thread ---


def attributes_of_keras():
    """What would be replaced if something of Keras was."""
    from keras.src.saving import saving_lib

    classes = [
        each
        for each in vars(keras.initializers).values()
        if isinstance(each, type)
    ]
    return [dict(vars(each)) for each in (*classes, saving_lib)]


def assert_draws(layer):
    layer.build((None, None, 3))
    kernels = [w for w in layer.weights if w.name.endswith("kernel")]
    assert len(kernels) == 2
    for kernel in kernels:
        assert np.asarray(kernel).all()


def test_two_threads_convert_at_once(tmp_path):
    paths = [tmp_path / f"{seed}.npz" for seed in (1, 2)]
    for seed, path in enumerate(paths):
        make = Arrays("float32", seed)
        np.savez(
            path,
            **make.lstm("both/fw/lstm_cell", 3, 4),
            **make.lstm("both/bw/lstm_cell", 3, 4),
        )
    alone = [rnn_parity.convert_checkpoint(path) for path in paths]
    before, found, times = attributes_of_keras(), {}, 4
    together = threading.Barrier(len(paths))

    def convert(path):
        found[path] = []
        for time in range(times):
            together.wait(60)
            model = rnn_parity.convert_checkpoint(path)
            model.save(path.with_name(f"{path.stem}_{time}.keras"))
            found[path].append(model)

    threads = [threading.Thread(target=convert, args=[p]) for p in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert attributes_of_keras() == before
    assert_draws(keras.layers.LSTM(5))
    for path, right in zip(paths, alone, strict=True):
        assert len(found[path]) == times
        for one in found[path]:
            assert_same(weights_of(one.model), weights_of(right.model))
            assert_same(outputs_of(one.model), outputs_of(right.model))


def test_another_thread_draws_while_one_does_not():
    layer = keras.layers.LSTM(5)
    with undrawn.nothing_drawn():
        thread = threading.Thread(target=assert_draws, args=[layer])
        thread.start()
        thread.join()
    assert layer.built
    assert np.asarray(layer.weights[0]).all()


def test_an_error_midway_leaves_nothing():
    before, layer = attributes_of_keras(), None

    def fail():
        nonlocal layer
        with undrawn.nothing_drawn():
            layer = keras.layers.LSTM(5)
            layer.build((None, None, 3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not np.asarray(layer.cell.kernel).any()
    assert attributes_of_keras() == before
    for initializer, kind in (
        (layer.cell.kernel_initializer, keras.initializers.GlorotUniform),
        (layer.cell.recurrent_initializer, keras.initializers.Orthogonal),
    ):
        assert type(initializer) is kind
    assert_draws(keras.layers.LSTM.from_config(layer.get_config()))


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_a_large_model_is_written_and_read_like_a_small_one(
    ending, tmp_path, monkeypatch
):
    """By way of a folder, so that it is in memory once."""
    arrays = Arrays("float32").lstm("rnn/lstm_cell", 3, 5)
    np.savez(tmp_path / "weights.npz", **arrays)
    found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
    paths = [tmp_path / f"{size}{ending}" for size in ("small", "large")]
    found.save(paths[0])
    monkeypatch.setattr(saving, "SMALL", 0)
    monkeypatch.setattr(undrawn, "_SMALL", 0)
    found.save(paths[1])
    assert len(list(tmp_path.iterdir())) == 3  # and nothing beside them
    if ending == ".keras":
        assert config_in(paths[1]) == config_in(paths[0])
        assert_goes_back(found, arrays, tmp_path)
        assert not list(tmp_path.glob(".*"))
        loaded = [keras.models.load_model(path) for path in paths]
    else:
        loaded = [keras.models.clone_model(found.model) for _ in paths]
        for model, path in zip(loaded, paths, strict=True):
            model.load_weights(path)
    for model in loaded:
        assert_same(weights_of(model), weights_of(found.model))


def test_nothing_is_drawn(tmp_path, monkeypatch):
    """Which takes minutes where there are thousands of units."""
    whole_model("float32").save(tmp_path / "model.h5")
    make = Arrays("float32")
    np.savez(
        tmp_path / "weights.npz",
        **make.lstm("both/fw/lstm_cell", 3, 4),
        **make.lstm("both/bw/lstm_cell", 3, 4),
        **make.projected("projected/lstm_cell", 3, 6, 2),
        **make.words(),
    )

    def fail(*_arguments, **_options):
        raise AssertionError("drawn")

    for kind in ("VarianceScaling", "Orthogonal", "RandomUniform"):
        monkeypatch.setattr(
            getattr(keras.initializers, kind), "__call__", fail
        )
    found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
    found.save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "back")
    rnn_parity.convert_model(tmp_path / "model.h5")
    with pytest.raises(AssertionError, match="drawn"):
        assert_draws(keras.layers.LSTM(5))
