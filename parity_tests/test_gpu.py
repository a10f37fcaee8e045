"""On a GPU, with TF32 off, the numbers are those of the CPU."""

import numpy as np
import pytest
from conftest import SIZES, make_inputs

import rnn_parity
from rnn_parity.bench import jobs, reference, strategies
from rnn_parity.quiet import tf

pytestmark = pytest.mark.skipif(
    not tf.config.list_physical_devices("GPU"),
    reason="TensorFlow sees no GPU here",
)

JOB = jobs.Job(steps=7, batch=5, width=64, device="gpu")
ON_GPU = [
    strategy
    for strategy in strategies.STRATEGIES.values()
    if strategy.family in ("tf2", "keras")
]


@pytest.fixture(autouse=True)
def without_tf32():
    was = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(was)


@pytest.mark.parametrize("implementation", ["legacy_v1", "tf2"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sections_equal_numpy(key, implementation, dtype):
    config = SIZES.replace(dtype=dtype)
    given = make_inputs(key, config)
    arguments = (config, given.params, given.batches_x[0], given.init_state)
    extra = {}
    if given.dropout_masks is not None:
        extra["dropout_masks"] = given.dropout_masks
    if given.sequence_length is not None:
        extra["sequence_length"] = given.sequence_length[0]
    got, wanted = (
        rnn_parity.load(key, version).forward(*arguments, **extra)
        for version in (implementation, "numpy_ref")
    )
    limit = 1e-5 if dtype == "float32" else 1e-12
    assert np.abs(got.logits - wanted.logits).max() < limit


@pytest.mark.parametrize("strategy", ON_GPU, ids=lambda s: s.name)
def test_strategies_equal_numpy(strategy):
    """Among them cuDNN, reached by Keras' layer with TF1 weights."""
    data = reference.data_for(JOB)
    contestant = strategy.build(JOB, data)
    contestant.prepare("forward")
    contestant.run("forward")
    outputs = contestant.outputs()
    contestant.prepare("train")
    contestant.run("train")
    errors = data.errors(outputs, contestant.loss(), contestant.weights())
    assert reference.wrong(errors, "float32") is None
