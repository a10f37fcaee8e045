"""NumPy's hand-written gradients against finite differences."""

import numpy as np
from conftest import make_inputs

import rnn_parity

STEP = 1e-6


def loss_at(key, inputs, params, state):
    contract = rnn_parity.load(key, "numpy_ref")
    loss, _ = contract.loss_and_gradients(
        inputs.config,
        params,
        inputs.batches_x[0],
        inputs.batches_y[0],
        state,
        **inputs.first_extras(),
    )
    return loss


def central_difference(function, array):
    """d function() / d array, entry by entry; array is changed in place."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        ends = []
        for sign in (1, -1):
            array[index] = kept + sign * STEP
            ends.append(function())
        array[index] = kept
        gradient[index] = (ends[0] - ends[1]) / (2 * STEP)
    return gradient


def test_every_gradient_is_the_slope_of_the_loss(key):
    inputs = make_inputs(key, seed=11)
    params = {name: value.copy() for name, value in inputs.params.items()}
    state = inputs.init_state.copy()
    contract = rnn_parity.load(key, "numpy_ref")
    _, gradients = contract.loss_and_gradients(
        inputs.config,
        params,
        inputs.batches_x[0],
        inputs.batches_y[0],
        state,
        **inputs.first_extras(),
    )
    for name, array in {**params, "init_state": state}.items():
        slope = central_difference(
            lambda: loss_at(key, inputs, params, state), array
        )
        np.testing.assert_allclose(
            gradients[name], slope, rtol=0, atol=1e-9, err_msg=name
        )
