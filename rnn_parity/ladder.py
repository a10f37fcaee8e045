"""The ladder: what is compared, in the order in which a port goes wrong.

An observation is {rung: {tensor: array}}. The first rung at which two
observations differ is where to look for the mistake.
"""

import dataclasses

import numpy as np

from rnn_parity import cases, tolerances

RUNGS = (
    "shapes",
    "one step",
    "states",
    "logits",
    "predictions",
    "loss",
    "gradients",
    "training losses",
    "final weights",
    "accumulators",
)


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far one tensor of one rung is from its reference.

    Attributes:
        rung, tensor: what was compared.
        error: largest |value - reference|, over the reference's largest
            magnitude where that is above 1; infinite where one is not
            finite or the shapes differ.
        ulps: the same in units in the last place of the largest value.
        tolerance: the largest error that counts as agreement.
        index: where the error is largest.
        value, reference: the two numbers there (or the two shapes).
    """

    rung: str
    tensor: str
    error: float
    ulps: float
    tolerance: float
    index: tuple
    value: object
    reference: object

    @property
    def agrees(self):
        return self.error <= self.tolerance

    def __str__(self):
        where = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return (
            f"rung '{self.rung}', {self.tensor}{where}: {self.value!s} "
            f"against {self.reference!s} (error {self.error:.2g}, tolerance "
            f"{self.tolerance:.2g})"
        )


def steps_of(dtype):
    """How many training steps a dtype can be judged on."""
    return cases.STEPS if dtype == "float64" else cases.FLOAT32_STEPS


def observe(contract, inputs, dtype, training=True):
    """Runs one version on `inputs`; every rung but "shapes" (see compare).

    Args:
        contract: what `rnn_parity.load` returns.
        inputs: `rnn_parity.cases.Inputs`.
        dtype: "float32" or "float64".
        training: False leaves out the rungs that need many steps.
    """
    config = inputs.config.replace(dtype=dtype)
    given = (config, inputs.params)
    batch = (inputs.batches_x[0], inputs.init_state)
    labelled = (inputs.batches_x[0], inputs.batches_y[0], inputs.init_state)
    first = inputs.first_extras()
    observed = forward_rungs(contract.forward(*given, *batch, **first))
    if "dropout_masks" in first:
        predicting = contract.forward(*given, *batch)
        add_forward(observed, predicting, "predicting: ")
    loss, gradients = contract.loss_and_gradients(*given, *labelled, **first)
    observed |= gradient_rungs(loss, gradients)
    if training:
        steps = steps_of(dtype)
        trained = contract.train(
            *given,
            inputs.batches_x[:steps],
            inputs.batches_y[:steps],
            inputs.init_state,
            **inputs.training_extras(steps),
        )
        observed |= training_rungs(trained)
    return observed


def forward_rungs(forward):
    """The rungs of a `Forward`."""
    observed = {rung: {} for rung in RUNGS[1:5]}
    add_forward(observed, forward)
    return observed


def gradient_rungs(loss, gradients):
    """The rungs of what `loss_and_gradients` returns."""
    return {"loss": {"loss": loss}, "gradients": gradients}


def training_rungs(training):
    """The rungs of a `Training`."""
    weights = {**training.params, "final_state": training.final_state}
    return {
        "training losses": {"losses": training.losses},
        "final weights": weights,
        "accumulators": training.accumulators,
    }


def add_forward(observed, forward, prefix=""):
    """Puts a `Forward` on its rungs."""
    one_step = f"{prefix}states_series at step 0"
    observed["one step"][one_step] = forward.states_series[:, 0]
    observed["states"][f"{prefix}states_series"] = forward.states_series
    observed["states"][f"{prefix}final_state"] = forward.final_state
    observed["logits"][f"{prefix}logits"] = forward.logits
    observed["predictions"][f"{prefix}predictions"] = forward.predictions


def compare(observed, reference, section, dtype):
    """Every tensor of every observed rung against the reference's.

    Returns:
        A list of `Difference` in the order of the ladder. "shapes" holds
        only what differs in shape, dtype or presence; the tensors it names
        are left out of their own rung.
    """
    shapes, values = [], []
    for rung in (rung for rung in RUNGS if rung in observed):
        names = [*reference[rung]]
        names += [name for name in observed[rung] if name not in names]
        tolerance = tolerances.find(section, rung, dtype).allowed
        for name in names:
            pair = observed[rung].get(name), reference[rung].get(name)
            if _kind(pair[0]) == _kind(pair[1]):
                values.append(_difference(rung, name, *pair, tolerance))
            else:
                shapes.append(_misshapen(name, *pair))
    return shapes + values


def error_of(value, reference):
    """`Difference.error` of two arrays of the same shape."""
    return _difference("", "", value, reference, 0.0).error


def first_difference(differences):
    """The lowest rung's first tensor that does not agree, or None."""
    return next((d for d in differences if not d.agrees), None)


def _kind(array):
    """Shape and dtype in words."""
    if array is None:
        return "nothing"
    array = np.asarray(array)
    return f"{array.dtype} {list(array.shape)}"


def _misshapen(name, value, reference):
    return Difference(
        rung="shapes",
        tensor=name,
        error=np.inf,
        ulps=np.inf,
        tolerance=0.0,
        index=(),
        value=_kind(value),
        reference=_kind(reference),
    )


def _difference(rung, name, value, reference, tolerance):
    value, reference = np.asarray(value), np.asarray(reference)
    error = np.abs(value.astype(float) - reference.astype(float))
    error = np.where(np.isfinite(error), error, np.inf)
    index = np.unravel_index(np.argmax(error), error.shape)
    largest = np.abs(reference).max()
    finite = np.isfinite(error[index])
    return Difference(
        rung=rung,
        tensor=name,
        error=float(error[index] / max(largest, 1.0)) if finite else np.inf,
        ulps=float(error[index] / np.spacing(largest)) if finite else np.inf,
        tolerance=tolerance,
        index=tuple(int(i) for i in index),
        value=value[index],
        reference=reference[index],
    )
