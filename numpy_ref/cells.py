"""Recurrent cells: one step forward, and the same step backward by hand.

B rows, I inputs, H units; d_x stands for d total_loss / d x and has the
shape of x. A cell's `step` returns (output, new_state, tape): the tape
holds what `step_back` needs. No array that it holds is ever written to.

A cell's `variables` are its arrays by their TensorFlow 1 names, which start
with the cell's own; an optimizer updates them in place.
"""

import numpy as np

from numpy_ref import ops


class BasicRNNCell:
    """The simplest recurrent cell, an Elman network [1].

        s_t = tanh([x_t, s_{t-1}] kernel + bias)

    and backwards, with d_s_t from the loss and from step t + 1:

        d_a_t = d_s_t (1 - s_t^2)                a_t inside the tanh
        d_kernel = [x_t, s_{t-1}]' d_a_t;  d_bias = d_a_t, rows added up
        [d_x_t, d_s_{t-1}] = d_a_t kernel'

    [1] Elman, Finding Structure in Time, 1990. The single kernel and its
    layout: `tf.nn.rnn_cell.BasicRNNCell` of TensorFlow 1.

    Args:
        num_units: H.
        num_inputs: I.
        dtype: of all arrays.
        name: where TensorFlow 1 stores the cell, before "/kernel".
    """

    def __init__(self, num_units, num_inputs, dtype, name):
        shape = (num_inputs + num_units, num_units)
        self.num_inputs = num_inputs
        self.name = name
        self.kernel = ops.glorot_uniform(shape, dtype)  # [I + H, H]
        self.bias = np.zeros(num_units, dtype)  # [H]
        self.variables = {
            f"{name}/kernel": self.kernel,
            f"{name}/bias": self.bias,
        }

    def zero_state(self, batch_size):
        """A state of zeros, to start from."""
        return np.zeros((batch_size, self.bias.size), self.bias.dtype)

    def step(self, inputs, state):
        """Inputs [B, I] and state [B, H] -> (output, new_state, tape)."""
        inputs_and_state = np.concat([inputs, state], 1)  # [B, I + H]
        new_state = np.tanh(
            np.matmul(inputs_and_state, self.kernel) + self.bias
        )  # [B, H]
        return new_state, new_state, (inputs_and_state, new_state)

    def step_back(self, d_output, d_new_state, tape):
        """What is left of both derivatives at the step's other end.

        Returns:
            (d_inputs, d_state, gradients), the last by variable.
        """
        inputs_and_state, new_state = tape
        d_new_state = d_output + d_new_state  # one array, used twice
        d_inside = d_new_state * (1 - new_state * new_state)  # [B, H]
        gradients = {
            f"{self.name}/kernel": np.matmul(inputs_and_state.T, d_inside),
            f"{self.name}/bias": d_inside.sum(axis=0),
        }
        d_inputs, d_state = np.split(
            np.matmul(d_inside, self.kernel.T), [self.num_inputs], 1
        )
        return d_inputs, d_state, gradients


class LSTMCell:
    """Long short-term memory with a forget gate, without peepholes.

        [i, j, f, o] = [x_t, h_{t-1}] kernel + bias
        c_t = sigmoid(f + forget_bias) c_{t-1} + sigmoid(i) tanh(j)
        h_t = sigmoid(o) tanh(c_t)

    and backwards, with d_h_t and d_c_t from the loss and from step t + 1,
    and I, J, F, O for i, j, f, o after their sigmoid or tanh:

        d_c_t = d_c_t + d_h_t O (1 - tanh(c_t)^2)
        d_i = d_c_t J I (1 - I);         d_j = d_c_t I (1 - J^2)
        d_f = d_c_t c_{t-1} F (1 - F);   d_o = d_h_t tanh(c_t) O (1 - O)
        d_kernel = [x_t, h_{t-1}]' [d_i, d_j, d_f, d_o];  d_bias likewise
        [d_x_t, d_h_{t-1}] = [d_i, d_j, d_f, d_o] kernel'
        d_c_{t-1} = d_c_t F

    Sources: Hochreiter and Schmidhuber, 1997; Gers et al., 2000, for the
    forget gate; Zaremba et al., 2014 (arXiv 1409.2329), the equations; the
    gate order and the forget bias, which is no part of `bias`:
    `tf.nn.rnn_cell.BasicLSTMCell` and `LSTMCell` of TensorFlow 1.

    Args:
        num_units: H.
        num_inputs: I.
        dtype: of all arrays.
        name: where TensorFlow 1 stores the cell, before "/kernel".
    """

    forget_bias = 1.0

    def __init__(self, num_units, num_inputs, dtype, name):
        shape = (num_inputs + num_units, 4 * num_units)
        self.num_inputs = num_inputs
        self.name = name
        self.kernel = ops.glorot_uniform(shape, dtype)  # [I + H, 4 H]
        self.bias = np.zeros(4 * num_units, dtype)  # [4 H]
        self.variables = {
            f"{name}/kernel": self.kernel,
            f"{name}/bias": self.bias,
        }

    def zero_state(self, batch_size):
        """A state (c, h) of zeros, to start from."""
        shape = (2, batch_size, self.bias.size // 4)
        return np.unstack(np.zeros(shape, self.bias.dtype))

    def split_gates(self, gates):
        """[B, 4 H] -> i, j, f, o, each [B, H]."""
        i, j, f, o = np.split(gates, 4, 1)
        return i, j, f, o

    def join_gates(self, i, j, f, o):
        """The way back from `split_gates`."""
        return np.concat([i, j, f, o], 1)

    def activate(self, i, j, f, o):
        """Gates between 0 and 1, the candidate j between -1 and 1."""
        f = ops.sigmoid(f + self.forget_bias)
        return ops.sigmoid(i), np.tanh(j), f, ops.sigmoid(o)

    def step(self, inputs, state):
        """Inputs [B, I], state (c, h) -> (output, new_state, tape)."""
        c, h = state  # [B, H] each
        inputs_and_h = np.concat([inputs, h], 1)  # [B, I + H]
        gates = np.matmul(inputs_and_h, self.kernel) + self.bias
        i, j, f, o = self.activate(*self.split_gates(gates))
        new_c = f * c + i * j
        tanh_c = np.tanh(new_c)
        new_h = o * tanh_c
        return new_h, (new_c, new_h), (inputs_and_h, c, i, j, f, o, tanh_c)

    def step_back(self, d_output, d_new_state, tape):
        """What is left of both derivatives at the step's other end.

        Returns:
            (d_inputs, d_state, gradients): the state's is (d_c, d_h), the
            last is by variable.
        """
        inputs_and_h, *_ = tape
        d_new_c, d_new_h = d_new_state
        d_gates, d_c = self.gates_back(d_new_c, d_output + d_new_h, tape)
        gradients = {
            f"{self.name}/kernel": np.matmul(inputs_and_h.T, d_gates),
            f"{self.name}/bias": d_gates.sum(axis=0),
        }
        d_inputs, d_h = np.split(
            np.matmul(d_gates, self.kernel.T), [self.num_inputs], 1
        )
        return d_inputs, (d_c, d_h), gradients

    def gates_back(self, d_new_c, d_new_h, tape):
        """Through the cell's equations: d_gates [B, 4 H], d_c [B, H]."""
        _, c, i, j, f, o, tanh_c = tape
        d_new_c = d_new_c + d_new_h * o * (1 - tanh_c * tanh_c)
        d_gates = self.join_gates(
            d_new_c * j * i * (1 - i),
            d_new_c * i * (1 - j * j),
            d_new_c * c * f * (1 - f),
            d_new_h * tanh_c * o * (1 - o),
        )
        return d_gates, d_new_c * f


def lstm_cells(config):
    """A new cell for every layer of a stack that reads scalars.

    Args:
        config: has `num_layers`, `state_size` and `dtype`.
    """
    return [
        LSTMCell(
            config.state_size,
            num_inputs=config.state_size if layer else 1,
            dtype=config.dtype,
            name=f"rnn/multi_rnn_cell/cell_{layer}/lstm_cell",
        )
        for layer in range(config.num_layers)
    ]


class MultiRNNCell:
    """Cells on top of one another, each reading the output below it.

        y_t^0 = x_t;  (h_t^l, state_t^l) = cell^l(y_t^{l-1}, state_{t-1}^l)
        y_t^l = h_t^l scale_t^l

    and backwards from the top cell down, d_inputs of one being d_y of the
    cell below and d_h = d_y scale. The scale is 1, or dropout's: 0 or
    1 / output_keep_prob; it never touches the state.

    Sources: Zaremba et al., 2014; `MultiRNNCell` and `DropoutWrapper` in
    `tf.nn.rnn_cell` of TensorFlow 1.

    Args:
        cells: one cell per layer, the lowest first.
    """

    def __init__(self, cells):
        self.cells = cells
        self.variables = {
            name: variable
            for cell in cells
            for name, variable in cell.variables.items()
        }

    def zero_state(self, batch_size):
        """A state of zeros for every cell, to start from."""
        return [cell.zero_state(batch_size) for cell in self.cells]

    def step(self, inputs, state, scale_per_layer=None):
        """Inputs [B, I], a state per cell, and a scale per cell if need be.

        Returns:
            (output, new_state, tape), as a cell does.
        """
        if scale_per_layer is None:
            scale_per_layer = [1] * len(self.cells)
        new_state, tape = [], []
        for cell, cell_state, scale in zip(
            self.cells, state, scale_per_layer
        ):
            output, cell_state, cell_tape = cell.step(inputs, cell_state)
            new_state.append(cell_state)
            tape.append((*cell_tape, scale))
            inputs = output * scale
        return inputs, new_state, tape

    def step_back(self, d_output, d_new_state, tape):
        """As a cell's: (d_inputs, d_state, gradients by variable)."""
        d_state, gradients = list(d_new_state), {}
        for layer in reversed(range(len(self.cells))):
            *cell_tape, scale = tape[layer]
            d_output, d_state[layer], of_cell = self.cells[layer].step_back(
                d_output * scale, d_new_state[layer], cell_tape
            )
            gradients.update(of_cell)
        return d_output, d_state, gradients
