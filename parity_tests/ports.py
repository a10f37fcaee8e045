"""Ports of TensorFlow 1 cells for `test_diagnose.py`, mistakes on request.

Written apart from `rnn_parity.checkpoints.port` and from numpy_ref, in
float32, with one flag for every mistake, or made of Keras layers.
"""

import numpy as np

ROWS, STEPS, INPUTS, UNITS, PROJECTED = 6, 7, 3, 5, 2
LENGTHS = np.array([7, 4, 1, 0, 6, 3])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_2(x):
    return np.minimum(np.maximum(0.2 * x + 0.5, 0), 1)


def hard_3(x):
    return np.minimum(np.maximum(x + 3, 0), 6) / 6


def relu(x):
    return np.maximum(x, 0)


class Random:
    """Random arrays in float32, none of them symmetric or zero."""

    def __init__(self, seed=0):
        self.random = np.random.RandomState(seed)

    def __call__(self, *shape, scale=0.6, mean=0.1):
        return self.random.normal(mean, scale, shape).astype(np.float32)

    def lstm(self, inputs=INPUTS, units=UNITS, outputs=None, peepholes=False):
        rows = inputs + (outputs or units)
        made = {"kernel": self(rows, 4 * units), "bias": self(4 * units)}
        if peepholes:
            names = ("w_i_diag", "w_f_diag", "w_o_diag")
            made |= {name: self(units) for name in names}
        if outputs:
            made["projection/kernel"] = self(units, outputs)
        return made

    def layer_norm(self, inputs=INPUTS, units=UNITS):
        made = {"kernel": self(inputs + units, 4 * units)}
        for name in ("input", "transform", "forget", "output", "state"):
            made[f"{name}/gamma"] = self(units, mean=1.0, scale=0.3)
            made[f"{name}/beta"] = self(units)
        return made

    def gru(self, inputs=INPUTS, units=UNITS):
        return {
            "gates/kernel": self(inputs + units, 2 * units),
            "gates/bias": self(2 * units),
            "candidate/kernel": self(inputs + units, units),
            "candidate/bias": self(units),
        }

    def cudnn_gru(self, inputs=INPUTS, units=UNITS):
        both = "candidate/input_projection", "candidate/hidden_projection"
        return {
            "gates/kernel": self(inputs + units, 2 * units),
            "gates/bias": self(2 * units),
            f"{both[0]}/kernel": self(inputs, units),
            f"{both[0]}/bias": self(units),
            f"{both[1]}/kernel": self(units, units),
            f"{both[1]}/bias": self(units),
        }


def lstm_step(
    w,
    *,
    forget_bias=1.0,
    gates="ijfo",
    activation=np.tanh,
    gate=sigmoid,
    cell_clip=None,
    proj_clip=None,
    epsilon=1e-12,
    peepholes=True,
):
    """A function (x, (c, h)) -> (output, (c, h))."""

    def norm(x, name):
        if f"{name}/gamma" not in w or epsilon is None:
            return x
        mean, variance = x.mean(1)[:, None], x.var(1)[:, None]
        scaled = (x - mean) / np.sqrt(variance + epsilon)
        return w[f"{name}/gamma"] * scaled + w[f"{name}/beta"]

    def seen(name, c):
        peephole = w.get(f"w_{name}_diag")
        return 0 if peephole is None or not peepholes else peephole * c

    def step(x, state):
        c, h = state
        z = np.hstack([x, h]) @ w["kernel"] + w.get("bias", 0)
        part = dict(zip(gates, np.split(z, 4, 1), strict=True))
        i, j = norm(part["i"], "input"), norm(part["j"], "transform")
        f, o = norm(part["f"], "forget"), norm(part["o"], "output")
        i = gate(i + seen("i", c))
        f = gate(f + forget_bias + seen("f", c))
        c = norm(c * f + i * activation(j), "state")
        if cell_clip:
            c = np.clip(c, -cell_clip, cell_clip)
        h = gate(o + seen("o", c)) * activation(c)
        if "projection/kernel" in w:
            h = h @ w["projection/kernel"]
            if proj_clip:
                h = np.clip(h, -proj_clip, proj_clip)
        return h, (c, h)

    return step


def gru_step(w, *, activation=np.tanh, gate=sigmoid, swap=False, update="u"):
    """A function (x, (h,)) -> (output, (h,)); either kind of GRU."""

    def step(x, state):
        (h,) = state
        z = gate(np.hstack([x, h]) @ w["gates/kernel"] + w["gates/bias"])
        r, u = np.split(z, 2, 1)
        if swap:
            r, u = u, r
        if "candidate/kernel" in w:
            inside = np.hstack([x, r * h]) @ w["candidate/kernel"]
            inside = inside + w["candidate/bias"]
        else:
            name = "candidate/{}_projection/{}".format
            inside = x @ w[name("input", "kernel")] + w[name("input", "bias")]
            state = h @ w[name("hidden", "kernel")]
            inside = inside + r * (state + w[name("hidden", "bias")])
        c = activation(inside)
        h = u * h + (1 - u) * c if update == "u" else u * c + (1 - u) * h
        return h, (h,)

    return step


def rnn_step(w, *, activation=np.tanh):
    """A function (x, (h,)) -> (output, (h,))."""

    def step(x, state):
        h = activation(np.hstack([x, state[0]]) @ w["kernel"] + w["bias"])
        return h, (h,)

    return step


def stacked(*steps, residual=()):
    """Steps on top of one another; `residual` are their numbers."""

    def step(x, states):
        new = []
        for at, (one, state) in enumerate(zip(steps, states, strict=True)):
            output, state = one(x, state)
            x = x + output if at in residual else output
            new.append(state)
        return x, tuple(new)

    return step


def loop(step, x, state, lengths=None, repeat=False, hold=True):
    """[B, T, I] -> ([B, T, O], final state), as TensorFlow 1 or not."""
    outputs = []
    for t in range(x.shape[1]):
        output, new = step(x[:, t], state)
        if lengths is not None:
            alive = (t < lengths)[:, None]
            past = outputs[-1] if repeat and outputs else 0 * output
            output = np.where(alive, output, past)
            if hold:
                new = choose(alive, new, state)
        outputs.append(output)
        state = new
    return np.stack(outputs, 1), state


def choose(alive, new, old):
    if isinstance(new, tuple):
        pairs = zip(new, old, strict=True)
        return tuple(choose(alive, *pair) for pair in pairs)
    return np.where(alive, new, old)


def turned(x, lengths=None):
    """Each row's valid steps backward."""
    x = x.copy()
    for row in range(len(x)):
        end = x.shape[1] if lengths is None else lengths[row]
        x[row, :end] = x[row, :end][::-1]
    return x


def flat(state):
    if isinstance(state, tuple):
        return [array for part in state for array in flat(part)]
    return [state]


# --- Keras ---


def keras_layer(name, arrays, **options):
    """A Keras layer with these arrays, as Keras has them."""
    import keras

    layer = getattr(keras.layers, name)(
        len(arrays[1]), return_sequences=True, return_state=True, **options
    )
    layer.build((ROWS, STEPS, len(arrays[0])))
    layer.set_weights(arrays)
    return layer


def hard_2_of_keras(x):
    """`hard_2`, of tensors."""
    import keras

    return keras.ops.clip(0.2 * x + 0.5, 0, 1)


def keras_lstm(kernel, recurrent, bias, units=UNITS, **options):
    """A Keras LSTM with these arrays, as Keras has them."""
    import keras

    layer = keras.layers.LSTM(
        units,
        return_sequences=True,
        return_state=True,
        unit_forget_bias=False,
        **options,
    )
    layer.build((ROWS, STEPS, len(kernel)))
    layer.set_weights([kernel, recurrent, bias])
    return layer


def converted(w, forget_bias=1.0, permute=True, inputs=INPUTS):
    """The arrays of a Keras LSTM, right or with a mistake."""
    i, j, f, o = np.split(np.vstack([w["kernel"], w["bias"]]), 4, 1)
    f = f.copy()
    f[-1] += forget_bias
    both = np.hstack([i, f, j, o] if permute else [i, j, f, o])
    return both[:inputs], both[inputs:-1], both[-1]


def keras_gru(w, reset_after=False, inputs=INPUTS, units=UNITS, **options):
    """A Keras GRU with the arrays of a `GRUCell`."""
    import keras

    layer = keras.layers.GRU(
        units,
        return_sequences=True,
        return_state=True,
        reset_after=reset_after,
        **options,
    )
    layer.build((ROWS, STEPS, inputs))
    r, u = np.split(np.vstack([w["gates/kernel"], w["gates/bias"]]), 2, 1)
    c = np.vstack([w["candidate/kernel"], w["candidate/bias"]])
    both = np.hstack([u, r, c])
    bias = both[-1]
    if reset_after:
        bias = np.stack([bias, np.zeros_like(bias)])
    layer.set_weights([both[:inputs], both[inputs:-1], bias])
    return layer
