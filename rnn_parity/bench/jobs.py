"""What is computed, and which jobs make a preset."""

import dataclasses
import itertools

from rnn_parity import devices
from rnn_parity.errors import UserError

DTYPES = ("float32", "float64")


@dataclasses.dataclass(frozen=True)
class Job:
    """One size of the training step of an LSTM whose inputs are H wide.

    Attributes:
        steps: T.
        batch: B.
        width: H, and the inputs' width.
        layers: how many LSTMs on top of one another.
        dtype: "float32" or "float64".
        device: "cpu" or "gpu".
    """

    steps: int
    batch: int
    width: int
    layers: int = 1
    dtype: str = "float32"
    device: str = "cpu"

    def __post_init__(self):
        for name in ("steps", "batch", "width", "layers"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1")
        if self.dtype not in DTYPES:
            raise UserError(f"dtype must be one of {', '.join(DTYPES)}")

    def __str__(self):
        return (
            f"T={self.steps} B={self.batch} H={self.width} "
            f"L={self.layers} {self.dtype} {self.device}"
        )

    def replace(self, **changes):
        return dataclasses.replace(self, **changes)

    def parts(self, cores=None):
        """In how many parts the batch is computed where that is chosen.

        Args:
            cores: of the machine that computes it, this one's if None.
        """
        if self.device == "gpu":
            return 1
        return devices.worthwhile_parts(
            self.steps, self.batch, self.width, self.layers, cores
        )

    def flops(self, kind):
        """Of the matrix products alone: 2 for a multiplication and sum.

        The step back multiplies by both kernels' transposes and makes
        their gradients, as much again twice; but nobody asks for the
        gradient of the lowest layer's inputs.
        """
        half = 2 * self.steps * self.batch * self.width * 4 * self.width
        if kind == "forward":
            return 2 * half * self.layers
        return 6 * half * self.layers - half


@dataclasses.dataclass(frozen=True)
class Preset:
    """Jobs, and how much is spent on each.

    Attributes:
        jobs: in the order in which they are run.
        rounds: turns of every strategy.
        turn_seconds: what one turn lasts, at least one call.
        names: the strategies, or None for all.
        more_jobs: jobs for a few strategies, run after the others.
        more_names: those strategies.
        static_steps: longest plain static loop.
        static_xla_steps: the same under XLA, which compiles it for long.
    """

    jobs: tuple
    rounds: int
    turn_seconds: float
    names: tuple | None = None
    more_jobs: tuple = ()
    more_names: tuple = ()
    static_steps: int = 200
    static_xla_steps: int = 15


def grid(steps, batches, widths, layers=(1,), **rest):
    """A job for every combination."""
    return tuple(
        Job(t, b, h, n, **rest)
        for t, b, h, n in itertools.product(steps, batches, widths, layers)
    )


# Where the goals are stated.
LANDMARK = Job(steps=96, batch=64, width=256)

_QUICK = (
    *(Job(steps=t, batch=4, width=16) for t in (15, 60, 240)),
    *grid((15,), (4, 64), (16, 128))[1:],
)


_BASE = Job(steps=15, batch=16, width=64)
_FULL = (*(_BASE.replace(steps=t) for t in (15, 60, 200, 1000)), LANDMARK)
_FULL_MORE = (
    *grid((32,), (1, 16, 64, 256), (16, 64, 256)),
    _BASE.replace(steps=60, layers=3),
    _BASE.replace(steps=60, dtype="float64"),
)


# Fewer, to be done in three minutes: starting one takes a second or two.
_QUICK_NAMES = (
    "TF1 static_rnn",
    "TF1 dynamic_rnn",
    "tf2 static",
    "tf2 dynamic",
    "tf2 partial(4)",
    "tf2 static, XLA",
    "tf2 dynamic, XLA",
    "tf2 partial(4), XLA",
    "tf2 fast",
    "Keras LSTM",
    "Keras LSTM, XLA",
    "Keras LSTM, cuDNN",
    "PyTorch nn.LSTM",
    "JAX scan",
    "products, NumPy",
)

PRESETS = {
    "quick": Preset(
        _QUICK,
        rounds=5,
        turn_seconds=0.01,
        names=_QUICK_NAMES,
        static_steps=60,
        static_xla_steps=0,
    ),
    "full": Preset(
        _FULL,
        rounds=7,
        turn_seconds=0.1,
        more_jobs=_FULL_MORE,
        more_names=(
            "tf2 dynamic",
            "tf2 dynamic, XLA",
            "tf2 partial(4), XLA",
            "tf2 fast",
            "tf2 fast, one step",
            "Keras LSTM",
            "Keras LSTM, XLA",
            "Keras LSTM, cuDNN",
            "PyTorch nn.LSTM",
            "JAX scan",
            "JAX scan, fast",
            "products, NumPy",
            "products, TensorFlow",
        ),
    ),
}


def find(name, device):
    """The preset called `name`, its jobs on `device`."""
    preset = PRESETS[name]
    there = {
        of: tuple(job.replace(device=device) for job in getattr(preset, of))
        for of in ("jobs", "more_jobs")
    }
    return dataclasses.replace(preset, **there)
