"""The contract for `numpy_ref`. No TensorFlow."""

import numpy as np

from rnn_parity.adapters import packing
from rnn_parity.contract import Training


class Network:
    """A built section with what training needs around it."""

    def __init__(self, section, config, echo_rnn):
        self.section = section
        self.echo_rnn = echo_rnn(config)

    def restore(self, params, accumulators=None):
        """Puts the weights in place, and the accumulators or their start."""
        start = self.echo_rnn.optimizer.initial_accumulator_value
        for name, variable in self.params().items():
            variable[...] = params[name]
        for name, value in self.accumulators().items():
            value[...] = start if accumulators is None else accumulators[name]

    def params(self):
        return self.echo_rnn.variables

    def accumulators(self):
        return self.echo_rnn.optimizer.accumulators

    def arrays(self):
        """{name: array}, the version's own: here TensorFlow 1's layout."""
        return packing.own_arrays(self.params(), self.accumulators())

    def assign(self, arrays):
        self.restore(*packing.split_own_arrays(arrays))

    def train(self, x, y, state, **extras):
        losses, state = self.echo_rnn.train_epoch(x, y, state, **extras)
        return np.asarray(losses), state

    def predict(self, batch_x, state, **extras):
        outputs, state = self.echo_rnn.forward_pass(batch_x, state, **extras)
        _, predictions = self.echo_rnn.read_out(outputs)
        return packing.series(predictions, self.echo_rnn.config), state


class Adapter:
    """Runs one `numpy_ref` section; a new network for every call."""

    def __init__(self, section, echo_rnn):
        self.section = section
        self.echo_rnn = echo_rnn

    def _network(self, config, params):
        network = Network(self.section, config, self.echo_rnn)
        network.restore(params)
        return network

    def forward(self, config, params, batch_x, init_state, **extras):
        extras = packing.complete(self.section, extras, batch_x)
        network = self._network(config, params).echo_rnn
        outputs, final_state = network.forward_pass(
            batch_x, init_state, **extras
        )
        logits, predictions = network.read_out(outputs)
        return packing.forward(
            config, outputs, final_state, logits, predictions
        )

    def loss_and_gradients(
        self, config, params, batch_x, batch_y, init_state, **extras
    ):
        extras = packing.complete(self.section, extras, batch_x)
        network = self._network(config, params).echo_rnn
        loss, gradients, _ = network.calculate_gradients(
            batch_x, batch_y, init_state, **extras
        )
        return np.asarray(loss), gradients

    def train(
        self, config, params, batches_x, batches_y, init_state, **extras
    ):
        extras = packing.complete(self.section, extras, batches_x)
        network = self._network(config, params)
        losses, final_state = network.train(
            packing.whole_series(batches_x),
            packing.whole_series(batches_y),
            init_state,
            **extras,
        )
        return Training(
            losses, final_state, network.params(), network.accumulators()
        )
