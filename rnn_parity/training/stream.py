"""The data of a training session, decided by seed and epoch alone.

So a session that resumes needs to remember neither data nor generators.
NumPy's `RandomState` and `Philox` give the same numbers in every release.
"""

import math
from typing import NamedTuple

import numpy as np

from rnn_parity import data, weights

_WEIGHTS, _TRAINING, _FRESH = range(3)
_DRAWN_PER_TURN = 4  # Philox' 64-bit numbers per count


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

    Each window has its own, however many are asked for at a time: Philox
    counts, so that any place of an epoch's stream can be gone to.
    """
    if not section.masks:
        return {}
    shape = (
        section.num_layers(config),
        config.truncated_backprop_length,
        config.batch_size,
        config.state_size,
    )
    turns = -(-math.prod(shape) // _DRAWN_PER_TURN)
    numbers = np.random.Philox(key=[seed, index])
    numbers.advance(batches.start * turns)
    drawn = numbers.random_raw((len(batches), turns * _DRAWN_PER_TURN))
    # As random() < output_keep_prob, without the floats.
    below = np.uint64(math.ceil(config.output_keep_prob * 2**53))
    drawn >>= np.uint64(11)
    kept = (drawn[:, : math.prod(shape)] < below).astype(config.dtype)
    return {"dropout_masks": kept.reshape(len(batches), *shape)}
