"""TensorFlow 1 recurrent networks, three ways, proven equal.

    import rnn_parity

    config = rnn_parity.Config(dtype="float64")
    section = rnn_parity.load("s1", "tf2")
    section.forward(config, params, batch_x, init_state)

Importing this package imports neither TensorFlow nor NumPy.
"""

from rnn_parity.config import Config
from rnn_parity.errors import UserError
from rnn_parity.sections import IMPLEMENTATIONS, SECTIONS, load

__all__ = [
    "IMPLEMENTATIONS",
    "SECTIONS",
    "Config",
    "UserError",
    "convert_checkpoint",
    "convert_model",
    "load",
]


def convert_checkpoint(path, **options):
    """Keras 3 layers and a model from a TensorFlow 1 checkpoint.

    See `rnn_parity.checkpoints.convert.convert_checkpoint`. The command sets
    TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1 to hold little more than the model and
    its largest tensor twice; a program sets it before TensorFlow is imported.
    """
    from rnn_parity.checkpoints import convert

    return convert.convert_checkpoint(path, **options)


def convert_model(path, **options):
    """The Keras 3 model of a whole model of tf.keras.

    See `rnn_parity.checkpoints.whole.convert_model`.
    """
    from rnn_parity.checkpoints import whole

    return whole.convert_model(path, **options)
