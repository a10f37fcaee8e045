"""The rarer cells of `tf.contrib.rnn`, one step forward.

They are made, and behave, as those of `tf1_cells`. Some are no new cells but
other ways to write down an `LSTMCell`, `GRUCell` or `BasicRNNCell`: those are
subclasses that work out the usual kernel. Sources: the class of the same name
in `tf.contrib.rnn`, and the paper named.
"""

import numpy as np

from numpy_ref import ops
from numpy_ref.tf1_cells import (
    BasicLSTMCell,
    BasicRNNCell,
    GRUCell,
    LSTMCell,
    RNNCell,
    check_shapes,
    clip,
    linear,
    relu,
)

# --- Other ways to write down a known cell ---


def with_diagonals(kernel_w, kernel_u, units):
    """The kernel [I + H, gates H] in which every unit sees only itself.

    Args:
        kernel_w: [I, gates H], of the inputs.
        kernel_u: [1, gates H], of the state.
        units: H.
    """
    gates = np.reshape(kernel_u, [-1, units])
    return np.concat([kernel_w, np.concat([*map(np.diag, gates)], 1)])


class IndRNNCell(BasicRNNCell):
    """`BasicRNNCell` whose units do not see one another.

        h_t = tanh(x_t kernel_w + h_{t-1} kernel_u + bias)

    with kernel_u multiplied unit by unit. Li et al., 2018
    (arXiv 1803.04831).

    Args:
        kernel_w: [I, H].
        kernel_u: [1, H].
        bias: [H].
        activation: for tanh.
    """

    def __init__(self, *, kernel_w, kernel_u, bias, activation=np.tanh):
        kernel = with_diagonals(kernel_w, kernel_u, units=len(bias))
        super().__init__(kernel=kernel, bias=bias, activation=activation)


class IndyGRUCell(GRUCell):
    """`GRUCell` whose units do not see one another.

    Gonnet and Deselaers, 2019 (arXiv 1903.08023).

    Args:
        gate_kernel_w, gate_kernel_u: [I, 2 H] and [1, 2 H], r before u.
        gate_bias: [2 H].
        candidate_kernel_w, candidate_kernel_u: [I, H] and [1, H]; stored as
            "candidate/kernel" and "candidate/kernel_u".
        candidate_bias: [H].
        activation: for tanh.
    """

    def __init__(
        self,
        *,
        gate_kernel_w,
        gate_kernel_u,
        gate_bias,
        candidate_kernel_w,
        candidate_kernel_u,
        candidate_bias,
        activation=np.tanh,
    ):
        units = len(candidate_bias)
        super().__init__(
            gate_kernel=with_diagonals(gate_kernel_w, gate_kernel_u, units),
            gate_bias=gate_bias,
            candidate_kernel=with_diagonals(
                candidate_kernel_w, candidate_kernel_u, units
            ),
            candidate_bias=candidate_bias,
            activation=activation,
        )


class IndyLSTMCell(BasicLSTMCell):
    """`BasicLSTMCell` whose units do not see one another.

    Gonnet and Deselaers, 2019 (arXiv 1903.08023).

    Args:
        kernel_w, kernel_u: [I, 4 H] and [1, 4 H].
        bias: [4 H].
        forget_bias: added to f whenever the cell runs.
        activation: for both tanh.
    """

    def __init__(
        self,
        *,
        kernel_w,
        kernel_u,
        bias,
        forget_bias=1.0,
        activation=np.tanh,
    ):
        super().__init__(
            kernel=with_diagonals(kernel_w, kernel_u, len(bias) // 4),
            bias=bias,
            forget_bias=forget_bias,
            activation=activation,
        )


class GLSTMCell(LSTMCell):
    """`LSTMCell` whose units see only their own group's part of everything.

    Kuchaiev and Ginsburg, 2017 (arXiv 1703.10722).

    Args:
        kernels: [I / G + P / G, 4 H / G] of each of the G groups.
        biases: of the gates i, j, f, o, [H] each.
        projection_kernel: [H, P] or None; not in groups.
        forget_bias: added to f whenever the cell runs.
    """

    def __init__(
        self, *, kernels, biases, projection_kernel=None, forget_bias=1.0
    ):
        outputs = len(biases[0])
        if projection_kernel is not None:
            outputs = projection_kernel.shape[1]
        super().__init__(
            kernel=join_groups(kernels, outputs // len(kernels)),
            bias=np.concat(biases),
            projection_kernel=projection_kernel,
            forget_bias=forget_bias,
        )


def join_groups(kernels, group_outputs):
    """Kernels of groups -> one [I + P, 4 H] with zeros between groups.

    Args:
        kernels: as `GLSTMCell` takes them.
        group_outputs: P / G, the last rows of each.
    """
    of_inputs = [kernel[:-group_outputs] for kernel in kernels]
    of_state = [kernel[-group_outputs:] for kernel in kernels]
    return np.concat([_blocks(of_inputs), _blocks(of_state)])


def _blocks(kernels):
    """Block-diagonal, for each of the four gates side by side."""
    rows = []
    for place, kernel in enumerate(kernels):
        gates = np.split(kernel, 4, 1)
        row = np.zeros((len(kernel), 4, len(kernels), gates[0].shape[1]))
        row[:, :, place] = np.stack(gates, axis=1)
        rows.append(row.reshape(len(kernel), -1).astype(kernel.dtype))
    return np.concat(rows)


# --- Cells of their own ---


class CoupledInputForgetGateLSTMCell(RNNCell):
    """LSTM that takes in exactly as much as it forgets.

        [j, f, o] = [x_t, h_{t-1}] kernel + bias
        f = sigmoid(f + forget_bias + w_f_diag c_{t-1})
        c_t = f c_{t-1} + (1 - f) tanh(j)
        h_t = clip(sigmoid(o + w_o_diag c_t) tanh(c_t) projection_kernel)

    Greff et al., 2015 (arXiv 1503.04069).

    Args:
        kernel: [I + P, 3 H], stored as "W"; P is H without projection.
        bias: [3 H], stored as "B".
        w_f_diag, w_o_diag: [H] or None, "W_F_diag" and "W_O_diag".
        projection_kernel: [H, P] or None, "W_P".
        forget_bias: added to f whenever the cell runs.
        proj_clip: largest magnitude of what is projected.
        activation: for both tanh.
    """

    def __init__(
        self,
        *,
        kernel,
        bias,
        w_f_diag=None,
        w_o_diag=None,
        projection_kernel=None,
        forget_bias=1.0,
        proj_clip=None,
        activation=np.tanh,
    ):
        self.kernel, self.bias = kernel, bias
        self.w_f_diag, self.w_o_diag = w_f_diag, w_o_diag
        self.projection_kernel = projection_kernel
        self.forget_bias, self.proj_clip = forget_bias, proj_clip
        self.activation = activation
        self.dtype = kernel.dtype
        units = kernel.shape[1] // 3
        projected = projection_kernel is not None
        self.output_size = projection_kernel.shape[1] if projected else units
        self.state_size = (units, self.output_size)
        self.input_size = len(kernel) - self.output_size
        wanted = dict.fromkeys(("w_f_diag", "w_o_diag"), (units,))
        wanted["bias"] = (3 * units,)
        wanted["projection_kernel"] = (units, self.output_size)
        check_shapes(self, wanted)

    def step(self, inputs, state):
        c, h = state
        gates = linear(inputs, h, self.kernel, self.bias)
        j, f, o = np.split(gates, 3, 1)
        if self.w_f_diag is not None:
            f = f + self.w_f_diag * c
        f = ops.sigmoid(f + self.forget_bias)
        new_c = f * c + (1 - f) * self.activation(j)
        if self.w_o_diag is not None:
            o = o + self.w_o_diag * new_c
        new_h = ops.sigmoid(o) * self.activation(new_c)
        if self.projection_kernel is not None:
            new_h = np.matmul(new_h, self.projection_kernel)
            new_h = clip(new_h, self.proj_clip)
        return new_h, (new_c, new_h)


class IntersectionRNNCell(RNNCell):
    """Two gates: one along time, one from the input to the output.

        [gh, h, gy, y] = [x_t, h_{t-1}] kernel + bias
        h_t = Gh h_{t-1} + (1 - Gh) tanh(h);   Gh = sigmoid(gh + forget_bias)
        y_t = Gy x_t + (1 - Gy) relu(y);       Gy = sigmoid(gy + forget_bias)

    Collins et al., 2017 (arXiv 1611.09913).

    Args:
        kernel: [H + H, 4 H].
        bias: [4 H].
        in_kernel, in_bias: [I, H] and [H], which the input goes through
            first where it has another size, "in_projection/...".
        forget_bias: added to both gates.
        y_activation: for relu.
    """

    def __init__(
        self,
        *,
        kernel,
        bias,
        in_kernel=None,
        in_bias=None,
        forget_bias=1.0,
        y_activation=relu,
    ):
        self.kernel, self.bias = kernel, bias
        self.in_kernel, self.in_bias = in_kernel, in_bias
        self.forget_bias, self.y_activation = forget_bias, y_activation
        self.dtype = kernel.dtype
        units = kernel.shape[1] // 4
        self.output_size = self.state_size = units
        self.input_size = units if in_kernel is None else len(in_kernel)
        wanted = {"kernel": (2 * units, 4 * units), "bias": (4 * units,)}
        wanted["in_kernel"] = (self.input_size, units)
        check_shapes(self, wanted)

    def step(self, inputs, state):
        if self.in_kernel is not None:
            inputs = np.matmul(inputs, self.in_kernel) + self.in_bias
        both = linear(inputs, state, self.kernel, self.bias)
        gh, h, gy, y = np.split(both, 4, 1)
        gh = ops.sigmoid(gh + self.forget_bias)
        gy = ops.sigmoid(gy + self.forget_bias)
        new_state = gh * state + (1 - gh) * np.tanh(h)
        return gy * inputs + (1 - gy) * self.y_activation(y), new_state


class SRUCell(RNNCell):
    """Simple recurrent unit: no product with the state.

        [x', f, r, x''] = x_t kernel;   [f, r] = sigmoid([f, r] + bias)
        c_t = f c_{t-1} + (1 - f) x'
        h_t = r tanh(c_t) + (1 - r) x''

    The state is c. Lei et al., 2017 (arXiv 1709.02755).

    Args:
        kernel: [I, 4 H].
        bias: [2 H].
        activation: for tanh.
    """

    def __init__(self, *, kernel, bias, activation=np.tanh):
        self.kernel, self.bias = kernel, bias
        self.activation = activation
        self.dtype = kernel.dtype
        self.input_size, columns = kernel.shape
        self.output_size = self.state_size = columns // 4
        check_shapes(self, {"bias": (2 * self.output_size,)})

    def step(self, inputs, state):
        units = self.output_size
        x, f, r, x_through = np.split(np.matmul(inputs, self.kernel), 4, 1)
        f = ops.sigmoid(f + self.bias[:units])
        r = ops.sigmoid(r + self.bias[units:])
        new_state = f * state + (1 - f) * x
        output = r * self.activation(new_state) + (1 - r) * x_through
        return output, new_state


class PhasedLSTMCell(RNNCell):
    """LSTM whose units let a step through only while they are open.

        [i, f] = sigmoid([x_t, h_{t-1}, c_{t-1}] mask_kernel + mask_bias)
        c' = f c_{t-1} + i tanh([x_t, h_{t-1}] new_kernel + new_bias)
        o = sigmoid([x_t, h_{t-1}, c'] output_kernel + output_bias)
        c_t = k c' + (1 - k) c_{t-1};  h_t = k o tanh(c') + (1 - k) h_{t-1}

    At time s a unit is at phi = ((s - phase) mod period) / period of its
    cycle, and opens and closes in the first `ratio_on` of it:

        k = 2 phi / ratio_on          in the first half of that
            2 - 2 phi / ratio_on      in the second
            leak phi                  after it

    Without peepholes there is no c in the products. The state is (c, h).
    Neil et al., 2016 (arXiv 1610.09513).

    Args:
        mask_kernel, mask_bias: [I + H, 2 H], or [I + 2 H, 2 H] with
            peepholes, and [2 H]; "mask_gates/kernel" and so on.
        new_kernel, new_bias: [I + H, H] and [H], "new_input/kernel".
        output_kernel, output_bias: as the first, H columns, "output_gate/".
        period, phase, ratio_on: [H].
        leak: how far a closed unit is open at the end of its cycle.
    """

    def __init__(
        self,
        *,
        mask_kernel,
        mask_bias,
        new_kernel,
        new_bias,
        output_kernel,
        output_bias,
        period,
        phase,
        ratio_on,
        leak=0.001,
    ):
        self.mask_kernel, self.mask_bias = mask_kernel, mask_bias
        self.new_kernel, self.new_bias = new_kernel, new_bias
        self.output_kernel, self.output_bias = output_kernel, output_bias
        self.period, self.phase, self.ratio_on = period, phase, ratio_on
        self.leak = leak
        self.dtype = new_kernel.dtype
        rows, units = new_kernel.shape
        self.use_peepholes = len(mask_kernel) > rows
        self.output_size, self.state_size = units, (units, units)
        self.input_size = 1 + rows - units
        with_c = rows + units if self.use_peepholes else rows
        wanted = {
            "mask_kernel": (with_c, 2 * units),
            "mask_bias": (2 * units,),
            "output_kernel": (with_c, units),
        }
        for name in ("new_bias", "output_bias", "period", "phase"):
            wanted[name] = (units,)
        check_shapes(self, wanted | {"ratio_on": (units,)})

    def step(self, inputs, state):
        """`inputs` [B, 1 + I] have the time in their first column."""
        time, x = inputs[:, :1], inputs[:, 1:]
        c, h = state
        seen = [h, c] if self.use_peepholes else [h]
        gates = self.product(x, seen, self.mask_kernel, self.mask_bias)
        i, f = np.split(ops.sigmoid(gates), 2, 1)
        j = self.product(x, [h], self.new_kernel, self.new_bias)
        new_c = f * c + i * np.tanh(j)
        seen = [h, new_c] if self.use_peepholes else [h]
        o = self.product(x, seen, self.output_kernel, self.output_bias)
        new_h = np.tanh(new_c) * ops.sigmoid(o)
        k = self.openness(time)
        new_c = k * new_c + (1 - k) * c
        new_h = k * new_h + (1 - k) * h
        return new_h, (new_c, new_h)

    @staticmethod
    def product(x, seen, kernel, bias):
        return linear(x, np.concat(seen, 1), kernel, bias)

    def openness(self, time):
        """k [B, H] at time [B, 1]."""
        phi = np.mod(time - self.phase, self.period) / self.period
        rising = 2 * phi / self.ratio_on
        k = np.where(phi < self.ratio_on, 2 - rising, self.leak * phi)
        return np.where(phi < 0.5 * self.ratio_on, rising, k)


class ConvLSTMCell(RNNCell):
    """LSTM over images: convolutions in place of products.

        [i, j, f, o] = [x_t, h_{t-1}] * kernel + bias
        c_t = sigmoid(f + forget_bias) c_{t-1} + sigmoid(i) tanh(j)
        h_t = sigmoid(o) tanh(c_t)

    * is a convolution that keeps the size, channels are last. The state is
    (c, h), both as large as an image. Shi et al., 2015 (arXiv 1506.04214);
    `Conv1DLSTMCell`, `Conv2DLSTMCell` and `Conv3DLSTMCell` are this cell.

    Args:
        kernel: [*K, I + C, 4 C] for I channels in and C out.
        bias: [4 C] or None, stored as "biases".
        image_shape: the sizes of an image without its channels.
        forget_bias: added to f whenever the cell runs.
        skip_connection: whether x_t is put beside h_t. It is so in the state
            too, so that TensorFlow 1 cannot run a second step.
    """

    def __init__(
        self,
        *,
        kernel,
        image_shape,
        bias=None,
        forget_bias=1.0,
        skip_connection=False,
    ):
        self.kernel, self.bias = kernel, bias
        self.image_shape = tuple(image_shape)
        self.forget_bias = forget_bias
        self.skip_connection = skip_connection
        self.dtype = kernel.dtype
        channels = kernel.shape[-1] // 4
        self.input_size = kernel.shape[-2] - channels
        self.state_size = (channels, channels)
        self.output_size = channels
        if skip_connection:
            self.output_size += self.input_size
        check_shapes(self, {"bias": (4 * channels,)})

    def zero_state(self, batch_size):
        """A state of zeros, to start from."""
        shape = (batch_size, *self.image_shape, self.state_size[0])
        return np.zeros(shape, self.dtype), np.zeros(shape, self.dtype)

    def step(self, inputs, state):
        c, h = state
        gates = convolve(np.concat([inputs, h], -1), self.kernel)
        if self.bias is not None:
            gates = gates + self.bias
        i, j, f, o = np.split(gates, 4, -1)
        new_c = ops.sigmoid(f + self.forget_bias) * c
        new_c = new_c + ops.sigmoid(i) * np.tanh(j)
        output = np.tanh(new_c) * ops.sigmoid(o)
        if self.skip_connection:
            output = np.concat([output, inputs], -1)
        return output, (new_c, output)


def convolve(images, kernel):
    """A convolution that keeps the size, `padding="SAME"`.

    Args:
        images: [B, *S, I], in one dimension or more.
        kernel: [*K, I, O]; where a size is even, one more zero is after an
            image than before it.

    Returns:
        [B, *S, O].
    """
    sizes = kernel.shape[:-2]
    around = [((size - 1) // 2, size // 2) for size in sizes]
    padded = np.pad(images, [(0, 0), *around, (0, 0)])
    axes = tuple(range(1, 1 + len(sizes)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, sizes, axes)
    of_kernel = tuple(range(len(sizes) + 2, windows.ndim))  # [B, *S, I, *K]
    return np.tensordot(
        windows,
        kernel,
        ((*of_kernel, len(sizes) + 1), tuple(range(len(sizes) + 1))),
    )
