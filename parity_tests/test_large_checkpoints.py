"""What a checkpoint costs grows as the checkpoint does, and no faster.

Calls are counted, of Python's functions and of C's, since a machine that
does other things besides makes seconds say little.
"""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_parity
from rnn_parity.checkpoints import inventory, kinds, objects, options
from rnn_parity.checkpoints.recognise import recognise
from rnn_parity.checkpoints.variables import Variables
from rnn_parity.commands import inspect


def dense(scope, inputs=7, units=5):
    return {
        f"{scope}/kernel": (inputs, units),
        f"{scope}/bias": (units,),
    }


def lstm(scope, inputs=4, units=5):
    return dense(scope, inputs + units, 4 * units)


def keras_lstm(scope, inputs=4, units=5):
    recurrent = {f"{scope}/recurrent_kernel": (units, 4 * units)}
    return dense(scope, inputs, 4 * units) | recurrent


def many(layer, count):
    """The variables of `layer(number)` for each number."""
    found = {}
    for number in range(count):
        found |= layer(number)
    return found


def with_adam(shapes):
    slots = itertools.product(shapes.items(), ("Adam", "Adam_1"))
    return shapes | {f"{n}/{slot}": shape for (n, shape), slot in slots}


def convolution(number):
    scope = f"net/block_{number}"
    norm = ("gamma", "beta", "moving_mean", "moving_variance")
    return {f"{scope}/conv/kernel": (3, 3, 4, 8)} | {
        f"{scope}/norm/{name}": (8,) for name in norm
    }


def tower(number):
    """A stack of two layers with a read-out and a table of its own."""
    scope = f"tower_{number}"
    rnn = f"{scope}/rnn/multi_rnn_cell"
    return (
        lstm(f"{rnn}/cell_0/lstm_cell", 4, 5)
        | lstm(f"{rnn}/cell_1/lstm_cell", 5, 6)
        | dense(f"{scope}/dense", 6, 9)
        | {f"{scope}/embedding": (11, 4)}
    )


def beside_one_another(number):
    """Stacks, read-outs and tables that all fit one another by width."""
    table = {f"embedding_{number}": (11, 4)}
    return (
        lstm(f"rnn_{number}/lstm_cell") | dense(f"dense_{number}", 5) | table
    )


def two_ways(number):
    return (
        lstm(f"enc_{number}/fw/lstm_cell")
        | lstm(f"enc_{number}/bw/lstm_cell")
        | lstm(f"f{number}_fw/rnn/lstm_cell")
        | lstm(f"f{number}_bw/rnn/lstm_cell")
    )


def two_ways_of_keras(number):
    scope = f"both_{number}"
    return (
        keras_lstm(f"{scope}/forward_lstm")
        | keras_lstm(f"{scope}/backward_lstm")
        | dense(f"dense_{number}", 10)
    )


def undecided(number):
    rnn = f"r{number}/rnn/multi_rnn_cell"
    return (
        lstm(f"{rnn}/cell_0/mine", 4, 4)
        | lstm(f"{rnn}/cell_1/mine", 4, 4)
        | lstm(f"r{number}/my_lstm", 4, 4)
    )


DEEP = "/".join(f"s{depth}" for depth in range(100))
KINDS = {
    "dense": lambda n: many(lambda i: dense(f"m/dense_{i}"), n),
    "a dense layer in another": lambda n: many(
        lambda i: dense("/".join(["d"] * (i % 40 + 1)) + f"/x{i}"), n
    ),
    "convolutions": lambda n: many(convolution, n),
    "towers": lambda n: many(tower, n),
    "towers with Adam": lambda n: with_adam(many(tower, n)),
    "averages alone": lambda n: {
        f"{name}/ExponentialMovingAverage": shape
        for name, shape in many(tower, n).items()
    },
    "beside one another": lambda n: many(beside_one_another, n),
    "two ways": lambda n: many(two_ways, n),
    "two ways of tf.keras": lambda n: many(two_ways_of_keras, n),
    "undecided": lambda n: many(undecided, n),
    "cells of all sorts": lambda n: many(
        lambda i: (
            undecided(i)
            | tower(i)
            | lstm(f"r{i}/lstm_cell")
            | keras_lstm(f"layer_{i}")
            | dense(f"block_{i}/rnn/layer")
        ),
        n,
    ),
    "partitioned cell": lambda n: (
        many(lambda i: {f"rnn/lstm_cell/W_{i}": (1, 20)}, n)
        | {"rnn/lstm_cell/B": (20,)}
    ),
    "shards of a table": lambda n: (
        many(lambda i: {f"embedding_shard_{i}": (50, 8)}, n)
        | lstm("a/rnn/lstm_cell", 8)
        | lstm("b/rnn/lstm_cell", 8)
    ),
    "one scope": lambda n: many(lambda i: {f"m/v_{i}": (5,)}, n),
    "one scope of a cell": lambda n: (
        lstm("m/lstm_cell") | many(lambda i: {f"m/lstm_cell/v_{i}": (5,)}, n)
    ),
    "no cell's shapes": lambda n: many(
        lambda i: dense(f"x{i}/lstm_cell", 8, 21), n
    ),
    "deep": lambda n: many(lambda i: dense(f"{DEEP}/dense_{i}"), n // 4),
    "tf.keras in a layer": lambda n: many(
        lambda i: keras_lstm(f"lstm_{i}/lstm_cell"), n
    ),
    "tf.keras, several": lambda n: many(
        lambda i: {
            f"lstm_{i}/{name}{number}": shape
            for name, shape in (
                ("kernel", (5, 20)),
                ("recurrent_kernel", (5, 20)),
                ("bias", (20,)),
            )
            for number in ("", "_1")
        },
        n,
    ),
    "tf.train.Checkpoint": lambda n: (
        many(
            lambda i: {
                f"net/layer-{i}/cell/{name}/.ATTRIBUTES/VARIABLE_VALUE": shape
                for name, shape in (
                    ("kernel", (4, 20)),
                    ("recurrent_kernel", (5, 20)),
                    ("bias", (20,)),
                )
            },
            n,
        )
        | {objects.GRAPH: ()}
    ),
}


def calls(function, *arguments):
    """(what it returns, how often it called something)."""
    count = 0

    def see(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        found = function(*arguments)
    finally:
        sys.setprofile(None)
    return found, count


class Opened:
    notes = ()


def inspected(shapes):
    """All that `inspect` does between reading and printing."""
    stored = objects.plain_names(shapes)
    found = recognise({name: shapes[at] for name, at in stored.items()})
    told = options.Options().of_cells(found, {})
    for cell in (cell for stack in found.stacks for cell in stack.cells):
        inspect._extras(cell, found)
    lines = [*inspect._lines(found), *(q.text for q in found.questions)]
    inspect._as_json(Opened, found)
    return found, told, lines


@pytest.mark.parametrize("kind", KINDS)
def test_four_times_as_much_takes_four_times_as_long(kind):
    inspected(KINDS[kind](40))  # what is made once
    counts, lengths = [], []
    for size in (40, 160):
        kinds.bare.cache_clear()
        (_, _, lines), count = calls(inspected, KINDS[kind](size))
        counts.append(count)
        lengths.append(sum(map(len, lines)))
    assert counts[1] < 4.5 * counts[0], counts
    assert lengths[1] <= 5 * lengths[0], lengths


def test_what_is_large_is_found_like_what_is_small():
    found, _, _ = inspected(KINDS["towers with Adam"](30))
    assert len(found.stacks) == len(found.read_outs) == 30
    for stack, read_out in zip(found.stacks, found.read_outs, strict=True):
        assert [len(stack.forward), read_out.stack] == [2, stack.name]
        assert found.embedding(stack).name == (
            stack.name.replace("rnn", "embedding")
        )
    assert len(found.slots["Adam"]["m"]) == 7 * 30
    found, _, _ = inspected(KINDS["two ways"](30))
    assert [stack.form for stack in found.stacks] == ["two ways"] * 60
    found, _, _ = inspected(KINDS["partitioned cell"](101))
    (cell,) = found.stacks[0].cells
    assert (cell.sizes.inputs, cell.sizes.units) == (96, 5)
    assert cell.variables["kernel"][99] == "rnn/lstm_cell/W_99"


def test_a_line_does_not_list_all_there_is():
    found, _, lines = inspected(KINDS["beside one another"](40))
    assert max(map(len, lines)) < 600
    (note,) = (n for n in found.notes if n.startswith("dense_7/kernel could"))
    assert note.startswith("dense_7/kernel could read any of rnn_0, rnn_1, ")
    assert "rnn_7 and 32 more; it is converted" in note
    (note,) = (n for n in found.notes if n.startswith("embedding_1 may"))
    assert "rnn_6 or rnn_7 and 32 more, as may embedding_0, " in note
    assert note.count("embedding_1 ") == 1  # it is no rival of its own
    assert "and 31 more; it is a layer of its own" in note


@pytest.mark.parametrize(
    ("names", "count", "listed"),
    [
        ("abc", None, "a or b or c"),
        ("abcd", None, "a or b or c and 1 more"),
        ("abc", 9, "a or b or c and 6 more"),
    ],
)
def test_some_of_many_names(names, count, listed):
    assert inventory.some([*names], " or ", 3, count) == listed


@pytest.mark.parametrize("loop", ["rnn/multi_rnn_cell", "MultiRNNCell"])
def test_a_cell_that_is_called_like_its_place_in_a_stack(loop):
    """Its variables are in cell_0 itself, which was an IndexError."""
    shapes = lstm(f"{loop}/cell_0", 3, 5) | lstm(f"{loop}/cell_1", 5, 6)
    told = {f"{loop}/cell_{n}": "BasicLSTMCell" for n in range(2)}
    (stack,) = recognise(shapes, kind=told).stacks
    assert [cell.sizes.units for cell in stack.forward] == [5, 6]
    assert stack.name == loop.removesuffix("/multi_rnn_cell")


NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(NAMES.map("/".join), unique=True),
    NAMES.map("/".join),
    st.randoms(use_true_random=False),
)
def test_names_in_a_scope_are_those_that_begin_with_it(names, scope, random):
    variables = Variables(dict.fromkeys(names, ()))
    assert variables.under(scope) == [
        name for name in names if name.startswith(f"{scope}/")
    ]
    for name in random.sample(names, len(names) // 2):
        shape = variables.pop(name)
        if random.random() < 0.5:
            variables[name] = shape  # last now
    inside = [n for n in variables if n.startswith(f"{scope}/")]
    assert variables.under(scope) == inside
    assert set(inside) <= {
        f"{scope}/{child}{rest}"
        for child in variables.children(scope)
        for rest in (
            "",
            *(
                f"/{'/'.join(n.split('/')[-k:])}"
                for n in inside
                for k in (1, 2, 3)
            ),
        )
    }
    whole = [n for n in variables if n == scope or n in inside]
    assert variables.at_or_under(scope) == whole
    for some in (whole, inside, whole[1:], names):
        wanted = all(name in some for name in whole)
        assert variables.all_under(scope, set(some)) == wanted


# --- Progress ---


def test_recognising_tells_how_far_it_is():
    told = []
    shapes = KINDS["dense"](300)
    recognise(shapes, progress=lambda *one: told.append(one))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.9 < shares[-1] <= 1
    assert len(shares) > 6
    assert {what for what, _ in told} == {
        "scopes",
        "cells",
        "other variables",
    }


@pytest.mark.parametrize("many", [20, 200])
def test_inspect_shows_progress_where_there_is_much(
    tmp_path, call_cli, monkeypatch, many
):
    monkeypatch.setattr(inspect, "_MANY", 100)
    shapes = KINDS["dense"](many // 2)
    path = tmp_path / "model.npz"
    np.savez(path, **{n: np.zeros(shape) for n, shape in shapes.items()})
    done = call_cli("inspect", path)
    assert done.returncode == 0
    assert done.stdout.count("not a cell: m/dense_") == many
    shown = f"recognising {many} variables" in done.stderr
    assert shown == (many == 200)


# --- Long series ---


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """One direction and two, a residual and LSTMs that Keras lacks."""
    random = np.random.default_rng(8)
    shapes = (
        lstm("one/rnn/multi_rnn_cell/cell_0/lstm_cell", 3, 5)
        | {
            f"one/rnn/multi_rnn_cell/cell_0/lstm_cell/w_{gate}_diag": (5,)
            for gate in "fio"
        }
        | lstm("one/rnn/multi_rnn_cell/cell_1/lstm_cell", 5, 5)
        | lstm("two/fw/lstm_cell", 3, 4)
        | lstm("two/bw/lstm_cell", 3, 4)
    )
    path = tmp_path_factory.mktemp("long") / "model.npz"
    np.savez(
        path,
        **{
            n: random.normal(scale=0.4, size=s).astype("float32")
            for n, s in shapes.items()
        },
    )
    return rnn_parity.convert_checkpoint(
        path,
        cells={
            f"one/rnn/multi_rnn_cell/cell_{n}/lstm_cell": "LSTMCell"
            for n in range(2)
        },
        residual=["one/rnn/multi_rnn_cell/cell_1/lstm_cell"],
    )


@pytest.mark.parametrize("lengths", [None, (31, 0, 17)])
@pytest.mark.parametrize("stack", ["one/rnn", "two"])
def test_a_long_series_is_the_same_as_short_ones(converted, stack, lengths):
    """Compiled, or a few steps after the other, each row to its end."""
    random = np.random.default_rng(9)
    inputs = random.standard_normal((3, 31, 3))
    sizes = (5, 5, 5, 5) if stack == "one/rnn" else (4, 4, 4, 4)
    state = [random.standard_normal((3, size)) for size in sizes]
    if lengths is not None:
        lengths = np.array(lengths)
    (whole, final) = converted.run(inputs, state, lengths, stack)
    if stack == "two":  # by the cells, as no short run reads the end first
        whole, backward = whole
        turned, _ = (
            converted.run(
                inputs[:, :20], state, np.minimum(lengths, 20), stack
            )
            if lengths is not None
            else converted.run(inputs[:, -20:], state, None, stack)
        )
        if lengths is None:
            np.testing.assert_allclose(
                turned[1], backward[:, -20:], atol=3e-6
            )
        else:
            short = lengths <= 20
            np.testing.assert_allclose(
                turned[1][short], backward[short, :20], atol=3e-6
            )
    parts = []
    for start in range(0, 31, 20):
        part = inputs[:, start : start + 20]
        left = None
        if lengths is not None:
            left = np.clip(lengths - start, 0, part.shape[1])
        outputs, state = converted.run(part, state, left, stack)
        parts.append(outputs[0] if stack == "two" else outputs)
    found = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(whole, found, atol=3e-6)
    assert (whole[1] == 0).all() == (lengths is not None)
    if stack == "one/rnn":
        np.testing.assert_allclose(final, state, atol=3e-6)


def test_no_other_length_is_compiled_anew(converted):
    for rows, steps in ((2, 40), (3, 27), (1, 64)):
        inputs = np.ones((rows, steps, 3))
        converted.run(inputs, stack="one/rnn")
        converted.run(inputs, None, [steps] * rows, "one/rnn")
    runners = [
        runner
        for scope, runner in converted._runners.items()
        if scope.startswith("one")
    ]
    for runner in runners:
        assert sorted(runner.compiled) == [2, 3]
        for function in runner.compiled.values():
            assert function.experimental_get_tracing_count() == 1
