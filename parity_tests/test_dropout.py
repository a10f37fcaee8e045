"""Section 6: masks are data, and real ones are drawn as TensorFlow 1 does."""

import importlib
import itertools

import numpy as np
import pytest
from conftest import SIZES, make_inputs, spread

import rnn_parity
from rnn_parity import SECTIONS, UserError

CONFIG = SIZES.replace(
    batch_size=6,
    truncated_backprop_length=8,
    total_series_length=96,
    output_keep_prob=0.8,
)
INPUTS = make_inputs("s6", CONFIG, seed=21)
GIVEN = (CONFIG, INPUTS.params, INPUTS.batches_x[0], INPUTS.init_state)
LABELLED = (*GIVEN[:3], INPUTS.batches_y[0], INPUTS.init_state)


@pytest.mark.parametrize(
    ("version", "unroll"),
    spread(
        list(
            itertools.product(
                rnn_parity.IMPLEMENTATIONS, ["dynamic", "static"]
            )
        ),
        lambda one: one[1] == "dynamic" or one[0] == "numpy_ref",
    ),
)
def test_what_the_real_wrapper_drew_is_reproduced(version, unroll):
    from rnn_parity.adapters import legacy_dropout

    real, masks = legacy_dropout.drawn_masks(*GIVEN, seed=3, unroll=unroll)
    assert 0.7 < masks.mean() < 0.9
    again = rnn_parity.load("s6", version).forward(
        *GIVEN, dropout_masks=masks
    )
    for name, value in real._asdict().items():
        np.testing.assert_allclose(
            getattr(again, name), value, rtol=0, atol=2e-15, err_msg=name
        )


def test_given_masks_are_bit_equal_to_the_real_wrapper():
    from rnn_parity.adapters import legacy_dropout

    real, masks = legacy_dropout.drawn_masks(*GIVEN, seed=4)
    legacy = rnn_parity.load("s6", "legacy_v1")
    again = legacy.forward(*GIVEN, dropout_masks=masks)
    for name, value in real._asdict().items():
        np.testing.assert_array_equal(getattr(again, name), value)


@pytest.mark.parametrize("version", rnn_parity.IMPLEMENTATIONS)
def test_predicting_drops_nothing(version):
    section_5 = rnn_parity.load("s5", version).forward(*GIVEN)
    predicted = rnn_parity.load("s6", version).forward(*GIVEN)
    for mine, plain in zip(predicted, section_5, strict=True):
        np.testing.assert_allclose(mine, plain, rtol=0, atol=2e-15)


@pytest.mark.parametrize("version", rnn_parity.IMPLEMENTATIONS)
def test_training_without_masks_draws_fresh_ones(version):
    contract = rnn_parity.load("s6", version)
    losses = [contract.loss_and_gradients(*LABELLED)[0] for _ in range(4)]
    assert len(set(map(float, losses))) == 4
    ones = np.ones((3, 8, 6, 5))
    kept_all, _ = contract.loss_and_gradients(*LABELLED, dropout_masks=ones)
    assert kept_all not in losses
    batches = (INPUTS.batches_x, INPUTS.batches_y, INPUTS.init_state)
    runs = [contract.train(*GIVEN[:2], *batches).losses for _ in range(2)]
    assert (runs[0] != runs[1]).all()


def drawn_by(version, calls=40):
    """Every layer's dropped outputs and the state, [calls, L, B, T, H]."""
    module = importlib.import_module(f"{version}.s6_dropout")
    seen = []

    class Watched(module.EchoRNN):
        def drop_out(self, *args, **kwargs):
            out = super().drop_out(*args, **kwargs)
            seen.append(np.array(out))
            return out

    network = Watched(CONFIG)
    states = []
    for _ in range(calls):
        _, state = network.forward_pass(
            INPUTS.batches_x[0], INPUTS.init_state, training=True
        )
        states.append(np.array(state))
    return np.array(seen).reshape(calls, 3, 6, 8, 5), np.array(states)


def test_tf2_draws_as_tensorflow_1_does():
    """A fresh mask per call, layer, step and row; never for the state."""
    outputs, states = drawn_by("tf2")
    masks = (outputs != 0).astype(float)
    standard_error = np.sqrt(0.8 * 0.2 / masks.size)
    assert abs(masks.mean() - 0.8) < 5 * standard_error
    calls = len(masks)
    for axis, name in enumerate(("call", "layer", "row", "step", "unit")):
        neighbours = np.take(masks, range(1, masks.shape[axis]), axis)
        before = np.take(masks, range(masks.shape[axis] - 1), axis)
        same = (neighbours == before).mean()
        # 0.68 for independent draws, 1 for a mask that is shared.
        error = 5 * np.sqrt(0.68 * 0.32 / neighbours.size) * 2
        assert abs(same - (0.8**2 + 0.2**2)) < error, name
    assert (states != 0).all()
    # The top layer's last output is its h, dropped and scaled.
    h, dropped = states[:, -1, 1], outputs[:, -1, :, -1]
    assert calls == len(h)
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], h[kept] / 0.8, rtol=1e-14)


def test_wrong_masks_are_one_clear_line():
    contract = rnn_parity.load("s6", "numpy_ref")
    halves = np.full((3, 8, 6, 5), 0.5)
    with pytest.raises(UserError, match="other than 0 and 1"):
        contract.forward(*GIVEN, dropout_masks=halves)
    rows_first = np.ones((3, 6, 8, 5))
    with pytest.raises(UserError, match=r"needs \(3, 8, 6, 5\)"):
        contract.forward(*GIVEN, dropout_masks=rows_first)


def test_only_section_6_takes_masks():
    takes = [key for key, section in SECTIONS.items() if section.masks]
    assert takes == ["s6"]
