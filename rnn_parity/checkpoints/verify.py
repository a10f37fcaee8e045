"""The proof that a conversion ends with: Keras against numpy_ref.

Every cell takes a step from each of a series of states, then every stack runs
on random rows of random lengths, and every read-out reads. Last, the model as
a whole takes such rows with a mask. What is allowed is what rounding alone
does: numpy_ref runs a second time on inputs that are off by their last place,
which shows how much this network amplifies it.

Keras computes each of these things once, in one batch, since calling its
layers is what a conversion of a small checkpoint spends its time on.
"""

import numpy as np

from numpy_ref.tf1_cells import ACTIVATIONS
from rnn_parity import ladder
from rnn_parity.checkpoints import forms, running
from rnn_parity.errors import UserError

_ROWS, _STEPS, _SEED = 5, 6, 20161123
_LENGTHS = np.array([_STEPS, 1, 0, _STEPS - 1, 3])


def fill_and_compare(converted):
    """Puts every array into its layer and compares.

    Returns:
        A list of `convert.Agreement`.

    Raises:
        UserError: a layer does not compute what numpy_ref does.
    """
    random = np.random.default_rng(_SEED)
    found = []
    total = _amount(converted)
    done = 0

    def fill(scope, variable, array):
        def advance(count):
            nonlocal done
            done += count
            converted._progress(scope, min(1.0, done / total))

        forms.assign(variable, array, advance)

    whole = _Whole(converted, random)
    embeddings = [
        _embedding(converted, embedding, random, fill)
        for embedding in converted.inventory.embeddings
    ]
    for stack in converted.inventory.stacks:
        reference = _Reference(converted, stack, whole.rows(stack), random)
        for cell, arrays, numpy_cell in reference.cells():
            _fill(converted, cell, arrays, fill)
            found.append(_cell(converted, cell, numpy_cell, random))
            del arrays, numpy_cell  # before the next are read
        found.append(reference.compare())
        whole.wanted[stack.name] = reference.of_model()
    for read_out in converted.inventory.read_outs:
        found.append(_read_out(converted, read_out, whole, random, fill))
    found += [*embeddings, whole.compare()]
    converted._progress("", 1.0)
    return found


def _amount(converted):
    shapes = converted.inventory.shapes
    sizes = (_size(shapes.get(name, ())) for name in converted.weights())
    return max(sum(sizes), 1)


def _size(shape):
    return int(np.prod(shape, dtype=np.int64))


def _fill(converted, cell, arrays, fill):
    options = converted.cell_options[cell.scope]
    keras_cell = converted._runners[cell.scope].keras_cell
    variables = forms.weights(keras_cell, cell, options)
    for name, array in forms.to_keras(cell, options, arrays).items():
        fill(cell.scope, variables[name], array)


def _agreement(name, form, values, references, shaken):
    """Of arrays; refuses where they are further apart than rounding is."""
    from rnn_parity.checkpoints.convert import Agreement

    rows = [
        (
            ladder.error_of(value, reference),
            ladder.error_of(other, reference),
            reference.dtype,
        )
        for value, reference, other in zip(
            values, references, shaken, strict=True
        )
    ]
    error = max(row[0] for row in rows)
    spacing = float(np.finfo(rows[0][2]).eps)
    allowed = 32 * (max(row[1] for row in rows) + spacing)
    if not error <= allowed:
        raise UserError(
            f"{name} as {form} does not compute what TensorFlow 1's does "
            f"(error {error:.1e}, allowed {allowed:.1e}); nothing was "
            "written: please report it"
        )
    return Agreement(name, form, error, allowed)


def _shaken(array, random):
    """Off by about its last place, everywhere."""
    signs = random.choice(np.array([-1, 1], array.dtype), array.shape)
    return array * (1 + signs * np.finfo(array.dtype).eps)


def _draw(random, shape, dtype):
    return random.standard_normal(shape).astype(dtype)


def _cell(converted, cell, numpy_cell, random):
    """One cell: numpy_ref takes a few steps, and Keras each of them.

    All steps are one batch, for each begins in the state that numpy_ref came
    to. That a state is handed on is what the proof of the stack shows.
    """
    from numpy_ref import tf1_cells

    dtype = converted.dtype(cell)
    options = converted.cell_options[cell.scope]
    keras_cell = converted._runners[cell.scope].keras_cell
    shape = (_STEPS, _ROWS, cell.sizes.inputs)
    inputs = _draw(random, shape, dtype)
    state = tf1_cells.map_state(
        lambda size: _draw(random, (_ROWS, size), dtype),
        numpy_cell.state_size,
    )
    before, after = [], []
    for x in inputs:
        before.append(tf1_cells.flat_state(state))
        output, state = numpy_cell.step(x, state)
        after.append([output, *tf1_cells.flat_state(state)])
    inputs = np.concatenate(inputs)
    before = [np.concatenate(parts) for parts in zip(*before, strict=True)]
    y, keras_state = keras_cell(inputs, before[::-1])
    shaken = [_shaken(array, random) for array in before]
    other, other_state = numpy_cell.step(
        _shaken(inputs, random), tuple(shaken) if shaken[1:] else shaken[0]
    )
    return _agreement(
        cell.scope,
        forms.describe(cell, options),
        [np.asarray(array) for array in (y, *keras_state[::-1])],
        [np.concatenate(parts) for parts in zip(*after, strict=True)],
        [other, *tf1_cells.flat_state(other_state)],
    )


class _Reference:
    """A stack run by numpy_ref, one cell's arrays in memory at a time.

    Half of the rows begin in a random state and are held against
    `Converted.run`, the others in zeros and are held against the model.
    """

    def __init__(self, converted, stack, rows, random):
        self.converted, self.stack = converted, stack
        self.forward = converted.forward_cells(stack)
        dtype = converted.dtype(self.forward[0])
        shape = (_ROWS, _STEPS, stack.inputs)
        inputs = _draw(random, shape, dtype)
        self.inputs = np.concatenate([inputs, rows.astype(dtype)])
        self.lengths = np.concatenate([_LENGTHS, _model_lengths(converted)])
        self.sizes = running.state_sizes(stack, self.forward)
        self.state = [
            np.concatenate(
                [
                    _draw(random, (_ROWS, size), dtype),
                    np.zeros((_ROWS, size), dtype),
                ]
            )
            for size in running._leaves(self.sizes)
        ]
        self.finals = [[] for _ in self.state]
        # As it is, and off by the last place.
        self.series = [self.inputs, _shaken(self.inputs, random)]
        self.outputs = None

    def cells(self):
        """Yields (cell, arrays, numpy cell), and runs the stack with it."""
        ways = [(self.forward, False, list(self.state))]
        if self.stack.backward:
            count = sum(2 if c.kind.lstm else 1 for c in self.forward)
            ways = [
                (self.forward, False, self.state[:count]),
                (self.stack.backward, True, self.state[count:]),
            ]
        by_layer = self.stack.form == "two ways, layer by layer"
        series = [list(self.series) for _ in ways]
        finals = [[] for _ in ways]
        seen = {}
        for layer in range(len(self.forward)):
            for at, (cells, backward, state) in enumerate(ways):
                cell = cells[layer]
                again = cell.scope in seen
                if not again:
                    seen.clear()  # the layer below is done with
                    arrays = self.converted.arrays(cell)
                    numpy_cell = cell.kind.make(arrays, **self._changed(cell))
                    if cell.scope in self.converted.residual:
                        inside, numpy_cell = numpy_cell, _residual(numpy_cell)
                    else:
                        inside = numpy_cell
                    seen[cell.scope] = numpy_cell
                    yield cell, arrays, inside
                    del arrays, inside
                numpy_cell = seen[cell.scope]
                count = 2 if cell.kind.lstm else 1
                start, state[:] = state[:count], state[count:]
                series[at], final = self._run(
                    numpy_cell, series[at], start, backward
                )
                finals[at] += final
                del numpy_cell
            if by_layer:
                joined = [
                    np.concatenate(pair, axis=-1)
                    for pair in zip(*series, strict=True)
                ]
                series = [joined for _ in ways]
        self.outputs = series[:1] if by_layer else series
        self.finals = [final for of_way in finals for final in of_way]

    def _changed(self, cell):
        return {
            name: value
            for name, value in self.converted.cell_options[cell.scope].items()
            if name in cell.kind.options
        }

    def _run(self, numpy_cell, both, start, backward):
        """([outputs as it is and shaken], [(final, shaken final), ...])."""
        from numpy_ref import tf1_rnn

        found, finals = [], []
        for series in both:
            state = tuple(start) if len(start) > 1 else start[0]
            if backward:
                series = tf1_rnn.reverse_sequence(series, self.lengths)
            outputs, final = tf1_rnn.dynamic_rnn(
                numpy_cell, series, state, self.lengths
            )
            if backward:
                outputs = tf1_rnn.reverse_sequence(outputs, self.lengths)
            found.append(outputs)
            finals.append(final if isinstance(final, tuple) else (final,))
        return found, list(zip(*finals, strict=True))

    def compare(self):
        """The whole stack, as `Converted.run` runs it."""
        state = [array[:_ROWS] for array in self.state]
        outputs, final = self.converted.run(
            self.inputs[:_ROWS],
            running._nest(self.sizes, iter(state)),
            _LENGTHS,
            self.stack.name,
        )
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        found = [*outputs, *running._leaves(final)]
        pairs = [*self.outputs, *self.finals]
        count = len(self.forward) + len(self.stack.backward)
        form = f"a stack of {count}" if count > 1 else "a loop"
        if self.stack.backward:
            form += ", two directions"
        return _agreement(
            f"{self.stack.name} (with lengths)",
            form,
            found,
            [pair[0][:_ROWS] for pair in pairs],
            [pair[1][:_ROWS] for pair in pairs],
        )

    def of_model(self):
        """[outputs of the rows for the model, the same of those shaken]."""
        return [
            np.concatenate([each[_ROWS:] for each in both], axis=-1)
            for both in zip(*self.outputs, strict=True)
        ]


def _residual(numpy_cell):
    from numpy_ref import tf1_cells

    return tf1_cells.ResidualWrapper(numpy_cell)


def _read_out(converted, read_out, whole, random, fill):
    arrays = converted.read_out_arrays(read_out)
    layer = converted.layers[read_out.name]
    for variable, array in zip(layer.weights, arrays, strict=True):
        fill(read_out.name, variable, forms.rows_of(array))
    kernel, *bias = arrays
    shape = (_ROWS, _STEPS, read_out.inputs)
    inputs = _draw(random, shape, kernel.dtype)
    name = converted.activations[read_out.name]

    def numpy_layer(x):
        logits = np.matmul(x, kernel)
        return ACTIVATIONS[name](logits + bias[0] if bias else logits)

    read = whole.read(read_out)
    whole.wanted[read_out.name] = [numpy_layer(x) for x in read]
    plain = name == "linear"
    return _agreement(
        read_out.name,
        f"Dense({read_out.classes}{'' if plain else f', {name!r}'})",
        [np.asarray(layer(inputs))],
        [numpy_layer(inputs)],
        [numpy_layer(_shaken(inputs, random))],
    )


def _embedding(converted, embedding, random, fill):
    array = converted.embedding_array(embedding)
    layer = converted.layers[embedding.name]
    (variable,) = layer.weights
    fill(embedding.name, variable, forms.rows_of(array))
    ids = random.integers(0, embedding.vocabulary, (_ROWS, _STEPS))
    return _agreement(
        embedding.name,
        f"Embedding({embedding.vocabulary}, {embedding.width})",
        [np.asarray(layer(ids))],
        [array[ids]],
        [array[ids]],
    )


def _masked(converted):
    """Whether the model as a whole hands masks on.

    With --strict a mask ends at an embedding.
    """
    return not (converted.options.strict and converted.inventory.embeddings)


def _model_lengths(converted):
    """[B]: how many steps of each row the model takes."""
    return _LENGTHS if _masked(converted) else np.full(_ROWS, _STEPS)


class _Whole:
    """The model as a whole, given a mask, beside numpy_ref.

    Attributes:
        wanted: {stack or read-out: [what numpy_ref computes, the same from
            inputs that are off by their last place]}.
    """

    def __init__(self, converted, random):
        self.converted, self.random = converted, random
        steps = np.arange(_STEPS)
        self.valid = steps < _model_lengths(converted)[:, np.newaxis]
        self.given, self.masks, self.wanted = {}, {}, {}

    def rows(self, stack):
        """[B, T, I] for a stack; its embedding, if any, must be filled."""
        embedding = self.converted.inventory.embedding(stack)
        dtype = self.converted.dtype(stack.forward[0])
        if embedding is None:
            rows = x = _draw(
                self.random, (_ROWS, _STEPS, stack.inputs), dtype
            )
        else:
            x = self.random.integers(
                0, embedding.vocabulary, self.valid.shape
            )
            # 0 past the end and there alone, in case 0 is masked.
            x = np.maximum(x, embedding.vocabulary > 1) * self.valid
            rows = np.asarray(self.converted.layers[embedding.name](x))
            rows = rows.astype(dtype)
        self.given[stack.name] = x
        masked = _masked(self.converted)
        self.masks[stack.name] = self.valid if masked else None
        return rows

    def read(self, read_out):
        """[What a read-out reads, the same off by its last place]."""
        if read_out.stack is not None:
            return self.wanted[read_out.stack]
        x = _draw(
            self.random,
            (_ROWS, _STEPS, read_out.inputs),
            self.converted.layers[read_out.name].dtype,
        )
        self.given[read_out.name], self.masks[read_out.name] = x, None
        return x, _shaken(x, self.random)

    def compare(self):
        """The `Agreement` of the model with `wanted`."""
        from rnn_parity.checkpoints.model import encode

        found = self._computed()
        keys = {encode(name): name for name in self.wanted}
        if not isinstance(found, dict):
            found = {list(keys)[-1]: found}  # of one stack, or its read-out
        # Past the end Keras' layers put out what they like.
        ended = self.valid[..., np.newaxis]
        count = len(self.given)
        return _agreement(
            "the model (with a mask)",
            f"{count} input{'s' * (count > 1)}",
            [np.asarray(each) * ended for each in found.values()],
            [self.wanted[keys[key]][0] * ended for key in found],
            [self.wanted[keys[key]][1] * ended for key in found],
        )

    def _computed(self):
        from rnn_parity.checkpoints.model import encode

        model = self.converted.model
        names = {f"{encode(name)}.inputs": name for name in self.given}
        names = {tensor.name: names[tensor.name] for tensor in model.inputs}
        inputs = {tensor: self.given[name] for tensor, name in names.items()}
        mask = {tensor: self.masks[name] for tensor, name in names.items()}
        if len(names) == 1:
            (inputs,), (mask,) = inputs.values(), mask.values()
        # Called as a layer, Keras warns that a model has no use for a mask.
        return model.call(inputs, training=False, mask=mask)
