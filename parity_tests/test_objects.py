"""The names that tf.train.Checkpoint and tf.keras save, made plain."""

import pytest

from rnn_parity.checkpoints import objects
from rnn_parity.checkpoints.recognise import recognise

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
NAMES = ("kernel", "recurrent_kernel", "bias")


def plain(*stored):
    names = objects.plain_names(stored)
    assert list(names.values()) == list(stored)
    return list(names)


def of_objects(*paths):
    found = plain(objects.GRAPH, *(f"{path}{VALUE}" for path in paths))
    assert found[0] == objects.GRAPH
    return found[1:]


def test_a_layer_stands_for_the_cell_in_it():
    paths = [f"encoder/cell/{name}" for name in NAMES]
    assert of_objects(*paths) == [f"encoder/{name}" for name in NAMES]


def test_cells_in_one_layer_keep_their_numbers():
    paths = [f"top/cell/cells/{n}/{name}" for n in (0, 1) for name in NAMES]
    wanted = [f"top/cells/{n}/{name}" for n in (0, 1) for name in NAMES]
    assert of_objects(*paths) == wanted


def test_a_cell_of_tensorflow_1_stays_where_it_is():
    paths = ["net/cell/kernel", "net/cell/bias"]
    assert of_objects(*paths) == paths


def test_a_stack_of_cells_of_tensorflow_1_is_one():
    found = of_objects(
        "net/cell-0/gates.Skernel",
        "net/cell-0/gates.Sbias",
        "net/cell-0/candidate.Skernel",
        "net/cell-0/candidate.Sbias",
        "net/cell-1/kernel",
        "net/cell-1/bias",
        "a..dot",
    )
    assert found[-1] == "a.dot"
    shapes = [(7, 8), (8,), (7, 4), (4,), (9, 20), (20,)]
    (stack,) = recognise(dict(zip(found[:-1], shapes, strict=True))).stacks
    assert stack.name == "net"
    kinds = [cell.kind.name for cell in stack.forward]
    assert kinds == ["GRUCell", "BasicLSTMCell"]


def test_no_two_become_one():
    paths = [f"net{at}/{name}" for at in ("", "/cell") for name in NAMES]
    assert of_objects(*paths) == paths


def test_slots_and_counters_of_adam_are_as_a_saver_names_them():
    variable = "net/cell/kernel"
    slots = [f"{variable}/.OPTIMIZER_SLOT/a/opt/{slot}" for slot in "mv"]
    others = [f"net/cell/{name}" for name in NAMES[1:]]
    found = of_objects(variable, *others, *slots, "a/opt/iter")
    assert found[3:] == [
        "a/opt/Adam/net/kernel/m",
        "a/opt/Adam/net/kernel/v",
        "a/opt/Adam/iter",
    ]


def test_slots_of_others_are_told_by_their_own_name():
    slot = "w/.OPTIMIZER_SLOT/opt/momentum"
    assert of_objects("w", slot, "opt/iter")[1:] == [
        "opt/w/momentum",
        "opt/iter",
    ]


def test_a_saver_numbers_the_cells_of_a_layer():
    stored = [f"s/{name}{n}" for n in ("", "_1", "_2") for name in NAMES]
    slots = ["s/kernel_1/Adam", "training/Adam/s/kernel_1/m", "s/kernel_10"]
    found = plain(*stored, *slots)
    assert found[:3] == [f"s/cells/0/{name}" for name in NAMES]
    assert found[6:9] == [f"s/cells/2/{name}" for name in NAMES]
    assert found[9:] == [
        "s/cells/1/kernel/Adam",
        "training/Adam/s/cells/1/kernel/m",
        "s/kernel_10",
    ]


def test_the_only_cell_in_a_layer_is_the_layer():
    stored = [f"l/lstm_cell_3/{name}" for name in NAMES]
    slot = "Adam/l/lstm_cell_3/kernel/m"
    wanted = [f"l/{name}" for name in NAMES]
    assert plain(*stored, slot) == [*wanted, "Adam/l/kernel/m"]
    two = [f"l/lstm_cell{n}/{name}" for n in ("", "_1") for name in NAMES]
    assert plain(*two) == two
    of_tensorflow_1 = ["rnn/lstm_cell/kernel", "rnn/lstm_cell/bias"]
    assert plain(*of_tensorflow_1) == of_tensorflow_1


def test_names_without_numbered_cells_stay():
    stored = ["a/kernel", "a/kernel_1", "a/recurrent_kernel", "b/bias_1"]
    assert plain(*stored) == stored


# --- What becomes of them ---


def layer(scope, inputs, units, gates=4, bias=None):
    shapes = {
        f"{scope}/kernel": (inputs, gates * units),
        f"{scope}/recurrent_kernel": (units, gates * units),
    }
    if bias:
        shapes[f"{scope}/bias"] = bias
    return shapes


@pytest.mark.parametrize(
    ("gates", "bias", "kind"),
    [
        (1, (5,), "SimpleRNN"),
        (1, None, "SimpleRNN"),
        (4, (20,), "LSTM"),
        (4, None, "LSTM"),
        (3, (15,), "GRU"),
        (3, (2, 15), "GRUResetAfter"),
        (4, (40,), "CuDNNLSTM"),
        (3, (30,), "CuDNNGRU"),
    ],
)
def test_shapes_alone_tell_the_kind(gates, bias, kind):
    inventory = recognise(layer("any/name", 3, 5, gates, bias))
    (stack,) = inventory.stacks
    assert stack.name == "any/name"
    assert stack.forward[0].kind.name == f"tf.keras.{kind}"
    assert (stack.inputs, stack.outputs) == (3, 5)
    assert not inventory.questions
    assert not inventory.others


def test_a_gru_without_bias_is_a_question():
    shapes = layer("gru", 3, 5, 3)
    (question,) = recognise(shapes).questions
    assert "tf.keras.GRU (3" in question.text
    assert "tf.keras.GRUResetAfter" in question.text
    told = recognise(shapes, kind={"gru": "tf.keras.GRUResetAfter"})
    assert not told.questions
    assert told.stacks[0].forward[0].kind.name == "tf.keras.GRUResetAfter"


@pytest.mark.parametrize("bias", [(19,), (20, 1), (2, 20)])
def test_a_bias_that_does_not_fit_is_no_layer(bias):
    inventory = recognise(layer("lstm", 3, 5, 4, bias))
    assert not inventory.stacks
    assert "not converted" in inventory.others["lstm/recurrent_kernel"]


def test_layers_that_fit_on_one_another_stay_apart():
    inventory = recognise(
        layer("lstm", 3, 5, 4, (20,)) | layer("lstm_1", 5, 5, 4, (20,))
    )
    assert [stack.name for stack in inventory.stacks] == ["lstm", "lstm_1"]
    assert not inventory.notes


def test_slots_that_do_not_say_of_what_are_no_read_outs():
    shapes = layer("lstm_1", 3, 5, 4, (20,)) | {
        "training/Adam/Variable_1": (5, 20),
        "training/Adam/Variable_2": (20,),
        "optimizer/_variables/3": (5, 20),
    }
    inventory = recognise(shapes)
    assert not inventory.read_outs
    assert len(inventory.stacks) == 1
    assert len(inventory.others) == 3


def test_two_directions_are_told_by_their_layer():
    inventory = recognise(
        layer("both/forward_x", 3, 5, 4, (20,))
        | layer("both/backward_x", 3, 5, 4, (20,))
        | layer("other/forward_x", 3, 5, 4, (20,))
    )
    forms = {stack.name: stack.form for stack in inventory.stacks}
    assert forms == {"both": "two ways", "other/forward_x": "one way"}


def test_cells_that_do_not_fit_on_one_another_are_alone():
    inventory = recognise(
        layer("s/cells/0", 3, 5, 4, (20,)) | layer("s/cells/1", 4, 2, 4, (8,))
    )
    assert len(inventory.stacks) == 2
    assert "each converted alone" in inventory.notes[0]
