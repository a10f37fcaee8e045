"""The echo task: random values, and the same values some steps later."""

import numpy as np


def generate_data(config, rng):
    """One epoch's series, the tutorial's `generateData`.

    Args:
        config: `rnn_parity.Config`.
        rng: `numpy.random.RandomState` or `numpy.random.Generator`.

    Returns:
        (x, y), both int [B, total_series_length // B]: rows are adjacent
        pieces of one series, and y is x `echo_step` steps late.
    """
    x = rng.choice(config.num_classes, config.total_series_length)
    y = np.roll(x, config.echo_step)
    y[: config.echo_step] = 0
    rows = (config.batch_size, -1)
    return x.reshape(rows), y.reshape(rows)


def batch_windows(series, config):
    """The sliding batch window: [B, length] -> [N, B, T], in order.

    What does not fill a last window is left out.
    """
    steps = config.truncated_backprop_length
    num_batches = series.shape[1] // steps
    windows = series[:, : num_batches * steps].reshape(
        series.shape[0], num_batches, steps
    )
    return windows.transpose(1, 0, 2)
