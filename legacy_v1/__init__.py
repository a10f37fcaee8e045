"""The tutorial's programs as TensorFlow 1 sessions, on today's TensorFlow."""

from rnn_parity import quiet  # noqa: F401  (before any cell is looked up)
