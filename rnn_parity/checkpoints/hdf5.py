"""HDF5 files that tf.keras and Keras 2 write: `model.save`, `save_weights`.

Weights lie under their layers' names, an optimizer's slots beside them, both
called as a `tf.train.Saver` calls them. A whole model says, too, what its
layers were made with. Source: `tensorflow/python/keras/saving/hdf5_format.py`
of TensorFlow 1.15.
"""

import json
import re

import numpy as np

from rnn_parity.errors import UserError

_OF_CELLS = ("activation", "recurrent_activation")


def open_file(path):
    """What `reader.Checkpoint` is made of.

    Returns:
        ({name: shape}, {name: dtype's name}, read, {scope: options}, notes)

    Raises:
        UserError: it is of another layout.
        OSError: it is no HDF5 file.
    """
    import h5py

    file = h5py.File(path)  # open as long as something reads from it
    weights = file.get("model_weights", file)
    if "layer_names" not in weights.attrs:
        raise UserError(
            f"{path} is an HDF5 file, but not of tf.keras' or Keras 2's "
            "layers; Keras 3 loads its own (load_weights)"
        )
    found = _arrays(weights, of_layers=True)
    options, notes = {}, []
    slots = _arrays(file.get("optimizer_weights", {}), of_layers=False)
    if all(_is_slot(name, slots[name].shape, found) for name in slots):
        found |= slots
    else:
        notes.append(
            "the optimizer's slots are not named as tf.keras of TensorFlow 1 "
            "names them, and left out"
        )
    if "model_config" in file.attrs:
        _read_config(json.loads(file.attrs["model_config"]), options, notes)
    numbers = _numbers(file, found)
    shapes = {name: array.shape for name, array in found.items()}
    dtypes = {name: array.dtype.name for name, array in found.items()}

    def read(name):
        return numbers[name] if name in numbers else found[name][()]

    return (
        shapes | dict.fromkeys(numbers, ()),
        dtypes | dict.fromkeys(numbers, "float32"),
        read,
        options,
        notes,
    )


def _arrays(group, of_layers):
    """{name of a weight: HDF5 dataset}."""
    found = {}

    def visit(path, node):
        if hasattr(node, "shape"):
            name = path.removesuffix(":0")
            found[name.partition("/")[2] if of_layers else name] = node

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
    told = json.loads(file.attrs["training_config"])["optimizer_config"]
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


# --- What a whole model says of its layers ---


def _read_config(model, options, notes):
    config = model["config"]
    layers = config["layers"] if isinstance(config, dict) else config
    for layer in layers:
        inside = layer["config"]  # of a model, perhaps of an old Sequential
        if isinstance(inside, list) or "layers" in inside:
            _read_config(layer, options, notes)
        elif "name" in inside:
            _read_layer(layer, "", options, notes)


def _read_layer(layer, prefix, options, notes):
    config, kind = layer["config"], layer["class_name"]
    name = f"{prefix}{config['name']}"
    if kind in ("Bidirectional", "TimeDistributed"):
        inner = config["layer"]
        ways = ("forward_", "backward_") if kind == "Bidirectional" else ("",)
        for way in ways:
            _read_layer(inner, f"{name}/{way}", options, [])
        merge = config.get("merge_mode", "concat")
        if kind == "Bidirectional" and merge != "concat":
            notes.append(
                f"{name} was made with merge_mode={merge!r}; here its "
                "directions stay apart, or side by side"
            )
        return
    if config.get("mask_zero"):
        options[name] = {"mask_zero": True}
        return
    if config.get("go_backwards"):
        notes.append(
            f"{name} was made with go_backwards=True; it reads its inputs as "
            "given, so turn them round"
        )
    if "cell" in config:
        cells = [config["cell"]]
        if "cells" in cells[0]["config"]:
            cells = cells[0]["config"]["cells"]
        for number, cell in enumerate(cells):
            scope = f"{name}/cells/{number}" if len(cells) > 1 else name
            options[scope] = _told(cell["config"])
    else:
        options[name] = _told(config)


def _told(config):
    return {
        name: config[name]
        for name in _OF_CELLS
        if isinstance(config.get(name), str)
    }
