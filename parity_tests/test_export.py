"""A converted model goes back to a checkpoint that TensorFlow 1 restores.

`recorded/restored_tf1.15.5.json` says what the genuine 1.15.5 restored from
such an export, and with it computed bit for bit what it had recorded: what is
exported here must be the same bytes.
"""

import json

import keras
import numpy as np
import pytest

import recorded
import rnn_parity
from recorded import record_all, restore_exported
from rnn_parity import UserError
from rnn_parity.checkpoints import reader
from rnn_parity.checkpoints.export import export_checkpoint

FOLDER = recorded.FOLDER / "checkpoints"
ALL = sorted(path.parent.name for path in FOLDER.glob("*/truth.json"))
NAMES = [name for name in ALL if name != "keras_layers"]
RESTORED = json.loads(record_all.RESTORED.read_text("utf-8"))["restored"]


def read_all(prefix):
    opened = reader.open_checkpoint(prefix)
    return {name: opened.read(name) for name in opened.shapes}


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back_is_bit_exact(name, tmp_path):
    prefix = record_all.export_again(FOLDER / name, tmp_path / "out")
    before = read_all(FOLDER / name / "model.ckpt")
    after = read_all(prefix)
    assert set(after) == set(before)
    for variable, array in before.items():
        assert after[variable].dtype == array.dtype, variable
        np.testing.assert_array_equal(after[variable], array, variable)
    if name in RESTORED:
        found = restore_exported.fingerprint(after.__getitem__, after)
        assert found == RESTORED[name]


def test_the_genuine_release_restored_all_of_its_own():
    of_it = [
        name
        for name in NAMES
        if json.loads((FOLDER / name / "truth.json").read_text("utf-8"))[
            "tensorflow"
        ]
        == "1.15.5"
    ]
    assert sorted(RESTORED) == sorted(of_it)


def test_tensorflow_finds_it_as_the_latest_checkpoint(tmp_path):
    from rnn_parity.quiet import tf

    prefix = record_all.export_again(FOLDER / "stacked_lstm", tmp_path / "a")
    latest = tf.train.latest_checkpoint(str(prefix.parent))
    assert latest == str(prefix)


def saved(tmp_path, name, **options):
    path = tmp_path / "model.keras"
    rnn_parity.convert_checkpoint(FOLDER / name, **options).save(path)
    return path


def trained_further(path, to):
    """Two epochs more in Keras, saved by Keras."""
    from tf2 import tf1_cells  # noqa: F401

    model = keras.models.load_model(path)
    optimizer = model.optimizer
    random = np.random.default_rng(2)
    inputs = random.standard_normal((6, 5, 3)).astype("float32")
    shape = model(inputs).shape
    targets = random.standard_normal(shape).astype("float32")
    model.compile(optimizer=optimizer, loss="mse")
    model.fit(inputs, targets, epochs=2, batch_size=3, verbose=0)
    model.save(to)
    return model


def test_a_model_trained_further_is_right_to_the_last_place(tmp_path):
    path = saved(tmp_path, "stacked_lstm", learning_rate=0.01)
    tuned = tmp_path / "tuned.keras"
    model = trained_further(path, tuned)
    before = read_all(FOLDER / "stacked_lstm" / "model.ckpt")
    arrays, _ = export_checkpoint(
        tuned, tmp_path / "out", like=FOLDER / "stacked_lstm"
    )
    after = read_all(tmp_path / "out")
    assert set(after) == set(before) == set(arrays)
    scope = "rnn/multi_rnn_cell/cell_0/lstm_cell"
    assert not np.array_equal(
        after[f"{scope}/kernel"], before[f"{scope}/kernel"]
    )
    cell = model.get_layer(scope.replace("/", ".")).cell
    i, j, f, o = np.split(after[f"{scope}/bias"], 4)
    folded = np.concatenate([i, f + np.float32(1), j, o])
    wanted = np.asarray(cell.bias)
    assert (np.abs(folded - wanted) <= np.spacing(np.abs(wanted))).all()
    assert after["global_step"] == before["global_step"] + 4
    power = np.float32(0.9 ** (int(after["global_step"]) + 1))
    assert after["beta1_power"] == power
    # What comes out is a checkpoint that converts again.
    again = rnn_parity.convert_checkpoint(tmp_path / "out")
    series = np.random.default_rng(4).standard_normal((2, 5, 3))
    outputs, _ = again.run(series)
    logits = again.read_out(outputs)
    difference = np.asarray(model(series.astype("float32"))) - logits
    assert np.abs(difference).max() < 1e-6


def test_a_model_that_keras_saved_needs_like(tmp_path):
    path = saved(tmp_path, "stacked_lstm")
    keras.models.load_model(path).save(tmp_path / "again.keras")
    with pytest.raises(UserError, match="--like"):
        export_checkpoint(tmp_path / "again.keras", tmp_path / "out")
    assert not list(tmp_path.glob("out*"))
    export_checkpoint(
        tmp_path / "again.keras",
        tmp_path / "out",
        like=FOLDER / "stacked_lstm",
    )
    before = read_all(FOLDER / "stacked_lstm" / "model.ckpt")
    after = read_all(tmp_path / "out")
    for variable, array in before.items():
        np.testing.assert_array_equal(after[variable], array, variable)


def test_averages_go_back_to_where_they_came_from(tmp_path):
    path = saved(tmp_path, "moving_averages", averages=True)
    export_checkpoint(path, tmp_path / "out")
    before = read_all(FOLDER / "moving_averages" / "model.ckpt")
    after = read_all(tmp_path / "out")
    for variable, array in before.items():
        np.testing.assert_array_equal(after[variable], array, variable)


def test_what_tensorflow_1_has_no_place_for_is_refused(tmp_path):
    random = np.random.default_rng(1)
    shapes = {"kernel_w": (3, 4), "kernel_u": (1, 4), "bias": (4,)}
    stored = {
        f"rnn/ind_rnn_cell/{name}": random.standard_normal(shape)
        for name, shape in shapes.items()
    }
    np.savez(tmp_path / "ind.npz", **stored)
    found = rnn_parity.convert_checkpoint(tmp_path / "ind.npz")
    found.save(tmp_path / "plain.keras")
    export_checkpoint(tmp_path / "plain.keras", tmp_path / "plain")
    after = read_all(tmp_path / "plain")
    for name, array in stored.items():
        np.testing.assert_array_equal(after[name], array)
    kernel = found.layers["rnn/ind_rnn_cell"].cell.recurrent_kernel
    kernel.assign(np.ones((4, 4)))
    found.save(tmp_path / "full.keras")
    with pytest.raises(UserError, match="no place for"):
        export_checkpoint(tmp_path / "full.keras", tmp_path / "full")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        (b"nothing like it", r"no \.keras file"),
    ],
)
def test_another_file_is_refused(content, message, tmp_path):
    path = tmp_path / "model.keras"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        export_checkpoint(path, tmp_path / "out")


def test_a_truncated_model_is_refused(tmp_path):
    path = saved(tmp_path, "stacked_lstm")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="cut off"):
        export_checkpoint(path, tmp_path / "out")


def test_a_model_without_the_layers_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(5)])
    model.save(tmp_path / "other.keras")
    with pytest.raises(UserError, match="no layer"):
        export_checkpoint(
            tmp_path / "other.keras",
            tmp_path / "out",
            like=FOLDER / "stacked_lstm",
        )


def test_what_is_there_is_kept_unless_forced(tmp_path):
    path = saved(tmp_path, "stacked_lstm")
    export_checkpoint(path, tmp_path / "out")
    with pytest.raises(UserError, match="--force"):
        export_checkpoint(path, tmp_path / "out")
    export_checkpoint(path, tmp_path / "out", force=True)
    read_all(tmp_path / "out")
