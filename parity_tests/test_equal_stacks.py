"""Two stacks of equal sizes and one read-out that may read either."""

import numpy as np
import pytest

import rnn_parity
from numpy_ref import tf1_cells, tf1_rnn
from rnn_parity.checkpoints.recognise import recognise

CELL = {"kernel": (3 + 5, 20), "bias": (20,)}
READ_OUT = {"kernel": (5, 4), "bias": (4,)}


def shapes(*read_outs):
    """Of stacks one/rnn and two/rnn, and read-outs of those scopes."""
    found = {
        f"{scope}/rnn/basic_lstm_cell/{name}": shape
        for scope in ("one", "two")
        for name, shape in CELL.items()
    }
    return found | {
        f"{scope}/{name}": shape
        for scope in read_outs
        for name, shape in READ_OUT.items()
    }


@pytest.mark.parametrize(
    ("read_outs", "stacks"),
    [
        (["dense"], [None]),
        (["one/dense"], ["one/rnn"]),
        (["two/dense"], ["two/rnn"]),
        (["one/dense", "two/dense"], ["one/rnn", "two/rnn"]),
        (["dense", "two/dense"], [None, "two/rnn"]),
        (["three/dense"], [None]),
    ],
)
def test_which_stack_a_read_out_reads(read_outs, stacks):
    inventory = recognise(shapes(*read_outs))
    found = {one.name: one.stack for one in inventory.read_outs}
    assert found == dict(zip(read_outs, stacks, strict=True))
    said = [note for note in inventory.notes if "could read any of" in note]
    assert len(said) == stacks.count(None)
    for note in said:
        assert "one/rnn" in note
        assert "two/rnn" in note
        assert "the model leaves it unconnected" in note


def by_hand(arrays, scope, inputs):
    """What a stack puts out, forget bias 1."""
    cell = tf1_cells.LSTMCell(
        kernel=arrays[f"{scope}/rnn/basic_lstm_cell/kernel"],
        bias=arrays[f"{scope}/rnn/basic_lstm_cell/bias"],
        forget_bias=1.0,
    )
    return tf1_rnn.dynamic_rnn(cell, inputs)[0]


@pytest.mark.parametrize("read_out", ["dense", "one/dense", "two/dense"])
def test_the_model_reads_that_stack_and_no_other(read_out, tmp_path):
    random = np.random.default_rng(4)
    arrays = {
        name: random.normal(0.1, 0.6, shape)
        for name, shape in shapes(read_out).items()
    }
    np.savez(tmp_path / "weights.npz", **arrays)
    found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
    given = {
        f"{scope}.rnn.inputs": random.normal(size=(2, 6, 3))
        for scope in ("one", "two")
    }
    alone = read_out == "dense"
    if alone:
        given["dense.inputs"] = random.normal(size=(2, 6, 5))
    assert {tensor.name for tensor in found.model.inputs} == set(given)
    computed = found.model(given)
    outputs = {
        f"{scope}.rnn": by_hand(arrays, scope, given[f"{scope}.rnn.inputs"])
        for scope in ("one", "two")
    }
    source = read_out.replace("/dense", "").replace("/", ".") + ".rnn"
    rows = given["dense.inputs"] if alone else outputs[source]
    kernel, bias = (arrays[f"{read_out}/{name}"] for name in READ_OUT)
    wanted = outputs | {read_out.replace("/", "."): rows @ kernel + bias}
    assert computed.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(computed[name], array, atol=1e-12)
