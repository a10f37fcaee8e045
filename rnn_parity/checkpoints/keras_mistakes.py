"""The mistakes that ports of tf.keras' layers of TensorFlow 1 are made with.

They belong to the catalogue of `port_mistakes`, which has what is common.
"""

import numpy as np

from numpy_ref import ops, tf1_cells
from rnn_parity import layouts
from rnn_parity.checkpoints.forms import CUDNN
from rnn_parity.checkpoints.port_mistakes import (
    Mistake,
    hard_sigmoid_of_keras_3,
)


def _gates(function):
    def change(layer):
        now = layer.get("recurrent_activation")
        if not layer.kind.keras or now is not tf1_cells.hard_sigmoid:
            return None
        return layer.changed(recurrent_activation=function)

    return change


def _blocks_exchanged(keras, first, second):
    """Two gates of all arrays taken for one another."""

    def change(layer):
        if layer.kind.keras != keras:
            return None
        count = layer.made.gates
        order = list(range(count))
        order[first], order[second] = second, first

        def exchanged(array):
            blocks = np.split(array, count, -1)
            return np.concat([blocks[at] for at in order], -1)

        arrays, cudnn = layer.arrays, layer.kind.name in CUDNN
        if cudnn:
            arrays = layouts.cudnn_layer_to_keras(**arrays)
        arrays = {name: exchanged(each) for name, each in arrays.items()}
        if cudnn:
            arrays = layouts.cudnn_layer_from_keras(**arrays)
        return layer.with_arrays(**arrays)

    return change


def _one_more(layer):
    if layer.kind.keras != "LSTM":
        return None
    units = layer.sizes.units
    bias = layer.arrays.get("bias", np.zeros(4 * units)).copy()
    bias[units : 2 * units] += 1
    return layer.with_arrays(bias=bias)


def _reset_after(layer):
    if layer.kind.name != "tf.keras.GRU":
        return None
    arrays = dict(layer.arrays)
    if "bias" in arrays:
        bias = arrays["bias"]
        arrays["bias"] = np.stack([bias, np.zeros_like(bias)])
    return layer.as_kind("tf.keras.GRUResetAfter", **arrays)


def _reset_before(layer):
    if layer.kind.keras != "GRU" or layer.kind.name == "tf.keras.GRU":
        return None
    arrays = dict(layer.arrays)
    cudnn = layer.kind.name == "tf.keras.CuDNNGRU"
    if cudnn:
        arrays = layouts.cudnn_layer_to_keras(**arrays)
    if "bias" in arrays:
        arrays["bias"] = arrays["bias"].sum(0)
    before = layer.as_kind("tf.keras.GRU", **arrays)
    if cudnn:
        before = before.changed(recurrent_activation=ops.sigmoid)
    return before


def _not_turned(layer):
    if layer.kind.name not in CUDNN:
        return None
    # Turned the other way first, so that the cell's turning undoes it.
    plain = layouts.cudnn_layer_to_keras(**layer.arrays)
    as_stored = layer.arrays | {"bias": plain["bias"]}
    return layer.with_arrays(**layouts.cudnn_layer_from_keras(**as_stored))


def _zeros_past_end(port):
    if port.padded and port.get("past_outputs") == "repeated":
        return port.changed(past_outputs="zero")
    return None


_SET = (
    "tf.keras' LSTM and GRU of TensorFlow 1 have "
    "recurrent_activation='hard_sigmoid', clip(0.2 x + 0.5, 0, 1)"
)
KERAS = (
    Mistake(
        "sigmoid instead of hard_sigmoid in the gates",
        f"{_SET}; Keras 3's default is sigmoid",
        ("sigmoid",),
        _gates(ops.sigmoid),
        usual=True,
    ),
    Mistake(
        "hard_sigmoid of Keras 3 (x / 6 + 0.5) in the gates instead of "
        "Keras 2's (0.2 x + 0.5)",
        f"{_SET}; Keras 3's has x / 6, so take tf2.tf1_cells.hard_sigmoid",
        ("sigmoid",),
        _gates(hard_sigmoid_of_keras_3),
        usual=True,
    ),
    Mistake(
        "gates of a layer of tf.keras read in TensorFlow 1's order, "
        "i, j, f, o",
        "tf.keras stores them as Keras 3 does, i, f, c, o: hand them on",
        ("gates",),
        _blocks_exchanged("LSTM", 1, 2),
        usual=True,
    ),
    Mistake(
        "z and r of a layer of tf.keras exchanged",
        "tf.keras stores them as Keras 3 does, z, r, h: hand them on",
        ("gates",),
        _blocks_exchanged("GRU", 0, 1),
    ),
    Mistake(
        "a forget_bias of 1 added to a layer of tf.keras",
        "it is in the bias that tf.keras saves: unit_forget_bias is how "
        "the bias began",
        ("forget",),
        _one_more,
        usual=True,
    ),
    Mistake(
        "a GRU of tf.keras with reset_after=True",
        "TensorFlow 1's default is reset_after=False, Keras 3's is True",
        ("reset",),
        _reset_after,
        usual=True,
    ),
    Mistake(
        "a GRU of tf.keras with reset_after=False",
        "its bias is [2, 3 H], so it was made with reset_after=True",
        ("reset",),
        _reset_before,
    ),
    Mistake(
        "cuDNN's kernels as they are stored",
        "cuDNN takes each gate's [I, H] in memory for [H, I]: "
        "gate.reshape(H, I).T, and the same for the recurrent kernel",
        ("rows",),
        _not_turned,
    ),
    Mistake(
        "zeros past the end instead of the last output again",
        "Keras repeats it there: zero_output_for_mask=False",
        ("past outputs",),
        of_port=_zeros_past_end,
    ),
)
