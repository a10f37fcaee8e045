"""What is found in a checkpoint, held against what the recorder declared."""

import json

import pytest
import tf1_cases

import recorded
from recorded import record_all
from rnn_parity.checkpoints import reader
from rnn_parity.checkpoints.recognise import recognise
from rnn_parity.errors import UserError

FOLDER = recorded.FOLDER / "checkpoints"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/truth.json"))
STORED_ALIKE = {
    "LSTMBlockFusedCell": "LSTMCell",
    "LSTMBlockCell": "LSTMCell",
    "BasicLSTMCell": "LSTMCell",
    "GRUBlockCellV2": "GRUCell",
    "GRUBlockCell": "GRUCell",
}


def truth_of(name):
    return json.loads((FOLDER / name / "truth.json").read_text("utf-8"))


def declared_cells(truth):
    """{(scope, kind, I, H, P, direction, layer)}; shared cells once."""
    found = {}
    for run in truth["runs"].values():
        for cell in run["cells"]:
            units = cell["units"]
            kind = STORED_ALIKE.get(cell["kind"], cell["kind"])
            found.setdefault(
                cell["scope"],
                (
                    *(cell["scope"], kind, cell["input_size"], units),
                    cell.get("projection", units),
                    *(cell["direction"], cell["layer"]),
                ),
            )
    return set(found.values())


def found_cells(inventory):
    return {
        (
            *(cell.scope, STORED_ALIKE.get(cell.kind.name, cell.kind.name)),
            *(cell.sizes.inputs, cell.sizes.units, cell.sizes.outputs),
            *(direction, layer),
        )
        for stack in inventory.stacks
        for direction, way in (("fw", stack.forward), ("bw", stack.backward))
        for layer, cell in enumerate(way)
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_is_found_as_declared(name):
    truth = truth_of(name)
    told = record_all.TOLD.get(name, {})
    shapes = reader.open_checkpoint(path_of(name)).shapes
    inventory = recognise(shapes, **told)
    assert bool(recognise(shapes).questions) == bool(told)
    assert found_cells(inventory) == declared_cells(truth)
    assert not inventory.questions
    assert {
        (one.kernel, one.bias, one.transposed) for one in inventory.read_outs
    } == {
        (one["kernel"], one["bias"], one["transposed"])
        for one in truth["read_outs"]
    }
    runs = len(truth["runs"])
    assert len(inventory.stacks) == runs


def path_of(name):
    return FOLDER / name / "model.ckpt"


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_accounted_for_once(name):
    inventory = recognise(reader.open_checkpoint(path_of(name)).shapes)
    of_cells = [
        variable
        for stack in inventory.stacks
        for cell in stack.cells
        for variable in cell.names
    ]
    of_slots = [
        variable
        for by_slot in inventory.slots.values()
        for by_variable in by_slot.values()
        for variable in by_variable.values()
    ]
    of_read_outs = [
        variable
        for one in inventory.read_outs
        for variable in (one.kernel, one.bias)
        if variable
    ]
    everything = (
        of_cells
        + of_slots
        + of_read_outs
        + [one.variable for one in inventory.embeddings]
        + inventory.counters
        + list(inventory.averages.values())
        + list(inventory.others)
    )
    assert sorted(everything) == sorted(inventory.shapes)


# --- What names and shapes leave open ---

LSTM = {"rnn/{}/kernel": (24, 16), "rnn/{}/bias": (16,)}


def named(name):
    return {key.format(name): shape for key, shape in LSTM.items()}


def test_what_fits_several_kinds_is_a_question():
    inventory = recognise(named("mine"))
    (question,) = inventory.questions
    assert question.subject == "rnn/mine"
    for kind in ("BasicRNNCell", "BasicLSTMCell", "UGRNNCell"):
        assert kind in question.text
    assert not inventory.stacks


@pytest.mark.parametrize(
    ("answer", "units"),
    [("BasicRNNCell", 16), ("BasicLSTMCell", 4), ("UGRNNCell", 8)],
)
def test_an_answer_settles_it(answer, units):
    inventory = recognise(named("mine"), kind={"rnn/mine": answer})
    (stack,) = inventory.stacks
    assert stack.forward[0].sizes.units == units
    assert not inventory.questions


def test_a_layer_below_settles_it_and_says_so():
    shapes = {
        "rnn/multi_rnn_cell/cell_0/gru_cell/gates/kernel": (11, 16),
        "rnn/multi_rnn_cell/cell_0/gru_cell/gates/bias": (16,),
        "rnn/multi_rnn_cell/cell_0/gru_cell/candidate/kernel": (11, 8),
        "rnn/multi_rnn_cell/cell_0/gru_cell/candidate/bias": (8,),
        "rnn/multi_rnn_cell/cell_1/mine/kernel": (12, 16),
        "rnn/multi_rnn_cell/cell_1/mine/bias": (16,),
    }
    inventory = recognise(shapes)
    (stack,) = inventory.stacks
    assert [c.kind.name for c in stack.forward] == [
        "GRUCell",
        "BasicLSTMCell",
    ]
    assert any("outputs of the layer below" in n for n in inventory.notes)


def test_dense_layers_are_no_question():
    shapes = {
        **named("lstm_cell"),
        "fc/weights": (10, 4),
        "fc/biases": (4,),
        "rnn/dense/kernel": (10, 4),
        "rnn/dense/bias": (4,),
    }
    inventory = recognise(shapes)
    assert not inventory.questions
    assert len(inventory.stacks) == 1


def test_a_cell_called_by_hand_that_could_read_out_is_a_question():
    shapes = {
        "encoder/rnn/lstm_cell/kernel": (16, 48),
        "encoder/rnn/lstm_cell/bias": (48,),
        "decoder/lstm_cell/kernel": (12, 16),
        "decoder/lstm_cell/bias": (16,),
    }
    (question,) = recognise(shapes).questions
    assert "--cell decoder/lstm_cell=LSTMCell or =dense" in question.text
    answer = {"decoder/lstm_cell": "LSTMCell"}
    assert len(recognise(shapes, kind=answer).stacks) == 2
    answer = {"decoder/lstm_cell": "dense"}
    (read_out,) = recognise(shapes, kind=answer).read_outs
    assert (read_out.inputs, read_out.classes) == (12, 16)


def test_a_word_in_the_name_settles_it_and_says_so():
    inventory = recognise(named("my_lstm"))
    assert inventory.stacks[0].forward[0].kind.name == "BasicLSTMCell"
    assert any("its name says so" in note for note in inventory.notes)


def test_a_hand_made_cell_is_offered_and_taken_when_told():
    shapes = {"W": (5, 4), "b": (1, 4), "W2": (4, 2), "b2": (1, 2)}
    assert not recognise(shapes).stacks
    assert "--cell W=BasicRNNCell" in recognise(shapes).others["W"]
    inventory = recognise(shapes, kind={"W": "BasicRNNCell"})
    (stack,) = inventory.stacks
    assert stack.forward[0].sizes.inputs == 1
    assert [one.kernel for one in inventory.read_outs] == ["W2"]


def test_shards_of_one_kernel_are_joined():
    shapes = {
        "RNN/LSTMCell/W_0": (4, 20),
        "RNN/LSTMCell/W_1": (4, 20),
        "RNN/LSTMCell/B": (20,),
    }
    (stack,) = recognise(shapes).stacks
    (cell,) = stack.forward
    assert (cell.sizes.inputs, cell.sizes.units) == (3, 5)
    assert cell.variables["kernel"] == (
        "RNN/LSTMCell/W_0",
        "RNN/LSTMCell/W_1",
    )


def two(first, second):
    return {
        **{f"{first}/{k}": v for k, v in plain().items()},
        **{f"{second}/{k}": v for k, v in plain().items()},
    }


def plain():
    return {"lstm_cell/kernel": (8, 20), "lstm_cell/bias": (20,)}


def test_names_that_say_both_directions_are_joined():
    (stack,) = recognise(two("enc/forward/rnn", "enc/backward/rnn")).stacks
    assert stack.form == "two ways"
    assert stack.backward[0].scope == "enc/backward/rnn/lstm_cell"


def test_directions_that_only_the_order_tells_are_listed_or_told():
    shapes = two("rnn", "rnn_1")
    inventory = recognise(shapes)
    assert [stack.form for stack in inventory.stacks] == ["one way"] * 2
    assert any("--bidirectional rnn,rnn_1" in n for n in inventory.notes)
    (stack,) = recognise(shapes, bidirectional=[("rnn", "rnn_1")]).stacks
    assert stack.form == "two ways"
    shapes["dense/kernel"], shapes["dense/bias"] = (10, 3), (3,)
    (question,) = recognise(shapes).questions
    assert "dense/kernel reads 10 = 5 + 5" in question.text
    assert "--bidirectional rnn,rnn_1 or --apart rnn" in question.text
    told = recognise(shapes, bidirectional=[("rnn", "rnn_1")])
    assert not told.questions
    assert [one.stack for one in told.read_outs] == ["rnn+rnn_1"]
    told = recognise(shapes, apart=["rnn"])
    assert len(told.stacks) == 2
    assert not told.questions


def test_layers_that_do_not_fit_are_converted_apart():
    shapes = {
        "rnn/multi_rnn_cell/cell_0/lstm_cell/kernel": (8, 20),
        "rnn/multi_rnn_cell/cell_0/lstm_cell/bias": (20,),
        "rnn/multi_rnn_cell/cell_1/lstm_cell/kernel": (11, 16),
        "rnn/multi_rnn_cell/cell_1/lstm_cell/bias": (16,),
    }
    inventory = recognise(shapes)
    assert len(inventory.stacks) == 2
    assert any("takes 7 inputs and 5 come" in n for n in inventory.notes)


def test_a_layer_number_written_twice_is_read_once():
    scope = "rnn/multi_rnn_cell/cell_{0}/cell_{0}/basic_lstm_cell/{1}"
    shapes = {}
    for layer, rows in enumerate((8, 9)):
        shapes[scope.format(layer, "weights")] = (rows, (20, 16)[layer])
        shapes[scope.format(layer, "biases")] = ((20, 16)[layer],)
    (stack,) = recognise(shapes).stacks
    assert [cell.sizes.units for cell in stack.forward] == [5, 4]


def test_what_wraps_a_cell_is_named():
    shapes = {
        "rnn/lstm_cell/kernel": (8, 20),
        "rnn/lstm_cell/bias": (20,),
        "rnn/carry_w": (5, 5),
        "rnn/carry_b": (5,),
    }
    inventory = recognise(shapes)
    assert "HighwayWrapper" in inventory.others["rnn/carry_w"]


def test_eleven_layers_are_in_order():
    scope = "rnn/multi_rnn_cell/cell_{}/lstm_cell/{}"
    shapes = {}
    for layer in range(11):
        shapes[scope.format(layer, "kernel")] = (2, 4)
        shapes[scope.format(layer, "bias")] = (4,)
    (stack,) = recognise(shapes).stacks
    assert [cell.scope.split("/")[2] for cell in stack.forward] == [
        f"cell_{layer}" for layer in range(11)
    ]


def test_averages_without_weights_are_read_in_their_place():
    ending = "/ExponentialMovingAverage"
    shapes = {f"{key}{ending}": v for key, v in named("lstm_cell").items()}
    inventory = recognise(shapes)
    assert [stack.name for stack in inventory.stacks] == ["rnn"]
    assert any("moving averages alone" in note for note in inventory.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": {"rnn/lstm_cel": "GRUCell"}}, "did you mean rnn/lstm_cell"),
        ({"kind": {"rnn/lstm_cell": "LSTM"}}, "kind of cell"),
        ({"kind": {"rnn/lstm_cell": "GRUCell"}}, "cannot be a GRUCell"),
        ({"bidirectional": [("rnn", "rn")]}, "did you mean rnn"),
        ({"apart": ["rn"]}, "did you mean rnn"),
        ({"transposed": ["x"]}, "no read-out 'x'"),
        ({"transposed": ["rnn/lstm_cell"]}, "no read-out"),
        ({"embeddings": {"x": "rnn"}}, "no embedding 'x'; there is none"),
        ({"bidirectional": [("rnn", "rnn")]}, "rnn is named twice"),
        ({"bidirectional": [("rnn", "rnn")], "apart": ["rnn"]}, "twice"),
    ],
)
def test_an_answer_that_does_not_fit_is_one_line(options, message):
    with pytest.raises(UserError, match=message) as error:
        recognise(named("lstm_cell"), **options)
    assert "\n" not in str(error.value)


def test_a_cell_that_is_not_converted_is_named():
    shapes = {
        "rnn/phased_lstm_cell/kernel": (8, 20),
        "rnn/phased_lstm_cell/bias": (20,),
        "rnn/phased_lstm_cell/period": (5,),
    }
    inventory = recognise(shapes)
    assert not inventory.stacks
    assert all("phased_lstm_cell" in why for why in inventory.others.values())


NOT_CONVERTED = (
    "Conv1DLSTMCell",
    "Conv2DLSTMCell",
    "Conv3DLSTMCell",
    "PhasedLSTMCell",
    "PhasedLSTMCell peepholes",
    "TimeFreqLSTMCell",
    "TimeFreqLSTMCell all",
    "GridLSTMCell",
    "GridLSTMCell all",
    "GridLSTMCell shared",
    "BidirectionalGridLSTMCell",
    "Grid1BasicRNNCell",
    "Grid1BasicLSTMCell",
    "Grid1LSTMCell",
    "Grid2BasicRNNCell",
    "Grid2BasicLSTMCell",
    "Grid2LSTMCell",
    "Grid2GRUCell",
    "Grid3LSTMCell",
)


@pytest.mark.parametrize("name", NOT_CONVERTED)
def test_recorded_cells_that_are_not_converted_are_taken_for_no_other(name):
    variables = tf1_cases.Recorded(name, "float32").variables
    inventory = recognise({n: a.shape for n, a in variables.items()})
    assert not inventory.stacks
    assert not inventory.read_outs
    assert set(inventory.others) == set(variables)
    for why in inventory.others.values():
        assert why.startswith("a cell that is not converted")


def cell(scope, inputs, units, gates=4):
    return {
        f"{scope}/kernel": (inputs + units, gates * units),
        f"{scope}/bias": (gates * units,),
    }


def dense(scope, inputs, classes):
    return {f"{scope}/kernel": (inputs, classes), f"{scope}/bias": (classes,)}


def gru(scope, inputs, units):
    rows = inputs + units
    return {
        f"{scope}/gates/kernel": (rows, 2 * units),
        f"{scope}/gates/bias": (2 * units,),
        f"{scope}/candidate/kernel": (rows, units),
        f"{scope}/candidate/bias": (units,),
    }


def test_no_two_stacks_have_one_name():
    """An attention wrapper round one layer parts it from the others."""
    scope = "dec/decoder/multi_rnn_cell/cell_{}/gru_cell"
    shapes = gru(scope.format(0), 7, 6)
    shapes |= gru(scope.format("1/attention_wrapper"), 12, 6)
    names = [stack.name for stack in recognise(shapes).stacks]
    assert len(names) == len(set(names)) == 2


def test_a_layer_that_is_missing_is_not_skipped():
    scope = "rnn/multi_rnn_cell/cell_{}/lstm_cell"
    shapes = cell(scope.format(0), 7, 6) | cell(scope.format(2), 6, 6)
    inventory = recognise(shapes)
    assert [len(stack.cells) for stack in inventory.stacks] == [1, 1]
    assert any("lacks a layer" in note for note in inventory.notes)


def test_stacks_in_stacks_are_one():
    scope = "rnn/multi_rnn_cell/cell_{}/lstm_cell"
    shapes = cell(scope.format("0/multi_rnn_cell/cell_0"), 7, 4)
    shapes |= cell(scope.format("0/multi_rnn_cell/cell_1"), 4, 5)
    shapes |= cell(scope.format(1), 5, 6)
    (stack,) = recognise(shapes).stacks
    assert [c.sizes.units for c in stack.forward] == [4, 5, 6]


def test_one_direction_alone_is_told():
    inventory = recognise(cell("bidirectional_rnn/bw/lstm_cell", 7, 6))
    assert any("of which only bw" in note for note in inventory.notes)


@pytest.mark.parametrize("sizes", [(12, 6), (9, 6)])
def test_layers_of_two_directions_need_no_scope_of_their_own(sizes):
    """`stack_bidirectional_dynamic_rnn(scope="deep")`."""
    scope = "net/deep/cell_{}/bidirectional_rnn/{}/gru_cell"
    shapes = {}
    for layer, inputs in enumerate((7, sizes[0])):
        for way in ("fw", "bw"):
            shapes |= gru(scope.format(layer, way), inputs, sizes[1])
    stacks = recognise(shapes).stacks
    if sizes == (12, 6):
        assert [stack.name for stack in stacks] == ["net/deep"]
        assert stacks[0].form == "two ways, layer by layer"
    else:  # not on top of one another, but still two directions
        assert [stack.form for stack in stacks] == ["two ways"] * 2


def test_a_cell_whose_shapes_do_not_fit_is_named():
    inventory = recognise(
        cell("rnn/lstm_cell", 7, 6) | {"rnn/lstm_cell/bias": (23,)}
    )
    assert not inventory.stacks
    for why in inventory.others.values():
        assert "called after LSTMCell, whose shapes these are not" in why
        assert "rnn/lstm_cell/kernel [13, 24]" in why


def test_parts_of_cells_are_no_cells():
    for shapes in (
        dense("rnn/gru_cell/gates", 13, 12),
        dense("rnn/phased_lstm_cell/mask_gates", 13, 12),
        dense("rnn/attention_cell_wrapper", 11, 7),
    ):
        inventory = recognise(shapes)
        assert not inventory.stacks
        assert not inventory.questions
    assert "attention_cell_wrapper" in next(iter(inventory.others.values()))


def test_layer_norm_that_is_switched_off_leaves_a_plain_cell():
    scope = "rnn/layer_norm_basic_lstm_cell"
    (stack,) = recognise(cell(scope, 7, 6)).stacks
    assert stack.forward[0].kind.name == "BasicLSTMCell"


def test_a_cell_without_a_loop_is_known_by_its_name():
    shapes = cell("net/lstm", 7, 6) | dense("net/lstm_out", 6, 4)
    inventory = recognise(shapes)
    (stack,) = inventory.stacks
    assert stack.forward[0].kind.name == "BasicLSTMCell"
    assert any("its name says so" in note for note in inventory.notes)
    assert [one.kernel for one in inventory.read_outs] == [
        "net/lstm_out/kernel"
    ]


def test_what_could_be_a_cell_is_offered_with_its_kinds():
    why = recognise(cell("enc/cell", 7, 6)).others["enc/cell/kernel"]
    assert "BasicLSTMCell (7 inputs, 6 units)" in why
    assert "--cell enc/cell=BasicLSTMCell" in why
    (stack,) = recognise(
        cell("enc/cell", 7, 6), kind={"enc/cell": "BasicLSTMCell"}
    ).stacks
    assert stack.inputs == 7


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        ("net/FwLSTM", "net/BwLSTM"),
        ("lstmfw", "lstmbw"),
        ("RNN_ltr", "RNN_rtl"),
        ("BiRNN_FW", "BiRNN_BW"),
    ],
)
def test_directions_are_read_off_any_part_of_a_name(forward, backward):
    (stack,) = recognise(two(forward, backward)).stacks
    assert stack.name == f"{forward}+{backward}"


def test_numbers_tell_directions_like_an_ending_does():
    shapes = two("net/rnn_1", "net/rnn_2")
    notes = recognise(shapes).notes
    assert any("--bidirectional net/rnn_1,net/rnn_2" in n for n in notes)
    assert recognise(shapes | dense("out", 10, 2)).questions
    shapes |= {f"net/rnn_3/{k}": v for k, v in plain().items()}
    assert not recognise(shapes).notes  # three are no pair


def test_a_read_out_in_its_stacks_scope_has_a_name_of_its_own():
    shapes = cell("rnn/lstm_cell", 7, 6) | dense("rnn", 6, 4)
    (read_out,) = recognise(shapes).read_outs
    assert read_out.name == "rnn/kernel"


def test_what_corrects_an_average_is_no_slot():
    average = "rnn/lstm_cell/kernel/ExponentialMovingAverage"
    shapes = named("lstm_cell") | {
        average: (24, 16),
        f"{average}/biased": (24, 16),
        f"{average}/local_step": (),
    }
    inventory = recognise(shapes)
    assert not inventory.slots
    assert list(inventory.averages) == ["rnn/lstm_cell/kernel"]


def test_layer_norm_of_0_12_has_its_kernel_in_a_scope():
    scope = "RNN/LayerNormBasicLSTMCell"
    shapes = {f"{scope}/linear/weights": (13, 24)} | {
        f"{scope}/{gate}/{which}": (6,)
        for gate in ("input", "transform", "forget", "output", "state")
        for which in ("gamma", "beta")
    }
    (stack,) = recognise(shapes).stacks
    assert stack.forward[0].kind.name == "LayerNormBasicLSTMCell"


# --- What only looks like a cell ---


@pytest.mark.parametrize(
    ("head", "inside"),
    [
        ("rnn/output_layer", "rnn/rnn/lstm_cell"),
        ("RNN/predictions", "RNN/rnn/lstm_cell"),
        ("bidirectional_rnn/tags", "bidirectional_rnn/birnn/fw/lstm_cell"),
        ("rnn/label", "rnn/multi_rnn_cell/cell_0/lstm_cell"),
    ],
)
def test_a_scope_called_like_a_loop_makes_no_cell_of_a_dense_layer(
    head, inside
):
    shapes = cell(inside, 3, 8) | dense(head, 8, 5)
    if "fw" in inside:
        shapes |= cell(inside.replace("fw", "bw"), 3, 8)
        shapes |= dense(head, 16, 5)
    inventory = recognise(shapes)
    assert not inventory.questions
    assert [one.name for one in inventory.read_outs] == [head]
    assert len(inventory.stacks) == 1
    told = recognise(shapes, kind={head: "BasicRNNCell"})
    assert len(told.stacks) == 2


def test_a_scope_with_a_cell_in_it_is_none():
    shapes = cell("lstm/rnn/lstm_cell", 3, 6)
    shapes |= {"lstm/weights": (12, 8), "lstm/biases": (8,)}
    inventory = recognise(shapes)
    assert [stack.name for stack in inventory.stacks] == ["lstm/rnn"]
    assert "lstm/weights" in inventory.others


@pytest.mark.parametrize(
    ("scope", "kernel", "besides", "kind"),
    [
        (
            "rnn/coupled_input_forget_gate_lstm_cell",
            {"W_0": (7, 12), "B": (12,)},
            {f"{gate}/gamma": (4,) for gate in ("forget", "output")},
            "CoupledInputForgetGateLSTMCell",
        ),
        (
            "rnn/mine",
            {"kernel": (7, 16), "bias": (16,)},
            {f"ln_{gate}/beta": (4,) for gate in "ij"},
            "BasicLSTMCell",
        ),
        (
            "rnn/lstm_cell",
            {"kernel": (7, 16), "bias": (16,)},
            {f"batch_norm/moving_{of}": (16,) for of in ("mean", "variance")},
            "BasicLSTMCell",
        ),
    ],
)
def test_vectors_that_a_cell_has_no_place_for_are_a_question(
    scope, kernel, besides, kind
):
    shapes = {f"{scope}/{k}": v for k, v in (kernel | besides).items()}
    inventory = recognise(shapes)
    (question,) = inventory.questions
    first = f"{scope}/{next(iter(besides))}"
    assert f"holds {first} and 1 more" in question.text
    assert f"--cell {scope}=other" in question.text
    assert not inventory.stacks
    told = recognise(shapes, kind={scope: kind})
    assert [c.kind.name for s in told.stacks for c in s.cells] == [kind]
    assert not recognise(shapes, kind={scope: "other"}).questions
    plain = {f"{scope}/{k}": v for k, v in kernel.items()}
    assert not recognise(plain).questions


def test_a_read_out_that_may_feed_the_stack_is_said():
    shapes = cell("rnn/lstm_cell", 4, 6) | dense("dense", 6, 4)
    notes = recognise(shapes).notes
    assert any("may feed it instead (--cell dense=other" in n for n in notes)
    inventory = recognise(shapes, kind={"dense": "other"})
    assert not inventory.read_outs
    shapes = cell("rnn/lstm_cell", 5, 6) | dense("dense", 6, 4)
    assert not any("feed" in note for note in recognise(shapes).notes)


def test_one_that_cannot_be_transposed_is_not():
    shapes = cell("rnn/lstm_cell", 4, 6) | dense("dense", 6, 3)
    with pytest.raises(UserError, match="only 6 come out of a stack"):
        recognise(shapes, transposed=["dense"])


def test_directions_of_different_depth_stay_apart():
    shapes = cell("bidirectional_rnn/bw/lstm_cell", 3, 6)
    stack = "bidirectional_rnn/fw/multi_rnn_cell/cell_{}/lstm_cell"
    shapes |= cell(stack.format(0), 3, 4) | cell(stack.format(1), 4, 5)
    inventory = recognise(shapes)
    assert [len(one.cells) for one in inventory.stacks] == [1, 2]
    assert inventory.notes == [
        "bidirectional_rnn has two directions that are built differently; "
        "each is a stack of its own, and reads its inputs as given"
    ]
    names = tuple(stack.name for stack in inventory.stacks)
    with pytest.raises(UserError, match="have 1 and 2 layers"):
        recognise(shapes, bidirectional=[names])


def test_slots_of_a_canned_estimator_are_slots():
    shapes = named("lstm_cell")
    slots = {f"{name}/t_0/Adagrad": shape for name, shape in shapes.items()}
    inventory = recognise(shapes | slots)
    assert set(inventory.slots["Adagrad"]["accumulator"]) == set(shapes)
    assert not inventory.others


def test_the_two_directions_of_tf_keras_may_have_names_of_their_own():
    shapes = {}
    for name in ("forward_one", "backward_other"):
        shapes |= {
            f"both/{name}/kernel": (3, 16),
            f"both/{name}/recurrent_kernel": (4, 16),
            f"both/{name}/bias": (16,),
        }
    (stack,) = recognise(shapes).stacks
    assert stack.form == "two ways"
    assert stack.forward[0].scope == "both/forward_one"
