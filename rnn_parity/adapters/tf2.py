"""The contract for `tf2`: eager calls, and tf.function for training."""

import functools

import numpy as np

from rnn_parity import layouts
from rnn_parity.adapters import packing
from rnn_parity.contract import Training
from rnn_parity.quiet import tf

_NETWORKS_KEPT = 8


class Network:
    """A built section with what training needs around it.

    Args:
        section, config: what to build.
        echo_rnn: the section's class.
        mode: how a run of windows is trained on: "eager", operation by
            operation; "step", one `tf.function` call a step; "epoch", one
            for the whole run; "xla", the same compiled.
        unrolling: "static", "dynamic" or steps per turn; None leaves it to
            the section.
    """

    def __init__(
        self, section, config, echo_rnn, mode="epoch", unrolling=None
    ):
        self.section = section
        self.config = config
        self.mode = mode
        self.echo_rnn = echo_rnn(config)
        if unrolling is not None:
            self.echo_rnn.unrolling = unrolling
        self.accumulator_variables = [
            variable
            for variable in self.echo_rnn.optimizer.variables
            if variable.path.endswith("accumulator")
        ]

    def restore(self, params, accumulators=None):
        """Puts the weights in place, and the accumulators or 0.1."""
        if accumulators is None:
            accumulators = {
                k: np.full(v.shape, 0.1) for k, v in params.items()
            }
        _assign(self.echo_rnn.variables, self.to_keras(params))
        _assign(self.accumulator_variables, self.to_keras(accumulators, 0.0))

    def to_keras(self, values, forget_bias=layouts.FORGET_BIAS):
        """{TensorFlow 1 name: array}, in any order -> Keras' arrays."""
        names = self.section.param_shapes(self.config)
        ordered = {name: values[name] for name in names}
        return layouts.to_keras(self.section, ordered, forget_bias)

    def by_name(self, values, forget_bias=0.0):
        """Keras' arrays -> {TensorFlow 1 name: array}."""
        arrays = [np.asarray(value) for value in values]
        return layouts.from_keras(
            self.section, self.config, arrays, forget_bias
        )

    def params(self):
        return self.by_name(self.echo_rnn.variables, layouts.FORGET_BIAS)

    def accumulators(self):
        return self.by_name(self.accumulator_variables)

    def arrays(self):
        """{name: array}, the version's own, in Keras' layout."""
        return packing.own_arrays(
            dict(self._named(self.echo_rnn.variables)),
            dict(self._named(self.accumulator_variables)),
        )

    def assign(self, arrays):
        params, accumulators = packing.split_own_arrays(arrays)
        _assign(self.echo_rnn.variables, params.values())
        _assign(self.accumulator_variables, accumulators.values())

    def _named(self, variables):
        """Keras numbers its layers by process; a file must not."""
        names = [v.name.split(":")[0] for v in self.echo_rnn.variables]
        for index, pair in enumerate(zip(names, variables, strict=True)):
            yield f"{index:03}/{pair[0]}", pair[1]

    def train(self, x, y, state, **extras):
        tensors = [tf.constant(x), tf.constant(y), tf.constant(state)]
        losses, state = self._train(*tensors, **_tensors(extras))
        return losses.numpy(), state.numpy()

    @functools.cached_property
    def _train(self):
        train_epoch = functools.partial(
            type(self.echo_rnn).train_epoch.python_function, self.echo_rnn
        )
        return {
            "eager": functools.partial(_eagerly, train_epoch),
            "step": self._step_by_step,
            "epoch": self.echo_rnn.train_epoch,
            "xla": tf.function(train_epoch, jit_compile=True),
        }[self.mode]

    def _step_by_step(self, x, y, state, **extras):
        steps = self.config.truncated_backprop_length
        losses = []
        for start in range(0, x.shape[1] - steps + 1, steps):
            given = [value[start // steps] for value in extras.values()]
            loss, state = self.echo_rnn.train_step(
                x[:, start : start + steps],
                y[:, start : start + steps],
                state,
                *given,
            )
            losses.append(loss)
        return tf.stack(losses), state

    def predict(self, batch_x, state, **extras):
        predictions, state = self._predict(
            tf.constant(batch_x), tf.constant(state), **_tensors(extras)
        )
        return packing.series(predictions, self.config), state.numpy()

    @functools.cached_property
    def _predict(self):
        def predict(batchX, state, **extras):
            outputs, state = self.echo_rnn.forward_pass(
                batchX, state, **extras
            )
            return self.echo_rnn.read_out(outputs)[1], state

        return tf.function(predict)


class Adapter:
    """Runs one `tf2` section; a network is built once per config."""

    def __init__(self, section, echo_rnn):
        self.section = section
        self._network = packing.Cache(
            lambda config: Network(section, config, echo_rnn), _NETWORKS_KEPT
        )

    def _restored(self, config, params):
        network = self._network(config)
        network.restore(params)
        return network

    def forward(self, config, params, batch_x, init_state, **extras):
        extras = packing.complete(self.section, extras, batch_x)
        network = self._restored(config, params).echo_rnn
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
        restored = self._restored(config, params)
        network = restored.echo_rnn
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
        by_name = restored.by_name(gradients)
        return loss.numpy(), {**by_name, "init_state": of_state.numpy()}

    def train(
        self, config, params, batches_x, batches_y, init_state, **extras
    ):
        extras = packing.complete(self.section, extras, batches_x)
        network = self._restored(config, params)
        losses, final_state = network.train(
            packing.whole_series(batches_x),
            packing.whole_series(batches_y),
            init_state,
            **extras,
        )
        return Training(
            losses, final_state, network.params(), network.accumulators()
        )


def _tensors(arrays):
    return {name: tf.constant(array) for name, array in arrays.items()}


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _eagerly(function, *arguments, **keywords):
    """Calls it with no graph, nor any in the functions that it calls."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        return function(*arguments, **keywords)
    finally:
        tf.config.run_functions_eagerly(before)
