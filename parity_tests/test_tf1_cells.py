"""numpy_ref's cells and loops against what TensorFlow 1.15.5 computed."""

import numpy as np
import pytest
import tf1_cases

import recorded
from numpy_ref import tf1_attention_cells as attention
from numpy_ref import tf1_cells as cells
from numpy_ref import tf1_contrib_cells as contrib
from numpy_ref import tf1_frequency_cells as frequency
from numpy_ref import tf1_rnn
from rnn_parity import ladder, tolerances
from rnn_parity.quiet import tf
from tf2 import tf1_cells as tf2_cells

NAMES = [*tf1_cases.CELLS, *tf1_cases.LOOPS]
ALL = [
    (name, dtype)
    for name in NAMES
    for dtype in tf1_cases.recorded_dtypes()[name]
]


def errors(name, dtype):
    """{array: its error}, names, dtypes and shapes being equal."""
    case = tf1_cases.Recorded(name, dtype)
    found = tf1_cases.run(name, case)
    assert sorted(found) == sorted(case.expected)
    for key, value in case.expected.items():
        assert found[key].dtype == value.dtype == dtype
        assert found[key].shape == value.shape
    return {
        key: ladder.error_of(found[key], value)
        for key, value in case.expected.items()
    }


@pytest.mark.parametrize(("name", "dtype"), ALL)
def test_numpy_computes_what_tensorflow_1_did(name, dtype):
    allowed = tolerances.CELLS[dtype].allowed
    assert max(errors(name, dtype).values()) <= allowed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_tolerance_is_no_looser_than_it_must_be(dtype):
    row = tolerances.CELLS[dtype]
    largest = max(
        max(errors(*one).values()) for one in ALL if one[1] == dtype
    )
    assert row.measured / 4 <= largest <= row.allowed
    assert row.allowed <= 4 * row.measured


def test_every_recorded_case_is_checked():
    assert sorted(NAMES) == sorted(tf1_cases.recorded_dtypes())


def test_the_recorded_file_says_where_it_comes_from():
    says = recorded.provenance(tf1_cases.PATH, tf1_cases.arrays())
    assert (says["tensorflow"], says["python"][:3]) == ("1.15.5", "3.7")
    given = {
        name: array
        for name, array in tf1_cases.arrays().items()
        if name != "provenance"
        and name.split("/")[1] not in ("float32", "float64")
    }
    assert recorded.fingerprint(given) == says["inputs_sha256"]


# --- What no recording says ---

RNG = np.random.RandomState(7)


def draw(*shape):
    return RNG.normal(0.1, 0.6, shape)


def an_lstm(inputs=3, units=5, **options):
    kernel = draw(inputs + units, 4 * units)
    return cells.LSTMCell(kernel=kernel, bias=draw(4 * units), **options)


def a_gru(inputs=3, units=5):
    return cells.GRUCell(
        gate_kernel=draw(inputs + units, 2 * units),
        gate_bias=draw(2 * units),
        candidate_kernel=draw(inputs + units, units),
        candidate_bias=draw(units),
    )


def test_sizes_are_found_in_the_arrays():
    projected = cells.LSTMCell(
        kernel=draw(3 + 2, 20), bias=draw(20), projection_kernel=draw(5, 2)
    )
    stack = cells.MultiRNNCell([projected, a_gru(2, 4)])
    assert (stack.input_size, stack.output_size) == (3, 4)
    assert stack.state_size == ((5, 2), 4)
    (c, h), state = stack.zero_state(6)
    assert (c.shape, h.shape, state.shape) == ((6, 5), (6, 2), (6, 4))
    assert cells.ConcatenatedState(stack).state_size == 11


def test_without_an_initial_state_all_start_from_zeros():
    stack = cells.MultiRNNCell([an_lstm(), a_gru(5, 4)])
    inputs = draw(2, 6, 3)
    outputs, state = tf1_rnn.dynamic_rnn(stack, inputs)
    zeros = stack.zero_state(2)
    same, same_state = tf1_rnn.dynamic_rnn(stack, inputs, zeros)
    np.testing.assert_array_equal(outputs, same)
    cells.map_state(np.testing.assert_array_equal, state, same_state)


def test_images_start_from_zeros_of_their_size():
    cell = contrib.ConvLSTMCell(kernel=draw(2, 3, 5, 8), image_shape=[4, 3])
    series = draw(2, 6, 4, 3, 3)
    outputs, state = tf1_rnn.dynamic_rnn(cell, series, None, [6, 4])
    zeros = tuple(np.zeros((2, 4, 3, 2)) for _ in range(2))
    same, same_state = tf1_rnn.dynamic_rnn(cell, series, zeros, [6, 4])
    np.testing.assert_array_equal(outputs, same)
    cells.map_state(np.testing.assert_array_equal, state, same_state)
    assert not outputs[1, 4:].any()


def test_no_steps_leave_the_state_as_it_was():
    state = (draw(2, 5), draw(2, 5))
    outputs, final = tf1_rnn.dynamic_rnn(an_lstm(), draw(2, 0, 3), state)
    assert outputs.shape == (2, 0, 5)
    assert final is state


def test_a_step_writes_to_nothing_that_it_was_given():
    cell, inputs, state = an_lstm(), draw(2, 3), (draw(2, 5), draw(2, 5))
    given = [array.copy() for array in (inputs, *state)]
    cell.step(inputs, state)
    for array, copy in zip((inputs, *state), given, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_reversing_twice_changes_nothing():
    series, lengths = draw(4, 6, 2), [6, 0, 4, 1]
    once = tf1_rnn.reverse_sequence(series, lengths)
    np.testing.assert_array_equal(once[2, :4], series[2, 3::-1])
    np.testing.assert_array_equal(once[2, 4:], series[2, 4:])
    np.testing.assert_array_equal(
        tf1_rnn.reverse_sequence(once, lengths), series
    )


NORMS = {name: draw(5) for name in cells.LayerNormBasicLSTMCell.NORMALISED}
WRONG = {
    "bias has shape": lambda: cells.BasicRNNCell(
        kernel=draw(8, 5), bias=draw(4)
    ),
    "candidate_bias has shape": lambda: cells.GRUCell(
        gate_kernel=draw(8, 10),
        gate_bias=draw(10),
        candidate_kernel=draw(8, 5),
        candidate_bias=draw(3),
    ),
    "w_i_diag has shape": lambda: an_lstm(w_i_diag=draw(4)),
    "all three peepholes or none": lambda: an_lstm(w_i_diag=draw(5)),
    "either a bias, or gammas": lambda: cells.LayerNormBasicLSTMCell(
        kernel=draw(8, 20), bias=draw(20), gammas=NORMS, betas=NORMS
    ),
    "transform has shape": lambda: cells.LayerNormBasicLSTMCell(
        kernel=draw(8, 20),
        gammas=NORMS | {"transform": draw(1)},
        betas=NORMS,
    ),
    "5 outputs lies under one with 3": lambda: cells.MultiRNNCell(
        [an_lstm(), an_lstm()]
    ),
    "as many outputs as inputs, not 5 and 3": lambda: cells.ResidualWrapper(
        an_lstm()
    ),
    "carry_w has shape": lambda: cells.HighwayWrapper(
        a_gru(5), carry_w=draw(3, 3), carry_b=draw(5)
    ),
    "hidden_kernel has shape": lambda: cells.CudnnCompatibleGRUCell(
        gate_kernel=draw(8, 10),
        gate_bias=draw(10),
        input_kernel=draw(3, 5),
        input_bias=draw(5),
        hidden_kernel=draw(5, 4),
        hidden_bias=draw(5),
    ),
    "in_kernel has shape": lambda: contrib.IntersectionRNNCell(
        kernel=draw(10, 20),
        bias=draw(20),
        in_kernel=draw(3, 4),
        in_bias=draw(5),
    ),
    "ratio_on has shape": lambda: contrib.PhasedLSTMCell(
        mask_kernel=draw(8, 10),
        mask_bias=draw(10),
        new_kernel=draw(8, 5),
        new_bias=draw(5),
        output_kernel=draw(8, 5),
        output_bias=draw(5),
        period=draw(5),
        phase=draw(5),
        ratio_on=draw(4),
    ),
    "ConvLSTMCell: bias has shape": lambda: contrib.ConvLSTMCell(
        kernel=draw(3, 5, 8), image_shape=[4], bias=draw(4)
    ),
    "w_o_diag has shape": lambda: frequency.TimeFreqLSTMCell(
        kernel=draw(9, 12), bias=draw(12), input_size=7, w_o_diag=draw(4)
    ),
    "query_kernel has shape": lambda: attention.AttentionCellWrapper(
        an_lstm(),
        kernel=draw(3 + 2, 3),
        bias=draw(3),
        attn_w=draw(1, 1, 2, 4),
        attn_v=draw(4),
        query_kernel=draw(5, 4),
        query_bias=draw(4),
        output_kernel=draw(5 + 2, 2),
        output_bias=draw(2),
        attn_length=3,
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_arrays_that_do_not_fit_are_named(message):
    with pytest.raises(ValueError, match=message):
        WRONG[message]()


def test_the_recorded_phased_lstm_is_open_half_open_and_closed():
    case = tf1_cases.Recorded("PhasedLSTMCell", "float32")
    cell = tf1_cases.CELLS["PhasedLSTMCell"](case)
    times = case.inputs[:3, :, :1].reshape(-1, 1)
    phi = np.mod(times - cell.phase, cell.period) / cell.period
    opens = phi < cell.ratio_on / 2
    closed = phi >= cell.ratio_on
    for seen in (opens, closed, ~opens & ~closed):
        assert seen.sum() >= 10


def test_layer_normalisation_in_half_precision_adds_more():
    """1e-12 is 0 there; tf.contrib.layers.layer_norm took 1e-3 instead."""
    x = np.float16([[0, 0, 0], [1, 2, 6]])
    gamma, beta = np.float16([2, 1, 3]), np.float16([0.5, -1, 0])
    deviation = np.float64(x[1]) - 3
    wanted = gamma * deviation / np.sqrt(14 / 3 + 1e-3) + beta
    got = cells.layer_norm(x, gamma, beta)
    np.testing.assert_array_equal(got[0], beta)
    np.testing.assert_allclose(got[1], wanted, rtol=2e-3)
    keras_cell = tf2_cells.TF1LSTMCell(3, layer_norm=True, dtype="float16")
    keras_cell.gammas, keras_cell.betas = {"any": gamma}, {"any": beta}
    np.testing.assert_allclose(
        keras_cell.norm(tf.constant(x), "any"), got, rtol=2e-3
    )
