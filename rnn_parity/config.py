"""The tutorial's constants, as one validated record."""

import dataclasses
import numbers

from rnn_parity.errors import UserError

DTYPES = ("float32", "float64")
_MOST = 2**31 - 1  # TensorFlow counts in int32
_MOST_LAYERS = 1000  # built one by one, which takes long enough
_LARGEST_FLOAT32 = 3.4028234663852886e38


def _field(default, meaning, least=None, most=_MOST):
    metadata = {"meaning": meaning, "least": least, "most": most}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes and rates of an echo network; the defaults are the tutorial's.

    What each field means stands beside it; `rnn-parity run --help` lists
    the same.

    Raises:
        UserError: a field is out of range, or `batch_size` does not divide
            `total_series_length`.
    """

    num_epochs: int = _field(100, "Passes over freshly drawn series.", 1)
    total_series_length: int = _field(
        50000, "Samples drawn per epoch, over all batch rows.", 1
    )
    truncated_backprop_length: int = _field(
        15, "T, time steps per batch window.", 1
    )
    state_size: int = _field(4, "H, units per layer.", 1)
    num_classes: int = _field(
        2, "C, values that an input or a label can take.", 1
    )
    echo_step: int = _field(
        3, "Steps after which the input is to be repeated.", 0
    )
    batch_size: int = _field(5, "B, rows that train side by side.", 1)
    num_layers: int = _field(
        3, "L, stacked cells (sections 4 to 7).", 1, _MOST_LAYERS
    )
    learning_rate: float = _field(
        0.3, "Adagrad's; TensorFlow 1 rounds it to float32."
    )
    output_keep_prob: float = _field(
        0.5, "Share of outputs that dropout keeps (section 6)."
    )
    dtype: str = _field("float32", "float32 or float64.")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.metadata["least"] is not None:
                limits = field.metadata["least"], field.metadata["most"]
                self._check_integer(field.name, *limits)
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

    def _check_integer(self, name, least, most):
        value = getattr(self, name)
        integral = isinstance(value, numbers.Integral)
        if not integral or isinstance(value, bool) or value < least:
            raise UserError(
                f"{name} is {value!r}; it must be a whole number of at least "
                f"{least}"
            )
        if value > most:
            raise UserError(f"{name} is {value}; it must be at most {most}")
        object.__setattr__(self, name, int(value))

    def _check_positive(self, name):
        value = getattr(self, name)
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not real or not 0 < value <= _LARGEST_FLOAT32:
            raise UserError(
                f"{name} is {value!r}; it must be a finite number above 0, "
                "in float32 too"
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
