"""Converted checkpoints compute what the genuine releases did.

`recorded/checkpoints` holds checkpoints of 0.12.1, 1.0.1 and 1.15.5 and what
those releases computed from them. Here only Keras runs.
"""

import functools
import json

import keras
import numpy as np
import pytest
import tf_keras
from conftest import spread
from hypothesis import given, settings
from hypothesis import strategies as st
from test_recognise import gru

import recorded
import rnn_parity
from numpy_ref import tf1_cells, tf1_rnn
from recorded import record_all
from rnn_parity import UserError, ladder, tolerances
from rnn_parity.checkpoints import (
    forms,
    kinds,
    optimizers,
    reader,
    running,
    verify,
)
from rnn_parity.checkpoints.convert import Converted
from rnn_parity.checkpoints.export import export_checkpoint
from rnn_parity.quiet import tf

FOLDER = recorded.FOLDER / "checkpoints"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/truth.json"))
INPUTS_OF = {
    "outputs of encoder": ("encoder/outputs",),
    "outputs of chars, both directions": (
        "chars/outputs",
        "chars/outputs_bw",
    ),
}


@functools.cache
def truth_of(name):
    return json.loads((FOLDER / name / "truth.json").read_text("utf-8"))


@functools.cache
def arrays_of(name):
    return recorded.read(FOLDER / name / "truth.npz")


def options_of(name):
    """What a checkpoint does not tell, as the recorder declared it."""
    options = dict(record_all.TOLD.get(name, {}))
    if name == "shared_cell":
        options["layers"] = 2
    for run in truth_of(name)["runs"].values():
        for cell in run["cells"]:
            for option, value in cell["options"].items():
                if option == "residual":
                    options.setdefault(option, []).append(cell["scope"])
                else:
                    options.setdefault(option, {})[cell["scope"]] = value
    return options


@functools.cache
def converted(name, averages=False):
    return rnn_parity.convert_checkpoint(
        FOLDER / name / "model.ckpt",
        averages=averages,
        learning_rate=0.01,
        **options_of(name),
    )


def places(arrays, prefix):
    found = []
    while f"{prefix}/{len(found)}" in arrays:
        found.append(arrays[f"{prefix}/{len(found)}"])
    return found


def run_as_recorded(name, run, prefix="", averages=False):
    """[(tensor, what Keras computes, what the release computed)]."""
    arrays, of_run = arrays_of(name), truth_of(name)["runs"][run]
    inputs = arrays.get(f"{run}/inputs", arrays.get(f"{run}/ids"))
    if inputs is None:
        sources = INPUTS_OF[of_run["inputs"]]
        inputs = np.concatenate([arrays[key] for key in sources], axis=-1)
    state = places(arrays, f"{run}/state") + places(arrays, f"{run}/state_bw")
    if not of_run.get("state_is_tuple", True):
        (state,) = state
    found = converted(name, averages)
    runs = sorted(truth_of(name)["runs"])
    stack = found.inventory.stacks[runs.index(run)].name
    outputs, final = found.run(
        inputs, state, arrays.get(f"{run}/lengths"), stack
    )
    both = outputs if isinstance(outputs, tuple) else (outputs,)
    computed = [*both, *running._leaves(final)]
    start = f"{prefix}{run}"
    expected = [arrays[f"{start}/outputs"]]
    if len(both) > 1:
        expected.append(arrays[f"{start}/outputs_bw"])
    expected += places(arrays, f"{start}/final")
    expected += places(arrays, f"{start}/final_bw")
    pairs = [
        (f"tensor {place}", *pair)
        for place, pair in enumerate(zip(computed, expected, strict=True))
    ]
    for one in found.inventory.read_outs:
        key = f"{start}/logits/{one.kernel}"
        if key in arrays:
            logits = found.read_out(outputs, one.name)
            pairs.append((key, logits, arrays[key]))
    return pairs


RUNS = [(name, run) for name in NAMES for run in truth_of(name)["runs"]]


@pytest.mark.parametrize(("name", "run"), RUNS)
def test_keras_computes_what_the_release_did(name, run):
    for tensor, computed, expected in run_as_recorded(name, run):
        error = ladder.error_of(computed, expected)
        assert error <= tolerances.CELLS["float32"].allowed, tensor


def test_moving_averages_are_taken_when_asked_for():
    pairs = run_as_recorded("moving_averages", "rnn", "averages/", True)
    for tensor, computed, expected in pairs:
        error = ladder.error_of(computed, expected)
        assert error <= tolerances.CELLS["float32"].allowed, tensor
    plain = run_as_recorded("moving_averages", "rnn", "averages/", False)
    assert ladder.error_of(*plain[0][1:]) > 1e-3


@pytest.mark.parametrize(
    "name", spread(NAMES, lambda one: NAMES.index(one) % 3 == 0)
)
def test_the_model_computes_what_run_does(name):
    found = converted(name)
    random = np.random.default_rng(3)
    series = {
        tensor.name: random.integers(0, 7, (4, 5))
        if len(tensor.shape) == 2
        else random.standard_normal((4, 5, tensor.shape[-1]))
        for tensor in found.model.inputs
    }
    series = {
        tensor.name: series[tensor.name].astype(tensor.dtype)
        for tensor in found.model.inputs
    }
    (first, *others) = series.values()
    results = found.model(series if others else first)
    for stack in found.inventory.stacks:
        inputs = series[f"{stack.name.replace('/', '.')}.inputs"]
        outputs, _ = found.run(inputs, stack=stack.name)
        if isinstance(outputs, tuple):
            outputs = np.concatenate(outputs, axis=-1)
        logits = {
            one.name: found.read_out(outputs, one.name)
            for one in found.inventory.read_outs
            if one.stack == stack.name
        }
        expected = {stack.name: outputs} | logits
        if not isinstance(results, dict):
            expected = logits or expected
        for key, value in expected.items():
            result = results
            if isinstance(results, dict):
                result = results[key.replace("/", ".")]
            assert ladder.error_of(np.asarray(result), value) < 1e-6, key


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_is_there_by_its_scope(name):
    found = converted(name)
    for run in truth_of(name)["runs"].values():
        for cell in run["cells"]:
            assert isinstance(found.layers[cell["scope"]], keras.Layer)
    for one in truth_of(name)["read_outs"]:
        called = [
            r.name
            for r in found.inventory.read_outs
            if r.kernel == one["kernel"]
        ]
        assert isinstance(found.layers[called[0]], keras.layers.Dense)


def test_what_was_assumed_is_said():
    report = str(converted("residual_dropout").report)
    assert "forget_bias is taken to be 1.0" in report
    assert "activation is taken to be tanh" in report
    plain = rnn_parity.convert_checkpoint(FOLDER / "residual_dropout")
    assert "--residual" in str(plain.report)
    shared = rnn_parity.convert_checkpoint(FOLDER / "shared_cell")
    assert "[cell] * n" in str(shared.report)
    peepholes = rnn_parity.convert_checkpoint(FOLDER / "peepholes_projection")
    assert "no cell_clip is assumed" in str(peepholes.report)
    assert "no proj_clip is assumed" in str(peepholes.report)
    first = "rnn/multi_rnn_cell/cell_0/lstm_cell"
    some = rnn_parity.convert_checkpoint(
        FOLDER / "stacked_lstm", forget_bias={first: 0.5}, activation="relu"
    )
    assert f"forget_bias of {first.replace('_0', '_1')} is" in str(
        some.report
    )
    assert "activation is taken" not in str(some.report)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("peepholes_projection", "rnn/lstm_cell/w_f_diag"),
        ("layer_norm", "LayerNormBasicLSTMCell"),
        ("look_alikes", "CoupledInputForgetGateLSTMCell"),
        ("era_gru_tf0.12.1", "BiRNN/BW/LSTMCell/W_F_diag"),
    ],
)
def test_strict_refuses_what_keras_lacks_and_names_it(name, named):
    with pytest.raises(UserError, match="no Keras layer can express") as no:
        rnn_parity.convert_checkpoint(FOLDER / name, strict=True)
    assert named in str(no.value)


def test_strict_takes_what_keras_has():
    rnn_parity.convert_checkpoint(FOLDER / "stacked_lstm", strict=True)
    with pytest.raises(UserError, match="cell_clip="):
        rnn_parity.convert_checkpoint(
            FOLDER / "stacked_lstm", strict=True, cell_clip=0.5
        )


@pytest.mark.parametrize("name", tf1_cells.ACTIVATIONS)
def test_an_activation_of_any_name(tmp_path, name):
    """NumPy's is TensorFlow's, and Keras' that of NumPy: the proof says."""
    random = np.random.default_rng(11)
    x = random.normal(scale=3, size=(4, 5)).astype("float32")
    theirs = {"hard_sigmoid": tf_keras.activations.hard_sigmoid}
    theirs |= {"linear": tf.identity, "exponential": tf.exp}
    function = theirs.get(name) or getattr(tf.nn, name)
    mine = tf1_cells.ACTIVATIONS[name](x)
    np.testing.assert_allclose(
        mine, function(tf.constant(x)), rtol=1e-5, atol=1e-7
    )
    assert mine.dtype == x.dtype
    shapes = gru("rnn/gru_cell", 3, 5) | {
        "rnn/rnn/basic_rnn_cell/kernel": (9, 4),
        "rnn/rnn/basic_rnn_cell/bias": (4,),
        "dense/kernel": (4, 7),
        "dense/bias": (7,),
    }
    arrays = {
        key: random.normal(scale=0.3, size=shape).astype("float32")
        for key, shape in shapes.items()
    }
    np.savez(tmp_path / "weights.npz", **arrays)
    options = {"dense": name}
    if name != "softmax":
        options |= {"rnn/gru_cell": name, "rnn/rnn/basic_rnn_cell": name}
    found = rnn_parity.convert_checkpoint(
        tmp_path / "weights.npz", activation=options
    )
    activation = found.layers["dense"].activation
    assert activation is keras.activations.get(forms.activation(name))
    assert "no activation" not in str(found.report)
    path = tmp_path / "model.keras"
    found.save(path)
    again = keras.models.load_model(path).get_layer("dense")
    assert again.activation is activation


def test_dropout_wrappers_become_dropout_layers():
    found = rnn_parity.convert_checkpoint(
        FOLDER / "stacked_lstm", output_keep_prob=0.6, input_keep_prob=0.8
    )
    rates = [
        round(layer.rate, 6)
        for layer in found.model.layers
        if isinstance(layer, keras.layers.Dropout)
    ]
    assert sorted(rates) == [0.2, 0.2, 0.4, 0.4]


def test_each_of_two_directions_drops_its_own(tmp_path):
    path = FOLDER / "bidirectional_lengths"
    plain = rnn_parity.convert_checkpoint(path)
    found = rnn_parity.convert_checkpoint(
        path, output_keep_prob=0.6, input_keep_prob=0.8
    )
    rates = [
        round(layer.rate, 6)
        for layer in found.model.layers
        if isinstance(layer, keras.layers.Dropout)
    ]
    assert sorted(rates) == [0.2, 0.2, 0.4, 0.4]
    shape = (64, 4, found.model.input_shape[-1])
    x = np.random.default_rng(6).standard_normal(shape).astype("float32")
    right = np.asarray(plain.model(x))
    error = ladder.error_of(np.asarray(found.model(x)), right)
    assert error < 1e-6
    assert (np.asarray(found.model(x, training=True)) != right).any()
    found.save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "out")
    before, after = map(reader.open_checkpoint, (path, tmp_path / "out"))
    for name in before.shapes:
        assert (after.read(name) == before.read(name)).all()


@pytest.mark.parametrize(
    ("inside", "residual", "why"),
    [
        (["multi_rnn_cell/cell_0/", "multi_rnn_cell/cell_1/"], (), "several"),
        ([""], True, "residuals"),
    ],
)
def test_dropout_within_one_layer_of_two_directions_is_refused(
    tmp_path, inside, residual, why
):
    arrays = {
        f"bidirectional_rnn/{way}/{scope}gru_cell/{part}/{what}": np.zeros(
            shape, "float32"
        )
        for way in ("fw", "bw")
        for scope in inside
        for part, width in (("gates", 6), ("candidate", 3))
        for what, shape in (("kernel", (6, width)), ("bias", (width,)))
    }
    np.savez(tmp_path / "model.npz", **arrays)
    with pytest.raises(UserError, match=f"has {why}"):
        rnn_parity.convert_checkpoint(
            tmp_path / "model.npz", output_keep_prob=0.5, residual=residual
        )


# --- States and lengths, as TensorFlow 1 nests them ---


def test_a_state_of_any_nesting_is_taken():
    found = converted("stacked_lstm")
    random = np.random.default_rng(5)
    inputs = random.standard_normal((2, 4, 3)).astype("float32")
    sizes = (5, 5), (4, 4)
    state = tf1_cells.map_state(
        lambda size: random.standard_normal((2, size)).astype("float32"),
        sizes,
    )
    nested = found.run(inputs, state)
    as_lists = found.run(inputs, [list(pair) for pair in state])
    flat = np.concatenate(tf1_cells.flat_state(state), axis=1)
    joined = found.run(inputs, flat)
    for other in (as_lists, joined):
        np.testing.assert_array_equal(nested[0], other[0])
    assert joined[1].shape == (2, 18)
    np.testing.assert_array_equal(
        joined[1], np.concatenate(tf1_cells.flat_state(nested[1]), axis=1)
    )
    assert [part.shape for pair in nested[1] for part in pair] == [
        (2, size) for pair in sizes for size in pair
    ]


@pytest.mark.parametrize(
    ("name", "forward", "backward"),
    [
        ("fused_directions", "lstm_fused_cell", "lstm_fused_cell_1"),
        (
            "bidirectional_lengths",
            "bidirectional_rnn/fw",
            "bidirectional_rnn/bw",
        ),
    ],
)
def test_one_direction_of_two_runs_alone(name, forward, backward):
    found = converted(name)
    random = np.random.default_rng(6)
    inputs = random.standard_normal((3, 4, 3)).astype("float32")
    states = [
        tuple(random.standard_normal((2, 3, 5)).astype("float32"))
        for _ in range(2)
    ]
    lengths = np.array([4, 0, 2])
    both, finals = found.run(inputs, states, lengths)
    first, final = found.run(inputs, states[0], lengths, forward)
    np.testing.assert_allclose(first, both[0], atol=1e-6)
    np.testing.assert_allclose(final, finals[0], atol=1e-6)
    turned = tf1_rnn.reverse_sequence(inputs, lengths)
    second, final = found.run(turned, states[1], lengths, backward)
    second = tf1_rnn.reverse_sequence(second, lengths)
    np.testing.assert_allclose(second, both[1], atol=1e-6)
    np.testing.assert_allclose(final, finals[1], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": np.zeros((2, 4, 9))}, r"takes \[batch, time, 3\]"),
        ({"sequence_length": [1, 9]}, "2 whole numbers from 0 to 4"),
        ({"sequence_length": [1.5, 2]}, "whole numbers"),
        ({"initial_state": np.zeros((2, 7))}, "c before h"),
        ({"stack": "rn"}, "did you mean rnn"),
    ],
)
def test_what_does_not_fit_is_one_line(arguments, message):
    inputs = {"inputs": np.zeros((2, 4, 3), "float32")}
    with pytest.raises(UserError, match=message):
        converted("stacked_lstm").run(**inputs | arguments)


def test_no_steps_give_no_outputs_and_the_state_back():
    state = ((np.ones((2, 5)),) * 2, (np.ones((2, 4)),) * 2)
    outputs, final = converted("stacked_lstm").run(np.zeros((2, 0, 3)), state)
    assert outputs.shape == (2, 0, 4)
    np.testing.assert_array_equal(final[0][0], state[0][0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"forget_bias": "much"}, "not a number"),
        ({"activation": "tan"}, "did you mean tanh"),
        ({"proj_clip": {"rnn/x": 1.0}}, "no cell 'rnn/x'"),
        ({"residual": ["rnn"]}, "cannot be residual"),
        ({"layers": 3}, "has a cell for every layer already"),
        ({"averages": True}, "holds no moving averages"),
        ({"output_keep_prob": 0.0}, "keep probability"),
        ({"input_keep_prob": float("nan")}, "keep probability"),
        ({"forget_bias": float("inf")}, "give a finite number"),
        ({"forget_bias": 1e39}, "give a finite number that float32 holds"),
        ({"proj_clip": 1.0}, "no cell in the checkpoint has a proj_clip"),
        ({"cell_clip": -1}, "must be above 0: leave it away"),
        ({"cell_clip": float("nan")}, "give a finite number"),
        ({"learning_rate": float("nan")}, "must be a finite number above 0"),
        ({"learning_rate": 0}, "must be a finite number above 0"),
        ({"momentum": -3}, "must be from 0 to 1"),
        ({"momentum": 0.9}, "Momentum or RMSProp, .* are of Adam"),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(options, message):
    with pytest.raises(UserError, match=message) as error:
        rnn_parity.convert_checkpoint(FOLDER / "stacked_lstm", **options)
    assert "\n" not in str(error.value)


# --- Any cell, any size, any weights ---

STORED = {
    "BasicRNNCell": "basic_rnn_cell",
    "GRUCell": "gru_cell",
    "LSTMCell": "lstm_cell",
    "LayerNormBasicLSTMCell": "layer_norm_basic_lstm_cell",
    "CudnnCompatibleLSTMCell": "cudnn_compatible_lstm_cell",
    "CudnnCompatibleGRUCell": "cudnn_compatible_gru_cell",
    "UGRNNCell": "ugrnn_cell",
    "NASCell": "nas_cell",
    "CoupledInputForgetGateLSTMCell": "coupled_input_forget_gate_lstm_cell",
    "IntersectionRNNCell": "intersection_rnn_cell",
    "SRUCell": "sru_cell",
    "IndRNNCell": "ind_rnn_cell",
    "IndyLSTMCell": "indy_lstm_cell",
    "IndyGRUCell": "indy_gru_cell",
    "tf.keras.SimpleRNN": "simple_rnn",
    "tf.keras.LSTM": "lstm",
    "tf.keras.GRU": "gru",
    "tf.keras.GRUResetAfter": "gru_1",
    "tf.keras.CuDNNLSTM": "cu_dnnlstm",
    "tf.keras.CuDNNGRU": "cu_dnngru",
}


def shapes_of(kind, inputs, units, outputs, extras):
    """{argument: shape} of a cell; its optional arrays if `extras`."""
    rows = inputs + outputs
    both = {"LSTM": 4}
    gates = {
        "BasicRNNCell": 1,
        "UGRNNCell": 2,
        "CoupledInputForgetGateLSTMCell": 3,
    }.get(kind, both["LSTM"])
    shapes = {"kernel": (rows, gates * units), "bias": (gates * units,)}
    diagonals = {f"w_{gate}_diag": (units,) for gate in "fio"}
    projection = {"projection_kernel": (units, outputs)}
    gru = {
        "gate_kernel": (rows, 2 * units),
        "gate_bias": (2 * units,),
    }
    if kind == "LSTMCell" and extras:
        return shapes | diagonals | projection
    if kind == "CoupledInputForgetGateLSTMCell" and extras:
        del diagonals["w_i_diag"]
        return shapes | diagonals | projection
    if kind == "LayerNormBasicLSTMCell":
        names = ("input", "transform", "forget", "output", "state")
        return {"kernel": shapes["kernel"]} | {
            f"{which}.{name}": (units,)
            for which in ("gammas", "betas")
            for name in names
        }
    if kind == "GRUCell":
        return gru | {
            "candidate_kernel": (rows, units),
            "candidate_bias": (units,),
        }
    if kind == "CudnnCompatibleGRUCell":
        return gru | {
            "input_kernel": (inputs, units),
            "input_bias": (units,),
            "hidden_kernel": (units, units),
            "hidden_bias": (units,),
        }
    if kind == "NASCell":
        found = {
            "kernel": (inputs, 8 * units),
            "recurrent_kernel": (outputs, 8 * units),
        }
        if extras:
            found |= {
                "bias": (8 * units,),
                "projection_weights": (units, outputs),
            }
        return found
    if kind == "IntersectionRNNCell":
        shapes["kernel"] = (2 * units, 4 * units)
        if inputs != units:
            shapes |= {"in_kernel": (inputs, units), "in_bias": (units,)}
        return shapes
    if kind == "SRUCell":
        return {"kernel": (inputs, 4 * units), "bias": (2 * units,)}
    if kind in ("IndRNNCell", "IndyLSTMCell"):
        columns = (1 if kind == "IndRNNCell" else 4) * units
        return {
            "kernel_w": (inputs, columns),
            "kernel_u": (1, columns),
            "bias": (columns,),
        }
    if kind.startswith("tf.keras."):
        gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
        columns = gates[kinds.BY_NAME[kind].keras] * units
        bias = (columns,)
        if kind == "tf.keras.GRUResetAfter":
            bias = (2, columns)
        elif kind.startswith("tf.keras.CuDNN"):
            bias = (2 * columns,)
        found = {
            "kernel": (inputs, columns),
            "recurrent_kernel": (units, columns),
            "bias": bias,
        }
        if kind in WITHOUT_BIAS and extras:
            del found["bias"]
        return found
    if kind == "IndyGRUCell":
        return {
            "gate_kernel_w": (inputs, 2 * units),
            "gate_kernel_u": (1, 2 * units),
            "gate_bias": (2 * units,),
            "candidate_kernel_w": (inputs, units),
            "candidate_kernel_u": (1, units),
            "candidate_bias": (units,),
        }
    return shapes


PROJECTED = ("LSTMCell", "NASCell", "CoupledInputForgetGateLSTMCell")
WITHOUT_BIAS = ("tf.keras.LSTM", "tf.keras.SimpleRNN")  # perhaps


@settings(max_examples=90, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(sorted(STORED)),
    inputs=st.integers(1, 6),
    units=st.integers(1, 6),
    projection=st.integers(1, 6),
    extras=st.booleans(),
    scale=st.sampled_from([0.01, 0.5, 3.0]),
    dtype=st.sampled_from(["float32", "float64"]),
    forget_bias=st.sampled_from([0.0, 0.3, 1.0]),
    clip=st.sampled_from([None, 0.4]),
    seed=st.integers(0, 2**16),
)
def test_any_cell_converts_and_goes_back(
    kind,
    inputs,
    units,
    projection,
    extras,
    scale,
    dtype,
    forget_bias,
    clip,
    seed,
    tmp_path_factory,
):
    random = np.random.default_rng(seed)
    extras = extras and kind in (*PROJECTED, *WITHOUT_BIAS)
    outputs = projection if extras and kind in PROJECTED else units
    shapes = shapes_of(kind, inputs, units, outputs, extras)
    of_kind = kinds.BY_NAME[kind]
    scope = f"rnn/{STORED[kind]}"
    arrays = {
        argument: (scale * random.standard_normal(shape)).astype(dtype)
        for argument, shape in shapes.items()
    }
    path = tmp_path_factory.mktemp("any") / "weights.npz"
    stored = {
        f"{scope}/{of_kind.arguments[argument][0]}": array
        for argument, array in arrays.items()
    }
    np.savez(path, **stored)
    options = {}
    if "forget_bias" in of_kind.options:
        options["forget_bias"] = forget_bias
    if "cell_clip" in of_kind.options and clip:
        options["cell_clip"] = clip
    if "recurrent_activation" in of_kind.options and clip:
        options["recurrent_activation"] = "sigmoid"
    found = rnn_parity.convert_checkpoint(path, **options)
    cell = of_kind.make(arrays, **options)
    series = random.standard_normal((3, 4, inputs)).astype(dtype)
    state = tf1_cells.map_state(
        lambda size: random.standard_normal((3, size)).astype(dtype),
        cell.state_size,
    )
    lengths = np.array([4, 0, 2])
    expected = tf1_rnn.dynamic_rnn(cell, series, state, lengths)
    computed = found.run(series, state, lengths)
    error = ladder.error_of(computed[0], expected[0])
    shaken = tf1_rnn.dynamic_rnn(
        cell, verify._shaken(series, random), state, lengths
    )
    noise = ladder.error_of(shaken[0], expected[0])
    assert error <= 32 * (noise + float(np.finfo(dtype).eps))
    assert_goes_back(found, stored)


def assert_goes_back(found, stored):
    """Array by array, without files."""
    (cell,) = found.cells
    options = found.cell_options[cell.scope]
    keras_cell = found._runners[cell.scope].keras_cell
    values = {
        name: np.asarray(variable)
        for name, variable in forms.weights(keras_cell, cell, options).items()
    }
    back = forms.from_keras(cell, options, values)
    for argument, (name,) in cell.variables.items():
        wanted = stored[name]
        if argument == "bias" and options.get("forget_bias"):
            spacing = np.spacing(np.abs(wanted) + abs(options["forget_bias"]))
            assert (np.abs(back[argument] - wanted) <= spacing).all()
        elif (argument, cell.kind.name) == ("bias", "tf.keras.CuDNNLSTM"):
            both, back_both = (
                a.reshape(2, -1) for a in (wanted, back["bias"])
            )
            np.testing.assert_array_equal(back_both.sum(0), both.sum(0))
        else:
            np.testing.assert_array_equal(
                back[argument].reshape(wanted.shape), wanted
            )


# --- A conversion that is wrong is not written ---


def test_a_wrong_conversion_is_refused(monkeypatch, tmp_path):
    """Each array in turn is put in with two of its columns exchanged."""
    right = forms.to_keras

    for spoiled in ("kernel", "recurrent_kernel", "bias"):

        def wrong(*arguments, spoiled=spoiled, **options):
            found = right(*arguments, **options)

            array = np.array(found[spoiled]())
            array[..., [0, -1]] = array[..., [-1, 0]]
            return found | {spoiled: forms.rows_of(array)}

        monkeypatch.setattr(forms, "to_keras", wrong)
        with pytest.raises(UserError, match="does not compute"):
            rnn_parity.convert_checkpoint(FOLDER / "stacked_lstm")


def test_a_wrong_loop_is_refused(monkeypatch):
    right = Converted.run

    def wrong(self, inputs, state, lengths, stack):
        return right(self, inputs, state, None, stack)

    monkeypatch.setattr(Converted, "run", wrong)
    with pytest.raises(UserError, match="does not compute"):
        rnn_parity.convert_checkpoint(FOLDER / "stacked_lstm")


def test_a_wrong_read_out_is_refused(monkeypatch):
    right = keras.layers.Dense.call

    def wrong(self, inputs, training=None):
        return right(self, inputs) + 1e-3

    monkeypatch.setattr(keras.layers.Dense, "call", wrong)
    with pytest.raises(UserError, match=r"dense as Dense\(7\) does not"):
        rnn_parity.convert_checkpoint(FOLDER / "stacked_lstm")


@pytest.mark.parametrize("kind", sorted(STORED))
def test_any_cell_is_exported(kind, tmp_path):
    random = np.random.default_rng(4)
    projected = kind in PROJECTED
    shapes = shapes_of(kind, 3, 5, 4 if projected else 5, projected)
    of_kind, scope = kinds.BY_NAME[kind], f"rnn/{STORED[kind]}"
    stored = {
        f"{scope}/{of_kind.arguments[argument][0]}": random.standard_normal(
            shape
        ).astype("float32")
        for argument, shape in shapes.items()
    }
    np.savez(tmp_path / "weights.npz", **stored)
    found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
    found.save(tmp_path / "model.keras")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "back")
    back = reader.open_checkpoint(tmp_path / "back")
    for name, array in stored.items():
        np.testing.assert_array_equal(back.read(name), array, name)
    if of_kind.keras is None:
        return
    found.save(tmp_path / "model.npz")
    with pytest.raises(UserError, match="is converted already"):
        rnn_parity.convert_checkpoint(tmp_path / "model.npz")


# --- Optimizers continue as TensorFlow 1 would ---


def slots_of_adam(steps, prefix="", first=0):
    """Of an LSTM: two slots of each variable, and the powers after `steps`.

    Args:
        prefix: of the powers' names.
        first: the number of the first slot.
    """
    scope, random = "rnn/lstm_cell", np.random.default_rng(steps)
    found = {f"{scope}/kernel": (8, 20), f"{scope}/bias": (20,)}
    found = {k: random.random(v).astype("float32") for k, v in found.items()}
    slots = {
        f"{name}/Adam{f'_{number}' * (number > 0)}": array
        for name, array in found.items()
        for number in (first, first + 1)
    }
    powers = {
        f"{prefix}beta{n}_power": np.float32(beta ** (steps + 1))
        for n, beta in ((1, 0.9), (2, 0.999))
    }
    return found | slots | powers


def test_the_steps_of_several_adams_are_not_mixed_up(tmp_path):
    def line(*parts):
        arrays = {name: a for part in parts for name, a in part.items()}
        np.savez(tmp_path / "weights.npz", **arrays)
        found = rnn_parity.convert_checkpoint(tmp_path / "weights.npz")
        return found.report.optimizer

    assert "after 7 steps" in line(slots_of_adam(7))
    assert "after 7 steps" in line(slots_of_adam(7), slots_of_adam(7, "a/"))
    assert "epsilon 1e-08" in line(slots_of_adam(7))
    differ = line(slots_of_adam(7), slots_of_adam(9, "other/"))
    assert "of 2 such optimizers, with different numbers of steps" in differ
    twice = line(slots_of_adam(7), slots_of_adam(7, first=2))
    assert "has those of several such optimizers" in twice


@pytest.mark.parametrize(
    ("name", "make"),
    [
        (
            "stacked_lstm",
            lambda v1: v1.train.AdamOptimizer(0.01),
        ),
        (
            "bidirectional_lengths",
            lambda v1: v1.train.MomentumOptimizer(0.01, 0.9),
        ),
        ("concatenated_state", lambda v1: v1.train.AdagradOptimizer(0.01)),
        (
            "moving_averages",
            lambda v1: v1.train.RMSPropOptimizer(0.01, momentum=0.9),
        ),
    ],
)
def test_the_next_updates_are_tensorflow_1s(name, make):
    momentum = 0.9 if name == "moving_averages" else None
    found = rnn_parity.convert_checkpoint(
        FOLDER / name, learning_rate=0.01, momentum=momentum
    )
    assert_the_next_updates(found, make)


@pytest.mark.parametrize(
    "make",
    [
        lambda v1: v1.train.AdadeltaOptimizer(0.01),
        lambda v1: v1.train.RMSPropOptimizer(0.01, centered=True),
        lambda v1: v1.train.AdamOptimizer(0.01),
        lambda v1: tf.keras.optimizers.legacy.Adam(0.02, beta_1=0.8),
    ],
    ids=["Adadelta", "centered RMSProp", "Adam", "tf.keras' Adam"],
)
def test_the_next_updates_of_a_session_of_today(make, tmp_path):
    """Three updates in a compat.v1 session, then two in either."""
    random = np.random.default_rng(8)
    shapes = {"rnn/lstm_cell/kernel": (8, 20), "rnn/lstm_cell/bias": (20,)}
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        pairs = [
            (
                random.standard_normal(shape).astype("float32"),
                v1.get_variable(
                    name,
                    initializer=random.standard_normal(shape).astype("f"),
                ),
            )
            for name, shape in shapes.items()
        ]
        step = make(v1).apply_gradients(
            [(tf.constant(gradient), v) for gradient, v in pairs]
        )
        session.run(v1.global_variables_initializer())
        for _ in range(3):
            session.run(step)
        v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    names = reader.open_checkpoint(tmp_path).shapes
    rate = None if "Adam/learning_rate" in names else 0.01
    found = rnn_parity.convert_checkpoint(tmp_path, learning_rate=rate)
    assert found.model.optimizer is not None
    assert_the_next_updates(found, make)


def assert_the_next_updates(found, make):
    """Two updates from the same slots with the same random gradients."""
    random = np.random.default_rng(9)
    variables = {
        variable: random.standard_normal(
            found.checkpoint.shapes[variable]
        ).astype("float32")
        for place in optimizers.places(found)
        for variable in place.names
    }
    expected = two_updates(found.checkpoint, variables, make)
    gradients = {}
    for cell in found.cells:
        options = found.cell_options[cell.scope]
        given_ = {
            argument: variables[names[0]]
            for argument, names in cell.variables.items()
        }
        gradients[cell.scope] = forms.to_keras(
            cell, options, given_, forget_bias=0.0
        )
    for one in found.inventory.read_outs:
        gradients[one.name] = {
            "kernel": lambda one=one: variables[one.kernel],
            "bias": lambda one=one: variables[one.bias],
        }
    optimizer = found.model.optimizer
    applied = [
        (gradients[place.name][keras_name](), variable)
        for place in optimizers.places(found)
        for keras_name, variable in place.variables.items()
    ]
    for _ in range(2):
        optimizer.apply(
            [tf.constant(gradient) for gradient, _ in applied],
            [variable for _, variable in applied],
        )
    for cell in found.cells:
        options = found.cell_options[cell.scope]
        keras_cell = found._runners[cell.scope].keras_cell
        values = {
            key: np.asarray(value)
            for key, value in forms.weights(keras_cell, cell, options).items()
        }
        back = forms.from_keras(cell, options, values)
        for argument, (variable,) in cell.variables.items():
            error = ladder.error_of(back[argument], expected[variable])
            assert error < 1e-6, variable


def two_updates(checkpoint, gradients, make):
    """{variable: array} after two steps of a compat.v1 session."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        made = {
            name: v1.get_variable(name, initializer=checkpoint.read(name))
            for name in gradients
        }
        optimizer = make(v1)
        step = optimizer.apply_gradients(
            [(tf.constant(gradients[name]), made[name]) for name in made]
        )
        session.run(v1.global_variables_initializer())
        names = {v.op.name: v for v in v1.global_variables()}
        stored = [name for name in names if name in checkpoint.shapes]
        assert len(stored) > len(made)
        for name in stored:
            names[name].load(checkpoint.read(name), session)
        for _ in range(2):
            session.run(step)
        return session.run(made)


# --- Residuals within one direction of two ---


def random_npz(path, shapes, seed=3):
    random = np.random.default_rng(seed)
    arrays = {
        name: random.uniform(-0.5, 0.5, shape).astype("float32")
        for name, shape in shapes.items()
    }
    np.savez(path, **arrays)
    return arrays


def as_gru(arrays, scope):
    return tf1_cells.GRUCell(
        **{
            f"{part}_{what}": arrays[f"{scope}/{part}s/{what}"]
            if part == "gate"
            else arrays[f"{scope}/{part}/{what}"]
            for part in ("gate", "candidate")
            for what in ("kernel", "bias")
        }
    )


RESIDUAL = "bidirectional_rnn/{}/multi_rnn_cell/cell_{}/gru_cell"


def test_residuals_of_two_directions_are_kept(tmp_path):
    shapes = {}
    for way in ("fw", "bw"):
        shapes |= gru(RESIDUAL.format(way, 0), 3, 5)
        shapes |= gru(RESIDUAL.format(way, 1), 5, 5)
    arrays = random_npz(tmp_path / "two.npz", shapes)
    found = rnn_parity.convert_checkpoint(tmp_path / "two.npz", residual=True)
    random = np.random.default_rng(4)
    inputs = random.standard_normal((3, 6, 3)).astype("float32")
    lengths = np.array([6, 2, 0])
    state = random.standard_normal((2, 2, 3, 5)).astype("float32")
    outputs, final = found.run(inputs, state, lengths)
    for at, way in enumerate(("fw", "bw")):
        cell = tf1_cells.MultiRNNCell(
            [
                as_gru(arrays, RESIDUAL.format(way, 0)),
                tf1_cells.ResidualWrapper(
                    as_gru(arrays, RESIDUAL.format(way, 1))
                ),
            ]
        )
        x = tf1_rnn.reverse_sequence(inputs, lengths) if at else inputs
        y, last = tf1_rnn.dynamic_rnn(cell, x, tuple(state[at]), lengths)
        y = tf1_rnn.reverse_sequence(y, lengths) if at else y
        np.testing.assert_allclose(outputs[at], y, atol=2e-6)
        np.testing.assert_allclose(final[at], last, atol=2e-6)
    assert set(found.report.own) == {
        RESIDUAL.format(way, 1) for way in ("fw", "bw")
    }
    with pytest.raises(UserError, match="a residual within one direction"):
        rnn_parity.convert_checkpoint(
            tmp_path / "two.npz", residual=True, strict=True
        )


def test_a_saved_residual_loads_and_goes_back(tmp_path):
    shapes = {}
    for way in ("fw", "bw"):
        shapes |= gru(f"bidirectional_rnn/{way}/gru_cell", 4, 4)
    arrays = random_npz(tmp_path / "one.npz", shapes)
    found = rnn_parity.convert_checkpoint(tmp_path / "one.npz", residual=True)
    found.save(tmp_path / "one.keras")
    loaded = keras.models.load_model(tmp_path / "one.keras")
    x = np.random.default_rng(5).standard_normal((2, 3, 4)).astype("f")
    np.testing.assert_array_equal(loaded(x), found.model(x))
    export_checkpoint(tmp_path / "one.keras", tmp_path / "back.ckpt")
    reader = tf.train.load_checkpoint(str(tmp_path / "back.ckpt"))
    for name, array in arrays.items():
        np.testing.assert_array_equal(reader.get_tensor(name), array)


# --- What else a checkpoint may hold ---


def bundle(path, tensors):
    """A checkpoint of the second format, of any dtype."""
    tf.raw_ops.SaveV2(
        prefix=str(path),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(tensor) for tensor in tensors.values()],
    )


def lstm_tensors(dtype):
    random = np.random.default_rng(6)
    return {
        "rnn/lstm_cell/kernel": tf.cast(random.random((8, 20)), dtype),
        "rnn/lstm_cell/bias": tf.cast(random.random(20), dtype),
    }


def test_bfloat16_is_read_as_float32(tmp_path):
    bundle(tmp_path / "narrow", lstm_tensors(tf.bfloat16))
    found = rnn_parity.convert_checkpoint(tmp_path / "narrow")
    outputs, _ = found.run(np.ones((2, 3, 3)))
    assert outputs.dtype == np.float32
    assert any(
        "bfloat16 are read as float32" in n for n in found.report.notes
    )


@pytest.mark.parametrize("dtype", [tf.int32, tf.complex64])
def test_weights_that_are_no_real_numbers_are_named(tmp_path, dtype):
    bundle(tmp_path / "odd", lstm_tensors(dtype))
    with pytest.raises(UserError, match=f"kernel holds {dtype.name}"):
        rnn_parity.convert_checkpoint(tmp_path / "odd")


def test_strings_are_kept_like_any_other_variable(tmp_path):
    from rnn_parity.checkpoints import export, saving

    words = np.array([b"one", b"a\0b\0", b""], object)
    strings = {"vocabulary": words, "label": np.array(b"end\0", object)}
    bundle(tmp_path / "words", lstm_tensors(tf.float32) | strings)
    found = rnn_parity.convert_checkpoint(tmp_path / "words")
    found.save(tmp_path / "words.keras")
    origin = saving.read_origin(tmp_path / "words.keras")
    for name, value in strings.items():
        np.testing.assert_array_equal(origin.kept[name](), value)
    export.export_checkpoint(tmp_path / "words.keras", tmp_path / "back")
    back = tf.train.load_checkpoint(str(tmp_path / "back"))
    for name, value in strings.items():
        assert np.array_equal(np.array(back.get_tensor(name), object), value)


def test_brackets_in_a_path_are_no_pattern(tmp_path):
    folder = tmp_path / "a [1]*?"
    folder.mkdir()
    bundle(folder / "model [2].ckpt", lstm_tensors(tf.float32))
    found = rnn_parity.convert_checkpoint(folder)
    assert found.layers["rnn/lstm_cell"].units == 5
    found.save(folder / "model [2].keras")  # reads what it keeps
    assert (folder / "model [2].keras").exists()


def test_strict_refuses_a_wrapper_that_is_left_out(tmp_path):
    shapes = {
        "rnn/lstm_cell/kernel": (8, 16),
        "rnn/lstm_cell/bias": (16,),
        "rnn/carry_w": (4, 4),
        "rnn/carry_b": (4,),
    }
    random_npz(tmp_path / "highway.npz", shapes)
    assert rnn_parity.convert_checkpoint(tmp_path / "highway.npz")
    with pytest.raises(UserError, match="carry_b is a HighwayWrapper"):
        rnn_parity.convert_checkpoint(tmp_path / "highway.npz", strict=True)


def test_shards_of_a_projection_are_all_named(tmp_path):
    shapes = {"RNN/LSTMCell/W_0": (11, 24), "RNN/LSTMCell/B": (24,)}
    shapes |= {f"RNN/LSTMCell/W_P_{shard}": (3, 4) for shard in (0, 1)}
    random_npz(tmp_path / "shards.npz", shapes)
    found = rnn_parity.convert_checkpoint(tmp_path / "shards.npz")
    (lacking,) = found.report.own.values()
    assert "W_P_0, RNN/LSTMCell/W_P_1" in lacking
