"""Which library Keras computes with, known before Keras is imported."""

import json
import os
import sys

from rnn_parity.errors import UserError


def must_be_tensorflow():
    """Refuses what needs TensorFlow where Keras computes with another.

    Raises:
        UserError: KERAS_BACKEND or Keras' settings file names another
            backend, or Keras has been imported with one.
    """
    where, backend = _backend()
    if backend != "tensorflow":
        raise UserError(
            f"Keras computes with {backend} here (because of {where}), and "
            "this needs TensorFlow; set KERAS_BACKEND=tensorflow"
        )


def _backend():
    """(who says so, the backend), as Keras itself decides."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "config"):
        return "keras.config.backend()", keras.config.backend()
    if backend := os.environ.get("KERAS_BACKEND"):
        return "KERAS_BACKEND", backend
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    path = os.path.join(os.path.expanduser(home), "keras.json")
    try:
        with open(path, encoding="utf-8") as file:
            return path, json.load(file).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        return path, "tensorflow"  # Keras makes such a file
