"""Between the contract's arrays and the shapes that a section works in."""

import collections

import numpy as np

from rnn_parity.contract import Forward


class Cache:
    """Keeps the results of `make(*key)` for the keys asked for last.

    `drop(result)` is called with a result that has to go.
    """

    def __init__(self, make, size, drop=lambda result: None):
        self.make = make
        self.size = size
        self.drop = drop
        self.results = collections.OrderedDict()

    def __call__(self, *key):
        if key not in self.results:
            self.results[key] = self.make(*key)
        self.results.move_to_end(key)
        if len(self.results) > self.size:
            self.drop(self.results.popitem(last=False)[1])
        return self.results[key]


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


def complete(section, extras, batches_x):
    """All steps count where a section takes lengths and none are given."""
    if section.lengths and "sequence_length" not in extras:
        *rows, steps = batches_x.shape
        full = np.full(rows, steps, np.int32)
        return {**extras, "sequence_length": full}
    return extras


def loss_extras(extras):
    """Of the arguments that only some sections take, those of the loss."""
    return {k: v for k, v in extras.items() if k == "sequence_length"}


_KINDS = ("variable", "accumulator")


def own_arrays(params, accumulators):
    """One flat {name: array} of both, for a file."""
    both = zip(_KINDS, (params, accumulators), strict=True)
    return {
        f"{kind}/{name}": np.asarray(value).copy()
        for kind, values in both
        for name, value in values.items()
    }


def split_own_arrays(arrays):
    """The way back from `own_arrays`: (params, accumulators)."""
    return tuple(
        {
            name.removeprefix(f"{kind}/"): value
            for name, value in arrays.items()
            if name.startswith(f"{kind}/")
        }
        for kind in _KINDS
    )
