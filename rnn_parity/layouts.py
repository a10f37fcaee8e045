"""Recurrent weights between TensorFlow 1's layout and Keras'. NumPy only.

I inputs, H units. TensorFlow 1 keeps one kernel for the input above the
state, Keras two; an LSTM's gates lie side by side in the columns:

                 kernel           recurrent_kernel   bias    gates
    TensorFlow 1 [I + H, 4 H]                        [4 H]   i, j, f, o
    Keras        [I, 4 H]         [H, 4 H]           [4 H]   i, f, j, o

(Keras writes c for j.) TensorFlow 1 adds `forget_bias` to f whenever the
cell runs, Keras has it in the bias: moving a bias there adds it once, moving
it back subtracts it. Gradients and an optimizer's accumulators have the same
layout and no such constant: convert them with `forget_bias=0.0`.

A GRU of TensorFlow 1 has a kernel for the gates r, u and one for the
candidate c; Keras has z, r, h, where z is u and h is c:

                 gate kernel        candidate kernel   Keras' kernels
    TensorFlow 1 [I + H, 2 H] r, u  [I + H, H]
    Keras                                              [I, 3 H], [H, 3 H]

A GRUCell resets the state before the product, as Keras does with
`reset_after=False` and a bias [3 H]; what cuDNN computes resets it after,
`reset_after=True` and a bias [2, 3 H], of the inputs and of the state.
"""

import numpy as np

FORGET_BIAS = 1.0


def simple_rnn_to_keras(kernel, bias):
    """(kernel, bias) -> (kernel, recurrent_kernel, bias)."""
    return (*_split_kernel(kernel, units=len(bias)), bias)


def simple_rnn_from_keras(kernel, recurrent_kernel, bias):
    """(kernel, recurrent_kernel, bias) -> (kernel, bias)."""
    return np.concatenate([kernel, recurrent_kernel]), bias


def lstm_to_keras(kernel, bias, forget_bias=FORGET_BIAS):
    """(kernel, bias) -> (kernel, recurrent_kernel, bias)."""
    parts = _split_kernel(kernel, units=len(bias) // 4)
    kernels = map(lstm_gates_to_keras, parts)
    return (*kernels, lstm_bias_to_keras(bias, forget_bias))


def lstm_gates_to_keras(kernel):
    """Columns i, j, f, o -> i, f, j, o; a copy."""
    return _swap_gates(kernel)


def lstm_bias_to_keras(bias, forget_bias=FORGET_BIAS):
    """The same for a bias, with `forget_bias` in it."""
    return _add_to_forget_gate(_swap_gates(bias), forget_bias)


def lstm_from_keras(kernel, recurrent_kernel, bias, forget_bias=FORGET_BIAS):
    """(kernel, recurrent_kernel, bias) -> (kernel, bias)."""
    kernel = np.concatenate([kernel, recurrent_kernel])
    bias = _add_to_forget_gate(bias, -forget_bias)
    return _swap_gates(kernel), _swap_gates(bias)


def gru_to_keras(gate_kernel, gate_bias, candidate_kernel, candidate_bias):
    """A GRUCell -> (kernel, recurrent_kernel, bias), reset_after=False."""
    units = len(candidate_bias)
    kernel = gru_gates_to_keras(gate_kernel, candidate_kernel)
    bias = gru_gates_to_keras(gate_bias, candidate_bias)
    return (*_split_kernel(kernel, units), bias)


def gru_from_keras(kernel, recurrent_kernel, bias):
    """The way back: gate kernel and bias, candidate kernel and bias."""
    kernel = np.concatenate([kernel, recurrent_kernel])
    gate_kernel, candidate_kernel = _split_gru_gates(kernel)
    gate_bias, candidate_bias = _split_gru_gates(bias)
    return gate_kernel, gate_bias, candidate_kernel, candidate_bias


def cudnn_gru_to_keras(
    gate_kernel,
    gate_bias,
    input_kernel,
    input_bias,
    hidden_kernel,
    hidden_bias,
):
    """A CudnnCompatibleGRUCell -> Keras' three arrays, reset_after=True."""
    gate_kernels = _split_kernel(gate_kernel, units=len(hidden_bias))
    kernel = gru_gates_to_keras(gate_kernels[0], input_kernel)
    recurrent_kernel = gru_gates_to_keras(gate_kernels[1], hidden_kernel)
    of_inputs = gru_gates_to_keras(gate_bias, input_bias)
    of_state = gru_gates_to_keras(np.zeros_like(gate_bias), hidden_bias)
    return kernel, recurrent_kernel, np.stack([of_inputs, of_state])


def cudnn_gru_from_keras(kernel, recurrent_kernel, bias):
    """The way back; the gates' two biases become their sum."""
    gates, input_kernel = _split_gru_gates(kernel)
    recurrent_gates, hidden_kernel = _split_gru_gates(recurrent_kernel)
    (gate_bias, input_bias), (state_bias, hidden_bias) = (
        _split_gru_gates(one) for one in bias
    )
    gate_kernel = np.concatenate([gates, recurrent_gates])
    return (
        gate_kernel,
        np.where(state_bias == 0, gate_bias, gate_bias + state_bias),
        input_kernel,
        input_bias,
        hidden_kernel,
        hidden_bias,
    )


def cudnn_layer_to_keras(kernel, recurrent_kernel, bias):
    """tf.keras' CuDNNLSTM or CuDNNGRU -> {name: array} of the plain layer.

    cuDNN takes each gate's [I, H] in memory for [H, I]. It has two biases,
    which an LSTM only adds up.
    """
    gates = kernel.shape[1] // len(recurrent_kernel)
    both = bias.reshape(2, -1)
    return {
        "kernel": _cudnn_gates(kernel, gates),
        "recurrent_kernel": _cudnn_gates(recurrent_kernel, gates),
        "bias": both.sum(0) if gates == 4 else both,
    }


def cudnn_layer_from_keras(kernel, recurrent_kernel, bias):
    """The way back; an LSTM's bias is the first of two, the other zeros."""
    gates = kernel.shape[1] // len(recurrent_kernel)
    if gates == 4:
        bias = np.stack([bias, np.zeros_like(bias)])
    return {
        "kernel": _gates_to_cudnn(kernel, gates),
        "recurrent_kernel": _gates_to_cudnn(recurrent_kernel, gates),
        "bias": bias.reshape(-1),
    }


def _cudnn_gates(kernel, gates):
    parts = np.split(kernel, gates, axis=1)
    turned = [part.reshape(part.shape[::-1]).T for part in parts]
    return np.concatenate(turned, axis=1)


def _gates_to_cudnn(kernel, gates):
    parts = np.split(kernel, gates, axis=1)
    turned = [part.T.reshape(part.shape) for part in parts]
    return np.concatenate(turned, axis=1)


def to_keras(section, values, forget_bias=FORGET_BIAS):
    """{TensorFlow 1 name: array} -> the arrays in Keras' order.

    Every cell becomes kernel, recurrent_kernel and bias; arrays that belong
    to no cell stay as they are.

    Args:
        section: a record of `rnn_parity.sections`.
        values: {name: array}, a cell's "/kernel" before its "/bias".
        forget_bias: 0.0 for gradients and accumulators.
    """
    arrays = []
    for name, value in values.items():
        if name.endswith("/kernel"):
            bias = values[name.removesuffix("kernel") + "bias"]
            if section.state == "single":
                arrays += simple_rnn_to_keras(value, bias)
            else:
                arrays += lstm_to_keras(value, bias, forget_bias)
        elif not name.endswith("/bias"):
            arrays.append(value)
    return arrays


def from_keras(section, config, arrays, forget_bias=FORGET_BIAS):
    """Arrays in Keras' order -> {TensorFlow 1 name: array}.

    The way back from `to_keras`; `config` says how many layers there are.
    """
    arrays = iter(arrays)
    values = {}
    for name in section.param_shapes(config):
        if name.endswith("/kernel"):
            cell = [next(arrays) for _ in range(3)]
            bias_name = name.removesuffix("kernel") + "bias"
            if section.state == "single":
                both = simple_rnn_from_keras(*cell)
            else:
                both = lstm_from_keras(*cell, forget_bias)
            values[name], values[bias_name] = both
        elif not name.endswith("/bias"):
            values[name] = next(arrays)
    return values


def _split_kernel(kernel, units):
    """[I + H, columns] -> [I, columns] and [H, columns]."""
    return kernel[:-units], kernel[-units:]


def _swap_gates(value):
    """Exchanges the two gates in the middle of the last axis."""
    first, second, third, fourth = np.split(value, 4, axis=-1)
    return np.concatenate([first, third, second, fourth], axis=-1)


def gru_gates_to_keras(gates, candidate):
    """r, u beside c in the last axis -> z, r, h; a copy."""
    reset, update = np.split(gates, 2, axis=-1)
    return np.concatenate([update, reset, candidate], axis=-1)


def _split_gru_gates(value):
    """z, r, h in the last axis -> (r beside u, c)."""
    update, reset, candidate = np.split(value, 3, axis=-1)
    return np.concatenate([reset, update], axis=-1), candidate


def _add_to_forget_gate(bias, value):
    """A copy of a bias in Keras' layout, `value` added to its gate f."""
    units = len(bias) // 4
    bias = np.array(bias)
    if value:  # adding 0 would make 0 of -0
        bias[units : 2 * units] += value
    return bias
