"""`rnn-parity diagnose`: every mistake a port is made with is found back.

The ports are those of `ports.py`: Keras layers, and NumPy that is neither
numpy_ref nor the search's own.
"""

import itertools
import json
import re

import numpy as np
import pytest
from ports import (
    INPUTS,
    LENGTHS,
    PROJECTED,
    ROWS,
    STEPS,
    UNITS,
    Random,
    converted,
    flat,
    gru_step,
    hard_2,
    hard_2_of_keras,
    hard_3,
    keras_gru,
    keras_layer,
    keras_lstm,
    loop,
    lstm_step,
    relu,
    rnn_step,
    sigmoid,
    stacked,
    turned,
)

import recorded
from rnn_parity.checkpoints import reader
from rnn_parity.checkpoints.diagnose import (
    AS_IT_IS,
    EXPLAINED,
    UNEXPLAINED,
    diagnose,
)
from rnn_parity.checkpoints.port_mistakes import catalogue
from rnn_parity.errors import UserError

FOLDER = recorded.FOLDER / "checkpoints"
ONE = "rnn/lstm_cell"
LAYER = "rnn/multi_rnn_cell/cell_{}/lstm_cell"
WAY = "bidirectional_rnn/{}/lstm_cell"


def checkpoint(**of_scopes):
    """A `reader.Checkpoint` of {scope: {name: array}}."""
    arrays = {
        f"{scope}/{name}": array
        for scope, of_scope in of_scopes.items()
        for name, array in of_scope.items()
    }
    return reader.Checkpoint(
        "made here",
        {name: array.shape for name, array in arrays.items()},
        {name: array.dtype.name for name, array in arrays.items()},
        arrays.__getitem__,
    )


def the_one(found):
    """The names of the one explanation's mistakes."""
    assert found.verdict == EXPLAINED, list(found.lines())
    (explanation,) = found.explanations
    assert explanation.fit.error <= 1e-5
    assert found.without.error > 20 * explanation.fit.error
    return [mistake.name for mistake in explanation.mistakes]


class Case:
    """Random arrays, and what is handed to `diagnose`."""

    def __init__(self, seed=1, **options):
        self.random = Random(seed)
        self.x = self.random(ROWS, STEPS, INPUTS, scale=1.0)
        self.options = options

    def state(self, *sizes):
        return tuple(self.random(ROWS, size) for size in sizes)

    def found(self, scopes, outputs, **given):
        return diagnose(
            checkpoint(**scopes),
            self.x,
            outputs,
            **{**self.options, **given},
        )


# --- One layer ---


def lstm(options=None, w=None, scope=ONE, given=None, **port):
    """A NumPy LSTM made with `port`; TensorFlow 1's made with `given`."""
    case = Case()
    stored = w(case.random) if w else case.random.lstm()
    units = stored["kernel"].shape[1] // 4
    projection = stored.get("projection/kernel")
    h = units if projection is None else projection.shape[1]
    state = case.state(units, h)
    change = port.pop("change", lambda arrays: arrays)
    outputs, _ = loop(lstm_step(change(stored), **port), case.x, state)
    return case.found({scope: stored}, outputs, state=state, **(given or {}))


def all_of_lstm(random):
    return random.lstm(outputs=PROJECTED, peepholes=True)


def keras_port(changed=None, options=None, swap=False, start=True):
    """A Keras LSTM, its arrays put in with a mistake."""
    case = Case()
    w = case.random.lstm()
    c, h = case.state(UNITS, UNITS)
    arrays = converted(w, **(changed or {}))
    layer = keras_lstm(*arrays, **(options or {}))
    first = ([c, h] if swap else [h, c]) if start else None
    outputs = np.asarray(layer(case.x, initial_state=first)[0])
    return case.found({ONE: w}, outputs, state=(c, h))


def no_bias(w):
    return w | {n: 0 * a for n, a in w.items() if "bias" in n}


def on_gate(gate):
    def change(w):
        at = "ijfo".index(gate) * UNITS
        bias = w["bias"].copy()
        bias[at : at + UNITS] += 1
        return w | {"bias": bias}

    return lstm(forget_bias=0.0, change=change)


def state_above(w):
    kernel = w["kernel"]
    return w | {"kernel": np.vstack([kernel[UNITS:], kernel[:UNITS]])}


def square(change, inputs=INPUTS, units=UNITS):
    """An LSTM of given sizes whose kernel is changed."""
    case = Case()
    case.x = case.random(ROWS, STEPS, inputs)
    w, state = case.random.lstm(inputs, units), case.state(units, units)
    wrong = w | {"kernel": change(w["kernel"])}
    outputs, _ = loop(lstm_step(wrong), case.x, state)
    return case.found({ONE: w}, outputs, state=state)


def gates_transposed(rows, units):
    def change(kernel):
        kernel = kernel.copy()
        for gate in range(4):
            columns = slice(gate * units, (gate + 1) * units)
            kernel[rows, columns] = kernel[rows, columns].T
        return kernel

    return change


def reshaped(kernel):
    parts = kernel[:INPUTS], kernel[INPUTS:]
    return np.vstack([p.reshape(4 * UNITS, -1).T for p in parts])


def padded(final=False, **port):
    """Rows of different lengths."""
    case = Case()
    w, state = case.random.lstm(), case.state(UNITS, UNITS)
    outputs, last = loop(lstm_step(w), case.x, state, **port)
    given = {"state": state, "lengths": LENGTHS}
    if final:
        given["final_state"] = last
    return case.found({ONE: w}, outputs, **given)


def keras_masked():
    """What Keras does past a row's end."""
    case = Case()
    w, (c, h) = case.random.lstm(), case.state(UNITS, UNITS)
    mask = np.arange(STEPS) < LENGTHS[:, None]
    layer = keras_lstm(*converted(w))
    outputs = layer(case.x, initial_state=[h, c], mask=mask)[0]
    return case.found(
        {ONE: w}, np.asarray(outputs), state=[c, h], lengths=LENGTHS
    )


def looked_up(change=lambda ids: ids, masked=False):
    """A Keras port that reads other rows of an embedding, or masks some.

    Two rows end in ids of 0.
    """
    case = Case()
    w, (c, h) = case.random.lstm(), case.state(UNITS, UNITS)
    table = case.random(9, INPUTS, scale=1.0)
    ids = np.random.default_rng(4).integers(1, 7, (ROWS, STEPS))
    ids[0, 2:] = ids[1, 1:] = 0
    mask = ids != 0 if masked else None
    outputs = keras_lstm(*converted(w))(
        table[change(ids)], initial_state=[h, c], mask=mask
    )[0]
    case.x = ids
    scopes = {ONE: w, "words": {"embedding": table}}
    return case.found(scopes, np.asarray(outputs), state=[c, h])


def swapped_at_end():
    case = Case()
    w, state = case.random.lstm(), case.state(UNITS, UNITS)
    outputs, (c, h) = loop(lstm_step(w), case.x, state)
    return case.found({ONE: w}, outputs, state=state, final_state=(h, c))


def gru(w=None, given=None, change=None, **port):
    case = Case()
    stored = w(case.random) if w else case.random.gru()
    state = case.state(UNITS)
    wrong = change(stored) if change else stored
    outputs, _ = loop(gru_step(wrong, **port), case.x, state)
    return case.found({"rnn/gru_cell": stored}, outputs, state=state)


def without(*names):
    return lambda w: w | {name: 0 * w[name] for name in names}


def keras_gru_port(**options):
    case = Case()
    w, (h,) = case.random.gru(), case.state(UNITS)
    layer = keras_gru(w, **options)
    outputs = np.asarray(layer(case.x, initial_state=h)[0])
    return case.found({"rnn/gru_cell": w}, outputs, state=h)


def of_tf_keras(
    name, gates, bias, told=None, stored=None, lengths=None, **options
):
    """A layer of tf.keras, and a Keras 3 layer as its port.

    Args:
        name: of both.
        gates: how many.
        bias: its shape, without units.
        told: of `diagnose`.
        stored: (kernel, recurrent_kernel, bias) -> what the checkpoint has.
        options: of the Keras layer.
    """
    case = Case()
    arrays = [
        case.random(INPUTS, gates * UNITS),
        case.random(UNITS, gates * UNITS),
        case.random(*bias[:-1], bias[-1] * UNITS),
    ]
    options = {"recurrent_activation": hard_2_of_keras} | options
    layer = keras_layer(name, arrays, **options)
    state = case.state(*[UNITS] * (1 + (name == "LSTM")))
    mask = None if lengths is None else np.arange(STEPS) < lengths[:, None]
    outputs, *_ = layer(case.x, initial_state=state[::-1], mask=mask)
    arrays = stored(*arrays) if stored else arrays
    names = ("kernel", "recurrent_kernel", "bias")
    return case.found(
        {"lstm": dict(zip(names, arrays, strict=True))},
        np.asarray(outputs),
        state=state,
        lengths=lengths,
        **(told or {}),
    )


def keras_lstm_port(**options):
    return of_tf_keras("LSTM", 4, (4,), **options)


def blocks(order):
    """Gates stored in another order than the port has them."""

    def stored(*arrays):
        parts = [np.split(array, len(order), -1) for array in arrays]
        return [np.concatenate([p[n] for n in order], -1) for p in parts]

    return stored


def less_by_one(kernel, recurrent, bias):
    bias = bias.copy()
    bias[UNITS : 2 * UNITS] -= 1
    return kernel, recurrent, bias


def sum_of_biases(kernel, recurrent, bias):
    """Two biases, of which the port has the sum."""
    part = np.float32(0.25) * bias
    return kernel, recurrent, np.stack([part, bias - part])


def as_of_cudnn(kernel, recurrent, bias):
    """What the port took for its kernels; a bias for the two."""
    return kernel, recurrent, np.concatenate([bias / 4, bias * 3 / 4])


def only_bias_of_inputs(**options):
    """A port with reset_after=True, its bias in the first of two."""
    case = Case()
    shapes = (INPUTS, 3 * UNITS), (UNITS, 3 * UNITS), (3 * UNITS,)
    arrays = [case.random(*shape) for shape in shapes]
    two = np.stack([arrays[2], np.zeros_like(arrays[2])])
    layer = keras_layer(
        "GRU",
        [*arrays[:2], two],
        reset_after=True,
        recurrent_activation=hard_2_of_keras,
    )
    (h,) = case.state(UNITS)
    outputs = np.asarray(layer(case.x, initial_state=h)[0])
    names = ("kernel", "recurrent_kernel", "bias")
    stored = dict(zip(names, arrays, strict=True))
    return case.found({"gru": stored}, outputs, state=h)


def bias_inside_the_reset(w):
    """A GRUCell's arrays as those of cuDNN's."""
    name = "candidate/{}_projection/{}".format
    kernel = w["candidate/kernel"]
    return {
        "gates/kernel": w["gates/kernel"],
        "gates/bias": w["gates/bias"],
        name("input", "kernel"): kernel[:INPUTS],
        name("input", "bias"): np.float32(0),
        name("hidden", "kernel"): kernel[INPUTS:],
        name("hidden", "bias"): w["candidate/bias"],
    }


def reset_before():
    """cuDNN's arrays in a cell that resets before the product."""
    case = Case()
    w, (h,) = case.random.cudnn_gru(), case.state(UNITS)
    name = "candidate/{}_projection/{}".format
    wrong = {
        "gates/kernel": w["gates/kernel"],
        "gates/bias": w["gates/bias"],
        "candidate/kernel": np.vstack(
            [w[name("input", "kernel")], w[name("hidden", "kernel")]]
        ),
        "candidate/bias": w[name("input", "bias")]
        + w[name("hidden", "bias")],
    }
    outputs, _ = loop(gru_step(wrong), case.x, (h,))
    return case.found({"rnn/gru_cell": w}, outputs, state=h)


def rounded(to):
    def change(w):
        return {name: to(a) for name, a in w.items()}

    return lstm(change=change)


def bfloat16(array):
    import tensorflow as tf

    return tf.cast(tf.cast(array, tf.bfloat16), tf.float32).numpy()


def averages():
    case = Case()
    w, average = case.random.gru(), case.random.gru()
    stored = w | {
        f"{name}/ExponentialMovingAverage": array
        for name, array in average.items()
    }
    state = case.state(UNITS)
    outputs, _ = loop(gru_step(average), case.x, state)
    scopes = {"rnn/gru_cell": stored}
    right = case.found(scopes, outputs, state=state, averages=True)
    assert right.verdict == AS_IT_IS
    return case.found(scopes, outputs, state=state)


def other_order(name):
    order = re.search(r"order ((\w, )+\w) instead", name).group(1)
    order = order.replace(", ", "")
    if len(order) == 3:
        return coupled(order)
    return lstm(gates=order)


def coupled(order):
    """CoupledInputForgetGateLSTMCell, its columns permuted."""
    from numpy_ref.tf1_contrib_cells import CoupledInputForgetGateLSTMCell

    case = Case()
    w = {
        "kernel": case.random(INPUTS + UNITS, 3 * UNITS),
        "bias": case.random(3 * UNITS),
    }
    wrong = {}
    for name, array in w.items():
        blocks = dict(zip(order, np.split(array, 3, -1), strict=True))
        wrong[name] = np.concatenate([blocks[g] for g in "jfo"], -1)
    state = case.state(UNITS, UNITS)
    step = CoupledInputForgetGateLSTMCell(**wrong).step
    outputs, _ = loop(step, case.x, state)
    scope = "rnn/coupled_input_forget_gate_lstm_cell"
    return case.found({scope: w}, outputs, state=state)


def ugrnn():
    case = Case()
    w = {
        "kernel": case.random(INPUTS + UNITS, 2 * UNITS),
        "bias": case.random(2 * UNITS),
    }
    (h,) = case.state(UNITS)
    outputs, state = [], h
    for t in range(STEPS):
        z = np.hstack([case.x[:, t], state]) @ w["kernel"] + w["bias"]
        c, g = z[:, :UNITS], sigmoid(z[:, UNITS:] + 1)
        state = g * state + (1 - g) * np.tanh(c)
        outputs.append(state)
    scopes = {"rnn/ugrnn_cell": w}
    return case.found(scopes, np.stack(outputs, 1), state=h)


# --- Several layers ---


def layers(order=(0, 1, 2), residual=(), told=(), sizes=(4, 4, 4, 4)):
    """LSTMs on one another with the weights in some order."""
    case = Case()
    case.x = case.random(ROWS, STEPS, sizes[0], scale=1.0)
    pairs = list(itertools.pairwise(sizes))[: len(order)]
    ws = [case.random.lstm(*pair) for pair in pairs]
    state = tuple(case.state(size, size) for _, size in pairs)
    steps = [lstm_step(ws[at]) for at in order]
    outputs, _ = loop(stacked(*steps, residual=residual), case.x, state)
    scopes = {LAYER.format(at): w for at, w in enumerate(ws)}
    told = [LAYER.format(at) for at in told]
    return case.found(scopes, outputs, state=state, residual=told)


def layers_as_named(name):
    order = re.search(r"layers ([\d, ]+) instead", name).group(1)
    order = tuple(map(int, order.split(", ")))
    return layers(order, sizes=(4,) * (len(order) + 1))


def heights(wanted):
    """Three LSTMs on top of one another; the outputs of a lower one."""
    case = Case()
    stored = [
        case.random.lstm(INPUTS if not at else UNITS) for at in range(3)
    ]
    states = [case.state(UNITS, UNITS) for _ in stored]
    outputs = case.x
    for at in range(wanted):
        outputs, _ = loop(lstm_step(stored[at]), outputs, states[at])
    scopes = {LAYER.format(at): w for at, w in enumerate(stored)}
    return case.found(scopes, outputs, state=states)


# --- Steps ---


def steps(inputs=None, outputs=None, start=None, put_out=None):
    """An LSTM; what goes in and comes out is done otherwise."""
    case = Case()
    w, first = case.random.lstm(), case.state(UNITS, UNITS)
    one = lstm_step(w)

    def step(x, state):
        output, state = one(x, start(first) if start else state)
        return (put_out(state) if put_out else output), state

    x = inputs(case.x) if inputs else case.x
    computed, _ = loop(step, x, first)
    computed = outputs(computed) if outputs else computed
    return case.found({ONE: w}, computed, state=first)


def late(series):
    return np.concatenate([0 * series[:, :1], series[:, :-1]], 1)


def early(series):
    return np.concatenate([series[:, 1:], 0 * series[:, :1]], 1)


def from_zeros(state):
    return tuple(0 * array for array in state)


# --- Two directions ---


def two_ways(
    merge=None, port=None, lengths=None, exchange=False, shared=None
):
    """Forward and backward LSTMs; `port` is what is done otherwise."""
    case = Case()
    fw, bw = case.random.lstm(), case.random.lstm()
    states = case.state(UNITS, UNITS), case.state(UNITS, UNITS)
    steps = [lstm_step(fw), lstm_step(bw)]
    if exchange:
        steps.reverse()
    if shared is not None:
        steps = [steps[shared]] * 2
    one, _ = loop(steps[0], case.x, states[0], lengths)
    port = port or right_backward
    other = port(steps[1], case.x, states[1], lengths)
    merge = merge or (lambda a, b: np.concatenate([a, b], -1))
    scopes = {WAY.format("fw"): fw, WAY.format("bw"): bw}
    return case.found(
        scopes, merge(one, other), state=states, lengths=lengths
    )


def right_backward(step, x, state, lengths):
    outputs, _ = loop(step, turned(x, lengths), state, lengths)
    return turned(outputs, lengths)


def read_forward(step, x, state, lengths):
    return loop(step, x, state, lengths)[0]


def reversed_whole(step, x, state, lengths):
    return loop(step, x[:, ::-1], state, lengths)[0][:, ::-1]


def without_lengths(step, x, state, lengths):
    return loop(step, x[:, ::-1], state)[0][:, ::-1]


def not_turned_back(step, x, state, lengths):
    return loop(step, turned(x, lengths), state, lengths)[0]


def exchanged(fw, bw):
    return np.concatenate([bw, fw], -1)


def layer_by_layer():
    """The upper layer reads backward before forward."""
    case = Case()
    name = "stack_bidirectional_rnn/cell_{}/bidirectional_rnn/{}/lstm_cell"
    scopes, x = {}, case.x
    states = {"fw": [], "bw": []}
    for layer, inputs in enumerate((INPUTS, 2 * UNITS)):
        both = []
        for way in ("fw", "bw"):
            w, state = case.random.lstm(inputs), case.state(UNITS, UNITS)
            scopes[name.format(layer, way)] = w
            states[way].append(state)
            series = turned(x) if way == "bw" else x
            series, _ = loop(lstm_step(w), series, state)
            both.append(turned(series) if way == "bw" else series)
        x = exchanged(*both)
    given = [*states["fw"], *states["bw"]]
    return case.found(scopes, x, state=given)


# --- Axes ---


def batch_is_time():
    case = Case()
    w = case.random.lstm()
    zero = (np.zeros((STEPS, UNITS)),) * 2
    outputs, _ = loop(lstm_step(w), case.x.swapaxes(0, 1), zero)
    return case.found({ONE: w}, outputs.swapaxes(0, 1))


def time_major():
    case = Case()
    w, state = case.random.lstm(), case.state(UNITS, UNITS)
    outputs, _ = loop(lstm_step(w), case.x, state)
    return case.found({ONE: w}, outputs.swapaxes(0, 1), state=state)


NORMED = {"w": Random.layer_norm, "scope": "rnn/layer_norm_basic_lstm_cell"}
CASES = {
    "forget_bias missing": lambda: keras_port({"forget_bias": 0.0}),
    "forget_bias added twice": lambda: keras_port({"forget_bias": 2.0}),
    "a forget_bias of 1 added to a cell that has none": lambda: lstm(
        scope="rnn/cudnn_compatible_lstm_cell"
    ),
    "a forget_bias of 1 instead of the one given": lambda: lstm(
        given={"forget_bias": 0.3}
    ),
    **{
        f"forget_bias added to gate {gate} instead of f": (
            lambda gate=gate: on_gate(gate)
        )
        for gate in "jio"
    },
    "gates read in the order i, f, j, o instead of i, j, f, o, as Keras and "
    "PyTorch have it (j is their c or g)": lambda: lstm(gates="ifjo"),
    "the GRU's r and u exchanged": lambda: gru(swap=True),
    "the UGRNN's gate and candidate exchanged": ugrnn,
    "bias missing": lambda: lstm(change=no_bias),
    "the gates' bias missing": lambda: gru(change=without("gates/bias")),
    "the candidate's bias missing": lambda: gru(
        change=without("candidate/bias")
    ),
    "the bias of the candidate's state missing": lambda: gru(
        w=Random.cudnn_gru,
        change=without("candidate/hidden_projection/bias"),
    ),
    "kernel split with the state above the input": lambda: lstm(
        change=state_above
    ),
    "kernel transposed": lambda: square(lambda k: k.T, inputs=6, units=2),
    "each gate's recurrent kernel transposed": lambda: square(
        gates_transposed(slice(INPUTS, None), UNITS)
    ),
    "each gate's input kernel transposed": lambda: square(
        gates_transposed(slice(0, UNITS), UNITS), inputs=UNITS
    ),
    "kernels reshaped instead of transposed": lambda: square(reshaped),
    "c and h exchanged in the initial state": lambda: keras_port(swap=True),
    "c and h exchanged in the final state": swapped_at_end,
    "a zero initial state instead of the one given": lambda: keras_port(
        start=False
    ),
    "sequence_length ignored": padded,
    "the last output repeated past the end": keras_masked,
    "the state not held past the end": lambda: padded(
        final=True, lengths=LENGTHS, hold=False
    ),
    "activation relu instead of the cell's tanh": lambda: keras_port(
        options={"activation": "relu"}
    ),
    "activation sigmoid instead of the cell's tanh": lambda: keras_port(
        options={"activation": "sigmoid"}
    ),
    "activation linear instead of the cell's tanh": lambda: keras_port(
        options={"activation": None}
    ),
    "activation tanh instead of the cell's": lambda: lstm(
        given={"activation": "relu"}
    ),
    "hard_sigmoid of Keras 1 and 2 (0.2 x + 0.5) instead of sigmoid in the "
    "gates": lambda: lstm(gate=hard_2),
    "hard_sigmoid of Keras 3 (x / 6 + 0.5) instead of sigmoid in the "
    "gates": lambda: keras_port(
        options={"recurrent_activation": "hard_sigmoid"}
    ),
    "tanh instead of sigmoid in the gates": lambda: lstm(gate=np.tanh),
    "GRU with reset_after=True": lambda: keras_gru_port(reset_after=True),
    "GRU with reset_after=True, its bias inside the reset": lambda: gru(
        change=bias_inside_the_reset
    ),
    "GRU with reset_after=False": reset_before,
    "the GRU's u and 1 - u exchanged": lambda: gru(update="c"),
    "sigmoid instead of hard_sigmoid in the gates": lambda: keras_lstm_port(
        recurrent_activation="sigmoid"
    ),
    "hard_sigmoid of Keras 3 (x / 6 + 0.5) in the gates instead of Keras 2's "
    "(0.2 x + 0.5)": lambda: keras_lstm_port(
        recurrent_activation="hard_sigmoid"
    ),
    "gates of a layer of tf.keras read in TensorFlow 1's order, "
    "i, j, f, o": lambda: keras_lstm_port(stored=blocks((0, 2, 1, 3))),
    "z and r of a layer of tf.keras exchanged": lambda: of_tf_keras(
        "GRU", 3, (3,), stored=blocks((1, 0, 2)), reset_after=False
    ),
    "a forget_bias of 1 added to a layer of tf.keras": (
        lambda: keras_lstm_port(stored=less_by_one)
    ),
    "a GRU of tf.keras with reset_after=True": only_bias_of_inputs,
    "a GRU of tf.keras with reset_after=False": lambda: of_tf_keras(
        "GRU", 3, (3,), stored=sum_of_biases, reset_after=False
    ),
    "cuDNN's kernels as they are stored": lambda: keras_lstm_port(
        stored=as_of_cudnn, recurrent_activation="sigmoid"
    ),
    "zeros past the end instead of the last output again": (
        lambda: keras_lstm_port(lengths=LENGTHS, zero_output_for_mask=True)
    ),
    "peepholes left out": lambda: lstm(w=all_of_lstm, peepholes=False),
    "cell_clip left out": lambda: lstm(given={"cell_clip": 0.5}),
    "proj_clip left out": lambda: lstm(
        w=all_of_lstm, given={"proj_clip": 0.3}
    ),
    "layer normalisation left out": lambda: lstm(epsilon=None, **NORMED),
    "layer normalisation with epsilon 1e-3 (Keras' default)": lambda: lstm(
        epsilon=1e-3, **NORMED
    ),
    "layer normalisation with epsilon 1e-5 (PyTorch's default)": lambda: lstm(
        epsilon=1e-5, **NORMED
    ),
    "residual left out": lambda: layers(told=(1, 2)),
    "a residual added to every layer that can have one": lambda: layers(
        residual=(0, 1, 2)
    ),
    "a residual added above the lowest layer": lambda: layers(
        residual=(1, 2)
    ),
    "one cell shared by all layers": lambda: layers((0, 0, 0)),
    "one cell shared by all layers above the lowest": lambda: layers(
        (0, 1, 1), sizes=(3, 4, 4, 4)
    ),
    "the backward direction read forward": lambda: two_ways(
        port=read_forward
    ),
    "the backward direction reversed without regard to the lengths": (
        lambda: two_ways(port=reversed_whole, lengths=LENGTHS)
    ),
    "sequence_length ignored in the backward direction": lambda: two_ways(
        port=without_lengths, lengths=LENGTHS
    ),
    "the backward outputs not turned back": lambda: two_ways(
        port=not_turned_back, lengths=LENGTHS
    ),
    "forward and backward exchanged in the concatenation": lambda: two_ways(
        exchanged
    ),
    "forward and backward exchanged in every layer's concatenation": (
        layer_by_layer
    ),
    "the weights of forward and backward exchanged": lambda: two_ways(
        exchange=True
    ),
    "the forward weights in both directions": lambda: two_ways(shared=0),
    "the backward weights in both directions": lambda: two_ways(shared=1),
    "the directions summed instead of concatenated": lambda: two_ways(np.add),
    "the directions averaged instead of concatenated": lambda: two_ways(
        lambda fw, bw: (fw + bw) / 2
    ),
    "the directions multiplied instead of concatenated": lambda: two_ways(
        np.multiply
    ),
    "the forward outputs alone instead of concatenated": lambda: two_ways(
        lambda fw, bw: fw
    ),
    "the backward outputs alone instead of concatenated": lambda: two_ways(
        lambda fw, bw: bw
    ),
    "the inputs a step too late": lambda: steps(late),
    "the inputs a step too early": lambda: steps(early),
    "the outputs a step too late": lambda: steps(outputs=late),
    "the outputs a step too early": lambda: steps(outputs=early),
    "the series read backward, its outputs in the order of reading": (
        lambda: steps(turned)
    ),
    "the series read backward, its outputs turned back": lambda: steps(
        turned, turned
    ),
    "the outputs turned round": lambda: steps(outputs=turned),
    "the state not carried from step to step, each starts from zeros": (
        lambda: steps(start=from_zeros)
    ),
    "the initial state at every step instead of the last step's": (
        lambda: steps(start=lambda first: first)
    ),
    "ids too high by one": lambda: looked_up(lambda ids: ids + 1),
    "ids too high by two": lambda: looked_up(lambda ids: ids + 2),
    "ids too low by one": lambda: looked_up(lambda ids: ids - 1),
    "ids of 0 masked": lambda: looked_up(masked=True),
    "c put out instead of h": lambda: steps(put_out=lambda state: state[0]),
    "the outputs of the lowest layer instead of the top one's": (
        lambda: heights(1)
    ),
    "the outputs of the layer below the top one": lambda: heights(2),
    "batch and time exchanged: the first axis read as time": batch_is_time,
    "batch and time exchanged in the outputs, which are [T, B, O]": (
        time_major
    ),
    "the moving averages and the weights taken for one another": averages,
    "weights rounded to float16": lambda: rounded(
        lambda a: a.astype(np.float16).astype(np.float32)
    ),
    "weights rounded to bfloat16": lambda: rounded(bfloat16),
}


@pytest.mark.parametrize("name", [mistake.name for mistake in catalogue()])
def test_every_mistake_is_found_back(name):
    if name in CASES:
        found = CASES[name]()
    elif name.startswith("gates read"):
        found = other_order(name)
    else:
        found = layers_as_named(name)
    assert the_one(found) == [name]


def test_a_factor_is_found_from_the_numbers():
    found = steps(outputs=lambda outputs: np.float32(0.8) * outputs)
    assert the_one(found) == ["the outputs multiplied by 0.8"]


def test_dropout_left_on_is_found_from_the_numbers():
    def drop(outputs):
        kept = np.random.RandomState(2).random_sample(outputs.shape) < 0.75
        return outputs * kept / np.float32(0.75)

    (name,) = the_one(steps(outputs=drop))
    assert name.startswith("dropout left on: ")
    assert name.endswith("the others 1.333 times as large")


def test_what_changes_nothing_is_not_the_closest():
    random = np.random.RandomState(3)
    noise = random.normal(0, 1e-3, (ROWS, STEPS, UNITS)).astype(np.float32)
    found = steps(outputs=lambda outputs: outputs + noise)
    assert found.verdict == UNEXPLAINED
    assert found.closest is None or (
        found.closest.fit.relative < 0.99 * found.without.relative
    )


def test_names_are_unlike_one_another():
    names = [mistake.name for mistake in catalogue()]
    assert len(set(names)) == len(names)
    assert set(CASES) <= set(names)


# --- Two at once, and one in a single layer ---


def bias_on_i_alone():
    case = Case()
    w, state = case.random.lstm(), case.state(UNITS, UNITS)
    wrong = no_bias(w)
    wrong["bias"][:UNITS] = 1
    outputs, _ = loop(lstm_step(wrong, forget_bias=0.0), case.x, state)
    return case.found({ONE: w}, outputs, state=state)


def gru_both():
    case = Case()
    w, state = case.random.gru(), case.state(UNITS)
    outputs, _ = loop(gru_step(w, swap=True, gate=hard_2), case.x, state)
    return case.found({"rnn/gru_cell": w}, outputs, state=state)


def plain_rnn():
    case = Case()
    w = {
        "kernel": case.random(INPUTS + UNITS, UNITS),
        "bias": case.random(UNITS),
    }
    (h,) = case.state(UNITS)
    outputs, _ = loop(rnn_step(no_bias(w), activation=relu), case.x, (h,))
    scopes = {"rnn/basic_rnn_cell": w}
    return case.found(scopes, outputs, state=h)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (
            lambda: keras_port({"forget_bias": 0.0, "permute": False}),
            ("forget_bias missing", "gates read in the order i, f, j, o"),
        ),
        (
            lambda: keras_port({"forget_bias": 0.0}, swap=True),
            ("forget_bias missing", "c and h exchanged in the initial"),
        ),
        (
            lambda: keras_port(
                {"permute": False},
                {"recurrent_activation": "hard_sigmoid"},
            ),
            # The bias of f lands on what Keras takes for its candidate.
            (
                "forget_bias added to gate j",
                "gates read in the order i, f, j, o",
                "hard_sigmoid of Keras 3",
            ),
        ),
        (
            lambda: keras_port(
                {"forget_bias": 2.0},
                {"recurrent_activation": "hard_sigmoid"},
            ),
            ("forget_bias added twice", "hard_sigmoid of Keras 3"),
        ),
        (
            lambda: padded(lengths=LENGTHS, repeat=True),
            ("the last output repeated",),
        ),
        (
            lambda: lstm(change=state_above, forget_bias=0.0),
            ("forget_bias missing", "kernel split with the state above"),
        ),
        (
            lambda: lstm(w=all_of_lstm, peepholes=False, gate=hard_3),
            ("peepholes left out", "hard_sigmoid of Keras 3"),
        ),
        (
            lambda: lstm(
                given={"cell_clip": 0.5, "proj_clip": 0.3}, w=all_of_lstm
            ),
            ("cell_clip left out", "proj_clip left out"),
        ),
        (
            lambda: lstm(epsilon=1e-3, forget_bias=0.0, **NORMED),
            ("forget_bias missing", "layer normalisation with epsilon 1e-3"),
        ),
        (
            lambda: keras_gru_port(
                reset_after=True, recurrent_activation="hard_sigmoid"
            ),
            ("GRU with reset_after=True", "hard_sigmoid of Keras 3"),
        ),
        (
            bias_on_i_alone,
            ("bias missing", "forget_bias added to gate i instead of f"),
        ),
        (gru_both, ("the GRU's r and u", "hard_sigmoid of Keras 1")),
        (
            plain_rnn,
            ("bias missing", "activation relu instead of the cell's"),
        ),
        (
            lambda: two_ways(np.add, port=read_forward),
            ("the backward direction read forward", "the directions summed"),
        ),
        (
            lambda: two_ways(exchanged, exchange=True),
            (
                "forward and backward exchanged in the concatenation",
                "the weights of forward and backward exchanged",
            ),
        ),
        (
            lambda: two_ways(
                lambda a, b: exchanged(a, b).swapaxes(0, 1),
                port=not_turned_back,
            ),
            (
                "the backward outputs not turned back",
                "forward and backward exchanged in the concatenation",
                "batch and time exchanged in the outputs",
            ),
        ),
    ],
)
def test_several_mistakes_are_found_back(made, names):
    found = sorted(the_one(made()))
    assert len(found) == len(names)
    for name, beginning in zip(found, sorted(names), strict=True):
        assert name.startswith(beginning)


def test_a_mistake_in_one_layer_alone_is_found_back():
    case = Case()
    ws = [case.random.lstm(), case.random.lstm(UNITS, 4)]
    state = case.state(UNITS, UNITS), case.state(4, 4)
    steps = lstm_step(ws[0]), lstm_step(ws[1], forget_bias=0.0)
    outputs, _ = loop(stacked(*steps), case.x, state)
    scopes = {LAYER.format(at): w for at, w in enumerate(ws)}
    (name,) = the_one(case.found(scopes, outputs, state=state))
    assert name == f"forget_bias missing, in {LAYER.format(1)} alone"


# --- No mistake, or none of these ---


@pytest.mark.parametrize("shape", [(ROWS, STEPS, UNITS), (ROWS, UNITS)])
@pytest.mark.parametrize("seed", range(3))
def test_random_numbers_are_not_explained(shape, seed):
    case = Case(seed)
    w, state = case.random.lstm(), case.state(UNITS, UNITS)
    numbers = case.random(*shape, scale=0.3)
    found = case.found({ONE: w}, numbers, state=state, lengths=LENGTHS)
    assert found.verdict == UNEXPLAINED
    assert found.closest.fit.error > 0.01
    assert "no mistake of the catalogue" in next(found.lines())


@pytest.mark.parametrize(
    "name",
    ["stacked_lstm", "bidirectional_lengths", "cudnn_gru", "layer_norm"],
)
def test_genuine_numbers_match_as_they_are(name):
    truth = json.loads((FOLDER / name / "truth.json").read_text("utf-8"))
    arrays = recorded.read(FOLDER / name / "truth.npz")

    def nested(*whats):
        keys = [
            key for what in whats for key in arrays if f"rnn/{what}/" in key
        ]
        return [arrays[key] for key in keys]

    outputs = arrays["rnn/outputs"]
    if truth["runs"]["rnn"]["loop"] == "bidirectional_dynamic_rnn":
        both = outputs, arrays["rnn/outputs_bw"]
        outputs = np.concatenate(both, -1)
    given = {
        "state": nested("state", "state_bw"),
        "final_state": nested("final", "final_bw"),
        "lengths": arrays["rnn/lengths"],
    }
    path = FOLDER / name / "model.ckpt"
    found = diagnose(path, arrays["rnn/inputs"], outputs, **given)
    assert found.verdict == AS_IT_IS
    assert found.without.error < 1e-6
    wrong = diagnose(path, arrays["rnn/inputs"], outputs[..., ::-1], **given)
    assert wrong.verdict == UNEXPLAINED


def test_what_cannot_be_told_apart_is_said():
    case = Case()
    w = case.random.lstm()
    outputs, (c, h) = loop(
        lstm_step(w), case.x, (np.zeros((ROWS, UNITS)),) * 2
    )
    found = case.found({ONE: w}, outputs)
    assert found.verdict == AS_IT_IS
    assert not found.silent
    ignored = case.found({ONE: w}, None, final_state=(c, h), lengths=LENGTHS)
    names = [explanation.name for explanation in ignored.explanations]
    assert len(names) == 2
    assert "equally well" in list(ignored.lines())[-1]


def test_zeros_of_a_single_step_may_be_late_or_cut_off():
    w = {
        "rnn/basic_rnn_cell/kernel": np.full((2, 1), -1.0),
        "rnn/basic_rnn_cell/bias": np.zeros(1),
    }
    checkpoint = reader.Checkpoint(
        "one",
        {name: array.shape for name, array in w.items()},
        dict.fromkeys(w, "float64"),
        w.__getitem__,
    )
    one = np.ones((1, 1, 1))
    found = diagnose(checkpoint, one, np.zeros((1, 1, 1)))
    names = " ".join(each.name for each in found.explanations)
    assert "activation relu" in names
    assert "the outputs a step too late" in names
    assert "only other data can tell them apart" in list(found.lines())[-1]


@pytest.mark.parametrize("reading", ["the last valid step", "the last step"])
def test_the_last_output_is_enough(reading):
    case = Case()
    w, state = case.random.lstm(), case.state(UNITS, UNITS)
    outputs, (_, h) = loop(
        lstm_step(w, forget_bias=0.0), case.x, state, LENGTHS, hold=True
    )
    if reading == "the last step":
        last = outputs[:, -1]
    else:
        last = np.where(LENGTHS[:, None] > 0, h, 0)
    found = case.found({ONE: w}, last, state=state, lengths=LENGTHS)
    assert the_one(found) == ["forget_bias missing"]
    assert found.explanations[0].fit.reading == reading


def test_states_come_in_any_form():
    case = Case()
    ws = [case.random.lstm(), case.random.lstm(UNITS, 4)]
    state = case.state(UNITS, UNITS), case.state(4, 4)
    steps = map(lstm_step, ws)
    outputs, _ = loop(stacked(*steps), case.x, state)
    scopes = {LAYER.format(at): w for at, w in enumerate(ws)}
    (c0, h0), (c1, h1) = state
    for form in (
        state,
        flat(state),
        np.concatenate(flat(state), 1),
        {"h0": h0, "h1": h1, "c0": c0, "c1": c1},
        {"1_h": h1, "1_c": c1, "0_h": h0, "0_c": c0},
    ):
        found = case.found(scopes, outputs, state=form)
        assert found.verdict == AS_IT_IS


# --- What is told of some cells alone, or of two loops ---


def test_every_cell_may_have_options_of_its_own():
    case = Case()
    w = [case.random.lstm(INPUTS, 5), case.random.lstm(5, 4)]
    scopes = {LAYER.format(at): each for at, each in enumerate(w)}
    state = tuple(case.state(size, size) for size in (5, 4))
    steps = lstm_step(w[0], forget_bias=0.25), lstm_step(w[1])
    outputs, _ = loop(stacked(*steps), case.x, state)
    told = {LAYER.format(0): 0.25}
    right = case.found(scopes, outputs, state=state, forget_bias=told)
    assert right.verdict == AS_IT_IS
    told = {LAYER.format(1): 0.25}
    wrong = case.found(scopes, outputs, state=state, forget_bias=told)
    assert wrong.verdict != AS_IT_IS
    with pytest.raises(UserError, match="no cell 'elsewhere'"):
        case.found(scopes, outputs, forget_bias={"elsewhere": 0.25})
    with pytest.raises(UserError, match="no proj_clip in a"):
        case.found(scopes, outputs, proj_clip={LAYER.format(1): 0.25})


def test_two_loops_are_two_directions_when_told():
    case = Case()
    w = [case.random.lstm(), case.random.lstm()]
    states = [case.state(UNITS, UNITS) for _ in w]
    forward, _ = loop(lstm_step(w[0]), case.x, states[0])
    backward, _ = loop(lstm_step(w[1]), case.x[:, ::-1], states[1])
    outputs = np.concatenate([forward, backward[:, ::-1]], axis=-1)
    scopes = {"rnn/lstm_cell": w[0], "rnn_1/lstm_cell": w[1]}
    found = case.found(
        scopes, outputs, state=states, bidirectional=[("rnn", "rnn_1")]
    )
    assert found.verdict == AS_IT_IS
    found = case.found(scopes, forward, state=states[0], stack="rnn")
    assert found.verdict == AS_IT_IS


# --- Wrong input, and the command ---


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"x": np.zeros((2, 3))}, "takes [batch, time, 3]"),
        ({"x": np.full((2, 4, 3), np.nan)}, "24 of 24 numbers are NaN"),
        ({"x": np.zeros((2, 0, 3))}, "there is nothing in them"),
        ({"x": np.array([["a"]])}, "no array of numbers"),
        ({"y": np.zeros((ROWS, STEPS, 9))}, "they are to be [6, 7, 5]"),
        ({"y": None}, "give the outputs or the final state"),
        ({"lengths": [1, 2]}, "so they are [6]"),
        ({"lengths": [1, 2, 3, 4, 5, 99]}, "whole numbers from 0 to 7"),
        ({"state": np.zeros((ROWS, 2))}, "it is to be [6, 5], [6, 5]"),
        ({"activation": "tahn"}, "did you mean tanh?"),
        ({"proj_clip": float("nan")}, "give a finite number"),
        ({"cell_clip": 0}, "must be above 0: leave it away"),
        ({"residual": ["rnn/lstm_cel"]}, "did you mean rnn/lstm_cell?"),
        ({"residual": [ONE]}, "3 inputs and 5 outputs"),
        ({"stack": "rn"}, "there is no stack 'rn'"),
        ({"averages": True}, "has no averages"),
    ],
)
def test_wrong_input_is_one_line(given, line):
    case = Case()
    case.x = given.pop("x", case.x)
    outputs = given.pop("y", np.zeros((ROWS, STEPS, UNITS)))
    with pytest.raises(UserError) as error:
        case.found({ONE: case.random.lstm()}, outputs, **given)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture
def files(tmp_path):
    """A port without the forget bias, as files."""
    case = Case()
    w, state = case.random.lstm(), case.state(UNITS, UNITS)
    outputs, _ = loop(lstm_step(w, forget_bias=0.0), case.x, state)
    stored = {f"{ONE}/{name}": array for name, array in w.items()}
    np.savez(tmp_path / "w.npz", **stored)
    np.save(tmp_path / "x.npy", case.x)
    np.save(tmp_path / "y.npy", outputs)
    np.save(tmp_path / "random.npy", case.random(*outputs.shape))
    np.savez(tmp_path / "s.npz", h=state[1], c=state[0])
    data = {"inputs": case.x, "outputs": outputs}
    data |= {"state/0": state[0], "state/1": state[1]}
    np.savez(tmp_path / "data.npz", **data)
    objects = np.array([{}, 1], dtype=object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    (tmp_path / "text.npy").write_text("no array", "utf-8")
    return tmp_path


X_Y_S = ("--inputs", "x.npy", "--outputs", "y.npy", "--state", "s.npz")
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None"


@pytest.mark.parametrize("given", [X_Y_S, ("--data", "data.npz")])
def test_the_command_names_the_mistake(run_cli, files, given):
    done = run_cli(
        "diagnose", "w.npz", *given, before=NO_TENSORFLOW, cwd=files
    )
    assert done.returncode == 0, done.stderr
    assert "matches with forget_bias missing (max error " in done.stdout
    assert "to mend it: " in done.stdout


def test_the_command_says_as_it_is_and_that_nothing_explains(run_cli, files):
    done = run_cli(
        "diagnose", "w.npz", *X_Y_S, "--forget-bias", "0", cwd=files
    )
    assert done.returncode == 0, done.stderr
    assert "matches as it is (max error " in done.stdout
    given = ("--inputs", "x.npy", "--outputs", "random.npy")
    done = run_cli("diagnose", "w.npz", *given, cwd=files)
    assert done.returncode == 1, done.stderr
    assert "no mistake of the catalogue explains" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("w.npz",), "give --inputs X.npy"),
        (("w.npz", "--inputs", "x.npy"), "give what your port computed"),
        (("w.npz", "--inputs", "no.npy"), "there is no file no.npy"),
        (("w.npz", "--inputs", "."), ". is a folder, not a regular file"),
        (("w.npz", "--inputs", "text.npy"), "text.npy cannot be read"),
        (("w.npz", "--inputs", "objects.npy"), "Python objects"),
        (("w.npz", "--inputs", "data.npz"), "holds 4 arrays"),
        (("w.npz", "--data", "w.npz"), "it may hold inputs"),
        (("w.npz", "--data", "x.npy"), "x.npy is no .npz file"),
        (("w.npz", "--data", "data.npz", *X_Y_S[:2]), "leave out --inputs"),
        (("w.npz", *X_Y_S, "--cell", "LSTM"), "wants SCOPE=VALUE"),
        (("gone.npz", *X_Y_S), "there is no file gone.npz"),
    ],
)
def test_misuse_is_one_line(files, arguments, line, monkeypatch, capsys):
    from rnn_parity.cli import main

    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as error:
        main(["diagnose", *arguments])
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("rnn-parity: error: ")
    assert said.count("\n") == 1
    assert line in said
