"""One way to run a recurrent cell over time: static, dynamic or partial.

    from tf2.unroll import unroll

    outputs, state = unroll(cell, inputs, state)                # one loop
    outputs, state = unroll(cell, inputs, state, "static")      # T copies
    outputs, state = unroll(cell, inputs, state, 4)             # 4 a turn

All give the same numbers, and so do `sequence_length` and gradients. They
differ in what they cost: a static loop is a graph that grows with T, a
dynamic one is of one size, a partial one in between.

Where a cell multiplies its state by one matrix and the rest is elementwise
(`SimpleRNNCell`, `LSTMCell`, any `Split`), inputs are projected for all
steps at once, before the loop, and the matrix' gradient is one product
after the backward loop, not one a step within it. A training step becomes
several times faster.
"""

import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf


class Split(NamedTuple):
    """A cell in two halves: what does not need the state, and what does.

        z_t = project(x_t) + h_{t-1} recurrent_kernel            [B, K]
        output_t, state_t = activate(z_t, state_{t-1})

    where h is the first part of the state, as Keras orders it.

    Attributes:
        project: [T, B, I] -> [T, B, K]; called once, for all steps.
        recurrent_kernel: [H, K].
        activate: (z [B, K], state, a list of [B, ...]) -> (output [B, O],
            new state). Works on every row alone and uses no variables.
    """

    project: Callable
    recurrent_kernel: Any
    activate: Callable


def unroll(
    cell,
    inputs,
    state,
    unroll="dynamic",
    sequence_length=None,
    training=False,
):
    """Runs `cell` over the T steps of `inputs`.

    Args:
        cell: a Keras cell, such as `keras.layers.LSTMCell` or
            `StackedRNNCells`; a `Split`; or any function (inputs [B, I],
            state) -> (output [B, O], new state).
        inputs: [B, T, I]. B and T may be unknown, T only if "dynamic".
        state: the state before the first step, nested as the cell takes
            it: [h, c] for Keras' LSTM, a list of those for a stack.
        unroll: "static", "dynamic", or how many steps make one turn of the
            loop, a whole number that need not divide T. Without a graph
            all are the same Python loop.
        sequence_length: [B] whole numbers; past them a row's output is 0
            and its state stays what it was, as in TensorFlow 1.
        training: passed on to Keras cells, for their dropout.

    Returns:
        (outputs [B, T, O], final state), the state nested as it was given.

    Raises:
        ValueError: `unroll` is none of these, or not dynamic with T unknown.
    """
    inputs = tf.convert_to_tensor(inputs)
    _check(unroll, inputs)
    if not isinstance(cell, keras.layers.StackedRNNCells):
        return _one_cell(
            cell, inputs, state, unroll, sequence_length, training
        )
    new_state = []
    for layer, layer_state in zip(cell.cells, state, strict=True):
        inputs, layer_state = _one_cell(
            layer, inputs, layer_state, unroll, sequence_length, training
        )
        new_state.append(layer_state)
    flat = tf.nest.flatten(new_state)
    return inputs, tf.nest.pack_sequence_as(state, flat)


def _check(unroll, inputs):
    whole = isinstance(unroll, numbers.Integral) and unroll >= 1
    if isinstance(unroll, bool) or not (
        whole or unroll in ("static", "dynamic")
    ):
        raise ValueError(
            f"unroll is {unroll!r}; it must be 'static', 'dynamic' or a "
            "whole number of steps"
        )
    if inputs.shape.rank not in (3, None):
        raise ValueError(
            f"inputs have shape {inputs.shape}; they must be [batch, time, "
            "features]"
        )
    if unroll != "dynamic" and inputs.shape[1] is None:
        raise ValueError(
            f"the number of time steps is unknown in {inputs.shape}; only a "
            "dynamic loop can do without"
        )


def _one_cell(cell, inputs, state, unroll, sequence_length, training):
    series = [tf.transpose(inputs, [1, 0, 2])]  # time first from here on
    if sequence_length is not None:
        valid = tf.sequence_mask(sequence_length, tf.shape(inputs)[1])
        valid = tf.ensure_shape(tf.transpose(valid), series[0].shape[:2])
        series.append(valid[..., None])  # [T, B, 1]
    flat = [tf.convert_to_tensor(part) for part in tf.nest.flatten(state)]
    if isinstance(cell, keras.Layer) and not cell.built:
        cell.build((None, inputs.shape[-1]))
    split = _split(cell)
    if split is None:
        cell = _callable(cell, series[0], flat, training)
        outputs, flat = _run_whole(cell, series, flat, state, unroll)
    else:
        outputs, flat = _run_split(split, series, flat, unroll)
    outputs = tf.transpose(outputs, [1, 0, 2])
    return outputs, tf.nest.pack_sequence_as(state, flat)


def _held(valid, output, new_state, state):
    """Past a row's end 0 goes out and the state stays."""
    if not valid:
        return output, new_state
    (valid,) = valid
    output = tf.where(valid, output, tf.zeros_like(output))
    kept = [
        tf.where(valid, new, old)
        for new, old in zip(new_state, state, strict=True)
    ]
    return output, kept


# --- Any cell: TensorFlow differentiates the loop ---


def _run_whole(cell, series, flat, state, unroll):
    def step(items, flat):
        inputs, *valid = items
        nested = tf.nest.pack_sequence_as(state, flat)
        output, new_state = cell(inputs, nested)
        output, flat = _held(valid, output, tf.nest.flatten(new_state), flat)
        return [output], flat

    (outputs,), flat = _loop(step, series, flat, unroll)
    return outputs, flat


def _callable(cell, series, flat, training):
    """A Keras cell as a function of inputs and state."""
    if not isinstance(cell, keras.Layer):
        return cell
    if training and hasattr(cell, "reset_dropout_mask"):
        # One mask for all steps, drawn outside the loop, as Keras does.
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
        cell.get_dropout_mask(series[0])
        cell.get_recurrent_dropout_mask(flat[0])
    if cell._call_has_training_arg:
        return lambda inputs, state: cell(inputs, state, training=training)
    return cell


# --- Cells that split: project before the loop, weight gradient after it ---


def _run_split(split, series, flat, unroll):
    inputs, *valid = series
    kernel = tf.convert_to_tensor(split.recurrent_kernel)

    def activate(z, state, valid):
        output, new_state = split.activate(z, state)
        return _held(valid, output, new_state, state)

    def step(items, state):
        projected, *valid = items
        z = projected + tf.matmul(state[0], kernel)
        output, new_state = activate(z, state, valid)
        # One array to write to is faster than several. An output that is
        # the state, as an LSTM's, is written once.
        written = [output, z, *new_state]
        if output is new_state[0]:
            del written[2]
        return [tf.concat(written, -1)], new_state

    def step_back(items, d_state):
        d_output, z, *rest = items
        state, valid = rest[: len(flat)], rest[len(flat) :]
        with tf.GradientTape() as tape:
            tape.watch([z, *state])
            output, new_state = activate(z, state, valid)
        d_z, *d_state = tape.gradient(
            [output, *new_state],
            [z, *state],
            [d_output, *d_state],
            unconnected_gradients="zero",
        )
        d_state[0] += tf.matmul(d_z, kernel, transpose_b=True)
        return [d_z], d_state

    @tf.custom_gradient
    def run(projected, kernel, *flat):
        (written,), last = _loop(step, [projected, *valid], flat, unroll)
        outputs, z, *after = _parted(written, projected, flat)
        states = [
            tf.concat([first[None], series[:-1]], 0)
            for first, series in zip(flat, after, strict=True)
        ]

        def gradients(d_outputs, *d_last):
            (d_z,), d_flat = _loop(
                step_back,
                [d_outputs, z, *states, *valid],
                d_last,
                unroll,
                backwards=True,
            )
            d_kernel = tf.matmul(
                _rows(states[0]), _rows(d_z), transpose_a=True
            )
            return d_z, d_kernel, *d_flat

        return (outputs, *last), gradients

    outputs, *flat = run(split.project(inputs), kernel, *flat)
    return outputs, flat


def _parted(written, projected, flat):
    """What `step` wrote: outputs, z, and the state after every step."""
    widths = [part.shape[-1] for part in (projected, *flat)]
    left = written.shape[-1] - sum(widths)
    if left:
        return tf.split(written, [left, *widths], axis=-1)
    widths.insert(0, widths.pop(1))
    outputs, z, *others = tf.split(written, widths, axis=-1)
    return [outputs, z, outputs, *others]


def _rows(series):
    """[T, B, K] -> [T * B, K]."""
    return tf.reshape(series, [-1, series.shape[-1]])


def _split(cell):
    """`cell` in halves, or None where that cannot be had."""
    if isinstance(cell, Split):
        return cell
    if type(cell) is keras.layers.SimpleRNNCell:
        activate = _activate_simple_rnn
    elif type(cell) is keras.layers.LSTMCell:
        activate = _activate_lstm
    else:
        return None
    if cell.dropout or cell.recurrent_dropout:
        return None
    if cell.compute_dtype != cell.variable_dtype:
        return None

    def project(inputs):
        projected = tf.tensordot(inputs, tf.convert_to_tensor(cell.kernel), 1)
        if cell.use_bias:
            projected += tf.convert_to_tensor(cell.bias)
        return projected

    return Split(project, cell.recurrent_kernel, activate(cell))


def _activate_simple_rnn(cell):
    def activate(z, _state):
        hidden = cell.activation(z)
        return hidden, [hidden]

    return activate


def _activate_lstm(cell):
    def activate(z, state):
        i, f, j, o = tf.split(z, 4, axis=-1)
        c = cell.recurrent_activation(f) * state[1]
        c += cell.recurrent_activation(i) * cell.activation(j)
        h = cell.recurrent_activation(o) * cell.activation(c)
        return h, [h, c]

    return activate


# --- The loop itself ---


def _loop(step, series, state, unroll, backwards=False):
    """Calls step(items, state) -> (outputs, state) once a time step.

    Args:
        step: takes one item [...] of each series.
        series: a list of [T, ...].
        state: a sequence of tensors.
        unroll: as in `unroll`.
        backwards: from the last item to the first.

    Returns:
        (a list of [T, ...], final state); outputs stay where their items
        were.
    """
    steps = series[0].shape[0]
    if unroll == "static" or tf.executing_eagerly():
        return _copies(step, series, state, backwards)
    if unroll == "dynamic":
        return _turns(step, series, state, 1, backwards)
    turned = steps - steps % unroll
    whole, rest = [x[:turned] for x in series], [x[turned:] for x in series]
    pieces = []
    if turned:
        pieces.append(
            lambda state: _turns(step, whole, state, int(unroll), backwards)
        )
    if turned < steps:
        pieces.append(lambda state: _copies(step, rest, state, backwards))
    outputs = []
    for piece in reversed(pieces) if backwards else pieces:
        part, state = piece(state)
        outputs.append(part)
    if backwards:
        outputs.reverse()
    return [tf.concat(parts, 0) for parts in zip(*outputs)], state


def _copies(step, series, state, backwards):
    """A copy of the step for every item."""
    every = list(zip(*(tf.unstack(x) for x in series), strict=True))
    results = []
    for items in reversed(every) if backwards else every:
        outputs, state = step(list(items), list(state))
        results.append(outputs)
    if backwards:
        results.reverse()
    return [tf.stack(parts) for parts in zip(*results)], list(state)


def _turns(step, series, state, size, backwards):
    """A while loop with `size` copies of the step in its body."""
    series = [_blocks(x, size) for x in series]
    turns = series[0].shape[0]
    turns = tf.shape(series[0])[0] if turns is None else turns
    items = [_array(turns, x[0]).unstack(x) for x in series]

    def run(items, state):
        if size == 1:
            return step(items, state)
        return _copies(step, items, state, backwards)

    def turn(count, outputs, state):
        at = turns - 1 - count if backwards else count
        results, new_state = run([item.read(at) for item in items], state)
        new_state = [
            tf.ensure_shape(new, old.shape)
            for new, old in zip(new_state, state, strict=True)
        ]
        outputs = [
            array.write(at, result)
            for array, result in zip(outputs, results, strict=True)
        ]
        return count + 1, outputs, new_state

    like = _results_like(run, [x[0] for x in series], state)
    _, outputs, state = tf.while_loop(
        lambda count, *_: count < turns,
        turn,
        (0, [_array(turns, result) for result in like], list(state)),
        maximum_iterations=turns,
    )
    return [_unblocked(array.stack(), size) for array in outputs], state


def _results_like(run, items, state):
    """Specs of what a turn puts out, without running it."""
    specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, [items, state])
    traced = tf.function(lambda *both: run(*both)[0])
    return traced.get_concrete_function(*specs).structured_outputs


def _array(size, like):
    return tf.TensorArray(like.dtype, size, element_shape=like.shape)


def _blocks(series, size):
    """[T, ...] -> [T / size, size, ...], or as it is for a size of 1."""
    if size == 1:
        return series
    turns, shape = series.shape[0] // size, tf.shape(series)[1:]
    blocks = tf.reshape(series, tf.concat([[turns, size], shape], 0))
    return tf.ensure_shape(blocks, [turns, size, *series.shape[1:]])


def _unblocked(blocks, size):
    """The way back from `_blocks`."""
    if size == 1:
        return blocks
    steps, shape = blocks.shape[0] * size, tf.shape(blocks)[2:]
    series = tf.reshape(blocks, tf.concat([[steps], shape], 0))
    return tf.ensure_shape(series, [steps, *blocks.shape[2:]])
