"""The Keras model of a checkpoint: its layers, built and put together."""

import contextlib
import dataclasses

import keras

from rnn_parity.checkpoints import forms, optimizers
from rnn_parity.errors import UserError
from tf2 import tf1_cells

# Keras allows no "/" in names, TensorFlow 1 no "%".
_ESCAPES = (("%", "%25"), (".", "%2E"), ("/", "."))


def encode(name):
    """A TensorFlow 1 name as a Keras one: "/" becomes "."."""
    for plain, escaped in _ESCAPES:
        name = name.replace(plain, escaped)
    return name


def decode(name):
    """The way back."""
    for plain, escaped in reversed(_ESCAPES):
        name = name.replace(escaped, plain)
    return name


@dataclasses.dataclass
class Runner:
    """A cell's place in the model, and what runs it.

    Attributes:
        cell: `inventory.Cell`.
        keras_cell: the Keras cell that holds its arrays.
        layer: the Keras layer that runs it, perhaps with others in it.
        compiled: what `running` has compiled of the layer.
    """

    cell: object
    keras_cell: object
    layer: object
    compiled: dict = dataclasses.field(default_factory=dict)


def build(converted):
    """Makes every layer, and the model.

    Fills `converted.layers` and `converted._runners` {scope: Runner}.
    """
    inputs, outputs, logits = {}, {}, {}
    for embedding in converted.inventory.embeddings:
        converted.layers[embedding.name] = _embedding(converted, embedding)
    for stack in converted.inventory.stacks:
        name = encode(stack.name)
        embedding = converted.inventory.embedding(stack)
        if embedding is None:
            dtype = converted.dtype(stack.forward[0])
            inputs[name] = x = _input(name, dtype, stack.inputs)
        else:
            inputs[name] = _input(name, "int32")
            x = converted.layers[embedding.name](inputs[name])
        outputs[name] = _stack(converted, stack, x)
    read = set()
    for read_out in converted.inventory.read_outs:
        name, layer = encode(read_out.name), _read_out(converted, read_out)
        if read_out.stack is None:  # an input of its own
            inputs[name] = _input(name, layer.dtype, read_out.inputs)
            logits[name] = layer(inputs[name])
        else:
            source = encode(read_out.stack)
            logits[name] = layer(outputs[source])
            read.add(source)
    # One thing comes out where it is plain which.
    alone = len(outputs) == 1 and len(logits) == len(read)
    result = logits if alone and logits else outputs | logits
    return keras.Model(
        _only({tensor.name: tensor for tensor in inputs.values()}),
        _only(result),
        name="converted",
    )


def _input(name, dtype, *size):
    """[B, T, I], or ids [B, T]."""
    return keras.Input((None, *size), dtype=dtype, name=f"{name}.inputs")


def _only(named):
    """The one thing there is, or the dictionary."""
    if len(named) > 1:
        return named
    (one,) = named.values()
    return one


def _embedding(converted, embedding):
    told = converted.checkpoint.told.get(embedding.name, {})
    own = converted.hands_masks_on(embedding)
    layer = (tf1_cells if own else keras.layers).Embedding(
        embedding.vocabulary,
        embedding.width,
        mask_zero=told.get("mask_zero", False),
        trainable=optimizers.trains(converted.inventory, embedding.variable),
        dtype=converted.checkpoint.dtypes[
            converted.source(embedding.variable)
        ],
        name=encode(embedding.name),
    )
    with nothing_drawn():
        layer.build()
    return layer


def _read_out(converted, read_out):
    layer = keras.layers.Dense(
        read_out.classes,
        forms.activation(converted.activations[read_out.name]),
        use_bias=read_out.bias is not None,
        dtype=converted.checkpoint.dtypes[converted.source(read_out.kernel)],
        name=encode(read_out.name),
    )
    with nothing_drawn():
        layer.build((None, read_out.inputs))
    converted.layers[read_out.name] = layer
    return layer


def _stack(converted, stack, x):
    if not stack.backward:
        return _one_way(converted, stack, x)
    if stack.form == "two ways":
        return _two_ways(
            converted, stack.name, stack.forward, stack.backward, x
        )
    for layer, pair in enumerate(
        zip(stack.forward, stack.backward, strict=True)
    ):
        forward, backward = pair
        name = f"{stack.name}/layer_{layer}"
        x = _two_ways(converted, name, (forward,), (backward,), x)
    return x


def _one_way(converted, stack, x):
    for cell in converted.forward_cells(stack):
        if cell.scope not in converted.layers:
            _add(converted, cell, _layer(converted, cell))
        x = _dropped(x, converted.options.input_keep_prob)
        y = converted.layers[cell.scope](x)[0]
        if cell.scope in converted.residual:
            y = keras.layers.Add(dtype=y.dtype)([x, y])
        x = _dropped(y, converted.options.output_keep_prob)
    return x


def _dropped(x, keep):
    """As a DropoutWrapper does it: drawn for every step and row."""
    if keep == 1:
        return x
    return keras.layers.Dropout(1 - keep, dtype=x.dtype)(x)


def _layer(converted, cell, go_backwards=False):
    """A built layer of one cell, its weights not yet there."""
    layer = forms.make_layer(
        cell,
        converted.cell_options[cell.scope],
        converted.dtype(cell),
        encode(cell.scope),
        go_backwards,
    )
    with nothing_drawn():
        layer.build((None, None, cell.sizes.inputs))
    return layer


@contextlib.contextmanager
def nothing_drawn():
    """Layers made within begin with zeros that take no memory.

    Their weights are about to come, and `Orthogonal` takes minutes at H=4096.
    """
    kinds = (
        keras.initializers.VarianceScaling,
        keras.initializers.Orthogonal,
        keras.initializers.RandomUniform,
    )
    kept = [kind.__call__ for kind in kinds]

    def untouched(_self, shape, dtype=None):
        return forms.tensor(forms.zeros(tuple(shape), dtype))

    for kind in kinds:
        kind.__call__ = untouched
    try:
        yield
    finally:
        for kind, call in zip(kinds, kept, strict=True):
            kind.__call__ = call


def _add(converted, cell, layer, keras_cell=None):
    keras_cell = keras_cell or layer.cell
    converted._runners[cell.scope] = Runner(cell, keras_cell, layer)
    alone = len(_inner_cells(layer)) == 1
    converted.layers[cell.scope] = layer if alone else keras_cell


def _two_ways(converted, name, forward, backward, x):
    """Two directions side by side; in one layer where Keras can."""
    layers = [
        _direction(converted, name, cells, way)
        for cells, way in ((forward, "forward"), (backward, "backward"))
    ]
    options = converted.options
    dropping = (options.input_keep_prob, options.output_keep_prob) != (1, 1)
    if dropping and len(forward) > 1:
        raise UserError(
            f"{name} has several cells in each of two directions, which "
            "Keras runs in one layer; keep probabilities are for one"
        )
    if dropping and converted.residual & {
        forward[0].scope,
        backward[0].scope,
    }:
        raise UserError(
            f"{name} has residuals in two directions, which Keras runs in "
            "one layer; keep probabilities are for cells without"
        )
    if _alike(*layers) and not dropping:
        both = keras.layers.Bidirectional(
            layers[0], backward_layer=layers[1], name=encode(name)
        )
        # It has made the forward layer anew.
        with nothing_drawn():
            y = both(x)[0]
        layers = [both.forward_layer, both.backward_layer]
        converted.layers[name] = both
    else:
        # Each direction's cell has a DropoutWrapper, with draws of its own.
        both = [
            layer(_dropped(x, options.input_keep_prob))[0] for layer in layers
        ]
        y_forward, y_backward = (
            _dropped(y, options.output_keep_prob) for y in both
        )
        y_backward = keras.ops.flip(y_backward, axis=1)
        y = keras.layers.Concatenate(dtype=y_forward.dtype)(
            [y_forward, y_backward]
        )
    for layer, cells in zip(layers, (forward, backward), strict=True):
        for cell, keras_cell in zip(cells, _inner_cells(layer), strict=True):
            _add(converted, cell, layer, keras_cell)
    return y


def _inner_cells(layer):
    """The cells that hold arrays, whatever is round them."""
    inside = [layer.cell]
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        inside = layer.cell.cells
    return [forms.without_residual(cell) for cell in inside]


def _alike(forward, backward):
    """Whether `Bidirectional` can hold both: it halves their states."""
    return type(forward) is type(backward) and (
        len(forward.state_size) == len(backward.state_size)
        if isinstance(forward.state_size, (list, tuple))
        else not isinstance(backward.state_size, (list, tuple))
    )


def _direction(converted, name, cells, way):
    """The layer of one direction; several cells run in one layer."""
    if len(cells) == 1 and cells[0].scope not in converted.residual:
        return _layer(converted, cells[0], go_backwards=way == "backward")
    dtype = converted.dtype(cells[0])
    keras_cells = [_cell_of_direction(converted, cell) for cell in cells]
    if len(cells) == 1:
        (inside,) = keras_cells
    else:
        inside = keras.layers.StackedRNNCells(keras_cells, dtype=dtype)
    layer = keras.layers.RNN(
        inside,
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        go_backwards=way == "backward",
        dtype=dtype,
        name=encode(f"{name}/{way}"),
    )
    with nothing_drawn():
        layer.build((None, None, cells[0].sizes.inputs))
    return layer


def _cell_of_direction(converted, cell):
    options = converted.cell_options[cell.scope]
    keras_cell = forms.make_cell(cell, options, converted.dtype(cell))
    if cell.scope in converted.residual:
        return forms.with_residual(keras_cell)
    return keras_cell
