"""Cells that look back, one step forward.

They are made, and behave, as those of `tf1_cells`. B rows, I inputs, H units.
"""

import numpy as np

from numpy_ref import ops
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


class BahdanauAttention:
    """Additive attention: how much of each step of a memory a query wants.

        values_n = memory_n within a row's length, 0 past it
        keys_n = values_n memory_kernel
        score_n = sum(v tanh(keys_n + query query_kernel + attention_b))
        v = attention_g attention_v / |attention_v|

    Without attention_g, v is attention_v. Past a row's length the score is
    -inf. N steps, D numbers each. Sources: Bahdanau et al., 2014
    (arXiv 1409.0473); `tf.contrib.seq2seq.BahdanauAttention`.

    Args:
        memory: [B, N, D].
        memory_sequence_length: [B], all above 0, or None.
        memory_kernel, query_kernel: [D, V] and [H, V],
            "memory_layer/kernel" and "query_layer/kernel".
        attention_v: [V].
        attention_g, attention_b: a number and [V] with `normalize=True`,
            else None.
    """

    def __init__(
        self,
        memory,
        memory_sequence_length=None,
        *,
        memory_kernel,
        query_kernel,
        attention_v,
        attention_g=None,
        attention_b=None,
    ):
        self.values, self.valid = masked(memory, memory_sequence_length)
        self.keys = np.matmul(self.values, memory_kernel)
        self.query_kernel = query_kernel
        self.attention_v, self.attention_b = attention_v, attention_b
        if attention_g is not None:
            norm = np.sqrt(np.square(attention_v).sum())
            self.attention_v = attention_g * attention_v / norm

    def scores(self, query):
        query = np.matmul(query, self.query_kernel)[:, np.newaxis]
        seen = self.keys + query
        if self.attention_b is not None:
            seen = seen + self.attention_b
        return (self.attention_v * np.tanh(seen)).sum(-1)

    def align(self, query):
        """The shares [B, N] of the memory that a query [B, H] gets."""
        scores = self.scores(query)
        if self.valid is not None:
            scores = np.where(self.valid, scores, -np.inf)
        return softmax(scores)


class LuongAttention(BahdanauAttention):
    """Multiplicative attention: score_n = attention_g (query . keys_n).

    Sources: Luong et al., 2015 (arXiv 1508.04025);
    `tf.contrib.seq2seq.LuongAttention`.

    Args:
        memory, memory_sequence_length: as of `BahdanauAttention`.
        memory_kernel: [D, H].
        attention_g: a number with `scale=True`, else None.
    """

    def __init__(
        self,
        memory,
        memory_sequence_length=None,
        *,
        memory_kernel,
        attention_g=None,
    ):
        self.values, self.valid = masked(memory, memory_sequence_length)
        self.keys = np.matmul(self.values, memory_kernel)
        self.attention_g = attention_g

    def scores(self, query):
        scores = np.matmul(self.keys, query[..., np.newaxis])[..., 0]
        return (
            scores if self.attention_g is None else self.attention_g * scores
        )


def masked(memory, lengths):
    """(memory with zeros past the lengths, what is valid [B, N] or None)."""
    if lengths is None:
        return memory, None
    valid = ops.sequence_mask(lengths, memory.shape[1])
    return np.where(valid[..., np.newaxis], memory, 0), valid


class AttentionWrapper(DeviceWrapper):
    """A cell that reads a memory as it goes.

        y_t, s_t = cell([x_t, a_{t-1}], s_{t-1})
        shares = softmax(scores of y_t)
        context = sum over n of shares_n values_n
        a_t = [y_t, context] attention_kernel

    Without attention_kernel a_t is the context. The state is (s, a, shares).
    Source: `tf.contrib.seq2seq.AttentionWrapper` with one mechanism.

    Args:
        cell: with I + A inputs and H outputs.
        mechanism: a `BahdanauAttention` or a `LuongAttention`.
        attention_kernel: [H + D, A] or None, "attention_layer/kernel".
        output_attention: whether a_t comes out, and not y_t.
    """

    def __init__(
        self, cell, mechanism, attention_kernel=None, output_attention=True
    ):
        super().__init__(cell)
        self.mechanism, self.attention_kernel = mechanism, attention_kernel
        self.output_attention = output_attention
        _, steps, size = mechanism.values.shape
        if attention_kernel is not None:
            size = attention_kernel.shape[1]
        self.input_size = cell.input_size - size
        self.state_size = (cell.state_size, size, steps)
        if output_attention:
            self.output_size = size

    def step_at(self, time, inputs, state):
        cell_state, attention, _ = state
        inputs = np.concat([inputs, attention], 1)
        output, cell_state = self.cell.step_at(time, inputs, cell_state)
        shares = self.mechanism.align(output)
        values = self.mechanism.values
        attention = np.matmul(shares[:, np.newaxis], values)[:, 0]
        if self.attention_kernel is not None:
            both = np.concat([output, attention], 1)
            attention = np.matmul(both, self.attention_kernel)
        if self.output_attention:
            output = attention
        return output, (cell_state, attention, shares)
