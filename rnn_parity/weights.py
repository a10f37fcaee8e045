"""Weights to start from: the tutorial's, and random ones for proofs."""

import numpy as np


def initial_params(section, config, rng):
    """Fresh weights as the tutorial draws them.

    Its own variables are uniform in [0, 1) with zero biases; the cells
    behind the API get TensorFlow 1's default, Glorot uniform [1], and zero
    biases. [1] Glorot and Bengio, 2010.

    Args:
        section: a record of `rnn_parity.sections`.
        config: `rnn_parity.Config`.
        rng: `numpy.random.RandomState`.

    Returns:
        {name: array} in `config.dtype`.
    """
    params = {}
    for name, shape in section.param_shapes(config).items():
        if name.endswith("kernel"):
            limit = np.sqrt(6.0 / sum(shape))
            value = rng.uniform(-limit, limit, shape)
        elif name.startswith("W"):
            value = rng.uniform(0.0, 1.0, shape)
        else:
            value = np.zeros(shape)
        params[name] = value.astype(config.dtype)
    return params


def random_params(section, config, rng):
    """Asymmetric weights with non-zero biases, for proofs.

    Every value is one that float32 holds exactly, so both dtypes start
    from the same numbers.

    Args and returns as `initial_params`, in float64.
    """
    return {
        name: rng.normal(0.1, 0.6, shape).astype(np.float32).astype(float)
        for name, shape in section.param_shapes(config).items()
    }
