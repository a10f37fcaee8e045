"""From a converted Keras model back to a TensorFlow 1 checkpoint.

An array that nobody changed comes back bit for bit. What was trained further
has the forget bias subtracted again, which is right to within one unit in
the last place of the folded bias (of the forget bias, where that is larger).
"""

import os
import pathlib
import zipfile

import numpy as np

from rnn_parity import files
from rnn_parity.checkpoints import (
    archive,
    config_safety,
    forms,
    optimizers,
    replacing,
    saving,
    sources,
)
from rnn_parity.checkpoints.recognise import KERAS_ADAM
from rnn_parity.errors import UserError

_SHARD = 1 << 26  # bytes of a data file, unless a variable is larger


def export_checkpoint(
    model, out, like=None, force=False, progress=None, **options
):
    """Writes a TensorFlow 1 checkpoint that a `tf.train.Saver` restores.

    Args:
        model: a `.keras` file that `Converted.save` wrote, or that Keras
            saved after training it further.
        out: the prefix to write, such as `model.ckpt-1000`.
        like: the checkpoint it was converted from; needed once Keras has
            saved the model, and where variables that were not converted are
            to be there too.
        force: whether to replace files that are there.
        progress: called with (what is done, the share that is done).
        options: those of `convert_checkpoint` that were given then, with
            `like`.

    Returns:
        {name: shape} of what was written, and a list of notes.

    Raises:
        UserError: the model is of another kind, or cannot be written.
    """
    prefix = _prefix(out)
    inputs = [model, *(sources.files_of(like) if like else ())]
    for path in replacing.files_at(prefix):
        files.must_not_be(path, inputs, "what is exported, or read for it")
    files.must_be_regular(model)
    with replacing.reserve(prefix, force) as place:
        origin, notes = _origin(model, like, options)
        shapes, more = _export(model, origin, place, progress or _silent)
    notes += [*more, *_old_format(prefix), *files.leftovers(prefix)]
    return shapes, notes


def _silent(what, share):
    """Shows no progress."""


def _export(model, origin, place, progress):
    progress("loading", 0.0)
    loaded = _load(pathlib.Path(model))
    optimizer, more = _optimizer(loaded, origin)
    total, done = saving.size_of(loaded), 0

    def written(name, array):
        nonlocal done
        done += array.nbytes
        progress(name, min(1.0, done / total))

    return write(place, _arrays(loaded, origin, optimizer), written), more


def _prefix(out):
    """The prefix to write.

    Raises:
        UserError: it is a folder.
    """
    prefix = os.fspath(out).removesuffix(".index")
    if os.path.isdir(prefix) or not os.path.basename(prefix):
        raise UserError(
            f"{prefix} is a folder; name a prefix in it, "
            f"{os.path.join(prefix, 'model.ckpt')}"
        )
    return pathlib.Path(prefix)


def _old_format(prefix):
    """A note where a file of the old format stays beside the new ones."""
    if not os.path.lexists(prefix):
        return []
    return [
        f"{prefix} itself, of the old format, is left as it was; TensorFlow "
        f"reads {prefix}.index instead"
    ]


def _origin(model, like, options):
    """(Origin, notes)."""
    path = pathlib.Path(model)
    archive.check(path)
    origin = saving.read_origin(path)
    if like is None and origin is None:
        raise UserError(
            f"{path} does not say which checkpoint it came from: Keras "
            "saved it anew, or convert did not make it; name the checkpoint "
            "it was converted from with --like"
        )
    if like is None:
        return origin, []
    from rnn_parity.checkpoints.convert import convert_checkpoint

    converted = convert_checkpoint(like, **options)
    assumed = [
        line
        for line in converted.report.notes
        if line.startswith("forget_bias")
    ]
    origin = saving.origin_of(converted)
    return origin, [*assumed, f"what was not converted is as in {like}"]


def _load(path):
    _must_be_known(path)
    import importlib

    importlib.import_module("rnn_parity.quiet")
    importlib.import_module("tf2.tf1_cells")
    try:
        return _safely_loaded(path)
    except Exception as error:  # damage has no end
        reason = str(error).split("\n", maxsplit=1)[0][:120]
        raise UserError(
            f"Keras cannot load {path} ({reason}); is it whole?"
        ) from None


def _safely_loaded(path):
    from keras.src.saving import serialization_lib

    from rnn_parity.checkpoints import undrawn

    # An argument yields to what `enable_unsafe_deserialization` has set.
    with serialization_lib.SafeModeScope(True):
        return undrawn.load(path)


_OF_ONES_OWN = (
    "export reads models of Keras' own layers alone: leave layers and losses "
    "of your own out, as in keras.Model(model.inputs, model.get_layer(name)."
    "output) and model.compile(model.optimizer, 'mse'), save that, and "
    "export it with --like"
)


def _must_be_known(path):
    """Refuses a `.keras` file with anything but known layers in it."""
    with zipfile.ZipFile(path) as file:
        config = archive.read_json(path, file, archive.CONFIG)
        stored = file.getinfo(archive.WEIGHTS).file_size
    config_safety.must_be_known(config, path, _OF_ONES_OWN)
    least = config_safety.least_weights(config)
    if 2 * least > stored:  # float16 takes the least, 2 bytes
        raise UserError(
            f"{path} is damaged (its layers hold {least} numbers, and "
            f"{stored} bytes are there)"
        )


# --- Arrays ---


def _optimizer(model, origin):
    """(The optimizer whose slots go along, or None; notes)."""
    match = optimizers.MATCHES.get(origin.optimizer)
    optimizer = getattr(model, "optimizer", None)
    if match is None or type(optimizer).__name__ == match.name:
        return match and optimizer, []
    return None, [
        f"the model has no {match.name} any more, so the slots of "
        f"{origin.optimizer} are not written"
    ]


def _arrays(model, origin, optimizer):
    """Every (TensorFlow 1 name, array), a few at a time in memory."""
    written = set()
    for found in _parts(model, origin, optimizer):
        for variable in list(found):
            name = origin.sources.get(variable, variable)
            written.add(name)
            yield origin.stored.get(name, name), found.pop(variable)
    for name, read in origin.kept.items():
        if name not in written:
            yield origin.stored.get(name, name), read()


def _parts(model, origin, optimizer):
    """{variable: array} of every layer, then of its slots."""
    try:
        for of_cell in origin.cells:
            yield from _of_cell(model, of_cell, origin, optimizer)
        for of_read_out in origin.read_outs:
            yield from _of_read_out(model, of_read_out, origin, optimizer)
        for of_embedding in origin.embeddings:
            yield from _of_embedding(model, of_embedding, origin, optimizer)
        if optimizer is not None:
            yield _counters(optimizer, origin)
    except UserError:
        raise
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        # Its origin is of the right form, and of another model.
        raise UserError(
            "what the file says of its origin does not fit the model in it "
            f"({str(error)[:120]}); convert the checkpoint again"
        ) from None


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
    yield _weights(of_cell, origin, variables)
    for slot, values in _slots(origin, optimizer, variables):
        by_name = origin.slots[slot]
        yield {
            by_name[variable]: _exact(
                array, by_name[variable], origin, optimizer
            )
            for variable, array in _slot(of_cell, values).items()
        }


def _weights(of_cell, origin, variables):
    """{variable: array} of a cell."""
    cell, options = of_cell["cell"], of_cell["options"]
    _must_fit(cell, options, variables)
    arrays = forms.from_keras(cell, options, variables)
    found = _named(cell, arrays, of_cell["shapes"])
    for variable in found:
        kept = origin.kept.get(origin.sources.get(variable, variable))
        if kept:
            found[variable] = _unfolded(
                found[variable], kept(), cell, options, variables
            )
    return found


def _slot(of_cell, values):
    """{variable: array} of a slot of all variables of a cell."""
    cell, options = of_cell["cell"], of_cell["options"]
    if cell.kind.name == "CudnnCompatibleGRUCell":
        bias = _of_one_bias(np.asarray(values["bias"]).copy())
        values = values | {"bias": bias}
    arrays = forms.from_keras(cell, options, values, forget_bias=0.0)
    return _named(cell, arrays, of_cell["shapes"])


def _of_one_bias(slot):
    """A GRU's slot without that of the gates' second bias.

    Both biases have the same gradient; TensorFlow 1 has only one of them.
    """
    units = slot.shape[1] // 3
    slot[1, : 2 * units] = 0
    return slot


def _must_fit(cell, options, variables):
    if not forms.is_own(cell, options) and forms.leaves_the_diagonal(
        cell, variables
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


def _unfolded(bias, original, cell, options, variables):
    """The bias as it was wherever Keras' still is what it became."""
    if cell.kind.name == forms.TWO_BIASES:
        kept = original.reshape(2, -1)
        same = kept.sum(0) == np.asarray(variables["bias"])
        return np.where(same, kept, bias.reshape(2, -1)).reshape(-1)
    diagonal = cell.kind.name in forms.DIAGONAL

    def no_kernel(rows=0):
        return np.zeros((rows, original.size), bias.dtype)

    kernels = {"kernel": no_kernel()}
    if diagonal:
        kernels = {"kernel_w": no_kernel(), "kernel_u": no_kernel(1)}
    folded = forms.to_keras(
        cell, options, kernels | {"bias": original.reshape(-1)}
    )["bias"]()
    same = folded == np.asarray(variables["bias"])
    of_tf1 = forms.from_keras(
        cell,
        options,
        {
            "kernel": no_kernel(),
            "recurrent_kernel": no_kernel(cell.sizes.units * diagonal),
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
    if not rate:
        raise UserError(
            "the optimizer's learning rate is 0, and Keras keeps momentum "
            "times the rate; set it to what training goes on with, and save "
            "the model again"
        )
    original = origin.kept[name]()
    found = forms.zeros(array.shape, array.dtype)
    for block in forms.blocks(array.shape, array.dtype):
        unchanged = original[block] * rate == array[block]
        divided = array[block] / rate
        found[block] = np.where(unchanged, original[block], divided)
    return found


def _slots(origin, optimizer, variables):
    """Every (slot, {Keras name: the slot's variable})."""
    if optimizer is None:
        return
    match = optimizers.MATCHES[origin.optimizer]
    for slot in origin.slots:
        values = getattr(optimizer, match.slots[slot])
        if values:
            yield (
                slot,
                {
                    name: values[optimizer._get_variable_index(variable)]
                    for name, variable in variables.items()
                },
            )


def _of_read_out(model, one, origin, optimizer):
    variables = {v.name: v for v in _layer(model, one["layer"]).weights}
    yield _read_out_named(one, variables, str)
    for slot, values in _slots(origin, optimizer, variables):
        named = _read_out_named(one, values, origin.slots[slot].__getitem__)
        yield {
            name: _exact(array, name, origin, optimizer)
            for name, array in named.items()
        }


def _read_out_named(one, values, called):
    kernel = forms.read(values["kernel"])
    found = {called(one["kernel"]): kernel.T if one["transposed"] else kernel}
    if one["bias"]:
        bias = np.asarray(values["bias"]).reshape(one["bias_shape"])
        found[called(one["bias"])] = bias
    return found


def _of_embedding(model, one, origin, optimizer):
    (variable,) = _layer(model, one["layer"]).weights
    yield {one["variable"]: forms.read(variable)}
    if not any(one["variable"] in by for by in origin.slots.values()):
        return  # frozen
    for slot, values in _slots(origin, optimizer, {"rows": variable}):
        name = origin.slots[slot][one["variable"]]
        array = forms.read(values["rows"])
        yield {name: _exact(array, name, origin, optimizer)}


def _counters(optimizer, origin):
    """How far training has come; as it was if it has come no further."""
    steps = int(optimizer.iterations)
    further = steps - (origin.steps or 0)
    found = {}
    for name, read in origin.kept.items() if further else ():
        value = read()
        last = name.rsplit("/", 1)[-1]
        if last == "global_step" or (
            last == "iter" and origin.optimizer == KERAS_ADAM
        ):
            value = value + np.asarray(further, value.dtype)
        elif last in ("beta1_power", "beta2_power"):
            beta = getattr(optimizer, f"beta_{last[4]}")
            value = np.asarray(beta ** (steps + 1), value.dtype)
        else:
            continue
        found[name] = value
    return found


# --- Files ---


def write(prefix, arrays, written=lambda name, array: None):
    """Writes every (name, array) in the V2 format, whole or not at all.

    What is large becomes several data files, so that little of it is in
    memory at once.

    Args:
        prefix: a path, or the `replacing.Place` that is kept already.

    Returns:
        {name: shape}.
    """
    from rnn_parity.quiet import tf

    try:
        with replacing.reserve(prefix) as place:
            shards, shapes = [], {}
            for tensors in _shards(arrays):
                shards.append(_save(tf, place.folder, len(shards), tensors))
                for name in list(tensors):
                    shapes[name] = tensors[name].shape
                    written(name, tensors.pop(name))
            shards = _in_other_number(tf, place, shards)
            tf.raw_ops.MergeV2Checkpoints(
                checkpoint_prefixes=[shard for shard, _ in shards],
                destination_prefix=str(place.folder / replacing.NEW),
                delete_old_dirs=False,
            )
            place.put()
            return shapes
    except OSError as error:
        raise UserError(f"cannot write {prefix}: {error.strerror}") from None
    except tf.errors.OpError as error:
        reason = error.message.split("\n", maxsplit=1)[0]
        raise UserError(f"cannot write {prefix}: {reason}") from None


def _shards(arrays):
    """{name: array}, as many at once as make a data file."""
    tensors, size = {}, 0
    for name, array in arrays:
        tensors[name] = array
        size += array.nbytes
        if size > _SHARD:
            del array  # which is all there is of it, once it is written
            yield tensors
            tensors, size = {}, 0
    if tensors:
        yield tensors


def _save(tf, folder, number, arrays):
    """Writes a data file; returns (its prefix, {name: TensorFlow dtype})."""
    names = sorted(arrays)
    prefix = str(folder / f"{number}")
    tensors = [forms.tensor(arrays[name]) for name in names]
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=tensors,
    )
    dtypes = [tensor.dtype for tensor in tensors]
    return prefix, dict(zip(names, dtypes, strict=True))


def _in_other_number(tf, place, shards):
    """As many data files as no checkpoint at that prefix has.

    Their names tell the number, so the old ones can stay until the new
    index is there.
    """
    total = sum(len(dtypes) for _, dtypes in shards)
    number = place.free_number(len(shards), total)
    made = len(shards)
    while len(shards) != number:
        few = sorted(shards, key=lambda shard: len(shard[1]))
        taken = few[-1:] if len(shards) < number else few[:2]
        arrays = {}
        for shard in taken:
            arrays |= _restored(tf, *shard)
            shards.remove(shard)
        parts = [arrays]
        if len(taken) == 1:
            names = sorted(arrays)
            half = len(names) // 2
            parts = [
                {name: arrays[name] for name in some}
                for some in (names[:half], names[half:])
            ]
        for part in parts:
            shards.append(_save(tf, place.folder, made, part))
            made += 1
    return shards


def _restored(tf, prefix, dtypes):
    tensors = tf.raw_ops.RestoreV2(
        prefix=prefix,
        tensor_names=list(dtypes),
        shape_and_slices=[""] * len(dtypes),
        dtypes=list(dtypes.values()),
    )
    return dict(zip(dtypes, tensors, strict=True))
