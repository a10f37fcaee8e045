"""What tf.keras of TensorFlow 1 saved: HDF5, objects, cuDNN's layers.

`recorded/checkpoints/keras_model` holds the same model as a Saver and as
tf.keras saved it; the other `keras_` folders are tested with all the rest in
`test_convert` and `test_export`.
"""

import itertools
import json
import shutil
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

import recorded
import rnn_parity
from numpy_ref import tf1_keras_cells, tf1_rnn
from rnn_parity import UserError, ladder, layouts, tolerances
from rnn_parity.checkpoints import hdf5, keras_config, reader
from rnn_parity.checkpoints.diagnose import AS_IT_IS, diagnose
from rnn_parity.checkpoints.export import export_checkpoint

FOLDER = recorded.FOLDER / "checkpoints"
HDF5 = FOLDER / "keras_model" / "model.h5"
ALLOWED = tolerances.CELLS["float32"].allowed


def recorded_runs(found, name):
    """Every error against what 1.15.5 computed."""
    truth = recorded.read(FOLDER / name / "truth.npz")
    for stack in found.inventory.stacks:
        run = stack.name
        count = sum(key.startswith(f"{run}/state/") for key in truth)
        outputs, _ = found.run(
            truth[f"{run}/inputs"],
            [truth[f"{run}/state/{n}"] for n in range(count)],
            truth[f"{run}/lengths"],
            run,
        )
        yield ladder.error_of(outputs, truth[f"{run}/outputs"])


# --- HDF5 ---


def test_hdf5_holds_what_the_saver_saved():
    saver = reader.open_checkpoint(FOLDER / "keras_model" / "model.ckpt")
    whole = reader.open_checkpoint(HDF5)
    assert set(whole.shapes) == set(saver.shapes)
    for name in saver.shapes:
        assert whole.dtypes[name] == saver.dtypes[name], name
        np.testing.assert_array_equal(whole.read(name), saver.read(name))


def test_a_whole_model_says_what_its_layers_were_made_with():
    found = rnn_parity.convert_checkpoint(HDF5)
    assert found.cell_options["lstm"]["recurrent_activation"] == "sigmoid"
    assert found.cell_options["gru"] == {
        "activation": "relu",
        "recurrent_activation": "hard_sigmoid",
    }
    assert not any("is taken to be" in line for line in found.report.notes)
    assert max(recorded_runs(found, "keras_model")) <= ALLOWED
    assert found.model.optimizer.learning_rate == np.float32(0.01)
    assert found.model.optimizer.iterations == 2


def test_a_saved_model_holds_what_the_saver_saved():
    """Under names that only the graph of objects ties to layers."""
    saver = reader.open_checkpoint(FOLDER / "keras_model" / "model.ckpt")
    saved = reader.open_checkpoint(FOLDER / "keras_model" / "variables")
    assert saved.stored["layer_with_weights-0/kernel"].startswith(
        "trainable_variables/0/"
    )
    layers = {"lstm": 0, "gru": 1, "dense": 2}
    weights = [n for n in saver.shapes if n.split("/")[0] in layers]
    assert len(weights) == 8
    for name in weights:
        layer, _, local = name.partition("/")
        path = f"layer_with_weights-{layers[layer]}/{local}"
        np.testing.assert_array_equal(saved.read(path), saver.read(name))
        for slot in "mv" if layer != "dense" else "":
            np.testing.assert_array_equal(
                saved.read(f"optimizer/Adam/{path}/{slot}"),
                saver.read(f"Adam/{name}/{slot}"),
            )


def test_a_saved_model_goes_back_under_its_own_names(tmp_path):
    prefix = FOLDER / "keras_model" / "variables" / "variables"
    found = rnn_parity.convert_checkpoint(prefix)
    found.save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "back")
    before = reader.open_checkpoint(prefix)
    after = reader.open_checkpoint(tmp_path / "back")
    assert after.stored == before.stored
    for name in before.shapes:
        assert (after.read(name) == before.read(name)).all(), name


def test_what_the_user_says_counts_for_more():
    found = rnn_parity.convert_checkpoint(HDF5, activation={"gru": "tanh"})
    assert found.cell_options["gru"]["activation"] == "tanh"
    assert max(recorded_runs(found, "keras_model")) > 1e-3


def test_saved_weights_alone_leave_it_to_the_defaults(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(HDF5) as whole, h5py.File(path, "w") as file:
        weights = whole["model_weights"]
        for layer in weights:
            weights.copy(layer, file)
        file.attrs["layer_names"] = weights.attrs["layer_names"]
    found = rnn_parity.convert_checkpoint(path)
    told = found.cell_options["lstm"]["recurrent_activation"]
    assert told == "hard_sigmoid"
    assert any("recurrent_activation" in line for line in found.report.notes)
    options = {
        "activation": {"gru": "relu"},
        "recurrent_activation": {"lstm": "sigmoid"},
    }
    found = rnn_parity.convert_checkpoint(path, **options)
    assert max(recorded_runs(found, "keras_model")) <= ALLOWED


def layers_of_every_kind():
    """{name: layer of tf.keras}, each made with options of its own."""
    layers = tf_keras.layers

    def lstm(units, activation="elu", gates="sigmoid", **options):
        return layers.LSTM(
            units, activation, gates, return_sequences=True, **options
        )

    within = tf_keras.Sequential(
        [lstm(3, "softsign", "relu"), layers.Dense(6, "selu", name="low")],
        name="within",
    )
    frozen_first = tf_keras.Sequential(
        [
            layers.GRU(4, "relu", "tanh", return_sequences=True),
            lstm(3, "softplus", "hard_sigmoid"),
        ],
        name="frozen_first",
    )
    frozen_first.layers[0].trainable = False
    return {
        "plain": lstm(4, "relu", "hard_sigmoid", name="plain"),
        "a/slash": lstm(5, "relu6", name="a/slash"),
        "td": layers.TimeDistributed(layers.Dense(4, "tanh"), name="td"),
        "td_lstm": layers.TimeDistributed(lstm(4), name="td_lstm"),
        "td_both": layers.TimeDistributed(
            layers.Bidirectional(lstm(3, "softplus")), name="td_both"
        ),
        "both": layers.Bidirectional(
            lstm(4, "selu", name="one"),
            backward_layer=lstm(
                4, "sigmoid", go_backwards=True, name="other"
            ),
            name="both",
        ),
        "within": within,
        "frozen_first": frozen_first,
        "stack": layers.RNN(
            [
                layers.GRUCell(3, "elu", reset_after=False),
                layers.SimpleRNNCell(4, "sigmoid"),
            ],
            return_sequences=True,
            name="stack",
        ),
        "one_cell": layers.RNN(
            layers.LSTMCell(3, "linear"),
            return_sequences=True,
            name="one_cell",
        ),
        "no_bias": layers.GRU(
            4,
            "exponential",
            "softsign",
            reset_after=True,
            use_bias=False,
            return_sequences=True,
            name="no_bias",
        ),
    }


def as_hdf5(model, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(folder / "model.h5")
    return folder / "model.h5"


def as_saved_model(model, folder):
    model.save(folder / "model", save_format="tf")
    return folder / "model"


def as_exported(model, folder):
    """As `tf.keras.experimental.export_saved_model` of 1.15 had it."""
    folder = folder / "exported"
    (folder / "assets").mkdir(parents=True)
    (folder / "assets" / "saved_model.json").write_text(model.to_json())
    model.save_weights(folder / "variables" / "variables", save_format="tf")
    (folder / "saved_model.pb").touch()
    return folder


WAYS = [as_hdf5, as_saved_model, as_exported]


@pytest.mark.parametrize(
    ("name", "save"),
    spread(
        list(itertools.product(layers_of_every_kind(), WAYS)),
        # A SavedModel takes seconds to write.
        lambda one: (
            one[1] is not as_saved_model
            or one[0] in ("td_lstm", "a/slash", "stack")
        ),
    ),
)
def test_what_a_model_says_of_its_layers_is_believed(tmp_path, name, save):
    """Each computes what tf.keras does, with nothing told by hand."""
    random = np.random.default_rng(7)
    layer = layers_of_every_kind()[name]
    shape = (2, 5, 4, 3) if name.startswith("td_") else (2, 5, 3)
    x = random.standard_normal(shape).astype("float32")
    first = tf_keras.layers.LSTM(3, return_sequences=True, name="first")
    model = tf_keras.Sequential([layer])
    if name == "td":
        model = tf_keras.Sequential([first, layer])
    expected = np.asarray(model(x))
    for variable in model.weights:
        value = random.standard_normal(variable.shape) / 2
        variable.assign(value.astype("float32"))
    expected = np.asarray(model(x))
    found = rnn_parity.convert_checkpoint(save(model, tmp_path))
    stacks = [stack.name for stack in found.inventory.stacks]
    stacks.sort(key=lambda one: one.endswith("lstm") or "-1" in one)
    rows = x.reshape(-1, *x.shape[-2:])
    for stack in stacks:
        rows, _ = found.run(rows, stack=stack)
        if isinstance(rows, tuple):
            rows = np.concatenate(rows, axis=-1)
    if found.inventory.read_outs:
        rows = found.read_out(rows)
    assert ladder.error_of(rows.reshape(expected.shape), expected) < 1e-5
    assert "no checkpoint tells" not in str(found.report)
    assert "no activation" not in str(found.report)


@pytest.mark.parametrize(
    "save", spread(WAYS, [as_hdf5, as_exported].__contains__)
)
def test_what_is_no_option_is_said(tmp_path, save):
    layers = tf_keras.layers

    def lstm(name, **options):
        return layers.LSTM(3, return_sequences=True, name=name, **options)

    model = tf_keras.Sequential(
        [
            layers.Input((5, 3)),
            layers.Masking(-1.0, name="hides"),
            lstm("turned", go_backwards=True),
            lstm("dropping", dropout=0.25, recurrent_dropout=0.5),
            lstm("other_axes", time_major=True),
            layers.Bidirectional(lstm("in"), "sum", name="added"),
            layers.Bidirectional(lstm("there"), name="plain"),
        ]
    )
    opened = reader.open_checkpoint(save(model, tmp_path))
    said = " ".join(opened.notes)
    for words in (
        "hides left steps out whose inputs are all -1.0",
        "turned was made with go_backwards=True",
        "dropping was made with dropout=0.25, recurrent_dropout=0.5",
        "other_axes was made with time_major=True",
        "added was made with merge_mode='sum'",
    ):
        assert words in said
    assert keras_config.WHOLE in opened.notes
    assert (hdf5.NO_CHECKSUM in opened.notes) is (save is as_hdf5)
    assert len(opened.notes) == 7


def test_a_damaged_saved_model_still_has_its_variables(tmp_path):
    model = tf_keras.Sequential([tf_keras.layers.LSTM(4)])
    model(np.ones((1, 2, 3), "float32"))
    folder = as_exported(model, tmp_path)
    (folder / "assets" / "saved_model.json").write_text("{")
    found = rnn_parity.convert_checkpoint(folder)
    assert "says of its layers is damaged (Expecting" in str(found.report)
    assert "activation is taken to be tanh" in str(found.report)


def test_a_name_of_several_layers_is_several(tmp_path):
    """HDF5 has a group for each of two models with a layer `lstm`."""

    def model(name):
        lstm = tf_keras.layers.LSTM(4, name="lstm")
        return tf_keras.Sequential([tf_keras.Input((5, 3)), lstm], name=name)

    x = tf_keras.Input((5, 3))
    both = tf_keras.layers.Add()([model("one")(x), model("two")(x)])
    opened = reader.open_checkpoint(
        as_hdf5(tf_keras.Model(x, both), tmp_path)
    )
    kernels = [name for name in opened.shapes if name.endswith("t_kernel")]
    assert kernels == [f"{n}/lstm/recurrent_kernel" for n in ("one", "two")]


def test_an_old_sequential_has_no_name():
    """Keras before 2.2 wrote the list of layers in place of a dict."""
    old = {"class_name": "LSTM", "config": {"recurrent_initializer": {}}}
    named = {"class_name": "Dense", "config": {"name": "dense"}}
    model = [{"class_name": "Sequential", "config": [old]}, named]
    weights = {"sequential_1": {"lstm/kernel": 0}, "dense": {}}
    assert hdf5._with_weights(model, weights) == [
        (named, []),
        (model[0], ["lstm/kernel"]),
    ]


def test_an_activation_we_do_not_have_is_not_guessed(tmp_path):
    path = tmp_path / "model.h5"
    shutil.copyfile(HDF5, path)
    with h5py.File(path, "a") as file:
        text = file.attrs["model_config"]
        file.attrs["model_config"] = text.replace('"relu"', '"swish"')
        assert text != file.attrs["model_config"]
    with pytest.raises(
        UserError, match=r"activation=swish of gru.*--activation gru"
    ):
        rnn_parity.convert_checkpoint(path)
    told = rnn_parity.convert_checkpoint(path, activation={"gru": "relu"})
    assert max(recorded_runs(told, "keras_model")) <= ALLOWED


def test_slots_of_a_later_keras_are_left_out(tmp_path):
    path = tmp_path / "model.h5"
    shutil.copyfile(HDF5, path)
    with h5py.File(path, "a") as file:
        del file["optimizer_weights"]
        shape = file["model_weights/lstm/lstm/kernel:0"].shape
        file["optimizer_weights/Adam/m/lstm/kernel:0"] = np.ones(shape)
    opened = reader.open_checkpoint(path)
    assert not any(name.startswith("Adam") for name in opened.shapes)
    assert "left out" in opened.notes[0]


@pytest.mark.parametrize("spoil", ["cut", "text", "missing", "keras 3"])
def test_an_hdf5_file_of_no_use_is_one_line(call_cli, tmp_path, spoil):
    path = tmp_path / "model.h5"
    if spoil == "cut":
        path.write_bytes(HDF5.read_bytes()[:3000])
    elif spoil == "text":
        path.write_text("no\n")
    elif spoil == "keras 3":
        path = tmp_path / "model.weights.h5"
        keras.Sequential(
            [keras.Input((2, 3)), keras.layers.LSTM(4)]
        ).save_weights(path)
    done = call_cli("inspect", path)
    assert done.returncode == 2
    assert str(path) in one_line(done.stderr)


# --- What Keras 3 does with the same files ---


def test_keras_3_does_not_load_the_model():
    with pytest.raises(TypeError, match="could not be deserialized"):
        keras.models.load_model(HDF5)


def model_of_keras_3(**options):
    x = keras.Input((6, 3))
    lstm = keras.layers.LSTM(5, return_sequences=True, name="lstm")
    gru = keras.layers.GRU(
        4, "relu", return_sequences=True, name="gru", **options
    )
    both = keras.layers.Concatenate()([lstm(x), gru(x)])
    return keras.Model(x, keras.layers.Dense(7, name="dense")(both)), gru


@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
def test_keras_3_loads_the_weights_and_computes_something_else(gates):
    model, gru = model_of_keras_3(
        reset_after=False, recurrent_activation=gates
    )
    model.load_weights(HDF5)
    truth = recorded.read(FOLDER / "keras_model" / "truth.npz")
    x, state = truth["gru/inputs"], truth["gru/state/0"]
    full = truth["gru/lengths"] == x.shape[1]
    outputs = np.asarray(gru(x, initial_state=state))[full]
    assert ladder.error_of(outputs, truth["gru/outputs"][full]) > 1e-3


def test_keras_3_wants_another_bias_of_its_own_gru():
    model, _ = model_of_keras_3()
    with pytest.raises(ValueError, match="Shape mismatch"):
        model.load_weights(HDF5)


def test_keras_3_does_not_read_the_format():
    model, _ = model_of_keras_3()
    with pytest.raises(ValueError, match="File format not supported"):
        model.load_weights(FOLDER / "keras_objects" / "model.ckpt")


# --- hard_sigmoid ---


def test_a_saved_model_keeps_the_hard_sigmoid(tmp_path):
    """Loaded in a process of its own, with the import that is printed."""
    path = tmp_path / "model.keras"
    found = rnn_parity.convert_checkpoint(FOLDER / "keras_two_ways")
    found.save(path)
    x = np.random.default_rng(1).standard_normal((2, 4, 3)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, keras, numpy as np, tf2.tf1_cells\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "x = np.load(sys.argv[2])\n"
        "y = model({'both.inputs': x, 'stack.inputs': x})\n"
        "np.savez(sys.argv[3], **{k: np.asarray(v) for k, v in y.items()})\n"
    )
    paths = [path, tmp_path / "x.npy", tmp_path / "y.npz"]
    subprocess.run([sys.executable, "-c", code, *paths], check=True)
    again = np.load(tmp_path / "y.npz")
    for name in ("both", "stack"):
        outputs, _ = found.run(x, stack=name)
        outputs = np.concatenate(outputs, -1) if name == "both" else outputs
        assert ladder.error_of(again[name], outputs) < 1e-6


def test_strict_refuses_the_hard_sigmoid_alone():
    folder = FOLDER / "keras_layers"
    with pytest.raises(UserError, match=r"hard_sigmoid of Keras 2 \(0.2"):
        rnn_parity.convert_checkpoint(folder, strict=True)
    found = rnn_parity.convert_checkpoint(
        folder, strict=True, recurrent_activation="sigmoid"
    )
    assert not found.report.own


# --- cuDNN's layers ---


def cudnn(random, gates, inputs=3, units=5):
    shapes = {
        "kernel": (inputs, gates * units),
        "recurrent_kernel": (units, gates * units),
        "bias": (2 * gates * units,),
    }
    return {
        name: random.standard_normal(shape).astype("float32")
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize(
    ("gates", "cell"), [(4, "CuDNNLSTM"), (3, "CuDNNGRU")]
)
def test_cudnn_layers_trained_further_go_back(tmp_path, gates, cell):
    random = np.random.default_rng(2)
    arrays = cudnn(random, gates)
    path = tmp_path / "weights.npz"
    np.savez(path, **{f"layer/{name}": a for name, a in arrays.items()})
    found = rnn_parity.convert_checkpoint(path)
    found.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    kernel, recurrent, bias = model.layers[-1].get_weights()
    changed = bias.copy()
    changed[..., ::2] += 0.25
    model.layers[-1].set_weights([kernel + 1, recurrent, changed])
    model.save(tmp_path / "tuned.keras")
    export_checkpoint(tmp_path / "tuned.keras", tmp_path / "out", like=path)
    back = reader.open_checkpoint(tmp_path / "out")
    stored = {name: back.read(f"layer/{name}") for name in arrays}
    same = np.array_equal(
        stored["recurrent_kernel"], arrays["recurrent_kernel"]
    )
    assert same
    both, old = (each["bias"].reshape(2, -1) for each in (stored, arrays))
    np.testing.assert_array_equal(both[:, 1::2], old[:, 1::2])
    kind = getattr(tf1_keras_cells, cell)(**stored)
    x = random.standard_normal((2, 4, 3)).astype("float32")
    expected, _ = tf1_rnn.dynamic_rnn(kind, x, kind.zero_state(2))
    assert ladder.error_of(np.asarray(model(x)), expected) < 1e-6


def test_slots_of_two_biases_are_left_out(tmp_path):
    arrays = cudnn(np.random.default_rng(3), 4)
    stored = {f"layer/{name}": array for name, array in arrays.items()}
    stored |= {f"{name}/Adagrad": abs(a) for name, a in stored.items()}
    np.savez(tmp_path / "weights.npz", **stored)
    found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
    assert "layer trains two biases" in found.report.optimizer
    assert not hasattr(found.model, "optimizer")


def test_slots_of_other_optimizers_of_tf_keras_are_left_out(tmp_path):
    arrays = cudnn(np.random.default_rng(4), 3)
    stored = {f"layer/{name}": array for name, array in arrays.items()}
    for slot in ("rms", "momentum"):
        slots = {f"training/RMSprop/{n}/{slot}": a for n, a in stored.items()}
        np.savez(tmp_path / f"{slot}.npz", **stored, **slots)
        found = rnn_parity.convert_checkpoint(tmp_path / f"{slot}.npz")
        line = found.report.optimizer
        assert f"of tf.keras ({slot}) are left out" in line


def test_an_optimizer_may_be_called_anything(tmp_path):
    arrays = cudnn(np.random.default_rng(5), 3)
    stored = {f"layer/{name}": array for name, array in arrays.items()}
    slots = {f"{name}/my_opt": array for name, array in stored.items()}
    np.savez(tmp_path / "weights.npz", **stored, **slots)
    found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
    line = found.report.optimizer
    assert line.startswith("slots of my_opt, an optimizer's of that name or")


def test_layouts_of_cudnn_go_both_ways():
    for gates in (3, 4):
        arrays = cudnn(np.random.default_rng(gates), gates)
        there = layouts.cudnn_layer_to_keras(**arrays)
        back = layouts.cudnn_layer_from_keras(**there)
        for name in ("kernel", "recurrent_kernel"):
            np.testing.assert_array_equal(back[name], arrays[name])


# --- diagnose ---


def test_a_right_port_matches_as_it_is():
    """Keras repeats its last output past a row's end, as tf.keras did."""
    found = rnn_parity.convert_checkpoint(HDF5)
    truth = recorded.read(FOLDER / "keras_model" / "truth.npz")
    lengths = truth["lstm/lengths"]
    mask = np.arange(truth["lstm/inputs"].shape[1]) < lengths[:, None]
    c, h = truth["lstm/state/0"], truth["lstm/state/1"]
    outputs, *_ = found.layers["lstm"](
        truth["lstm/inputs"], initial_state=[h, c], mask=mask
    )
    told = diagnose(
        HDF5,
        truth["lstm/inputs"],
        np.asarray(outputs),
        state=(c, h),
        lengths=lengths,
        stack="lstm",
    )
    assert told.verdict == AS_IT_IS


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("activation", "hard_tanh", "no activation 'hard_tanh'"),
        ("recurrent_activation", "hard", "mean hard_sigmoid"),
        ("forget_bias", 1.0, "no forget_bias in a tf.keras.LSTM"),
    ],
)
def test_diagnose_refuses_what_the_layer_cannot_have(option, value, message):
    x = np.ones((2, 3, 3), "float32")
    with pytest.raises(UserError, match=message):
        diagnose(HDF5, x, np.ones((2, 3, 5)), stack="lstm", **{option: value})


def test_json_says_the_kind(call_cli):
    done = call_cli("inspect", FOLDER / "keras_objects", "--json", "-")
    stacks = json.loads(done.stdout)["stacks"]
    kinds = [cell["kind"] for stack in stacks for cell in stack["cells"]]
    assert kinds == ["tf.keras.LSTM", "tf.keras.GRUResetAfter"]
