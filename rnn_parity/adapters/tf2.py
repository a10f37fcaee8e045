"""The contract for `tf2`: eager calls, and tf.function for training."""

import numpy as np

from rnn_parity import layouts
from rnn_parity.adapters import packing
from rnn_parity.contract import Training
from rnn_parity.quiet import tf

_NETWORKS_KEPT = 8


class Adapter:
    """Runs one `tf2` section; a network is built once per config."""

    def __init__(self, section, echo_rnn):
        self.section = section
        self._network = packing.Cache(echo_rnn, _NETWORKS_KEPT)

    def forward(self, config, params, batch_x, init_state, **extras):
        extras = packing.complete(self.section, extras, batch_x)
        network = self._restored(config, params)
        outputs, final_state = network.forward_pass(
            tf.constant(batch_x), tf.constant(init_state), **_tensors(extras)
        )
        logits, predictions = network.read_out(outputs)
        return packing.forward(
            config, outputs, final_state, logits, predictions
        )

    def loss_and_gradients(
        self, config, params, batch_x, batch_y, init_state, **extras
    ):
        extras = packing.complete(self.section, extras, batch_x)
        network = self._restored(config, params)
        init_state = tf.constant(init_state)
        extras = _tensors(extras)
        training = {"training": True} if self.section.masks else {}
        with tf.GradientTape() as tape:
            tape.watch(init_state)
            outputs, _ = network.forward_pass(
                tf.constant(batch_x), init_state, **extras, **training
            )
            logits, _ = network.read_out(outputs)
            loss = network.calculate_loss(
                logits, tf.constant(batch_y), **packing.loss_extras(extras)
            )
        *gradients, of_state = tape.gradient(
            loss, [*network.variables, init_state]
        )
        by_name = self._by_name(config, gradients, forget_bias=0.0)
        return loss.numpy(), {**by_name, "init_state": of_state.numpy()}

    def train(
        self, config, params, batches_x, batches_y, init_state, **extras
    ):
        extras = packing.complete(self.section, extras, batches_x)
        network = self._restored(config, params)
        losses, final_state = network.train_epoch(
            tf.constant(packing.whole_series(batches_x)),
            tf.constant(packing.whole_series(batches_y)),
            tf.constant(init_state),
            **_tensors(extras),
        )
        accumulators = _accumulators(network.optimizer)
        return Training(
            losses.numpy(),
            final_state.numpy(),
            self._by_name(config, network.variables),
            self._by_name(config, accumulators, forget_bias=0.0),
        )

    def _restored(self, config, params):
        network = self._network(config)
        values = layouts.to_keras(self.section, params)
        for variable, value in zip(network.variables, values, strict=True):
            variable.assign(value)
        for accumulator in _accumulators(network.optimizer):
            accumulator.assign(np.full(accumulator.shape, 0.1))
        return network

    def _by_name(self, config, values, forget_bias=layouts.FORGET_BIAS):
        arrays = [np.asarray(value) for value in values]
        return layouts.from_keras(self.section, config, arrays, forget_bias)


def _tensors(arrays):
    return {name: tf.constant(array) for name, array in arrays.items()}


def _accumulators(optimizer):
    return [v for v in optimizer.variables if v.path.endswith("accumulator")]
