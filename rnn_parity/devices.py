"""Which device TensorFlow uses, and with how many threads."""

import os
import sys

from rnn_parity.errors import UserError

# Multiplications of one product: below, threads cost more than they give.
# On two cores a compiled step of a 3-layer LSTM of 4 units takes 0.6 of the
# time on one thread, one of 32 units 0.85, one of 128 units 1.1.
_SMALL = 2**16

# Multiplications in a training step that are worth a core of their own. A
# number of the state costs as much again as 64 of them. On two cores, for
# T=32 and B=16, a step of 32 units takes 1.3 times as long in two parts, one
# of 64 units 0.83, one of 256 units 0.65.
_WORTH_A_CORE = 1_250_000
_BESIDE_PRODUCTS = 64

XLA_ON_ONE_THREAD = ("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

_ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    **dict([XLA_ON_ONE_THREAD]),
}


def is_small(batch_size, state_size):
    """Whether threads cost a step's products more than they give."""
    return batch_size * state_size * state_size <= _SMALL


def cores():
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worthwhile_parts(
    steps, batch_size, state_size, num_layers=1, num_cores=None
):
    """In how many parts, on cores of their own, a batch trains fastest.

    `num_cores` is this process' where it is not given.
    """
    numbers = steps * batch_size * state_size * num_layers
    work = numbers * (state_size + _BESIDE_PRODUCTS)
    most = min(num_cores or cores(), batch_size)
    return max(1, min(most, work // _WORTH_A_CORE))


def one_thread_if_small(config):
    """Chooses one thread if `config`'s products are small.

    What the environment already says stays as it is. Does nothing once
    TensorFlow is imported: it reads these only then.
    """
    small = is_small(config.batch_size, config.state_size)
    if small and "tensorflow" not in sys.modules:
        for name, value in _ONE_THREAD.items():
            os.environ.setdefault(name, value)


def choose(device):
    """Makes TensorFlow use "cpu", "gpu", or with None what there is.

    Raises:
        UserError: a GPU is asked for and TensorFlow sees none.
    """
    from rnn_parity.quiet import tf

    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise UserError(
            "TensorFlow sees no GPU here; use --device cpu, or install "
            "tensorflow[and-cuda] and check nvidia-smi"
        )
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
