"""Running converted layers, or numpy_ref's cells, as TensorFlow 1 would."""

import numpy as np

from numpy_ref import tf1_rnn
from rnn_parity.errors import UserError

# Keras takes 4 to 7 ms for a step that is not compiled, and 0.1 to 0.2 s to
# compile a layer, which then takes 0.02 to 0.05 ms for a step.
_UNCOMPILED_STEPS = 25


def run(converted, stack, inputs, initial_state, sequence_length):
    """See `convert.Converted.run`."""
    forward = converted.forward_cells(stack)
    dtype = converted.dtype(forward[0])
    inputs = np.asarray(inputs)
    embedding = converted.inventory.embedding(stack)
    if embedding and inputs.ndim == 2 and inputs.dtype.kind in "iu":
        layer = converted.layers[embedding.name]
        inputs, sequence_length = _looked_up(
            embedding.name, layer, inputs, sequence_length
        )
    inputs = inputs.astype(dtype)
    if inputs.ndim != 3 or inputs.shape[2] != stack.inputs:
        raise UserError(
            f"inputs have shape {list(inputs.shape)}; {stack.name} takes "
            f"[batch, time, {stack.inputs}]"
            + (", or whole numbers [batch, time]" if embedding else "")
        )
    lengths = _lengths(sequence_length, inputs)
    sizes = state_sizes(stack, forward)
    flat, nest = flatten_state(initial_state, sizes, len(inputs), dtype)
    ways = _Ways(converted, stack, forward, lengths)
    outputs, finals = ways.run(inputs, flat)
    return outputs, nest(finals)


def _looked_up(name, layer, ids, lengths):
    """(rows [B, T, I] of an embedding, lengths)."""
    if ids.size and not 0 <= ids.min() <= ids.max() < layer.input_dim:
        raise UserError(
            f"ids go from {ids.min()} to {ids.max()}; {name} "
            f"has rows 0 to {layer.input_dim - 1}"
        )
    if layer.mask_zero and lengths is None:
        lengths = (ids != 0).sum(1)
        if np.any((ids != 0) != (np.arange(ids.shape[1]) < lengths[:, None])):
            raise UserError(
                f"{name} was made with mask_zero=True, and "
                "there are ids of 0 before others; give sequence_length, or "
                "call the model, which leaves such steps out"
            )
    return np.asarray(layer(ids)), lengths


def _lengths(sequence_length, inputs):
    if sequence_length is None:
        return None
    lengths = np.asarray(sequence_length)
    rows, steps = inputs.shape[:2]
    whole = lengths.dtype.kind in "iu" and lengths.shape == (rows,)
    if not whole or ((lengths < 0) | (lengths > steps)).any():
        raise UserError(
            f"sequence_length must be {rows} whole numbers from 0 to {steps}"
        )
    return lengths


# --- States ---


def state_sizes(stack, forward):
    """A stack's state sizes, nested as TensorFlow 1 nests them."""

    def of_cell(cell):
        sizes = cell.sizes
        return (sizes.units, sizes.outputs) if cell.kind.lstm else sizes.units

    def of_way(cells):
        sizes = tuple(of_cell(cell) for cell in cells)
        by_layer = stack.form == "two ways, layer by layer"
        return sizes if len(sizes) > 1 or by_layer else sizes[0]

    if not stack.backward:
        return of_way(forward)
    return of_way(forward), of_way(stack.backward)


def _leaves(tree):
    if isinstance(tree, tuple):
        return [leaf for part in tree for leaf in _leaves(part)]
    return [tree]


def _nest(sizes, leaves):
    if isinstance(sizes, tuple):
        return tuple(_nest(part, leaves) for part in sizes)
    return next(leaves)


def _flat(state):
    """Arrays of any nesting; [..., B, H] counts as that many."""
    if isinstance(state, (tuple, list)):
        return [array for part in state for array in _flat(part)]
    array = np.asarray(state)
    if array.ndim > 2:
        return [each for part in array for each in _flat(part)]
    return [array]


def flatten_state(state, sizes, rows, dtype):
    """(arrays, function that nests such arrays as `state` was).

    Args:
        state: nested, or one array, or None for zeros.
        sizes: of `state_sizes`.
        rows: B.
        dtype: of the arrays.
    """
    wanted = [(rows, size) for size in _leaves(sizes)]

    def nest(arrays):
        return _nest(sizes, iter(arrays))

    if state is None:
        return [np.zeros(shape, dtype) for shape in wanted], nest
    arrays = [np.asarray(each, dtype) for each in _flat(state)]
    shapes = [array.shape for array in arrays]
    total = (rows, sum(size for _, size in wanted))
    if len(wanted) > 1 and shapes == [total]:
        cuts = np.cumsum([size for _, size in wanted])[:-1]
        return np.split(
            arrays[0], cuts, axis=1
        ), lambda arrays: np.concatenate(arrays, axis=1)
    if shapes != wanted:
        raise UserError(
            f"the state has arrays of shapes {[list(s) for s in shapes]}; "
            f"wanted are {[list(s) for s in wanted]}, c before h"
        )
    return arrays, nest


# --- Loops ---


class _Ways:
    """A stack's directions, run by their Keras layers."""

    def __init__(self, converted, stack, forward, lengths):
        self.converted, self.stack = converted, stack
        self.forward, self.lengths = forward, lengths

    def run(self, inputs, state):
        """(outputs, final arrays in the order of `state`)."""
        state = list(state)
        count = sum(2 if cell.kind.lstm else 1 for cell in self.forward)
        states = state[:count], state[count:]
        if self.stack.way:
            return self.one_of_two(inputs, states[0])
        if not self.stack.backward:
            return self.layers(inputs, self.forward, states[0])
        if self.stack.form == "two ways":
            return self.two_ways(
                inputs, self.forward, self.stack.backward, *states
            )
        return self.layer_by_layer(inputs, *map(iter, states))

    def two_ways(self, inputs, forward, backward, *states):
        fw, final_fw = self.direction(inputs, forward, states[0])
        bw, final_bw = self.direction(inputs, backward, states[1], True)
        return (fw, bw), final_fw + final_bw

    def one_of_two(self, inputs, state):
        """One direction of two, reading its inputs as they are given."""
        if self.stack.way == "forward":
            return self.direction(inputs, self.forward, state)
        turned = tf1_rnn.reverse_sequence(inputs, self.lengths)
        outputs, final = self.direction(turned, self.forward, state, True)
        return tf1_rnn.reverse_sequence(outputs, self.lengths), final

    def layer_by_layer(self, inputs, states_fw, states_bw):
        finals = [], []
        pairs = zip(self.forward, self.stack.backward, strict=True)
        for pair in pairs:
            of_layer = [
                [next(states) for _ in range(2 if cell.kind.lstm else 1)]
                for cell, states in zip(
                    pair, (states_fw, states_bw), strict=True
                )
            ]
            fw, final_fw = self.direction(inputs, pair[:1], of_layer[0])
            bw, final_bw = self.direction(inputs, pair[1:], of_layer[1], True)
            inputs = np.concatenate([fw, bw], axis=-1)
            finals[0].extend(final_fw)
            finals[1].extend(final_bw)
        return inputs, finals[0] + finals[1]

    def layers(self, inputs, cells, state):
        """One layer on top of another, each run over all steps."""
        finals, state = [], list(state)
        for cell in cells:
            count = 2 if cell.kind.lstm else 1
            own, state = state[:count], state[count:]
            outputs, final = self.direction(inputs, (cell,), own)
            if cell.scope in self.converted.residual:
                outputs = outputs + inputs * self.valid(inputs)
            inputs = outputs
            finals += final
        return inputs, finals

    def direction(self, inputs, cells, state, backward=False):
        """The layer that runs these cells, all in one."""
        runner = self.converted._runners[cells[0].scope]
        if inputs.shape[1] == 0:
            shape = (len(inputs), 0, cells[-1].sizes.outputs)
            return np.zeros(shape, inputs.dtype), list(state)
        mask = None
        if self.lengths is not None:
            mask = np.arange(inputs.shape[1]) < self.lengths[:, np.newaxis]
        state = _swapped(state, cells)
        if len(cells) > 1:  # a stack of cells wants a list for each
            parts = iter(state)
            state = [
                [next(parts) for _ in range(2 if cell.kind.lstm else 1)]
                for cell in cells
            ]
        outputs, *final = _call(runner, inputs, state, mask)
        outputs = np.asarray(outputs)
        if backward:
            outputs = outputs[:, ::-1]
        if cells[0].kind.keras:  # which repeats its last output
            outputs = outputs * self.valid(outputs)
        final = [np.asarray(array) for array in _unnested(final)]
        return outputs, _swapped(final, cells)

    def valid(self, inputs):
        """[B, T, 1]: 1 where a step is valid, 0 past a row's end."""
        steps = np.arange(inputs.shape[1])
        if self.lengths is None:
            return np.ones((1, len(steps), 1), inputs.dtype)
        valid = steps < self.lengths[:, np.newaxis]
        return valid[..., np.newaxis].astype(inputs.dtype)


def _call(runner, inputs, state, mask):
    """What the runner's layer returns, compiled where the series is long.

    By the number of steps alone, so that the same arrays give the same
    numbers whatever was run before; compiled ones differ in rounding.

    Args:
        runner: `model.Runner`.
        inputs: [B, T, I].
        state: a list of arrays [B, H], or a list of such lists.
        mask: [B, T], or None.
    """
    if inputs.shape[1] <= _UNCOMPILED_STEPS:
        return runner.layer(inputs, initial_state=state, mask=mask)
    arrays = (inputs, state) if mask is None else (inputs, state, mask)
    if len(arrays) not in runner.compiled:
        runner.compiled[len(arrays)] = _compiled(runner.layer, *arrays)
    return runner.compiled[len(arrays)](*arrays)


def _compiled(layer, inputs, state, mask=None):
    """The layer as a function of such arrays, of any number of rows and
    steps, so that no other length compiles it anew."""
    from rnn_parity.quiet import tf

    def call(inputs, state, mask=None):
        return layer(inputs, initial_state=state, mask=mask)

    def of_any_length(sizes, arrays):
        return tf.nest.map_structure(
            lambda array: tf.TensorSpec(
                [*sizes, array.shape[-1]], array.dtype
            ),
            arrays,
        )

    signature = [
        of_any_length([None, None], inputs),
        of_any_length([None], state),
    ]
    if mask is not None:
        signature.append(tf.TensorSpec([None, None], tf.bool))
    return tf.function(call, input_signature=signature, autograph=False)


def _unnested(arrays):
    """Arrays of a list that may hold lists."""
    found = []
    for array in arrays:
        nested = isinstance(array, (list, tuple))
        found += _unnested(array) if nested else [array]
    return found


def _swapped(arrays, cells):
    """c, h of every LSTM becomes h, c, and the other way round."""
    left, found = iter(arrays), []
    for cell in cells:
        pair = [next(left) for _ in range(2 if cell.kind.lstm else 1)]
        found += pair[::-1]
    return found
