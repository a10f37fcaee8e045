"""What is compared: the one description of sizes, weights and data.

Two cases: the tutorial's own sizes with binary inputs, and an odd one in
which every size differs, inputs are real numbers and there are three
classes. Weights, biases and the initial state are random, asymmetric and
non-zero in both. All numbers are ones that float32 holds exactly, and come
from `numpy.random.RandomState`, whose streams NumPy keeps unchanged.
"""

import dataclasses
import json

import numpy as np

from rnn_parity import data, weights
from rnn_parity.config import Config

STEPS = 200
FLOAT32_STEPS = 20  # further on, genuine releases drift apart themselves


@dataclasses.dataclass(frozen=True)
class Case:
    """One set of sizes. `config` has dtype float64."""

    name: str
    seed: int
    config: Config


CASES = {
    case.name: case
    for case in (
        Case("tutorial", 2016, Config(dtype="float64")),
        Case(
            "odd",
            2026,
            Config(
                total_series_length=7 * 6 * STEPS,
                truncated_backprop_length=6,
                state_size=5,
                num_classes=3,
                echo_step=2,
                batch_size=7,
                num_layers=4,
                learning_rate=0.2,
                output_keep_prob=0.8,
                dtype="float64",
            ),
        ),
    )
}


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Everything that goes into one section for one case.

    Attributes:
        config: sizes and rates; dtype float64.
        params: {name: array}.
        init_state: as `Section.state_shape` has it.
        batches_x, batches_y: [N, B, T]; the first batch serves the rungs
            before training.
        dropout_masks: [L, T, B, H] for the first batch, or None.
        training_masks: [N, L, T, B, H], or None.
        sequence_length: [N, B], or None.
    """

    config: Config
    params: dict
    init_state: np.ndarray
    batches_x: np.ndarray
    batches_y: np.ndarray
    dropout_masks: np.ndarray | None = None
    training_masks: np.ndarray | None = None
    sequence_length: np.ndarray | None = None

    def first_extras(self):
        """Masks and lengths of the first batch, by the contract's names."""
        return self._extras(self.dropout_masks, 0)

    def training_extras(self, steps):
        """Masks and lengths of the first `steps` batches."""
        masks = self.training_masks
        return self._extras(
            masks if masks is None else masks[:steps], slice(steps)
        )

    def _extras(self, masks, batches):
        extras = {} if masks is None else {"dropout_masks": masks}
        if self.sequence_length is not None:
            extras["sequence_length"] = self.sequence_length[batches]
        return extras


def make_inputs(section, case):
    """The inputs of `case`; sections with equal variables get equal ones."""
    rng = np.random.RandomState(case.seed)
    config = case.config
    batches_x, batches_y = _batches(case, rng)
    params = weights.random_params(section, config, rng)
    state = rng.normal(0.0, 0.7, section.state_shape(config))
    masks = [None]
    lengths = None
    if section.masks:
        masks = draw_masks(section, config, rng, batches=STEPS)
    if section.lengths:
        lengths = _lengths(config, rng)
    return Inputs(
        config=config,
        params=params,
        init_state=state.astype(np.float32).astype(float),
        batches_x=batches_x,
        batches_y=batches_y,
        dropout_masks=masks[0],
        training_masks=masks if section.masks else None,
        sequence_length=lengths,
    )


def draw_masks(section, config, rng, batches):
    """[batches, L, T, B, H] of 0.0 and 1.0, kept at the config's rate."""
    shape = (
        batches,
        section.num_layers(config),
        config.truncated_backprop_length,
        config.batch_size,
        config.state_size,
    )
    return (rng.uniform(size=shape) < config.output_keep_prob).astype(float)


def _batches(case, rng):
    config = case.config
    x, y = data.generate_data(config, rng)
    if case.name == "odd":
        # Real values, a grid of 1/64 around each class.
        x = x - 1 + np.round(rng.normal(0, 0.4, x.shape) * 64) / 64
    windows = [data.batch_windows(series, config) for series in (x, y)]
    batches_x, batches_y = (w[:STEPS] for w in windows)
    return batches_x.astype(float), batches_y.astype(np.int32)


def _lengths(config, rng):
    """[N, B] from 0 to T; the first batch holds an empty and a full row."""
    steps = config.truncated_backprop_length
    lengths = rng.randint(0, steps + 1, (STEPS, config.batch_size))
    lengths[0, :2] = 0, steps
    return lengths.astype(np.int32)


def write_inputs(path, section):
    """Writes both cases of a section for `recorded/record.py` to read."""
    arrays = {"section": np.array(section.key)}
    for case in CASES.values():
        inputs = make_inputs(section, case)
        config = json.dumps(dataclasses.asdict(inputs.config))
        arrays[f"{case.name}/config"] = np.array(config)
        arrays[f"{case.name}/seed"] = np.array(case.seed)
        arrays[f"{case.name}/init_state"] = inputs.init_state.astype("f4")
        arrays[f"{case.name}/batches_x"] = inputs.batches_x.astype("f4")
        arrays[f"{case.name}/batches_y"] = inputs.batches_y.astype("u1")
        for name, value in inputs.params.items():
            arrays[f"{case.name}/params/{name}"] = value.astype("f4")
        if inputs.sequence_length is not None:
            lengths = inputs.sequence_length.astype("u1")
            arrays[f"{case.name}/sequence_length"] = lengths
    np.savez_compressed(path, **arrays)
