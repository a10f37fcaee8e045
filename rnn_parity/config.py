"""The tutorial's constants, as one validated record."""

import dataclasses
import math
import numbers

from rnn_parity.errors import UserError

DTYPES = ("float32", "float64")

_LEAST = {
    "num_epochs": 1,
    "total_series_length": 1,
    "truncated_backprop_length": 1,
    "state_size": 1,
    "num_classes": 1,
    "echo_step": 0,
    "batch_size": 1,
    "num_layers": 1,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes and rates of an echo network; the defaults are the tutorial's.

    Attributes:
        num_epochs: passes over freshly drawn series.
        total_series_length: samples drawn per epoch, over all batch rows.
        truncated_backprop_length: T, time steps per batch.
        state_size: H, units per layer.
        num_classes: C, values that an input or a label can take.
        echo_step: steps after which the input is to be repeated.
        batch_size: B, rows that train side by side.
        num_layers: L, stacked cells (sections 4 to 7 only).
        learning_rate: Adagrad's; TensorFlow 1 rounds it to float32.
        output_keep_prob: share of outputs that dropout keeps (section 6).
        dtype: "float32" or "float64".

    Raises:
        UserError: a field is out of range, or `batch_size` does not divide
            `total_series_length`.
    """

    num_epochs: int = 100
    total_series_length: int = 50000
    truncated_backprop_length: int = 15
    state_size: int = 4
    num_classes: int = 2
    echo_step: int = 3
    batch_size: int = 5
    num_layers: int = 3
    learning_rate: float = 0.3
    output_keep_prob: float = 0.5
    dtype: str = "float32"

    def __post_init__(self):
        for name, least in _LEAST.items():
            self._check_integer(name, least)
        for name in ("learning_rate", "output_keep_prob"):
            self._check_positive(name)
        if self.output_keep_prob > 1:
            raise UserError(
                f"output_keep_prob is {self.output_keep_prob}; it must be "
                "above 0 and at most 1"
            )
        if self.dtype not in DTYPES:
            raise UserError(
                f"dtype is {self.dtype!r}; it must be one of "
                f"{', '.join(DTYPES)}"
            )
        self._check_series()

    @property
    def num_batches(self):
        """Batch windows per epoch; a remainder is left out, as in 2016."""
        row_length = self.total_series_length // self.batch_size
        return row_length // self.truncated_backprop_length

    def replace(self, **changes):
        """A copy with some fields changed, validated again."""
        return dataclasses.replace(self, **changes)

    def _check_integer(self, name, least):
        value = getattr(self, name)
        integral = isinstance(value, numbers.Integral)
        if not integral or isinstance(value, bool) or value < least:
            raise UserError(
                f"{name} is {value!r}; it must be a whole number of at least "
                f"{least}"
            )
        object.__setattr__(self, name, int(value))

    def _check_positive(self, name):
        value = getattr(self, name)
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not real or not (math.isfinite(value) and value > 0):
            raise UserError(
                f"{name} is {value!r}; it must be a finite number above 0"
            )
        object.__setattr__(self, name, float(value))

    def _check_series(self):
        total, rows = self.total_series_length, self.batch_size
        steps = self.truncated_backprop_length
        if total % rows:
            raise UserError(
                f"batch_size {rows} does not divide total_series_length "
                f"{total}; make the series {total - total % rows or rows} "
                f"or {total - total % rows + rows} long"
            )
        if total // rows < steps:
            raise UserError(
                f"total_series_length {total} over batch_size {rows} leaves "
                f"{total // rows} steps a row, fewer than "
                f"truncated_backprop_length {steps}; make the series at "
                f"least {rows * steps} long"
            )
        if self.echo_step >= total:
            raise UserError(
                f"echo_step {self.echo_step} is not shorter than the series; "
                f"it must be below total_series_length {total}"
            )
