"""What workers of TensorFlow share: imported once, before they are forked.

Importing starts no device and no thread pool of TensorFlow, so that each
fork has its own.
"""

from rnn_parity import quiet  # noqa: F401, I001

import keras  # noqa: F401

import rnn_parity.bench.contestants.tf2_function  # noqa: F401
import tf2.unroll  # noqa: F401
