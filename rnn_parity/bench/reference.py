"""What a training step must give, from `numpy_ref`, in float64."""

import dataclasses

import numpy as np

from numpy_ref import ops
from numpy_ref.cells import LSTMCell, MultiRNNCell

# The largest change of a weight in the first step: enough to see a wrong
# gradient in float32, little enough for thousands of steps after it.
_CHANGE = 1e-3

# Largest error of outputs and loss, and of the weights' change by its size.
TOLERANCES = {"float32": (2e-5, 2e-3), "float64": (1e-12, 1e-9)}


@dataclasses.dataclass
class Data:
    """What goes into a step, and what must come out of it.

    Attributes:
        x, target: [B, T, H] in the job's dtype.
        state: [L, 2, B, H], c before h.
        weights: [(kernel [2 H, 4 H], bias [4 H])], TensorFlow 1's layout.
        learning_rate: of the gradient descent.
        outputs: [B, T, H], float64, as all below.
        loss: a scalar, before the update.
        new_weights: like `weights`, after one update.
    """

    x: np.ndarray
    target: np.ndarray
    state: np.ndarray
    weights: list
    learning_rate: float
    outputs: np.ndarray
    loss: float
    new_weights: list

    def errors(self, outputs, loss, new_weights):
        """How far a strategy is off: outputs, loss, change of weights."""
        changes = [
            np.abs(np.float64(got) - wanted).max()
            / np.abs(old - wanted).max()
            for gots, wanteds, olds in zip(
                new_weights, self.new_weights, self.weights, strict=True
            )
            for got, wanted, old in zip(gots, wanteds, olds, strict=True)
        ]
        return {
            "outputs": float(np.abs(outputs - self.outputs).max()),
            "loss": float(abs(loss - self.loss) / self.loss),
            "update": float(max(changes)),
        }


def wrong(errors, dtype):
    """What is out of tolerance, in words, or None."""
    values, update = TOLERANCES[dtype]
    limits = {"outputs": values, "loss": values, "update": update}
    for name, limit in limits.items():
        if not errors[name] <= limit:
            return f"{name} off by {errors[name]:.1e}"
    return None


def data_for(job, seed=0):
    """Random inputs and weights of a job's size, and its answers."""
    rng = np.random.default_rng(seed)
    series = (job.batch, job.steps, job.width)
    columns = 4 * job.width
    glorot = np.sqrt(6 / (2 * job.width + columns))
    x = rng.normal(0.1, 1.0, series).astype(job.dtype)
    target = rng.normal(0.1, 0.5, series).astype(job.dtype)
    state = rng.normal(0.1, 0.5, (job.layers, 2, job.batch, job.width))
    state = state.astype(job.dtype)
    weights = [
        (
            rng.uniform(-glorot, glorot, (2 * job.width, columns)),
            rng.normal(0.1, 0.1, columns),
        )
        for _ in range(job.layers)
    ]
    weights = [[v.astype(job.dtype) for v in layer] for layer in weights]
    outputs, loss, gradients = step(job, x, target, state, weights)
    largest = max(np.abs(g).max() for layer in gradients for g in layer)
    rate = float(np.float32(_CHANGE / largest))
    new_weights = [
        [v - rate * g for v, g in zip(layer, back, strict=True)]
        for layer, back in zip(weights, gradients, strict=True)
    ]
    return Data(x, target, state, weights, rate, outputs, loss, new_weights)


def step(job, x, target, state, weights):
    """Outputs, loss and gradients per layer."""
    stack = MultiRNNCell(
        [_cell(job, name, *layer) for name, layer in enumerate(weights)]
    )
    layers = [tuple(np.float64(layer)) for layer in state]
    x, target = (np.float64(v).swapaxes(0, 1) for v in (x, target))
    outputs, tapes = np.empty_like(x), []
    for t in range(job.steps):
        outputs[t], layers, tape = stack.step(x[t], layers)
        tapes.append(tape)
    difference = outputs - target
    d_outputs = 2 * difference / difference.size
    d_state = stack.zero_state(job.batch)
    total = None
    for t in reversed(range(job.steps)):
        _, d_state, gradients = stack.step_back(
            d_outputs[t], d_state, tapes.pop()
        )
        total = gradients if total is None else ops.add_up([total, gradients])
    by_layer = [
        [total[f"{layer}/kernel"], total[f"{layer}/bias"]]
        for layer in range(job.layers)
    ]
    return outputs.swapaxes(0, 1), float(np.mean(difference**2)), by_layer


def _cell(job, name, kernel, bias):
    cell = LSTMCell(job.width, job.width, "float64", name)
    cell.kernel, cell.bias = np.float64(kernel), np.float64(bias)
    return cell
