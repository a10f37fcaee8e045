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
from rnn_parity import UserError, cli
from rnn_parity.checkpoints import export, reader
from rnn_parity.checkpoints.export import export_checkpoint

FOLDER = recorded.FOLDER / "checkpoints"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/truth.json"))
RESTORED = json.loads(record_all.RESTORED.read_text("utf-8"))["restored"]


def read_all(prefix):
    opened = reader.open_checkpoint(prefix)
    return {at: opened.read(name) for name, at in opened.stored.items()}


def same_bits(one, other):
    """Also where -0 and 0 would be equal."""
    alike = (one.dtype, one.shape) == (other.dtype, other.shape)
    if one.dtype == object:  # strings, whose bytes are pointers
        return alike and bool((one == other).all())
    return alike and one.tobytes() == other.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back_is_bit_exact(name, tmp_path):
    prefix = record_all.export_again(FOLDER / name, tmp_path / "out")
    before = read_all(FOLDER / name / "model.ckpt")
    after = read_all(prefix)
    assert set(after) == set(before)
    for variable, array in before.items():
        assert same_bits(after[variable], array), variable
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


LSTM = {
    "rnn/lstm_cell/kernel": (3 + 4, 16),
    "rnn/lstm_cell/bias": (16,),
    "dense/kernel": (4, 2),
    "dense/bias": (2,),
}
CUDNN_GRU = {
    f"rnn/cudnn_compatible_gru_cell/{name}": shape
    for name, shape in {
        "gates/kernel": (3 + 4, 8),
        "gates/bias": (8,),
        "candidate/input_projection/kernel": (3, 4),
        "candidate/input_projection/bias": (4,),
        "candidate/hidden_projection/kernel": (4, 4),
        "candidate/hidden_projection/bias": (4,),
    }.items()
}
ODD = [-0.0, 1e-45, -1e-40, -1.0, 1e-8, 3e38, -0.99999994, 0.1]


def stored(shapes, slots=(), dtype="float32", **counters):
    """A checkpoint of odd biases and random kernels, as {name: array}."""
    random = np.random.default_rng(5)
    arrays = {
        name: np.resize(ODD, shape).astype(dtype)
        if "bias" in name
        else random.standard_normal(shape).astype(dtype)
        for name, shape in shapes.items()
    }
    for slot in slots:
        for name, shape in shapes.items():
            made = random.random(shape)
            made[0] = -0.0
            arrays[f"{name}/{slot}"] = made.astype(dtype)
    return arrays | {
        name: np.array(value, "int64" if "step" in name else "float32")
        for name, value in counters.items()
    }


ADAM = "Adam", "Adam_1"


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("slots", [ADAM, ("Momentum",)])
def test_odd_numbers_come_back_bit_for_bit(
    tmp_path, forget_bias, dtype, slots
):
    before = stored(LSTM, slots, dtype)
    np.savez(tmp_path / "model.npz", **before)
    rnn_parity.convert_checkpoint(
        tmp_path / "model.npz", forget_bias=forget_bias, learning_rate=0.05
    ).save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "out")
    after = read_all(tmp_path / "out")
    assert set(after) == set(before)
    for name, array in before.items():
        assert same_bits(after[name], array), name


def test_the_cudnn_gru_comes_back_bit_for_bit(tmp_path):
    before = stored(CUDNN_GRU, ADAM)
    np.savez(tmp_path / "model.npz", **before)
    found = rnn_parity.convert_checkpoint(tmp_path / "model.npz")
    assert "a second bias of the gates" in str(found.report)
    found.save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "out")
    after = read_all(tmp_path / "out")
    for name, array in before.items():
        assert same_bits(after[name], array), name
    # What Keras' second bias has of a slot is the first one's again.
    optimizer = found.model.optimizer
    (layer,) = found.layers.values()
    index = optimizer._get_variable_index(layer.cell.bias)
    slot = optimizer._momentums[index]
    slot.assign(np.stack([slot[0], slot[0]]))
    found.save(tmp_path / "further.keras")
    export_checkpoint(tmp_path / "further.keras", tmp_path / "further")
    name = "rnn/cudnn_compatible_gru_cell/gates/bias/Adam"
    assert same_bits(read_all(tmp_path / "further")[name], before[name])


def test_the_adam_of_tf_keras_comes_back_bit_for_bit(tmp_path):
    before = stored(LSTM)
    for slot in ("m", "v"):
        before |= {f"Adam/{n}/{slot}": abs(before[n]) for n in LSTM}
    values = {"beta_1": 0.9, "beta_2": 0.999, "decay": 0, "learning_rate": 3}
    before |= {f"Adam/{n}": np.float32(v) for n, v in values.items()}
    before["Adam/iter"] = np.int64(7)
    before.pop("global_step", None)
    np.savez(tmp_path / "model.npz", **before)
    found = rnn_parity.convert_checkpoint(tmp_path / "model.npz")
    assert list(found.inventory.slots) == ["Adam of tf.keras"]
    optimizer = found.model.optimizer
    assert float(optimizer.learning_rate) == 3
    found.save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "out")
    after = read_all(tmp_path / "out")
    for name, array in before.items():
        assert same_bits(after[name], array), name
    optimizer.iterations.assign(9)
    found.save(tmp_path / "further.keras")
    export_checkpoint(tmp_path / "further.keras", tmp_path / "further")
    assert read_all(tmp_path / "further")["Adam/iter"] == 9


def test_an_unfolded_bias_is_right_to_the_larger_last_place(tmp_path):
    np.savez(tmp_path / "model.npz", **stored(LSTM))
    found = rnn_parity.convert_checkpoint(tmp_path / "model.npz")
    bias = found.layers["rnn/lstm_cell"].cell.bias
    wanted = np.random.default_rng(3).standard_normal(16).astype("float32")
    wanted[4:8] = [1e-6, -3e-9, -1.7, 0.0]
    bias.assign(wanted)
    found.save(tmp_path / "tuned.keras")
    export_checkpoint(tmp_path / "tuned.keras", tmp_path / "out")
    i, j, f, o = np.split(read_all(tmp_path / "out")["rnn/lstm_cell/bias"], 4)
    folded = np.concatenate([i, f.astype(float) + 1, j, o])
    place = np.spacing(np.maximum(np.abs(wanted), np.float32(1)))
    assert (np.abs(folded - wanted)[4:8] <= place[4:8]).all()
    others = np.delete(wanted, range(4, 8))
    assert same_bits(np.concatenate([i, j, o]), others)


@pytest.mark.parametrize(
    ("betas", "updates", "counters", "found"),
    [
        ((0.9, 0.999), 0, {}, (0, (0.9, 0.999))),
        ((0.9, 0.999), 7, {}, (7, (0.9, 0.999))),
        ((0.9, 0.999), 500, {"global_step": 7}, (500, (0.9, 0.999))),
        ((0.9, 0.999), 5000, {}, (5000, (0.9, 0.999))),
        ((0.9, 0.999), 10**6, {"global_step": 7}, (7, (0.9, 0.999))),
        ((0.5, 0.9), 3, {"global_step": 3}, (3, (0.5, 0.9))),
        ((0.9, 0.98), 40, {"global_step": 40}, (40, (0.9, 0.98))),
        ((0.5, 0.9), 3, {}, None),
        ((0.5, 0.9), 3, {"global_step": 9}, None),
        ((0.5, 0.999), 400, {}, None),
    ],
)
def test_the_powers_of_adam_tell_its_betas(
    tmp_path, betas, updates, counters, found
):
    powers = {
        f"beta{which}_power": float(np.float32(beta)) ** (updates + 1)
        for which, beta in enumerate(betas, 1)
    }
    np.savez(tmp_path / "m.npz", **stored(LSTM, ADAM, **powers, **counters))
    converted = rnn_parity.convert_checkpoint(tmp_path / "m.npz")
    optimizer = getattr(converted.model, "optimizer", None)
    if found is None:
        assert optimizer is None
        assert "betas of 0.9 and 0.999" in converted.report.optimizer
        return
    steps, (beta_1, beta_2) = found
    assert abs(int(optimizer.iterations) - steps) <= steps / 1000
    assert (optimizer.beta_1, optimizer.beta_2) == (beta_1, beta_2)
    optimizer.iterations.assign(steps + 2)
    converted.save(tmp_path / "further.keras")
    export_checkpoint(tmp_path / "further.keras", tmp_path / "out")
    after = read_all(tmp_path / "out")
    for which, beta in enumerate(found[1], 1):
        power = after[f"beta{which}_power"]
        assert power == np.float32(beta ** (steps + 3))


def test_no_momentum_at_a_rate_of_zero(tmp_path):
    np.savez(tmp_path / "model.npz", **stored(LSTM, ("Momentum",)))
    found = rnn_parity.convert_checkpoint(
        tmp_path / "model.npz", learning_rate=0.1
    )
    found.model.optimizer.learning_rate = 0.0
    found.save(tmp_path / "model.keras")
    with pytest.raises(UserError, match="learning rate is 0"):
        export_checkpoint(tmp_path / "model.keras", tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_large_ones_become_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_SHARD", 100)
    before = stored(LSTM | {"other": (700, 3)}, ADAM)
    np.savez(tmp_path / "model.npz", **before)
    seen = []
    rnn_parity.convert_checkpoint(tmp_path / "model.npz").save(
        tmp_path / "model.keras"
    )
    out = tmp_path / "out"
    out.mkdir()
    for _ in range(2):
        export_checkpoint(
            tmp_path / "model.keras",
            out / "model.ckpt",
            force=True,
            progress=lambda what, share: seen.append((share, what)),
        )
        assert len(list(out.glob("model.ckpt.data-*"))) > 2
        after = read_all(out / "model.ckpt")
        assert all(same_bits(after[n], before[n]) for n in before)
    assert seen[0] == (0.0, "loading")
    shares = [share for share, _ in seen[: len(seen) // 2]]
    assert shares == sorted(shares)
    assert len(set(shares)) > 5
    # Nothing of what was there is left.
    monkeypatch.setattr(export, "_SHARD", 1 << 26)
    export_checkpoint(
        tmp_path / "model.keras", out / "model.ckpt", force=True
    )
    assert {path.name for path in out.iterdir()} == {
        "checkpoint",
        "model.ckpt.index",
        "model.ckpt.data-00000-of-00001",
    }


def test_options_without_like_are_refused(tmp_path, capsys):
    path = saved(tmp_path, "stacked_lstm")
    with pytest.raises(SystemExit, match="2"):
        cli.main(
            ["export", str(path), f"--out={tmp_path}/out", "--forget-bias=0"]
        )
    assert "--forget-bias is for" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


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
