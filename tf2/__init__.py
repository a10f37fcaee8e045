"""The tutorial's programs in native TensorFlow 2 and Keras 3."""

from rnn_parity import quiet  # noqa: F401  (before TensorFlow is imported)
