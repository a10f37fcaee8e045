"""The contract for `legacy_v1`: graphs and sessions."""

import numpy as np

from rnn_parity.adapters import legacy_dropout, packing
from rnn_parity.adapters.legacy_network import Network
from rnn_parity.contract import Training

_GRAPHS_KEPT = 8


class Adapter:
    """Runs one `legacy_v1` section; a graph is built once per config."""

    def __init__(self, section, echo_rnn):
        self.section = section
        self.echo_rnn = echo_rnn
        self._graph = packing.Cache(self._build, _GRAPHS_KEPT, Network.close)

    def _build(self, config, with_masks):
        echo_rnn = self.echo_rnn
        if with_masks:
            echo_rnn = legacy_dropout.taking_masks(echo_rnn)
        return Network(self.section, config, echo_rnn)

    def _network(self, config, params, extras):
        network = self._graph(config, "dropout_masks" in extras)
        network.restore(params)
        return network

    def forward(self, config, params, batch_x, init_state, **extras):
        extras = packing.complete(self.section, extras, batch_x)
        network = self._network(config, params, extras)
        feed = network.feed(batch_x, init_state, extras)
        return packing.forward(config, *network.run(network.forward, feed))

    def loss_and_gradients(
        self, config, params, batch_x, batch_y, init_state, **extras
    ):
        extras = packing.complete(self.section, extras, batch_x)
        network = self._network(config, params, extras)
        feed = network.feed(batch_x, init_state, extras)
        feed[network.echo_rnn.batchY_placeholder] = batch_y
        if self.section.masks:
            feed[network.echo_rnn.training] = True
        total_loss = network.echo_rnn.total_loss
        loss, gradients = network.run([total_loss, network.gradients], feed)
        gradients["init_state"] = np.asarray(gradients["init_state"])
        return np.asarray(loss), gradients

    def train(
        self, config, params, batches_x, batches_y, init_state, **extras
    ):
        extras = packing.complete(self.section, extras, batches_x)
        network = self._network(config, params, extras)
        losses, final_state = network.train(
            packing.whole_series(batches_x),
            packing.whole_series(batches_y),
            init_state,
            **extras,
        )
        return Training(
            losses, final_state, network.params(), network.accumulators()
        )
