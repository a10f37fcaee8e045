"""LSTMs over time and frequency, one step of time forward.

They are made, and behave, as those of `tf1_cells`. The inputs [B, I] of a
step are a spectrum, from which overlapping pieces of `feature_size` are cut,
one every `frequency_skip`. An LSTM goes through them, with the same arrays
for each: piece k sees what came out for piece k - 1 in this step of time,
and what came out for piece k in the last one. F pieces, H units. Sources:
Sainath and Li, 2016, "Modeling Time-Frequency Patterns with LSTM vs.
Convolutional Architectures for LVCSR Tasks"; the classes of the same names
in `tf.contrib.rnn`.
"""

import numpy as np

from numpy_ref import ops
from numpy_ref.tf1_cells import RNNCell, check_shapes, clip, linear


def pieces(inputs, feature_size, frequency_skip, start=0, end=None):
    """The pieces [B, feature_size] of inputs [B, I] from start to end."""
    end = inputs.shape[1] if end is None else end
    count = (end - start - feature_size) // frequency_skip + 1
    firsts = [start + n * frequency_skip for n in range(count)]
    return [inputs[:, first : first + feature_size] for first in firsts]


class TimeFreqLSTMCell(RNNCell):
    """LSTM whose state is joined by the output at the piece before.

    At piece k, with m and c of the step of time before and m' of piece k - 1
    (0 at first),

        [i, j, f, o] = [x_k, m, m'] kernel + bias
        i = sigmoid(i + w_i_diag c)
        f = sigmoid(f + forget_bias + w_f_diag c)
        c_k = clip(f c + i tanh(j), cell_clip)
        m_k = sigmoid(o + w_o_diag c_k) tanh(c_k)

    The output is every m_k side by side [B, F H], the state every c_k, m_k
    [B, F 2 H]. TensorFlow 1's cell says that both are as for F = 1, so that
    its loops run it without lengths alone.

    Args:
        kernel: [feature_size + 2 H, 4 H], stored as "W_0".
        bias: [4 H], stored as "B".
        input_size: I.
        frequency_skip: from one piece to the next.
        w_f_diag, w_i_diag, w_o_diag: [H], all or none, "W_F_diag" and so on.
        forget_bias: added to f whenever the cell runs.
        cell_clip: largest magnitude of c.
    """

    def __init__(
        self,
        *,
        kernel,
        bias,
        input_size,
        frequency_skip=1,
        w_f_diag=None,
        w_i_diag=None,
        w_o_diag=None,
        forget_bias=1.0,
        cell_clip=None,
    ):
        self.kernel, self.bias = kernel, bias
        self.w_f_diag, self.w_i_diag = w_f_diag, w_i_diag
        self.w_o_diag = w_o_diag
        self.forget_bias, self.cell_clip = forget_bias, cell_clip
        self.dtype = kernel.dtype
        self.input_size, self.frequency_skip = input_size, frequency_skip
        self.units = kernel.shape[1] // 4
        self.feature_size = len(kernel) - 2 * self.units
        count = len(self.cut(np.empty((0, input_size))))
        self.output_size = count * self.units
        self.state_size = 2 * self.output_size
        wanted = {"bias": (4 * self.units,)}
        for name in ("w_f_diag", "w_i_diag", "w_o_diag"):
            wanted[name] = (self.units,)
        check_shapes(self, wanted)

    def cut(self, inputs):
        return pieces(inputs, self.feature_size, self.frequency_skip)

    def step(self, inputs, state):
        outputs, new_state = [], []
        m_before = np.zeros((len(inputs), self.units), self.dtype)
        parts = np.split(state, self.state_size // self.units, 1)
        for place, piece in enumerate(self.cut(inputs)):
            c, m = parts[2 * place : 2 * place + 2]
            c, m_before = self.at_piece(piece, c, m, m_before)
            outputs.append(m_before)
            new_state += [c, m_before]
        return np.concat(outputs, 1), np.concat(new_state, 1)

    def at_piece(self, piece, c, m, m_before):
        """The new c and m of one piece."""
        seen = np.concat([m, m_before], 1)
        gates = linear(piece, seen, self.kernel, self.bias)
        i, j, f, o = np.split(gates, 4, 1)
        f = f + self.forget_bias
        if self.w_f_diag is not None:
            i = i + self.w_i_diag * c
            f = f + self.w_f_diag * c
        new_c = ops.sigmoid(f) * c + ops.sigmoid(i) * np.tanh(j)
        new_c = clip(new_c, self.cell_clip)
        if self.w_o_diag is not None:
            o = o + self.w_o_diag * new_c
        return new_c, ops.sigmoid(o) * np.tanh(new_c)


class GridBlock:
    """Two LSTMs, along frequency and along time, at the pieces of a block.

    At piece k both see [x_k, m, m'], m of the step of time before and m' of
    piece k - 1. For X being F and T,

        [i, j, f, o] = [x_k, m, m'] W_X + B_X
        i = sigmoid(i + peephole_i);    f = sigmoid(f + forget_bias + ...)
        c'_k = clip(f c' + i tanh(j), cell_clip)  for X = F
        c_k  = clip(f c + i tanh(j), cell_clip)   for X = T
        m'_k = sigmoid(o + peephole_o) tanh(c'_k),  m_k alike from c_k

    with peepholes w_Xf c' + w_Xt c for each gate, at o with c'_k and c_k.
    Coupled, there is no f, and 1 - i stands for it. Shared, both have W_F.

    Args:
        frequency, time: {"kernel": [feature_size + 2 H, gates H], "bias":
            [gates H], and "w_i_f", "w_i_t", "w_f_f", ..., "w_o_t": [H]}
            of both LSTMs. The same for both where they share weights.
        forget_bias: added to f whenever the cell runs.
        cell_clip: largest magnitude of both c.
        coupled: whether 1 - i stands for f.
    """

    def __init__(self, frequency, time, forget_bias, cell_clip, coupled):
        self.frequency, self.time = frequency, time
        self.forget_bias, self.cell_clip = forget_bias, cell_clip
        self.coupled = coupled
        kernel = frequency["kernel"]
        self.dtype = kernel.dtype
        self.units = kernel.shape[1] // (3 if coupled else 4)
        self.feature_size = len(kernel) - 2 * self.units

    def run(self, inputs, states):
        """The pieces in order.

        Args:
            inputs: list of F pieces [B, feature_size].
            states: c and m of each piece, a list of 2 F arrays [B, H].

        Returns:
            (outputs, states): m_k, m'_k, and c_k, m_k, in flat lists.
        """
        outputs, new_states = [], []
        c_before = np.zeros_like(states[0])
        m_before = np.zeros_like(states[0])
        for place, piece in enumerate(inputs):
            c, m = states[2 * place : 2 * place + 2]
            seen = np.concat([m, m_before], 1)
            both_before = c_before, c
            c_before, of_f = self.cell_state(
                self.frequency, piece, seen, both_before, c_before
            )
            c, of_t = self.cell_state(self.time, piece, seen, both_before, c)
            both = c_before, c
            m_before = self.output(self.frequency, of_f, both, c_before)
            m = self.output(self.time, of_t, both, c)
            outputs += [m, m_before]
            new_states += [c, m]
        return outputs, new_states

    def cell_state(self, arrays, piece, seen, both, old):
        """(the new c of one of both LSTMs, its o before the peepholes)."""
        gates = linear(piece, seen, arrays["kernel"], arrays["bias"])
        i, j, *f, o = np.split(gates, 3 if self.coupled else 4, 1)
        i = ops.sigmoid(i + peepholes(arrays, "i", both))
        if self.coupled:
            f = 1 - i
        else:
            f = f[0] + self.forget_bias + peepholes(arrays, "f", both)
            f = ops.sigmoid(f)
        return clip(f * old + i * np.tanh(j), self.cell_clip), o

    @staticmethod
    def output(arrays, o, both, c):
        return ops.sigmoid(o + peepholes(arrays, "o", both)) * np.tanh(c)


def peepholes(arrays, gate, both):
    """What a gate sees of c along frequency and along time; 0 of nothing."""
    if arrays.get(f"w_{gate}_f") is None:
        return 0
    along_f, along_t = both
    return arrays[f"w_{gate}_f"] * along_f + arrays[f"w_{gate}_t"] * along_t


class GridLSTMCell(RNNCell):
    """Grid LSTM in two dimensions: time, and blocks of a spectrum's pieces.

    The output is m_k and m'_k of every piece [B, F 2 H], the state a tuple
    of c_k and m_k of every piece. Kalchbrenner et al., 2015
    (arXiv 1507.01526).

    Args:
        blocks: a `GridBlock` for each block of pieces.
        input_size: I.
        frequency_skip: from one piece to the next.
        ranges: (start, end) of each block in the inputs; None for all.
        slice_offset: where to start instead, with zeros around the inputs.
        reverse: whether the pieces of a block run the other way.
    """

    def __init__(
        self,
        *,
        blocks,
        input_size,
        frequency_skip=1,
        ranges=None,
        slice_offset=0,
        reverse=False,
    ):
        self.blocks, self.input_size = blocks, input_size
        self.frequency_skip = frequency_skip
        self.ranges = ranges or [(0, input_size)]
        self.slice_offset, self.reverse = slice_offset, reverse
        self.dtype = blocks[0].dtype
        units = blocks[0].units
        cut = self.cut(np.empty((0, input_size)))
        count = sum(len(of_block) for of_block in cut)
        self.output_size = 2 * count * units
        self.state_size = (units,) * (2 * count)

    def cut(self, inputs):
        """The pieces of each block; none shorter where it is shifted."""
        offset = self.slice_offset
        pad = (0, offset) if offset > 0 else (-offset, 0)
        padded = np.pad(inputs, ((0, 0), pad))
        return [
            pieces(
                padded[:, max(offset, 0) :],
                block.feature_size,
                self.frequency_skip,
                *ends,
            )
            for block, ends in zip(self.blocks, self.ranges, strict=True)
        ]

    def step(self, inputs, state):
        outputs, new_state, left = [], [], list(state)
        for block, cut in zip(self.blocks, self.cut(inputs), strict=True):
            states, left = left[: 2 * len(cut)], left[2 * len(cut) :]
            of_block, states = block.run(
                cut[::-1] if self.reverse else cut, states
            )
            outputs += of_block
            new_state += states
        return np.concat(outputs, 1), tuple(new_state)


class BidirectionalGridLSTMCell(RNNCell):
    """Two `GridLSTMCell`s, one going down the frequencies; time goes on.

    Args:
        forward, backward: both; the state and the outputs are the forward
            one's, then the backward one's.
    """

    def __init__(self, forward, backward):
        self.cells = forward, backward
        self.dtype, self.input_size = forward.dtype, forward.input_size
        self.output_size = forward.output_size + backward.output_size
        self.state_size = forward.state_size + backward.state_size

    def step(self, inputs, state):
        count = len(self.cells[0].state_size)
        parts = state[:count], state[count:]
        both = [
            cell.step(inputs, part)
            for cell, part in zip(self.cells, parts, strict=True)
        ]
        outputs, states = zip(*both, strict=True)
        return np.concat(outputs, 1), states[0] + states[1]
