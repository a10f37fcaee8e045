"""The cases of `record_cells.py` that need more than a cell in a loop.

Each is a function of `record_cells.Program`, as all cases there. What went in
besides inputs, lengths and states is recorded under its own name.
"""

import numpy as np

UNITS = 5
STEPS = 6
FREQUENCIES = 7  # of the inputs that a cell takes apart


def run(p, cell, inputs, state=None):
    """The cell in a dynamic loop, with lengths."""
    lengths = p.lengths()
    if state is None:
        state = p.state(cell.state_size)
    # Some cells leave the dtype of variables to the scope.
    with p.tf.variable_scope(p.tf.get_variable_scope(), dtype=p.dtype):
        outputs = p.tf.nn.dynamic_rnn(cell, inputs, lengths, state)
    p.fetch(*outputs)


class StateSaver:
    """Keeps a state from one call to the next, as a queue would."""

    def __init__(self, states):
        self.states = states

    def state(self, name):
        return self.states[name]

    def save_state(self, name, value):
        self.states[name] = value
        return value


def static_state_saving_rnn(p):
    """Two calls, each over a half of the steps; the second goes on."""
    tf = p.tf
    inputs, lengths = p.inputs(), p.lengths()
    cell = p.nn.LSTMCell(UNITS)
    saver = StateSaver(p.state(cell.state_size)._asdict())
    half, outputs = STEPS // 2, []
    for start in (0, half):
        with tf.variable_scope("", reuse=tf.AUTO_REUSE):
            series, _ = tf.nn.static_state_saving_rnn(
                cell,
                tf.unstack(inputs[:, start : start + half], axis=1),
                saver,
                ("c", "h"),
                sequence_length=tf.clip_by_value(lengths - start, 0, half),
            )
        outputs += series
    p.fetch(tf.stack(outputs, axis=1), (saver.state("c"), saver.state("h")))


def attention_cell_wrapper(p, **options):
    cell = p.rnn.AttentionCellWrapper(
        p.nn.BasicLSTMCell(UNITS, forget_bias=0.3), attn_length=4, **options
    )
    run(p, cell, p.inputs())


def conv_lstm_cell(p, kind, shape, **options):
    """Images [B, T, *shape, 3] in, [B, T, *shape, 2] out."""
    inputs = p.draw((4, STEPS, *shape, 3))
    cell = getattr(p.rnn, kind)(
        input_shape=[*shape, 3], output_channels=2, **options
    )
    run(p, cell, p.place("inputs", inputs))


def conv_lstm_cell_skip(p):
    """One step: a second one meets a state that has grown by the inputs."""
    inputs = p.place("inputs", p.draw((4, 1, 4, 3)))
    cell = p.rnn.Conv1DLSTMCell(
        input_shape=[4, 3],
        output_channels=2,
        kernel_shape=[3],
        skip_connection=True,
    )
    output, state = cell(inputs[:, 0], p.state(cell.state_size))
    p.fetch(p.tf.expand_dims(output, 1), state)


def grid_lstm_cell(p, kind="GridLSTMCell", **options):
    cell = getattr(p.rnn, kind)(3, feature_size=3, **options)
    run(p, cell, p.inputs(FREQUENCIES))


def time_freq_lstm_cell(p, **options):
    """Unrolled, without lengths: it says its sizes are those of one place."""
    series = p.tf.unstack(p.inputs(FREQUENCIES), axis=1)
    cell = p.rnn.TimeFreqLSTMCell(
        3, feature_size=3, frequency_skip=2, **options
    )
    state = p.state(3 * cell.state_size)
    outputs, final_state = p.tf.nn.static_rnn(cell, series, state)
    p.fetch(p.tf.stack(outputs, axis=1), final_state)


def phased_lstm_cell(p, **options):
    """The first column of the inputs is the time, which runs on."""
    inputs = p.draw((4, STEPS, 4))
    inputs[..., 0] = np.cumsum(np.abs(inputs[..., 0]), axis=1)
    inputs = p.place("inputs", inputs)
    p.positive = "period", "ratio_on"
    cell = p.rnn.PhasedLSTMCell(UNITS, leak=0.25, **options)
    run(p, cell, (inputs[..., :1], inputs[..., 1:]))


# --- contrib.grid_rnn ---


def grid_rnn_cell(p, kind, **options):
    cell = getattr(p.tf.contrib.grid_rnn, kind)(
        UNITS, output_is_tuple=False, **options
    )
    run(p, cell, p.inputs())


# --- contrib.seq2seq ---


def attention_wrapper(p, kind, attention_size=None, **options):
    """Reads a memory [B, 7, 4] of which not all steps are valid."""
    seq2seq = p.tf.contrib.seq2seq
    memory = p.place("memory", p.draw((4, 7, 4)))
    lengths = np.array([7, 1, 4, 2], np.int32)
    lengths = p.place("memory_lengths", lengths, p.tf.int32)
    mechanism = getattr(seq2seq, kind)(
        UNITS if kind == "LuongAttention" else 2,
        memory,
        lengths,
        dtype=p.dtype,
        **options,
    )
    cell = seq2seq.AttentionWrapper(
        p.nn.BasicLSTMCell(UNITS),
        mechanism,
        attention_layer_size=attention_size,
        output_attention=attention_size is not None,
    )
    start = cell.zero_state(4, p.dtype)
    size = cell.state_size
    cell_state, attention, alignments = p.state(
        (size.cell_state, size.attention, size.alignments)
    )
    start = start.clone(
        cell_state=cell_state, attention=attention, alignments=alignments
    )
    outputs, final = p.tf.nn.dynamic_rnn(
        cell, p.inputs(), p.lengths(), start, p.dtype
    )
    p.fetch(outputs, (final.cell_state, final.attention, final.alignments))


def decode(p, make_helper):
    """A decoder with a dense layer above it; stops where the helper says."""
    seq2seq = p.tf.contrib.seq2seq
    cell = p.nn.GRUCell(UNITS)
    decoder = seq2seq.BasicDecoder(
        cell,
        make_helper(seq2seq),
        p.state(cell.state_size),
        output_layer=p.tf.layers.Dense(CLASSES),
    )
    outputs, final_state, _ = seq2seq.dynamic_decode(
        decoder, impute_finished=True, maximum_iterations=2 * STEPS
    )
    p.fetch(outputs.rnn_output, final_state)


CLASSES, GO, END = 7, 1, 6


def training_helper(p):
    inputs, lengths = p.inputs(), p.lengths()
    decode(p, lambda seq2seq: seq2seq.TrainingHelper(inputs, lengths))


def greedy_embedding_helper(p):
    """Each output's largest class is looked up and fed, until it is END."""
    go = p.place("inputs", np.full((4, 1, 1), GO, np.int32), p.tf.int32)
    # Large enough for the classes to change on the way.
    embedding = 8 * p.tf.get_variable("embedding", [CLASSES, 3], p.dtype)
    decode(
        p,
        lambda seq2seq: seq2seq.GreedyEmbeddingHelper(
            embedding, go[:, 0, 0], END
        ),
    )


# --- contrib.legacy_seq2seq ---


def rnn_decoder(p, feedback=False):
    inputs = p.inputs(UNITS if feedback else 3)
    cell = p.nn.GRUCell(UNITS)
    outputs, final_state = p.tf.contrib.legacy_seq2seq.rnn_decoder(
        p.tf.unstack(inputs, axis=1),
        p.state(cell.state_size),
        cell,
        loop_function=(lambda output, _: 0.5 - output) if feedback else None,
    )
    p.fetch(p.tf.stack(outputs, axis=1), final_state)


def rnn_seq2seq(p, kind):
    encoded = p.place("encoder_inputs", p.draw((4, 4, 3)))
    outputs, final_state = getattr(p.tf.contrib.legacy_seq2seq, kind)(
        p.tf.unstack(encoded, axis=1),
        p.tf.unstack(p.inputs(), axis=1),
        p.nn.BasicLSTMCell(UNITS),
        dtype=p.dtype,
    )
    p.fetch(p.tf.stack(outputs, axis=1), final_state)


def embedding_rnn_seq2seq(p):
    """Six symbols in, seven out; without `feed_previous`."""
    given = {}
    for name, symbols in (("encoder_inputs", 6), ("inputs", CLASSES)):
        chosen = p.rng.randint(0, symbols, (4, STEPS, 1)).astype(np.int32)
        given[name] = p.place(name, chosen, p.tf.int32)
    outputs, final_state = p.tf.contrib.legacy_seq2seq.embedding_rnn_seq2seq(
        p.tf.unstack(given["encoder_inputs"][..., 0], axis=1),
        p.tf.unstack(given["inputs"][..., 0], axis=1),
        p.nn.BasicLSTMCell(UNITS),
        6,
        CLASSES,
        3,
        dtype=p.dtype,
    )
    p.fetch(p.tf.stack(outputs, axis=1), final_state)


def embedding_rnn_decoder(p, feed_previous=False):
    """Seven units, so that an output is a class where it is fed back."""
    symbols = p.rng.randint(0, CLASSES, (4, STEPS, 1)).astype(np.int32)
    inputs = p.place("inputs", symbols, p.tf.int32)
    cell = p.nn.GRUCell(CLASSES)
    with p.tf.variable_scope("embedding_rnn_decoder", dtype=p.dtype) as scope:
        outputs, final_state = (
            p.tf.contrib.legacy_seq2seq.embedding_rnn_decoder(
                p.tf.unstack(inputs[..., 0], axis=1),
                p.state(cell.state_size),
                cell,
                CLASSES,
                3,
                feed_previous=feed_previous,
                scope=scope,
            )
        )
    p.fetch(p.tf.stack(outputs, axis=1), final_state)


ALL = {
    "static_state_saving_rnn": static_state_saving_rnn,
    "AttentionCellWrapper": attention_cell_wrapper,
    "AttentionCellWrapper all": lambda p: attention_cell_wrapper(
        p, attn_size=3, attn_vec_size=2, input_size=6
    ),
    "Conv1DLSTMCell": lambda p: conv_lstm_cell(
        p, "Conv1DLSTMCell", (4,), kernel_shape=[2], use_bias=False
    ),
    "Conv2DLSTMCell": lambda p: conv_lstm_cell(
        p, "Conv2DLSTMCell", (4, 3), kernel_shape=[3, 2], forget_bias=0.3
    ),
    "Conv3DLSTMCell": lambda p: conv_lstm_cell(
        p, "Conv3DLSTMCell", (3, 2, 4), kernel_shape=[1, 2, 3]
    ),
    "ConvLSTMCell skip": conv_lstm_cell_skip,
    "TimeFreqLSTMCell": time_freq_lstm_cell,
    "TimeFreqLSTMCell all": lambda p: time_freq_lstm_cell(
        p, use_peepholes=True, cell_clip=0.5, forget_bias=0.3
    ),
    "GridLSTMCell": lambda p: grid_lstm_cell(
        p, frequency_skip=2, num_frequency_blocks=[3]
    ),
    "GridLSTMCell all": lambda p: grid_lstm_cell(
        p,
        use_peepholes=True,
        cell_clip=0.5,
        forget_bias=0.3,
        frequency_skip=1,
        num_frequency_blocks=[2, 3],
        start_freqindex_list=[0, 2],
        end_freqindex_list=[4, 7],
    ),
    "GridLSTMCell shared": lambda p: grid_lstm_cell(
        p,
        use_peepholes=True,
        share_time_frequency_weights=True,
        couple_input_forget_gates=True,
        frequency_skip=2,
        num_frequency_blocks=[3],
    ),
    "BidirectionalGridLSTMCell": lambda p: grid_lstm_cell(
        p,
        "BidirectionalGridLSTMCell",
        use_peepholes=True,
        frequency_skip=2,
        num_frequency_blocks=[3],
        backward_slice_offset=1,
    ),
    "PhasedLSTMCell": phased_lstm_cell,
    "PhasedLSTMCell peepholes": lambda p: phased_lstm_cell(
        p, use_peepholes=True
    ),
    "Grid1BasicRNNCell": lambda p: grid_rnn_cell(p, "Grid1BasicRNNCell"),
    "Grid1BasicLSTMCell": lambda p: grid_rnn_cell(
        p, "Grid1BasicLSTMCell", forget_bias=0.3
    ),
    "Grid1LSTMCell": lambda p: grid_rnn_cell(
        p, "Grid1LSTMCell", use_peepholes=True
    ),
    "Grid2BasicRNNCell": lambda p: grid_rnn_cell(p, "Grid2BasicRNNCell"),
    "Grid2BasicLSTMCell": lambda p: grid_rnn_cell(
        p, "Grid2BasicLSTMCell", tied=True
    ),
    "Grid2LSTMCell": lambda p: grid_rnn_cell(
        p, "Grid2LSTMCell", use_peepholes=True, forget_bias=0.3
    ),
    "Grid2GRUCell": lambda p: grid_rnn_cell(p, "Grid2GRUCell"),
    "Grid3LSTMCell": lambda p: grid_rnn_cell(p, "Grid3LSTMCell"),
    "BahdanauAttention": lambda p: attention_wrapper(p, "BahdanauAttention"),
    "BahdanauAttention normalize": lambda p: attention_wrapper(
        p, "BahdanauAttention", 6, normalize=True
    ),
    "LuongAttention": lambda p: attention_wrapper(p, "LuongAttention", 6),
    "LuongAttention scale": lambda p: attention_wrapper(
        p, "LuongAttention", scale=True
    ),
    "TrainingHelper": training_helper,
    "GreedyEmbeddingHelper": greedy_embedding_helper,
    "rnn_decoder": rnn_decoder,
    "rnn_decoder feedback": lambda p: rnn_decoder(p, True),
    "basic_rnn_seq2seq": lambda p: rnn_seq2seq(p, "basic_rnn_seq2seq"),
    "tied_rnn_seq2seq": lambda p: rnn_seq2seq(p, "tied_rnn_seq2seq"),
    "embedding_rnn_seq2seq": embedding_rnn_seq2seq,
    "embedding_rnn_decoder": embedding_rnn_decoder,
    "embedding_rnn_decoder feedback": lambda p: embedding_rnn_decoder(
        p, True
    ),
}
