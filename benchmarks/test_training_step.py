"""A training step at the tutorial's sizes: TensorFlow 1 session and TF 2.

    make bench

Every benchmark trains on the same 100 batches with the state carried on;
its figures are for all 100. Building, tracing and compiling happen before
the clock starts. The session fetches loss, update and state only.
"""

import functools
import importlib

import numpy as np
import pytest

import rnn_parity
from rnn_parity import data
from rnn_parity.quiet import tf

CONFIG = rnn_parity.Config()
BATCHES = 100
LENGTH = BATCHES * CONFIG.truncated_backprop_length


def arguments(section):
    """x, y, the initial state and what the section takes besides."""
    rng = np.random.RandomState(0)
    x, y = data.generate_data(CONFIG, rng)
    state = np.zeros(section.state_shape(CONFIG), CONFIG.dtype)
    given = [x[:, :LENGTH].astype(CONFIG.dtype), y[:, :LENGTH].astype("i4")]
    if section.lengths:
        steps = CONFIG.truncated_backprop_length
        lengths = rng.randint(0, steps + 1, (BATCHES, CONFIG.batch_size))
        return [*given, state, lengths.astype("i4")]
    return [*given, state]


def echo_rnn(section, version):
    module = importlib.import_module(f"{version}.{section.module}")
    return module.EchoRNN(CONFIG)


def session(section):
    """A TensorFlow 1 session, one `run` a step."""
    with tf.Graph().as_default():
        network = echo_rnn(section, "legacy_v1")
    x, y, state, *lengths = arguments(section)
    state = tuple(state) if section.state == "pair" else state
    return lambda: network.train_epoch(x, y, state, *lengths)


def per_step(section):
    """One call of a `tf.function` a step."""
    network = echo_rnn(section, "tf2")
    x, y, state, *lengths = arguments(section)
    windows = [data.batch_windows(series, CONFIG) for series in (x, y)]
    batches = list(zip(*map(tf.constant, [*windows, *lengths]), strict=True))

    def run():
        current_state = tf.constant(state)
        for batchX, batchY, *length in batches:
            total_loss, current_state = network.train_step(
                batchX, batchY, current_state, *length
            )
        return total_loss.numpy()

    return run


def whole_epoch(section, **options):
    """All steps in one call of a `tf.function`."""
    network = echo_rnn(section, "tf2")
    train_epoch = type(network).train_epoch.python_function
    epoch = tf.function(functools.partial(train_epoch, network), **options)
    given = list(map(tf.constant, arguments(section)))
    return lambda: epoch(*given)[0].numpy()


def compiled_epoch(section):
    """The same, compiled by XLA."""
    return whole_epoch(section, jit_compile=True)


WAYS = {
    "legacy session": session,
    "tf2 step": per_step,
    "tf2 epoch": whole_epoch,
    "tf2 epoch, XLA": compiled_epoch,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", rnn_parity.SECTIONS)
def test_training(benchmark, key, way):
    section = rnn_parity.SECTIONS[key]
    run = WAYS[way](section)
    benchmark.group = f"{key}: {section.title}, {BATCHES} training steps"
    benchmark.name = way
    benchmark.pedantic(run, rounds=7, warmup_rounds=2)
