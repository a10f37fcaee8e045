"""Configurations with code, with files' names or with nonsense in them.

Every way into Keras that is known is planted in every format and at every
depth. Each leaves a file behind where it runs; nothing may, and nothing may
be written.
"""

import base64
import contextlib
import copy
import json
import marshal
import os
import shutil
import zipfile

import h5py
import hypothesis
import numpy as np
import pytest
from conftest import run_python
from hypothesis import strategies as st
from test_checkpoint_commands import one_line

import recorded
import rnn_parity
from rnn_parity import UserError
from rnn_parity.checkpoints import config_safety, keras_config, saved_model

MODELS = recorded.FOLDER / "models"
GENUINE = sorted(MODELS.glob("*.h5"))
CANARY = "canary"


def config_of(path):
    with h5py.File(path) as file:
        return config_safety.loads(file.attrs["model_config"])


def touch(_):
    import pathlib

    pathlib.Path("canary").touch()
    return _


# As Keras writes a lambda: byte code, defaults, closure.
CODE = base64.b64encode(marshal.dumps(touch.__code__)).decode()
LAMBDA = {
    "class_name": "Lambda",
    "config": {
        "name": "code",
        "function": {"class_name": "__tuple__", "items": [CODE, None, None]},
        "function_type": "lambda",
        "module": "builtins",
        "output_shape": None,
        "output_shape_type": "raw",
        "output_shape_module": None,
        "arguments": {},
    },
}
INPUTS = {
    "class_name": "InputLayer",
    "config": {"batch_input_shape": [None, 3], "name": "x"},
}
OF_OS = {"module": "os", "class_name": "function", "config": "system"}
VEHICLES = {
    "byte code that decoding JSON runs": {
        "__passive_serialization__": True,
        "class_name": "Sequential",
        "config": {"name": "hidden", "layers": [INPUTS, LAMBDA]},
    },
    "a lambda": LAMBDA,
    "a lambda as an object": {
        "class_name": "__lambda__",
        "config": {"value": CODE},
    },
    "a function of a module": OF_OS | {"registered_name": "system"},
    "a class of a module": {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": ["touch", CANARY]},
        "registered_name": "subprocess>Popen",
    },
    "a function in a Lambda": {
        "class_name": "Lambda",
        "config": {"name": "os", "function": OF_OS},
    },
    "an operation on files": {
        "class_name": "TFOpLambda",
        "config": {"name": "w", "function": "io.write_file"},
        "inbound_nodes": [["_CONSTANT_VALUE", -1, CANARY, {"contents": "x"}]],
    },
    "a constant": ["_CONSTANT_VALUE", -1, "x", {}],
    "a file of words": {
        "class_name": "StringLookup",
        "config": {"name": "words", "vocabulary": "/etc/hostname"},
    },
    "a program": {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"name": "p", "filepath": "/tmp/program"},
        "registered_name": None,
    },
    "a type of TensorFlow's": {
        "class_name": "TypeSpec",
        "type_spec": "tf.TensorSpec",
        "serialized": [[1], "float32", None],
    },
    "an array": {
        "class_name": "__numpy__",
        "config": {"value": [1.0], "dtype": "object"},
    },
    "a dense layer of another module": {
        "module": "os",
        "class_name": "Dense",
        "config": {"name": "dense", "units": 1, "activation": "linear"},
    },
    "a layer of someone's own": {
        "module": None,
        "class_name": "Mine",
        "config": {"name": "mine"},
        "registered_name": "package>Mine",
    },
}


def places(value):
    """Yields (dictionary or list, key) of everything within."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inside in list(pairs):
        yield value, key
        if isinstance(inside, (dict, list)):
            yield from places(inside)


def refused(config, check=config_safety.rebuilt):
    with pytest.raises(UserError) as no:
        check(config, "m.h5", "without --whole it is")
    line = str(no.value)
    assert line.count("\n") == 0
    assert line.isprintable()
    assert len(line) < 500
    return line


# --- What is genuine passes ---


@pytest.mark.parametrize("path", GENUINE, ids=lambda path: path.stem)
def test_what_1_15_5_wrote_is_made_anew_as_it_was(path):
    config = config_of(path)
    made = config_safety.rebuilt(config, path)
    assert made == config
    of_the_file = {id(inside) for inside, _ in places(config)}
    assert not any(id(inside) in of_the_file for inside, _ in places(made))


def test_what_later_releases_add_is_known_and_left_out():
    config = config_of(MODELS / "tagger.h5")
    plain = copy.deepcopy(config)
    for layer in config["config"]["layers"]:
        layer |= {
            "module": "keras.layers",
            "registered_name": None,
            "shared_object_id": 7,
            "build_config": {"input_shape": [None, 7, 6]},
        }
    layers = config["config"]["layers"]
    layers[0]["config"]["batch_input_shape"] = {
        "class_name": "__tuple__",
        "items": [None, 7],
    }
    layers[0]["config"]["embeddings_initializer"] |= {
        "module": "keras.initializers",
        "registered_name": None,
    }
    layers[2]["config"]["dtype"] = {
        "module": "keras.mixed_precision",
        "class_name": "Policy",
        "config": {"name": "float32"},
        "registered_name": None,
    }
    assert config_safety.rebuilt(config, "m.h5") == plain


# --- Planted at every place ---


@pytest.mark.parametrize("name", VEHICLES)
def test_what_is_planted_anywhere_is_refused(name):
    """In place of every value, and beside every one."""
    config = config_of(MODELS / "documents.h5")
    for at in range(len(list(places(config)))):
        for beside in (False, True):
            planted = copy.deepcopy(config)
            inside, key = list(places(planted))[at]
            if not beside:
                inside[key] = VEHICLES[name]
            elif isinstance(inside, dict):
                inside["layer"] = VEHICLES[name]
            else:
                inside.insert(key, VEHICLES[name])
            refused(planted)


KEYS = [
    *("class_name", "config", "module", "registered_name", "name", "items"),
    *("layers", "layer", "function", "__passive_serialization__", "x"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from([CODE, "io.write_file", "os", "__lambda__"]),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inside,
            min_size=1,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@hypothesis.settings(max_examples=150, deadline=None, derandomize=True)
@hypothesis.given(data=st.data())
def test_dictionaries_at_random_places_are_refused(data):
    config = config_of(data.draw(st.sampled_from(GENUINE)))
    planted = data.draw(
        JSON.filter(lambda value: isinstance(value, dict))
        | st.sampled_from(list(VEHICLES.values()))
    )
    inside, key = data.draw(st.sampled_from(list(places(config))))
    if isinstance(inside, dict) and data.draw(st.booleans()):
        key = data.draw(st.text(max_size=12)) + "-"  # never one of Keras'
    inside[key] = planted
    refused(config)


@hypothesis.settings(max_examples=150, deadline=None, derandomize=True)
@hypothesis.given(value=JSON)
def test_what_is_no_model_is_refused(value):
    refused(value)
    with contextlib.suppress(ValueError):
        config_safety.described(value)


# --- Whole files ---


def with_hdf5(folder, change):
    path = folder / "model.h5"
    shutil.copyfile(MODELS / "documents.h5", path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(change(config))
    return path


def with_exported(folder, change):
    path = shutil.copytree(MODELS / "sentiment_exported", folder / "model")
    text = path / "assets" / "saved_model.json"
    text.write_text(json.dumps(change(json.loads(text.read_text("utf-8")))))
    return path


def with_saved_model(folder, change, beside=False):
    """Planted wherever the file says it, so that all of it agrees."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    path = shutil.copytree(MODELS / "sentiment_saved", folder / "model")
    file = path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    metadata = saved_metadata_pb2.SavedMetadata()
    for graph in model.meta_graphs:
        for at, node in enumerate(graph.object_graph_def.nodes):
            one = node.user_object
            if at == 0:
                root = json.loads(one.metadata)
                changed = change(
                    {"class_name": "Sequential", "config": root["config"]}
                )
                root |= changed
                root["model_config"] = changed
                one.metadata = json.dumps(root)
            if beside and one.metadata:
                metadata.nodes.add(
                    node_id=at,
                    identifier=one.identifier,
                    metadata=one.metadata,
                )
                one.metadata = ""
    file.write_bytes(model.SerializeToString())
    if beside:
        (path / "keras_metadata.pb").write_bytes(metadata.SerializeToString())
    return path


def with_metadata(folder, change):
    return with_saved_model(folder, change, beside=True)


FORMATS = (with_hdf5, with_exported, with_saved_model, with_metadata)


def unchanged(config):
    return config


@pytest.mark.parametrize("make", FORMATS)
def test_what_is_planted_in_is_genuine_without_it(make, tmp_path):
    """Or the tests below would show nothing."""
    path = make(tmp_path, unchanged)
    if make is with_hdf5:
        config = config_of(path)
    else:
        config = keras_config.whole_model(path)
    assert config_safety.rebuilt(config, path)["config"]["layers"]


def in_the_model(config, vehicle):
    config["config"]["layer"] = vehicle  # hides its layers from a walk


def in_a_list(config, vehicle):
    config["config"]["layers"].insert(1, vehicle)


def in_a_layer(config, vehicle):
    config["config"]["layers"][-1]["config"]["planted"] = vehicle


def as_an_initializer(config, vehicle):
    dense = config["config"]["layers"][-1]["config"]
    dense["kernel_initializer"] = vehicle


def as_an_activation(config, vehicle):
    config["config"]["layers"][-1]["config"]["activation"] = vehicle


def within_a_wrapper(config, vehicle):
    config["config"]["layers"].insert(
        1,
        {
            "class_name": "TimeDistributed",
            "config": {"name": "td", "layer": vehicle},
        },
    )


def within_a_cell(config, vehicle):
    stack = {
        "class_name": "StackedRNNCells",
        "config": {"name": "stack", "cells": [vehicle]},
    }
    config["config"]["layers"].insert(
        1, {"class_name": "RNN", "config": {"name": "loop", "cell": stack}}
    )


def in_a_call(config, vehicle):
    layer = config["config"]["layers"][-1]
    layer["inbound_nodes"] = [[["x", 0, 0, {"mask": vehicle}]]]


DEPTHS = (
    in_the_model,
    in_a_list,
    in_a_layer,
    as_an_initializer,
    as_an_activation,
    within_a_wrapper,
    within_a_cell,
    in_a_call,
)


def planted(depth, name):
    def change(config):
        depth(config, VEHICLES[name])
        return config

    return change


def nothing_came_of_it(done, folder, before):
    assert done.returncode == 2
    one_line(done.stderr)
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("make", FORMATS)
def test_no_format_brings_code_in(
    make, depth, tmp_path, monkeypatch, call_cli
):
    monkeypatch.chdir(tmp_path)
    for name in VEHICLES:
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        path = make(folder, planted(depth, name))
        before = sorted(os.listdir())
        out = tmp_path / "out.keras"
        done = call_cli("convert", path, "--out", out, "--whole")
        nothing_came_of_it(done, tmp_path, before)


def test_such_code_does_run_in_keras(tmp_path, monkeypatch):
    """Or a canary that is not there would show nothing."""
    import tf_keras

    monkeypatch.chdir(tmp_path)
    config = {"class_name": "Sequential", "config": {"name": "m"}}
    config["config"]["layers"] = []
    config["foo"] = VEHICLES["byte code that decoding JSON runs"]
    with contextlib.suppress(Exception):  # whatever Keras says afterwards
        tf_keras.models.model_from_json(json.dumps(config))
    assert os.path.exists(CANARY)


def test_code_beside_a_configuration_is_refused_too(tmp_path):
    def change(config):
        return config | {"foo": VEHICLES["a lambda"]}

    for make in FORMATS[:2]:
        with pytest.raises(UserError, match="has the key 'foo'"):
            rnn_parity.convert_model(make(tmp_path, change))
    vehicle = VEHICLES["byte code that decoding JSON runs"]
    path = with_metadata(tmp_path / "a", lambda c: c | {"foo": vehicle})
    with pytest.raises(UserError, match="'__passive_serialization__'"):
        rnn_parity.convert_model(path)


# --- What reads without making anything ---


@pytest.mark.parametrize("name", VEHICLES)
def test_readers_of_single_layers_run_nothing(name, tmp_path, monkeypatch):
    """They take the rest, as what refuses a whole model says they do."""
    monkeypatch.chdir(tmp_path)
    path = with_hdf5(tmp_path, planted(in_a_layer, name))
    with h5py.File(path) as file:
        described = config_safety.described(
            config_safety.loads(file.attrs["model_config"])
        )
    assert "planted" not in json.dumps(described)
    found = rnn_parity.checkpoints.reader.open_checkpoint(path)
    assert found.told
    assert os.listdir() == ["model.h5"]


# --- .keras ---


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A `.keras` file with a cell of ours in it, and its configuration."""
    path = tmp_path_factory.mktemp("converted") / "model.keras"
    source = recorded.FOLDER / "checkpoints" / "peepholes_projection"
    rnn_parity.convert_checkpoint(source).save(path)
    with zipfile.ZipFile(path) as archive:
        return path, json.loads(archive.read("config.json"))


def with_config(converted, folder, text):
    """The same file with another configuration."""
    path = folder / "planted.keras"
    with (
        zipfile.ZipFile(converted[0]) as source,
        zipfile.ZipFile(path, "w") as target,
    ):
        for info in source.infolist():
            content = source.read(info)
            if info.filename == "config.json":
                content = text
            target.writestr(info, content)
    return path


def test_what_keras_3_wrote_is_known(converted):
    config_safety.must_be_known(converted[1], "m.keras")


@pytest.mark.parametrize("name", VEHICLES)
def test_what_is_planted_anywhere_in_a_keras_file_is_refused(converted, name):
    config = converted[1]
    passed = []
    for at in range(len(list(places(config)))):
        planted = copy.deepcopy(config)
        inside, key = list(places(planted))[at]
        inside[key] = VEHICLES[name]
        try:
            config_safety.must_be_known(planted, "m.keras")
        except UserError:
            continue
        passed.append(key)
    assert not passed


def test_a_keras_file_brings_no_code_in(
    converted, tmp_path, monkeypatch, call_cli
):
    monkeypatch.chdir(tmp_path)
    for vehicle in VEHICLES.values():
        config = copy.deepcopy(converted[1])
        config["config"]["layers"].insert(1, vehicle)
        path = with_config(converted, tmp_path, json.dumps(config))
        before = sorted(os.listdir())
        done = call_cli("export", path, "--out", tmp_path / "out" / "m.ckpt")
        nothing_came_of_it(done, tmp_path, before)


def test_a_layer_of_ones_own_is_refused_and_what_to_do_is_said(converted):
    config = copy.deepcopy(converted[1])
    config["config"]["layers"].append(VEHICLES["a layer of someone's own"])
    line = refused(config, config_safety.must_be_known)
    assert "mine of m.h5, a Mine, is none of the layers of Keras" in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("module", "os"),
        ("module", "tf2"),
        ("registered_name", "rnn_parity>ResidualCell"),
        ("registered_name", None),
        ("class_name", "hard_sigmoid"),
    ],
)
def test_a_cell_of_ours_is_that_and_no_other(converted, key, value):
    config = copy.deepcopy(converted[1])
    (loop,) = [
        layer
        for layer in config["config"]["layers"]
        if layer["class_name"] == "RNN"
    ]
    loop["config"]["cell"][key] = value
    refused(config, config_safety.must_be_known)


COMPILED = {
    "optimizer": {
        "module": "keras.optimizers",
        "class_name": "Adam",
        "config": {
            "name": "adam",
            "learning_rate": {
                "module": "keras.optimizers.schedules",
                "class_name": "ExponentialDecay",
                "config": {"initial_learning_rate": 0.1, "decay_steps": 3},
                "registered_name": None,
            },
        },
        "registered_name": None,
    },
    "loss": {
        "module": "keras.losses",
        "class_name": "Huber",
        "config": {"name": "huber_loss", "reduction": "sum"},
        "registered_name": None,
    },
    "loss_weights": None,
    "metrics": {
        "dense": [
            "acc",
            {
                "module": "builtins",
                "class_name": "function",
                "config": "mean_absolute_error",
                "registered_name": "function",
            },
        ]
    },
    "weighted_metrics": None,
    "run_eagerly": False,
    "steps_per_execution": 1,
    "jit_compile": "auto",
}


def test_what_a_model_was_compiled_with_is_known(converted):
    config = converted[1] | {"compile_config": copy.deepcopy(COMPILED)}
    config_safety.must_be_known(config, "m.keras")
    for at in range(len(list(places(COMPILED)))):
        compiled = copy.deepcopy(COMPILED)
        inside, key = list(places(compiled))[at]
        inside[key] = OF_OS
        config = converted[1] | {"compile_config": compiled}
        refused(config, config_safety.must_be_known)


def test_a_second_config_json_is_refused(converted, tmp_path, call_cli):
    path = shutil.copyfile(converted[0], tmp_path / "twice.keras")
    with (
        zipfile.ZipFile(path, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr("config.json", json.dumps(converted[1]))
    done = call_cli("export", path, "--out", tmp_path / "m.ckpt")
    nothing_came_of_it(done, tmp_path, ["twice.keras"])
    assert "config.json' more than once" in done.stderr


# --- JSON that is none, or too much ---


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff\xfe", "codec can't decode"),
        ("", "Expecting value"),
        ("{", "Expecting property"),
        ('{"a": NaN}', "NaN where a number"),
        ('{"a": -Infinity}', "-Infinity where a number"),
        ('{"a": 1e999}', "the number 1e999"),
        ('{"a": 1, "a": 2}', "says a twice"),
        ("[" * 300 + "]" * 300, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (5, "it is no text"),
        (np.zeros(3), "it is no text"),
        ("9" * 5000, "4300"),
    ],
)
def test_json_that_is_none_is_named(text, reason):
    with pytest.raises(ValueError, match=reason):
        config_safety.loads(text)


@pytest.mark.parametrize(
    "value",
    ["{", "[" * 100_000, '{"a": NaN}', "[]", "7", '"x"', "{}", 5, [1.5, 2]],
    ids=repr,
)
def test_a_damaged_model_config_is_one_line(value, tmp_path, call_cli):
    path = tmp_path / "model.h5"
    shutil.copyfile(MODELS / "cells.h5", path)
    with h5py.File(path, "a") as file:
        del file.attrs["model_config"]
        if isinstance(value, str) and len(value) > 60_000:
            value = value[:60_000]
        file.attrs["model_config"] = value
    for options in ("--whole",), ():
        done = call_cli(
            "convert", path, "--out", tmp_path / "m.npz", *options
        )
        done = call_cli(
            "convert", path, "--out", tmp_path / "m.keras", *options
        )
        nothing_came_of_it(done, tmp_path, ["model.h5"])


def first(kind, config):
    """The first layer of a class."""
    layers = config["config"]["layers"]
    return next(la for la in layers if la["class_name"] == kind)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("units", 10**9),
        ("units", 10**12),
        ("units", 1e300),
        ("units", True),
        ("units", "4"),
        ("units", [4]),
        ("activation", "io.write_file"),
        ("activation", 3),
        ("use_bias", 2),
        ("dropout", float("1e308")),
        ("name", ["a"]),
        ("name", "x" * 2000),
        ("dtype", "complex64"),
        ("kernel_initializer", "os"),
        ("batch_input_shape", [10**6, 10**6]),
        ("batch_input_shape", [None, 10**9, 3]),
    ],
)
def test_values_that_no_layer_takes_are_refused(option, value, tmp_path):
    config = config_of(MODELS / "cells.h5")
    first("LSTM", config)["config"][option] = value
    path = tmp_path / "model.h5"
    shutil.copyfile(MODELS / "cells.h5", path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(UserError, match=r"model\.h5") as no:
        rnn_parity.convert_model(path)
    assert str(no.value).isprintable()


@pytest.mark.parametrize("name", ["io.write_file", "get", "deserialize"])
@pytest.mark.parametrize("module", [None, "builtins", "keras.activations"])
def test_a_function_that_is_not_known_is_named(name, module):
    config = config_of(MODELS / "cells.h5")
    value = {"module": module, "class_name": "function", "config": name}
    first("LSTM", config)["config"]["activation"] = value if module else name
    assert f"has the function '{name}'" in refused(config)


def test_more_layers_than_can_be_are_refused():
    config = config_of(MODELS / "cells.h5")
    layers = config["config"]["layers"]
    layers += [layers[-1]] * 100_000
    assert "one of more than" in refused(config)
    deep = config_of(MODELS / "cells.h5")
    for _ in range(50):
        inside = {"class_name": "TimeDistributed", "config": {"layer": deep}}
        deep = {"class_name": "Sequential", "config": {"layers": [inside]}}
    assert "lies within more than" in refused(deep)


@pytest.mark.parametrize("way", ["inputs", "size", "padding"])
def test_an_unrolled_loop_of_many_steps_is_refused(way):
    config = config_of(MODELS / "cells.h5")
    if way == "inputs":
        first("Masking", config)["config"]["batch_input_shape"][1] = 10**6
    else:
        kind = {"size": "UpSampling1D", "padding": "ZeroPadding1D"}[way]
        options = {"name": "longer", way: 5000}
        layer = {"class_name": kind, "config": options}
        config["config"]["layers"].insert(1, layer)
    assert "is unrolled" in refused(config)


@pytest.mark.parametrize(
    ("at", "kind", "options"),
    [
        (6, "RepeatVector", {"n": 10**8}),
        (2, "UpSampling1D", {"size": 10**8}),
    ],
)
def test_more_than_a_machine_holds_is_not_tried(at, kind, options, tmp_path):
    config = config_of(MODELS / "stack.h5")
    layers = config["config"]["layers"]
    layer = {"class_name": kind, "config": {"name": "longer"} | options}
    layers.insert(at - 1, layer)
    path = tmp_path / "model.h5"
    shutil.copyfile(MODELS / "stack.h5", path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(UserError, match=r"longer of .* (gives|has size=)"):
        rnn_parity.convert_model(path)


def test_more_than_a_keras_file_stores_is_not_made(
    converted, tmp_path, call_cli
):
    config = copy.deepcopy(converted[1])
    loop = first("RNN", config)
    loop["config"]["cell"]["config"]["units"] = 10**6
    path = with_config(converted, tmp_path, json.dumps(config))
    done = call_cli("export", path, "--out", tmp_path / "m.ckpt")
    nothing_came_of_it(done, tmp_path, ["planted.keras"])
    assert "is damaged (its layers hold" in done.stderr


# --- Damage ---


def rename(config, old, new):
    return json.loads(json.dumps(config).replace(f'"{old}"', f'"{new}"'))


@pytest.mark.parametrize("make", FORMATS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("activation", "activatioo"),
        ("recurrent_activation", "recurrent_activatinn"),
        ("sigmoid", "sigmoie"),
        ("class_name", "class_namf"),
        ("go_backwards", "go_backwardt"),
    ],
)
def test_a_damaged_word_is_refused(make, old, new, tmp_path):
    path = make(tmp_path, lambda config: rename(config, old, new))
    with pytest.raises(UserError):
        rnn_parity.convert_model(path)


@pytest.mark.parametrize("beside", [False, True])
def test_what_is_said_twice_must_be_the_same(beside, tmp_path):
    path = with_saved_model(
        tmp_path, lambda c: rename(c, "relu", "tanh"), beside
    )
    with pytest.raises(UserError, match=r"is damaged .*two things"):
        rnn_parity.convert_model(path)
    with pytest.raises(UserError, match=r"is damaged .*two things"):
        rnn_parity.checkpoints.reader.open_checkpoint(path)


def test_a_model_is_the_same_both_times_it_is_said(tmp_path):
    """Also in what no other test of agreement looks at."""
    path = shutil.copytree(MODELS / "sentiment_saved", tmp_path / "model")
    file = path / "saved_model.pb"
    content = file.read_bytes()
    old, new = b'"recurrent_dropout": 0.0', b'"recurrent_dropout": 0.5'
    assert content.count(old) > 1
    file.write_bytes(content.replace(old, new, 1))
    with pytest.raises(UserError, match=r"is damaged .*two things"):
        rnn_parity.convert_model(path)


def test_a_saved_model_of_damaged_bytes_is_the_same_or_refused(tmp_path):
    """Bits and bytes at random, half of them where layers are described."""
    path = shutil.copytree(MODELS / "sentiment_saved", tmp_path / "model")
    file = path / "saved_model.pb"
    genuine = file.read_bytes()
    told = config_safety.rebuilt(keras_config.whole_model(path), path)
    at = genuine.index(b'{"class_name": "Sequential"')
    random, refusals = np.random.default_rng(4), 0
    for number in range(120):
        content = bytearray(genuine)
        low, high = (at, at + 6000) if number % 2 else (0, len(genuine))
        where = random.integers(low, high)
        content[where] ^= 1 << random.integers(8)
        file.write_bytes(content)
        try:
            found = config_safety.rebuilt(
                keras_config.whole_model(path), path
            )
        except ValueError:
            refusals += 1
        else:
            assert found == told, (where, genuine[where - 40 : where + 10])
    assert refusals > 60


def test_a_part_that_tensorflow_does_not_know_is_damage(tmp_path):
    path = shutil.copytree(MODELS / "sentiment_saved", tmp_path / "model")
    file = path / "saved_model.pb"
    file.write_bytes(file.read_bytes() + b"\xf8\x07\x01")  # field 127
    with pytest.raises(UserError, match="parts that TensorFlow does not"):
        saved_model.read(path)
    file.write_bytes(b"no protobuf")
    with pytest.raises(UserError, match="is damaged"):
        saved_model.read(path)


def test_complex_weights_are_no_weights(tmp_path):
    path = tmp_path / "model.h5"
    for dtype in ("complex64", "float64", "int32"):
        shutil.copyfile(MODELS / "stack.h5", path)
        with h5py.File(path, "a") as file:
            group = file["model_weights/dense/dense"]
            kernel = group["kernel:0"][()].astype(dtype)
            del group["kernel:0"]
            group["kernel:0"] = kernel + (1j if dtype == "complex64" else 0)
        with pytest.raises(UserError, match=f"kernel:0 .*(is|holds) {dtype}"):
            rnn_parity.convert_model(path)


def test_more_than_is_stored_is_not_made(tmp_path):
    """Thousands of units where a few are stored, and arrays that are not."""
    path = tmp_path / "model.h5"
    config = config_of(MODELS / "stack.h5")
    first("Dense", config)["config"]["units"] = 50_000
    shutil.copyfile(MODELS / "stack.h5", path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(UserError, match="its layers hold more than the"):
        rnn_parity.convert_model(path)
    with h5py.File(path, "a") as file:
        file["model_weights"].create_dataset("x", (10**6, 10**6), chunks=True)
    with pytest.raises(UserError, match="0 of its 4182025 chunks"):
        rnn_parity.convert_model(path)


def test_looking_at_a_configuration_imports_no_keras():
    done = run_python(
        "-c",
        "import sys, rnn_parity.checkpoints.config_safety\n"
        "print(*{name.split('.')[0] for name in sys.modules})",
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "rnn_parity" in loaded
    assert not loaded & {"keras", "tf_keras", "tensorflow", "numpy"}
