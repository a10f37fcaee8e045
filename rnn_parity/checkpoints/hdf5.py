"""HDF5 files that tf.keras and Keras 2 write: `model.save`, `save_weights`.

Weights lie under their layers' names, an optimizer's slots beside them, both
called as a `tf.train.Saver` calls them. A whole model says, too, what its
layers were made with. Source: `tensorflow/python/keras/saving/hdf5_format.py`
of TensorFlow 1.15.
"""

import collections
import os
import re

import numpy as np

from rnn_parity.checkpoints import config_safety, keras_config
from rnn_parity.errors import UserError


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

    file = h5py.File(path)  # open as long as something reads from it
    weights = file.get("model_weights", file)
    if not any(name.startswith("layer_names") for name in weights.attrs):
        raise UserError(
            f"{path} is an HDF5 file, but not of tf.keras' or Keras 2's "
            "layers; Keras 3 loads its own (load_weights)"
        )
    of_layers = _of_layers(weights)
    found = {
        name: array
        for by_name in of_layers.values()
        for name, array in by_name.items()
    }
    notes = []
    slots = _slots(file.get("optimizer_weights", {}))
    if all(_is_slot(name, slots[name].shape, found) for name in slots):
        found |= slots
    else:
        notes.append(
            "the optimizer's slots are not named as tf.keras of TensorFlow 1 "
            "names them, and left out"
        )
    layers = []
    if "model_config" in file.attrs:
        model = config_safety.described(
            config_safety.loads(file.attrs["model_config"])
        )
        notes.append(keras_config.WHOLE)
        notes += dict.fromkeys(keras_config.notes_on(model))
        layers = _with_weights(model["config"], of_layers)
    numbers = _numbers(file, found)
    shapes = {name: array.shape for name, array in found.items()}
    dtypes = {name: array.dtype.name for name, array in found.items()}

    def read(name):
        return numbers[name] if name in numbers else found[name][()]

    return (
        shapes | dict.fromkeys(numbers, ()),
        dtypes | dict.fromkeys(numbers, "float32"),
        read,
        notes,
        layers,
    )


def model_of(path):
    """(the model's configuration, whether an optimizer's slots are there).

    Raises:
        UserError: the file holds no whole model, or cannot be read.
    """
    import h5py

    if not os.path.exists(path):
        raise UserError(f"there is no file {path}")
    try:
        with h5py.File(path) as file:
            text = file.attrs.get("model_config")
            has_slots = bool(file.get("optimizer_weights"))
        model = text and config_safety.loads(text)
    except (OSError, ValueError) as error:
        reason = str(error).split("\n", maxsplit=1)[0][:120]
        raise UserError(
            f"{path} is no HDF5 file of tf.keras, or is damaged ({reason}); "
            "--whole takes what model.save wrote"
        ) from None
    if model is None:
        raise UserError(
            f"{path} holds weights alone, no whole model; without --whole "
            "its recurrent layers are converted"
        )
    return model, has_slots


def _of_layers(weights):
    """{layer: {name of a weight: HDF5 dataset}}, all in their order.

    A name that several layers have, within models of their own, gets the
    layer's before it.
    """
    found = {
        layer: {
            name.removesuffix(":0"): weights[layer][name]
            for name in _names(weights[layer], "weight_names")
        }
        for layer in _names(weights, "layer_names")
    }
    counts = collections.Counter(n for names in found.values() for n in names)
    return {
        layer: {
            f"{layer}/{name}" if counts[name] > 1 else name: array
            for name, array in by_name.items()
        }
        for layer, by_name in found.items()
    }


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


def _names(group, attribute):
    """An attribute's list of names; a long one is in parts, numbered."""
    parts = [name for name in group.attrs if name.startswith(attribute)]
    parts.sort(key=lambda part: int(part.removeprefix(attribute) or 0))
    return [
        name.decode() if isinstance(name, bytes) else name
        for part in parts
        for name in group.attrs[part]
    ]


def _slots(group):
    """{name: HDF5 dataset} of an optimizer's."""
    found = {}

    def visit(path, node):
        if hasattr(node, "shape"):
            found[path.removesuffix(":0")] = node

    if group:
        group.visititems(visit)
    return found


def _is_slot(name, shape, weights):
    """Whether it is called .../VARIABLE/SLOT, or is a single number."""
    parts = name.split("/")[:-1]
    return shape == () or any(
        "/".join(parts[start:]) in weights for start in range(len(parts))
    )


def _numbers(file, found):
    """{name: number} of tf.keras' Adam that only its settings tell."""
    counter = [n for n in found if re.search(r"(^|/)Adam(_\d+)?/iter$", n)]
    if "training_config" not in file.attrs or len(counter) != 1:
        return {}
    told = config_safety.loads(file.attrs["training_config"])
    told = told["optimizer_config"]
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
