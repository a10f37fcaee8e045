"""tf2.parts: a batch in parts gives what it gives whole."""

import itertools

import keras
import numpy as np
import pytest
from conftest import spread

from rnn_parity.quiet import tf
from tf2.parts import in_parts
from tf2.unroll import unroll

B, T, FEATURES, H = 7, 5, 2, 3


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(4)
    cell = keras.layers.LSTMCell(H, dtype="float64")
    cell.build((None, FEATURES))
    for variable in cell.weights:
        variable.assign(rng.normal(0.1, 0.5, variable.shape))
    x = tf.constant(rng.normal(0.1, 1.0, (B, T, FEATURES)))
    lengths = tf.constant([3, T, 0, 1, 4, 2, 5])
    state = [tf.constant(rng.normal(0.2, 0.7, (B, H))) for _ in range(2)]

    def gradients(x, rest):
        with tf.GradientTape() as tape:
            outputs, final = unroll(
                cell, x, rest["state"], sequence_length=rest["lengths"]
            )
            loss = tf.reduce_sum(outputs**2) + tf.reduce_sum(final[1])
        sums = tape.gradient(loss, [v.value for v in cell.weights])
        return {"outputs": outputs, "sums": [loss, *sums]}

    return gradients, x, {"lengths": lengths, "state": state}


@pytest.mark.parametrize(
    ("count", "graph"),
    spread(
        list(itertools.product([1, 2, 3, B, B + 4], [True, False])),
        lambda one: one in [(1, False), (B + 4, False), (3, True)],
    ),
)
def test_parts_together_are_the_whole(given, count, graph):
    function, x, rest = given
    run = in_parts(function, count)
    parts = (tf.function(run) if graph else run)(x, rest)
    rows = [part["outputs"].shape[0] for part in parts]
    assert len(parts) == min(count, B)
    assert sum(rows) == B
    assert max(rows) - min(rows) <= 1
    whole = function(x, rest)
    outputs = tf.concat([part["outputs"] for part in parts], 0)
    np.testing.assert_allclose(outputs, whole["outputs"], rtol=0, atol=1e-14)
    for *some, wanted in zip(
        *(part["sums"] for part in parts), whole["sums"], strict=True
    ):
        np.testing.assert_allclose(tf.add_n(some), wanted, atol=1e-13)


@pytest.mark.parametrize("graph", [True, False])
def test_a_batch_without_rows_is_one_part(given, graph):
    function, x, rest = given
    run = in_parts(function, 2)
    rest = tf.nest.map_structure(lambda part: part[:0], rest)
    (part,) = (tf.function(run) if graph else run)(x[:0], rest)
    assert part["outputs"].shape == (0, T, H)
    assert all(not np.any(total) for total in part["sums"])


def test_every_part_is_a_program_of_its_own(given):
    """And in the graph nothing makes one wait for another."""
    function, x, rest = given
    traced = tf.function(in_parts(function, 3)).get_concrete_function(x, rest)
    calls = [
        op
        for op in traced.graph.get_operations()
        if "_XlaMustCompile" in op.node_def.attr
        and op.get_attr("_XlaMustCompile")
    ]
    assert len(calls) == 3
    for call in calls:
        before, seen = [call], set()
        while before:
            op = before.pop()
            before += [i.op for i in op.inputs] + list(op.control_inputs)
            seen.add(op.name)
        assert seen & {c.name for c in calls} == {call.name}


@pytest.mark.parametrize("count", [0, -1, 2.0, True, "2"])
def test_a_wrong_count_is_told(count):
    with pytest.raises(ValueError, match="must be a whole number"):
        in_parts(lambda x: x, count)


def test_rows_must_be_the_same_and_known():
    run = in_parts(lambda *tensors: tensors, 2)
    with pytest.raises(ValueError, match=r"'3', '4'.* same, known number"):
        run(tf.zeros([4, 2]), tf.zeros([3]))
    with pytest.raises(ValueError, match=r"None.* same, known number"):
        run(tf.zeros([4, 2]), 3.0)
    unknown = tf.TensorSpec([None, 2])
    with pytest.raises(ValueError, match=r"None.* same, known number"):
        tf.function(run).get_concrete_function(unknown)
