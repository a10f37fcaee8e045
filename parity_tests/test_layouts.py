"""Where every number of a kernel and a bias goes between the two layouts.

A number says its row, its gate and its unit, and every result is written
out by these, so that an exchange of any two is seen.
"""

import types

import numpy as np
import pytest

from rnn_parity import SECTIONS, layouts
from rnn_parity.config import Config

INPUTS, UNITS = 3, 2
ROWS = INPUTS + UNITS


def kernel(rows, *gates):
    """[rows, gates * UNITS]; row 1 and unit 1 of gate 3 is 131."""
    return np.array(
        [
            [
                100 * row + 10 * gate + unit
                for gate in gates
                for unit in (0, 1)
            ]
            for row in rows
        ],
        float,
    )


def bias(*gates):
    return kernel([7], *gates)[0]


def same(found, wanted):
    """The same arrays, as many and of the same shapes and dtypes."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, strict=True)


TF1_ROWS, OF_INPUTS, OF_STATE = (
    range(ROWS),
    range(INPUTS),
    range(INPUTS, ROWS),
)
# Gates i, j, f, o are 1, 2, 3, 4; r, u, c are 1, 2, 3.
LSTM = kernel(TF1_ROWS, 1, 2, 3, 4), bias(1, 2, 3, 4)
GRU = (
    *(kernel(TF1_ROWS, 1, 2), bias(1, 2)),
    *(kernel(TF1_ROWS, 3), bias(3)),
)


def lstm_of_keras(added):
    forget = np.array([0, 0, added, added, 0, 0, 0, 0])
    return (
        *(kernel(OF_INPUTS, 1, 3, 2, 4), kernel(OF_STATE, 1, 3, 2, 4)),
        bias(1, 3, 2, 4) + forget,
    )


def test_a_plain_cell_is_cut_below_the_inputs():
    tf1 = kernel(TF1_ROWS, 1), bias(1)
    of_keras = kernel(OF_INPUTS, 1), kernel(OF_STATE, 1), bias(1)
    same(layouts.simple_rnn_to_keras(*tf1), of_keras)
    same(layouts.simple_rnn_from_keras(*of_keras), tf1)


@pytest.mark.parametrize("forget_bias", [1.0, 0.0, -2.5])
def test_an_lstms_gates_and_forget_bias(forget_bias):
    there = layouts.lstm_to_keras(*LSTM, forget_bias)
    same(there, lstm_of_keras(forget_bias))
    same(layouts.lstm_from_keras(*there, forget_bias), LSTM)


def test_the_forget_bias_is_1_unless_told():
    same(layouts.lstm_to_keras(*LSTM), lstm_of_keras(1))
    same(layouts.lstm_from_keras(*lstm_of_keras(1)), LSTM)
    same([layouts.lstm_bias_to_keras(LSTM[1])], lstm_of_keras(1)[2:])
    same(
        [layouts.lstm_gates_to_keras(LSTM[0])],
        [kernel(TF1_ROWS, 1, 3, 2, 4)],
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bias_is_copied_and_minus_zero_stays(dtype):
    zeros = np.full(8, -0.0, dtype)
    found = layouts.lstm_bias_to_keras(zeros, 0.0)
    assert found.dtype == dtype
    assert np.signbit(found).all()
    back = layouts.lstm_from_keras(zeros[None], zeros[None], zeros, 2.0)[1]
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, [0, 0, 0, 0, -2, -2, 0, 0])
    assert np.signbit(zeros).all()
    assert not zeros.any()


def test_a_grus_gates():
    of_keras = (
        *(kernel(OF_INPUTS, 2, 1, 3), kernel(OF_STATE, 2, 1, 3)),
        bias(2, 1, 3),
    )
    same(layouts.gru_to_keras(*GRU), of_keras)
    same(layouts.gru_from_keras(*of_keras), GRU)


def test_a_cudnn_grus_two_biases():
    tf1 = (
        *(kernel(TF1_ROWS, 1, 2), bias(1, 2)),
        *(kernel(OF_INPUTS, 3), bias(3)),
        *(kernel(OF_STATE, 4), bias(4)),
    )
    there = (
        kernel(OF_INPUTS, 2, 1, 3),
        kernel(OF_STATE, 2, 1, 4),
        np.stack([bias(2, 1, 3), np.concatenate([np.zeros(4), bias(4)])]),
    )
    same(layouts.cudnn_gru_to_keras(*tf1), there)
    same(layouts.cudnn_gru_from_keras(*there), tf1)
    there[2][1, :4] = [5, 0, 7, 8]  # of the state's u, u, r, r
    added = bias(1, 2) + np.array([7, 8, 5, 0])
    same(layouts.cudnn_gru_from_keras(*there), (tf1[0], added, *tf1[2:]))
    there[2][0, :4] = -0.0
    there[2][1, :4] = 0.0
    assert np.signbit(layouts.cudnn_gru_from_keras(*there)[1]).all()


def turned(values, rows, columns):
    """What cuDNN keeps row by row, as [columns, rows] turned round."""
    flat = [float(v) for row in values for v in row]
    return [
        [flat[column * rows + row] for column in range(columns)]
        for row in range(rows)
    ]


@pytest.mark.parametrize("gates", [3, 4])
def test_a_cudnn_layers_kernels_are_turned_gate_by_gate(gates):
    numbers = range(1, gates + 1)
    both = np.arange(2 * gates * UNITS, dtype=float)
    given = (
        kernel(OF_INPUTS, *numbers),
        kernel(OF_STATE, *numbers),
        both,
    )
    wanted = [
        np.concatenate(
            [turned(kernel(rows, n), len(rows), UNITS) for n in numbers],
            axis=1,
        )
        for rows in (OF_INPUTS, OF_STATE)
    ]
    half = gates * UNITS
    biases = np.stack([both[:half], both[half:]])
    found = layouts.cudnn_layer_to_keras(*given)
    assert list(found) == ["kernel", "recurrent_kernel", "bias"]
    summed = both[:half] + both[half:]
    same(list(found.values()), [*wanted, summed if gates == 4 else biases])
    back = layouts.cudnn_layer_from_keras(**found)
    assert list(back) == ["kernel", "recurrent_kernel", "bias"]
    if gates == 4:
        both = np.concatenate([summed, np.zeros(half)])
    same(list(back.values()), [*given[:2], both])


CONFIG = Config(state_size=UNITS, num_layers=2)


@pytest.mark.parametrize(
    ("state", "gates"), [("single", (1,)), ("lstm", (1, 2, 3, 4))]
)
def test_a_sections_arrays_in_keras_order(state, gates):
    """Two cells with a read-out between them and one after."""
    first, second = (
        (kernel(rows, *gates), bias(*gates) + extra)
        for rows, extra in ((range(5), 0), (range(4), 0.5))
    )
    values = {
        "one/kernel": first[0],
        "one/bias": first[1],
        "W": np.ones((2, 5)),
        "two/kernel": second[0],
        "two/bias": second[1],
        "b": np.arange(5.0),
    }
    shapes = {name: value.shape for name, value in values.items()}
    section = types.SimpleNamespace(
        state=state,
        param_shapes=lambda config: shapes if config is CONFIG else None,
    )
    if state == "single":
        cells = [layouts.simple_rnn_to_keras(*one) for one in (first, second)]
        more = ()
    else:
        cells = [layouts.lstm_to_keras(*one, 0.25) for one in (first, second)]
        more = (0.25,)
    there = layouts.to_keras(section, values, *more)
    same(there, [*cells[0], values["W"], *cells[1], values["b"]])
    back = layouts.from_keras(section, CONFIG, there, *more)
    assert list(back) == list(values)
    same(list(back.values()), list(values.values()))
    if state == "lstm":
        cells = [layouts.lstm_to_keras(*one) for one in (first, second)]
        there = layouts.to_keras(section, values)
        same(there, [*cells[0], values["W"], *cells[1], values["b"]])
        back = layouts.from_keras(section, CONFIG, there)
        same(list(back.values()), list(values.values()))


def test_every_section_comes_back():
    for section in SECTIONS.values():
        shapes = section.param_shapes(CONFIG)
        values = {
            name: np.random.RandomState(at).normal(size=shape)
            for at, (name, shape) in enumerate(shapes.items())
        }
        there = layouts.to_keras(section, values, 0.0)
        back = layouts.from_keras(section, CONFIG, there, 0.0)
        assert list(back) == list(values)
        same(list(back.values()), list(values.values()))
