"""The figures of `rnn-parity run` and `mistakes`, and the data behind them.

The stream of training data is drawn here again from NumPy's generators, and
what a network predicts is made up.
"""

import math
import re
import types

import numpy as np
import pytest
from conftest import SIZES
from PIL import Image

from rnn_parity import SECTIONS, Config, UserError, ladder, mistakes, weights
from rnn_parity.commands import run
from rnn_parity.training import checkpoint, picture, session, stream, workers
from rnn_parity.training.session import Evaluation, Session, View

# 2 rows of 43, in 10 windows of 4 and 3 steps that fill none.
SMALL = SIZES.replace(total_series_length=86, num_epochs=3, echo_step=2)


# --- The stream of training data ---


@pytest.mark.parametrize("key", ["s1", "s7"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_epochs_series_is_drawn_from_its_seed(key, dtype):
    config = SMALL.replace(dtype=dtype)
    # As many as it takes to draw a row that ends at the series' own end.
    epochs = [(index, [5, 1, index]) for index in range(40)]
    for index, seeds in (*epochs, (None, [5, 2])):
        if index is None:
            found = stream.fresh(SECTIONS[key], config, 5)
        else:
            found = stream.epoch(SECTIONS[key], config, 5, index)
        rng = np.random.RandomState(seeds)
        series = rng.choice(3, 86)
        echo = np.concatenate([[0, 0], series[:-2]])
        np.testing.assert_array_equal(found.x, series.reshape(2, 43)[:, :40])
        np.testing.assert_array_equal(found.y, echo.reshape(2, 43)[:, :40])
        assert found.x.dtype == dtype
        assert found.y.dtype == np.int32
        if key == "s1":
            assert found.lengths == {}
            continue
        ends = rng.randint(20, 41, 2)
        lengths = [
            [min(max(end - 4 * window, 0), 4) for end in ends]
            for window in range(10)
        ]
        (name,) = found.lengths
        assert name == "sequence_length"
        assert found.lengths[name].tolist() == lengths
        assert found.lengths[name].dtype == np.int32


def test_the_stream_is_the_same_for_ever():
    """A checkpoint of today goes on with these data in ten years."""
    found = stream.epoch(SECTIONS["s1"], SMALL, 5, 1)
    assert found.x[0, :12].tolist() == FIRST_X
    masks = stream.masks(SECTIONS["s6"], SMALL, 5, 1, range(3, 4))
    bits = masks["dropout_masks"][0, 0, 0].astype(int).tolist()
    assert bits == FIRST_BITS
    params = stream.initial_params(SECTIONS["s1"], SMALL, 5)
    wanted = weights.initial_params(
        SECTIONS["s1"], SMALL, np.random.RandomState([5, 0])
    )
    for name, value in wanted.items():
        np.testing.assert_array_equal(params[name], value)
    assert params["W"][0, 0] == pytest.approx(FIRST_W)


FIRST_X = [1, 1, 2, 0, 0, 2, 1, 2, 2, 2, 0, 1]
FIRST_BITS = [[0, 0, 1, 0, 1], [1, 1, 1, 1, 0]]
FIRST_W = 0.5471487635914288


@pytest.mark.parametrize("keep", [0.7, 0.5, 1.0])
def test_masks_are_what_uniform_numbers_below_the_rate_give(keep):
    """[L, T, B, H] = 3 x 4 x 2 x 5 = 120 numbers a window."""
    config = SMALL.replace(output_keep_prob=keep, dtype="float32")
    numbers = np.random.Philox(key=[5, 2]).random_raw((6, 120))
    uniform = (numbers >> np.uint64(11)) / 2.0**53
    wanted = (uniform < keep).reshape(6, 3, 4, 2, 5)
    section = SECTIONS["s6"]
    for batches in (range(6), range(2, 5), range(5, 6)):
        found = stream.masks(section, config, 5, 2, batches)
        (masks,) = found.values()
        assert list(found) == ["dropout_masks"]
        assert masks.dtype == np.float32
        part = wanted[batches.start : batches.stop]
        np.testing.assert_array_equal(masks, part)
    assert stream.masks(SECTIONS["s4"], config, 5, 2, range(6)) == {}
    # Where the numbers are no multiple of four, a window wastes some.
    config = config.replace(state_size=3, batch_size=1, num_layers=2)
    config = config.replace(truncated_backprop_length=3)
    numbers = np.random.Philox(key=[5, 2]).random_raw((2, 20))
    wanted = (numbers >> np.uint64(11)) / 2.0**53 < keep
    found = stream.masks(section, config, 5, 2, range(1, 2))
    np.testing.assert_array_equal(
        found["dropout_masks"].ravel(), wanted[1, :18]
    )


def test_a_number_at_the_rate_is_not_kept(monkeypatch):
    """As random() < 0.75: three quarters of 2**53 themselves are not."""
    edge = 3 * 2**51

    class Philox:
        def __init__(self, key):
            assert key == [5, 2]

        def advance(self, count):
            pass

        def random_raw(self, shape):
            drawn = np.full(shape, (edge << 11) + 5, np.uint64)
            drawn[:, ::2] = (edge << 11) - 1
            return drawn

    monkeypatch.setattr(np.random, "Philox", Philox)
    config = SMALL.replace(output_keep_prob=0.75)
    (found,) = stream.masks(SECTIONS["s6"], config, 5, 2, range(3)).values()
    kept = found.reshape(3, -1)
    assert kept[:, ::2].all()
    assert not kept[:, 1::2].any()


# --- A session's own figures ---


class Network:
    """Tells what it was given; losses count up, as does the state."""

    def __init__(self, config, predict=None):
        self.config, self.given = config, []
        self.made_up = predict

    def train(self, x, y, state, **extras):
        self.given.append((x, y, state, extras))
        steps = x.shape[1] // self.config.truncated_backprop_length
        done = sum(g[0].shape[1] for g in self.given[:-1])
        done //= self.config.truncated_backprop_length
        losses = np.arange(done, done + steps, dtype=float)
        return losses, state + 1

    def predict(self, x, state, **extras):
        self.given.append((x, state, extras))
        return self.made_up(x, len(self.given) - 1), state + 1


def a_session(key, config=SMALL, predict=None, most=4, monkeypatch=None):
    made = Session(key, "numpy_ref", config, seed=5)
    made.network = Network(made.config, predict)
    return made


@pytest.mark.parametrize("key", ["s1", "s6", "s7"])
def test_windows_go_to_the_network_in_order(key, monkeypatch):
    """Four at a time, an epoch of ten: 4, 4, 2; masks and lengths alike."""
    monkeypatch.setattr(Session, "stride", 4)
    one = a_session(key)
    taken = []
    while not one.finished:
        done = one.steps_done
        assert done == sum(map(len, taken))
        taken.append(one.advance())
    assert [len(losses) for losses in taken] == [4, 4, 2] * 3
    np.testing.assert_array_equal(one.losses, np.arange(30))
    np.testing.assert_array_equal(np.concatenate(taken), one.losses)
    assert (one.epoch, one.batch, one.steps_done) == (3, 0, 30)
    section = SECTIONS[key]
    for number, (x, y, state, extras) in enumerate(one.network.given):
        epoch, place = divmod(number, 3)
        series = stream.epoch(section, SMALL, 5, epoch)
        start, stop = 4 * place, min(4 * place + 4, 10)
        steps = slice(4 * start, 4 * stop)
        np.testing.assert_array_equal(x, series.x[:, steps])
        np.testing.assert_array_equal(y, series.y[:, steps])
        assert (state == place).all()  # from zeros at every epoch
        wanted = {k: v[start:stop] for k, v in series.lengths.items()}
        wanted |= stream.masks(section, SMALL, 5, epoch, range(start, stop))
        assert extras.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_array_equal(extras[name], value)
    assert not one.state.any()


def made_up_predictions(x, number):
    """Probabilities of three classes: more of class (t + number) % 3."""
    rows, steps = x.shape
    likely = (np.arange(steps) + number) % 3
    found = np.full((rows, steps, 3), 0.25)
    found[:, np.arange(steps), likely] = 0.5
    return found


@pytest.mark.parametrize(
    ("key", "total", "echo", "known_from"),
    [
        ("s1", 86, 2, 4),  # the first window is left out
        ("s1", 86, 6, 6),  # or what the echo reaches
        ("s1", 8, 2, 2),  # a single window: from its echo on
        ("s7", 86, 2, 4),
    ],
)
def test_fresh_data_are_judged_where_their_echo_is_known(
    key, total, echo, known_from
):
    config = SMALL.replace(total_series_length=total, echo_step=echo)
    one = a_session(key, config, made_up_predictions)
    found = one.evaluate()
    windows = total // 2 // 4
    short = config.replace(total_series_length=8 * windows)
    series = stream.fresh(SECTIONS[key], short, 5)
    surprise, correct = [], 0
    for row in range(2):
        for step in range(known_from, 4 * windows):
            window, at = divmod(step, 4)
            lengths = series.lengths.get("sequence_length")
            if lengths is not None and at >= lengths[window, row]:
                continue
            likely = (at + window) % 3 == series.y[row, step]
            surprise.append(-math.log(0.5 if likely else 0.25))
            correct += likely
    assert (found.correct, found.total) == (correct, len(surprise))
    assert found.loss == pytest.approx(sum(surprise) / len(surprise))
    for window, (x, state, extras) in enumerate(one.network.given):
        part = slice(4 * window, 4 * window + 4)
        np.testing.assert_array_equal(x, series.x[:, part])
        assert (state == window).all()
        assert set(extras) == set(series.lengths)
    last = windows - 1
    if series.lengths:
        whole = series.lengths["sequence_length"].all(1)
        last = int(np.flatnonzero(whole)[-1])
        wanted = series.lengths["sequence_length"][last]
    else:
        wanted = [4, 4]
    part = slice(4 * last, 4 * last + 4)
    np.testing.assert_array_equal(found.view.x, series.x[:, part])
    np.testing.assert_array_equal(found.view.y, series.y[:, part])
    assert list(found.view.lengths) == list(wanted)
    likely = [(at + last) % 3 for at in range(4)]
    assert found.view.predicted.tolist() == [likely] * 2


def test_an_impossible_prediction_costs_no_more_than_float32_can_tell():
    config = SMALL.replace(total_series_length=16)

    def wrong(x, number):
        return np.zeros((*x.shape, 3))

    found = a_session("s1", config, wrong).evaluate()
    assert found.loss == pytest.approx(-math.log(1e-37))
    # Fifty windows at most are looked at.
    config = SMALL.replace(total_series_length=8 * 60)
    one = a_session("s1", config, made_up_predictions)
    assert one.evaluate().total == 49 * 8
    none = SMALL.replace(total_series_length=8, echo_step=4)
    found = a_session("s1", none, made_up_predictions).evaluate()
    assert (found.loss, found.correct, found.total) == (0, 0, 0)


def test_the_window_that_comes_next_is_shown(monkeypatch):
    monkeypatch.setattr(Session, "stride", 4)
    one = a_session("s7", predict=made_up_predictions)
    one.advance()
    one.network.given.clear()
    view = one.view()
    series = stream.epoch(SECTIONS["s7"], SMALL, 5, 0)
    np.testing.assert_array_equal(view.x, series.x[:, 16:20])
    np.testing.assert_array_equal(view.y, series.y[:, 16:20])
    lengths = series.lengths["sequence_length"][4]
    np.testing.assert_array_equal(view.lengths, lengths)
    ((_, state, _),) = one.network.given
    assert (state == 1).all()


@pytest.mark.parametrize(
    ("key", "config", "mode", "stride"),
    [
        # 24 B T L H (H + 1) operations a window; 2e10 a call at most.
        ("s1", {"total_series_length": 90_000}, None, 200),
        ("s1", {"total_series_length": 90_000}, "eager", 10),
        # 24 x 10 x 5 x 1 x 1000 x 1001 = 1.2e9: 16 windows, 15 alike of 60.
        (
            "s1",
            {
                "total_series_length": 3000,
                "state_size": 1000,
                "batch_size": 10,
                "truncated_backprop_length": 5,
            },
            None,
            15,
        ),
        # Of 68 windows none but four would be alike.
        (
            "s1",
            {
                "total_series_length": 3400,
                "state_size": 1000,
                "batch_size": 10,
                "truncated_backprop_length": 5,
            },
            None,
            16,
        ),
        # Three layers: 5 windows.
        (
            "s4",
            {
                "total_series_length": 3000,
                "state_size": 1000,
                "batch_size": 10,
                "truncated_backprop_length": 5,
                "num_layers": 3,
            },
            None,
            5,
        ),
        ("s1", {"total_series_length": 7 * 75}, None, 7),
        ("s1", {"total_series_length": 402 * 75}, None, 134),
        # 100 is the largest that divides 21,100, and half of 200 at most.
        ("s1", {"total_series_length": 21_100 * 75}, None, 200),
    ],
)
def test_a_call_takes_about_a_seconds_work(key, config, mode, stride):
    one = object.__new__(Session)
    one.section, one.config = SECTIONS[key], Config(**config)
    one.mode = mode
    assert one.stride == stride


def test_what_another_version_saved_is_restored_not_assigned():
    """Weights by their names; a version's own arrays as they are."""
    first = Session("s3", "numpy_ref", SMALL, seed=9)
    first.advance()
    own = first.checkpoint()
    assert (own.implementation, own.mode, own.seed) == ("numpy_ref", None, 9)
    theirs = {name: 2 * v for name, v in own.params().items()}
    sums = {name: 3 * v for name, v in own.accumulators().items()}
    other = types.SimpleNamespace(
        **{**vars(own), "implementation": "tf2", "mode": "xla"},
        params=lambda: theirs,
        accumulators=lambda: sums,
    )
    for saved, params in ((own, own.params()), (other, theirs)):
        again = Session("s3", "numpy_ref", SMALL, saved=saved)
        assert (again.epoch, again.batch) == (own.epoch, own.batch)
        assert (again.seed, again.mode) == (9, None)
        np.testing.assert_array_equal(again.state, own.state)
        np.testing.assert_array_equal(again.losses, own.losses)
        for name, value in again.network.params().items():
            np.testing.assert_array_equal(value, params[name])
    for name, value in again.network.accumulators().items():
        np.testing.assert_array_equal(value, sums[name])


@pytest.mark.parametrize(
    ("given", "how"),
    [
        (("tf2", None, None), ("xla", "dynamic")),
        (("tf2", "step", "static"), ("step", "static")),
        (("tf2", None, 3), ("xla", 3)),
        (("numpy_ref", None, None), (None, None)),
        (("legacy_v1", None, None), (None, None)),
        (("numpy_ref", "xla", None), "numpy_ref has one way"),
        (("legacy_v1", None, "static"), "legacy_v1 has one way"),
        (("tf2", "fast", None), "unknown mode 'fast'"),
        (("tf3", None, None), "did you mean tf2"),
    ],
)
def test_how_a_session_trains(given, how):
    if isinstance(how, tuple):
        assert session._how(*given) == how
    else:
        with pytest.raises(UserError, match=how):
            session._how(*given)


def test_a_session_goes_on_as_it_was_trained(monkeypatch):
    """Unless another way is asked for, or another version goes on."""
    done = []
    network = types.SimpleNamespace(
        assign=lambda arrays: done.append(("assign", arrays)),
        restore=lambda *given: done.append(("restore", *given)),
    )
    monkeypatch.setattr(Session, "_build", lambda self: network)
    saved = types.SimpleNamespace(
        **{"implementation": "tf2", "mode": "step", "unrolling": "static"},
        **{"seed": 7, "epoch": 2, "batch": 3, "state": 4, "losses": 5},
        **{"arrays": "arrays", "params": lambda: "params"},
        accumulators=lambda: "sums",
    )

    def how(version, **given):
        one = Session("s1", version, SMALL, saved=saved, **given)
        return one.mode, one.unrolling

    assert how("tf2") == ("step", "static")
    assert how("tf2", mode="epoch") == ("epoch", "static")
    assert how("tf2", unrolling=4) == ("step", 4)
    assert how("numpy_ref") == (None, None)
    saved.implementation = "numpy_ref"
    assert how("tf2") == ("xla", "dynamic")
    restored = ("restore", "params", "sums")
    assert done == [("assign", "arrays")] * 3 + [restored] * 2


@pytest.mark.parametrize(
    ("strategy", "mode"), [(None, "epoch"), ("a strategy", None)]
)
def test_a_checkpoint_names_no_mode_that_workers_have(strategy, mode):
    one = Session("s1", "numpy_ref", SMALL)
    one.mode, one.unrolling, one.strategy = "epoch", "static", strategy
    saved = one.checkpoint()
    assert (saved.mode, saved.unrolling) == (mode, "static")


# --- What is printed of it ---


def finished(losses, num_batches=4, echo=3):
    config = types.SimpleNamespace(num_batches=num_batches, echo_step=echo)
    return types.SimpleNamespace(losses=np.array(losses), config=config)


EVALUATED = Evaluation(0.12345678, 37, 40, None)
FRESH = "fresh data: loss 0.123457, echo accuracy 92.50 % (37 of 40 steps)"
SPIKE = (
    ", but in its first batch {}: no input was seen yet that its first 3 "
    "steps are to echo"
)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        # The mean of the last whole epoch but for its first batch.
        (
            [9, 9, 9, 9, 8, 1, 2, 4.5],
            f"last whole epoch: loss 2.5{SPIKE.format(8)}",
        ),
        # Stopped within the third epoch.
        (
            [9, 9, 9, 9, 7.0000004, 1, 2, 3, 50, 60],
            f"last whole epoch: loss 2{SPIKE.format(7)}",
        ),
        ([9, 1, 2, 3], f"last whole epoch: loss 2{SPIKE.format(9)}"),
        ([9, 1, 2], None),
    ],
)
def test_the_last_whole_epochs_loss_is_printed(losses, words):
    lines = list(run._summary(finished(losses), EVALUATED))
    assert lines == ([words] if words else []) + [FRESH]


def test_the_summary_of_other_runs():
    none = Evaluation(0.0, 0, 0, None)
    lines = list(run._summary(finished([4, 1, 2, 3], echo=0), none))
    assert lines == [
        "last whole epoch: loss 2",
        "fresh data: too short a series to show any echo",
    ]
    lines = list(run._summary(finished([1, 2], num_batches=1), EVALUATED))
    assert lines == [FRESH]
    lost = finished([1, 2, np.nan, 3, np.inf, 4], num_batches=9)
    assert list(run._summary(lost, EVALUATED)) == [
        "the loss is no finite number from step 3 on; train anew with a "
        "lower --learning-rate",
        FRESH,
    ]


def headed(mode=None, replicas=None, done=0, **sizes):
    strategy = None
    if replicas:
        strategy = types.SimpleNamespace(num_replicas_in_sync=replicas)
    return types.SimpleNamespace(
        mode=mode,
        unrolling="static",
        strategy=strategy,
        section=SECTIONS["s3"],
        implementation="tf2",
        config=Config(**{"total_series_length": 600, **sizes}),
        steps_done=done,
    )


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (headed(num_epochs=2), "s3, LSTM: tf2, 2 epochs of 8 batches"),
        (
            headed("xla", num_epochs=1, total_series_length=75),
            "s3, LSTM: tf2 (xla, static), 1 epoch of 1 batch",
        ),
        (
            headed("step", 3, 21, num_epochs=5),
            "s3, LSTM: tf2 on 3 replicas, 5 epochs of 8 batches, from step "
            "21",
        ),
        (
            headed(num_epochs=2, echo_step=15),
            "s3, LSTM: tf2, 2 epochs of 8 batches\n"
            "truncated_backprop_length 15 is not above echo_step 15: no "
            "window holds an input and its echo, so there is nothing to "
            "learn from",
        ),
        (
            headed(num_epochs=2, echo_step=14),
            "s3, LSTM: tf2, 2 epochs of 8 batches",
        ),
    ],
)
def test_the_first_line_says_what_is_trained(made, line):
    assert "\n".join(run._heading(made)) == line


def test_steps_a_second_leave_the_compilation_out(monkeypatch):
    """The first stride's end is not asked for; 8 in 2 s, 20 in 4 s."""
    clock = iter([0, 100, 102, 200, 202])
    monkeypatch.setattr(run.time, "perf_counter", lambda: next(clock))
    rate = run._Rate()
    said = []
    for steps in (8, 8, 12):
        with rate:
            pass
        said.append(rate.of(steps))
    assert said == ["", "4 steps/s, ", "5 steps/s, "]


def test_progress_says_epoch_loss_and_steps(monkeypatch):
    monkeypatch.setattr(Session, "stride", 4)
    monkeypatch.setattr(run._Rate, "of", lambda self, steps: f"<{steps}> ")
    said = []

    class Steps:
        def __init__(self, total, title):
            said.append((title, total))

        def __enter__(self):
            return lambda words, count=1: said.append((words, count))

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("rnn_parity.progress.steps", Steps)
    one = a_session("s1", SMALL.replace(num_epochs=2))
    one.advance()
    watched = []
    given = {"place": None, "save": None, "resume": None}
    run._train(
        one,
        [lambda drawn: watched.append(one.steps_done)],
        {**given, "save_every": 10},
        run._Interruption(),
    )
    assert said == [
        ("training", 16),
        ("preparing", 0),
        ("epoch 1/2, <4> loss 5.5000", 4),  # of 4, 5, 6, 7
        ("epoch 1/2, <2> loss 8.5000", 2),
        ("epoch 2/2, <4> loss 11.5000", 4),
        ("epoch 2/2, <4> loss 15.5000", 4),
        ("epoch 2/2, <2> loss 18.5000", 2),
    ]
    assert watched == [8, 10, 14, 18, 20]


def test_a_runs_output_is_its_own_losses(call_cli, tmp_path):
    """What is printed against what is saved, a resumed run too."""
    sizes = (
        *("--total-series-length", "240", "--batch-size", "3"),
        *("--truncated-backprop-length", "5", "--state-size", "6"),
    )
    straight, parted = tmp_path / "straight", tmp_path / "parted"
    start = ("run", "s1", "--impl", "numpy_ref", *sizes)
    done = call_cli(*start, "--epochs", "3", "--save", straight)
    assert done.returncode == 0, done.stderr
    losses = checkpoint.read(straight).losses.astype(float)
    assert len(losses) == 48
    heading, epoch, fresh = done.stdout.splitlines()
    name = "s1, Vanilla RNN, unrolled by hand: numpy_ref"
    assert heading == f"{name}, 3 epochs of 16 batches"
    told = [float(n) for n in re.findall(r"\d+\.\d+", epoch)]
    assert told == [
        pytest.approx(losses[33:].mean(), rel=1e-5),
        pytest.approx(losses[32], rel=1e-5),
    ]
    assert fresh.endswith(" of 225 steps)")
    call_cli(*start, "--epochs", "2", "--save", parted)
    assert len(checkpoint.read(parted).losses) == 32
    done = call_cli("run", "s1", "--resume", parted, "--epochs", "3")
    assert done.stdout.splitlines() == [
        f"{heading}, from step 32",
        epoch,
        fresh,
    ]


# --- The picture ---

LOSSES = np.array([8.0, 2, 1, 7, 3, 2, 6, 1])
DRAWN = Config(
    total_series_length=24,
    batch_size=2,
    truncated_backprop_length=4,
    num_classes=3,
    echo_step=1,
)


def a_view(rows=2, lengths=None):
    x = np.arange(4 * rows).reshape(rows, 4) % 3
    y, predicted = (x + 1) % 3, (x + 2) % 3
    return View(x, y, predicted, lengths or [4] * rows)


def test_the_picture_is_of_the_losses_and_rows():
    figure = picture.new_figure()
    view = a_view(lengths=[4, 2])
    picture.draw(figure, LOSSES, view, DRAWN, "A title")
    loss, first, second, *rest = figure.axes
    line, dots = loss.lines
    assert line.get_xdata().tolist() == list(range(8))
    assert line.get_ydata().tolist() == LOSSES.tolist()
    # 24 / 2 / 4 = 3 batches an epoch: its first is a dot.
    assert dots.get_xdata().tolist() == [0, 3, 6]
    assert dots.get_ydata().tolist() == [8, 7, 6]
    assert dots.get_marker() == "."
    assert loss.get_ylim()[0] == 0
    assert loss.get_title() == "loss (dots: first batch of an epoch)"
    assert [axes.axison for axes in rest] == [False] * len(rest)
    assert len(figure.axes) == 3
    for row, axes in enumerate((first, second)):
        bars = [bar for bar in axes.patches if bar.get_width() == 1][:12]
        heights = np.array([bar.get_height() for bar in bars]).reshape(3, 4)
        counts = np.arange(4) < view.lengths[row]
        wanted = [
            view.x[row] / 2 * counts,
            view.y[row] / 2 * 0.5 * counts,
            view.predicted[row] / 2 * 0.3 * counts,
        ]
        np.testing.assert_allclose(heights, wanted)
        middles = [bar.get_x() + 0.5 for bar in bars]
        assert middles == pytest.approx([0, 1, 2, 3] * 3)
        assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 3.5), (0, 2))
    assert [first.get_title(), second.get_title()] == [
        "row 1",
        "row 2 (grey: past its end)",
    ]
    handles, labels = first.get_legend_handles_labels()
    assert labels == [
        *("input", "its echo, 1 steps later", "the network's echo"),
    ]
    colours = [handle.patches[0].get_facecolor() for handle in handles]
    assert len(set(colours)) == 3
    assert figure.get_suptitle() == "A title"
    grey = second.patches[-1]
    left, right = grey.get_x(), grey.get_x() + grey.get_width()
    assert (left, right) == (1.5, 3.5)
    assert len(first.patches) == 12


@pytest.mark.parametrize(
    ("rows", "shape", "more"),
    [
        (5, (2, 3), ""),
        (6, (2, 4), ""),
        (11, (3, 4), ""),
        (12, (3, 4), ", rows 1 to 11 shown"),
    ],
)
def test_as_many_rows_as_there_is_room_for(rows, shape, more):
    figure = picture.new_figure()
    picture.draw(figure, LOSSES, a_view(rows), DRAWN, "A title")
    assert len(figure.axes) == shape[0] * shape[1]
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == shape
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 1 + min(rows, 11)
    assert figure.get_suptitle() == f"A title{more}"
    two = DRAWN.replace(num_classes=2)
    picture.draw(figure, LOSSES, a_view(1), two, "")
    heights = [bar.get_height() for bar in figure.axes[1].patches[:4]]
    assert heights == [0, 1, 2, 0]  # one class above 0: as it is


@pytest.mark.parametrize(
    ("calls", "every"), [(1, 1), (100, 1), (101, 2), (200, 2), (201, 3)]
)
def test_a_film_takes_a_hundred_frames_at_most(calls, every, monkeypatch):
    film = picture.Film("unused.gif", calls)
    taken = []
    monkeypatch.setattr(film, "take", lambda *drawn: taken.append(drawn))
    for call in range(1, calls + 1):
        film(lambda: (call,))  # noqa: B023
    assert taken == [(n,) for n in range(every, calls + 1, every)]
    assert len(taken) <= 100


def test_a_films_last_frame_stays_longest(tmp_path):
    path = tmp_path / "film.gif"
    film = picture.Film(path, 2)
    drawn = (LOSSES, a_view(), DRAWN)
    for title in ("one", "two"):
        film(lambda: (*drawn, title))  # noqa: B023
    film.write(*drawn, "three")
    with Image.open(path) as frames:
        times = []
        for frame in range(frames.n_frames):
            frames.seek(frame)
            times.append(frames.info["duration"])
    assert times == [100, 100, 3000]


# --- Workers ---


def test_rows_are_shared_out_evenly():
    """Replica 1 of 3 has the third and fourth of six rows."""

    class Strategy:
        num_replicas_in_sync = 3

        def experimental_distribute_values_from_function(self, of):
            return [
                of(types.SimpleNamespace(replica_id_in_sync_group=index))
                for index in range(3)
            ]

    rows = workers._rows(Strategy(), 6)
    array = np.arange(24).reshape(6, 4)
    for shared, axis in ((rows(array, 0), 0), (rows(array.T, -1), -1)):
        parts = [part if axis == 0 else part.T for part in shared]
        assert [part[:, 0].tolist() for part in parts] == [
            [0, 4],
            [8, 12],
            [16, 20],
        ]
    workers.check(Config(batch_size=6, total_series_length=600), 3)
    with pytest.raises(UserError, match="4 workers cannot share batch_size"):
        workers.check(Config(batch_size=6, total_series_length=600), 4)


# --- `rnn-parity mistakes` ---


def a_mistake(name, keys, rung="states", **more):
    return mistakes.Mistake(
        name, f"Explained [{name}].", keys, rung, lambda e: e, **more
    )


@pytest.fixture
def catalogue(monkeypatch):
    made = [
        a_mistake("first", ("s1",)),
        a_mistake("second", ("s3", "s4", "s5"), "loss"),
        a_mistake("third", ("s4", "s5"), "training losses"),
    ]
    monkeypatch.setattr(mistakes, "CATALOGUE", {m.name: m for m in made})
    asked = []
    errors = {
        ("first", "float32"): (0.25, "states"),
        ("first", "float64"): (0.5, "states"),
        ("second", "float32"): (1.4e-3, "loss"),
        ("second", "float64"): (1.6e-3, "loss"),
        ("third", "float32"): (2e-8, None),
        ("third", "float64"): (3e-7, "training losses"),
    }

    def measure(mistake, key, dtype, case="odd"):
        asked.append((mistake.name, key, dtype))
        error, rung = errors[mistake.name, dtype]
        return mistakes.Measured(mistake, key, dtype, rung, error)

    monkeypatch.setattr(mistakes, "measure", measure)
    return asked


@pytest.mark.parametrize(
    ("given", "rows", "where"),
    [
        (
            (),
            ["first", "second", "third"],
            ["s1", "s3", "s4"],
        ),
        (("--section", "s5", "--section", "s4"), ["second", "third"], ["s4"]),
        (("--section", "s5"), ["second", "third"], ["s5"]),
        (("--section", "s1"), ["first"], ["s1"]),
    ],
)
def test_where_each_mistake_shows_and_how_much(
    catalogue, call_cli, given, rows, where
):
    done = call_cli("mistakes", *given)
    assert done.returncode == 0
    where = where * len(rows) if len(where) == 1 else where
    assert catalogue == [
        (name, key, dtype)
        for name, key in zip(rows, where, strict=True)
        for dtype in ("float32", "float64")
    ]
    lines = [line.split() for line in done.stdout.splitlines()]
    lines = [line for line in lines if line and "─" not in line[0]]
    head, *body = lines
    assert " ".join(head) == "mistake sections shows at float32 float64"
    figures = {
        "first": ["s1", "states", "2e-01", "5e-01"],
        "second": ["s3", "to", "s5", "loss", "1e-03", "2e-03"],
        "third": [
            *("s4", "to", "s5", "training", "losses", "(2e-08)", "3e-07"),
        ],
    }
    assert body[: 2 * len(rows)] == [
        line
        for name in rows
        for line in ([name, *figures[name]], ["Explained", f"[{name}]."])
    ]
    note = [word for line in body[2 * len(rows) :] for word in line]
    assert " ".join(note) == (
        "The largest error on that rung, at the odd sizes, in the first of "
        "the sections; in brackets where it is within tolerance."
    )
    assert done.stderr == f"measuring 1/{len(rows)} {rows[0]}\n"


def found(rung, error, tolerance=1.0):
    return ladder.Difference(rung, "one", error, 0, tolerance, (), 0, 0)


@pytest.mark.parametrize(
    ("without", "trained", "rung", "error"),
    [
        # The first rung that differs, and the worst on it.
        (
            [found("states", 2), found("states", 5), found("loss", 9)],
            None,
            *("states", 5),
        ),
        (
            [found("states", 0.5), found("loss", 3), found("loss", 0.1)],
            None,
            *("loss", 3),
        ),
        # Only training shows it.
        (
            [found("states", 0.5)],
            [found("states", 0.5), found("training losses", 4)],
            *("training losses", 4),
        ),
        # Nothing does: the error where it should.
        (
            [found("states", 0.5)],
            [
                *(found("states", 0.5), found("loss", 0.25)),
                found("loss", 0.75),
            ],
            *(None, 0.75),
        ),
    ],
)
def test_a_mistake_is_measured_where_it_first_shows(
    without, trained, rung, error, monkeypatch
):
    asked = []

    def differences(mistake, key, dtype, case, training):
        asked.append((key, dtype, case, training))
        return trained if training else without

    monkeypatch.setattr(mistakes, "_differences", differences)
    mistake = a_mistake("made up", ("s3",), "loss")
    measured = mistakes.measure(mistake, "s3", "float32")
    assert measured == mistakes.Measured(
        *(mistake, "s3", "float32", rung, error)
    )
    wanted = [("s3", "float32", "odd", False)]
    if trained:
        wanted.append(("s3", "float32", "odd", True))
    assert asked == wanted
    assert session.DEFAULT_SEED == 3
