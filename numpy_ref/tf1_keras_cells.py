"""The recurrent layers of TensorFlow 1's tf.keras, one step forward.

Cells like those of `tf1_cells`, but stored as Keras stores them: a kernel
for the input, one for the state, an LSTM's gates in the order i, f, c, o and
its forget bias in the bias. What is not what Keras 3 does is the default of
`recurrent_activation`: `hard_sigmoid`, and that as clip(0.2 x + 0.5, 0, 1).

Sources: Keras 2.2.4; `tensorflow/python/keras/layers/recurrent.py` and
`cudnn_recurrent.py` of TensorFlow 1.15.
"""

import numpy as np

from numpy_ref import ops
from numpy_ref.tf1_cells import RNNCell, check_shapes, hard_sigmoid


class KerasCell(RNNCell):
    """What all of them share.

    Args:
        kernel: [I, gates H].
        recurrent_kernel: [H, gates H].
        bias: [gates H], or None.
        activation: for tanh.
    """

    gates = 1

    def __init__(
        self, *, kernel, recurrent_kernel, bias=None, activation=np.tanh
    ):
        self.kernel, self.recurrent_kernel = kernel, recurrent_kernel
        self.bias, self.activation = bias, activation
        self.dtype = kernel.dtype
        self.input_size, units = len(kernel), len(recurrent_kernel)
        self.output_size = self.state_size = units
        wanted = {
            "kernel": (self.input_size, self.gates * units),
            "recurrent_kernel": (units, self.gates * units),
            "bias": self.bias_shape(self.gates * units),
        }
        check_shapes(self, wanted)

    def bias_shape(self, columns):
        """That of its bias."""
        return (columns,)

    def inside(self, inputs, state):
        """inputs kernel + state recurrent_kernel + bias, [B, gates H]."""
        product = np.matmul(inputs, self.kernel)
        product += np.matmul(state, self.recurrent_kernel)
        return product if self.bias is None else product + self.bias


class SimpleRNN(KerasCell):
    """h_t = tanh(x_t kernel + h_{t-1} recurrent_kernel + bias).

    Source: `tf.keras.layers.SimpleRNN`.
    """

    def step(self, inputs, state):
        new_state = self.activation(self.inside(inputs, state))
        return new_state, new_state


class LSTM(KerasCell):
    """Long short-term memory; the state is (c, h), c first as in TensorFlow.

        i, f, c, o = x_t kernel + h_{t-1} recurrent_kernel + bias
        c_t = s(f) c_{t-1} + s(i) tanh(c);  h_t = s(o) tanh(c_t)

    Source: `tf.keras.layers.LSTM`.

    Args:
        recurrent_activation: s.
    """

    gates = 4

    def __init__(self, *, recurrent_activation=hard_sigmoid, **arguments):
        super().__init__(**arguments)
        self.recurrent_activation = recurrent_activation
        self.state_size = (self.output_size, self.output_size)

    def step(self, inputs, state):
        c, h = state
        i, f, candidate, o = np.split(self.inside(inputs, h), 4, 1)
        s = self.recurrent_activation
        new_c = s(f) * c + s(i) * self.activation(candidate)
        new_h = s(o) * self.activation(new_c)
        return new_h, (new_c, new_h)


class GRU(KerasCell):
    """Gated recurrent unit, its reset before the product.

        z, r = s(x_t kernel + h_{t-1} recurrent_kernel + bias)
        h = tanh(x_t kernel + (r h_{t-1}) recurrent_kernel + bias)
        h_t = z h_{t-1} + (1 - z) h

    Source: `tf.keras.layers.GRU`, reset_after=False.

    Args:
        recurrent_activation: s.
    """

    gates = 3

    def __init__(self, *, recurrent_activation=hard_sigmoid, **arguments):
        super().__init__(**arguments)
        self.recurrent_activation = recurrent_activation

    def step(self, inputs, state):
        of_inputs = np.matmul(inputs, self.kernel)
        if self.bias is not None:
            of_inputs = of_inputs + self.bias
        x_gates, x_candidate = _apart(of_inputs)
        gate_kernel, candidate_kernel = _apart(self.recurrent_kernel)
        gates = x_gates + np.matmul(state, gate_kernel)
        z, r = np.split(self.recurrent_activation(gates), 2, 1)
        inside = x_candidate + np.matmul(r * state, candidate_kernel)
        new_state = z * state + (1 - z) * self.activation(inside)
        return new_state, new_state


class GRUResetAfter(GRU):
    """Gated recurrent unit, its reset after the product, as cuDNN has it.

        z, r = s(x_t kernel + b + h_{t-1} recurrent_kernel + b_R)
        h = tanh(x_t kernel + b + r (h_{t-1} recurrent_kernel + b_R))
        h_t = z h_{t-1} + (1 - z) h

    Source: `tf.keras.layers.GRU`, reset_after=True.

    Args:
        bias: [2, 3 H], b and b_R, or None.
    """

    def bias_shape(self, columns):
        return (2, columns)

    def step(self, inputs, state):
        bias, state_bias = (0, 0) if self.bias is None else self.bias
        of_inputs = np.matmul(inputs, self.kernel) + bias
        of_state = np.matmul(state, self.recurrent_kernel) + state_bias
        x_gates, x_candidate = _apart(of_inputs)
        h_gates, h_candidate = _apart(of_state)
        z, r = np.split(self.recurrent_activation(x_gates + h_gates), 2, 1)
        candidate = self.activation(x_candidate + r * h_candidate)
        new_state = z * state + (1 - z) * candidate
        return new_state, new_state


def _apart(value):
    """z, r, h in the last axis -> (z beside r, h)."""
    return np.split(value, [value.shape[-1] // 3 * 2], -1)


class _OfCuDNN:
    """A cell as cuDNN stores it, with sigmoid gates.

    Args:
        kernel: [I, gates H]; each gate's [I, H] lies in memory as [H, I].
        recurrent_kernel: [H, gates H]; the same.
        bias: [2 gates H], of the input and then of the state.
    """

    def __init__(self, *, kernel, recurrent_kernel, bias):
        super().__init__(
            kernel=from_cudnn(kernel, self.gates),
            recurrent_kernel=from_cudnn(recurrent_kernel, self.gates),
            bias=self.of_both(bias.reshape(2, -1)),
            recurrent_activation=ops.sigmoid,
        )


class CuDNNLSTM(_OfCuDNN, LSTM):
    """`LSTM` of cuDNN, whose two biases add up.

    Source: `tf.compat.v1.keras.layers.CuDNNLSTM`.
    """

    def of_both(self, biases):
        return biases.sum(0)


class CuDNNGRU(_OfCuDNN, GRUResetAfter):
    """`GRUResetAfter` of cuDNN.

    Source: `tf.compat.v1.keras.layers.CuDNNGRU`.
    """

    def of_both(self, biases):
        return biases


def from_cudnn(kernel, gates):
    """[I, gates H] that cuDNN reads as [H, I] for each gate, as [I, H]s."""
    parts = np.split(kernel, gates, 1)
    return np.concat([part.reshape(part.T.shape).T for part in parts], 1)
