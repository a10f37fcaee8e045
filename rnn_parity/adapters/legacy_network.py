"""A legacy section in its own graph, with what the contract needs."""

import functools

import numpy as np

from rnn_parity.adapters import packing
from rnn_parity.quiet import tf as tf2

tf = tf2.compat.v1


class Network:
    """A built section with what the contract and training need around it.

    Args:
        section, config: what to build.
        echo_rnn: the section's class, or one made from it.
    """

    def __init__(self, section, config, echo_rnn):
        self.section = section
        self.config = config
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.echo_rnn = echo_rnn(config)
            variables = tf.trainable_variables()
        self.variables = {v.op.name: v for v in variables}
        self.slots = {
            name: self.echo_rnn.optimizer.get_slot(variable, "accumulator")
            for name, variable in self.variables.items()
        }
        with self.graph.as_default():
            self._restore = tf.variables_initializer(
                [*self.variables.values(), *self.slots.values()]
            )

    @property
    def forward(self):
        """The tensors of a `Forward`."""
        return [
            self.echo_rnn.states_series,
            self.echo_rnn.current_state,
            self.echo_rnn.logits_series,
            self.echo_rnn.predictions_series,
        ]

    @functools.cached_property
    def gradients(self):
        """Of the loss: by variable name, and of the initial state."""
        sources = {**self.variables, "init_state": self.echo_rnn.init_state}
        with self.graph.as_default():
            flat = tf.gradients(
                self.echo_rnn.total_loss, tf.nest.flatten(sources)
            )
        return tf.nest.pack_sequence_as(sources, flat)

    def restore(self, params, accumulators=None):
        """Puts the weights in place, and the accumulators or 0.1."""
        feed = {
            variable.initializer.inputs[1]: params[name]
            for name, variable in self.variables.items()
        }
        for name, slot in self.slots.items():
            if accumulators is not None:
                feed[slot.initializer.inputs[1]] = accumulators[name]
        self.run(self._restore, feed)

    def params(self):
        return self.run(self.variables)

    def accumulators(self):
        return self.run(self.slots)

    def arrays(self):
        """{name: array}, the version's own: here TensorFlow 1's layout."""
        return packing.own_arrays(self.params(), self.accumulators())

    def assign(self, arrays):
        self.restore(*packing.split_own_arrays(arrays))

    def train(self, x, y, state, **extras):
        losses, state = self.echo_rnn.train_epoch(
            x, y, self.state(state), **extras
        )
        return np.asarray(losses), np.asarray(state)

    def predict(self, batch_x, state, **extras):
        feed = self.feed(batch_x, state, extras)
        predictions, state = self.run(
            [self.echo_rnn.predictions_series, self.echo_rnn.current_state],
            feed,
        )
        return packing.series(predictions, self.config), np.asarray(state)

    def state(self, state):
        """Section 3 has two placeholders in an LSTMStateTuple."""
        return tuple(state) if self.section.state == "pair" else state

    def feed(self, batch_x, state, extras):
        """The feed_dict of one batch, without labels.

        Section 6 drops only where masks say what.
        """
        feed = {
            self.echo_rnn.batchX_placeholder: batch_x,
            self.echo_rnn.init_state: self.state(state),
            **{getattr(self.echo_rnn, k): v for k, v in extras.items()},
        }
        if self.section.masks:
            feed[self.echo_rnn.training] = "dropout_masks" in extras
        return feed

    def run(self, fetches, feed=None):
        return self.echo_rnn.session.run(fetches, feed)

    def close(self):
        self.echo_rnn.session.close()
