"""The contract for `numpy_ref`. No TensorFlow."""

import numpy as np

from rnn_parity.adapters import packing
from rnn_parity.contract import Training


class Adapter:
    """Runs one `numpy_ref` section; a new network for every call."""

    def __init__(self, section, echo_rnn):
        self.section = section
        self.echo_rnn = echo_rnn

    def _network(self, config, params):
        network = self.echo_rnn(config)
        for name, variable in network.variables.items():
            variable[...] = params[name]
        return network

    def forward(self, config, params, batch_x, init_state, **extras):
        extras = packing.complete(self.section, extras, batch_x)
        network = self._network(config, params)
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
        network = self._network(config, params)
        loss, gradients, _ = network.calculate_gradients(
            batch_x, batch_y, init_state, **extras
        )
        return np.asarray(loss), gradients

    def train(
        self, config, params, batches_x, batches_y, init_state, **extras
    ):
        extras = packing.complete(self.section, extras, batches_x)
        network = self._network(config, params)
        losses, final_state = network.train_epoch(
            packing.whole_series(batches_x),
            packing.whole_series(batches_y),
            init_state,
            **extras,
        )
        return Training(
            np.asarray(losses),
            final_state,
            network.variables,
            network.optimizer.accumulators,
        )
