"""Cells of TensorFlow 1 that no Keras layer expresses, as Keras 3 cells.

    layer = keras.layers.RNN(
        TF1LSTMCell(units, use_peepholes=True, projection=64),
        return_sequences=True,
    )

Arrays are named and laid out as TensorFlow 1 stores them: one kernel for the
input above the state, an LSTM's gates in the order i, j, f, o; the forget
bias is added when the cell runs and is in no array. The equations are those
of `numpy_ref`, line by line. States are in Keras' order, h before c. A saved
model that holds one of these loads where this module is imported. The last,
`Embedding`, is a layer of its own.
"""

import math

import keras
from keras import ops

_register = keras.saving.register_keras_serializable("rnn_parity")
GATES = ("input", "transform", "forget", "output")  # i, j, f, o
# Those of tf.contrib.layers.layer_norm.
LAYER_NORM_EPSILON, LAYER_NORM_EPSILON_OF_HALF = 1e-12, 1e-3


@_register
def hard_sigmoid(x):
    """clip(0.2 x + 0.5, 0, 1), of Keras 1 and 2; Keras 3's has x / 6.

    The default of the gates of TensorFlow 1's `tf.keras.layers.LSTM` and
    `GRU`. Source: `tensorflow/python/keras/backend.py` of TensorFlow 1.15.
    """
    return ops.clip(0.2 * x + 0.5, 0, 1)


class Arrays(keras.Layer):
    """What all cells and wrappers share."""

    def array(self, name, shape, initializer="glorot_uniform"):
        """A weight of that name."""
        return self.add_weight(
            shape=shape, initializer=initializer, name=name
        )

    def get_initial_state(self, batch_size=None):
        """A state of zeros, to start from."""
        sizes = self.state_size
        if isinstance(sizes, int):
            sizes = [sizes]
        return [
            ops.zeros((batch_size, size), self.compute_dtype)
            for size in sizes
        ]


class Wrapper(Arrays):
    """What all cells around one other share.

    Args:
        cell: a Keras cell.
    """

    def __init__(self, cell, **arguments):
        super().__init__(**arguments)
        self.cell = cell

    def build_cell(self, shape):
        """For inputs of that shape, [..., I], unless a loaded one is."""
        if not self.cell.built:
            self.cell.build(shape)

    def get_config(self):
        return super().get_config() | {
            "cell": keras.saving.serialize_keras_object(self.cell)
        }

    @classmethod
    def from_config(cls, config):
        """The way back from `get_config`."""
        cell = keras.saving.deserialize_keras_object(config.pop("cell"))
        return cls(cell, **config)


class TF1Cell(Arrays):
    """What all cells share.

    Args:
        units: H.
        forget_bias: added to the forget gate whenever the cell runs.
        activation: for tanh.
    """

    def __init__(
        self, units, forget_bias=1.0, activation="tanh", **arguments
    ):
        super().__init__(**arguments)
        self.units = units
        self.forget_bias = forget_bias
        self.activation = keras.activations.get(activation)
        self.state_size = self.output_size = units

    def get_config(self):
        return super().get_config() | {
            "units": self.units,
            "forget_bias": self.forget_bias,
            "activation": keras.activations.serialize(self.activation),
        }


@_register
class ResidualCell(Wrapper):
    """A cell whose outputs have its inputs added: `tf.nn.rnn_cell`'s
    `ResidualWrapper`.

    Between layers `keras.layers.Add` does it; within one direction of two
    nothing of Keras does.

    Args:
        cell: a Keras cell, its outputs as wide as its inputs.
    """

    def __init__(self, cell, **arguments):
        super().__init__(cell, **arguments)
        self.state_size = cell.state_size
        self.output_size = cell.output_size

    def build(self, input_shape):
        self.build_cell(input_shape)

    def call(self, inputs, states, training=None):
        outputs, states = self.cell(inputs, states, training=training)
        return inputs + outputs, states

    def get_initial_state(self, batch_size=None):
        """A state of zeros, to start from."""
        return self.cell.get_initial_state(batch_size)


def _linear(inputs, state, kernel, bias):
    """[inputs, state] kernel + bias; the bias may be None."""
    product = ops.matmul(ops.concatenate([inputs, state], -1), kernel)
    return product if bias is None else product + bias


def _clip(x, limit):
    """Within -limit and limit; None, or nothing above 0, leaves it."""
    return x if limit is None or limit <= 0 else ops.clip(x, -limit, limit)


@_register
class TF1LSTMCell(TF1Cell):
    """LSTM with all that TensorFlow 1 adds to it.

        [i, j, f, o] = [x_t, h_{t-1}] kernel + bias
        i = sigmoid(i + w_i_diag c_{t-1})
        f = sigmoid(f + forget_bias + w_f_diag c_{t-1})
        c_t = clip(f c_{t-1} + i tanh(j), cell_clip)
        o = sigmoid(o + w_o_diag c_t)
        h_t = clip(o tanh(c_t) projection_kernel, proj_clip)

    With `layer_norm` each of i, j, f, o and c_t is normalised, and there is
    no bias. Sources: `tf.nn.rnn_cell.LSTMCell`,
    `tf.contrib.rnn.LSTMBlockCell`, `tf.contrib.rnn.LayerNormBasicLSTMCell`.

    Args:
        units: H.
        use_peepholes: whether gates see the cell state, w_*_diag [H].
        projection: P, or None for no projection_kernel [H, P].
        cell_clip, proj_clip: largest magnitudes, or None.
        layer_norm: whether there are gammas and betas [H].
        forget_bias, activation: see `TF1Cell`.
    """

    def __init__(
        self,
        units,
        use_peepholes=False,
        projection=None,
        cell_clip=None,
        proj_clip=None,
        layer_norm=False,
        **arguments,
    ):
        super().__init__(units, **arguments)
        self.use_peepholes = use_peepholes
        self.projection = projection
        self.cell_clip, self.proj_clip = cell_clip, proj_clip
        self.layer_norm = layer_norm
        self.output_size = projection or units
        self.state_size = [self.output_size, units]

    def build(self, input_shape):
        units = self.units
        rows = input_shape[-1] + self.output_size
        self.kernel = self.array("kernel", (rows, 4 * units))
        self.bias = None
        if not self.layer_norm:
            self.bias = self.array("bias", (4 * units,), "zeros")
        if self.use_peepholes:
            self.w_f_diag = self.array("w_f_diag", (units,), "zeros")
            self.w_i_diag = self.array("w_i_diag", (units,), "zeros")
            self.w_o_diag = self.array("w_o_diag", (units,), "zeros")
        if self.projection:
            shape = (units, self.projection)
            self.projection_kernel = self.array("projection_kernel", shape)
        if self.layer_norm:
            self.gammas, self.betas = {}, {}
            for name in (*GATES, "state"):
                gamma = self.array(f"gamma_{name}", (units,), "ones")
                beta = self.array(f"beta_{name}", (units,), "zeros")
                self.gammas[name], self.betas[name] = gamma, beta

    def call(self, inputs, states, training=None):
        h, c = states
        i, j, f, o = self.gates(inputs, h)
        f = f + self.forget_bias
        if self.use_peepholes:
            i = i + self.w_i_diag * c
            f = f + self.w_f_diag * c
        new_c = ops.sigmoid(f) * c + ops.sigmoid(i) * self.activation(j)
        new_c = _clip(self.norm(new_c, "state"), self.cell_clip)
        if self.use_peepholes:
            o = o + self.w_o_diag * new_c
        new_h = ops.sigmoid(o) * self.activation(new_c)
        if self.projection:
            new_h = ops.matmul(new_h, self.projection_kernel)
            new_h = _clip(new_h, self.proj_clip)
        return new_h, [new_h, new_c]

    def gates(self, inputs, h):
        """i, j, f, o, each [B, H], before their sigmoid or tanh."""
        gates = _linear(inputs, h, self.kernel, self.bias)
        parts = ops.split(gates, 4, -1)
        return [self.norm(*pair) for pair in zip(parts, GATES, strict=True)]

    def norm(self, x, which):
        """Layer normalisation, row by row, where there is any."""
        if not self.layer_norm:
            return x
        mean = ops.mean(x, -1, keepdims=True)
        variance = ops.mean(ops.square(x - mean), -1, keepdims=True)
        half = keras.backend.standardize_dtype(x.dtype) == "float16"
        epsilon = LAYER_NORM_EPSILON_OF_HALF if half else LAYER_NORM_EPSILON
        scale = ops.sqrt(variance + epsilon)
        return self.gammas[which] * (x - mean) / scale + self.betas[which]

    def get_config(self):
        return super().get_config() | {
            "use_peepholes": self.use_peepholes,
            "projection": self.projection,
            "cell_clip": self.cell_clip,
            "proj_clip": self.proj_clip,
            "layer_norm": self.layer_norm,
        }


@_register
class CoupledLSTMCell(TF1Cell):
    """LSTM with three gates: what is taken in is what is forgotten.

        [j, f, o] = [x_t, h_{t-1}] kernel + bias
        f = sigmoid(f + forget_bias + w_f_diag c_{t-1})
        c_t = f c_{t-1} + (1 - f) tanh(j)
        h_t = clip(sigmoid(o + w_o_diag c_t) tanh(c_t) projection_kernel)

    Source: `tf.contrib.rnn.CoupledInputForgetGateLSTMCell`.

    Args: those of `TF1LSTMCell` that it has.
    """

    def __init__(
        self,
        units,
        use_peepholes=False,
        projection=None,
        proj_clip=None,
        **arguments,
    ):
        super().__init__(units, **arguments)
        self.use_peepholes = use_peepholes
        self.projection, self.proj_clip = projection, proj_clip
        self.output_size = projection or units
        self.state_size = [self.output_size, units]

    def build(self, input_shape):
        units = self.units
        rows = input_shape[-1] + self.output_size
        self.kernel = self.array("kernel", (rows, 3 * units))
        self.bias = self.array("bias", (3 * units,), "zeros")
        if self.use_peepholes:
            self.w_f_diag = self.array("w_f_diag", (units,), "zeros")
            self.w_o_diag = self.array("w_o_diag", (units,), "zeros")
        if self.projection:
            shape = (units, self.projection)
            self.projection_kernel = self.array("projection_kernel", shape)

    def call(self, inputs, states, training=None):
        h, c = states
        gates = _linear(inputs, h, self.kernel, self.bias)
        j, f, o = ops.split(gates, 3, -1)
        if self.use_peepholes:
            f = f + self.w_f_diag * c
        f = ops.sigmoid(f + self.forget_bias)
        new_c = f * c + (1 - f) * self.activation(j)
        if self.use_peepholes:
            o = o + self.w_o_diag * new_c
        new_h = ops.sigmoid(o) * self.activation(new_c)
        if self.projection:
            new_h = ops.matmul(new_h, self.projection_kernel)
            new_h = _clip(new_h, self.proj_clip)
        return new_h, [new_h, new_c]

    def get_config(self):
        return super().get_config() | {
            "use_peepholes": self.use_peepholes,
            "projection": self.projection,
            "proj_clip": self.proj_clip,
        }


@_register
class UGRNNCell(TF1Cell):
    """Update gate RNN: one gate chooses between keeping and computing.

        [g, c] = [x_t, h_{t-1}] kernel + bias
        h_t = G h_{t-1} + (1 - G) tanh(c);  G = sigmoid(g + forget_bias)

    Source: `tf.contrib.rnn.UGRNNCell`.
    """

    def build(self, input_shape):
        rows, units = input_shape[-1] + self.units, self.units
        self.kernel = self.array("kernel", (rows, 2 * units))
        self.bias = self.array("bias", (2 * units,), "zeros")

    def call(self, inputs, states, training=None):
        (state,) = states
        both = _linear(inputs, state, self.kernel, self.bias)
        g, c = ops.split(both, 2, -1)
        g = ops.sigmoid(g + self.forget_bias)
        new_state = g * state + (1 - g) * self.activation(c)
        return new_state, [new_state]


@_register
class IntersectionRNNCell(TF1Cell):
    """Two gates: one along time, one from the input to the output.

        [gh, h, gy, y] = [x_t, h_{t-1}] kernel + bias
        h_t = Gh h_{t-1} + (1 - Gh) tanh(h);   Gh = sigmoid(gh + forget_bias)
        y_t = Gy x_t + (1 - Gy) relu(y);       Gy = sigmoid(gy + forget_bias)

    Inputs of another size than H go through a dense layer first. Source:
    `tf.contrib.rnn.IntersectionRNNCell`.
    """

    def build(self, input_shape):
        units = self.units
        self.kernel = self.array("kernel", (2 * units, 4 * units))
        self.bias = self.array("bias", (4 * units,), "zeros")
        self.in_kernel = None
        if input_shape[-1] != units:
            shape = (input_shape[-1], units)
            self.in_kernel = self.array("in_kernel", shape)
            self.in_bias = self.array("in_bias", (units,), "zeros")

    def call(self, inputs, states, training=None):
        (state,) = states
        if self.in_kernel is not None:
            inputs = ops.matmul(inputs, self.in_kernel) + self.in_bias
        both = _linear(inputs, state, self.kernel, self.bias)
        gh, h, gy, y = ops.split(both, 4, -1)
        gh = ops.sigmoid(gh + self.forget_bias)
        gy = ops.sigmoid(gy + self.forget_bias)
        new_state = gh * state + (1 - gh) * ops.tanh(h)
        return gy * inputs + (1 - gy) * ops.relu(y), [new_state]


@_register
class SRUCell(TF1Cell):
    """Simple recurrent unit: no product with the state, which is c.

        [x', f, r, x''] = x_t kernel;   [f, r] = sigmoid([f, r] + bias)
        c_t = f c_{t-1} + (1 - f) x'
        h_t = r tanh(c_t) + (1 - r) x''

    Source: `tf.contrib.rnn.SRUCell`.
    """

    def build(self, input_shape):
        self.kernel = self.array("kernel", (input_shape[-1], 4 * self.units))
        self.bias = self.array("bias", (2 * self.units,), "zeros")

    def call(self, inputs, states, training=None):
        (state,) = states
        x, f, r, through = ops.split(ops.matmul(inputs, self.kernel), 4, -1)
        f = ops.sigmoid(f + self.bias[: self.units])
        r = ops.sigmoid(r + self.bias[self.units :])
        new_state = f * state + (1 - f) * x
        output = r * self.activation(new_state) + (1 - r) * through
        return output, [new_state]


@_register
class NASCell(TF1Cell):
    """The cell that neural architecture search found.

    m and x are the eight parts of h_{t-1} recurrent_kernel + bias and of
    x_t kernel; the equations are in `numpy_ref.tf1_cells.NASCell`. Source:
    `tf.contrib.rnn.NASCell`.

    Args:
        units: H.
        projection: P, or None for no projection_weights [H, P].
        use_bias: whether there is a bias [8 H].
    """

    def __init__(self, units, projection=None, use_bias=False, **arguments):
        super().__init__(units, **arguments)
        self.projection, self.use_bias = projection, use_bias
        self.output_size = projection or units
        self.state_size = [self.output_size, units]

    def build(self, input_shape):
        units, outputs = self.units, self.output_size
        self.kernel = self.array("kernel", (input_shape[-1], 8 * units))
        shape = (outputs, 8 * units)
        self.recurrent_kernel = self.array("recurrent_kernel", shape)
        if self.use_bias:
            self.bias = self.array("bias", (8 * units,), "zeros")
        if self.projection:
            shape = (units, self.projection)
            self.projection_weights = self.array("projection_weights", shape)

    def call(self, inputs, states, training=None):
        h, c = states
        m = ops.matmul(h, self.recurrent_kernel)
        if self.use_bias:
            m = m + self.bias
        x = ops.split(ops.matmul(inputs, self.kernel), 8, -1)
        m = ops.split(m, 8, -1)
        tanh, sigmoid, relu = ops.tanh, ops.sigmoid, ops.relu
        a = tanh(sigmoid(x[0] + m[0]) * relu(x[1] + m[1]))
        b = tanh(sigmoid(x[2] + m[2]) + relu(x[3] * m[3]))
        d = tanh(tanh(x[4] + m[4]) * sigmoid(x[5] + m[5]))
        e = sigmoid(tanh(x[6] + m[6]) + sigmoid(x[7] + m[7]))
        new_c = tanh(a + c) * b
        new_h = tanh(new_c * tanh(d + e))
        if self.projection:
            new_h = ops.matmul(new_h, self.projection_weights)
        return new_h, [new_h, new_c]

    def get_config(self):
        return super().get_config() | {
            "projection": self.projection,
            "use_bias": self.use_bias,
        }


@_register
class AttentionCellWrapper(Wrapper):
    """A cell that looks back on its own last outputs.

    The equations are in `numpy_ref.tf1_attention_cells`. States are those of
    the cell, a [B, A], and the last outputs, the oldest first, [B, L A].
    Source: `tf.contrib.rnn.AttentionCellWrapper`.

    Args:
        cell: a Keras cell that is no stack; its states are read side by
            side as TensorFlow 1 has them, an LSTM's c before h.
        attn_length: L.
        attn_size: A, how many numbers come out; by default, of the cell.
        attn_vec_size: V, units of the score; A by default.
        input_size: X, what the cell gets; by default, as many as come in.
    """

    def __init__(
        self,
        cell,
        attn_length,
        attn_size=None,
        attn_vec_size=None,
        input_size=None,
        **arguments,
    ):
        super().__init__(cell, **arguments)
        self.attn_length = attn_length
        self.attn_size = attn_size or cell.output_size
        self.attn_vec_size = attn_vec_size or self.attn_size
        self.input_size = input_size
        sizes = cell.state_size
        self.cell_sizes = [sizes] if isinstance(sizes, int) else list(sizes)
        past = attn_length * self.attn_size
        self.state_size = [*self.cell_sizes, self.attn_size, past]
        self.output_size = self.attn_size

    def build(self, input_shape):
        size, features = self.attn_size, self.attn_vec_size
        inside = self.input_size or input_shape[-1]
        shapes = {
            "kernel": (input_shape[-1] + size, inside),
            "bias": (inside,),
            "attn_w": (1, 1, size, features),
            "attn_v": (features,),
            "query_kernel": (sum(self.cell_sizes), features),
            "query_bias": (features,),
            "output_kernel": (self.cell.output_size + size, size),
            "output_bias": (size,),
        }
        for name, shape in shapes.items():
            drawn = "zeros" if name.endswith("bias") else "glorot_uniform"
            setattr(self, name, self.array(name, shape, drawn))
        self.build_cell((*input_shape[:-1], inside))

    def call(self, inputs, states, training=None):
        *states, attention, past = states
        inputs = _linear(inputs, attention, self.kernel, self.bias)
        output, states = self.cell(inputs, states, training=training)
        states = list(states)
        past = ops.reshape(past, (-1, self.attn_length, self.attn_size))
        query = ops.concatenate(states[::-1], -1)
        query = ops.matmul(query, self.query_kernel) + self.query_bias
        seen = ops.matmul(past, self.attn_w[0, 0]) + query[:, None]
        weights = ops.softmax(ops.sum(self.attn_v * ops.tanh(seen), -1))
        attention = ops.sum(weights[..., None] * past, 1)
        output = _linear(
            output, attention, self.output_kernel, self.output_bias
        )
        past = ops.concatenate([past[:, 1:], output[:, None]], 1)
        past = ops.reshape(past, (-1, self.state_size[-1]))
        return output, [*states, attention, past]

    def get_config(self):
        return super().get_config() | {
            "attn_length": self.attn_length,
            "attn_size": self.attn_size,
            "attn_vec_size": self.attn_vec_size,
            "input_size": self.input_size,
        }


@_register
class PhasedLSTMCell(TF1Cell):
    """LSTM whose units let a step through only while they are open.

    The first column of the inputs is the time. The equations are in
    `numpy_ref.tf1_contrib_cells`. Source: `tf.contrib.rnn.PhasedLSTMCell`.

    Args:
        units: H.
        use_peepholes: whether gates see the cell state.
        leak: how far a closed unit is open at the end of its cycle.
    """

    def __init__(self, units, use_peepholes=False, leak=0.001, **arguments):
        super().__init__(units, **arguments)
        self.use_peepholes, self.leak = use_peepholes, leak
        self.state_size = [units, units]

    def build(self, input_shape):
        units = self.units
        rows = input_shape[-1] - 1 + units
        with_c = rows + units if self.use_peepholes else rows
        self.mask_kernel = self.array("mask_kernel", (with_c, 2 * units))
        self.mask_bias = self.array("mask_bias", (2 * units,), "zeros")
        self.new_kernel = self.array("new_kernel", (rows, units))
        self.new_bias = self.array("new_bias", (units,), "zeros")
        self.output_kernel = self.array("output_kernel", (with_c, units))
        self.output_bias = self.array("output_bias", (units,), "zeros")
        self.period = self.array("period", (units,), _periods)
        self.phase = self.array("phase", (units,), "zeros")
        tenth = keras.initializers.Constant(0.1)
        self.ratio_on = self.array("ratio_on", (units,), tenth)

    def call(self, inputs, states, training=None):
        time, x = inputs[:, :1], inputs[:, 1:]
        h, c = states
        gates = self.product(x, h, c, self.mask_kernel, self.mask_bias)
        i, f = ops.split(ops.sigmoid(gates), 2, -1)
        j = _linear(x, h, self.new_kernel, self.new_bias)
        new_c = f * c + i * self.activation(j)
        o = self.product(x, h, new_c, self.output_kernel, self.output_bias)
        new_h = self.activation(new_c) * ops.sigmoid(o)
        k = self.openness(time)
        new_c = k * new_c + (1 - k) * c
        new_h = k * new_h + (1 - k) * h
        return new_h, [new_h, new_c]

    def product(self, x, h, c, kernel, bias):
        seen = ops.concatenate([h, c], -1) if self.use_peepholes else h
        return _linear(x, seen, kernel, bias)

    def openness(self, time):
        """How far each unit is open at time [B, 1]: [B, H]."""
        phi = ops.mod(time - self.phase, self.period) / self.period
        rising = 2 * phi / self.ratio_on
        k = ops.where(phi < self.ratio_on, 2 - rising, self.leak * phi)
        return ops.where(phi < 0.5 * self.ratio_on, rising, k)

    def get_config(self):
        return super().get_config() | {
            "use_peepholes": self.use_peepholes,
            "leak": self.leak,
        }


def _periods(shape, dtype=None):
    """From 1 to 1000, as many of each order of magnitude."""
    return ops.exp(keras.random.uniform(shape, 0, math.log(1000), dtype))


@_register
class TimeFreqLSTMCell(TF1Cell):
    """LSTM along the frequencies of each step, and along time.

    The equations are in `numpy_ref.tf1_frequency_cells`. Out comes m of
    every piece; states are m of every piece [B, F H], and c alike. Source:
    `tf.contrib.rnn.TimeFreqLSTMCell`.

    Args:
        units: H.
        input_size: I, how many frequencies there are.
        feature_size: of a piece.
        frequency_skip: from one piece to the next.
        use_peepholes: whether gates see the cell state.
        cell_clip: largest magnitude of c, or None.
    """

    def __init__(
        self,
        units,
        input_size,
        feature_size,
        frequency_skip=1,
        use_peepholes=False,
        cell_clip=None,
        **arguments,
    ):
        super().__init__(units, **arguments)
        self.input_size, self.feature_size = input_size, feature_size
        self.frequency_skip = frequency_skip
        self.use_peepholes, self.cell_clip = use_peepholes, cell_clip
        self.pieces = (input_size - feature_size) // frequency_skip + 1
        self.output_size = self.pieces * units
        self.state_size = [self.output_size] * 2

    def build(self, input_shape):
        units = self.units
        shape = (self.feature_size + 2 * units, 4 * units)
        self.kernel = self.array("kernel", shape)
        self.bias = self.array("bias", (4 * units,), "zeros")
        if self.use_peepholes:
            self.w_f_diag = self.array("w_f_diag", (units,), "zeros")
            self.w_i_diag = self.array("w_i_diag", (units,), "zeros")
            self.w_o_diag = self.array("w_o_diag", (units,), "zeros")

    def call(self, inputs, states, training=None):
        new_m, new_c = [], []
        before = ops.zeros_like(states[0][:, : self.units])
        parts = [ops.split(state, self.pieces, -1) for state in states]
        for place, (m, c) in enumerate(zip(*parts, strict=True)):
            first = place * self.frequency_skip
            piece = inputs[:, first : first + self.feature_size]
            before, c = self.at_piece(piece, m, c, before)
            new_m.append(before)
            new_c.append(c)
        new_m, new_c = ops.concatenate(new_m, -1), ops.concatenate(new_c, -1)
        return new_m, [new_m, new_c]

    def at_piece(self, piece, m, c, before):
        """The new m and c of one piece."""
        seen = ops.concatenate([m, before], -1)
        gates = _linear(piece, seen, self.kernel, self.bias)
        i, j, f, o = ops.split(gates, 4, -1)
        f = f + self.forget_bias
        if self.use_peepholes:
            i = i + self.w_i_diag * c
            f = f + self.w_f_diag * c
        new_c = ops.sigmoid(f) * c + ops.sigmoid(i) * self.activation(j)
        new_c = _clip(new_c, self.cell_clip)
        if self.use_peepholes:
            o = o + self.w_o_diag * new_c
        return ops.sigmoid(o) * self.activation(new_c), new_c

    def get_config(self):
        return super().get_config() | {
            "input_size": self.input_size,
            "feature_size": self.feature_size,
            "frequency_skip": self.frequency_skip,
            "use_peepholes": self.use_peepholes,
            "cell_clip": self.cell_clip,
        }


@_register
class AttentionWrapper(Wrapper):
    """A cell that reads a memory as it goes.

    The equations are in `numpy_ref.tf1_attention_cells`. States are those of
    the cell, a [B, A], the shares of the memory [B, N], and the memory, which
    goes through the loop as it is:

        rnn = keras.layers.RNN(AttentionWrapper(cell, memory_shape=(N, D)))
        rnn(x, initial_state=rnn.cell.get_initial_state(B, memory, lengths))

    Source: `tf.contrib.seq2seq.AttentionWrapper` around one
    `BahdanauAttention` or `LuongAttention`.

    Args:
        cell: a Keras cell that is no stack.
        memory_shape: (N, D).
        attention: "bahdanau" or "luong".
        attention_units: V, of the first one's score.
        attention_layer_size: A, or None where a is the context.
        scale: `normalize` of the first one, `scale` of the second.
        output_attention: whether a comes out, and not what the cell says.
    """

    def __init__(
        self,
        cell,
        memory_shape,
        attention="bahdanau",
        attention_units=None,
        attention_layer_size=None,
        scale=False,
        output_attention=True,
        **arguments,
    ):
        super().__init__(cell, **arguments)
        self.memory_shape = tuple(memory_shape)
        self.attention, self.scale = attention, scale
        self.attention_units = attention_units or cell.output_size
        self.attention_layer_size = attention_layer_size
        self.output_attention = output_attention
        self.attention_size = attention_layer_size or memory_shape[1]
        self.output_size = cell.output_size
        if output_attention:
            self.output_size = self.attention_size
        sizes = cell.state_size
        sizes = [sizes] if isinstance(sizes, int) else list(sizes)
        steps = memory_shape[0]
        sizes += [self.attention_size, steps, self.memory_shape, steps]
        self.state_size = sizes

    def build(self, input_shape):
        size, units = self.memory_shape[1], self.attention_units
        wide = self.cell.output_size
        self.memory_kernel = self.array("memory_kernel", (size, units))
        if self.attention == "bahdanau":
            self.query_kernel = self.array("query_kernel", (wide, units))
            self.attention_v = self.array("attention_v", (units,))
            if self.scale:
                zeros = "zeros"
                self.attention_b = self.array("attention_b", (units,), zeros)
        if self.scale:
            self.attention_g = self.array("attention_g", (), "ones")
        if self.attention_layer_size:
            shape = (wide + size, self.attention_layer_size)
            self.attention_kernel = self.array("attention_kernel", shape)
        inside = input_shape[-1] + self.attention_size
        self.build_cell((*input_shape[:-1], inside))

    def call(self, inputs, states, training=None):
        *states, attention, _, memory, valid = states
        inputs = ops.concatenate([inputs, attention], -1)
        output, states = self.cell(inputs, list(states), training=training)
        scores = self.scores(output, ops.matmul(memory, self.memory_kernel))
        scores = ops.where(valid > 0, scores, -math.inf)
        shares = ops.softmax(scores)
        attention = ops.sum(shares[..., None] * memory, 1)
        if self.attention_layer_size:
            both = ops.concatenate([output, attention], -1)
            attention = ops.matmul(both, self.attention_kernel)
        states = [*states, attention, shares, memory, valid]
        return attention if self.output_attention else output, states

    def scores(self, query, keys):
        """What each of keys [B, N, V] is to a query [B, H]: [B, N]."""
        if self.attention == "luong":
            scores = ops.sum(keys * query[:, None], -1)
            return self.attention_g * scores if self.scale else scores
        seen = keys + ops.matmul(query, self.query_kernel)[:, None]
        v = self.attention_v
        if self.scale:
            seen = seen + self.attention_b
            v = self.attention_g * v / ops.sqrt(ops.sum(ops.square(v)))
        return ops.sum(v * ops.tanh(seen), -1)

    def get_initial_state(self, batch_size=None, memory=None, lengths=None):
        """A state of zeros around a memory [B, N, D], of zeros by default.

        Args:
            batch_size: B.
            memory: [B, N, D].
            lengths: [B], how many steps of it are valid, all above 0; None
                for all of them.
        """
        steps, size = self.memory_shape
        dtype = self.compute_dtype
        if memory is None:
            memory = ops.zeros((batch_size, steps, size), dtype)
        if lengths is None:
            lengths = ops.full((batch_size,), steps, "int32")
        lengths = ops.reshape(ops.cast(lengths, "int32"), (-1, 1))
        valid = ops.arange(steps, dtype="int32")[None] < lengths
        valid = ops.cast(valid, dtype)
        states = self.cell.get_initial_state(batch_size)
        return [
            *(states if isinstance(states, (list, tuple)) else [states]),
            ops.zeros((batch_size, self.attention_size), dtype),
            ops.zeros((batch_size, steps), dtype),
            ops.cast(memory, dtype) * valid[..., None],
            valid,
        ]

    def get_config(self):
        return super().get_config() | {
            "memory_shape": self.memory_shape,
            "attention": self.attention,
            "attention_units": self.attention_units,
            "attention_layer_size": self.attention_layer_size,
            "scale": self.scale,
            "output_attention": self.output_attention,
        }


@_register
class GridRNNCell(Arrays):
    """A cell along each of N dimensions, all N seeing one another.

    The equations are in `numpy_ref.tf1_grid_cells`. States are those of each
    cell in turn. Source: the classes of `tf.contrib.grid_rnn`.

    Args:
        cells: Keras cells of one kind and as many units, the first of which
            gets the inputs; or one alone, to be all of them.
        dimensions: N, as many as there are cells by default.
    """

    def __init__(self, cells, dimensions=None, **arguments):
        super().__init__(**arguments)
        self.cells = list(cells)
        self.dimensions = dimensions or len(self.cells)
        sizes = self.cells[0].state_size
        self.kept = 1 if isinstance(sizes, int) else len(sizes)
        self.output_size = self.cells[0].output_size
        self.state_size = [self.output_size] * self.kept * self.dimensions

    def build(self, input_shape):
        shape = (input_shape[-1], self.output_size)
        self.project_m = self.array("project_m", shape)
        if self.kept > 1:
            self.project_c = self.array("project_c", shape)
        seen = (self.dimensions - 1) * self.output_size
        for cell in self.cells:
            if not cell.built:  # a loaded one is
                cell.build((*input_shape[:-1], seen))

    def call(self, inputs, states, training=None):
        places = range(self.dimensions)
        kept = [states[n * self.kept :][: self.kept] for n in places]
        kept[0] = [ops.matmul(inputs, self.project_m)]
        if self.kept > 1:
            kept[0].append(ops.matmul(inputs, self.project_c))
        old = [h for h, *_ in kept]
        outputs, new = list(old), [None for _ in places]
        for place in (*places[1:], 0):  # the first sees the others' outputs
            seen = old if place else list(outputs)
            cell = self.cells[place if len(self.cells) > 1 else 0]
            inside = ops.concatenate([inputs[:, :0], *seen[:-1]], -1)
            outputs[place], new[place] = cell(
                inside, [seen[-1], *kept[place][1:]], training=training
            )
        return outputs[0], [array for of_cell in new for array in of_cell]

    def get_config(self):
        cells = map(keras.saving.serialize_keras_object, self.cells)
        return super().get_config() | {
            "cells": list(cells),
            "dimensions": self.dimensions,
        }

    @classmethod
    def from_config(cls, config):
        """The way back from `get_config`."""
        cells = config.pop("cells")
        cells = [keras.saving.deserialize_keras_object(c) for c in cells]
        return cls(cells, **config)


@_register
class GridLSTMCell(TF1Cell):
    """Two LSTMs, along the frequencies of each step and along time.

    The equations are in `numpy_ref.tf1_frequency_cells`. States are m, c of
    every piece in turn. Source: `tf.contrib.rnn.GridLSTMCell`; a
    `BidirectionalGridLSTMCell` is two of these in two layers, their outputs
    side by side, one of them with `reverse=True`.

    Args:
        units: H.
        input_size: I, how many frequencies there are.
        feature_size: of a piece.
        frequency_skip: from one piece to the next.
        ranges: (start, end) of each block of pieces; all by default.
        use_peepholes: whether gates see the cell states.
        share_weights: whether both LSTMs have the same arrays.
        coupled: whether 1 - i stands for the forget gate.
        cell_clip: largest magnitude of c, or None.
        slice_offset: where to start, with zeros around the inputs.
        reverse: whether the pieces of a block run the other way.
    """

    OPTIONS = (
        "input_size",
        "feature_size",
        "frequency_skip",
        "ranges",
        "use_peepholes",
        "share_weights",
        "coupled",
        "cell_clip",
        "slice_offset",
        "reverse",
    )

    def __init__(
        self,
        units,
        input_size,
        feature_size,
        frequency_skip=1,
        ranges=None,
        use_peepholes=False,
        share_weights=False,
        coupled=False,
        cell_clip=None,
        slice_offset=0,
        reverse=False,
        **arguments,
    ):
        super().__init__(units, **arguments)
        self.input_size, self.feature_size = input_size, feature_size
        self.frequency_skip = frequency_skip
        self.ranges = [tuple(ends) for ends in ranges or [(0, input_size)]]
        self.use_peepholes, self.share_weights = use_peepholes, share_weights
        self.coupled, self.cell_clip = coupled, cell_clip
        self.slice_offset, self.reverse = slice_offset, reverse
        pieces = sum(len(self.starts(*ends)) for ends in self.ranges)
        self.output_size = 2 * pieces * units
        self.state_size = [units] * (2 * pieces)

    def starts(self, start, end):
        """Where the pieces of a block start."""
        return range(start, end - self.feature_size + 1, self.frequency_skip)

    def build(self, input_shape):
        gates = "io" if self.coupled else "ifo"
        columns = (1 + len(gates)) * self.units
        rows = self.feature_size + 2 * self.units
        self.blocks = []
        for place in range(len(self.ranges)):
            both = []
            for way in "f" if self.share_weights else "ft":
                end = f"{way}_{place}"
                kernel = self.array(f"kernel_{end}", (rows, columns))
                bias = self.array(f"bias_{end}", (columns,), "zeros")
                both.append({"kernel": kernel, "bias": bias})
                for name in [
                    f"w_{gate}_{of}" for gate in gates for of in "ft"
                ]:
                    if self.use_peepholes:
                        shape = (self.units,)
                        weight = self.array(f"{name}_{end}", shape, "zeros")
                        both[-1][name] = weight
            self.blocks.append(both)

    def call(self, inputs, states, training=None):
        offset, outputs, new_states = self.slice_offset, [], []
        around = (0, offset) if offset > 0 else (-offset, 0)
        inputs = ops.pad(inputs, ((0, 0), around))[:, max(offset, 0) :]
        left = list(states)
        for block, ends in zip(self.blocks, self.ranges, strict=True):
            before = [ops.zeros_like(states[0])] * 2
            starts = self.starts(*ends)
            for start in reversed(starts) if self.reverse else starts:
                piece = inputs[:, start : start + self.feature_size]
                (m, c), left = left[:2], left[2:]
                (m, c), before = self.at_piece(block, piece, (m, c), before)
                outputs += [m, before[0]]
                new_states += [m, c]
        return ops.concatenate(outputs, -1), new_states

    def at_piece(self, block, piece, old, before):
        """The new m, c along time and along frequency at one piece."""
        seen = ops.concatenate([old[0], before[0]], -1)
        c = before[1], old[1]
        along_f, along_t = block[0], block[-1]
        new_f, o_f = self.cell_state(along_f, piece, seen, c, c[0])
        new_t, o_t = self.cell_state(along_t, piece, seen, c, c[1])
        c = new_f, new_t
        o_f = o_f + self.peepholes(along_f, "o", c)
        o_t = o_t + self.peepholes(along_t, "o", c)
        m_f = ops.sigmoid(o_f) * self.activation(new_f)
        m_t = ops.sigmoid(o_t) * self.activation(new_t)
        return (m_t, new_t), (m_f, new_f)

    def cell_state(self, arrays, piece, seen, both, old):
        """(the new c of one of both LSTMs, its o before the peepholes)."""
        gates = _linear(piece, seen, arrays["kernel"], arrays["bias"])
        i, j, *f, o = ops.split(gates, 3 if self.coupled else 4, -1)
        i = ops.sigmoid(i + self.peepholes(arrays, "i", both))
        if self.coupled:
            f = 1 - i
        else:
            f = f[0] + self.forget_bias + self.peepholes(arrays, "f", both)
            f = ops.sigmoid(f)
        return _clip(f * old + i * self.activation(j), self.cell_clip), o

    def peepholes(self, arrays, gate, both):
        """What a gate sees of c along frequency and along time."""
        if not self.use_peepholes:
            return 0
        along_f, along_t = arrays[f"w_{gate}_f"], arrays[f"w_{gate}_t"]
        return along_f * both[0] + along_t * both[1]

    def get_config(self):
        options = {name: getattr(self, name) for name in self.OPTIONS}
        return super().get_config() | options


@_register
class Embedding(keras.layers.Embedding):
    """Keras' Embedding, but a mask that its ids have is its rows' too.

    Keras' own forgets it: `model(ids, mask=mask)` runs every row to its end,
    where TensorFlow 1 was given a `sequence_length` beside the ids.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        """[B, T]: the mask of the ids, and with mask_zero those above 0."""
        above_0 = super().compute_mask(inputs)
        if mask is None or above_0 is None:
            return above_0 if mask is None else mask
        return ops.logical_and(mask, above_0)

    def _set_mask_metadata(self, inputs, outputs, previous_mask):
        # A symbolic mask would become part of the model, and a mask that is
        # given when the model runs would not be looked at.
        symbolic = isinstance(inputs, keras.KerasTensor)
        if previous_mask is not None or not symbolic:
            super()._set_mask_metadata(inputs, outputs, previous_mask)
