"""One way to run a recurrent cell over time: static, dynamic or partial.

    from tf2.unroll import unroll

    outputs, state = unroll(cell, inputs, state)                # one loop
    outputs, state = unroll(cell, inputs, state, "static")      # T copies
    outputs, state = unroll(cell, inputs, state, 4)             # 4 a turn

All give the same numbers, and so do `sequence_length` and gradients. They
differ in what they cost: a static loop is a graph that grows with T, a
dynamic one is of one size, a partial one in between.

Where a cell multiplies its state by one matrix and the rest is elementwise
(`SimpleRNNCell` and `LSTMCell` with activations of Keras or TensorFlow, any
`Split`), inputs are projected for all steps at once, before the loop, and
the matrix' gradient is one product after the backward loop, not one a step
within it. A training step becomes several times faster.
"""

import contextlib
import numbers
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

# Numbers in a batch of states [B, H] below which it is quicker to compute a
# step once more than to write what its derivative needs.
_LITTLE = 200


class Split(NamedTuple):
    """A cell in two halves: what does not need the state, and what does.

        z_t = project(x_t) + h_{t-1} recurrent_kernel + bias     [B, K]
        output_t, state_t = activate(z_t, state_{t-1})

    where h is the first part of the state, as Keras orders it.

    Attributes:
        project: [T, B, I] -> [T, B, K]; called once, for all steps.
        recurrent_kernel: [H, K].
        activate: (z [B, K], state, a list of [B, ...]) -> (output [B, O],
            new state), all floating. Works on every row alone; gets no
            gradient for variables and tensors it takes from elsewhere.
        derivative: None, and TensorFlow differentiates `activate`, which
            it computes once more for that; or by hand, (kept, state,
            d_output, d_new_state) -> (d_z, d_state). `activate` then
            returns, third, what to keep for it, a list of [B, ...]; parts
            of its new state are kept at no cost.
        bias: [K], or None for no bias. It could be in `project`, but there
            it is one more pass over all steps.
    """

    project: Callable
    recurrent_kernel: Any
    activate: Callable
    derivative: Callable | None = None
    bias: Any = None


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
            it: [h, c] for Keras' LSTM, a list of those for a stack. It and
            `inputs` become of a Keras cell's dtype, as in Keras' `RNN`.
        unroll: "static", "dynamic", or how many steps make one turn of the
            loop, a whole number that need not divide T. Without a graph
            all are the same Python loop.
        sequence_length: [B] whole numbers; past them a row's output is 0
            and its state stays what it was, as in TensorFlow 1; so does a
            state without rows, a scalar, go on.
        training: passed on to Keras cells, for their dropout.

    Returns:
        (outputs [B, T, O], final state), the state nested as it was given.

    Raises:
        ValueError: `unroll` is none of these, or not dynamic with T unknown;
            or shapes are not as above.
    """
    if isinstance(inputs, tf.RaggedTensor):
        raise ValueError(
            "inputs are ragged; give inputs.to_tensor(), and "
            "sequence_length=inputs.row_lengths()"
        )
    if state is None:
        raise ValueError(
            "state is None; start from cell.get_initial_state(batch_size=...)"
        )
    inputs = tf.convert_to_tensor(inputs)
    _check(unroll, inputs)
    if not isinstance(cell, keras.layers.StackedRNNCells):
        return _one_cell(
            cell, inputs, state, unroll, sequence_length, training
        )
    several = isinstance(state, (list, tuple))
    if not several or len(state) != len(cell.cells):
        raise ValueError(
            f"the state of a stack of {len(cell.cells)} cells must be a "
            f"list of their {len(cell.cells)} states; it is {_shapes(state)}"
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
    named = isinstance(unroll, str) and unroll in ("static", "dynamic")
    if isinstance(unroll, bool) or not (whole or named):
        raise ValueError(
            f"unroll is {unroll!r}; it must be 'static', 'dynamic' or a "
            "whole number of steps"
        )
    if inputs.shape.rank not in (3, None):
        raise ValueError(
            f"inputs have shape {inputs.shape}; they must be [batch, time, "
            "features]"
        )
    if inputs.shape.rank and inputs.shape[1] == 0:
        raise ValueError(
            f"inputs have shape {inputs.shape}; there must be one time step "
            "at least"
        )
    if unroll != "dynamic" and inputs.shape[1] is None:
        raise ValueError(
            f"the number of time steps is unknown in {inputs.shape}; only a "
            "dynamic loop can do without"
        )


def _one_cell(cell, inputs, state, unroll, sequence_length, training):
    flat = [tf.convert_to_tensor(part) for part in tf.nest.flatten(state)]
    if isinstance(cell, keras.Layer):
        _check_state(cell, inputs, state, flat)
        inputs, *flat = (_as_keras_casts(cell, x) for x in [inputs, *flat])
        if not cell.built:
            cell.build((None, inputs.shape[-1]))
    series = [tf.transpose(inputs, [1, 0, 2])]  # time first from here on
    if sequence_length is not None:
        series.append(_valid(sequence_length, series[0]))
    split = _split(cell)
    if split is None:
        outputs, flat = _run_whole(
            cell, series, flat, state, unroll, training
        )
    else:
        outputs, flat = _run_split(split, series, flat, unroll)
    outputs = tf.transpose(outputs, [1, 0, 2])
    return outputs, tf.nest.pack_sequence_as(state, flat)


def _check_state(cell, inputs, state, flat):
    """What Keras' own cells take is known; others may take anything."""
    layers = keras.layers
    if isinstance(cell, layers.LSTMCell):
        parts = ["h", "c"]
    elif isinstance(cell, (layers.GRUCell, layers.SimpleRNNCell)):
        parts = ["h"]
    else:
        return
    # By name c comes first: `LSTMStateTuple` is (c, h), a dict is sorted.
    named = hasattr(state, "_fields") or isinstance(state, dict)
    batch = inputs.shape[0]
    fits = [x.shape.is_compatible_with([batch, cell.units]) for x in flat]
    if named or len(flat) != len(parts) or not all(fits):
        raise ValueError(
            f"the state of {cell.name} must be [{', '.join(parts)}], each "
            f"[{batch or 'batch'}, {cell.units}]; it is {_shapes(state)}"
        )


def _shapes(state):
    return tf.nest.map_structure(
        lambda part: tf.convert_to_tensor(part).shape, state
    )


def _as_keras_casts(cell, tensor):
    if tensor.dtype.is_floating:
        return tf.cast(tensor, cell.compute_dtype)
    return tensor


def _valid(sequence_length, series):
    """[T, B, 1]: whether a step of a row is within its length."""
    steps, batch = series.shape[:2]
    lengths = tf.convert_to_tensor(sequence_length)
    if not lengths.shape.is_compatible_with([batch]):
        raise ValueError(
            f"sequence_length has shape {lengths.shape}; it must be "
            f"[{batch or 'batch'}], a number for every row"
        )
    valid = tf.transpose(tf.sequence_mask(lengths, tf.shape(series)[0]))
    return tf.ensure_shape(valid, [steps, batch])[..., None]


def _held(valid, output, new_state, state):
    """Past a row's end 0 goes out and the state stays."""
    if not valid:
        return output, new_state
    (valid,) = valid

    def choose(new, old):
        rank, rows = new.shape.rank, valid
        if rank == 0:  # of no row; TensorFlow 1 lets it go on
            return new
        if rank not in (2, None):
            rows = tf.reshape(valid, [-1] + [1] * (rank - 1))
        return tf.where(rows, new, old)

    kept = [
        choose(new, old) for new, old in zip(new_state, state, strict=True)
    ]
    return choose(output, tf.zeros_like(output)), kept


# --- Any cell: TensorFlow differentiates the loop ---


def _run_whole(cell, series, flat, state, unroll, training):
    call = cell
    if getattr(cell, "_call_has_training_arg", False):

        def call(inputs, state):
            return cell(inputs, state, training=training)

    def step(items, flat):
        inputs, *valid = items
        nested = tf.nest.pack_sequence_as(state, flat)
        output, new_state = call(inputs, nested)
        new_flat = map(tf.convert_to_tensor, tf.nest.flatten(new_state))
        output, flat = _held(valid, output, list(new_flat), flat)
        return [output], flat

    with _one_mask(cell, training, lambda: step([series[0][0]], flat)):
        (outputs,), flat = _loop(step, series, flat, unroll)
    return outputs, flat


@contextlib.contextmanager
def _one_mask(cell, training, first_step):
    """Dropout of a Keras cell, or of cells in it, is alike at all steps.

    Such a cell keeps the mask it drew. It must draw outside the loop, in
    whose body tensors live for a step only, and forget it afterwards.
    """
    layers = cell._flatten_layers() if isinstance(cell, keras.Layer) else []
    cells = [one for one in layers if hasattr(one, "reset_dropout_mask")]

    def forget():
        for one in cells:
            one.reset_dropout_mask()
            one.reset_recurrent_dropout_mask()

    forget()
    try:
        if training and cells:
            first_step()
        yield
    finally:
        forget()


# --- Cells that split: project before the loop, weight gradient after it ---


def _run_split(split, series, flat, unroll):
    inputs, *valid = series
    first_kept = 1 + len(valid) + len(flat)  # after d_output, valid, state
    kernel = tf.convert_to_tensor(split.recurrent_kernel)
    transposed = tf.transpose(kernel)  # once, not at every step back
    bias = [] if split.bias is None else [tf.convert_to_tensor(split.bias)]
    by_hand = split.derivative is not None and not _little(flat[0].shape)
    if not by_hand:
        split = _differentiated(split)
    # Little is written sooner to one array, much sooner to several.
    written = _Written(together=not by_hand)

    def step(items, state):
        projected, *valid = items
        z = projected + tf.matmul(state[0], kernel)
        if bias:
            z += bias[0]
        output, new_state, kept = split.activate(z, state)
        output, new_state = _held(valid, output, new_state, state)
        return written.pack([output, *new_state, *kept]), new_state

    def step_back(items, d_new_state):
        d_output, *valid_and_state = items[:first_kept]
        valid = valid_and_state[: -len(flat)]
        state = valid_and_state[-len(flat) :]
        d_z, d_state = split.derivative(
            items[first_kept:], state, d_output, d_new_state
        )
        d_z, d_state = _held(valid, d_z, d_state, d_new_state)
        d_state[0] += tf.matmul(d_z, transposed)
        return [d_z], d_state

    @tf.custom_gradient
    def run(projected, kernel, *bias_and_flat):
        flat = bias_and_flat[len(bias) :]
        arrays, last = _loop(step, [projected, *valid], flat, unroll)
        outputs, *others = written.unpack(arrays)
        after, kept = others[: len(flat)], others[len(flat) :]
        states = [
            tf.concat([first[None], series[:-1]], 0)
            for first, series in zip(flat, after, strict=True)
        ]

        def gradients(d_outputs, *d_last):
            (d_z,), d_flat = _loop(
                step_back,
                [d_outputs, *valid, *states, *kept],
                d_last,
                unroll,
                backwards=True,
                into=[projected],
            )
            d_kernel = tf.matmul(
                _rows(states[0]), _rows(d_z), transpose_a=True
            )
            d_bias = [tf.reduce_sum(d_z, [0, 1]) for _ in bias]
            return d_z, d_kernel, *d_bias, *d_flat

        return (outputs, *last), gradients

    outputs, *flat = run(split.project(inputs), kernel, *bias, *flat)
    return outputs, flat


def _little(shape):
    return shape.is_fully_defined() and shape.num_elements() < _LITTLE


class _Written:
    """What every step leaves behind, each tensor once.

    Args:
        together: in one array, if all are [B, K] of one dtype, or each in an
            array of its own.
    """

    def __init__(self, together):
        self.together = together

    def pack(self, tensors):
        """Tensors [B, ...], some of them the same, -> what to write."""
        unique = {id(tensor): tensor for tensor in tensors}
        order = list(unique)
        self.places = [order.index(id(tensor)) for tensor in tensors]
        kinds = {(tensor.dtype, tensor.shape.rank) for tensor in tensors}
        self.together &= kinds == {(tensors[0].dtype, 2)}
        if self.together:
            self.widths = [tensor.shape[1] for tensor in unique.values()]
            return [tf.concat(list(unique.values()), -1)]
        return list(unique.values())

    def unpack(self, arrays):
        """What was written [T, B, ...] -> one array for every tensor."""
        if self.together:
            arrays = tf.split(arrays[0], self.widths, axis=-1)
        return [arrays[place] for place in self.places]


def _differentiated(split):
    """`split` with what TensorFlow makes of its `activate` for derivative."""

    def activate(z, state):
        output, new_state, *_ = split.activate(z, state)
        return output, new_state, [z]

    def derivative(kept, state, d_output, d_new_state):
        (z,) = kept
        with tf.GradientTape() as tape:
            tape.watch([z, *state])
            output, new_state, *_ = split.activate(z, state)
        d_z, *d_state = tape.gradient(
            [output, *new_state],
            [z, *state],
            [d_output, *d_new_state],
            unconnected_gradients="zero",
        )
        return d_z, d_state

    return split._replace(activate=activate, derivative=derivative)


def _rows(series):
    """[T, B, K] -> [T * B, K]."""
    return tf.reshape(series, [-1, series.shape[-1]])


def _split(cell):
    """`cell` in halves, or None where that cannot be had."""
    if isinstance(cell, Split):
        return cell
    if type(cell) is keras.layers.SimpleRNNCell:
        halves, activations = _simple_rnn, [cell.activation]
    elif type(cell) is keras.layers.LSTMCell:
        halves = _lstm
        activations = [cell.activation, cell.recurrent_activation]
    else:
        return None
    if cell.dropout or cell.recurrent_dropout:
        return None
    if cell.compute_dtype != cell.variable_dtype:
        return None
    if not all(_of_its_argument_only(function) for function in activations):
        return None

    def project(inputs):
        return tf.tensordot(inputs, tf.convert_to_tensor(cell.kernel), 1)

    bias = cell.bias if cell.use_bias else None
    return Split(project, cell.recurrent_kernel, *halves(cell), bias)


def _of_its_argument_only(function):
    """Not one that may hold variables, or tensors, as `PReLU` does.

    A function of a user's may say that it is of a library, since
    `functools.wraps` copies that, or its code be a decorator of a library:
    both must be of one. Either name may be missing.
    """
    if not isinstance(function, types.FunctionType):
        return False
    names = function.__module__, function.__globals__.get("__name__")
    libraries = {str(name).split(".")[0] for name in names}
    return libraries <= {"keras", "tensorflow"}


def _simple_rnn(cell):
    """(activate, derivative) of a `SimpleRNNCell`."""

    def activate(z, _state):
        hidden = cell.activation(z)
        return hidden, [hidden]

    return activate, None


def _lstm(cell):
    """(activate, derivative) of an `LSTMCell`."""

    def activate(z, state):
        i, f, j, o = tf.split(z, 4, axis=-1)
        c = cell.recurrent_activation(f) * state[1]
        c += cell.recurrent_activation(i) * cell.activation(j)
        h = cell.recurrent_activation(o) * cell.activation(c)
        return h, [h, c]

    def usual(z, state):
        _, _, j, _ = tf.split(z, 4, axis=-1)
        # Of j too, for nothing: XLA vectorizes one sigmoid, not several.
        i, f, _, o = tf.split(tf.sigmoid(z), 4, axis=-1)
        j = tf.tanh(j)
        c = f * state[1] + i * j
        h = o * tf.tanh(c)
        return h, [h, c], [i, f, j, o, c]

    def derivative(kept, state, d_output, d_new_state):
        i, f, j, o, c = kept
        d_h = d_output + d_new_state[0]
        tanh_c = tf.tanh(c)
        d_c = d_new_state[1] + d_h * o * (1 - tanh_c * tanh_c)
        d_z = [
            d_c * j * i * (1 - i),
            d_c * state[1] * f * (1 - f),
            d_c * i * (1 - j * j),
            d_h * tanh_c * o * (1 - o),
        ]
        return tf.concat(d_z, -1), [tf.zeros_like(d_h), d_c * f]

    activations = cell.activation, cell.recurrent_activation
    if activations == (keras.activations.tanh, keras.activations.sigmoid):
        return usual, derivative
    return activate, None


# --- The loop itself ---


def _loop(step, series, state, unroll, backwards=False, into=None):
    """Calls step(items, state) -> (outputs, state) once a time step.

    Args:
        step: takes one item [...] of each series.
        series: a list of [T, ...].
        state: a sequence of tensors.
        unroll: as in `unroll`.
        backwards: from the last item to the first.
        into: a list of [T, ...], of outputs' shapes, that nobody needs any
            more; a loop then fills no new arrays with zeros first.

    Returns:
        (a list of [T, ...], final state); outputs stay where their items
        were.
    """
    steps = series[0].shape[0]
    if unroll == "static" or tf.executing_eagerly():
        return _copies(step, series, state, backwards)
    if unroll == "dynamic":
        return _turns(step, series, state, 1, backwards, into)
    turned = steps - steps % unroll
    whole, rest = [x[:turned] for x in series], [x[turned:] for x in series]
    into = into and [x[:turned] for x in into]
    pieces = []
    if turned:
        pieces.append(
            lambda state: _turns(
                step, whole, state, int(unroll), backwards, into
            )
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


def _turns(step, series, state, size, backwards, into):
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

    if into is None:
        like = _results_like(run, [x[0] for x in series], state)
        outputs = [_array(turns, result) for result in like]
    else:
        blocks = [_blocks(x, size) for x in into]
        outputs = [_array(turns, x[0]).unstack(x) for x in blocks]
    _, outputs, state = tf.while_loop(
        lambda count, *_: count < turns,
        turn,
        (0, outputs, list(state)),
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
