"""The mistakes that ports of TensorFlow 1's cells and loops are made with.

    for mistake in catalogue(port):
        wrong = mistake.applied(port)   # None where it does not apply

Each says what is wrong, and how to mend it, in the user's words.
"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from numpy_ref.tf1_cells import ACTIVATIONS, hard_sigmoid
from rnn_parity.checkpoints.port import GRUS, LSTMS, map_arrays


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes:
        name: what is wrong.
        cure: how to mend it.
        touches: what it changes; two that touch the same do not combine.
        of_layer: Layer -> Layer with it, or None where it does not apply.
        of_port: Port -> Port or None, for what is not of a single layer.
        paired: whether it is also tried together with another.
        usual: whether also with two others: what comes of itself where a
            plain Keras layer is given the arrays as they are.
        mixes_rows: whether one row's numbers depend on other rows.
    """

    name: str
    cure: str
    touches: tuple
    of_layer: Callable | None = None
    of_port: Callable | None = None
    paired: bool = True
    usual: bool = False
    mixes_rows: bool = False

    def applied(self, port):
        """The port with the mistake, or None."""
        if self.of_port is not None:
            return self.of_port(port)
        changed = [self.of_layer(layer) for layer in port.layers]
        if not any(changed):
            return None
        return _with_layers(port, changed)

    def only_in(self, way, at, where):
        """The same mistake in a single layer of the stack."""

        def of_port(port):
            wrong = self.of_layer(port.ways[way][at])
            if wrong is None:
                return None
            changed = [
                wrong if (w, n) == (way, at) else layer
                for w, layers in enumerate(port.ways)
                for n, layer in enumerate(layers)
            ]
            return _with_layers(port, changed)

        return dataclasses.replace(
            self,
            name=f"{self.name}, in {where} alone",
            of_layer=None,
            of_port=of_port,
            paired=False,
        )


def _with_layers(port, changed):
    """The port with other layers; those that are None as they were."""
    chosen = iter(
        new or old for new, old in zip(changed, port.layers, strict=True)
    )
    ways = tuple(tuple(next(chosen) for _ in way) for way in port.ways)
    return dataclasses.replace(port, ways=ways)


def catalogue():
    """Every mistake; of two, the one before goes into a port first."""
    # It is made of what is here.
    from rnn_parity.checkpoints.keras_mistakes import KERAS

    return (
        *_WEIGHTS[:1],  # whose arrays the others change
        *_gate_orders(),
        *_KERNELS,
        *_FORGET_BIAS,  # into a bias that may be missing
        *_STATES,
        *_STEPS,
        *_LENGTHS,
        *_IDS,
        *_ACTIVATIONS,
        *_GRU,
        *KERAS,
        *_LEFT_OUT,
        *_STACKS,
        *_DIRECTIONS,
        *_AXES,
        *_WEIGHTS[1:],
    )


def scaled(factor, dropped):
    """What only the numbers themselves tell: dropout, or a factor.

    Args:
        factor: what the outputs are multiplied by.
        dropped: the share of them that is 0 instead.
    """
    if dropped:
        return Mistake(
            f"dropout left on: {dropped:.0%} of the outputs are 0, the "
            f"others {factor:.4g} times as large",
            "training=False in Keras, eval() in PyTorch, keep_prob=1",
            ("outputs",),
        )
    return Mistake(
        f"the outputs multiplied by {factor:.4g}",
        "the outputs are the cell's alone; a dropout of today scales when "
        "training, so that nothing is scaled afterwards",
        ("outputs",),
    )


# --- The forget bias ---


def _forget_bias(layer):
    """What is added when the cell runs; 0 where there is none."""
    return layer.get("forget_bias") or 0.0


def _without_forget_bias(layer):
    return layer.changed(forget_bias=0.0) if _forget_bias(layer) else None


def _twice(layer):
    bias = _forget_bias(layer)
    return layer.changed(forget_bias=2 * bias) if bias else None


def _added(layer):
    """Of cells that have none: cuDNN's, or those made with 0."""
    if layer.get("forget_bias") == 0.0:
        return layer.changed(forget_bias=1.0)
    return None


def _one_instead(layer):
    if _forget_bias(layer) not in (0.0, 1.0):
        return layer.changed(forget_bias=1.0)
    return None


def _on_gate(gate):
    """The forget bias, added where another gate's bias is."""

    def change(layer):
        bias, value = layer.arrays.get("bias"), _forget_bias(layer)
        letters = GATES.get(layer.kind.name, ("", ()))[0]
        if bias is None or not value or gate not in letters:
            return None
        if "f" not in letters:
            return None
        blocks = np.split(bias, len(letters))
        blocks[letters.index(gate)] = blocks[letters.index(gate)] + value
        layer = layer.with_arrays(bias=np.concat(blocks))
        return layer.changed(forget_bias=0.0)

    return change


_FOLD = (
    "TensorFlow 1 adds forget_bias to gate f when the cell runs, so it is "
    "not in the stored bias: add it to f's part of the bias, exactly once"
)
_FORGET_BIAS = (
    Mistake(
        "forget_bias missing",
        _FOLD,
        ("forget",),
        _without_forget_bias,
        usual=True,
    ),
    Mistake(
        "forget_bias added twice",
        _FOLD,
        ("forget",),
        _twice,
        usual=True,
    ),
    Mistake(
        "a forget_bias of 1 added to a cell that has none",
        "cuDNN's cells, and those made with forget_bias=0, add nothing: "
        "take the stored bias as it is",
        ("forget",),
        _added,
    ),
    Mistake(
        "a forget_bias of 1 instead of the one given",
        "add the forget_bias that the cell was made with",
        ("forget",),
        _one_instead,
    ),
    *(
        Mistake(
            f"forget_bias added to gate {gate} instead of f",
            _FOLD + "; in TensorFlow 1's order i, j, f, o that is the third "
            "quarter, in Keras' order i, f, c, o the second",
            ("forget",),
            _on_gate(gate),
            usual=gate == "j",
        )
        for gate in "jio"
    ),
)

# --- The order of the gates ---

_FOUR = ("ijfo", ("kernel", "bias"))
# {kind: (its gates as TensorFlow 1 stores them, the arrays they are in)}
GATES = {
    **dict.fromkeys(LSTMS, _FOUR),
    "IndyLSTMCell": ("ijfo", ("kernel_w", "kernel_u", "bias")),
    "CoupledInputForgetGateLSTMCell": ("jfo", ("kernel", "bias")),
    "UGRNNCell": ("gc", ("kernel", "bias")),
    **dict.fromkeys(GRUS, ("ru", ("gate_kernel", "gate_bias"))),
    "IndyGRUCell": (
        "ru",
        ("gate_kernel_w", "gate_kernel_u", "gate_bias"),
    ),
}
_KNOWN_ORDERS = {
    "ifjo": "as Keras and PyTorch have it (j is their c or g)",
    "iofj": "as ONNX has it (j is its c)",
    "fijo": "as some papers have it",
    "fioj": "as Chainer and MATLAB ports may have it",
    "jifo": "as some hand-made cells have it",
}


def _read_as(order):
    """Block k of the columns taken for gate order[k]."""

    def change(layer):
        letters, names = GATES.get(layer.kind.name, ("", ()))
        if sorted(letters) != sorted(order):
            return None
        return layer.with_arrays(
            **{
                name: _permuted(layer.arrays[name], letters, order)
                for name in names
                if name in layer.arrays
            }
        )

    return change


def _permuted(array, letters, order):
    blocks = np.split(array, len(letters), -1)
    return np.concat([blocks[order.index(g)] for g in letters], -1)


def _gate_orders():
    every = [
        "".join(order)
        for letters in ("ijfo", "jfo")
        for order in itertools.permutations(letters)
    ]
    every = [order for order in every if order not in ("ijfo", "jfo")]
    every.sort(key=lambda order: order not in _KNOWN_ORDERS)
    for order in every:
        wrong = ", ".join(order)
        stored = "i, j, f, o" if len(order) == 4 else "j, f, o"
        as_have = _KNOWN_ORDERS.get(order)
        yield Mistake(
            f"gates read in the order {wrong} instead of {stored}"
            + (f", {as_have}" if as_have else ""),
            f"TensorFlow 1 stores the gates as {stored}: split the columns "
            "of kernel and bias so, then put them in your order",
            ("gates",),
            _read_as(order),
            paired=order in ("ifjo", "iofj"),
            usual=order == "ifjo",
        )
    yield Mistake(
        "the GRU's r and u exchanged",
        "TensorFlow 1 stores r before u in the gates; Keras' order is z "
        "(which is u), r, h",
        ("gates",),
        _read_as("ur"),
        usual=True,
    )
    yield Mistake(
        "the UGRNN's gate and candidate exchanged",
        "the first half of the columns is the gate's",
        ("gates",),
        _read_as("cg"),
    )


# --- How kernels are cut up ---


def _joint(layer):
    """{name: kernel} of those with the input's rows above the state's."""
    rows = layer.sizes.inputs + layer.sizes.outputs
    names = ("kernel", "gate_kernel", "candidate_kernel")
    return {
        name: layer.arrays[name]
        for name in names
        if name in layer.arrays and len(layer.arrays[name]) == rows
    }


def _state_above(layer):
    outputs = layer.sizes.outputs
    return _replaced(
        layer,
        {
            name: np.concat([kernel[outputs:], kernel[:outputs]])
            for name, kernel in _joint(layer).items()
        },
    )


def _transposed(layer):
    return _replaced(
        layer,
        {
            name: array.T
            for name, array in layer.arrays.items()
            if array.ndim == 2 and len(array) == array.shape[1]
        },
    )


def _blocks_transposed(part):
    """Every gate's block of the input's or the state's rows, if square."""

    def change(layer):
        inputs, units = layer.sizes.inputs, layer.sizes.units
        height = inputs if part == "input" else layer.sizes.outputs
        if height != units:
            return None
        found = {}
        for name, kernel in _joint(layer).items():
            above, below = np.split(kernel, [inputs])
            if part == "input":
                above = _each_transposed(above)
            else:
                below = _each_transposed(below)
            found[name] = np.concat([above, below])
        return _replaced(layer, found)

    return change


def _each_transposed(block):
    gates = np.split(block, block.shape[1] // len(block), 1)
    return np.concat([gate.T for gate in gates], 1)


def _reshaped(layer):
    """What [columns, rows] holds after a reshape, read as transposed."""
    found = {}
    for name, kernel in _joint(layer).items():
        parts = np.split(kernel, [layer.sizes.inputs])
        parts = [part.reshape(part.shape[::-1]).T for part in parts]
        found[name] = np.concat(parts)
    return _replaced(layer, found)


def _replaced(layer, arrays):
    return layer.with_arrays(**arrays) if arrays else None


def _without_bias(*wanted):
    def change(layer):
        return _replaced(
            layer,
            {
                name: np.zeros_like(array)
                for name, array in layer.arrays.items()
                if name in wanted or ("bias" in wanted and "bias" in name)
            },
        )

    return change


_ROWS = (
    "the first rows of a TensorFlow 1 kernel are the input's, the others "
    "the state's"
)
_KERNELS = (
    Mistake(
        "bias missing",
        "put the stored bias in (a Keras GRU with reset_after=True has two)",
        ("bias", "candidate bias"),
        _without_bias("bias"),
    ),
    Mistake(
        "the gates' bias missing",
        "put gates/bias in",
        ("bias",),
        _without_bias("gate_bias"),
    ),
    Mistake(
        "the candidate's bias missing",
        "put candidate/bias in",
        ("candidate bias",),
        _without_bias("candidate_bias", "input_bias", "hidden_bias"),
    ),
    Mistake(
        "the bias of the candidate's state missing",
        "put candidate/hidden_projection/bias in, the second row of a Keras "
        "GRU's bias",
        ("candidate bias",),
        _without_bias("hidden_bias"),
    ),
    Mistake(
        "kernel split with the state above the input",
        _ROWS,
        ("rows",),
        _state_above,
    ),
    Mistake(
        "kernel transposed",
        "TensorFlow 1 stores [inputs, outputs], as Keras does; only PyTorch "
        "wants it transposed",
        ("rows",),
        _transposed,
    ),
    Mistake(
        "each gate's recurrent kernel transposed",
        "the recurrent part multiplies h from the right: h kernel",
        ("rows",),
        _blocks_transposed("state"),
    ),
    Mistake(
        "each gate's input kernel transposed",
        "the input's part multiplies x from the right: x kernel",
        ("rows",),
        _blocks_transposed("input"),
    ),
    Mistake(
        "kernels reshaped instead of transposed",
        "use .T for PyTorch's [columns, rows], not .reshape",
        ("rows",),
        _reshaped,
    ),
)

# --- States ---


def _swapped_at_start(port):
    swap = [state[::-1] for way in port.states for state in way]
    old = [state for way in port.states for state in way]
    fits = all(
        [a.shape for a in new] == [a.shape for a in state]
        for new, state in zip(swap, old, strict=True)
    )
    if not fits or all(len(state) == 1 for state in old):
        return None
    found = iter(swap)
    states = tuple(tuple(next(found) for _ in way) for way in port.states)
    return dataclasses.replace(port, states=states)


def _swapped_at_end(port):
    lstm = any(len(state) == 2 for way in port.states for state in way)
    return port.changed(swap_final=True) if lstm else None


def _from_zero(port):
    states = map_arrays(np.zeros_like, port.states)
    return dataclasses.replace(port, states=states)


_C_H = "a state is (c, h) in TensorFlow 1 and [h, c] in Keras and PyTorch"
_STATES = (
    Mistake(
        "c and h exchanged in the initial state",
        _C_H,
        ("initial state",),
        of_port=_swapped_at_start,
        usual=True,
    ),
    Mistake(
        "c and h exchanged in the final state",
        _C_H,
        ("final state",),
        of_port=_swapped_at_end,
    ),
    Mistake(
        "a zero initial state instead of the one given",
        "hand the initial state on (initial_state= in Keras)",
        ("initial state",),
        of_port=_from_zero,
        usual=True,
    ),
)

# --- Steps ---


def _of_steps(one_way=False, fewest=2, **loop):
    """Where there are so many steps, perhaps in one direction only."""

    def of_port(port):
        few = port.inputs.shape[1] < fewest
        if few or (one_way and len(port.ways) > 1):
            return None
        return port.changed(**loop)

    return of_port


def _from_zero_each_step(port):
    return _of_steps(carried=False)(_from_zero(port))


def _from_initial_each_step(port):
    given = any(
        array.any() for way in port.states for state in way for array in state
    )
    return _of_steps(carried=False)(port) if given else None


def _puts_out_c(port):
    if port.by_layer:
        return None
    for way in port.ways:
        size = way[-1].made.state_size
        if not isinstance(size, tuple) or size[0] != size[1]:
            return None
    return port.changed(puts_out="c")


_CARRY = (
    "hand each step's state to the next; where you call a layer step by "
    "step, that is initial_state= in Keras"
)
_TURNED = "the one direction reads from the first step on: go_backwards=False"
_STEPS = (
    *(
        Mistake(
            f"the {what} a step too {word}",
            f"step t of the {what} is step t in TensorFlow 1, too",
            (f"{what} in time",),
            # Of a single step zeros are left, as of one that relu cuts off.
            of_port=_of_steps(fewest=1, **{f"{what}_late": late}),
        )
        for what in ("inputs", "outputs")
        for word, late in (("late", 1), ("early", -1))
    ),
    Mistake(
        "the series read backward, its outputs in the order of reading",
        _TURNED,
        ("inputs in time",),
        of_port=_of_steps(one_way=True, inputs_turned=True),
    ),
    Mistake(
        "the series read backward, its outputs turned back",
        _TURNED,
        ("inputs in time", "outputs in time"),
        of_port=_of_steps(
            one_way=True, inputs_turned=True, outputs_turned=True
        ),
    ),
    Mistake(
        "the outputs turned round",
        "the first output belongs to the first step",
        ("outputs in time",),
        of_port=_of_steps(one_way=True, outputs_turned=True),
    ),
    Mistake(
        "the state not carried from step to step, each starts from zeros",
        _CARRY,
        ("initial state", "carried"),
        of_port=_from_zero_each_step,
    ),
    Mistake(
        "the initial state at every step instead of the last step's",
        _CARRY,
        ("carried",),
        of_port=_from_initial_each_step,
    ),
    Mistake(
        "c put out instead of h",
        "the output is h, the second of (c, h), the first of Keras' [h, c]",
        ("put out",),
        of_port=_puts_out_c,
    ),
)

# --- Rows of different lengths ---


def _past_end(name, value):
    def of_port(port):
        differs = port.padded and port.get(name) != value
        return port.changed(**{name: value}) if differs else None

    return of_port


def _ignored(port):
    return dataclasses.replace(port, lengths=None) if port.padded else None


_LENGTHS = (
    Mistake(
        "sequence_length ignored",
        "past a row's end the outputs are 0 and the state stays: give Keras "
        "a mask, and zero_output_for_mask=True",
        ("past outputs", "past state"),
        of_port=_ignored,
        usual=True,
    ),
    Mistake(
        "the last output repeated past the end",
        "TensorFlow 1 puts out 0 there: zero_output_for_mask=True in Keras",
        ("past outputs",),
        of_port=_past_end("past_outputs", "repeated"),
        usual=True,
    ),
    Mistake(
        "the state not held past the end",
        "past a row's end the state stays as it is: give Keras a mask, "
        "instead of masking the outputs alone",
        ("past state",),
        of_port=_past_end("past_state", "running"),
    ),
)

# --- Ids, whose rows of an embedding are the inputs ---


def _ids_off_by(count):
    def of_port(port):
        return None if port.ids is None else port.with_ids(port.ids + count)

    return of_port


def _zeros_masked(port):
    if port.ids is None or port.lengths is not None:
        return None
    valid = port.ids != 0
    lengths = valid.sum(1)
    steps = np.arange(valid.shape[1])
    if valid.all() or (valid != (steps < lengths[:, np.newaxis])).any():
        return None
    masked = dataclasses.replace(port, lengths=lengths)
    return masked.changed(past_outputs="repeated")


_LOOKUP = (
    "lookups of Keras keep ids for padding and unknown words: give "
    "StringLookup mask_token=None and num_oov_indices=0, or move the ids"
)
_IDS = (
    *(
        Mistake(f"ids too {word}", _LOOKUP, ("ids",), of_port=_ids_off_by(by))
        for word, by in (
            ("high by one", 1),
            ("high by two", 2),
            ("low by one", -1),
        )
    ),
    Mistake(
        "ids of 0 masked",
        "TensorFlow 1 looks row 0 up like any other: mask_zero=False",
        ("ids", "past outputs", "past state"),
        of_port=_zeros_masked,
    ),
)

# --- Activations ---


def _activation(name):
    def change(layer):
        able = layer.kind.name in (*LSTMS, *GRUS)
        now = layer.get("activation") or ACTIVATIONS["tanh"]
        if not (able or "activation" in layer.kind.options):
            return None
        if now is ACTIVATIONS[name]:
            return None
        return layer.changed(activation=ACTIVATIONS[name])

    return change


def _sigmoid(function):
    def change(layer):
        if layer.kind.name in (*LSTMS, *GRUS):
            return layer.changed(sigmoid=function)
        now = layer.get("recurrent_activation")
        if layer.kind.keras and now is ACTIVATIONS["sigmoid"]:
            return layer.changed(recurrent_activation=function)
        return None

    return change


def hard_sigmoid_of_keras_3(x):
    """relu6(x + 3) / 6, of Keras 3."""
    return np.clip(x / 6 + 0.5, 0, 1)


_ACTIVATIONS = (
    *(
        Mistake(
            f"activation {name} instead of the cell's"
            + ("" if name == "tanh" else " tanh"),
            "give the layer the activation that the TensorFlow 1 cell had "
            "(tanh by default)",
            ("activation",),
            _activation(name),
        )
        for name in ("relu", "sigmoid", "linear", "tanh")
    ),
    *(
        Mistake(
            f"hard_sigmoid of {which} instead of sigmoid in the gates",
            "recurrent_activation='sigmoid' in Keras",
            ("sigmoid",),
            _sigmoid(function),
            usual=True,
        )
        for which, function in (
            ("Keras 1 and 2 (0.2 x + 0.5)", hard_sigmoid),
            ("Keras 3 (x / 6 + 0.5)", hard_sigmoid_of_keras_3),
        )
    ),
    Mistake(
        "tanh instead of sigmoid in the gates",
        "recurrent_activation='sigmoid' in Keras",
        ("sigmoid",),
        _sigmoid(np.tanh),
        paired=False,
    ),
)

# --- GRU ---


def _reset(where, kind):
    def change(layer):
        return layer.changed(reset=where) if layer.kind.name == kind else None

    return change


def _update(layer):
    if layer.kind.name in GRUS:
        return layer.changed(update="candidate")
    return None


_AFTER = (
    "TensorFlow 1's GRUCell resets h before the product: Keras' GRU needs "
    "reset_after=False, and PyTorch's and cuDNN's cannot do it"
)
_GRU = (
    Mistake(
        "GRU with reset_after=True",
        _AFTER,
        ("reset",),
        _reset("after", "GRUCell"),
        usual=True,
    ),
    Mistake(
        "GRU with reset_after=True, its bias inside the reset",
        _AFTER,
        ("reset",),
        _reset("after with bias", "GRUCell"),
    ),
    Mistake(
        "GRU with reset_after=False",
        "cuDNN's GRU resets after the product: reset_after=True in Keras",
        ("reset",),
        _reset("before", "CudnnCompatibleGRUCell"),
    ),
    Mistake(
        "the GRU's u and 1 - u exchanged",
        "in TensorFlow 1 u keeps the state: h = u h + (1 - u) c",
        ("update",),
        _update,
        usual=True,
    ),
)

# --- What Keras' plain layers do not have ---


def _without_peepholes(layer):
    return _replaced(
        layer,
        {
            name: np.zeros_like(array)
            for name, array in layer.arrays.items()
            if name.endswith("_diag")
        },
    )


def _without_clip(name):
    def change(layer):
        return layer.changed(**{name: None}) if layer.get(name) else None

    return change


def _norm(epsilon):
    def change(layer):
        if layer.kind.name != "LayerNormBasicLSTMCell":
            return None
        return layer.changed(norm_epsilon=epsilon)

    return change


def _without_residual(layer):
    if not layer.residual:
        return None
    return dataclasses.replace(layer, residual=False)


def _residual(first):
    """Added to every layer that can have it, or all above the lowest."""

    def of_port(port):
        changed = [
            dataclasses.replace(layer, residual=True)
            if at >= first
            and not layer.residual
            and layer.sizes.inputs == layer.sizes.outputs
            else None
            for way in port.ways
            for at, layer in enumerate(way)
        ]
        return _with_layers(port, changed) if any(changed) else None

    return of_port


_EPSILON = "TensorFlow 1's layer normalisation adds 1e-12 to the variance"
_LEFT_OUT = (
    Mistake(
        "peepholes left out",
        "Keras' LSTM has none; the w_*_diag need a cell of their own",
        ("peepholes",),
        _without_peepholes,
    ),
    Mistake(
        "cell_clip left out",
        "clip c after every step",
        ("cell clip",),
        _without_clip("cell_clip"),
    ),
    Mistake(
        "proj_clip left out",
        "clip the projected h after every step",
        ("projection clip",),
        _without_clip("proj_clip"),
    ),
    Mistake(
        "layer normalisation left out",
        "each gate and c are normalised, with the gammas and betas stored",
        ("norm",),
        _norm(None),
    ),
    Mistake(
        "layer normalisation with epsilon 1e-3 (Keras' default)",
        _EPSILON,
        ("norm",),
        _norm(1e-3),
    ),
    Mistake(
        "layer normalisation with epsilon 1e-5 (PyTorch's default)",
        _EPSILON,
        ("norm",),
        _norm(1e-5),
    ),
    Mistake(
        "residual left out",
        "add the layer's input to its output",
        ("residual",),
        _without_residual,
    ),
    Mistake(
        "a residual added to every layer that can have one",
        "the output is the cell's alone",
        ("residual",),
        of_port=_residual(0),
    ),
    Mistake(
        "a residual added above the lowest layer",
        "the output is the cell's alone",
        ("residual",),
        of_port=_residual(1),
    ),
)

# --- Layers on top of one another ---


def _shared(first):
    """Layers from `first` on all with the weights of that one."""

    def of_port(port):
        changed = []
        for way in port.ways:
            changed += [None] * min(first + 1, len(way))
            for layer in way[first + 1 :]:
                if not _alike(layer, way[first]):
                    return None
                changed.append(_with_weights_of(layer, way[first]))
        return _with_layers(port, changed) if any(changed) else None

    return of_port


def _alike(one, other):
    shapes = [
        {name: array.shape for name, array in layer.arrays.items()}
        for layer in (one, other)
    ]
    return one.kind is other.kind and shapes[0] == shapes[1]


def _with_weights_of(layer, source):
    return layer.with_arrays(**source.arrays)


def _in_order(order):
    """Layer k of the port has the weights of layer order[k]."""

    def of_port(port):
        changed = []
        for way in port.ways:
            if len(way) != len(order):
                return None
            for layer, source in zip(way, order, strict=True):
                if not _alike(layer, way[source]):
                    return None
                changed.append(_with_weights_of(layer, way[source]))
        return _with_layers(port, changed)

    return of_port


def _orders():
    """Other orders of two, three and four layers."""
    for count in (2, 3, 4):
        for order in itertools.permutations(range(count)):
            if list(order) != sorted(order):
                yield order


def _lower_outputs(port, count):
    if not 0 < count < len(port.ways[0]):
        return None
    return port.changed(layers=count)


_STACKS = (
    Mistake(
        "the outputs of the lowest layer instead of the top one's",
        "the outputs are the top layer's",
        ("depth",),
        of_port=lambda port: _lower_outputs(port, 1),
    ),
    Mistake(
        "the outputs of the layer below the top one",
        "the outputs are the top layer's",
        ("depth",),
        of_port=lambda port: _lower_outputs(
            port, len(port.ways[0]) - 1 if len(port.ways[0]) > 2 else 0
        ),
    ),
    Mistake(
        "one cell shared by all layers",
        "every layer has weights of its own: make a new cell for each",
        ("layers",),
        of_port=_shared(0),
    ),
    Mistake(
        "one cell shared by all layers above the lowest",
        "every layer has weights of its own: make a new cell for each",
        ("layers",),
        of_port=_shared(1),
    ),
    *(
        Mistake(
            "layers in the wrong order: the weights of layers "
            f"{', '.join(map(str, order))} instead of "
            f"{', '.join(map(str, sorted(order)))}",
            "cell_0 is the lowest (cell_10 comes after cell_9)",
            ("layers",),
            of_port=_in_order(order),
            paired=order == tuple(sorted(order))[::-1],
        )
        for order in _orders()
    ),
)

# --- Two directions ---


def _two_ways(padded=False, **loop):
    def of_port(port):
        if len(port.ways) < 2 or (padded and not port.padded):
            return None
        return port.changed(**loop)

    return of_port


def _exchanged_below(port):
    if not port.by_layer or len(port.ways[0]) < 2:
        return None
    return port.changed(merge="exchanged", merge_below="exchanged")


def _merged(how):
    def of_port(port):
        if len(port.ways) < 2:
            return None
        tops = [way[-1].sizes.outputs for way in port.ways]
        alike = tops[0] == tops[1]
        one_way = how in ("exchanged", "forward", "backward")
        return port.changed(merge=how) if alike or one_way else None

    return of_port


def _weights_of_the_other_way(port):
    if len(port.ways) < 2:
        return None
    changed = []
    for way, other in (port.ways, port.ways[::-1]):
        for layer, source in zip(way, other, strict=False):
            if not _alike(layer, source):
                return None
            changed.append(_with_weights_of(layer, source))
    return _with_layers(port, changed)


def _one_way_for_both(source):
    def of_port(port):
        if len(port.ways) < 2:
            return None
        given = port.ways[source]
        changed = []
        for way in port.ways:
            for layer, of_source in zip(way, given, strict=False):
                if not _alike(layer, of_source):
                    return None
                changed.append(_with_weights_of(layer, of_source))
        return _with_layers(port, changed)

    return of_port


_OWN_END = (
    "the backward direction starts at each row's own end: "
    "tf.reverse_sequence before and after it, or a mask in Keras"
)
_CONCAT = "TensorFlow 1's outputs are tf.concat([forward, backward], -1)"
_DIRECTIONS = (
    Mistake(
        "the backward direction read forward",
        "go_backwards=True in Keras",
        ("backward", "turned back"),
        of_port=_two_ways(backward_order="forward"),
        usual=True,
    ),
    Mistake(
        "the backward direction reversed without regard to the lengths",
        _OWN_END,
        ("backward",),
        of_port=_two_ways(padded=True, backward_order="whole"),
    ),
    Mistake(
        "sequence_length ignored in the backward direction",
        _OWN_END,
        ("backward",),
        of_port=_two_ways(padded=True, backward_lengths=False),
    ),
    Mistake(
        "the backward outputs not turned back",
        "reverse the outputs of a layer with go_backwards=True again",
        ("turned back",),
        of_port=_two_ways(turned_back=False),
        usual=True,
    ),
    Mistake(
        "forward and backward exchanged in the concatenation",
        _CONCAT,
        ("merge",),
        of_port=_merged("exchanged"),
        usual=True,
    ),
    Mistake(
        "forward and backward exchanged in every layer's concatenation",
        _CONCAT,
        ("merge",),
        of_port=_exchanged_below,
    ),
    Mistake(
        "the weights of forward and backward exchanged",
        "fw is the forward direction",
        ("directions",),
        of_port=_weights_of_the_other_way,
    ),
    *(
        Mistake(
            f"the {way} weights in both directions",
            "each direction has weights of its own",
            ("directions",),
            of_port=_one_way_for_both(source),
        )
        for source, way in enumerate(("forward", "backward"))
    ),
    *(
        Mistake(
            f"{what} instead of concatenated",
            f"{_CONCAT}: merge_mode='concat' in Keras",
            ("merge",),
            of_port=_merged(how),
        )
        for how, what in (
            ("sum", "the directions summed"),
            ("average", "the directions averaged"),
            ("product", "the directions multiplied"),
            ("forward", "the forward outputs alone"),
            ("backward", "the backward outputs alone"),
        )
    ),
)

# --- Axes ---


def _batch_is_time(port):
    rows, steps = port.inputs.shape[:2]
    if rows == steps:
        return port.changed(batch_is_time=True)
    started = any(
        array.any() for way in port.states for state in way for array in state
    )
    # Neither the state's rows nor the lengths would fit.
    if started or port.lengths is not None:
        return None
    return port.changed(batch_is_time=True)


_AXES = (
    Mistake(
        "batch and time exchanged: the first axis read as time",
        "inputs are [batch, time, features] (time_major=False; "
        "batch_first=True in PyTorch)",
        ("axes",),
        of_port=_batch_is_time,
        mixes_rows=True,
    ),
    Mistake(
        "batch and time exchanged in the outputs, which are [T, B, O]",
        "swap the first two axes of the outputs",
        ("axes",),
        of_port=lambda port: port.changed(time_major=True),
        mixes_rows=True,
        usual=True,
    ),
)

# --- The weights themselves ---


def to_bfloat16(array):
    """Rounded to the nearest bfloat16, ties to even."""
    bits = array.astype(np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


def to_float16(array):
    """Rounded to the nearest float16."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float64)


def _rounded(function):
    def change(layer):
        return layer.with_arrays(
            **{name: function(a) for name, a in layer.arrays.items()}
        )

    return change


def _other_weights(layer):
    return None if layer.others is None else layer.with_arrays(**layer.others)


_WEIGHTS = (
    Mistake(
        "the moving averages and the weights taken for one another",
        "X/ExponentialMovingAverage holds the average of X; say --averages "
        "where the averages are meant",
        ("weights",),
        _other_weights,
    ),
    *(
        Mistake(
            f"weights rounded to {name}",
            "copy the weights in float32; keep the layer's variables so",
            ("rounding",),
            _rounded(function),
        )
        for name, function in (
            ("float16", to_float16),
            ("bfloat16", to_bfloat16),
        )
    ),
)
