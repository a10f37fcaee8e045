"""What a training checkpoint carries, field by field and by value.

A network that only notes down what it is given stands for one that learns, so
that every window, state, length and mask can be told by its number.
"""

import dataclasses

import numpy as np
import pytest

from rnn_parity import SECTIONS, Config, UserError
from rnn_parity.training import checkpoint, session, stream
from rnn_parity.training.session import Session

# Every field away from its default, and no two sizes alike. Five windows an
# epoch, taken two at a time: 0-1, 2-3, 4.
CONFIG = Config(
    num_epochs=3,
    total_series_length=64,
    truncated_backprop_length=6,
    state_size=5,
    num_classes=4,
    echo_step=2,
    batch_size=2,
    num_layers=7,
    learning_rate=0.07,
    output_keep_prob=0.6,
    dtype="float64",
)
SEED = 11


@pytest.fixture(autouse=True)
def two_at_a_time(monkeypatch):
    for mode in (None, *session.MODES):
        monkeypatch.setitem(session._MOST_WINDOWS, mode, 2)
    monkeypatch.setattr(Session, "stride", 2)


def test_the_config_is_away_from_its_defaults():
    for field in dataclasses.fields(Config):
        assert getattr(CONFIG, field.name) != field.default, field.name
    assert CONFIG.num_batches == 5


class Noting:
    """A network whose losses are 1, 2, 3, ... and whose state counts too."""

    def __init__(self):
        self.calls, self.steps = [], 0
        self.kept = {"variable/w": np.array([1.5]), "accumulator/w": 2.5}

    def train(self, x, y, state, **extras):
        self.calls.append((x, y, np.array(state), extras))
        count = x.shape[1] // CONFIG.truncated_backprop_length
        self.steps += count
        losses = np.arange(self.steps - count, self.steps) + 1.0
        return losses, state + count

    def arrays(self):
        return {name: np.asarray(one) for name, one in self.kept.items()}

    def assign(self, arrays):
        self.kept = arrays

    def restore(self, *given):
        self.given = given


def noting(key, monkeypatch, **how):
    """A session whose network is the one above."""
    monkeypatch.setattr(Session, "_build", lambda self: Noting())
    return Session(key, "numpy_ref", CONFIG, seed=SEED, **how)


# (epoch, batch) before each stride, and how many windows it takes.
STRIDES = [
    (epoch, batch, count)
    for epoch in range(3)
    for batch, count in ((0, 2), (2, 2), (4, 1))
]


@pytest.mark.parametrize("key", SECTIONS)
@pytest.mark.parametrize("stop", [None, 1, 3, 5])
def test_each_window_comes_once_with_the_state_before_it(
    key, stop, monkeypatch
):
    """Also when another session goes on after `stop` strides."""
    one = noting(key, monkeypatch)
    section, calls = one.section, []
    for number, (epoch, batch, count) in enumerate(STRIDES):
        if number == stop:
            calls += one.network.calls
            saved = one.checkpoint()
            one = noting(key, monkeypatch, saved=saved)
            one.network.steps = len(saved.losses)
        assert (one.epoch, one.batch) == (epoch, batch)
        assert one.steps_done == epoch * 5 + batch
        assert not one.finished
        losses = one.advance()
        done = epoch * 5 + batch + count
        np.testing.assert_array_equal(
            losses, np.arange(done - count, done) + 1
        )
        np.testing.assert_array_equal(one.losses, np.arange(done) + 1)
    assert one.finished
    assert (one.epoch, one.batch, one.steps_done) == (3, 0, 15)
    calls += one.network.calls
    for (epoch, batch, count), call in zip(STRIDES, calls, strict=True):
        x, y, state, extras = call
        series = stream.epoch(section, CONFIG, SEED, epoch)
        steps = slice(batch * 6, (batch + count) * 6)
        np.testing.assert_array_equal(x, series.x[:, steps])
        np.testing.assert_array_equal(y, series.y[:, steps])
        shape = section.state_shape(CONFIG)
        np.testing.assert_array_equal(state, np.full(shape, batch))
        expected = {
            name: value[batch : batch + count]
            for name, value in series.lengths.items()
        }
        expected |= stream.masks(
            section, CONFIG, SEED, epoch, range(batch, batch + count)
        )
        assert extras.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(extras[name], value, name)


def numbered(section, implementation="numpy_ref", **fields):
    """A checkpoint in the midst of an epoch whose every number differs."""
    random = np.random.default_rng(6)
    shapes = section.param_shapes(CONFIG)
    if implementation == "tf2":
        shapes = keras_shapes(section)
    arrays = {
        f"{kind}/{name}": random.uniform(0.5, 2, shape)
        for kind in ("variable", "accumulator")
        for name, shape in shapes.items()
    }
    made = {
        "section": section.key,
        "implementation": implementation,
        "config": CONFIG,
        "seed": SEED,
        "mode": None,
        "unrolling": None,
        "epoch": 1,
        "batch": 3,
        "state": random.normal(size=section.state_shape(CONFIG)),
        "losses": random.uniform(size=8),
        "arrays": arrays,
    }
    return checkpoint.Checkpoint(**made | fields)


def keras_shapes(section):
    """Of section 2: a kernel, cut in two, and its bias, numbered."""
    assert section.key == "s2"
    return {
        "000/kernel": (1, 5),
        "001/recurrent_kernel": (5, 5),
        "002/bias": (5,),
        "003/W2": (5, 4),
        "004/b2": (1, 4),
    }


def assert_same(found, expected):
    for field in dataclasses.fields(checkpoint.Checkpoint):
        one, other = (getattr(c, field.name) for c in (found, expected))
        if field.name == "arrays":
            assert one.keys() == other.keys()
            for name, value in other.items():
                np.testing.assert_array_equal(one[name], value, name)
                assert one[name].dtype == value.dtype
        elif isinstance(other, np.ndarray):
            np.testing.assert_array_equal(one, other, field.name)
            assert one.dtype == other.dtype
        else:
            assert one == other, field.name
            assert type(one) is type(other), field.name


@pytest.mark.parametrize("key", SECTIONS)
def test_a_file_holds_every_field(key, tmp_path):
    saved = numbered(SECTIONS[key])
    saved.write(tmp_path)
    assert_same(checkpoint.read(tmp_path), saved)
    assert saved.steps_done == 8


@pytest.mark.parametrize("unrolling", ["static", "dynamic", 3])
@pytest.mark.parametrize("mode", session.MODES)
def test_a_file_holds_mode_and_unrolling(mode, unrolling, tmp_path):
    saved = numbered(SECTIONS["s2"], "tf2", mode=mode, unrolling=unrolling)
    saved.write(tmp_path)
    assert_same(checkpoint.read(tmp_path), saved)


@pytest.mark.parametrize("key", SECTIONS)
def test_a_session_has_all_that_was_saved_and_saves_it_again(key, tmp_path):
    saved = numbered(SECTIONS[key])
    saved.write(tmp_path)
    read = checkpoint.read(tmp_path)
    # The seed of the checkpoint counts, not the one that is given.
    one = Session(key, "numpy_ref", read.config, seed=99, saved=read)
    assert one.seed == SEED
    assert (one.epoch, one.batch, one.steps_done) == (1, 3, 8)
    np.testing.assert_array_equal(one.state, saved.state)
    np.testing.assert_array_equal(one.losses, saved.losses)
    for kind, values in (
        ("variable", one.network.params()),
        ("accumulator", one.network.accumulators()),
    ):
        for name, value in values.items():
            np.testing.assert_array_equal(
                value, saved.arrays[f"{kind}/{name}"], name
            )
    assert_same(one.checkpoint(), saved)
    # It is a copy: training on leaves it as it was.
    again = one.checkpoint()
    one.advance()
    assert_same(again, saved)


def test_weights_and_accumulators_by_their_tensorflow_1_names():
    """By hand: the kernel of TensorFlow 1 is both of Keras."""
    saved = numbered(SECTIONS["s2"], "tf2", mode="xla", unrolling="dynamic")
    scope = "rnn/basic_rnn_cell"
    for kind, found in (
        ("variable", saved.params()),
        ("accumulator", saved.accumulators()),
    ):
        of = {
            name.rpartition("/")[2]: array
            for name, array in saved.arrays.items()
            if name.startswith(kind)
        }
        kernel = np.concatenate([of["kernel"], of["recurrent_kernel"]])
        np.testing.assert_array_equal(found[f"{scope}/kernel"], kernel)
        np.testing.assert_array_equal(found[f"{scope}/bias"], of["bias"])
        np.testing.assert_array_equal(found["W2"], of["W2"])
        np.testing.assert_array_equal(found["b2"], of["b2"])
    plain = numbered(SECTIONS["s3"])
    for kind, found in (
        ("variable", plain.params()),
        ("accumulator", plain.accumulators()),
    ):
        assert set(found) == set(SECTIONS["s3"].param_shapes(CONFIG))
        for name, value in found.items():
            np.testing.assert_array_equal(
                value, plain.arrays[f"{kind}/{name}"]
            )


def test_a_forget_bias_is_of_the_weights_and_not_of_the_accumulators():
    """Keras has it in the bias: 1 less for TensorFlow 1, gates i, j, f, o."""
    random = np.random.default_rng(3)
    shapes = {
        "000/kernel": (1, 20),
        "001/recurrent_kernel": (5, 20),
        "002/bias": (20,),
        "003/W2": (5, 4),
        "004/b2": (1, 4),
    }
    arrays = {
        f"{kind}/{name}": random.uniform(0.5, 2, shape)
        for kind in ("variable", "accumulator")
        for name, shape in shapes.items()
    }
    saved = numbered(SECTIONS["s3"], arrays=arrays)
    saved = dataclasses.replace(
        saved, implementation="tf2", mode="step", unrolling=2
    )
    for kind, found, added in (
        ("variable", saved.params(), 1.0),
        ("accumulator", saved.accumulators(), 0.0),
    ):
        i, f, j, o = np.split(arrays[f"{kind}/002/bias"], 4)
        np.testing.assert_array_equal(
            found["rnn/basic_lstm_cell/bias"],
            np.concatenate([i, j, f - added, o]),
        )


# --- Which mode a session goes on in ---


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, ("step", 3)),
        ({"mode": "epoch"}, ("epoch", 3)),
        ({"unrolling": "static"}, ("step", "static")),
        ({"mode": "eager", "unrolling": 2}, ("eager", 2)),
    ],
)
def test_a_session_goes_on_as_it_was_unless_told(given, found, monkeypatch):
    saved = numbered(SECTIONS["s2"], "tf2", mode="step", unrolling=3)
    monkeypatch.setattr(Session, "_build", lambda self: Noting())
    one = Session("s2", "tf2", CONFIG, saved=saved, **given)
    assert (one.mode, one.unrolling) == found
    again = one.checkpoint()
    assert (again.mode, again.unrolling) == found
    assert_same(
        again, dataclasses.replace(saved, mode=found[0], unrolling=found[1])
    )


def test_another_version_goes_on_in_its_own_mode(monkeypatch):
    """The path of tf2 is no path of NumPy's."""
    monkeypatch.setattr(Session, "_build", lambda self: Noting())
    saved = numbered(SECTIONS["s2"], "tf2", mode="step", unrolling=3)
    one = Session("s2", "numpy_ref", CONFIG, saved=saved)
    assert (one.mode, one.unrolling) == (None, None)
    other = Session("s2", "tf2", CONFIG, saved=numbered(SECTIONS["s2"]))
    assert (other.mode, other.unrolling) == ("xla", "dynamic")
    for made in (one, other):
        assert (made.epoch, made.batch) == (1, 3)
        np.testing.assert_array_equal(made.state, saved.state)
        np.testing.assert_array_equal(made.losses, saved.losses)
        params, accumulators = made.network.given
        assert params.keys() == accumulators.keys()
        assert all((params[n] != accumulators[n]).all() for n in params)


def test_a_session_of_several_workers_goes_on_alone(monkeypatch):
    monkeypatch.setattr(Session, "_build", lambda self: Noting())
    one = Session("s2", "tf2", CONFIG, mode="xla", strategy=object())
    assert one.mode == "step"
    saved = one.checkpoint()
    assert (saved.mode, saved.unrolling) == (None, "dynamic")
    assert Session("s2", "tf2", CONFIG, saved=saved).mode == "xla"


# --- What no checkpoint can be ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 5},  # of five windows, 0 to 4
        {"batch": 5, "losses": np.ones(10)},
        {"epoch": -1},
        {"batch": 2},  # so of seven losses
        {"epoch": 2},
        {"losses": np.ones(7)},
        {"losses": np.ones(9)},
        {"state": np.ones((2, 4))},
        {"state": np.ones((2, 5), int)},
        {"mode": 3},
        {"unrolling": 2.5},
        {"seed": 1.0},
    ],
)
def test_a_checkpoint_of_another_place_is_refused(wrong, tmp_path):
    numbered(SECTIONS["s2"], **wrong).write(tmp_path)
    with pytest.raises(UserError, match="do not fit its own config"):
        checkpoint.read(tmp_path)


@pytest.mark.parametrize("kind", ["variable", "accumulator"])
@pytest.mark.parametrize("how", ["lost", "of another shape"])
def test_a_lost_array_is_noticed(kind, how, tmp_path):
    saved = numbered(SECTIONS["s4"])
    for name in list(saved.arrays):
        if not name.startswith(kind):
            continue
        arrays = dict(saved.arrays)
        array = arrays.pop(name)
        if how != "lost":
            arrays[name] = array[..., :-1]
        dataclasses.replace(saved, arrays=arrays).write(tmp_path)
        with pytest.raises(UserError, match="do not fit its own config"):
            checkpoint.read(tmp_path)
