"""What several replicas make of a batch is what one alone does.

In every section: losses, weights and accumulators after two steps, by three
replicas of one process; and the shares of rows and of the loss, each worked
out apart.
"""

import importlib
import json
import types

import numpy as np
import pytest
from conftest import run_python

from rnn_parity import SECTIONS, Config
from rnn_parity.quiet import tf
from rnn_parity.training import workers
from rnn_parity.training.session import Session

CONFIG = Config(
    num_epochs=1,
    total_series_length=36,
    truncated_backprop_length=3,
    batch_size=6,
    state_size=3,
    num_layers=2,
    learning_rate=0.3,
    dtype="float64",
)
REPLICAS = 3
# Operation by operation, since tracing takes three times as long. Gathering
# is possible in a graph only.
ON_DEVICES = """
import dataclasses, json, sys
from rnn_parity import Config
from rnn_parity.quiet import tf
from rnn_parity.training import workers
from rnn_parity.training.session import Session

config = Config(**json.loads(sys.argv[1]))
strategy = workers.strategy(int(sys.argv[2]), "devices")
gather = strategy.gather


def in_graph(*arguments, **options):
    tf.config.run_functions_eagerly(False)
    try:
        return gather(*arguments, **options)
    finally:
        tf.config.run_functions_eagerly(True)


strategy.gather = in_graph
tf.config.run_functions_eagerly(True)
found = {}
for key in sys.argv[3:]:
    session = Session(key, "tf2", config, strategy=strategy)
    while not session.finished:
        session.advance()
    network = session.network
    found[key] = {
        "losses": session.losses.tolist(),
        "params": {n: a.tolist() for n, a in network.params().items()},
        "accumulators": {
            n: a.tolist() for n, a in network.accumulators().items()
        },
    }
print(json.dumps([strategy.num_replicas_in_sync, found]))
"""


@pytest.fixture(scope="module")
def on_devices():
    """{section: what three replicas computed}."""
    config = {
        name: getattr(CONFIG, name) for name in Config.__dataclass_fields__
    }
    done = run_python(
        "-c", ON_DEVICES, json.dumps(config), REPLICAS, *SECTIONS
    )
    assert done.returncode == 0, done.stderr
    count, found = json.loads(done.stdout)
    assert count == REPLICAS
    return found


@pytest.mark.parametrize("key", SECTIONS)
def test_gradients_of_all_rows_are_added_up_in_every_section(key, on_devices):
    found, one = on_devices[key], Session(key, "numpy_ref", CONFIG)
    while not one.finished:
        one.advance()
    assert len(found["losses"]) == 2  # the state carried from first to last
    np.testing.assert_allclose(found["losses"], one.losses, atol=1e-12)
    for what in ("params", "accumulators"):
        expected = getattr(one.network, what)()
        assert found[what].keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(
                found[what][name], value, rtol=0, atol=1e-12, err_msg=name
            )


# --- The shares of one batch ---


class Replicas:
    """As `tf.distribute.Strategy` has them, one after another."""

    def __init__(self, count):
        self.num_replicas_in_sync = count

    def experimental_distribute_values_from_function(self, of):
        return [
            of(types.SimpleNamespace(replica_id_in_sync_group=index))
            for index in range(self.num_replicas_in_sync)
        ]


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((6, 4), 0), ((2, 6, 5), -2), ((4, 2, 6, 5), -2), ((6,), 0)],
)
def test_every_replica_gets_rows_of_its_own_and_none_is_left(
    count, shape, axis
):
    array = np.arange(np.prod(shape)).reshape(shape)
    parts = workers._rows(Replicas(count), 6)(array, axis)
    assert len(parts) == count
    np.testing.assert_array_equal(np.concatenate(parts, axis), array)
    assert {part.shape[axis] for part in parts} == {6 // count}


def test_rows_lie_where_each_array_has_them():
    assert workers._ROW_AXIS == {"dropout_masks": -2, "sequence_length": 0}


# By hand: steps of each row, three rows to a replica, or two, or one.
LENGTHS = np.array([3, 0, 1, 2, 0, 0])


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("key", SECTIONS)
def test_losses_of_all_replicas_add_up_to_that_of_the_batch(
    key, count, monkeypatch
):
    section, steps = SECTIONS[key], CONFIG.truncated_backprop_length
    echo_rnn = importlib.import_module(f"tf2.{section.module}").EchoRNN
    random = np.random.default_rng(4)
    logits = random.normal(0, 2, (6, steps, CONFIG.num_classes))
    labels = random.integers(0, CONFIG.num_classes, (6, steps))
    shifted = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(shifted, labels[..., None], -1)[..., 0]
    valid = np.ones((6, steps))
    if section.lengths:
        valid = (np.arange(steps) < LENGTHS[:, None]) * 1.0
    expected = (losses * valid).sum() / valid.sum()
    of_batch = types.SimpleNamespace(
        all_reduce=lambda how, steps: tf.constant(
            {"SUM": valid.sum()}[how], steps.dtype
        )
    )
    monkeypatch.setattr(
        tf.distribute, "get_replica_context", lambda: of_batch
    )
    sharing = workers._sharing(echo_rnn, section, Replicas(count), tf)
    # What `calculate_loss` takes of a network is no more than its sizes.
    network = object.__new__(sharing)
    network.config = CONFIG
    total, share = 0.0, 6 // count
    for first in range(0, 6, share):
        rows = slice(first, first + share)
        given = tf.constant(logits[rows])
        if key in ("s5", "s6", "s7"):
            given = tf.reshape(given, [-1, CONFIG.num_classes])
        more = [tf.constant(LENGTHS[rows])] if section.lengths else []
        loss = network.calculate_loss(
            given, tf.constant(labels[rows], tf.int32), *more
        )
        wanted = (losses * valid)[rows].sum() / valid.sum()
        np.testing.assert_allclose(loss, wanted, rtol=1e-12)
        total += float(loss)
    np.testing.assert_allclose(total, expected, rtol=1e-12)
