"""The few functions that TensorFlow gives and NumPy lacks."""

import numpy as np


def sigmoid(x):
    """1 / (1 + exp(-x)), written so that exp never overflows."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def glorot_uniform(shape, dtype):
    """A random kernel [inputs, outputs], as TensorFlow 1 draws it.

    Uniform within sqrt(6 / (inputs + outputs)) of zero.
    Source: Glorot and Bengio, 2010.
    """
    limit = np.sqrt(6.0 / sum(shape))
    return np.random.uniform(-limit, limit, shape).astype(dtype)


def softmax(logits):
    """exp(l_c) / sum_k exp(l_k) over the last axis; shapes [..., C]."""
    scaled = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


def sparse_softmax_cross_entropy(logits, labels):
    """-log softmax(logits)[label]: logits [..., C], labels [...] -> [...]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    chosen = np.take_along_axis(shifted, labels[..., None], axis=-1)
    return log_sum - chosen[..., 0]


def cross_entropy_gradient(logits, labels):
    """d(-log softmax(logits)[label]) / d logits: softmax - one-hot."""
    one_hot = np.arange(logits.shape[-1]) == labels[..., None]
    return softmax(logits) - one_hot.astype(logits.dtype)


def sequence_mask(lengths, steps):
    """[B] -> bool [B, steps]: which steps come before a row's end."""
    return np.arange(steps) < lengths[:, np.newaxis]


def add_up(gradients):
    """A list of {name: gradient}, one per step -> their sums, by name."""
    return {name: sum(g[name] for g in gradients) for name in gradients[0]}


class Adagrad:
    """TensorFlow 1's Adagrad, which starts at 0.1 and has no epsilon.

        acc <- acc + g^2;    variable <- variable - rate g / sqrt(acc)

    The rate passes through float32, as it does in TensorFlow 1.
    Source: Duchi, Hazan and Singer, 2011; `tf.train.AdagradOptimizer`.
    """

    initial_accumulator_value = 0.1

    def __init__(self, learning_rate, variables):
        self.learning_rate = np.float32(learning_rate)
        self.variables = variables
        self.accumulators = {
            name: np.full_like(value, self.initial_accumulator_value)
            for name, value in variables.items()
        }

    def apply(self, gradients):
        """Updates every variable in place; gradients by the same names."""
        for name, variable in self.variables.items():
            gradient = gradients[name]
            accumulator = self.accumulators[name]
            rate = variable.dtype.type(self.learning_rate)
            accumulator += gradient * gradient
            variable -= rate * self.step(gradient, accumulator)

    def step(self, gradient, accumulator):
        """What the rate is multiplied by."""
        return gradient / np.sqrt(accumulator)
