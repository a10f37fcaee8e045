"""A legacy section in its own graph, with what the contract needs."""

import functools

from rnn_parity.quiet import tf as tf2

tf = tf2.compat.v1


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

    def restore(self, params):
        """Puts the weights in place and the accumulators back to 0.1."""
        self.run(
            self._restore,
            {
                variable.initializer.inputs[1]: params[name]
                for name, variable in self.variables.items()
            },
        )

    def feed(self, batch_x, init_state, extras):
        """The feed_dict of one batch, without labels."""
        return {
            self.echo_rnn.batchX_placeholder: batch_x,
            self.echo_rnn.init_state: init_state,
            **{getattr(self.echo_rnn, k): v for k, v in extras.items()},
        }

    def run(self, fetches, feed=None):
        return self.echo_rnn.session.run(fetches, feed)

    def close(self):
        self.echo_rnn.session.close()
