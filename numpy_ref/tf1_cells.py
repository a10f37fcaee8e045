"""Every recurrent cell of TensorFlow 1, one step forward.

B rows, I inputs, H units, P projected units. A cell is made from its arrays,
named and laid out as TensorFlow 1 stores them: one kernel for the input above
the state, an LSTM's gates in the order i, j, f, o. It has

    step(inputs [B, I], state) -> (output [B, O], new_state)
    input_size, output_size      I and O
    state_size                   H, (H, P) for c and h, or a tuple of those
    zero_state(batch_size)       a state of zeros, to start from

A state is an array [B, H] (plain, GRU and their like), a tuple (c, h) (LSTM),
or a tuple of states (a stack). Steps keep the dtype of the arrays. What a
checkpoint does not hold (forget bias, activation, clips) is an argument with
TensorFlow 1's default.

The cells of `cells` also run backward, and train the sections; these are
more, and only run.
"""

import numpy as np

from numpy_ref import ops

GATES = ("input", "transform", "forget", "output")  # i, j, f, o
# Those of tf.contrib.layers.layer_norm.
LAYER_NORM_EPSILON, LAYER_NORM_EPSILON_OF_HALF = 1e-12, 1e-3


def relu(x):
    """max(x, 0)."""
    return np.maximum(x, 0)


def identity(x):
    """x, as it is."""
    return x


def hard_sigmoid(x):
    """clip(0.2 x + 0.5, 0, 1), of Keras 1 and 2; Keras 3 has x / 6."""
    fifth, half = np.asarray([0.2, 0.5], x.dtype)
    return np.clip(fifth * x + half, 0, 1)


def elu(x):
    """x above 0, exp(x) - 1 below."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def selu(x):
    """A scaled elu (Klambauer et al., 2017)."""
    alpha, scale = np.asarray(
        [1.6732632423543772, 1.0507009873554805], x.dtype
    )
    return scale * np.where(x > 0, x, alpha * elu(x))


def leaky_relu(x):
    """x above 0, 0.2 x below, `tf.nn.leaky_relu`'s default."""
    return np.maximum(x, np.asarray(0.2, x.dtype) * x)


def relu6(x):
    """x from 0 to 6."""
    return np.clip(x, 0, 6)


def softplus(x):
    """log(exp(x) + 1)."""
    return np.logaddexp(x, np.zeros_like(x))


def softsign(x):
    """x / (1 + |x|)."""
    return x / (1 + np.abs(x))


def softmax(x):
    """exp(x) over its sum along the last axis."""
    above = np.exp(x - x.max(axis=-1, keepdims=True))
    return above / above.sum(axis=-1, keepdims=True)


ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": relu,
    "sigmoid": ops.sigmoid,
    "linear": identity,
    "hard_sigmoid": hard_sigmoid,
    "elu": elu,
    "selu": selu,
    "leaky_relu": leaky_relu,
    "relu6": relu6,
    "softplus": softplus,
    "softsign": softsign,
    "exponential": np.exp,
    "softmax": softmax,
}


class RNNCell:
    """What all cells share.

    A cell whose steps differ (dropout masks) has `step_at` besides, which
    the loops call: the step number `time`, then what `step` takes.
    """

    def zero_state(self, batch_size):
        """A state of zeros, to start from."""
        return map_state(
            lambda size: np.zeros((batch_size, size), self.dtype),
            self.state_size,
        )

    def step_at(self, time, inputs, state):
        """Step number `time`: every one is `step`, if not said otherwise."""
        return self.step(inputs, state)


def map_state(function, *states):
    """`function` of the arrays at each place of equally nested states."""
    if isinstance(states[0], (tuple, list)):
        parts = zip(*states, strict=True)
        return tuple(map_state(function, *each) for each in parts)
    return function(*states)


def linear(inputs, state, kernel, bias):
    """[inputs, state] kernel + bias, [B, columns]; the bias may be None."""
    product = np.matmul(np.concat([inputs, state], 1), kernel)
    return product if bias is None else product + bias


def clip(x, limit):
    """Within -limit and limit; None, or nothing above 0, leaves it."""
    return x if limit is None or limit <= 0 else np.clip(x, -limit, limit)


def check_shapes(cell, wanted):
    """The arrays a cell was made from fit together.

    Args:
        wanted: {argument: shape}; arguments that are None need none, all
            arrays of a dict have the same.

    Raises:
        ValueError: an array has another shape; the message names it.
    """
    for name, shape in wanted.items():
        array = getattr(cell, name)
        parts = array.items() if isinstance(array, dict) else [(name, array)]
        for part, value in parts:
            if value is not None and np.shape(value) != shape:
                raise ValueError(
                    f"{type(cell).__name__}: {part} has shape "
                    f"{np.shape(value)}, not {shape}"
                )


# --- Cells with one state ---


class BasicRNNCell(RNNCell):
    """The simplest recurrent cell: h_t = tanh([x_t, h_{t-1}] kernel + bias).

    Sources: Elman, 1990; `tf.nn.rnn_cell.BasicRNNCell`.

    Args:
        kernel: [I + H, H].
        bias: [H].
        activation: for tanh.
    """

    def __init__(self, *, kernel, bias, activation=np.tanh):
        self.kernel, self.bias = kernel, bias
        self.activation = activation
        self.dtype = kernel.dtype
        self.output_size = self.state_size = kernel.shape[1]
        self.input_size = len(kernel) - self.output_size
        check_shapes(self, {"bias": (self.output_size,)})

    def step(self, inputs, state):
        inside = linear(inputs, state, self.kernel, self.bias)
        new_state = self.activation(inside)
        return new_state, new_state


class GRUCell(RNNCell):
    """Gated recurrent unit, its reset before the product.

        [r, u] = sigmoid([x_t, h_{t-1}] gate_kernel + gate_bias)
        c = tanh([x_t, r h_{t-1}] candidate_kernel + candidate_bias)
        h_t = u h_{t-1} + (1 - u) c

    Sources: Cho et al., 2014 (arXiv 1406.1078); `tf.nn.rnn_cell.GRUCell`.

    Args:
        gate_kernel: [I + H, 2 H], r before u.
        gate_bias: [2 H].
        candidate_kernel: [I + H, H].
        candidate_bias: [H].
        activation: for tanh.
    """

    def __init__(
        self,
        *,
        gate_kernel,
        gate_bias,
        candidate_kernel,
        candidate_bias,
        activation=np.tanh,
    ):
        self.gate_kernel, self.gate_bias = gate_kernel, gate_bias
        self.candidate_kernel = candidate_kernel
        self.candidate_bias = candidate_bias
        self.activation = activation
        self.dtype = gate_kernel.dtype
        rows, units = candidate_kernel.shape
        self.output_size = self.state_size = units
        self.input_size = rows - units
        wanted = {
            "gate_kernel": (rows, 2 * units),
            "gate_bias": (2 * units,),
            "candidate_bias": (units,),
        }
        check_shapes(self, wanted)

    def step(self, inputs, state):
        gates = linear(inputs, state, self.gate_kernel, self.gate_bias)
        r, u = np.split(ops.sigmoid(gates), 2, 1)
        inside = linear(
            inputs, r * state, self.candidate_kernel, self.candidate_bias
        )
        new_state = u * state + (1 - u) * self.activation(inside)
        return new_state, new_state


class GRUBlockCellV2(GRUCell):
    """`GRUCell` as one TensorFlow op; the same equations and layout.

    `GRUBlockCell` too, whose arrays are stored as w_ru, b_ru, w_c, b_c.
    Source: `tf.contrib.rnn.GRUBlockCellV2`.
    """


class CudnnCompatibleGRUCell(RNNCell):
    """Gated recurrent unit, its reset after the product, as cuDNN has it.

        [r, u] = sigmoid([x_t, h_{t-1}] gate_kernel + gate_bias)
        c = tanh(x_t W + b + r (h_{t-1} R + b_R))
        h_t = u h_{t-1} + (1 - u) c

    A `CudnnGRU` saves its layers as such cells. Sources: the cuDNN guide;
    `tf.contrib.cudnn_rnn.CudnnCompatibleGRUCell`.

    Args:
        gate_kernel: [I + H, 2 H], r before u.
        gate_bias: [2 H].
        input_kernel: W [I, H], "candidate/input_projection/kernel".
        input_bias: b [H].
        hidden_kernel: R [H, H], "candidate/hidden_projection/kernel".
        hidden_bias: b_R [H].
    """

    def __init__(
        self,
        *,
        gate_kernel,
        gate_bias,
        input_kernel,
        input_bias,
        hidden_kernel,
        hidden_bias,
    ):
        self.gate_kernel, self.gate_bias = gate_kernel, gate_bias
        self.input_kernel, self.input_bias = input_kernel, input_bias
        self.hidden_kernel, self.hidden_bias = hidden_kernel, hidden_bias
        self.dtype = gate_kernel.dtype
        self.input_size, units = input_kernel.shape
        self.output_size = self.state_size = units
        wanted = {
            "gate_kernel": (self.input_size + units, 2 * units),
            "gate_bias": (2 * units,),
            "input_bias": (units,),
            "hidden_kernel": (units, units),
            "hidden_bias": (units,),
        }
        check_shapes(self, wanted)

    def step(self, inputs, state):
        gates = linear(inputs, state, self.gate_kernel, self.gate_bias)
        r, u = np.split(ops.sigmoid(gates), 2, 1)
        from_input = np.matmul(inputs, self.input_kernel) + self.input_bias
        from_state = np.matmul(state, self.hidden_kernel) + self.hidden_bias
        candidate = np.tanh(from_input + r * from_state)
        new_state = (1 - u) * candidate + u * state
        return new_state, new_state


class UGRNNCell(RNNCell):
    """Update gate RNN: one gate chooses between keeping and computing.

        [g, c] = [x_t, h_{t-1}] kernel + bias
        h_t = G h_{t-1} + (1 - G) tanh(c);  G = sigmoid(g + forget_bias)

    Sources: Collins et al., 2017 (arXiv 1611.09913);
    `tf.contrib.rnn.UGRNNCell`.

    Args:
        kernel: [I + H, 2 H], g before c.
        bias: [2 H].
        forget_bias: added to g.
        activation: for tanh.
    """

    def __init__(self, *, kernel, bias, forget_bias=1.0, activation=np.tanh):
        self.kernel, self.bias = kernel, bias
        self.forget_bias, self.activation = forget_bias, activation
        self.dtype = kernel.dtype
        self.output_size = self.state_size = kernel.shape[1] // 2
        self.input_size = len(kernel) - self.output_size
        check_shapes(self, {"bias": (2 * self.output_size,)})

    def step(self, inputs, state):
        both = linear(inputs, state, self.kernel, self.bias)
        g, c = np.split(both, 2, 1)
        g = ops.sigmoid(g + self.forget_bias)
        new_state = g * state + (1 - g) * self.activation(c)
        return new_state, new_state


# --- Cells with a state (c, h) ---


class LSTMCell(RNNCell):
    """Long short-term memory, with all that TensorFlow 1 adds to it.

        [i, j, f, o] = [x_t, h_{t-1}] kernel + bias
        i = sigmoid(i + w_i_diag c_{t-1})
        f = sigmoid(f + forget_bias + w_f_diag c_{t-1})
        c_t = clip(f c_{t-1} + i tanh(j), cell_clip)
        o = sigmoid(o + w_o_diag c_t)
        h_t = clip(o tanh(c_t) projection_kernel, proj_clip)

    Without peepholes, projection or clips the terms drop out; `proj_clip`
    counts only where there is a projection. Sources: Hochreiter and
    Schmidhuber, 1997; Gers et al., 2000, forget gate and peepholes; Sak et
    al., 2014 (arXiv 1402.1128), projection; `tf.nn.rnn_cell.LSTMCell`.

    Args:
        kernel: [I + P, 4 H]; P is H without projection.
        bias: [4 H], without the forget bias.
        w_f_diag, w_i_diag, w_o_diag: [H], all or none.
        projection_kernel: [H, P].
        forget_bias: added to f whenever the cell runs.
        cell_clip, proj_clip: largest magnitudes.
        activation: for both tanh.
    """

    def __init__(
        self,
        *,
        kernel,
        bias,
        w_f_diag=None,
        w_i_diag=None,
        w_o_diag=None,
        projection_kernel=None,
        forget_bias=1.0,
        cell_clip=None,
        proj_clip=None,
        activation=np.tanh,
    ):
        self.kernel, self.bias = kernel, bias
        self.w_f_diag, self.w_i_diag = w_f_diag, w_i_diag
        self.w_o_diag = w_o_diag
        self.projection_kernel = projection_kernel
        self.forget_bias = forget_bias
        self.cell_clip, self.proj_clip = cell_clip, proj_clip
        self.activation = activation
        self.dtype = kernel.dtype
        self.find_sizes()

    def find_sizes(self):
        units = self.kernel.shape[1] // 4
        projection = self.projection_kernel
        self.output_size = units if projection is None else len(projection.T)
        self.state_size = (units, self.output_size)
        self.input_size = len(self.kernel) - self.output_size
        wanted = dict.fromkeys(("w_f_diag", "w_i_diag", "w_o_diag"), (units,))
        wanted["bias"] = (4 * units,)
        wanted["projection_kernel"] = (units, self.output_size)
        check_shapes(self, wanted)
        peepholes = [self.w_f_diag, self.w_i_diag, self.w_o_diag]
        if len({peephole is None for peephole in peepholes}) > 1:
            raise ValueError("an LSTMCell has all three peepholes or none")

    def step(self, inputs, state):
        c, h = state
        i, j, f, o = self.gates(inputs, h)
        i = ops.sigmoid(i + self.peephole(self.w_i_diag, c))
        f = f + self.forget_bias + self.peephole(self.w_f_diag, c)
        new_c = ops.sigmoid(f) * c + i * self.activation(j)
        new_c = clip(self.norm(new_c, "state"), self.cell_clip)
        o = ops.sigmoid(o + self.peephole(self.w_o_diag, new_c))
        new_h = self.project(o * self.activation(new_c))
        return new_h, (new_c, new_h)

    def gates(self, inputs, h):
        """i, j, f, o, each [B, H], before their sigmoid or tanh."""
        gates = linear(inputs, h, self.kernel, self.bias)
        return map(self.norm, np.split(gates, 4, 1), GATES)

    def norm(self, x, which):
        """Layer normalisation, where there is any."""
        return x

    def peephole(self, diagonal, c):
        """What a gate sees of the cell state."""
        return 0 if diagonal is None else diagonal * c

    def project(self, h):
        """[B, H] -> [B, P]."""
        if self.projection_kernel is None:
            return h
        return clip(np.matmul(h, self.projection_kernel), self.proj_clip)


class BasicLSTMCell(LSTMCell):
    """`LSTMCell` without peepholes, projection and clips.

    Source: `tf.nn.rnn_cell.BasicLSTMCell`.

    Args: the same as those of `LSTMCell`.
    """

    def __init__(self, *, kernel, bias, forget_bias=1.0, activation=np.tanh):
        super().__init__(
            kernel=kernel,
            bias=bias,
            forget_bias=forget_bias,
            activation=activation,
        )


class LSTMBlockCell(LSTMCell):
    """`LSTMCell` as one TensorFlow op: no projection, always tanh.

    `LSTMBlockFusedCell` is this cell in a `dynamic_rnn`, as one op too. The
    gates the op calls i, ci, f, o are i, j, f, o; a `cell_clip` of 0 or
    less is none. Sources: `tf.contrib.rnn.LSTMBlockCell` and
    `LSTMBlockFusedCell`.

    Args: the same as those of `LSTMCell`.
    """

    def __init__(
        self,
        *,
        kernel,
        bias,
        w_f_diag=None,
        w_i_diag=None,
        w_o_diag=None,
        forget_bias=1.0,
        cell_clip=None,
    ):
        super().__init__(
            kernel=kernel,
            bias=bias,
            w_f_diag=w_f_diag,
            w_i_diag=w_i_diag,
            w_o_diag=w_o_diag,
            forget_bias=forget_bias,
            cell_clip=cell_clip,
        )


class CudnnCompatibleLSTMCell(BasicLSTMCell):
    """`LSTMCell` as cuDNN has it: no forget bias.

    A `CudnnLSTM` saves its layers as such cells, the two biases that cuDNN
    has added up. Source: `tf.contrib.cudnn_rnn.CudnnCompatibleLSTMCell`.

    Args: the same as those of `LSTMCell`.
    """

    def __init__(self, *, kernel, bias):
        super().__init__(kernel=kernel, bias=bias, forget_bias=0.0)


def layer_norm(x, gamma, beta):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, row by row.

    Source: Ba et al., 2016 (arXiv 1607.06450).

    Args:
        x: [B, H].
        gamma, beta: [H].
    """
    mean = x.mean(axis=1, keepdims=True)
    variance = np.mean((x - mean) ** 2, axis=1, keepdims=True)
    half = x.dtype == np.float16
    epsilon = LAYER_NORM_EPSILON_OF_HALF if half else LAYER_NORM_EPSILON
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


class LayerNormBasicLSTMCell(LSTMCell):
    """LSTM with layer normalisation (LN) of each gate and of the state.

        [i, j, f, o] = [x_t, h_{t-1}] kernel, each then through its own LN
        c_t = LN(sigmoid(f + forget_bias) c_{t-1} + sigmoid(i) tanh(j))
        h_t = sigmoid(o) tanh(c_t)

    What is carried on is the normalised c_t. Without gammas and betas
    nothing is normalised, and there is a bias. Sources: Ba et al., 2016
    (arXiv 1607.06450); `tf.contrib.rnn.LayerNormBasicLSTMCell`, nothing
    dropped.

    Args:
        kernel: [I + H, 4 H].
        bias: [4 H], only without layer normalisation.
        gammas, betas: {"input", "transform", "forget", "output", "state":
            [H]}, named as in a checkpoint.
        forget_bias: added to f whenever the cell runs.
        activation: for both tanh.
    """

    NORMALISED = (*GATES, "state")

    def __init__(
        self,
        *,
        kernel,
        bias=None,
        gammas=None,
        betas=None,
        forget_bias=1.0,
        activation=np.tanh,
    ):
        if not (gammas is None) == (betas is None) != (bias is None):
            raise ValueError("give either a bias, or gammas and betas")
        self.gammas, self.betas = gammas, betas
        super().__init__(
            kernel=kernel,
            bias=bias,
            forget_bias=forget_bias,
            activation=activation,
        )
        wanted = dict.fromkeys(("gammas", "betas"), self.state_size[:1])
        check_shapes(self, wanted)

    def norm(self, x, which):
        if self.gammas is None:
            return x
        return layer_norm(x, self.gammas[which], self.betas[which])


class NASCell(RNNCell):
    """The cell that neural architecture search found.

    m and x are the eight parts of h_{t-1} recurrent_kernel + bias and of
    x_t kernel:

        a = tanh(sigmoid(x0 + m0) relu(x1 + m1))
        b = tanh(sigmoid(x2 + m2) + relu(x3 m3))
        d = tanh(tanh(x4 + m4) sigmoid(x5 + m5))
        e = sigmoid(tanh(x6 + m6) + sigmoid(x7 + m7))
        c_t = tanh(a + c_{t-1}) b
        h_t = tanh(c_t tanh(d + e)) projection_weights

    Sources: Zoph and Le, 2017 (arXiv 1611.01578); `tf.contrib.rnn.NASCell`.

    Args:
        kernel: [I, 8 H].
        recurrent_kernel: [P, 8 H]; P is H without projection.
        bias: [8 H] or None.
        projection_weights: [H, P] or None.
    """

    def __init__(
        self, *, kernel, recurrent_kernel, bias=None, projection_weights=None
    ):
        self.kernel, self.recurrent_kernel = kernel, recurrent_kernel
        self.bias, self.projection_weights = bias, projection_weights
        self.dtype = kernel.dtype
        self.input_size, self.output_size = len(kernel), len(recurrent_kernel)
        units = kernel.shape[1] // 8
        self.state_size = (units, self.output_size)
        wanted = {
            "recurrent_kernel": (self.output_size, 8 * units),
            "bias": (8 * units,),
            "projection_weights": (units, self.output_size),
        }
        check_shapes(self, wanted)

    def step(self, inputs, state):
        c, h = state
        bias = 0 if self.bias is None else self.bias
        x = np.split(np.matmul(inputs, self.kernel), 8, 1)
        m = np.split(np.matmul(h, self.recurrent_kernel) + bias, 8, 1)
        tanh, sigmoid = np.tanh, ops.sigmoid
        a = tanh(sigmoid(x[0] + m[0]) * relu(x[1] + m[1]))
        b = tanh(sigmoid(x[2] + m[2]) + relu(x[3] * m[3]))
        d = tanh(tanh(x[4] + m[4]) * sigmoid(x[5] + m[5]))
        e = sigmoid(tanh(x[6] + m[6]) + sigmoid(x[7] + m[7]))
        new_c = tanh(a + c) * b
        new_h = tanh(new_c * tanh(d + e))
        if self.projection_weights is not None:
            new_h = np.matmul(new_h, self.projection_weights)
        return new_h, (new_c, new_h)


# --- Stacks and wrappers ---


class MultiRNNCell(RNNCell):
    """Cells on top of one another, each reading the output below it.

    Source: `tf.nn.rnn_cell.MultiRNNCell`, `state_is_tuple=True`.

    Args:
        cells: one cell per layer, the lowest first.
    """

    def __init__(self, cells):
        self.cells = tuple(cells)
        for below, above in zip(self.cells, self.cells[1:], strict=False):
            if below.output_size != above.input_size:
                raise ValueError(
                    f"a cell with {below.output_size} outputs lies under "
                    f"one with {above.input_size} inputs"
                )
        self.dtype = self.cells[0].dtype
        self.input_size = self.cells[0].input_size
        self.output_size = self.cells[-1].output_size
        self.state_size = tuple(cell.state_size for cell in self.cells)

    def step(self, inputs, state):
        return self.step_at(0, inputs, state)

    def step_at(self, time, inputs, state):
        new_state = []
        for cell, cell_state in zip(self.cells, state, strict=True):
            inputs, cell_state = cell.step_at(time, inputs, cell_state)
            new_state.append(cell_state)
        return inputs, tuple(new_state)


class DeviceWrapper(RNNCell):
    """A cell as it is: where it runs does not change what it computes.

    Also what the other wrappers are made from.
    Source: `tf.nn.rnn_cell.DeviceWrapper`.

    Args:
        cell: the cell inside.
    """

    def __init__(self, cell):
        self.cell = cell
        self.dtype = cell.dtype
        self.input_size, self.output_size = cell.input_size, cell.output_size
        self.state_size = cell.state_size

    def step(self, inputs, state):
        return self.step_at(0, inputs, state)

    def step_at(self, time, inputs, state):
        return self.cell.step_at(time, inputs, state)


class ResidualWrapper(DeviceWrapper):
    """The input added to the output: y_t = output_t + x_t.

    Sources: Wu et al., 2016 (arXiv 1609.08144);
    `tf.nn.rnn_cell.ResidualWrapper` without a `residual_fn` of its own.

    Args:
        cell: as many outputs as inputs.
    """

    def __init__(self, cell):
        super().__init__(cell)
        if cell.input_size != cell.output_size:
            raise ValueError(
                f"a residual needs as many outputs as inputs, not "
                f"{cell.output_size} and {cell.input_size}"
            )

    def step_at(self, time, inputs, state):
        output, new_state = self.cell.step_at(time, inputs, state)
        return output + inputs, new_state


class DropoutWrapper(DeviceWrapper):
    """What goes in, comes out or is carried on, with some of it dropped.

        x_t <- x_t mask / keep_prob;  the outputs and the state likewise

    Of an LSTM's state only h is dropped, never c. The masks are given: 1
    keeps, 0 drops. TensorFlow 1 draws one for every step and row, or with
    `variational_recurrent=True` one for all steps and rows. Sources:
    Zaremba et al., 2014; Gal and Ghahramani, 2016, variational;
    `tf.nn.rnn_cell.DropoutWrapper`.

    Args:
        cell: the cell inside.
        input_masks, output_masks: [T, B, I] and [T, B, O], or anything of
            three axes that broadcasts to it: a first axis of 1 is for all
            steps. None drops nothing.
        state_masks: a state of such masks.
        input_keep_prob, output_keep_prob, state_keep_prob: what kept values
            are divided by.
    """

    def __init__(
        self,
        cell,
        *,
        input_masks=None,
        output_masks=None,
        state_masks=None,
        input_keep_prob=1.0,
        output_keep_prob=1.0,
        state_keep_prob=1.0,
    ):
        super().__init__(cell)
        self.input_masks, self.input_keep_prob = input_masks, input_keep_prob
        self.output_masks = output_masks
        self.output_keep_prob = output_keep_prob
        self.state_masks, self.state_keep_prob = state_masks, state_keep_prob

    def step_at(self, time, inputs, state):
        inputs = drop(inputs, self.input_masks, self.input_keep_prob, time)
        output, new_state = self.cell.step_at(time, inputs, state)
        output = drop(output, self.output_masks, self.output_keep_prob, time)
        if self.state_masks is not None:
            new_state = self.drop_state(new_state, self.state_masks, time)
        return output, new_state

    def drop_state(self, state, masks, time):
        """Every array but an LSTM's c."""
        if is_lstm_state(state):
            c, h = state
            return c, drop(h, masks[1], self.state_keep_prob, time)
        if isinstance(state, tuple):
            return tuple(
                self.drop_state(part, of_part, time)
                for part, of_part in zip(state, masks, strict=True)
            )
        return drop(state, masks, self.state_keep_prob, time)


def is_lstm_state(state):
    """A pair of arrays, which only an LSTM has."""
    return isinstance(state, tuple) and not isinstance(state[0], tuple)


def drop(x, masks, keep_prob, time):
    """x [B, N] with the mask of one step applied to it."""
    if masks is None:
        return x
    mask = masks[0] if len(masks) == 1 else masks[time]
    return x * np.asarray(mask / keep_prob, x.dtype)


class HighwayWrapper(DeviceWrapper):
    """The output blended with the input by a gate that reads the input.

        carry = sigmoid(x_t carry_w + carry_b)
        y_t = x_t carry + output_t (1 - carry)

    Sources: Srivastava et al., 2015 (arXiv 1505.00387);
    `tf.contrib.rnn.HighwayWrapper`, its gates coupled, as by default.

    Args:
        cell: as many outputs as inputs.
        carry_w: [I, I].
        carry_b: [I].
    """

    def __init__(self, cell, *, carry_w, carry_b):
        super().__init__(cell)
        self.carry_w, self.carry_b = carry_w, carry_b
        size = cell.input_size
        check_shapes(self, {"carry_w": (size, size), "carry_b": (size,)})

    def step_at(self, time, inputs, state):
        output, new_state = self.cell.step_at(time, inputs, state)
        carry = np.matmul(inputs, self.carry_w) + self.carry_b
        carry = ops.sigmoid(carry)
        return inputs * carry + output * (1 - carry), new_state


class ProjectionWrapper(DeviceWrapper):
    """What the wrappers with a dense layer share.

    Args:
        cell: the cell inside.
        kernel: [inputs, outputs] of the dense layer.
        bias: [outputs].
        activation: of the dense layer.
    """

    def __init__(self, cell, *, kernel, bias, activation=identity):
        super().__init__(cell)
        self.kernel, self.bias, self.activation = kernel, bias, activation
        check_shapes(self, {"bias": (kernel.shape[1],)})

    def project(self, x):
        """The dense layer, [B, inputs] -> [B, outputs]."""
        return self.activation(np.matmul(x, self.kernel) + self.bias)


class InputProjectionWrapper(ProjectionWrapper):
    """A dense layer under the cell: x_t <- x_t kernel + bias.

    Source: `tf.contrib.rnn.InputProjectionWrapper`.

    Args: those of `ProjectionWrapper`; its outputs are the cell's inputs.
    """

    def __init__(self, cell, **dense):
        super().__init__(cell, **dense)
        self.input_size = len(self.kernel)

    def step_at(self, time, inputs, state):
        return self.cell.step_at(time, self.project(inputs), state)


class OutputProjectionWrapper(ProjectionWrapper):
    """A dense layer above the cell: y_t = output_t kernel + bias.

    Source: `tf.contrib.rnn.OutputProjectionWrapper`.

    Args: those of `ProjectionWrapper`; its inputs are the cell's outputs.
    """

    def __init__(self, cell, **dense):
        super().__init__(cell, **dense)
        self.output_size = self.kernel.shape[1]

    def step_at(self, time, inputs, state):
        output, new_state = self.cell.step_at(time, inputs, state)
        return self.project(output), new_state


class EmbeddingWrapper(DeviceWrapper):
    """A row of the embedding for each input, an integer, then the cell.

    Source: `tf.contrib.rnn.EmbeddingWrapper`.

    Args:
        cell: the cell inside, which has I inputs.
        embedding: [classes, I].
    """

    def __init__(self, cell, *, embedding):
        super().__init__(cell)
        self.embedding = embedding
        self.input_size = 1

    def step_at(self, time, inputs, state):
        looked_up = self.embedding[np.reshape(inputs, -1)]
        return self.cell.step_at(time, looked_up, state)


class ConcatenatedState(DeviceWrapper):
    """A cell whose state is one array, c beside h, layer beside layer.

    This is what TensorFlow 1 did before states were tuples, and still does
    where `state_is_tuple=False`.

    Args:
        cell: the cell inside, whose state is a tuple.
    """

    def __init__(self, cell):
        super().__init__(cell)
        self.state_size = sum(flat_state(cell.state_size))

    def step_at(self, time, inputs, state):
        sizes = flat_state(self.cell.state_size)
        parts = iter(np.split(state, np.cumsum(sizes)[:-1], 1))
        nested = map_state(lambda _: next(parts), self.cell.state_size)
        output, new_state = self.cell.step_at(time, inputs, nested)
        return output, np.concat(flat_state(new_state), 1)


def flat_state(state):
    """The arrays of a nested state in one list, c before h, upwards."""
    if isinstance(state, tuple):
        return [array for part in state for array in flat_state(part)]
    return [state]
