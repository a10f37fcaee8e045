"""HDF5 files that tf.keras and Keras 2 write: `model.save`, `save_weights`.

Weights lie under their layers' names, an optimizer's slots beside them, both
called as a `tf.train.Saver` calls them. A whole model says, too, what its
layers were made with. Source: `tensorflow/python/keras/saving/hdf5_format.py`
of TensorFlow 1.15.
"""

import collections
import re

import numpy as np

from rnn_parity.checkpoints import config_safety, keras_config
from rnn_parity.checkpoints.hdf5_checks import must_be_self_contained
from rnn_parity.errors import UserError, damaged

NO_CHECKSUM = (
    "HDF5 has no checksum: sizes and counts were checked, not the values"
)


def open_file(path):
    """What `reader.Checkpoint` is made of.

    Returns:
        ({name: shape}, {name: dtype's name}, read, notes, layers), the last
        a list of (layer of `keras_config`, names of its weights in order).

    Raises:
        UserError: it is of another layout.
        OSError: it is no HDF5 file.
    """
    import h5py

    must_be_self_contained(path)
    file = h5py.File(path)  # open as long as something reads from it
    weights = _weights(file)
    if not any(name.startswith("layer_names") for name in weights.attrs):
        raise UserError(
            f"{path} is an HDF5 file, but not of tf.keras' or Keras 2's "
            "layers; Keras 3 loads its own (load_weights)"
        )
    of_layers = _of_layers(weights, path)
    found, notes = _arrays(file, weights, of_layers, path)
    layers = []
    if "model_config" in file.attrs:
        model = config_safety.described(_json(file, "model_config", path))
        notes.append(keras_config.WHOLE)
        notes += dict.fromkeys(keras_config.notes_on(model))
        layers = _with_weights(model["config"], of_layers)
    notes.append(NO_CHECKSUM)
    numbers = _numbers(file, found, path)
    shapes = {name: array.shape for name, array in found.items()}
    dtypes = {name: array.dtype.name for name, array in found.items()}

    def read(name):
        if name in numbers:
            return numbers[name]
        array = found[name]
        return array.astype(array.dtype.newbyteorder("="))[()]

    return (
        shapes | dict.fromkeys(numbers, ()),
        dtypes | dict.fromkeys(numbers, "float32"),
        read,
        notes,
        layers,
    )


def _arrays(file, weights, of_layers, path):
    """({name: HDF5 dataset} of weights and slots, notes)."""
    found = {
        name: array
        for by_name in of_layers.values()
        for name, array in by_name.items()
    }
    notes = []
    unlisted = _unlisted(weights, of_layers)
    if unlisted:
        notes.append(
            "there, but in no list of layers, and left out: "
            f"{', '.join(unlisted[:5])}"
        )
    slots = _slots(file, path)
    if all(_is_slot(name, slots[name].shape, found) for name in slots):
        found |= slots
    else:
        notes.append(
            "the optimizer's slots are not named as tf.keras of TensorFlow 1 "
            "names them, and left out"
        )
    return found, notes


def model_of(path):
    """(the model's configuration, whether an optimizer's slots are there).

    Raises:
        UserError: the file holds no whole model, or cannot be read.
    """
    import h5py

    must_be_self_contained(path)
    try:
        with h5py.File(path) as file:
            model = None
            if "model_config" in file.attrs:
                model = _json(file, "model_config", path)
            _of_layers(_weights(file), path)
            has_slots = bool(_slots(file, path))
    except UserError:
        raise
    except Exception as error:  # HDF5 has many
        raise damaged(path, error) from None
    if model is None:
        raise UserError(
            f"{path} holds weights alone, no whole model; without --whole "
            "its recurrent layers are converted"
        )
    return model, has_slots


def float_of(path):
    """The dtype that holds all weights of a whole model, by name."""
    import h5py

    must_be_self_contained(path)
    found = set()

    def visit(_name, node):
        if isinstance(node, h5py.Dataset) and node.dtype.kind == "f":
            found.add(node.dtype)

    with h5py.File(path) as file:
        file.get("model_weights", file).visititems(visit)
    return np.result_type(*found).name if found else "float32"


def _weights(file):
    """The group that holds the layers: the file itself for weights alone."""
    return _group(file, "model_weights") or file


def _group(parent, name):
    """A group within one, or None where there is none."""
    import h5py

    found = parent.get(name)
    if found is None or isinstance(found, h5py.Group):
        return found
    raise UserError(f"{name} of {parent.file.filename} is no group")


def _of_layers(weights, path):
    """{layer: {name of a weight: HDF5 dataset}}, all in their order.

    A name that several layers have, within models of their own, gets the
    layer's before it.

    Raises:
        UserError: a list is wrong, or names what is not there or no numbers.
    """
    found = {
        layer: _of_layer(weights, layer, path)
        for layer in _names(weights, "layer_names", path)
    }
    counts = collections.Counter(n for names in found.values() for n in names)
    return {
        layer: {
            f"{layer}/{name}" if counts[name] > 1 else name: array
            for name, array in by_name.items()
        }
        for layer, by_name in found.items()
    }


def _of_layer(weights, layer, path):
    """{name of a weight: HDF5 dataset} of one layer."""
    group = _group(weights, layer)
    if group is None:
        raise UserError(f"{path} lists the layer {layer}, which is not there")
    names = _names(group, "weight_names", path)
    there = _datasets(group)
    found = {}
    for name in names:
        node = there.pop(name, None) or group.get(name)  # a link within
        if node is None:
            raise UserError(
                f"{path} lists {name} of {layer}, which is not there"
            )
        _must_be_numbers(node, name, path)
        found[name.removesuffix(":0")] = node
    if there:
        raise UserError(
            f"{path} is damaged: the layer {layer} holds {min(there)}, that "
            "it does not list"
        )
    if len(found) < len(names):
        raise UserError(
            f"{path} lists a weight of {layer} with and without :0"
        )
    return found


def _datasets(group):
    """{path within it: HDF5 dataset} of all in a group."""
    found = {}

    def visit(path, node):
        if hasattr(node, "shape"):
            found[path] = node

    group.visititems(visit)
    return found


def _unlisted(weights, of_layers):
    """Names of what holds numbers beside the layers."""
    apart = {*of_layers, "optimizer_weights"}
    others = {name: weights[name] for name in weights if name not in apart}
    return [
        name
        for name, node in others.items()
        if hasattr(node, "shape") or _datasets(node)
    ]


def _must_be_numbers(node, name, path):
    import h5py

    if not hasattr(node, "shape"):
        raise UserError(f"{name} of {path} is a group, not an array")
    if node.shape is None:
        raise UserError(f"{name} of {path} is empty, without a shape")
    enumerated = h5py.check_enum_dtype(node.dtype) is not None
    if node.dtype.kind not in "fiu" or enumerated:
        what = "an enumeration" if enumerated else str(node.dtype)[:60]
        raise UserError(f"{name} of {path} holds {what}, not real numbers")


def _json(file, attribute, path):
    """A dict, of an attribute's text."""
    return config_safety.object_of(
        file.attrs[attribute], f"{attribute} of {path}"
    )


def _with_weights(config, of_layers):
    """[(layer, names of its weights)] of a model's configuration."""
    layers = config["layers"] if isinstance(config, dict) else config
    named = {
        layer["config"].get("name"): layer
        for layer in layers
        if isinstance(layer["config"], dict)
    }
    # An old Sequential within has no name in its configuration.
    nameless = [la for la in layers if not isinstance(la["config"], dict)]
    others = [name for name in of_layers if name not in named]
    if len(nameless) == len(others):
        named |= zip(others, nameless, strict=True)
    return [
        (layer, list(of_layers[name]))
        for name, layer in named.items()
        if name in of_layers
    ]


def _names(group, attribute, path):
    """An attribute's list of names; a long one is in parts, numbered."""
    there = [name for name in group.attrs if name.startswith(attribute)]
    parts = [f"{attribute}{number}" for number in range(len(there))]
    if there == [attribute] or not there:
        parts = there
    if set(parts) != set(there):
        raise UserError(
            f"{path} is damaged: of the parts of {attribute} only "
            f"{', '.join(sorted(there))} are there"
        )
    found = [
        name
        for part in parts
        for name in _texts(group.attrs[part], part, path)
    ]
    if len(set(found)) < len(found):
        raise UserError(f"{attribute} of {path} holds a name twice")
    return found


def _texts(values, attribute, path):
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, list):
        raise UserError(f"{attribute} of {path} is no list of names")
    try:
        texts = [v.decode() if isinstance(v, bytes) else v for v in values]
    except UnicodeDecodeError as error:
        raise damaged(f"{path}, {attribute},", error) from None
    # A name from the root on would lead out of the group.
    if not all(
        isinstance(t, str) and t.lstrip("/") == t != "" for t in texts
    ):
        raise UserError(f"{attribute} of {path} is no list of names")
    return texts


def _slots(file, path):
    """{name: HDF5 dataset} of an optimizer's."""
    group = _group(file, "optimizer_weights")
    found = {} if group is None else _datasets(group)
    for name, node in found.items():
        _must_be_numbers(node, name, path)
    return {name.removesuffix(":0"): node for name, node in found.items()}


def _is_slot(name, shape, weights):
    """Whether it is called .../VARIABLE/SLOT, or is a single number."""
    parts = name.split("/")[:-1]
    return shape == () or any(
        "/".join(parts[start:]) in weights for start in range(len(parts))
    )


def _numbers(file, found, path):
    """{name: number} of tf.keras' Adam that only its settings tell."""
    counter = [n for n in found if re.search(r"(^|/)Adam(_\d+)?/iter$", n)]
    if "training_config" not in file.attrs or len(counter) != 1:
        return {}
    told = _json(file, "training_config", path)["optimizer_config"]
    scope = counter[0].rpartition("/")[0]
    names = ("learning_rate", "beta_1", "beta_2", "decay")
    settings = told["config"]
    if told["class_name"] != "Adam" or not set(names) <= set(settings):
        return {}
    numbers = {name: settings[name] for name in names}
    return {
        f"{scope}/{name}": np.float32(number)
        for name, number in numbers.items()
        if isinstance(number, (int, float))
    }
