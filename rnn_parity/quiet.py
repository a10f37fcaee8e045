"""Imports TensorFlow without its chatter. Import before TensorFlow.

Also says, in the one place where it is said, that `tf.compat.v1` takes its
RNN cells from tf-keras: TensorFlow 2.16 and later import them only with
TF_USE_LEGACY_KERAS set before the first access, and a failed access stays
failed. Keras 3, as `import keras`, is not touched by it.

To see what TensorFlow prints, set TF_CPP_MIN_LOG_LEVEL=0.
"""

import contextlib
import ctypes
import os
import pathlib
import sys
import tempfile
import warnings

from rnn_parity import keras_backend

os.environ["TF_USE_LEGACY_KERAS"] = "1"

# Other values need not be the user's: JAX sets 1, and processes inherit 3.
WANTED = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"
if not WANTED:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


@contextlib.contextmanager
def _stderr_held_back():
    """Native code writes to descriptor 2, out of reach of sys.stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:  # Ctrl-C is none: it shows nothing
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _silence_absl(tensorflow_folder):
    """TensorFlow 2.21 logs through Abseil, which reads no environment."""
    set_min_log_level = (
        "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE"
    )
    fatal_only = 3
    for library in sorted(tensorflow_folder.glob("libtensorflow_*.so.2")):
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(str(library))[set_min_log_level](fatal_only)


keras_backend.must_be_tensorflow()
if WANTED:
    import tensorflow as tf
else:
    with _stderr_held_back():
        import tensorflow as tf
    _silence_absl(pathlib.Path(tf.__file__).parent)
    tf.get_logger().setLevel("ERROR")
    warnings.filterwarnings("ignore", message=".*tf.nn.rnn_cell.* is depre")
