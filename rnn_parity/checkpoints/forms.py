"""The Keras form of a TensorFlow 1 cell: which class, and its arrays.

A plain cell becomes Keras' own, its kernel cut in two and its gates put in
Keras' order (`rnn_parity.layouts`). What Keras lacks becomes a cell of
`tf2.tf1_cells`, which holds the arrays as they are.
"""

import functools
import math

import numpy as np

from rnn_parity import layouts

_BLOCK = 1 << 24  # bytes
_ALIGNED = 64  # bytes, as TensorFlow wants it
_LSTMS = ("BasicLSTMCell", "LSTMCell", "LSTMBlockCell")
_OWN = {
    "LayerNormBasicLSTMCell": "TF1LSTMCell",
    "CoupledInputForgetGateLSTMCell": "CoupledLSTMCell",
    "UGRNNCell": "UGRNNCell",
    "IntersectionRNNCell": "IntersectionRNNCell",
    "SRUCell": "SRUCell",
    "NASCell": "NASCell",
}
TWO_BIASES = "tf.keras.CuDNNLSTM"  # which Keras adds up
CUDNN = (TWO_BIASES, "tf.keras.CuDNNGRU")
DIAGONAL = ("IndRNNCell", "IndyLSTMCell", "IndyGRUCell")


def beyond_keras(cell, options):
    """What Keras' own cells lack of this one: a list, often empty.

    Args:
        cell: `inventory.Cell`.
        options: the cell's, as `options.of_cell` gives them.
    """
    lacking = _equations_beyond_keras(cell, options)
    if "hard_sigmoid" in (
        options.get("activation"),
        options.get("recurrent_activation"),
    ):
        lacking.append("the hard_sigmoid of Keras 2 (0.2 x + 0.5)")
    return lacking


def _equations_beyond_keras(cell, options):
    lacking = []
    if cell.kind.name in _OWN:
        lacking.append(f"the equations of {cell.kind.name}")
    if cell.kind.name in _LSTMS:
        if cell.peepholes:
            names = [n for n in cell.names if n.lower().endswith("diag")]
            names += [n for n in cell.names if "/wc" in n]
            lacking.append(f"peepholes ({', '.join(names)})")
        if cell.projection:
            names = ", ".join(cell.variables["projection_kernel"])
            lacking.append(f"a projection ({names})")
        if options.get("cell_clip"):
            lacking.append(f"cell_clip={options['cell_clip']}")
    return lacking


def activation(name):
    """As Keras 3 takes it: a name, or a function of its own."""
    if name == "hard_sigmoid":
        from tf2 import tf1_cells

        return tf1_cells.hard_sigmoid
    return name


def is_own(cell, options):
    """Whether the Keras form is a cell of `tf2.tf1_cells`."""
    own = _equations_beyond_keras(cell, options)
    return not cell.kind.keras and bool(own)


def _configuration(cell, options, dtype):
    """(class name, arguments) of the Keras cell."""
    units = cell.sizes.units
    shared = {"units": units, "dtype": dtype}
    if "activation" in options:
        shared["activation"] = activation(options["activation"])
    if cell.kind.keras:
        return cell.kind.keras, shared | _of_keras(cell, options)
    if not is_own(cell, options):
        if cell.kind.name in ("BasicRNNCell", "IndRNNCell"):
            return "SimpleRNN", shared
        if cell.kind.name in ("GRUCell", "IndyGRUCell"):
            return "GRU", shared | {"reset_after": False}
        if cell.kind.name == "CudnnCompatibleGRUCell":
            return "GRU", shared | {"reset_after": True}
        return "LSTM", shared
    if "forget_bias" in options:
        shared["forget_bias"] = options["forget_bias"]
    projected = cell.sizes.outputs if cell.projection else None
    name = _OWN.get(cell.kind.name, "TF1LSTMCell")
    if name == "TF1LSTMCell":
        shared |= {
            "use_peepholes": cell.peepholes,
            "projection": projected,
            "cell_clip": options.get("cell_clip"),
            "proj_clip": options.get("proj_clip"),
            "layer_norm": "gammas.input" in cell.variables,
        }
    elif name == "CoupledLSTMCell":
        shared |= {
            "use_peepholes": cell.peepholes,
            "projection": projected,
            "proj_clip": options.get("proj_clip"),
        }
    elif name == "NASCell":
        shared |= {
            "projection": projected,
            "use_bias": "bias" in cell.variables,
        }
    return name, shared


def _of_keras(cell, options):
    """The arguments of a layer that was one of tf.keras."""
    found = {"use_bias": "bias" in cell.variables}
    if "recurrent_activation" in options:
        name = options["recurrent_activation"]
        found["recurrent_activation"] = activation(name)
    if cell.kind.keras == "GRU":
        found["reset_after"] = cell.kind.name != "tf.keras.GRU"
    return found


def describe(cell, options):
    """In a line, as one would write it in Keras."""
    name, arguments = _configuration(cell, options, None)
    written = [str(arguments["units"])]
    defaults = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    for key, value in arguments.items():
        if key in ("units", "dtype", "forget_bias"):
            continue
        if (key == "use_bias" and value) or value == defaults.get(key):
            continue  # Keras' defaults
        if callable(value):
            written.append(f"{key}={value.__name__} of Keras 2")
            continue
        if value is not None and (name == "GRU" or value is not False):
            written.append(f"{key}={value!r}")
    text = f"{name}({', '.join(written)})"
    return f"RNN({text})" if is_own(cell, options) else text


def make_cell(cell, options, dtype, name):
    """The Keras cell, not yet built."""
    import keras

    from tf2 import tf1_cells

    kind, arguments = _configuration(cell, options, dtype)
    arguments["name"] = name
    if is_own(cell, options):
        return getattr(tf1_cells, kind)(**arguments)
    return getattr(keras.layers, f"{kind}Cell")(**arguments)


def with_residual(keras_cell):
    """A cell that adds its inputs to its outputs."""
    from tf2 import tf1_cells

    return tf1_cells.ResidualCell(
        keras_cell, dtype=keras_cell.dtype, name=f"{keras_cell.name}.residual"
    )


def without_residual(keras_cell):
    """The cell in a `ResidualCell`; any other as it is."""
    from tf2 import tf1_cells

    residual = isinstance(keras_cell, tf1_cells.ResidualCell)
    return keras_cell.cell if residual else keras_cell


def make_layer(cell, options, dtype, name, go_backwards=False):
    """The Keras layer, not yet built; it returns all steps and states."""
    import keras

    shared = {
        "return_sequences": True,
        "return_state": True,
        "zero_output_for_mask": not cell.kind.keras,
        "go_backwards": go_backwards,
        "dtype": dtype,
        "name": name,
    }
    if is_own(cell, options):
        inside = make_cell(cell, options, dtype, f"{name}.cell")
        return keras.layers.RNN(inside, **shared)
    kind, arguments = _configuration(cell, options, dtype)
    return getattr(keras.layers, kind)(**arguments | shared)


# --- Arrays ---


def weights(keras_cell, cell, options):
    """{argument, or Keras' name: variable} of a built Keras cell."""
    keras_cell = without_residual(keras_cell)
    if is_own(cell, options):
        return {
            argument: _own_variable(keras_cell, argument)
            for argument in cell.variables
        }
    names = ("kernel", "recurrent_kernel", "bias")
    found = {name: getattr(keras_cell, name) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def _own_variable(keras_cell, argument):
    outer, _, key = argument.partition(".")
    found = getattr(keras_cell, outer)
    return found[key] if key else found


def to_keras(cell, options, arrays, forget_bias=None):
    """{name of `weights`: function of rows that gives its array}.

    Functions, so that little is there besides; see `assign`.

    Args:
        cell: `inventory.Cell`.
        options: of the cell.
        arrays: {argument: array}, TensorFlow 1's.
        forget_bias: what to add to the bias; by default the cell's. 0.0 for
            an optimizer's slots.
    """
    if cell.kind.name in CUDNN:
        arrays = layouts.cudnn_layer_to_keras(**arrays)
    if is_own(cell, options) or cell.kind.keras:
        return {name: rows_of(array) for name, array in arrays.items()}
    if cell.kind.name in DIAGONAL:
        arrays = _as_full_kernels(cell, arrays)
    added = options.get("forget_bias", 0.0)
    added = added if forget_bias is None else forget_bias
    units = cell.sizes.units
    state, of_inputs = slice(-units, None), slice(None, -units)
    if cell.kind.name == "CudnnCompatibleGRUCell":
        whole = layouts.cudnn_gru_to_keras(**arrays)
        return _named(
            *(lambda rows, array=array: array[rows] for array in whole)
        )
    if "gate_kernel" in arrays:
        pair = arrays["gate_kernel"], arrays["candidate_kernel"]
        biases = arrays["gate_bias"], arrays["candidate_bias"]

        def join(part, rows):
            return layouts.gru_gates_to_keras(*(k[part][rows] for k in pair))

        return _named(
            lambda rows: join(of_inputs, rows),
            lambda rows: join(state, rows),
            lambda rows: layouts.gru_gates_to_keras(*biases)[rows],
        )
    kernel, bias = arrays["kernel"], arrays["bias"]
    if not cell.kind.lstm:
        return _named(
            lambda rows: kernel[of_inputs][rows],
            lambda rows: kernel[state][rows],
            lambda rows: bias[rows],
        )
    return _named(
        lambda rows: layouts.lstm_gates_to_keras(kernel[of_inputs][rows]),
        lambda rows: layouts.lstm_gates_to_keras(kernel[state][rows]),
        lambda rows: layouts.lstm_bias_to_keras(bias, added)[rows],
    )


def _named(*functions):
    names = ("kernel", "recurrent_kernel", "bias")
    return {
        name: Rows(function)
        for name, function in zip(names, functions, strict=True)
    }


class Rows:
    """A function of rows, a slice; all by default."""

    def __init__(self, function):
        self.function = function

    def __call__(self, rows=slice(None)):
        return self.function(rows)


def assign(variable, array, advance=lambda count: None):
    """Puts an array of `to_keras` into its variable.

    Made in blocks of rows, in memory that TensorFlow takes over: the array
    is there once. Assigned to slices, it would be copied at every read.

    Args:
        variable: Keras'.
        array: `Rows`.
        advance: called with how many elements have been made.
    """
    shape = tuple(variable.shape)
    whole = zeros(shape, variable.dtype)
    for block in blocks(shape, whole.dtype):
        whole[block] = array(block)
        advance(whole[block].size)
    variable.assign(tensor(whole))


def read(variable):
    """A variable's array, made like that of `assign`."""
    shape, rows = tuple(variable.shape), rows_of(variable)
    whole = zeros(shape, variable.dtype)
    for block in blocks(shape, whole.dtype):
        whole[block] = rows(block)
    return whole


def rows_of(variable):
    """The `Rows` of a variable, or of an array."""
    value = getattr(variable, "value", variable)
    return Rows(lambda rows: np.asarray(value[rows]))


def zeros(shape, dtype):
    """Zeros that take up memory once they are written to, aligned."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.zeros(size + _ALIGNED, np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    return memory[start : start + size].view(dtype).reshape(shape)


def tensor(array):
    """A tensor of an array; a large one of `zeros` is not copied."""
    from rnn_parity.quiet import tf

    array = np.asarray(array, order="C")
    apart = array.ctypes.data % _ALIGNED or not array.flags.writeable
    if array.nbytes < _BLOCK or apart:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def blocks(shape, dtype):
    """Slices of rows, each small; all there is of a scalar."""
    if not shape:
        return [...]
    step = max(1, _BLOCK // max(1, dtype.itemsize * math.prod(shape[1:])))
    return [
        slice(start, min(start + step, shape[0]))
        for start in range(0, shape[0], step)
    ]


def from_keras(cell, options, values, forget_bias=None):
    """The way back: {argument: array}.

    Args:
        cell, options, forget_bias: as for `to_keras`.
        values: {name of `weights`: variable, or array}.
    """
    if is_own(cell, options) or cell.kind.keras:
        arrays = {name: read(each) for name, each in values.items()}
        if cell.kind.name in CUDNN:
            return layouts.cudnn_layer_from_keras(**arrays)
        return arrays
    kernels = values["kernel"], values["recurrent_kernel"]
    bias = np.asarray(values["bias"])
    added = options.get("forget_bias", 0.0)
    added = added if forget_bias is None else forget_bias
    if cell.kind.name == "CudnnCompatibleGRUCell":
        names = ("gate_kernel", "gate_bias", "input_kernel", "input_bias")
        names += ("hidden_kernel", "hidden_bias")
        convert = layouts.cudnn_gru_from_keras
    elif cell.kind.name in ("GRUCell", "IndyGRUCell"):
        names = ("gate_kernel", "gate_bias")
        names += ("candidate_kernel", "candidate_bias")
        convert = layouts.gru_from_keras
    elif cell.kind.lstm:
        names = ("kernel", "bias")
        convert = functools.partial(
            layouts.lstm_from_keras, forget_bias=added
        )
    else:
        names = ("kernel", "bias")
        convert = layouts.simple_rnn_from_keras
    found = _in_blocks(convert, names, kernels, bias)
    if cell.kind.name in DIAGONAL:
        found = _as_diagonals(cell, found)
    return found


def _in_blocks(convert, names, kernels, bias):
    """{name: array} of a function of `layouts`, a few rows at a time."""
    none = [np.zeros((0, kernel.shape[1]), bias.dtype) for kernel in kernels]
    found = dict(zip(names, convert(*none, bias), strict=True))
    inputs, units = (kernel.shape[0] for kernel in kernels)
    for name, empty in found.items():
        if empty.ndim == 2:
            rows = {"input_kernel": inputs, "hidden_kernel": units}
            rows = rows.get(name, inputs + units)
            found[name] = zeros((rows, empty.shape[1]), empty.dtype)
    filled = dict.fromkeys(names, 0)
    for at, kernel in enumerate(kernels):
        for block in blocks(tuple(kernel.shape), bias.dtype):
            given = list(none)
            given[at] = rows_of(kernel)(block)
            for name, part in zip(names, convert(*given, bias), strict=True):
                if part.ndim == 2:
                    start = filled[name]
                    filled[name] += len(part)
                    found[name][start : filled[name]] = part
    return found


# A kernel of one's own per unit is a diagonal recurrent kernel.


def _as_full_kernels(cell, arrays):
    from numpy_ref.tf1_contrib_cells import with_diagonals

    units = cell.sizes.units
    if "kernel_w" in arrays:
        full = with_diagonals(arrays["kernel_w"], arrays["kernel_u"], units)
        return {"kernel": full, "bias": arrays["bias"]}
    return {
        f"{part}_{what}": (
            with_diagonals(
                arrays[f"{part}_kernel_w"], arrays[f"{part}_kernel_u"], units
            )
            if what == "kernel"
            else arrays[f"{part}_bias"]
        )
        for part in ("gate", "candidate")
        for what in ("kernel", "bias")
    }


def _as_diagonals(cell, arrays):
    units = cell.sizes.units

    def apart(full):
        square = full[-units:].reshape(units, -1, units)
        diagonals = np.einsum("ugu->gu", square).reshape(1, -1)
        return full[:-units], diagonals

    if "kernel" in arrays:
        kernel_w, kernel_u = apart(arrays["kernel"])
        return {
            "kernel_w": kernel_w,
            "kernel_u": kernel_u,
            "bias": arrays["bias"],
        }
    found = {}
    for part in ("gate", "candidate"):
        kernel_w, kernel_u = apart(arrays[f"{part}_kernel"])
        found[f"{part}_kernel_w"] = kernel_w
        found[f"{part}_kernel_u"] = kernel_u
        found[f"{part}_bias"] = arrays[f"{part}_bias"]
    return found


def leaves_the_diagonal(cell, values):
    """Whether training has filled what TensorFlow 1 has no place for."""
    if cell.kind.name not in DIAGONAL:
        return False
    units = cell.sizes.units
    kernel = np.asarray(values["recurrent_kernel"]).copy()
    square = kernel.reshape(units, -1, units)
    square[np.arange(units), :, np.arange(units)] = 0
    return bool(square.any())
