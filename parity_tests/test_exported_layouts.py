"""Where every trained number lies in what is exported.

Every weight and slot of a converted model is given a value of its own, none
of them 0; what `export` writes is compared with the layouts that
`rnn_parity.layouts` and TensorFlow describe, worked out here with NumPy.
"""

import numpy as np
import pytest
from test_convert import PROJECTED, STORED, WITHOUT_BIAS, shapes_of

import rnn_parity
from rnn_parity.checkpoints import kinds, reader
from rnn_parity.checkpoints.export import export_checkpoint

INPUTS, H, P, ROWS = 3, 5, 4, 11  # P projected, ROWS of a table
ADAM = {"Adam": "_momentums", "Adam_1": "_velocities"}
# Its slots are left out, so it has a checkpoint of its own.
TWO_BIASES = "tf.keras.CuDNNLSTM"
FORGET_BIAS = 0.25


def scope_of(kind):
    scope = kind.lower().replace(" ", "_").replace(".", "_")
    return f"of_{scope}/{STORED[kind.partition(' ')[0]]}"


def cells_of(names):
    """{kind: {argument: (name in the checkpoint, shape)}}."""
    found = {}
    for kind in names:
        base = kind.partition(" ")[0]
        extras = (base in PROJECTED) == (base == kind)
        outputs = P if extras and base in PROJECTED else H
        shapes = shapes_of(base, INPUTS, H, outputs, extras)
        found[kind] = {
            argument: (
                f"{scope_of(kind)}/{kinds.BY_NAME[base].arguments[argument][0]}",
                shape,
            )
            for argument, shape in shapes.items()
        }
    return found


KINDS = [
    *(kind for kind in STORED if kind != TWO_BIASES),
    *(f"{kind} plain" for kind in PROJECTED),
    *(f"{kind} without_bias" for kind in WITHOUT_BIAS),
]
OTHERS = {
    "words/embedding": (ROWS, 9),
    "words/rnn/basic_rnn_cell/kernel": (9 + 14, 14),
    "words/rnn/basic_rnn_cell/bias": (14,),
    "words/out/kernel": (14, 13),
    "words/out/bias": (13,),
    "words/turned/kernel": (17, 14),
    "words/turned/bias": (17,),
}


class Numbers:
    """Random ones, none of them 0 and none alike."""

    def __init__(self, dtype):
        self.dtype, self.random = dtype, np.random.default_rng(12)

    def __call__(self, shape):
        sign = np.where(self.random.random(shape) < 0.5, -1, 1)
        drawn = self.random.uniform(0.2, 1.2, shape) * sign
        return np.asarray(drawn, self.dtype)


def diagonal(make, shape):
    """A recurrent kernel whose units see only themselves."""
    full = np.zeros(shape, make.dtype)
    for gate in range(shape[1] // H):
        part = full[:, gate * H : (gate + 1) * H]
        np.fill_diagonal(part, make((H,)))
    return full


def converted(folder, names, dtype, others=(), slots=()):
    make, arrays, told = Numbers(dtype), {}, {}
    for kind, of_cell in cells_of(names).items():
        told[scope_of(kind)] = kind.partition(" ")[0]
        arrays |= {name: make(shape) for name, shape in of_cell.values()}
    arrays |= {name: make(shape) for name, shape in dict(others).items()}
    for name in list(arrays):
        arrays |= {f"{name}/{one}": make(arrays[name].shape) for one in slots}
    np.savez(folder / "weights.npz", **arrays)
    bias = {
        scope_of(kind): FORGET_BIAS
        for kind in names
        if "forget_bias" in kinds.BY_NAME[kind.partition(" ")[0]].options
    }
    found = rnn_parity.convert_checkpoint(
        folder / "weights.npz", cells=told, forget_bias=bias
    )
    return found, set(arrays)


def set_all(found, names, dtype):
    """Trains every weight and slot, to numbers of its own."""
    make = Numbers(dtype)
    model = found.model
    diagonals = {
        id(found.layers[scope_of(kind)].cell.recurrent_kernel)
        for kind in names
        if kind.startswith("Ind")
    }
    for variable in model.weights:
        shape = tuple(variable.shape)
        square = id(variable) in diagonals
        variable.assign(diagonal(make, shape) if square else make(shape))
    optimizer = getattr(model, "optimizer", None)
    for attribute in ADAM.values() if optimizer else ():
        for slot in getattr(optimizer, attribute):
            slot.assign(make(tuple(slot.shape)))


# --- The layouts, by hand ---


def gates(array, count):
    return np.split(array, count, axis=-1)


def stacked(kernel, recurrent, order):
    """TensorFlow 1's one kernel, its gates in another order than Keras'."""
    both = [gates(one, kernel.shape[1] // H) for one in (kernel, recurrent)]
    rows = [np.concatenate([g[at] for at in order], -1) for g in both]
    return np.concatenate(rows)


def diagonals_of(recurrent, order):
    parts = gates(recurrent, recurrent.shape[1] // H)
    return np.concatenate([np.diag(parts[at]) for at in order])[None]


def ordered(array, order, count):
    parts = gates(array, count)
    return np.concatenate([parts[at] for at in order], -1)


def turned(kernel):
    """cuDNN has [H, I] of each gate in the memory of [I, H]."""
    parts = gates(kernel, kernel.shape[1] // H)
    return np.concatenate(
        [part.T.ravel().reshape(part.shape) for part in parts], -1
    )


def of_lstm(k, r, b, forget_bias, indy=False):
    """Keras has i, f, c, o, and TensorFlow 1 i, j, f, o."""
    order = (0, 2, 1, 3)
    bias = ordered(b, order, 4)
    bias[2 * H : 3 * H] -= b.dtype.type(forget_bias)
    if indy:
        kernels = {"kernel_w": ordered(k, order, 4)}
        kernels["kernel_u"] = diagonals_of(r, order)
    else:
        kernels = {"kernel": stacked(k, r, order)}
    return kernels | {"bias": bias}


def of_gru(k, r, b, indy=False):
    """Keras has z, r, h, and TensorFlow 1 r, u and apart from them c."""
    found = {}
    for part, order in (("gate", (1, 0)), ("candidate", (2,))):
        if indy:
            found[f"{part}_kernel_w"] = ordered(k, order, 3)
            found[f"{part}_kernel_u"] = diagonals_of(r, order)
        else:
            found[f"{part}_kernel"] = stacked(k, r, order)
        found[f"{part}_bias"] = ordered(b, order, 3)
    return found


def of_cudnn_gru(k, r, b, slot):
    """Two biases, of which a slot has only the first one's gates."""
    z, reset, _ = gates(b[0], 3)
    z_of_state, reset_of_state, _ = gates(b[1], 3)
    bias = [reset, z] if slot else [reset + reset_of_state, z + z_of_state]
    return {
        "gate_kernel": stacked(k, r, (1, 0)),
        "gate_bias": np.concatenate(bias),
        "input_kernel": gates(k, 3)[2],
        "input_bias": gates(b[0], 3)[2],
        "hidden_kernel": gates(r, 3)[2],
        "hidden_bias": gates(b[1], 3)[2],
    }


def expected(kind, cell, arguments, read, slot=False):
    """{argument: array} of a Keras cell; `read` gives a variable's array."""
    base = kind.partition(" ")[0]
    folded = 0.0 if slot else FORGET_BIAS
    own = type(cell).__module__.startswith("tf2.")
    if own:
        return {a: read(own_variable(cell, a)) for a in arguments}
    k, r = read(cell.kernel), read(cell.recurrent_kernel)
    b = None if cell.bias is None else read(cell.bias)
    if base == "CudnnCompatibleLSTMCell":
        folded = 0.0  # its forget bias is among its weights
    if base.startswith("tf.keras.CuDNN"):
        both = b if b.ndim == 2 else np.stack([b, np.zeros_like(b)])
        kernels = {"kernel": turned(k), "recurrent_kernel": turned(r)}
        return kernels | {"bias": both.ravel()}
    if base.startswith("tf.keras."):
        found = {"kernel": k, "recurrent_kernel": r, "bias": b}
        return {name: found[name] for name in arguments}
    if base in ("BasicRNNCell", "IndRNNCell"):
        if base == "BasicRNNCell":
            return {"kernel": np.concatenate([k, r]), "bias": b}
        return {"kernel_w": k, "kernel_u": np.diag(r)[None], "bias": b}
    if base == "CudnnCompatibleGRUCell":
        return of_cudnn_gru(k, r, b, slot)
    if "GRU" in base:
        return of_gru(k, r, b, indy=base.startswith("Indy"))
    return of_lstm(k, r, b, folded, indy=base.startswith("Indy"))


def own_variable(cell, argument):
    outer, _, key = argument.partition(".")
    found = getattr(cell, outer)
    return found[key] if key else found


def all_expected(found, names, others, slot=None):
    """{name in the checkpoint: array}, of the weights or of one slot."""
    optimizer = found.model.optimizer if slot else None
    seen = set()

    def read(variable):
        seen.add(variable.path)
        if slot:
            index = optimizer._get_variable_index(variable)
            variable = getattr(optimizer, ADAM[slot])[index]
        return np.asarray(variable)

    end = f"/{slot}" if slot else ""
    arrays = {}
    for kind, of_cell in cells_of(names).items():
        cell = found.layers[scope_of(kind)].cell
        values = expected(kind, cell, of_cell, read, bool(slot))
        assert set(values) == set(of_cell), kind
        for argument, (name, shape) in of_cell.items():
            arrays[name + end] = values[argument].reshape(shape)
    if others:
        layers = found.layers
        cell = layers["words/rnn/basic_rnn_cell"].cell
        both = read(cell.kernel), read(cell.recurrent_kernel)
        out, back = layers["words/out"], layers["words/turned"]
        arrays |= {
            f"{name}{end}": array
            for name, array in {
                "words/embedding": read(layers["words/embedding"].embeddings),
                "words/rnn/basic_rnn_cell/kernel": np.concatenate(both),
                "words/rnn/basic_rnn_cell/bias": read(cell.bias),
                "words/out/kernel": read(out.kernel),
                "words/out/bias": read(out.bias),
                "words/turned/kernel": read(back.kernel).T,
                "words/turned/bias": read(back.bias),
            }.items()
        }
    assert seen == {variable.path for variable in found.model.weights}
    return arrays


def assert_exported(found, names, others, slots, stored, folder):
    found.save(folder / "model.keras")
    export_checkpoint(folder / "model.keras", folder / "back")
    back = reader.open_checkpoint(folder / "back")
    arrays = {}
    for slot in (None, *slots):
        arrays |= all_expected(found, names, others, slot)
    assert set(arrays) == stored == set(back.shapes)
    for name, array in arrays.items():
        got = back.read(name)
        assert got.dtype == array.dtype, name
        # A forget bias is subtracted with one rounding.
        np.testing.assert_allclose(
            got,
            array,
            rtol=0,
            atol=4 * np.finfo(array.dtype).eps * ("bias" in name),
            err_msg=name,
        )


def test_every_trained_number_lies_where_it_belongs(tmp_path):
    found, stored = converted(tmp_path, KINDS, "float32", OTHERS, ADAM)
    set_all(found, KINDS, "float32")
    assert_exported(found, KINDS, OTHERS, ADAM, stored, tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_lstm_of_cudnn_has_its_bias_in_the_first_of_two(dtype, tmp_path):
    found, stored = converted(tmp_path, [TWO_BIASES], dtype)
    set_all(found, [TWO_BIASES], dtype)
    assert_exported(found, [TWO_BIASES], (), (), stored, tmp_path)


# --- The slots of every optimizer ---

RATE = 0.125
# {optimizer: {slot: (Keras' attribute, what it is of TensorFlow 1's)}}.
SLOTS = {
    "Adagrad": {"Adagrad": ("_accumulators", 1)},
    "Adam": {"Adam": ("_momentums", 1), "Adam_1": ("_velocities", 1)},
    "Momentum": {"Momentum": ("momentums", -RATE)},
    "RMSProp": {
        "RMSProp": ("_velocities", 1),
        "RMSProp_1": ("_momentums", 1),
    },
    "Adadelta": {
        "Adadelta": ("_accumulated_grads", 1),
        "Adadelta_1": ("_accumulated_delta_vars", 1),
    },
}
SMALL = {
    "rnn/basic_rnn_cell/kernel": (INPUTS + H, H),
    "rnn/basic_rnn_cell/bias": (H,),
    "dense/kernel": (H, P),
    "dense/bias": (P,),
}


@pytest.mark.parametrize("name", SLOTS)
def test_slots_of_every_optimizer_go_in_and_come_out(name, tmp_path):
    make, slots = Numbers("float64"), SLOTS[name]
    arrays = {key: make(shape) for key, shape in SMALL.items()}
    for key, shape in SMALL.items():
        arrays |= {f"{key}/{slot}": make(shape) for slot in slots}
    np.savez(tmp_path / "weights.npz", **arrays)
    found = rnn_parity.convert_checkpoint(
        tmp_path / "weights.npz",
        learning_rate=RATE,
        momentum=0.5 if name in ("Momentum", "RMSProp") else None,
    )
    optimizer = found.model.optimizer
    cell, dense = found.layers["rnn/basic_rnn_cell"].cell, "dense"
    places = {
        "rnn/basic_rnn_cell/kernel": [cell.kernel, cell.recurrent_kernel],
        "rnn/basic_rnn_cell/bias": [cell.bias],
        "dense/kernel": [found.layers[dense].kernel],
        "dense/bias": [found.layers[dense].bias],
    }
    trained = {}
    for key, variables in places.items():
        for slot, (attribute, times) in slots.items():
            values = [
                getattr(optimizer, attribute)[
                    optimizer._get_variable_index(variable)
                ]
                for variable in variables
            ]
            whole = np.concatenate([np.asarray(one) for one in values])
            np.testing.assert_array_equal(
                whole, times * arrays[f"{key}/{slot}"]
            )
            new = [make(tuple(one.shape)) for one in values]
            for value, number in zip(values, new, strict=True):
                value.assign(number)
            trained[f"{key}/{slot}"] = np.concatenate(new) / times
    found.save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "back")
    back = reader.open_checkpoint(tmp_path / "back")
    assert set(back.shapes) == set(arrays)
    for key, array in (arrays | trained).items():
        np.testing.assert_array_equal(back.read(key), array, key)
