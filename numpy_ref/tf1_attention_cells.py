"""Cells that look back, one step forward.

They are made, and behave, as those of `tf1_cells`. B rows, I inputs, H units.
"""

import numpy as np

from numpy_ref.tf1_cells import (
    DeviceWrapper,
    check_shapes,
    flat_state,
    linear,
)


def softmax(x):
    """exp(x) / sum(exp(x)) over the last axis; -inf becomes 0."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


class AttentionCellWrapper(DeviceWrapper):
    """A cell that looks back on its last L outputs.

        x'_t = [x_t, a_{t-1}] kernel + bias
        y_t, s_t = cell(x'_t, s_{t-1})
        score_l = sum(attn_v tanh(p_l attn_w + s_t query_kernel + query_bias))
        a_t = sum over l of softmax(score)_l p_l
        h_t = [y_t, a_t] output_kernel + output_bias

    p_l are the last L outputs h, all arrays of s_t side by side. The state
    is (s, a, p), p [B, L A] with the oldest first. Sources: Cheng et al.,
    2016 (arXiv 1601.06733); `tf.contrib.rnn.AttentionCellWrapper`.

    Args:
        cell: with X inputs and O outputs.
        kernel, bias: [I + A, X] and [X].
        attn_w, attn_v: [1, 1, A, V] and [V], "attention/attn_w" and so on.
        query_kernel, query_bias: [S, V] and [V], "attention/kernel" and so
            on; S numbers are in the cell's state.
        output_kernel, output_bias: [O + A, A] and [A],
            "attn_output_projection/kernel" and so on.
        attn_length: L, which no array shows.
    """

    def __init__(
        self,
        cell,
        *,
        kernel,
        bias,
        attn_w,
        attn_v,
        query_kernel,
        query_bias,
        output_kernel,
        output_bias,
        attn_length,
    ):
        super().__init__(cell)
        self.kernel, self.bias = kernel, bias
        self.attn_w, self.attn_v = attn_w, attn_v
        self.query_kernel, self.query_bias = query_kernel, query_bias
        self.output_kernel, self.output_bias = output_kernel, output_bias
        self.attn_length = attn_length
        self.output_size = size = len(output_bias)
        self.input_size = len(kernel) - size
        self.state_size = (cell.state_size, size, attn_length * size)
        (features,) = attn_v.shape
        wanted = {
            "bias": (cell.input_size,),
            "attn_w": (1, 1, size, features),
            "query_kernel": (sum(flat_state(cell.state_size)), features),
            "query_bias": (features,),
            "output_kernel": (cell.output_size + size, size),
        }
        check_shapes(self, wanted)

    def step_at(self, time, inputs, state):
        cell_state, attention, past = state
        inputs = linear(inputs, attention, self.kernel, self.bias)
        output, cell_state = self.cell.step_at(time, inputs, cell_state)
        past = past.reshape(len(past), self.attn_length, -1)
        attention = self.attend(cell_state, past)
        output = linear(
            output, attention, self.output_kernel, self.output_bias
        )
        past = np.concat([past[:, 1:], output[:, np.newaxis]], 1)
        return output, (cell_state, attention, past.reshape(len(past), -1))

    def attend(self, cell_state, past):
        """The mean of past [B, L, A] as the state weighs it, [B, A]."""
        query = np.concat(flat_state(cell_state), 1)
        query = np.matmul(query, self.query_kernel) + self.query_bias
        seen = np.matmul(past, self.attn_w[0, 0]) + query[:, np.newaxis]
        scores = (self.attn_v * np.tanh(seen)).sum(-1)
        return (softmax(scores)[..., np.newaxis] * past).sum(1)
