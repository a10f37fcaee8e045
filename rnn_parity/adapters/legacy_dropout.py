"""Legacy dropout: given masks instead of drawn ones, and the drawn ones.

A `dynamic_rnn` is one loop op: nothing can be fed to the dropout inside it
or fetched from there. So masks go in beside the inputs, and dropped outputs
come out beside the last layer's.
"""

import numpy as np

from legacy_v1 import s6_dropout
from rnn_parity import sections
from rnn_parity.adapters import packing
from rnn_parity.adapters.legacy_network import Network
from rnn_parity.quiet import tf as tf2

tf = tf2.compat.v1


# --- Masks in ---


class MaskedDropoutWrapper(tf.nn.rnn_cell.DropoutWrapper):
    """Drops what it is told to, by the same operations as its parent.

    Its inputs are (inputs, masks [B, layers, H]): its own layer's mask and
    those of the layers above, which it hands on to them. It drops nothing
    unless `training`, a bool tensor.
    """

    def __init__(self, cell, output_keep_prob, training):
        super().__init__(cell)
        self.output_keep_prob = output_keep_prob
        self.training = training

    def __call__(self, inputs, state, scope=None):
        inputs, masks = inputs
        output, state = self.wrapped_cell(inputs, state, scope)
        rate = 1.0 - self.output_keep_prob
        kept = output / (1.0 - rate)
        dropped = tf.where(masks[:, 0] > 0, kept, tf.zeros_like(kept))
        output = tf.where(self.training, dropped, output)
        if masks.shape[1] > 1:
            output = (output, masks[:, 1:])
        return output, state


def taking_masks(echo_rnn):
    """Section 6's `EchoRNN` -> one that is fed masks."""

    class MaskedEchoRNN(echo_rnn):
        def declare_variables(self):
            super().declare_variables()
            config = self.config
            layers, steps = (
                config.num_layers,
                config.truncated_backprop_length,
            )
            shape = [layers, steps, config.batch_size, config.state_size]
            self.dropout_masks = tf.placeholder_with_default(
                tf.ones(shape, config.dtype), shape
            )

        def drop_out(self, cell, training):
            config = self.config
            keep_prob = tf.constant(config.output_keep_prob, config.dtype)
            return MaskedDropoutWrapper(cell, keep_prob, training)

    return MaskedEchoRNN


# --- Masks out ---


class MultiRNNCell(tf.nn.rnn_cell.MultiRNNCell):
    """Returns every layer's output, side by side.

    It must have its parent's name, or its variables would have another.
    """

    def __init__(self, cells):
        super().__init__(cells)
        self.cells = cells

    @property
    def output_size(self):
        return sum(cell.output_size for cell in self.cells)

    def call(self, inputs, state):
        outputs, new_state = [], []
        for layer, cell in enumerate(self.cells):
            with tf.variable_scope(f"cell_{layer}"):
                inputs, cell_state = cell(inputs, state[layer])
            outputs.append(inputs)
            new_state.append(cell_state)
        return tf.concat(outputs, 1), tuple(new_state)


class RevealingEchoRNN(s6_dropout.EchoRNN):
    """Section 6 with its real dropout, which shows what was dropped."""

    def __init__(self, config, unroll):
        self.unroll = {"dynamic": self.dynamic, "static": self.static}[unroll]
        super().__init__(config)

    def dynamic(self, cell, inputs_series, state):
        return tf.nn.dynamic_rnn(cell, inputs_series, initial_state=state)

    def static(self, cell, inputs_series, state):
        inputs_series = tf.unstack(inputs_series, axis=1)
        outputs, state = tf.nn.static_rnn(
            cell, inputs_series, initial_state=state
        )
        return tf.stack(outputs, axis=1), state

    def forward_pass(
        self, batchX, init_state, dropout_masks=None, training=False
    ):
        cell = MultiRNNCell([self.drop_out(c, training) for c in self.cells])
        rnn_tuple_state = tuple(
            tf.nn.rnn_cell.LSTMStateTuple(state[0], state[1])
            for state in tf.unstack(init_state)
        )
        inputs_series = tf.expand_dims(batchX, -1)
        outputs, current_state = self.unroll(
            cell, inputs_series, rnn_tuple_state
        )
        outputs = tf.stack(tf.split(outputs, len(self.cells), axis=-1))
        drawn = tf.cast(tf.not_equal(outputs, 0), outputs.dtype)
        self.drawn_masks = tf.transpose(drawn, [0, 2, 1, 3])
        return outputs[-1], current_state


def drawn_masks(config, params, batch_x, init_state, seed, unroll="dynamic"):
    """One forward pass in training, and the masks that dropout drew in it.

    Args:
        config, params, batch_x, init_state: as `Contract.forward` has them,
            the arrays in `config.dtype`.
        seed: the graph's. In a `dynamic_rnn` it does not quite decide what
            is dropped: the loop's steps race for the random numbers.
        unroll: "dynamic" for `dynamic_rnn`, "static" for `static_rnn`.

    Returns:
        (`Forward`, masks [L, T, B, H] of 0 and 1), of one session run. A
        unit counts as dropped where its output is zero.
    """

    def seeded(config):
        tf.set_random_seed(seed)
        return RevealingEchoRNN(config, unroll)

    network = Network(sections.find("s6"), config, seeded)
    network.restore(params)
    feed = network.feed(batch_x, init_state, {})
    feed[network.echo_rnn.training] = True
    fetches = [network.forward, network.echo_rnn.drawn_masks]
    forward, masks = network.run(fetches, feed)
    network.close()
    return packing.forward(config, *forward), np.asarray(masks)
