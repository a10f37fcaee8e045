"""The cells of TensorFlow 1 as their variables show them: one record a kind.

I inputs, H units, P outputs. What a release called a variable has changed
(`Linear/Matrix`, `weights`, `kernel`), the arrays have not.
"""

import dataclasses
import functools
import importlib
import re
from collections.abc import Callable

_KERNEL = ("kernel", "weights", "Linear/Matrix", "W_0")
PLAIN_KERNELS = _KERNEL
_BIAS = ("bias", "biases", "Linear/Bias", "B")
_PLAIN = {"kernel": _KERNEL, "bias": _BIAS}
_BLOCK = {"kernel": (*_KERNEL, "W"), "bias": (*_BIAS, "b")}
_PEEPHOLES = {
    f"w_{gate}_diag": (
        f"w_{gate}_diag",
        f"W_{gate.upper()}_diag",
        f"wc{gate}",
    )
    for gate in "fio"
}
_PROJECTION = {
    "projection_kernel": (
        "projection/kernel",
        "projection/weights",
        "W_P_0",
    )
}
_GATES = {
    "gate_kernel": (
        *(f"gates/{name}" for name in _KERNEL),
        "Gates/Linear/Matrix",
        "w_ru",
    ),
    "gate_bias": (
        *(f"gates/{name}" for name in _BIAS),
        "Gates/Linear/Bias",
        "b_ru",
    ),
}
_CANDIDATE = {
    "candidate_kernel": (
        *(f"candidate/{name}" for name in _KERNEL),
        "Candidate/Linear/Matrix",
        "w_c",
    ),
    "candidate_bias": (
        *(f"candidate/{name}" for name in _BIAS),
        "Candidate/Linear/Bias",
        "b_c",
    ),
}
_OF_KERAS = {name: (name,) for name in ("kernel", "recurrent_kernel", "bias")}
_NORMALISED = ("input", "transform", "forget", "output", "state")
_NORMS = {
    f"{which}s.{name}": (f"{name}/{which}",)
    for which in ("gamma", "beta")
    for name in _NORMALISED
}


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of one cell: inputs I, units H, outputs P (H without projection)."""

    inputs: int
    units: int
    outputs: int


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of cell.

    Attributes:
        name: TensorFlow 1's.
        equations: the class of numpy_ref, as "module:class".
        arguments: {argument of the class: names in the cell's scope}. A dot
            parts an argument that is a dict from its key.
        optional: arguments that may be missing, all of a tuple together.
        sizes: ({argument: shape}) -> Sizes, or None where shapes do not fit.
        options: what a checkpoint does not tell: {name: default}.
        lstm: whether the state is c and h.
        distinct: whether the variables' names alone say it is a cell.
        keras: of a layer of tf.keras, the class of Keras 3, or None.
    """

    name: str
    equations: str
    arguments: dict
    sizes: Callable
    optional: tuple = ()
    options: dict = dataclasses.field(default_factory=dict)
    lstm: bool = False
    distinct: bool = False
    keras: str | None = None

    def make(self, arrays, **options):
        """The cell of numpy_ref.

        Args:
            arrays: {argument: array}, dotted where a dict is meant.
            options: those of `options` that are not the default.
        """
        module, name = self.equations.split(":")
        module = importlib.import_module(f"numpy_ref.{module}")
        given = {}
        for argument, array in arrays.items():
            outer, _, key = argument.partition(".")
            if key:
                given.setdefault(outer, {})[key] = array
            else:
                given[argument] = array
        chosen = self.options | options
        for option in chosen:
            if option.endswith("activation"):
                from numpy_ref.tf1_cells import ACTIVATIONS

                chosen[option] = ACTIVATIONS[chosen[option]]
        return getattr(module, name)(**given, **chosen)


def flat_bias(argument, array):
    """A bias made by hand may be [1, size]; all else as it is."""
    one_row = array.ndim == 2 and len(array) == 1
    return array[0] if "bias" in argument and one_row else array


def _two(shape):
    return shape if shape is not None and len(shape) == 2 else (0, 0)


def _vector(shape, size):
    """[size], or [1, size] as hand-made biases often are."""
    return shape is not None and tuple(shape) in ((size,), (1, size))


def _valid(inputs, units, outputs, *others):
    if min(inputs, units, outputs) < 1 or not all(others):
        return None
    return Sizes(inputs, units, outputs)


def _gated(gates, state_rows=1):
    """Sizes of one kernel [I + state_rows H, gates H]."""

    def sizes(shapes):
        rows, columns = _two(shapes["kernel"])
        units = columns // gates
        projected = shapes.get("projection_kernel")
        outputs = units if projected is None else _two(projected)[1]
        bias = shapes.get("bias")
        diagonals = [
            tuple(shape) == (units,)
            for name, shape in shapes.items()
            if name.endswith("_diag") or "." in name
        ]
        return _valid(
            rows - state_rows * outputs,
            units,
            outputs,
            columns == gates * units,
            bias is None or _vector(bias, columns),
            projected is None or _two(projected)[0] == units,
            *diagonals,
        )

    return sizes


def _gru(shapes):
    rows, columns = _two(shapes["gate_kernel"])
    units = columns // 2
    return _valid(
        rows - units,
        units,
        units,
        columns == 2 * units,
        tuple(shapes["candidate_kernel"]) == (rows, units),
        _vector(shapes["gate_bias"], columns),
        _vector(shapes["candidate_bias"], units),
    )


def _cudnn_gru(shapes):
    rows, columns = _two(shapes["gate_kernel"])
    units = columns // 2
    return _valid(
        rows - units,
        units,
        units,
        columns == 2 * units,
        tuple(shapes["input_kernel"]) == (rows - units, units),
        tuple(shapes["hidden_kernel"]) == (units, units),
        _vector(shapes["gate_bias"], columns),
        _vector(shapes["input_bias"], units),
        _vector(shapes["hidden_bias"], units),
    )


def _intersection(shapes):
    rows, columns = _two(shapes["kernel"])
    units = columns // 4
    inputs = units
    projected = shapes.get("in_kernel")
    if projected is not None:
        inputs = _two(projected)[0]
    return _valid(
        inputs,
        units,
        units,
        (rows, columns) == (2 * units, 4 * units),
        _vector(shapes["bias"], columns),
        projected is None or _two(projected)[1] == units,
    )


def _sru(shapes):
    inputs, columns = _two(shapes["kernel"])
    units = columns // 4
    fits = columns == 4 * units and _vector(shapes["bias"], 2 * units)
    return _valid(inputs, units, units, fits)


def _nas(shapes):
    inputs, columns = _two(shapes["kernel"])
    outputs, recurrent = _two(shapes["recurrent_kernel"])
    units = columns // 8
    projected = shapes.get("projection_weights")
    wanted = (units, outputs)
    fits = outputs == units if projected is None else projected == wanted
    bias = shapes.get("bias")
    return _valid(
        inputs,
        units,
        outputs,
        columns == recurrent == 8 * units,
        bias is None or _vector(bias, columns),
        fits,
    )


def _independent(gates):
    """Sizes of kernels [I, gates H] and [1, gates H]."""

    def sizes(shapes):
        inputs, columns = _two(shapes["kernel_w"])
        units = columns // gates
        return _valid(
            inputs,
            units,
            units,
            columns == gates * units,
            tuple(shapes["kernel_u"]) == (1, columns),
            _vector(shapes["bias"], columns),
        )

    return sizes


def _indy_gru(shapes):
    inputs, columns = _two(shapes["gate_kernel_w"])
    units = columns // 2
    return _valid(
        inputs,
        units,
        units,
        columns == 2 * units,
        tuple(shapes["gate_kernel_u"]) == (1, columns),
        tuple(shapes["candidate_kernel_w"]) == (inputs, units),
        tuple(shapes["candidate_kernel_u"]) == (1, units),
        _vector(shapes["gate_bias"], columns),
        _vector(shapes["candidate_bias"], units),
    )


def _of_keras(gates, bias):
    """Sizes of kernels [I, gates H] and [H, gates H].

    Args:
        gates: how many.
        bias: (columns) -> its shape.
    """

    def sizes(shapes):
        inputs, columns = _two(shapes["kernel"])
        units, recurrent = _two(shapes["recurrent_kernel"])
        given = shapes.get("bias")
        return _valid(
            inputs,
            units,
            units,
            columns == recurrent == gates * units,
            given is None or tuple(given) == bias(columns),
        )

    return sizes


_TANH = {"activation": "tanh"}
_FORGET = {"forget_bias": 1.0}
_DIAGONALS = ("w_f_diag", "w_i_diag", "w_o_diag")

_LSTM = Kind(
    "LSTMCell",
    "tf1_cells:LSTMCell",
    _PLAIN | _PEEPHOLES | _PROJECTION,
    _gated(4),
    optional=(_DIAGONALS, ("projection_kernel",)),
    options=_FORGET | _TANH | {"cell_clip": None, "proj_clip": None},
    lstm=True,
)


def _keras(name, gates, bias=lambda columns: (columns,)):
    """A layer of tf.keras."""
    cudnn = name.startswith("CuDNN")
    options = _TANH
    if gates > 1:
        options = options | {"recurrent_activation": "hard_sigmoid"}
    layer = name.removeprefix("CuDNN").removesuffix("ResetAfter")
    return Kind(
        f"tf.keras.{name}",
        f"tf1_keras_cells:{name}",
        _OF_KERAS,
        _of_keras(gates, bias),
        optional=() if cudnn else (("bias",),),
        options={} if cudnn else options,
        lstm=layer == "LSTM",
        distinct=True,
        keras=layer,
    )


KINDS = (
    Kind(
        "BasicRNNCell",
        "tf1_cells:BasicRNNCell",
        _PLAIN,
        _gated(1),
        options=_TANH,
    ),
    Kind(
        "GRUCell",
        "tf1_cells:GRUCell",
        _GATES | _CANDIDATE,
        _gru,
        options=_TANH,
        distinct=True,
    ),
    Kind(
        "BasicLSTMCell",
        "tf1_cells:BasicLSTMCell",
        _PLAIN,
        _gated(4),
        options=_FORGET | _TANH,
        lstm=True,
    ),
    _LSTM,
    Kind(
        "LSTMBlockCell",
        "tf1_cells:LSTMBlockCell",
        _BLOCK | _PEEPHOLES,
        _gated(4),
        optional=(_DIAGONALS,),
        options=_FORGET | {"cell_clip": None},
        lstm=True,
    ),
    Kind(
        "LayerNormBasicLSTMCell",
        "tf1_cells:LayerNormBasicLSTMCell",
        {"kernel": (*_KERNEL, "linear/weights")} | _NORMS,
        _gated(4),
        options=_FORGET | _TANH,
        lstm=True,
        distinct=True,
    ),
    Kind(
        "CudnnCompatibleLSTMCell",
        "tf1_cells:CudnnCompatibleLSTMCell",
        _PLAIN,
        _gated(4),
        lstm=True,
    ),
    Kind(
        "CudnnCompatibleGRUCell",
        "tf1_cells:CudnnCompatibleGRUCell",
        _GATES
        | {
            f"{part}_{array}": (f"candidate/{part}_projection/{array}",)
            for part in ("input", "hidden")
            for array in ("kernel", "bias")
        },
        _cudnn_gru,
        distinct=True,
    ),
    Kind(
        "UGRNNCell",
        "tf1_cells:UGRNNCell",
        _PLAIN,
        _gated(2),
        options=_FORGET | _TANH,
    ),
    Kind(
        "NASCell",
        "tf1_cells:NASCell",
        {
            name: (name,)
            for name in (
                "kernel",
                "recurrent_kernel",
                "bias",
                "projection_weights",
            )
        },
        _nas,
        optional=(("bias",), ("projection_weights",)),
        lstm=True,
        distinct=True,
    ),
    Kind(
        "CoupledInputForgetGateLSTMCell",
        "tf1_contrib_cells:CoupledInputForgetGateLSTMCell",
        _PLAIN
        | _PROJECTION
        | {name: _PEEPHOLES[name] for name in ("w_f_diag", "w_o_diag")},
        _gated(3),
        optional=(("w_f_diag", "w_o_diag"), ("projection_kernel",)),
        options=_FORGET | _TANH | {"proj_clip": None},
        lstm=True,
    ),
    Kind(
        "IntersectionRNNCell",
        "tf1_contrib_cells:IntersectionRNNCell",
        _PLAIN
        | {
            "in_kernel": ("in_projection/kernel", "in_projection/weights"),
            "in_bias": ("in_projection/bias", "in_projection/biases"),
        },
        _intersection,
        optional=(("in_kernel", "in_bias"),),
        options=_FORGET,
    ),
    Kind(
        "SRUCell",
        "tf1_contrib_cells:SRUCell",
        _PLAIN,
        _sru,
        options=_TANH,
        distinct=True,
    ),
    Kind(
        "IndRNNCell",
        "tf1_contrib_cells:IndRNNCell",
        {name: (name,) for name in ("kernel_w", "kernel_u", "bias")},
        _independent(1),
        options=_TANH,
        distinct=True,
    ),
    Kind(
        "IndyLSTMCell",
        "tf1_contrib_cells:IndyLSTMCell",
        {name: (name,) for name in ("kernel_w", "kernel_u", "bias")},
        _independent(4),
        options=_FORGET | _TANH,
        lstm=True,
        distinct=True,
    ),
    Kind(
        "IndyGRUCell",
        "tf1_contrib_cells:IndyGRUCell",
        {
            "gate_kernel_w": ("gates/kernel_w",),
            "gate_kernel_u": ("gates/kernel_u",),
            "gate_bias": ("gates/bias",),
            "candidate_kernel_w": ("candidate/kernel",),
            "candidate_kernel_u": ("candidate/kernel_u",),
            "candidate_bias": ("candidate/bias",),
        },
        _indy_gru,
        options=_TANH,
        distinct=True,
    ),
    _keras("SimpleRNN", 1),
    _keras("LSTM", 4),
    _keras("GRU", 3),
    _keras("GRUResetAfter", 3, lambda columns: (2, columns)),
    _keras("CuDNNLSTM", 4, lambda columns: (2 * columns,)),
    _keras("CuDNNGRU", 3, lambda columns: (2 * columns,)),
)
BY_NAME = {kind.name: kind for kind in KINDS}

# What a scope's last part says, without underscores, case and number.
_STORED_AS = {
    **{kind.name.lower(): kind.name for kind in KINDS},
    "lstmblockfusedcell": "LSTMBlockCell",
    "lstmfusedcell": "LSTMBlockCell",
    "lstmblockwrapper": "LSTMBlockCell",
    "grublockcell": "GRUCell",
    "grublockcellv2": "GRUCell",
}
# Cells that are known and not converted: their scopes say so.
UNSUPPORTED = frozenset(
    {
        "convlstmcell",
        "conv1dlstmcell",
        "conv2dlstmcell",
        "conv3dlstmcell",
        "phasedlstmcell",
        "gridlstmcell",
        "gridrnncell",
        "grid1basicrnncell",
        "grid1basiclstmcell",
        "grid1lstmcell",
        "grid2basicrnncell",
        "grid2basiclstmcell",
        "grid2lstmcell",
        "grid2grucell",
        "grid3lstmcell",
        "timefreqlstmcell",
        "bidirectionalgridlstmcell",
        "glstmcell",
    }
)


@functools.lru_cache(maxsize=4096)  # scopes share most of their parts
def bare(component):
    """A scope's last part without underscores, case and number."""
    return re.sub(r"_\d+$", "", component).replace("_", "").lower()


def named(scope):
    """The kind that a scope is called after, or None."""
    return BY_NAME.get(_STORED_AS.get(bare(scope.rsplit("/", 1)[-1])))
