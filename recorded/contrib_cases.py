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
}
