"""The Keras model of a checkpoint: its layers, built and put together."""

import dataclasses

import keras

from rnn_parity.checkpoints import forms, optimizers, undrawn
from rnn_parity.errors import UserError
from tf2 import tf1_cells

# Keras allows no "/" in names, TensorFlow 1 no "%"; zip archives and HDF5 cut
# names off at a NUL.
_ESCAPES = (("%", "%25"), ("\0", "%00"), (".", "%2E"), ("/", "."))


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

    Fills `converted.layers` and `converted._runners` {scope: Runner}. Every
    layer gets its dtype and its name from the checkpoint: by default Keras
    takes the dtype from the process' policy, and numbers names by how many
    layers the process has made.
    """
    with undrawn.nothing_drawn():
        return _build(converted)


def _build(converted):
    converted._names = _taken(converted)
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
    model = keras.Model(
        _only({tensor.name: tensor for tensor in inputs.values()}),
        _only(result),
        name="converted",
    )
    # Only `compile` looks at it: mixed_float16 scales the loss.
    model.dtype_policy = model.layers[-1].dtype
    return model


def _taken(converted):
    """The names of all layers and inputs that are parts of the checkpoint."""
    inventory = converted.inventory
    names = {one.name for one in (*inventory.embeddings, *inventory.stacks)}
    names |= {one.name for one in inventory.read_outs}
    names |= {f"{name}/inputs" for name in names}
    return {encode(name) for name in names} | {
        encode(cell.scope) for cell in converted.cells
    }


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
    for at, cell in enumerate(converted.forward_cells(stack)):
        if cell.scope not in converted.layers:
            _add(converted, cell, _layer(converted, cell))
        name = f"{encode(stack.name)}.{at}"
        x = _dropped_input(converted, cell, name, x)
        y = converted.layers[cell.scope](x)[0]
        if cell.scope in converted.residual:
            add = keras.layers.Add(
                dtype=y.dtype, name=_free(converted, f"{name}.add")
            )
            y = add([x, y])
        x = _dropped_output(converted, cell, name, y)
    return x


def _dropped_input(converted, cell, name, x):
    keep = converted.options.input_keep_prob
    return _dropped(converted, cell, f"{name}.input_dropout", x, keep)


def _dropped_output(converted, cell, name, x):
    keep = converted.options.output_keep_prob
    return _dropped(converted, cell, f"{name}.output_dropout", x, keep)


def _dropped(converted, cell, name, x, keep):
    """As a DropoutWrapper does it: drawn for every step and row."""
    if keep == 1:
        return x
    return keras.layers.Dropout(
        1 - keep, dtype=converted.dtype(cell), name=_free(converted, name)
    )(x)


def _free(converted, name):
    """A name that no part of the checkpoint has, and no layer so far."""
    while name in converted._names:
        name += "_"
    converted._names.add(name)
    return name


def _layer(converted, cell, go_backwards=False):
    """A built layer of one cell, its weights not yet there."""
    layer = forms.make_layer(
        cell,
        converted.cell_options[cell.scope],
        converted.dtype(cell),
        encode(cell.scope),
        go_backwards,
    )
    layer.build((None, None, cell.sizes.inputs))
    return layer


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
            layers[0],
            backward_layer=layers[1],
            dtype=converted.dtype(forward[0]),
            name=encode(name),
        )
        y = both(x)[0]
        layers = [both.forward_layer, both.backward_layer]
        converted.layers[name] = both
    else:
        y = _side_by_side(converted, forward[0], encode(name), layers, x)
    for layer, cells in zip(layers, (forward, backward), strict=True):
        for cell, keras_cell in zip(cells, _inner_cells(layer), strict=True):
            _add(converted, cell, layer, keras_cell)
    return y


def _side_by_side(converted, cell, name, layers, x):
    """Two directions that no one layer of Keras holds.

    Args:
        cell: one of them, for its dtype.
        name: what names of layers begin with.
        layers: forward and backward.
        x: [B, T, I].
    """
    both = []
    # Each direction's cell has a DropoutWrapper, with draws of its own.
    for layer, way in zip(layers, ("forward", "backward"), strict=True):
        at = f"{name}.{way}"
        y = layer(_dropped_input(converted, cell, at, x))[0]
        both.append(_dropped_output(converted, cell, at, y))
    both[1] = keras.ops.flip(both[1], axis=1)
    # A function of Keras takes no name.
    flip = both[1]._keras_history.operation
    flip.name = _free(converted, f"{name}.flip")
    return keras.layers.Concatenate(
        dtype=both[0].dtype, name=_free(converted, f"{name}.concatenate")
    )(both)


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
        inside = keras.layers.StackedRNNCells(
            keras_cells, dtype=dtype, name=encode(f"{name}/{way}/cells")
        )
    layer = keras.layers.RNN(
        inside,
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        go_backwards=way == "backward",
        dtype=dtype,
        name=encode(f"{name}/{way}"),
    )
    layer.build((None, None, cells[0].sizes.inputs))
    return layer


def _cell_of_direction(converted, cell):
    options = converted.cell_options[cell.scope]
    keras_cell = forms.make_cell(
        cell, options, converted.dtype(cell), encode(cell.scope)
    )
    if cell.scope in converted.residual:
        return forms.with_residual(keras_cell)
    return keras_cell
