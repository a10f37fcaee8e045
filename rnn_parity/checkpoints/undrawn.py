"""Keras layers whose weights are about to come, made without random ones.

To draw them takes minutes: Keras' `Orthogonal` decomposes a matrix of H by H.
Nothing of Keras is changed for it, so other threads, and layers made later,
draw theirs as ever.
"""

import contextlib
import json
import os
import pathlib
import re
import tempfile
import zipfile

import keras

from rnn_parity.checkpoints import forms, optimizers

_RANDOM = (
    *("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform"),
    *("LecunNormal", "LecunUniform", "Orthogonal", "RandomNormal"),
    *("RandomUniform", "TruncatedNormal", "VarianceScaling"),
)
_SHORT = {"normal": "RandomNormal", "uniform": "RandomUniform"}
_CONFIG = "config.json"
_IN_MEMBERS = ("metadata.json", "model.weights.", "assets/")
_SMALL = 1 << 28  # bytes


@contextlib.contextmanager
def nothing_drawn():
    """Layers made and built within begin with zeros that take no memory.

    Within, and in this thread, names of Keras' random initializers stand for
    classes of ours. Afterwards each initializer is one of Keras' own, so a
    configuration says the same as ever.
    """
    made = []
    names = {
        name: _undrawn(getattr(keras.initializers, name), made)
        for name in _RANDOM
    }
    names |= {_in_snake_case(name): kind for name, kind in names.items()}
    names |= {short: names[name] for short, name in _SHORT.items()}
    try:
        with keras.saving.custom_object_scope(names):
            yield
    finally:
        for initializer, kind in made:
            initializer.__class__ = kind


def _in_snake_case(name):
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _undrawn(kind, made):
    """A subclass that makes zeros; `made` collects (instance, kind)."""

    class Undrawn(kind):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append((self, kind))

        def __call__(self, shape, dtype=None):
            return forms.tensor(forms.zeros(tuple(shape), dtype))

    Undrawn.__name__ = kind.__name__
    return Undrawn


def by_name(config):
    """A configuration whose initializers `nothing_drawn` finds.

    Args:
        config: a layer's or model's, as `keras.saving.serialize_keras_object`
            gives it. Keras looks there for classes of its own by module, and
            by name where they are registered.

    Returns:
        A copy.
    """
    if isinstance(config, (list, tuple)):
        return [by_name(each) for each in config]
    if not isinstance(config, dict):
        return config
    found = {key: by_name(each) for key, each in config.items()}
    kind = found.get("class_name")
    if kind in _RANDOM and found.get("module") == "keras.initializers":
        found["registered_name"] = kind
    return found


def load(path):
    """The model in a `.keras` file, with its optimizer, for reading.

    Its losses and metrics are not made. The process' dtype policy and floatx
    play no part. HDF5 reads a file on disk, so that a model is in memory
    once.

    Args:
        path: of the file, a `pathlib.Path`.

    Raises:
        KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile: it is
            damaged, or has layers that are not known.
    """
    with zipfile.ZipFile(path) as archive, _folder(path) as folder:
        config = json.loads(archive.read(_CONFIG))
        compiled = config.pop("compile_config", None) or {}
        pathlib.Path(folder, _CONFIG).write_text(json.dumps(by_name(config)))
        for member in archive.infolist():
            if member.filename.startswith(_IN_MEMBERS):
                archive.extract(member, folder)
        with nothing_drawn():
            model = keras.saving.load_model(folder)
        optimizer = optimizers.of_config(compiled.get("optimizer"))
        if optimizer is not None:
            optimizer.build(model.trainable_variables)
            model.compile(optimizer, auto_scale_loss=False)
            model.load_weights(
                pathlib.Path(folder, "model.weights.h5"),
                objects_to_skip=model.layers,  # which are loaded
            )
    return model


def _folder(path):
    """A temporary folder; of a large file on its own disk, if possible."""
    beside = path.stat().st_size > _SMALL and os.access(path.parent, os.W_OK)
    return tempfile.TemporaryDirectory(
        dir=path.parent if beside else None, prefix=".rnn-parity-"
    )
