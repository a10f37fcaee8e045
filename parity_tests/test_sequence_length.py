"""Section 7: rows of different lengths, as TensorFlow 1 treats them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import SIZES, make_inputs

import rnn_parity
from rnn_parity import UserError

INPUTS = make_inputs(
    "s7", SIZES.replace(batch_size=5, total_series_length=60), seed=9
)
CONFIG = INPUTS.config
GIVEN = (CONFIG, INPUTS.params, INPUTS.batches_x[0], INPUTS.init_state)
LABELLED = (*GIVEN[:3], INPUTS.batches_y[0], INPUTS.init_state)
LENGTHS = np.array([0, 4, 1, 3, 2])
VERSIONS = pytest.mark.parametrize("version", rnn_parity.IMPLEMENTATIONS)


@VERSIONS
def test_outputs_are_zero_and_the_state_is_copied_past_the_end(version):
    contract = rnn_parity.load("s7", version)
    forward = contract.forward(*GIVEN, sequence_length=LENGTHS)
    for row, length in enumerate(LENGTHS):
        assert (forward.states_series[row, length:] == 0).all()
        assert (forward.states_series[row, :length] != 0).all()
    np.testing.assert_array_equal(
        forward.final_state[:, :, 0], INPUTS.init_state[:, :, 0]
    )
    full = contract.forward(*GIVEN)
    np.testing.assert_allclose(
        forward.final_state[:, :, 1], full.final_state[:, :, 1], atol=1e-15
    )


@VERSIONS
def test_without_lengths_all_steps_count(version):
    contract = rnn_parity.load("s7", version)
    all_steps = np.full(5, 4)
    implied, _ = contract.loss_and_gradients(*LABELLED)
    stated, _ = contract.loss_and_gradients(
        *LABELLED, sequence_length=all_steps
    )
    assert implied == stated
    section_5 = rnn_parity.load("s5", version)
    plain, _ = section_5.loss_and_gradients(*LABELLED)
    assert implied == pytest.approx(plain, abs=1e-15)
    batches = (INPUTS.batches_x, INPUTS.batches_y, INPUTS.init_state)
    trained = contract.train(*GIVEN[:2], *batches)
    same = section_5.train(*GIVEN[:2], *batches)
    np.testing.assert_allclose(trained.losses, same.losses, atol=1e-14)


@VERSIONS
def test_what_lies_past_the_end_does_not_matter(version):
    contract = rnn_parity.load("s7", version)
    past = np.arange(4) >= LENGTHS[:, None]
    other_x = np.where(past, 99.0, INPUTS.batches_x[0])
    other_y = np.where(past, 0, INPUTS.batches_y[0])
    ends = [
        contract.loss_and_gradients(
            CONFIG,
            INPUTS.params,
            x,
            y,
            INPUTS.init_state,
            sequence_length=LENGTHS,
        )
        for x, y in (LABELLED[2:4], (other_x, other_y))
    ]
    assert ends[0][0] == ends[1][0]
    for name, gradient in ends[0][1].items():
        np.testing.assert_array_equal(gradient, ends[1][1][name])


@VERSIONS
def test_a_batch_of_empty_rows_has_no_loss_and_no_gradient(version):
    loss, gradients = rnn_parity.load("s7", version).loss_and_gradients(
        *LABELLED, sequence_length=np.zeros(5, int)
    )
    assert loss == 0
    for gradient in gradients.values():
        assert (gradient == 0).all()


def test_how_keras_masking_differs():
    """Left alone, Keras repeats the last output where TensorFlow 1 has 0."""
    rnn = keras.layers.RNN(
        keras.layers.LSTMCell(4),
        return_sequences=True,
        return_state=True,
    )
    inputs = np.random.RandomState(0).normal(size=(3, 5, 2)).astype("f4")
    lengths = [0, 2, 5]
    held, *held_state = rnn(inputs, mask=tf.sequence_mask(lengths, 5))
    rnn.zero_output_for_mask = True
    zeroed, *zeroed_state = rnn(inputs, mask=tf.sequence_mask(lengths, 5))
    held, zeroed = np.array(held), np.array(zeroed)
    assert (zeroed[1, 2:] == 0).all()
    np.testing.assert_array_equal(held[1, 2:], held[1, [1, 1, 1]])
    assert abs(held - zeroed).max() == abs(held[1, 1]).max() > 0.01
    for one, other in zip(held_state, zeroed_state, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("lengths", [[0, 4, 1, 3, 5], [0, 4, 1, 3, -1]])
def test_a_length_out_of_range_is_one_clear_line(lengths):
    contract = rnn_parity.load("s7", "numpy_ref")
    with pytest.raises(UserError, match="stay within 0 and 4"):
        contract.forward(*GIVEN, sequence_length=lengths)
