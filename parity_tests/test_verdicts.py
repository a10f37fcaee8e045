"""The verdict table: Keras 3 with the recorded weights against 1.15.5.

`keras_cell` gives the Keras form of a cell of numpy_ref, or the nearest there
is; `FORMS` what has more to it than a cell in a loop.
"""

import functools
import pathlib
import re

import keras
import numpy as np
import pytest
import tf1_cases

import rnn_parity
from numpy_ref import ops
from numpy_ref import tf1_cells as cells
from rnn_parity import ladder, layouts, tolerances, verdicts
from rnn_parity.quiet import tf
from tf2 import tf1_cells

ACTIVATIONS = {
    np.tanh: "tanh",
    cells.relu: "relu",
    ops.sigmoid: "sigmoid",
    cells.identity: "linear",
}
SAME = (verdicts.EQUAL, verdicts.WITH_ARGUMENTS)


# --- From numpy_ref's cells to Keras' ---


def keras_cell(cell):
    """The Keras cell and its weights; what Keras lacks is left out.

    Raises:
        LookupError: no Keras cell holds these arrays.
    """
    if isinstance(cell, cells.MultiRNNCell):
        pairs = [keras_cell(each) for each in cell.cells]
        weights = [array for _, arrays in pairs for array in arrays]
        return keras.layers.StackedRNNCells(
            [each for each, _ in pairs], dtype=cell.dtype.name
        ), weights
    for kind, convert in CONVERSIONS.items():
        if isinstance(cell, kind):
            return convert(cell)
    raise LookupError(type(cell).__name__)


def simple_rnn(cell):
    return keras.layers.SimpleRNNCell(
        cell.output_size, ACTIVATIONS[cell.activation], dtype=cell.dtype.name
    ), layouts.simple_rnn_to_keras(cell.kernel, cell.bias)


def gru(cell):
    return keras.layers.GRUCell(
        cell.output_size,
        ACTIVATIONS[cell.activation],
        reset_after=False,
        dtype=cell.dtype.name,
    ), layouts.gru_to_keras(
        cell.gate_kernel,
        cell.gate_bias,
        cell.candidate_kernel,
        cell.candidate_bias,
    )


def cudnn_gru(cell):
    return keras.layers.GRUCell(
        cell.output_size, dtype=cell.dtype.name
    ), layouts.cudnn_gru_to_keras(
        cell.gate_kernel,
        cell.gate_bias,
        cell.input_kernel,
        cell.input_bias,
        cell.hidden_kernel,
        cell.hidden_bias,
    )


def lstm(cell):
    units = cell.state_size[0]
    if cell.output_size != units:
        raise LookupError("no projection in Keras")
    bias = np.zeros(4 * units, cell.dtype) if cell.bias is None else cell.bias
    return keras.layers.LSTMCell(
        units, ACTIVATIONS[cell.activation], dtype=cell.dtype.name
    ), layouts.lstm_to_keras(cell.kernel, bias, cell.forget_bias)


CONVERSIONS = {
    cells.BasicRNNCell: simple_rnn,
    cells.GRUCell: gru,
    cells.CudnnCompatibleGRUCell: cudnn_gru,
    cells.LSTMCell: lstm,
}


# --- Running ---


def swapped(state):
    """(c, h) of every LSTM becomes [h, c], and the other way round."""
    if not isinstance(state, (tuple, list)):
        return state
    if not isinstance(state[0], (tuple, list)) and len(state) == 2:
        return [state[1], state[0]]
    return [swapped(part) for part in state]


def keras_state(state):
    """As `RNN` wants it: a list, one entry per array or per layer."""
    state = swapped(state)
    return state if isinstance(state, list) or state is None else [state]


def mask_of(case):
    if case.lengths is None:
        return None
    return tf.sequence_mask(case.lengths, case.inputs.shape[1])


def past_the_end(case):
    """[B, T, 1]: 1 where a step is valid, 0 past a row's end."""
    mask = mask_of(case)
    return tf.cast(mask[..., None], case.dtype)


def rnn_layer(cell, rows=None, **options):
    """A cell of numpy_ref as a built `RNN` with its weights in place."""
    inside, weights = keras_cell(cell)
    layer = keras.layers.RNN(
        inside,
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        dtype=cell.dtype.name,
        **options,
    )
    layer.build((rows, None, cell.input_size))
    layer.set_weights(list(weights))
    return layer


def final_of(cell, states):
    """What a layer returns as states -> nested as numpy_ref nests it."""
    if isinstance(cell, cells.MultiRNNCell):
        return tuple(
            final_of(each, state if isinstance(state, list) else [state])
            for each, state in zip(cell.cells, states, strict=True)
        )
    states = [np.asarray(state) for state in states]
    return tuple(swapped(states)) if len(states) == 2 else states[0]


def run_cell(cell, case, inputs=None, **options):
    """(outputs, final state): `RNN` over the case's inputs, as tensors."""
    state = tf1_cases.nested(cell.state_size, case.state)
    outputs, *states = rnn_layer(cell, **options)(
        case.inputs if inputs is None else inputs,
        initial_state=keras_state(state),
        mask=mask_of(case),
    )
    return outputs, final_of(cell, states)


def named(outputs, final, direction=""):
    return tf1_cases.named(np.asarray(outputs), final, direction)


def plain(case, name):
    return named(*run_cell(tf1_cases.CELLS[name](case), case))


# --- What is more than a cell in a loop ---


def concatenated_stack(case):
    cell = tf1_cases.CELLS["MultiRNNCell concatenated"](case).cell
    sizes = cells.flat_state(cell.state_size)
    places = np.cumsum(sizes)[:-1]
    split = tf1_cases.Recorded(*case.key)
    split.state = np.split(case.state[0], places, axis=1)
    outputs, final = run_cell(cell, split)
    return named(outputs, np.concatenate(cells.flat_state(final), axis=1))


def device(case):
    return named(*run_cell(tf1_cases.gru(case), case))


def residual(case):
    outputs, final = run_cell(tf1_cases.basic_lstm(case), case)
    both = keras.layers.Add(dtype=case.dtype)([case.inputs, outputs])
    return named(both * past_the_end(case), final)


def dense(case, kernel, bias, activation):
    layer = keras.layers.Dense(
        len(bias), ACTIVATIONS[activation], dtype=case.dtype
    )
    layer.build((None, None, len(kernel)))
    layer.set_weights([kernel, bias])
    return layer


def highway(case):
    outputs, final = run_cell(tf1_cases.gru(case), case)
    wrapper = tf1_cases.highway(case)
    carry = dense(case, wrapper.carry_w, wrapper.carry_b, ops.sigmoid)
    carry = carry(case.inputs)
    blended = case.inputs * carry + outputs * (1 - carry)
    return named(blended * past_the_end(case), final)


def input_projection(case):
    wrapper = tf1_cases.CELLS["InputProjectionWrapper"](case)
    layer = dense(case, wrapper.kernel, wrapper.bias, wrapper.activation)
    return named(*run_cell(wrapper.cell, case, layer(case.inputs)))


def output_projection(case):
    wrapper = tf1_cases.CELLS[case.key[0]](case)
    layer = dense(case, wrapper.kernel, wrapper.bias, wrapper.activation)
    outputs, final = run_cell(wrapper.cell, case)
    return named(layer(outputs) * past_the_end(case), final)


def embedding_layer(case, wrapper):
    layer = keras.layers.Embedding(*wrapper.embedding.shape, dtype=case.dtype)
    layer.build()
    layer.set_weights([wrapper.embedding])
    return layer


def embedding(case):
    wrapper = tf1_cases.CELLS[case.key[0]](case)
    looked_up = embedding_layer(case, wrapper)(case.inputs[..., 0])
    return named(*run_cell(wrapper.cell, case, looked_up))


class Masks(keras.layers.Layer):
    """`Dropout` with a mask [T, B, N] that is given, not drawn."""

    def __init__(self, masks, keep_prob, dtype):
        super().__init__(dtype=dtype)
        self.scale = np.swapaxes(masks, 0, 1) / np.array(keep_prob, dtype)

    def call(self, inputs):
        return inputs * tf.cast(self.scale, self.dtype)


def dropout(case):
    wrapper = tf1_cases.dropout(case)
    before = Masks(wrapper.input_masks, wrapper.input_keep_prob, case.dtype)
    after = Masks(wrapper.output_masks, wrapper.output_keep_prob, case.dtype)
    outputs, final = run_cell(wrapper.cell, case, before(case.inputs))
    return named(after(outputs), final)


def static(case):
    return named(*run_cell(tf1_cases.lstm(case), case, unroll=True))


def run_bidirectional(both, merge_mode, inputs, states, mask):
    """(outputs in a list, the final states of both directions)."""
    layers = rnn_layer(both[0]), rnn_layer(both[1], go_backwards=True)
    layer = keras.layers.Bidirectional(
        layers[0],
        merge_mode,
        backward_layer=layers[1],
        dtype=both[0].dtype.name,
    )
    layer.build((None, None, both[0].input_size))  # draws new weights
    layer.set_weights([a for one in layers for a in one.get_weights()])
    initial = [array for one in states for array in keras_state(one)]
    results = layer(inputs, initial_state=initial, mask=mask)
    count = len(results) - len(initial)
    half = count + len(initial) // 2
    finals = (
        final_of(both[0], results[count:half]),
        final_of(both[1], results[half:]),
    )
    return results[:count], finals


def bidirectional(case):
    scope = "bidirectional_rnn/{}/lstm_cell"
    both = [
        case.cell(cells.LSTMCell, scope.format(way)) for way in ("fw", "bw")
    ]
    outputs, finals = run_bidirectional(
        both, None, case.inputs, [case.state, case.state_bw], mask_of(case)
    )
    return named(outputs[0], finals[0]) | named(outputs[1], finals[1], "_bw")


def stack_bidirectional(case):
    layers = tf1_cases.bidirectional_layers(case)
    states = [
        tf1_cases.nested(tuple(cell.state_size for cell in of_way), arrays)
        for of_way, arrays in zip(
            layers, (case.state, case.state_bw), strict=True
        )
    ]
    outputs, finals = case.inputs, []
    for both, of_layer in zip(
        zip(*layers, strict=True), zip(*states, strict=True), strict=True
    ):
        (outputs,), final = run_bidirectional(
            both, "concat", outputs, of_layer, mask_of(case)
        )
        finals.append(final)
    forward, backward = zip(*finals, strict=True)
    return named(outputs, forward) | named(outputs, backward, "_bw")


def whole_layer(case, cell, kind, **options):
    """`LSTM` or `GRU` in place of `RNN` and a cell."""
    layer = kind(
        cell.output_size,
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        dtype=case.dtype,
        **options,
    )
    layer.build((None, None, cell.input_size))
    layer.set_weights(list(keras_cell(cell)[1]))
    state = tf1_cases.nested(cell.state_size, case.state)
    outputs, *states = layer(
        case.inputs, initial_state=keras_state(state), mask=mask_of(case)
    )
    return np.asarray(outputs), final_of(cell, states)


def whole_lstm(case, name):
    cell = tf1_cases.CELLS[name](case)
    return named(*whole_layer(case, cell, keras.layers.LSTM))


def whole_gru(case):
    cell = tf1_cases.CELLS["CudnnCompatibleGRUCell"](case)
    return named(*whole_layer(case, cell, keras.layers.GRU))


def two_layers(case):
    forward = case.cell(
        cells.BasicRNNCell, "bidirectional_rnn/fw/basic_rnn_cell"
    )
    backward = case.cell(
        cells.BasicLSTMCell, "bidirectional_rnn/bw/basic_lstm_cell"
    )
    reverse = tf1_cases.Recorded(*case.key)
    reverse.state = case.state_bw
    outputs, final = run_cell(backward, reverse, go_backwards=True)
    backwards = named(np.asarray(outputs)[:, ::-1], final, "_bw")
    return named(*run_cell(forward, case)) | backwards


def time_reversed(case):
    cell = case.cell(cells.LSTMBlockCell, "lstm_fused_cell")
    outputs, final = whole_layer(
        case, cell, keras.layers.LSTM, go_backwards=True
    )
    return named(outputs[:, ::-1], final)


def raw_feedback(case):
    """As near as `RNN` comes: as many steps, the first input throughout."""
    cell = tf1_cases.basic_lstm(case)
    steps = case.expected["outputs"].shape[1]
    inputs = np.repeat(case.inputs[:, :1], steps, axis=1)
    return named(*run_cell(cell, case, inputs))


def constantly_fed(case, cell, first):
    """As near as `RNN` comes to a loop that feeds itself: one input."""
    steps = case.expected["outputs"].shape[1]
    return run_cell(cell, case, np.repeat(first[:, None], steps, axis=1))


def greedy(case):
    decoder = tf1_cases.CELLS["TrainingHelper"](case)
    first = 8 * case["embedding"][case.inputs[:, 0, 0]]
    outputs, final = constantly_fed(case, decoder.cell, first)
    layer = dense(case, decoder.kernel, decoder.bias, decoder.activation)
    return named(layer(outputs), final)


def rnn_decoder_feedback(case):
    cell = tf1_cases.CELLS["rnn_decoder"](case)
    return named(*constantly_fed(case, cell, case.inputs[:, 0]))


def embedding_feedback(case):
    decoder = tf1_cases.CELLS["embedding_rnn_decoder"](case)
    first = decoder.embedding[case.inputs[:, 0, 0]]
    return named(*constantly_fed(case, decoder.cell, first))


def encoder_and_decoder(case):
    """The final state of one layer is the initial state of another."""
    encoder, decoder = tf1_cases.encoder_and_decoder(case)
    _, *states = rnn_layer(encoder)(case.given("encoder_inputs"))
    outputs, *states = rnn_layer(decoder)(case.inputs, initial_state=states)
    return named(outputs, final_of(decoder, states))


def embedding_rnn_seq2seq(case):
    """The same with an embedding below both and a dense layer on top."""
    encoder, decoder = tf1_cases.encoder_and_decoder(case)
    symbols = case.given("encoder_inputs")[..., 0]
    below = embedding_layer(case, encoder)
    _, *states = rnn_layer(encoder.cell)(below(symbols))
    top, below = decoder.cell, embedding_layer(case, decoder)
    outputs, *states = rnn_layer(top.cell)(
        below(case.inputs[..., 0]), initial_state=states
    )
    layer = dense(case, top.kernel, top.bias, top.activation)
    return named(layer(outputs), final_of(top.cell, states))


def grid_of_one(case):
    """`SimpleRNN` blind to its state, with the projection in its kernel."""
    grid = tf1_cases.CELLS["Grid1BasicRNNCell"](case)
    (cell,) = grid.cells
    kernel = grid.project_m @ cell.kernel
    blind = np.concat([kernel, np.zeros_like(cell.kernel)])
    return named(
        *run_cell(cells.BasicRNNCell(kernel=blind, bias=cell.bias), case)
    )


def state_saving(case):
    """Two calls over a half of the steps each, the layer keeps the state."""
    cell = tf1_cases.lstm(case)
    layer = rnn_layer(cell, rows=len(case.inputs), stateful=True)
    for variable, value in zip(layer.states, case.state[::-1], strict=True):
        variable.assign(value)
    half = case.inputs.shape[1] // 2
    parts = []
    for steps in (slice(half), slice(half, None)):
        mask = mask_of(case)[:, steps]
        outputs, *states = layer(case.inputs[:, steps], mask=mask)
        parts.append(outputs)
    return named(np.concat(parts, axis=1), final_of(cell, states))


def conv_lstm(case, name):
    """`ConvLSTM1D`, `ConvLSTM2D` or `ConvLSTM3D`; it has no skip."""
    cell = tf1_cases.CELLS[name](case)
    channels = cell.state_size[0]
    kernels = np.split(cell.kernel, [cell.input_size], axis=-2)
    weights = [layouts.lstm_gates_to_keras(kernel) for kernel in kernels]
    bias = cell.bias
    if bias is None:  # the forget bias needs one
        bias = np.zeros(4 * channels, cell.dtype)
    weights.append(layouts.lstm_bias_to_keras(bias, cell.forget_bias))
    sizes = cell.kernel.shape[:-2]
    layer = getattr(keras.layers, f"ConvLSTM{len(sizes)}D")(
        channels,
        sizes,
        padding="same",
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        dtype=case.dtype,
    )
    layer.build((None, *case.inputs.shape[1:]))
    layer.set_weights(weights)
    outputs, h, c = layer(
        case.inputs, initial_state=case.state[::-1], mask=mask_of(case)
    )
    return outputs, (np.asarray(c), np.asarray(h))


def conv_lstm_skip(case):
    outputs, (c, _) = conv_lstm(case, "ConvLSTMCell skip")
    both = keras.layers.Concatenate(dtype=case.dtype)([outputs, case.inputs])
    return named(both, (c, np.asarray(both)[:, -1]))


FORMS = {
    "static_state_saving_rnn": state_saving,
    "Conv1DLSTMCell": lambda case: named(*conv_lstm(case, "Conv1DLSTMCell")),
    "Conv2DLSTMCell": lambda case: named(*conv_lstm(case, "Conv2DLSTMCell")),
    "Conv3DLSTMCell": lambda case: named(*conv_lstm(case, "Conv3DLSTMCell")),
    "ConvLSTMCell skip": conv_lstm_skip,
    "Grid1BasicRNNCell": grid_of_one,
    "TrainingHelper": output_projection,
    "GreedyEmbeddingHelper": greedy,
    "rnn_decoder feedback": rnn_decoder_feedback,
    "embedding_rnn_decoder": embedding,
    "embedding_rnn_decoder feedback": embedding_feedback,
    "basic_rnn_seq2seq": encoder_and_decoder,
    "tied_rnn_seq2seq": encoder_and_decoder,
    "embedding_rnn_seq2seq": embedding_rnn_seq2seq,
    "MultiRNNCell concatenated": concatenated_stack,
    "DeviceWrapper": device,
    "ResidualWrapper": residual,
    "HighwayWrapper": highway,
    "InputProjectionWrapper": input_projection,
    "OutputProjectionWrapper": output_projection,
    "EmbeddingWrapper": embedding,
    "DropoutWrapper": dropout,
    "DropoutWrapper variational": dropout,
    "DropoutWrapper state": dropout,
    "static_rnn": static,
    "static_rnn lengths": static,
    "bidirectional_dynamic_rnn": bidirectional,
    "bidirectional_dynamic_rnn lengths": bidirectional,
    "static_bidirectional_rnn": two_layers,
    "stack_bidirectional_rnn": stack_bidirectional,
    "stack_bidirectional_dynamic_rnn": stack_bidirectional,
    "TimeReversedFusedRNN": time_reversed,
    "raw_rnn feedback": raw_feedback,
    "CudnnCompatibleGRUCell": whole_gru,
    **{
        name: functools.partial(whole_lstm, name=name)
        for name in (
            "CudnnCompatibleLSTMCell",
            "LSTMBlockFusedCell",
            "LSTMBlockFusedCell peepholes",
        )
    },
}


def run_keras(name, dtype):
    """(what Keras computes, what 1.15.5 did), by the recorded names."""
    case = tf1_cases.Recorded(name, dtype)
    found = FORMS[name](case) if name in FORMS else plain(case, name)
    assert sorted(found) == sorted(case.expected)
    for key, value in case.expected.items():
        assert found[key].dtype == value.dtype == dtype
    return found, case.expected


def cases_of(*kinds):
    """Every case that rows of these kinds rest on, once, with each dtype."""
    rows = [row for row in verdicts.TABLE if row.verdict in kinds]
    names = dict.fromkeys(case for row in rows for case in row.cases)
    return [
        pytest.param(name, dtype, id=f"{name}-{dtype}")
        for name in names
        for dtype in tf1_cases.recorded_dtypes()[name]
    ]


@pytest.mark.parametrize(("name", "dtype"), cases_of(*SAME))
def test_keras_computes_the_same(name, dtype):
    found, expected = run_keras(name, dtype)
    for key, value in expected.items():
        error = ladder.error_of(found[key], value)
        assert error <= tolerances.CELLS[dtype].allowed, key


@pytest.mark.parametrize(
    ("name", "dtype"),
    cases_of(verdicts.OWN_CLASS, verdicts.NOT_REPRESENTABLE),
)
def test_plain_keras_differs(name, dtype):
    try:
        found, expected = run_keras(name, dtype)
    except LookupError:
        assert_no_keras_cell_holds(tf1_cases.Recorded(name, dtype))
    else:
        error = ladder.error_of(found["outputs"], expected["outputs"])
        assert error > 1e-3


# What the recorded cells were made with, besides TensorFlow 1's defaults.
MADE_WITH = {
    "LSTMCell clip": {"cell_clip": 0.5},
    "LSTMCell all": {"cell_clip": 0.7, "proj_clip": 0.4, "forget_bias": 0.3},
    "LSTMBlockCell peepholes": {"cell_clip": 0.7},
    "LSTMBlockFusedCell peepholes": {"cell_clip": 0.7},
    "LayerNormBasicLSTMCell": {"forget_bias": 0.3},
    "CoupledInputForgetGateLSTMCell all": {
        "proj_clip": 0.05,
        "forget_bias": 0.3,
    },
}
OURS = [
    pytest.param(row.own, case, dtype, id=f"{case}-{dtype}")
    for row in verdicts.TABLE
    if row.own
    for case in row.cases
    for dtype in tf1_cases.recorded_dtypes()[case]
]


# --- Classes of ours that no converter makes ---


def our_attention_cell_wrapper(case):
    cell = tf1_cases.CELLS[case.key[0]](case)
    inside, weights = keras_cell(cell.cell)
    names = ("kernel", "bias", "attn_w", "attn_v", "query_kernel")
    names += ("query_bias", "output_kernel", "output_bias")
    arrays = [getattr(cell, name) for name in names]
    return tf1_cells.AttentionCellWrapper(
        inside,
        cell.attn_length,
        cell.output_size,
        len(cell.attn_v),
        cell.cell.input_size,
        dtype=case.dtype,
    ), [*arrays, *weights]


def our_phased_lstm_cell(case):
    cell = tf1_cases.CELLS[case.key[0]](case)
    names = [
        f"{part}_{array}"
        for part in ("mask", "new", "output")
        for array in ("kernel", "bias")
    ]
    names += ["period", "phase", "ratio_on"]
    return tf1_cells.PhasedLSTMCell(
        cell.output_size, cell.use_peepholes, cell.leak, dtype=case.dtype
    ), [getattr(cell, name) for name in names]


def our_time_freq_lstm_cell(case):
    cell = tf1_cases.CELLS[case.key[0]](case)
    arrays = [cell.kernel, cell.bias]
    peepholes = [cell.w_f_diag, cell.w_i_diag, cell.w_o_diag]
    arrays += [array for array in peepholes if array is not None]
    return tf1_cells.TimeFreqLSTMCell(
        cell.units,
        cell.input_size,
        cell.feature_size,
        cell.frequency_skip,
        use_peepholes=len(arrays) > 2,
        cell_clip=cell.cell_clip,
        forget_bias=cell.forget_bias,
        dtype=case.dtype,
    ), arrays


def c_and_m(state, units):
    """c, m of a piece beside those of the next <-> [m of all, c of all]."""
    if isinstance(state, list):
        pairs = [
            np.split(np.asarray(a), a.shape[1] // units, 1) for a in state
        ]
        pairs = zip(*reversed(pairs), strict=True)
        return np.concat([array for pair in pairs for array in pair], axis=1)
    parts = np.split(state, state.shape[1] // units, 1)
    return [np.concat(parts[start::2], axis=1) for start in (1, 0)]


def our_attention_wrapper(case):
    cell = tf1_cases.CELLS[case.key[0]](case)
    inside, weights = keras_cell(cell.cell)
    scope = "rnn/attention_wrapper"
    kind = case.key[0].partition("Attention")[0].lower()
    of = f"{scope}/{kind}_attention"
    arrays = [
        case["memory_layer/kernel"],
        case[f"{of}/query_layer/kernel"],
        case[f"{of}/attention_v"],
        case[f"{of}/attention_b"],
        case[f"{of}/attention_g"],
        cell.attention_kernel,
    ]
    layer = cell.attention_kernel
    return tf1_cells.AttentionWrapper(
        inside,
        case.given("memory").shape[1:],
        kind,
        attention_units=arrays[0].shape[1],
        attention_layer_size=None if layer is None else layer.shape[1],
        scale=arrays[4] is not None,
        output_attention=cell.output_attention,
        dtype=case.dtype,
    ), [array for array in [*arrays, *weights] if array is not None]


def our_grid_rnn_cell(case):
    grid = tf1_cases.CELLS[case.key[0]](case)
    scope = f"rnn/{case.key[0]}/recurrent/cell_0/"
    tied = not any(name.startswith(scope) for name in case.variables)
    pairs = [
        our_lstm_cell(cell)
        if getattr(cell, "w_f_diag", None) is not None
        else keras_cell(cell)
        for cell in (grid.cells[:1] if tied else grid.cells)
    ]
    arrays = [grid.project_m, grid.project_c]
    arrays += [array for _, weights in pairs for array in weights]
    return tf1_cells.GridRNNCell(
        [cell for cell, _ in pairs], len(grid.cells), dtype=case.dtype
    ), [array for array in arrays if array is not None]


def our_lstm_cell(cell):
    """With peepholes."""
    return tf1_cells.TF1LSTMCell(
        cell.output_size,
        use_peepholes=True,
        forget_bias=cell.forget_bias,
        dtype=cell.dtype.name,
    ), [cell.kernel, cell.bias, cell.w_f_diag, cell.w_i_diag, cell.w_o_diag]


def our_grid_lstm_cell(case):
    return grid_lstm_of(tf1_cases.CELLS[case.key[0]](case))


def grid_lstm_of(cell):
    """A `GridLSTMCell` of numpy_ref -> ours, and its weights."""
    block = cell.blocks[0]
    shared = block.frequency["kernel"] is block.time["kernel"]
    arrays = [
        array
        for block in cell.blocks
        for along in (block.frequency, *([] if shared else [block.time]))
        for array in along.values()
        if array is not None
    ]
    return tf1_cells.GridLSTMCell(
        block.units,
        cell.input_size,
        block.feature_size,
        cell.frequency_skip,
        cell.ranges,
        use_peepholes=block.frequency["w_i_f"] is not None,
        share_weights=shared,
        coupled=block.coupled,
        cell_clip=block.cell_clip,
        slice_offset=cell.slice_offset,
        reverse=cell.reverse,
        forget_bias=block.forget_bias,
        dtype=cell.dtype.name,
    ), arrays


def two_grid_lstm_layers(case):
    """Each of a `BidirectionalGridLSTMCell`, over its half of the states."""
    half = len(case.state) // 2
    outputs, finals = [], []
    grids = tf1_cases.CELLS["BidirectionalGridLSTMCell"](case).cells
    for place, grid in enumerate(grids):
        cell, weights = grid_lstm_of(grid)
        part = tf1_cases.Recorded(*case.key)
        part.state = case.state[place * half :][:half]
        found = run_layer("GridLSTMCell", part, cell, weights)
        outputs.append(found.pop("outputs"))
        finals += [found[f"final/{n}"] for n in range(half)]
    return named(np.concat(outputs, axis=-1), tuple(finals))


OUR_CELLS = {
    "GridLSTMCell": our_grid_lstm_cell,
    "GridRNNCell": our_grid_rnn_cell,
    "AttentionWrapper": our_attention_wrapper,
    "AttentionCellWrapper": our_attention_cell_wrapper,
    "PhasedLSTMCell": our_phased_lstm_cell,
    "TimeFreqLSTMCell": our_time_freq_lstm_cell,
}


def in_pairs_swapped(states, kept):
    """c before h of every cell <-> h before c; as it is without c."""
    starts = range(0, len(states), kept)
    return [array for n in starts for array in states[n : n + kept][::-1]]


def our_states(own, case, cell):
    """The initial states of one of OUR_CELLS."""
    if own == "TimeFreqLSTMCell":
        return c_and_m(case.state[0], cell.units)
    if own == "GridLSTMCell":
        return in_pairs_swapped(case.state, 2)
    if own == "GridRNNCell":
        return in_pairs_swapped(case.state, cell.kept)
    c, h, *others = case.state
    if own == "AttentionWrapper":
        memory, lengths = case.given("memory"), case.given("memory_lengths")
        others += cell.get_initial_state(len(c), memory, lengths)[-2:]
    return [h, c, *others]


def recorded_states(own, case, cell, states):
    """The way back."""
    if own == "TimeFreqLSTMCell":
        return c_and_m(states, cell.units)
    states = [np.asarray(state) for state in states]
    if own == "GridLSTMCell":
        return tuple(in_pairs_swapped(states, 2))
    if own == "GridRNNCell":
        return tuple(in_pairs_swapped(states, cell.kept))
    h, c, *others = states
    return c, h, *others[: len(case.state) - 2]


def run_ours(own, case):
    """One of OUR_CELLS, made again from its config, in an `RNN`."""
    if case.key[0] == "BidirectionalGridLSTMCell":
        return two_grid_lstm_layers(case)
    made, weights = OUR_CELLS[own](case)
    cell = type(made).from_config(made.get_config())
    return run_layer(own, case, cell, weights)


def run_layer(own, case, cell, weights):
    layer = keras.layers.RNN(
        cell,
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        dtype=case.dtype,
    )
    layer.build((None, None, case.inputs.shape[-1]))
    layer.set_weights(weights)
    state = our_states(own, case, cell)
    outputs, *states = layer(
        case.inputs, initial_state=state, mask=mask_of(case)
    )
    return named(outputs, recorded_states(own, case, cell, states))


SAVED = {
    "AttentionCellWrapper": "AttentionCellWrapper all",
    "AttentionWrapper": "BahdanauAttention normalize",
    "GridLSTMCell": "GridLSTMCell all",
    "GridRNNCell": "Grid2BasicLSTMCell",
    "PhasedLSTMCell": "PhasedLSTMCell peepholes",
    "TimeFreqLSTMCell": "TimeFreqLSTMCell all",
}


def test_every_class_of_ours_that_no_converter_makes_is_saved():
    assert SAVED.keys() == OUR_CELLS.keys()


@pytest.mark.parametrize("own", SAVED)
def test_a_saved_model_with_a_class_of_ours_loads(own, tmp_path):
    case = tf1_cases.Recorded(SAVED[own], "float32")
    cell, weights = OUR_CELLS[own](case)
    layer = keras.layers.RNN(cell, return_sequences=True)
    inputs = keras.Input((None, case.inputs.shape[-1]))
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights(weights)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    outputs = [each(case.inputs).numpy() for each in (model, loaded)]
    assert np.abs(outputs[0]).max() > 0.01
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize(("own", "name", "dtype"), OURS)
def test_a_class_of_ours_computes_the_same(own, name, dtype, tmp_path):
    case = tf1_cases.Recorded(name, dtype)
    if own in OUR_CELLS:
        found = run_ours(own, case)
    else:
        found = run_converted(own, case, tmp_path)
    assert found.keys() == case.expected.keys()
    for key, value in case.expected.items():
        error = ladder.error_of(found[key], value)
        assert error <= tolerances.CELLS[dtype].allowed, key


def run_converted(own, case, tmp_path):
    """The class as the converter makes it of a checkpoint."""
    name = case.key[0]
    np.savez(tmp_path / "case.npz", **case.variables)
    converted = rnn_parity.convert_checkpoint(
        tmp_path / "case.npz", **MADE_WITH.get(name, {})
    )
    used = {
        type(runner.keras_cell).__name__
        for runner in converted._runners.values()
    }
    assert own in used
    state = case.state
    if name == "LSTMCell concatenated":
        (state,) = state
    return tf1_cases.named(*converted.run(case.inputs, state, case.lengths))


def assert_no_keras_cell_holds(case):
    """None with these inputs and outputs has these weights and states."""
    weights = sum(array.size for array in case.variables.values())
    states = sum(name.startswith("final/") for name in case.expected)
    units = case.expected["outputs"].shape[-1]
    for cell in (
        keras.layers.SimpleRNNCell(units),
        keras.layers.LSTMCell(units),
        keras.layers.GRUCell(units, reset_after=False),
        keras.layers.GRUCell(units),
    ):
        cell.build((None, case.inputs.shape[-1]))
        cell_states = 2 if isinstance(cell, keras.layers.LSTMCell) else 1
        assert (cell.count_params(), cell_states) != (weights, states)


@pytest.mark.parametrize(
    ("name", "noise_shape"),
    [("DropoutWrapper", None), ("DropoutWrapper variational", (1, 1, None))],
)
def test_keras_dropout_shares_its_masks_alike(name, noise_shape):
    masks = tf1_cases.Recorded(name, "float64").masks["output"]
    keras.utils.set_random_seed(7)
    layer = keras.layers.Dropout(0.5, noise_shape, dtype="float64")
    ones = np.ones((masks.shape[1], masks.shape[0], masks.shape[2]))
    drawn = np.asarray(layer(ones, training=True))
    assert set(np.unique(drawn)) == {0, 2}  # kept values are 1 / keep
    for axis, shared in ((0, "steps"), (1, "rows")):
        alike = (masks == masks.take([0], axis)).all()
        swapped_axis = 1 - axis  # [B, T, H] in Keras
        assert alike == (drawn == drawn.take([0], swapped_axis)).all(), shared
        assert alike == (noise_shape is not None)


def test_every_recorded_case_has_a_verdict():
    judged = {case for row in verdicts.TABLE for case in row.cases}
    assert judged == set(tf1_cases.recorded_dtypes())


def test_every_row_names_tests_that_exist():
    for row in verdicts.TABLE:
        assert row.verdict in verdicts.VERDICTS
        proven_by = [test_plain_keras_differs]
        if row.verdict in SAME:
            proven_by = [test_keras_computes_the_same]
        if row.own:
            proven_by.append(test_a_class_of_ours_computes_the_same)
        ids = {param.id.rpartition("-")[0] for param in cases_of(row.verdict)}
        assert set(row.cases) <= ids
        assert row.tests == tuple(
            f"parity_tests/{pathlib.Path(__file__).name}::"
            f"{test.__name__}[{case}]"
            for test in proven_by
            for case in row.cases
        )


def test_no_symbol_has_two_verdicts():
    symbols = [row.symbol for row in verdicts.TABLE]
    assert len(set(symbols)) == len(symbols)


# What dir() gives in 1.15.5, base classes and helpers left out.
OF_1_15 = {
    "nn.rnn_cell": "BasicLSTMCell BasicRNNCell DeviceWrapper DropoutWrapper "
    "GRUCell LSTMCell LSTMStateTuple MultiRNNCell ResidualWrapper",
    "nn": "bidirectional_dynamic_rnn dynamic_rnn raw_rnn "
    "static_bidirectional_rnn static_rnn static_state_saving_rnn",
    "contrib.rnn": "AttentionCellWrapper BidirectionalGridLSTMCell "
    "CompiledWrapper Conv1DLSTMCell Conv2DLSTMCell Conv3DLSTMCell "
    "ConvLSTMCell CoupledInputForgetGateLSTMCell "
    "EmbeddingWrapper FusedRNNCellAdaptor GLSTMCell GRUBlockCell "
    "GRUBlockCellV2 GridLSTMCell HighwayWrapper IndRNNCell IndyGRUCell "
    "IndyLSTMCell InputProjectionWrapper IntersectionRNNCell LSTMBlockCell "
    "LSTMBlockFusedCell LayerNormBasicLSTMCell NASCell "
    "OutputProjectionWrapper PhasedLSTMCell SRUCell TimeFreqLSTMCell "
    "TimeReversedFusedRNN UGRNNCell stack_bidirectional_dynamic_rnn "
    "stack_bidirectional_rnn",
    "contrib.cudnn_rnn": "CudnnCompatibleGRUCell CudnnCompatibleLSTMCell "
    "CudnnGRU CudnnLSTM CudnnRNNRelu CudnnRNNTanh",
    "contrib.grid_rnn": "Grid1BasicLSTMCell Grid1BasicRNNCell Grid1LSTMCell "
    "Grid2BasicLSTMCell Grid2BasicRNNCell Grid2GRUCell Grid2LSTMCell "
    "Grid3LSTMCell GridRNNCell",
    "contrib.seq2seq": "AttentionWrapper BahdanauAttention "
    "BahdanauMonotonicAttention BasicDecoder BeamSearchDecoder "
    "CustomHelper GreedyEmbeddingHelper InferenceHelper LuongAttention "
    "LuongMonotonicAttention SampleEmbeddingHelper "
    "ScheduledEmbeddingTrainingHelper ScheduledOutputTrainingHelper "
    "TrainingHelper dynamic_decode",
    "contrib.legacy_seq2seq": "attention_decoder basic_rnn_seq2seq "
    "embedding_attention_decoder embedding_attention_seq2seq "
    "embedding_rnn_decoder embedding_rnn_seq2seq embedding_tied_rnn_seq2seq "
    "model_with_buckets one2many_rnn_seq2seq rnn_decoder tied_rnn_seq2seq",
}


def test_every_symbol_has_a_verdict_or_is_named_as_without_one():
    named = " ".join([row.symbol for row in verdicts.TABLE])
    words = set(re.findall(r"\w+", named))
    without = set(re.findall(r"\w+", " ".join(verdicts.WITHOUT_VERDICT)))
    for module, names in OF_1_15.items():
        for name in names.split():
            assert (name in words) != (name in without), f"{module}.{name}"


def test_only_what_decodes_is_without_a_verdict():
    for symbol in verdicts.WITHOUT_VERDICT:
        assert symbol.startswith(("contrib.seq2seq.", "contrib.legacy_"))
