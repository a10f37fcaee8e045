"""The data of a training session, decided by seed and epoch alone.

So a session that resumes needs to remember neither data nor generators.
NumPy's `RandomState` gives the same numbers in every release.
"""

from typing import NamedTuple

import numpy as np

from rnn_parity import cases, data, weights

_WEIGHTS, _TRAINING, _MASKS, _FRESH = range(4)


class Epoch(NamedTuple):
    """One epoch's series.

    Attributes:
        x: [B, length] inputs, in the config's dtype.
        y: [B, length] int32 labels, `echo_step` steps late.
        lengths: {} or {"sequence_length": [N, B]}, the valid steps of each
            window, for sections that take them.
    """

    x: np.ndarray
    y: np.ndarray
    lengths: dict


def initial_params(section, config, seed):
    """Fresh weights by their TensorFlow 1 names."""
    rng = np.random.RandomState([seed, _WEIGHTS])
    return weights.initial_params(section, config, rng)


def epoch(section, config, seed, index):
    """Epoch `index` of the training data."""
    return _epoch(section, config, [seed, _TRAINING, index])


def fresh(section, config, seed):
    """An epoch that no training sees."""
    return _epoch(section, config, [seed, _FRESH])


def _epoch(section, config, seeds):
    rng = np.random.RandomState(seeds)
    x, y = data.generate_data(config, rng)
    length = config.num_batches * config.truncated_backprop_length
    lengths = {}
    if section.lengths:
        lengths["sequence_length"] = _lengths(config, rng)
    return Epoch(
        x[:, :length].astype(config.dtype),
        y[:, :length].astype(np.int32),
        lengths,
    )


def _lengths(config, rng):
    """Every row ends somewhere in the second half of the series."""
    steps = config.truncated_backprop_length
    length = config.num_batches * steps
    ends = rng.randint(length // 2, length + 1, config.batch_size)
    starts = np.arange(0, length, steps)
    return np.clip(ends - starts[:, None], 0, steps).astype(np.int32)


def masks(section, config, seed, index, batches):
    """{} or {"dropout_masks": [n, L, T, B, H]} for a range of windows.

    Each window has its own, however many are asked for at a time.
    """
    if not section.masks:
        return {}
    drawn = [
        cases.draw_masks(
            section,
            config,
            np.random.RandomState([seed, _MASKS, index, batch]),
            batches=1,
        )
        for batch in batches
    ]
    return {"dropout_masks": np.concatenate(drawn).astype(config.dtype)}
