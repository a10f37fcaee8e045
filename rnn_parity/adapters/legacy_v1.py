"""The contract for `legacy_v1`: graphs and sessions."""

import functools

import numpy as np

from rnn_parity.adapters import packing
from rnn_parity.contract import Training
from rnn_parity.quiet import tf as tf2

tf = tf2.compat.v1

_GRAPHS_KEPT = 8


class Adapter:
    """Runs one `legacy_v1` section; a graph is built once per config."""

    def __init__(self, section, echo_rnn):
        self.section = section
        self.echo_rnn = echo_rnn
        self._network = functools.lru_cache(_GRAPHS_KEPT)(self._build)

    def _build(self, config):
        with tf.Graph().as_default():
            return Network(self.echo_rnn(config))

    def forward(self, config, params, batch_x, init_state, **extras):
        network = self._network(config)
        network.restore(params)
        echo_rnn = network.echo_rnn
        return packing.forward(
            config,
            *echo_rnn.session.run(
                [
                    echo_rnn.states_series,
                    echo_rnn.current_state,
                    echo_rnn.logits_series,
                    echo_rnn.predictions_series,
                ],
                network.feed(batch_x, self._state(init_state), **extras),
            ),
        )

    def loss_and_gradients(
        self, config, params, batch_x, batch_y, init_state, **extras
    ):
        network = self._network(config)
        network.restore(params)
        feed = network.feed(batch_x, self._state(init_state), **extras)
        feed[network.echo_rnn.batchY_placeholder] = batch_y
        loss, gradients = network.echo_rnn.session.run(
            [network.echo_rnn.total_loss, network.gradients], feed
        )
        gradients["init_state"] = np.asarray(gradients["init_state"])
        return np.asarray(loss), gradients

    def train(
        self, config, params, batches_x, batches_y, init_state, **extras
    ):
        network = self._network(config)
        network.restore(params)
        losses, final_state = network.echo_rnn.train_epoch(
            packing.whole_series(batches_x),
            packing.whole_series(batches_y),
            self._state(init_state),
            **extras,
        )
        trained, accumulators = network.echo_rnn.session.run(
            [network.variables, network.accumulators]
        )
        return Training(
            np.asarray(losses), np.asarray(final_state), trained, accumulators
        )

    def _state(self, init_state):
        return packing.section_state(self.section, init_state)


class Network:
    """A built section with what the contract needs around it."""

    def __init__(self, echo_rnn):
        self.echo_rnn = echo_rnn
        self.graph = tf.get_default_graph()
        self.variables = {v.op.name: v for v in tf.trainable_variables()}
        self.accumulators = {
            name: echo_rnn.optimizer.get_slot(variable, "accumulator")
            for name, variable in self.variables.items()
        }
        slots = list(self.accumulators.values())
        self._restore = [tf.variables_initializer(slots)]
        self._restore += [v.initializer for v in self.variables.values()]

    @functools.cached_property
    def gradients(self):
        """Of the loss: by variable name, and of the initial state."""
        sources = {**self.variables, "init_state": self.echo_rnn.init_state}
        with self.graph.as_default():
            flat = tf.gradients(
                self.echo_rnn.total_loss, tf.nest.flatten(sources)
            )
        return tf.nest.pack_sequence_as(sources, flat)

    def restore(self, params):
        """Puts the weights in place and the accumulators back to 0.1."""
        self.echo_rnn.session.run(
            self._restore,
            {
                variable.initializer.inputs[1]: params[name]
                for name, variable in self.variables.items()
            },
        )

    def feed(self, batch_x, init_state):
        """The feed_dict of one batch, without labels."""
        return {
            self.echo_rnn.batchX_placeholder: batch_x,
            self.echo_rnn.init_state: init_state,
        }
