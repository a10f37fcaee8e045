"""TensorFlow 1's loops over time, in NumPy.

B rows, T steps, I inputs, O outputs. The cells are those of `tf1_cells`, and
states are nested as theirs. `sequence_length` [B] says how many steps of each
row are valid: past a row's end 0 goes out, and the state stays what it was.
"""

import numpy as np

from numpy_ref import ops
from numpy_ref.tf1_cells import map_state


def static_rnn(cell, inputs, initial_state=None, sequence_length=None):
    """One step after the other.

    Source: `tf.nn.static_rnn`.

    Args:
        cell: one of `tf1_cells`.
        inputs: list of T arrays [B, I].
        initial_state: nested as the cell's; zeros by default.
        sequence_length: [B] or None.

    Returns:
        (outputs, final_state): list of T arrays [B, O], and the state.
    """
    state = initial_state
    if state is None:
        state = cell.zero_state(len(inputs[0]))
    outputs = []
    for time, current_input in enumerate(inputs):
        output, new_state = cell.step_at(time, current_input, state)
        if sequence_length is not None:
            valid = time < np.asarray(sequence_length)
            output = np.where(_beside(output, valid), output, 0)
            new_state = copy_through(valid, new_state, state)
        outputs.append(output)
        state = new_state
    return outputs, state


def copy_through(valid, new_state, state):
    """The new state of the rows that are valid [B], the old of others."""
    return map_state(
        lambda new, old: np.where(_beside(new, valid), new, old),
        new_state,
        state,
    )


def _beside(array, valid):
    """valid [B] with as many axes as the array, [B, 1, ...]."""
    return np.reshape(valid, [-1] + [1] * (array.ndim - 1))


def dynamic_rnn(cell, inputs, initial_state=None, sequence_length=None):
    """`static_rnn` with the steps in one array.

    Source: `tf.nn.dynamic_rnn`, `time_major=False`. `LSTMBlockFusedCell`
    and one layer of `CudnnLSTM` or `CudnnGRU` are the same loop.

    Args:
        cell: one of `tf1_cells`.
        inputs: [B, T, I].
        initial_state: nested as the cell's; zeros by default.
        sequence_length: [B] or None.

    Returns:
        (outputs, final_state): [B, T, O], and the state.
    """
    if initial_state is None:
        initial_state = cell.zero_state(len(inputs))
    series = list(np.swapaxes(inputs, 0, 1))
    outputs, state = static_rnn(cell, series, initial_state, sequence_length)
    if not outputs:
        shape = (len(inputs), 0, cell.output_size)
        return np.zeros(shape, cell.dtype), state
    return np.stack(outputs, axis=1), state


def raw_rnn(cell, loop_fn):
    """A loop that a function of the user's feeds, emits from and stops.

    Before the first step and after every other, with the number of steps
    `time` done so far,

        finished, next_input, next_state, emit_output, loop_state = loop_fn(
            time, output, new_state, loop_state)

    finished [B] says which rows are over: their state stays what it was and
    0 is emitted for them. Before the first step the last three arguments are
    None, and what is emitted is not looked at.

    Source: `tf.nn.raw_rnn`.

    Args:
        cell: one of `tf1_cells`.
        loop_fn: as above.

    Returns:
        (outputs, final_state, loop_state): what was emitted, [B, T, ...],
        with as many steps T as it took.
    """
    done, current_input, state, _, loop_state = loop_fn(0, None, None, None)
    emitted = []
    while not np.all(done):
        output, new_state = cell.step_at(len(emitted), current_input, state)
        finished, current_input, new_state, emit_output, loop_state = loop_fn(
            len(emitted) + 1, output, new_state, loop_state
        )
        running = np.logical_not(done)
        emitted.append(
            np.where(_beside(emit_output, running), emit_output, 0)
        )
        state = copy_through(running, new_state, state)
        done = np.logical_or(done, finished)
    return np.stack(emitted, axis=1), state, loop_state


def reverse_sequence(series, sequence_length=None):
    """The valid steps of each row last to first; the others stay in place.

    Source: `tf.reverse_sequence`.

    Args:
        series: [B, T, ...].
        sequence_length: [B]; None is T for every row.
    """
    steps = np.arange(series.shape[1])
    if sequence_length is None:
        return series[:, ::-1]
    lengths = np.asarray(sequence_length)
    valid = ops.sequence_mask(lengths, len(steps))
    order = np.where(valid, lengths[:, np.newaxis] - 1 - steps, steps)
    return series[np.arange(len(series))[:, np.newaxis], order]


def bidirectional_dynamic_rnn(
    cell_fw,
    cell_bw,
    inputs,
    initial_state_fw=None,
    initial_state_bw=None,
    sequence_length=None,
):
    """One cell reads forward, another from each row's own end backward.

    Sources: Schuster and Paliwal, 1997; `tf.nn.bidirectional_dynamic_rnn`.

    Args:
        cell_fw, cell_bw: cells of `tf1_cells`.
        inputs: [B, T, I].
        initial_state_fw, initial_state_bw: zeros by default.
        sequence_length: [B] or None.

    Returns:
        ((output_fw, output_bw), (state_fw, state_bw)): outputs [B, T, O],
        both in the order of the inputs.
    """
    output_fw, state_fw = dynamic_rnn(
        cell_fw, inputs, initial_state_fw, sequence_length
    )
    backward = reverse_sequence(inputs, sequence_length)
    output_bw, state_bw = dynamic_rnn(
        cell_bw, backward, initial_state_bw, sequence_length
    )
    output_bw = reverse_sequence(output_bw, sequence_length)
    return (output_fw, output_bw), (state_fw, state_bw)


def stack_bidirectional_dynamic_rnn(
    cells_fw,
    cells_bw,
    inputs,
    initial_states_fw=None,
    initial_states_bw=None,
    sequence_length=None,
):
    """Bidirectional layers, each reading both directions of the one below.

    Source: `tf.contrib.rnn.stack_bidirectional_dynamic_rnn`.

    Args:
        cells_fw, cells_bw: a cell per layer, the lowest first.
        inputs: [B, T, I].
        initial_states_fw, initial_states_bw: a state per layer.
        sequence_length: [B] or None.

    Returns:
        (outputs, states_fw, states_bw): forward beside backward outputs of
        the top layer [B, T, O + O'], and a final state per layer.
    """
    none = [None] * len(cells_fw)
    states = []
    for layer in zip(
        cells_fw,
        cells_bw,
        initial_states_fw or none,
        initial_states_bw or none,
        strict=True,
    ):
        both, of_layer = bidirectional_dynamic_rnn(
            *layer[:2], inputs, *layer[2:], sequence_length
        )
        inputs = np.concat(both, axis=-1)
        states.append(of_layer)
    states_fw, states_bw = zip(*states, strict=True)
    return inputs, states_fw, states_bw
