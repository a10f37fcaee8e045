"""What `Options` makes of a user's answers and of what a file tells.

The checkpoint is made up of names and shapes, so nothing is converted here.
"""

import math
import types

import pytest

from rnn_parity.checkpoints import options
from rnn_parity.checkpoints.options import Options
from rnn_parity.errors import UserError

LOW = "chars/rnn/multi_rnn_cell/cell_0/lstm_cell"
HIGH = "chars/rnn/multi_rnn_cell/cell_1/lstm_cell"
TAGS = "tags/rnn/lstm_cell"
WORDS = "words/rnn/gru_cell"
LAYER = "layer"
SHAPES = {
    f"{LOW}/kernel": (3 + 4, 16),
    f"{LOW}/bias": (16,),
    f"{HIGH}/kernel": (4 + 4, 16),
    f"{HIGH}/bias": (16,),
    f"{TAGS}/kernel": (2 + 3, 20),
    f"{TAGS}/bias": (20,),
    f"{TAGS}/projection/kernel": (5, 3),
    f"{WORDS}/gates/kernel": (5 + 6, 12),
    f"{WORDS}/gates/bias": (12,),
    f"{WORDS}/candidate/kernel": (5 + 6, 6),
    f"{WORDS}/candidate/bias": (6,),
    "dense/kernel": (6, 9),
    "dense/bias": (9,),
    "top/kernel": (3, 8),
    "top/bias": (8,),
}
GRU = {name: shape for name, shape in SHAPES.items() if WORDS in name}
OF_LSTM = {
    "forget_bias": 1.0,
    "activation": "tanh",
    "cell_clip": None,
    "proj_clip": None,
}
DEFAULTS = {
    LOW: OF_LSTM,
    HIGH: OF_LSTM,
    TAGS: OF_LSTM,
    WORDS: {"activation": "tanh"},
}


def checkpoint(shapes=SHAPES, told=None):
    return types.SimpleNamespace(shapes=shapes, told=told or {})


@pytest.fixture(scope="module")
def inventory():
    return Options().recognise(checkpoint())


def changed(**by_option):
    """The defaults of all cells but for {scope: value} of some options."""
    found = {scope: dict(of_cell) for scope, of_cell in DEFAULTS.items()}
    for option, values in by_option.items():
        for scope, value in values.items():
            found[scope][option] = value
    return found


def refused(call, *arguments):
    with pytest.raises(UserError) as caught:
        call(*arguments)
    return str(caught.value)


# --- Values that are given once for all ---


@pytest.mark.parametrize("name", ["input_keep_prob", "output_keep_prob"])
def test_a_keep_probability_is_above_0_and_at_most_1(name):
    for fine in (1, 1e-9, 0.5):
        assert getattr(Options(**{name: fine}), name) == fine
    for wrong in (0, -0.1, 1.001, math.nan):
        assert refused(lambda n=wrong: Options(**{name: n})) == (
            "a keep probability is above 0 and at most 1"
        )


def test_rates_and_momenta_have_bounds():
    for fine in (None, 1e-9, 7.0, 1e300):
        assert Options(learning_rate=fine).learning_rate == fine
    for fine in (None, 0, 0.5, 1):
        assert Options(momentum=fine).momentum == fine
    for wrong in (0, -1.5, math.inf, math.nan):
        assert refused(lambda n=wrong: Options(learning_rate=n)) == (
            f"learning_rate is {wrong}; it must be a finite number above 0"
        )
    for wrong in (-0.001, 1.001, math.nan):
        assert refused(lambda n=wrong: Options(momentum=n)) == (
            f"momentum is {wrong}; it must be from 0 to 1"
        )


def test_the_largest_number_is_float32s():
    largest = 3.4028234e38
    assert options.checked("forget_bias", -largest) == -largest
    assert options.checked("cell_clip", largest) == largest
    assert options.checked("forget_bias", "2.5") == 2.5
    assert options.checked("forget_bias", 0) == 0
    assert type(options.checked("forget_bias", 3)) is float
    for wrong in (3.5e38, -3.5e38, math.inf, math.nan):
        assert refused(options.checked, "forget_bias", wrong) == (
            f"forget_bias is {wrong}; give a finite number that float32 holds"
        )
    for wrong in ("much", None, [1]):
        assert refused(options.checked, "cell_clip", wrong) == (
            f"cell_clip is {wrong!r}, not a number"
        )


@pytest.mark.parametrize("option", ["cell_clip", "proj_clip"])
def test_a_clip_is_above_0(option):
    assert options.checked(option, 1e-30) == 1e-30
    for wrong in (0, -1):
        assert refused(options.checked, option, wrong) == (
            f"{option} is {float(wrong)}; it must be above 0: leave it away "
            "where TensorFlow 1 clipped nothing (-1 in LSTMBlockCell)"
        )


@pytest.mark.parametrize("option", ["activation", "recurrent_activation"])
def test_an_activation_of_a_cell_is_one_of_ours(option):
    for name in ("tanh", "relu", "hard_sigmoid", "exponential", "linear"):
        assert options.checked(option, name) == name
    assert refused(options.checked, option, "tahn") == (
        f"there is no {option} 'tahn'; did you mean tanh?"
    )
    # Over a step's units, it is for read-outs alone.
    assert "there is no" in refused(options.checked, option, "softmax")
    assert f"no {option} '7'" in refused(options.checked, option, 7)


# --- Which cell gets what ---


def test_defaults_are_tensorflow_1s(inventory):
    assert Options().of_cells(inventory, {}) == DEFAULTS


def test_one_value_is_for_every_cell_that_has_the_option(inventory):
    lstms = (LOW, HIGH, TAGS)
    found = Options(
        forget_bias="0.5", activation="relu", cell_clip=3, proj_clip=2
    ).of_cells(inventory, {})
    assert found == changed(
        forget_bias=dict.fromkeys(lstms, 0.5),
        activation=dict.fromkeys(DEFAULTS, "relu"),
        cell_clip=dict.fromkeys(lstms, 3.0),
        proj_clip={TAGS: 2.0},
    )


def test_a_scope_or_a_stack_names_its_cells(inventory):
    given = {"chars/rnn": 2, TAGS: 0}
    found = Options(forget_bias=given).of_cells(inventory, {})
    assert found == changed(forget_bias={LOW: 2.0, HIGH: 2.0, TAGS: 0.0})
    given = {"chars/rnn/multi_rnn_cell/cell_1": 5}
    found = Options(cell_clip=given).of_cells(inventory, {})
    assert found == changed(cell_clip={HIGH: 5.0})


def test_given_is_by_scope(inventory):
    one = Options(cell_clip={HIGH: 4}, proj_clip=2)
    assert one.given("cell_clip", inventory) == {HIGH: 4.0}
    assert one.given("proj_clip", inventory) == {TAGS: 2.0}
    assert one.given("forget_bias", inventory) == {}


def test_what_the_file_tells_counts_and_the_user_more(inventory):
    told = {
        HIGH: {"activation": "elu", "forget_bias": 0.0, "units": 4},
        WORDS: {"activation": "relu", "forget_bias": 9.0},
        "elsewhere": {"activation": "selu"},
    }
    found = Options().of_cells(inventory, told)
    assert found == changed(
        activation={HIGH: "elu", WORDS: "relu"}, forget_bias={HIGH: 0.0}
    )
    found = Options(activation={HIGH: "selu"}).of_cells(inventory, told)
    assert found == changed(
        activation={HIGH: "selu", WORDS: "relu"}, forget_bias={HIGH: 0.0}
    )


def test_what_the_file_tells_must_be_one_of_ours(inventory):
    told = {WORDS: {"activation": "swish"}}
    assert refused(Options().of_cells, inventory, told) == (
        f"the file says activation=swish of {WORDS}, which is not "
        "converted; what to take in its place is --activation "
        f"{WORDS}=NAME"
    )
    given = Options(activation={WORDS: "relu"})
    assert given.of_cells(inventory, told) == changed(
        activation={WORDS: "relu"}
    )
    options.check_told("forget_bias", "swish", WORDS)
    options.check_told("recurrent_activation", None, WORDS)
    assert "--recurrent-activation words=NAME" in refused(
        options.check_told, "recurrent_activation", "softmax", "words"
    )


def test_a_cell_without_the_option_is_named(inventory):
    given = Options(proj_clip={"chars/rnn": 3})
    assert refused(given.of_cells, inventory, {}) == (
        f"{LOW} is a LSTMCell, which has no proj_clip"
    )
    given = Options(forget_bias={WORDS: 3})
    assert refused(given.of_cells, inventory, {}) == (
        f"{WORDS} is a GRUCell, which has no forget_bias"
    )
    of_gru = Options().recognise(checkpoint(GRU))
    assert refused(Options(cell_clip=1).of_cells, of_gru, {}) == (
        "no cell in the checkpoint has a cell_clip to set"
    )
    assert refused(
        Options(activation={"word": "relu"}).of_cells, of_gru, {}
    ) == (f"there is no cell 'word'; there are: {WORDS}")


def test_the_cells_of_a_place(inventory):
    def scopes(where):
        return [cell.scope for cell in options.cells_at(where, inventory)]

    assert scopes("chars/rnn") == scopes("chars") == [LOW, HIGH]
    assert scopes(HIGH) == [HIGH]
    assert scopes("words/rnn") == [WORDS]
    assert refused(scopes, TAGS + "s") == (
        f"there is no cell '{TAGS}s'; did you mean {TAGS}?"
    )
    assert "there is no cell 'char'" in refused(scopes, "char")


# --- Read-outs ---


def test_a_read_out_is_linear_unless_told(inventory):
    assert Options().of_read_outs(inventory, {}) == {
        "dense": "linear",
        "top": "linear",
    }
    told = {"dense": {"activation": "softmax"}, "top": {"units": 8}}
    assert Options(activation="relu").of_read_outs(inventory, told) == {
        "dense": "softmax",
        "top": "linear",
    }


@pytest.mark.parametrize("name", ["dense", "dense/kernel"])
def test_a_read_out_goes_by_its_name_or_its_kernels(inventory, name):
    given = Options(activation={name: "softmax", HIGH: "relu"})
    told = {"dense": {"activation": "swish"}, "top": {"activation": "elu"}}
    assert given.of_read_outs(inventory, told) == {
        "dense": "softmax",
        "top": "elu",
    }
    assert given.of_cells(inventory, {}) == changed(activation={HIGH: "relu"})


def test_a_read_outs_activation_is_one_of_ours(inventory):
    given = Options(activation={"dense": "softmacks"})
    assert refused(given.of_read_outs, inventory, {}) == (
        "there is no activation 'softmacks'; did you mean softmax?"
    )
    given = Options(activation={"dense": 7})
    assert "no activation '7'" in refused(given.of_read_outs, inventory, {})
    told = {"top": {"activation": "swish"}}
    assert refused(Options().of_read_outs, inventory, told) == (
        "the file says activation=swish of top, which is not converted; "
        "what to take in its place is --activation top=NAME"
    )


# --- Residuals and repeats ---


def test_residual_cells_have_as_many_outputs_as_inputs(inventory):
    assert Options().residuals(inventory) == set()
    assert Options(residual=True).residuals(inventory) == {HIGH}
    assert Options(residual=(HIGH,)).residuals(inventory) == {HIGH}
    given = Options(residual=("chars/rnn",))
    assert refused(given.residuals, inventory) == (
        f"{LOW} cannot be residual: it has 3 inputs and 4 outputs"
    )
    of_gru = Options().recognise(checkpoint(GRU))
    assert refused(Options(residual=True).residuals, of_gru) == (
        "no cell can be residual: none has as many outputs as inputs; "
        "leave it away"
    )


SQUARE = {f"{LAYER}/rnn/lstm_cell/kernel": (4 + 4, 16)} | {
    f"{LAYER}/rnn/lstm_cell/bias": (16,)
}


def test_one_cell_may_serve_several_layers(inventory):
    alone = Options().recognise(checkpoint(SQUARE))
    assert Options().repeats(alone) == {}
    for count in (1, 2, 100):
        found = Options(layers=count).repeats(alone)
        assert found == {f"{LAYER}/rnn": count}
    given = {f"{LAYER}/rnn": 3}
    assert Options(layers=given).repeats(alone) == given
    # One layer of a cell whose sizes differ is what it is.
    assert Options(layers={"tags/rnn": 1}).repeats(inventory)
    assert refused(Options(layers={"tags/rnn": 2}).repeats, inventory) == (
        f"{TAGS} cannot serve 2 layers: it has 2 inputs and 3 outputs"
    )
    assert refused(Options(layers={"chars/rnn": 2}).repeats, inventory) == (
        "chars/rnn has a cell for every layer already; layers is for one "
        "cell that serves several"
    )
    assert "name one: " in refused(Options(layers=2).repeats, inventory)


def test_one_cell_of_each_of_two_directions_serves_one_layer():
    both = {
        f"bidirectional_rnn/{way}/lstm_cell/{name}": shape
        for way in ("fw", "bw")
        for name, shape in (("kernel", (8, 16)), ("bias", (16,)))
    }
    found = Options().recognise(checkpoint(both))
    assert "a cell for every layer already" in refused(
        Options(layers=2).repeats, found
    )


def test_layers_are_a_whole_number_from_1_to_100():
    alone = Options().recognise(checkpoint(SQUARE))
    for wrong in (0, -1, 2.0, "2"):
        assert refused(Options(layers=wrong).repeats, alone) == (
            f"layers is {wrong!r}; it must be a whole number of at least 1"
        )
    assert refused(Options(layers=101).repeats, alone) == (
        "layers is 101; it must be at most 100"
    )


# --- Which GRU of tf.keras it is ---


BARE = {"gru/kernel": (3, 12), "gru/recurrent_kernel": (4, 12)}
BIASED = BARE | {"gru/bias": (12,)}


@pytest.mark.parametrize(
    ("after", "kind"),
    [(True, "tf.keras.GRUResetAfter"), (False, "tf.keras.GRU")],
)
def test_the_file_tells_which_gru_has_no_bias(after, kind):
    told = {"gru": {"reset_after": after}}
    assert options.kinds_told(checkpoint(BARE, told)) == {"gru": kind}
    (stack,) = Options().recognise(checkpoint(BARE, told)).stacks
    assert stack.forward[0].kind.name == kind
    # A user who names a kind knows better.
    given = Options(cells={"gru": "tf.keras.GRU"})
    (stack,) = given.recognise(checkpoint(BARE, told)).stacks
    assert stack.forward[0].kind.name == "tf.keras.GRU"


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        (BIASED, {"gru": {"reset_after": True}}),
        (BARE, {"gru": {"reset_after": None}}),
        (BARE, {"gru": {}}),
        (BARE, {}),
        ({"gru/kernel": (3, 12)}, {"gru": {"reset_after": True}}),
        (BARE, {"other": {"reset_after": True}}),
    ],
)
def test_nothing_is_told_of_other_grus(shapes, told):
    assert options.kinds_told(checkpoint(shapes, told)) == {}


def test_answers_reach_the_recogniser(monkeypatch):
    seen = []
    monkeypatch.setattr(
        options.recognise, "recognise", lambda *given: seen.extend(given)
    )
    one = Options(
        cells={"a": "GRUCell"},
        bidirectional=(("b", "c"),),
        apart=("d",),
        transposed=("e",),
        embeddings={"f": "g"},
    )
    told = {"gru": {"reset_after": True}}
    given = checkpoint(BARE, told)
    one.recognise(given, print)
    assert seen == [
        BARE,
        {"gru": "tf.keras.GRUResetAfter", "a": "GRUCell"},
        (("b", "c"),),
        ("d",),
        ("e",),
        {"f": "g"},
        print,
    ]
