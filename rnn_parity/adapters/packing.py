"""Between the contract's arrays and the shapes that a section works in."""

import numpy as np

from rnn_parity.contract import Forward


def series(value, config):
    """T arrays [B, K], or one [B * T, K] or [B, T, K] -> [B, T, K]."""
    if isinstance(value, (list, tuple)):
        return np.stack(value, axis=1)
    value = np.asarray(value)
    rows_and_steps = (config.batch_size, config.truncated_backprop_length)
    return value.reshape(*rows_and_steps, value.shape[-1])


def forward(config, states_series, final_state, logits, predictions):
    """What a section returns, as the contract's `Forward`."""
    return Forward(
        series(states_series, config),
        np.asarray(final_state),
        series(logits, config),
        series(predictions, config),
    )


def whole_series(batches):
    """[N, B, T] batch windows -> the series [B, N * T] they slide over."""
    return np.concatenate(list(batches), axis=1)


def section_state(section, init_state):
    """The state as a section takes it: two arrays where it has two."""
    return tuple(init_state) if section.state == "pair" else init_state
