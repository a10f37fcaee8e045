"""From a converted Keras model back to a TensorFlow 1 checkpoint.

An array that nobody changed comes back bit for bit. What was trained further
has the forget bias subtracted again, which is right to within one unit in
the last place of the folded bias.
"""

import pathlib
import shutil
import tempfile
import zipfile

import numpy as np

from rnn_parity.checkpoints import forms, optimizers, saving
from rnn_parity.errors import UserError


def export_checkpoint(model, out, like=None, force=False, **options):
    """Writes a TensorFlow 1 checkpoint that a `tf.train.Saver` restores.

    Args:
        model: a `.keras` file that `Converted.save` wrote, or that Keras
            saved after training it further.
        out: the prefix to write, such as `model.ckpt-1000`.
        like: the checkpoint it was converted from; needed once Keras has
            saved the model, and where variables that were not converted are
            to be there too.
        force: whether to replace files that are there.
        options: those of `convert_checkpoint` that were given then, with
            `like`.

    Returns:
        {name: array} of what was written, and a list of notes.

    Raises:
        UserError: the model is of another kind, or cannot be written.
    """
    prefix = check(out, force)
    origin, rest, notes = _origin(model, like, options)
    loaded = _load(model)
    found, more = _arrays(loaded, origin)
    write(prefix, rest | found)
    return rest | found, [*notes, *more]


def check(out, force=False):
    """The prefix to write, once nothing is in the way.

    Raises:
        UserError: it is there already, is a folder, or has no folder.
    """
    from rnn_parity import files

    prefix = pathlib.Path(str(out).removesuffix(".index"))
    index = prefix.with_name(f"{prefix.name}.index")
    if prefix.is_dir():
        raise UserError(
            f"{prefix} is a folder; name a prefix in it, {prefix}/model.ckpt"
        )
    if (index.exists() or prefix.exists()) and not force:
        raise UserError(f"{prefix} exists already; --force replaces it")
    files.must_be_writable(index)
    return prefix


def _origin(model, like, options):
    """(Origin, {other variables: array}, notes)."""
    path = pathlib.Path(model)
    if not path.exists():
        raise UserError(f"there is no file {path}")
    if path.is_dir() or not zipfile.is_zipfile(path):
        raise UserError(
            f"{path} is no .keras file, or is cut off; give what "
            "rnn-parity convert wrote"
        )
    try:
        origin = saving.read_origin(path)
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error})") from None
    if like is None and origin is None:
        raise UserError(
            f"{path} does not say which checkpoint it came from, since Keras "
            "saved it anew; name that with --like"
        )
    if like is None:
        return origin, _rest(origin), []
    from rnn_parity.checkpoints.convert import convert_checkpoint

    converted = convert_checkpoint(like, **options)
    origin = saving.origin_of(converted)
    return origin, _rest(origin), [f"what was not converted is as in {like}"]


def _rest(origin):
    """{name: array} of what is in no layer."""
    return {name: read() for name, read in origin.kept.items()}


def _load(path):
    import importlib

    importlib.import_module("rnn_parity.quiet")
    import keras

    importlib.import_module("tf2.tf1_cells")
    try:
        return keras.saving.load_model(path)
    except (ValueError, TypeError, OSError, KeyError) as error:
        reason = str(error).split("\n", maxsplit=1)[0][:120]
        raise UserError(
            f"Keras cannot load {path} ({reason}); is it whole, and are "
            "layers of your own imported?"
        ) from None


# --- Arrays ---


def _arrays(model, origin):
    """({TensorFlow 1 name: array}, notes)."""
    found, notes = {}, []
    optimizer = getattr(model, "optimizer", None)
    match = optimizers.MATCHES.get(origin.optimizer)
    same = match and type(optimizer).__name__ == match.name
    if origin.optimizer and not same:
        notes.append(
            f"the model has no {match.name} any more, so the slots of "
            f"{origin.optimizer} are not written"
        )
    used = optimizer if same else None
    for of_cell in origin.cells:
        found |= _of_cell(model, of_cell, origin, used)
    for of_read_out in origin.read_outs:
        found |= _of_read_out(model, of_read_out, origin, used)
    if same:
        found |= _counters(optimizer, origin)
    found = {origin.sources.get(n, n): array for n, array in found.items()}
    return found, notes


def _layer(model, name):
    try:
        return model.get_layer(name)
    except ValueError:
        raise UserError(
            f"the model has no layer {name}, which holds variables of the "
            "checkpoint; export a model with the layers that convert made"
        ) from None


def _of_cell(model, of_cell, origin, optimizer):
    cell, options = of_cell["cell"], of_cell["options"]
    name, way, index = of_cell["where"]
    layer = _layer(model, name)
    keras_cell = (getattr(layer, way) if way else layer).cell
    keras_cell = keras_cell if index is None else keras_cell.cells[index]
    variables = forms.weights(keras_cell, cell, options)
    values = {name: np.asarray(v) for name, v in variables.items()}
    _must_fit(cell, options, values)
    arrays = forms.from_keras(cell, options, values)
    found = _named(cell, arrays, of_cell["shapes"])
    for variable in found:
        kept = origin.kept.get(origin.sources.get(variable, variable))
        if kept:
            found[variable] = _unfolded(
                found[variable], kept(), cell, options, values
            )
    for slot, values in _slots(origin, optimizer, variables).items():
        arrays = forms.from_keras(cell, options, values, forget_bias=0.0)
        by_name = origin.slots[slot]
        for variable, array in _named(
            cell, arrays, of_cell["shapes"]
        ).items():
            found[by_name[variable]] = _exact(
                array, by_name[variable], origin, optimizer
            )
    return found


def _must_fit(cell, options, values):
    if not forms.is_own(cell, options) and forms.leaves_the_diagonal(
        cell, values
    ):
        raise UserError(
            f"{cell.scope} is a {cell.kind.name}, whose units see only "
            "themselves; trained in Keras they see one another, which "
            "TensorFlow 1 has no place for"
        )


def _named(cell, arrays, shapes):
    """{argument: array} -> {TensorFlow 1 name: array, shaped as it was}."""
    found = {}
    for argument, names in cell.variables.items():
        rows = np.cumsum([shapes[name][0] for name in names])[:-1]
        array = arrays[argument]
        parts = [array] if len(names) == 1 else np.split(array, rows)
        for name, part in zip(names, parts, strict=True):
            found[name] = part.reshape(shapes[name])
    return found


def _unfolded(bias, original, cell, options, values):
    """The bias as it was wherever Keras' still is what it became."""
    folded = forms.to_keras(
        cell,
        options,
        {"kernel": np.zeros((0, original.size), bias.dtype)}
        | {"bias": original.reshape(-1)},
    )["bias"]()
    same = folded == values["bias"]
    of_tf1 = forms.from_keras(
        cell,
        options,
        {
            "kernel": np.zeros((0, same.size)),
            "recurrent_kernel": np.zeros((0, same.size)),
            "bias": same.astype(float),
        },
        forget_bias=0.0,
    )["bias"]
    kept = of_tf1.reshape(original.shape) == 1
    return np.where(kept, original, bias).astype(bias.dtype)


def _exact(array, name, origin, optimizer):
    """A momentum, which Keras keeps times the negative learning rate."""
    if origin.optimizer != "Momentum":
        return array
    rate = np.asarray(-float(optimizer.learning_rate), array.dtype)
    original = origin.kept[name]()
    unchanged = original * rate == array
    return np.where(unchanged, original, array / rate).astype(array.dtype)


def _slots(origin, optimizer, variables):
    """{slot: {Keras name: array}} of some variables."""
    if optimizer is None:
        return {}
    found = {}
    match = optimizers.MATCHES[origin.optimizer]
    for slot in origin.slots:
        values = getattr(optimizer, match.slots[slot])
        if values:
            found[slot] = {
                name: np.asarray(
                    values[optimizer._get_variable_index(variable)]
                )
                for name, variable in variables.items()
            }
    return found


def _of_read_out(model, one, origin, optimizer):
    layer = _layer(model, one["layer"])
    variables = {v.name: v for v in layer.weights}
    values = {name: np.asarray(v) for name, v in variables.items()}
    found = _read_out_named(one, values, str)
    for slot, slots in _slots(origin, optimizer, variables).items():
        by_name = origin.slots[slot]
        named = _read_out_named(one, slots, by_name.__getitem__)
        found |= {
            name: _exact(array, name, origin, optimizer)
            for name, array in named.items()
        }
    return found


def _read_out_named(one, values, called):
    kernel = values["kernel"]
    found = {called(one["kernel"]): kernel.T if one["transposed"] else kernel}
    if one["bias"]:
        bias = values["bias"].reshape(one["bias_shape"])
        found[called(one["bias"])] = bias
    return found


def _counters(optimizer, origin):
    """How far training has come; as it was if it has come no further."""
    steps = int(optimizer.iterations)
    further = steps - (origin.steps or 0)
    found = {}
    for name, read in origin.kept.items() if further else ():
        value = read()
        last = name.rsplit("/", 1)[-1]
        if last == "global_step":
            value = value + np.asarray(further, value.dtype)
        elif last in ("beta1_power", "beta2_power"):
            beta = {"1": 0.9, "2": 0.999}[last[4]]
            value = np.asarray(beta ** (steps + 1), value.dtype)
        else:
            continue
        found[name] = value
    return found


# --- Files ---


def write(prefix, arrays):
    """Writes `{name: array}` in the V2 format, whole or not at all."""
    from rnn_parity.quiet import tf

    names = sorted(arrays)
    try:
        with tempfile.TemporaryDirectory(
            dir=prefix.parent, prefix=f".{prefix.name}."
        ) as folder:
            temporary = pathlib.Path(folder) / prefix.name
            tf.raw_ops.SaveV2(
                prefix=str(temporary),
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=[
                    tf.constant(np.ascontiguousarray(arrays[name]))
                    if np.ndim(arrays[name])
                    else tf.constant(arrays[name])
                    for name in names
                ],
            )
            _move(temporary, prefix)
    except OSError as error:
        raise UserError(f"cannot write {prefix}: {error.strerror}") from None
    except tf.errors.OpError as error:
        reason = error.message.split("\n", maxsplit=1)[0]
        raise UserError(f"cannot write {prefix}: {reason}") from None


def _move(temporary, prefix):
    """The index last: without it there is no checkpoint."""
    written = sorted(temporary.parent.iterdir(), key=lambda p: p.suffix)
    index = [path for path in written if path.suffix == ".index"]
    for path in [p for p in written if p not in index] + index:
        shutil.move(path, prefix.with_name(path.name))
    state = prefix.with_name("checkpoint")
    if not state.exists():
        state.write_text(
            f'model_checkpoint_path: "{prefix.name}"\n'
            f'all_model_checkpoint_paths: "{prefix.name}"\n',
            "utf-8",
        )
