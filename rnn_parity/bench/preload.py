"""What workers of TensorFlow share: imported once, before they are forked.

Importing starts no device and no thread pool of TensorFlow, so that each
fork has its own.
"""

import signal

# Ctrl-C reaches this process too; the one that started it says so.
signal.signal(signal.SIGINT, signal.SIG_IGN)

from rnn_parity.bench.worker import die_with_parent  # noqa: E402

die_with_parent()

from rnn_parity import quiet  # noqa: E402, F401, I001

import keras  # noqa: E402, F401

import rnn_parity.bench.contestants.tf2_function  # noqa: E402, F401
import tf2.parts  # noqa: E402
import tf2.unroll  # noqa: E402, F401
