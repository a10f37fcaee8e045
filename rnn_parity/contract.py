"""The one contract that every section answers in every version.

B rows, T = truncated_backprop_length, H = state_size, C classes, L layers,
N batches. Arrays go in and come out as NumPy, in `config.dtype`.
"""

import importlib
from typing import NamedTuple

import numpy as np

from rnn_parity.config import Config
from rnn_parity.errors import UserError


class Forward(NamedTuple):
    """What a section computes from one batch.

    Attributes:
        states_series: [B, T, H], the output of the last layer.
        final_state: the state to carry on, shaped like `init_state`.
        logits: [B, T, C].
        predictions: [B, T, C], softmax of the logits.
    """

    states_series: np.ndarray
    final_state: np.ndarray
    logits: np.ndarray
    predictions: np.ndarray


class Training(NamedTuple):
    """What is left after training on N batches in a row.

    Attributes:
        losses: [N], each before its own update.
        final_state: the state after the last batch.
        params: {name: array}, the trained variables.
        accumulators: {name: array}, Adagrad's sums of squared gradients.
    """

    losses: np.ndarray
    final_state: np.ndarray
    params: dict
    accumulators: dict


class Contract:
    """One version of one section: `forward`, `loss_and_gradients`, `train`.

    Arguments shared by the three:
        config: `rnn_parity.Config`; its sizes are the arrays' sizes.
        params: {name: array} under the names of a TensorFlow 1 checkpoint;
            `section.param_shapes(config)` lists them.
        batch_x: [B, T] real inputs. batch_y: [B, T] whole numbers below C.
        init_state: `section.state_shape(config)`; c before h.
        dropout_masks: [L, T, B, H] of 0 and 1, 1 keeps; kept outputs are
            scaled by 1 / output_keep_prob. Only for sections with masks.
            Without them `forward` predicts, the other two draw fresh ones.
        sequence_length: [B] steps that count, 0 to T; all T without it.
            Only for sections with lengths.

    All raise UserError, in one line, for arrays that do not fit the config,
    are not finite, or hold labels out of range.
    """

    def __init__(self, section, implementation, change=None):
        """`change` may replace the section's class by one made from it."""
        self.section = section
        self.implementation = implementation
        adapter = importlib.import_module(
            f"rnn_parity.adapters.{implementation}"
        )
        module = importlib.import_module(f"{implementation}.{section.module}")
        echo_rnn = change(module.EchoRNN) if change else module.EchoRNN
        self._adapter = adapter.Adapter(section, echo_rnn)

    def __repr__(self):
        return f"<{self.section.key} {self.implementation}>"

    def forward(
        self,
        config,
        params,
        batch_x,
        init_state,
        dropout_masks=None,
        sequence_length=None,
    ):
        """States, logits and predictions of one batch, as a `Forward`."""
        arrays = Checker(self.section, config)
        return self._adapter.forward(
            config,
            arrays.params(params),
            arrays.inputs(batch_x),
            arrays.state(init_state),
            **arrays.extras(dropout_masks, sequence_length),
        )

    def loss_and_gradients(
        self,
        config,
        params,
        batch_x,
        batch_y,
        init_state,
        dropout_masks=None,
        sequence_length=None,
    ):
        """Loss (a scalar) and {name: gradient}, "init_state" among them."""
        arrays = Checker(self.section, config)
        return self._adapter.loss_and_gradients(
            config,
            arrays.params(params),
            arrays.inputs(batch_x),
            arrays.labels(batch_y),
            arrays.state(init_state),
            **arrays.extras(dropout_masks, sequence_length),
        )

    def train(
        self,
        config,
        params,
        batches_x,
        batches_y,
        init_state,
        dropout_masks=None,
        sequence_length=None,
    ):
        """Adagrad over N batches, the state carried on, as a `Training`.

        The arrays of every batch have a leading axis N: batches_x and
        batches_y [N, B, T], dropout_masks [N, L, T, B, H], sequence_length
        [N, B].
        """
        arrays = Checker(self.section, config, batches=len(batches_x))
        return self._adapter.train(
            config,
            arrays.params(params),
            arrays.inputs(batches_x),
            arrays.labels(batches_y),
            arrays.state(init_state),
            **arrays.extras(dropout_masks, sequence_length),
        )


class Checker:
    """Checks arrays against a section and a config; gives them its dtype."""

    def __init__(self, section, config, batches=None):
        if not isinstance(config, Config):
            raise UserError(
                f"config is a {type(config).__name__}; give a "
                "rnn_parity.Config"
            )
        if batches == 0:
            raise UserError("batches_x holds no batch; give at least one")
        self.section = section
        self.config = config
        self.leading = () if batches is None else (batches,)
        self.batch = "batch" if batches is None else "batches"
        self.rows = (config.batch_size,)
        self.steps = (config.truncated_backprop_length,)

    def params(self, params):
        """{name: array} with exactly the section's variables."""
        shapes = self.section.param_shapes(self.config)
        missing = [name for name in shapes if name not in params]
        foreign = [name for name in params if name not in shapes]
        if missing or foreign:
            raise UserError(
                f"params do not fit {self.section.key}: "
                f"missing {', '.join(missing) or 'none'}; "
                f"unknown {', '.join(map(str, foreign)) or 'none'}"
            )
        return {
            name: self._real(name, params[name], shape)
            for name, shape in shapes.items()
        }

    def inputs(self, batch_x):
        """Real inputs, [B, T] or [N, B, T]."""
        shape = self.leading + self.rows + self.steps
        return self._real(f"{self.batch}_x", batch_x, shape)

    def labels(self, batch_y):
        """int32 labels, [B, T] or [N, B, T]."""
        shape = self.leading + self.rows + self.steps
        return self._whole(
            f"{self.batch}_y", batch_y, shape, self.config.num_classes - 1
        )

    def state(self, init_state):
        """The state to start from."""
        shape = self.section.state_shape(self.config)
        return self._real("init_state", init_state, shape)

    def extras(self, dropout_masks, sequence_length):
        """The arguments that only some sections take, by name."""
        extras = {}
        if dropout_masks is not None:
            self._must_take("dropout_masks", self.section.masks)
            extras["dropout_masks"] = self._masks(dropout_masks)
        if sequence_length is not None:
            self._must_take("sequence_length", self.section.lengths)
            extras["sequence_length"] = self._whole(
                "sequence_length",
                sequence_length,
                self.leading + self.rows,
                self.config.truncated_backprop_length,
            )
        return extras

    def _masks(self, dropout_masks):
        shape = (
            *self.leading,
            self.section.num_layers(self.config),
            *self.steps,
            *self.rows,
            self.config.state_size,
        )
        masks = self._real("dropout_masks", dropout_masks, shape)
        if not np.isin(masks, (0, 1)).all():
            raise UserError("dropout_masks holds values other than 0 and 1")
        return masks

    def _must_take(self, name, takes):
        if not takes:
            raise UserError(f"section {self.section.key} takes no {name}")

    def _real(self, name, value, shape):
        array = _as_array(name, value)
        if array.dtype.kind not in "biuf":
            raise UserError(f"{name} holds {array.dtype}, not real numbers")
        self._check_shape(name, array, shape)
        with np.errstate(over="ignore"):  # reported below
            array = array.astype(self.config.dtype)
        if not np.isfinite(array).all():
            raise UserError(
                f"{name} holds NaN or infinite values (as {array.dtype}); "
                "check where it comes from"
            )
        return array

    def _whole(self, name, value, shape, most):
        array = _as_array(name, value)
        self._check_shape(name, array, shape)
        if array.dtype.kind not in "biuf" or (array != np.floor(array)).any():
            raise UserError(f"{name} holds values that are not whole numbers")
        if array.min() < 0 or array.max() > most:
            raise UserError(
                f"{name} runs from {array.min()} to {array.max()}; it must "
                f"stay within 0 and {most}"
            )
        return array.astype(np.int32)

    def _check_shape(self, name, array, shape):
        if array.shape != shape:
            raise UserError(
                f"{name} has shape {array.shape}; section "
                f"{self.section.key} with this config needs {shape}"
            )


def _as_array(name, value):
    try:
        return np.asarray(value)
    except ValueError as error:
        raise UserError(f"{name} is no array: {error}") from None
