"""One thread for small networks, before TensorFlow is imported.

Where a step's products are tiny, handing them to other threads costs more
than they do: on two cores a compiled step of a 3-layer LSTM of 4 units
takes half the time on one thread.
"""

import os
import sys

SMALL = 2**16  # multiplications of one product below which threads cost

_ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def one_if_small(config):
    """Chooses one thread if `config`'s products are small.

    What the environment already says stays as it is. Does nothing once
    TensorFlow is imported: it reads these only then.

    Returns:
        Whether one thread was chosen.
    """
    products = config.batch_size * config.state_size * config.state_size
    if products > SMALL or "tensorflow" in sys.modules:
        return False
    for name, value in _ONE_THREAD.items():
        os.environ.setdefault(name, value)
    return True
