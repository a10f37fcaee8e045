"""Symbols that the lessons do not use, but that readers' programs do."""

import keras
import numpy as np
import pytest

from rnn_parity.quiet import tf

v1 = tf.compat.v1


def in_a_session(make):
    """What a TensorFlow 1 session fetches of what `make` returns."""
    with tf.Graph().as_default(), v1.Session() as session:
        fetches = make()
        session.run(v1.global_variables_initializer())
        return session.run(fetches)


def test_zero_state():
    def old():
        cells = [v1.nn.rnn_cell.LSTMCell(units) for units in (5, 4)]
        stack = v1.nn.rnn_cell.MultiRNNCell(cells)
        return stack.zero_state(3, tf.float32)

    cells = [keras.layers.LSTMCell(units) for units in (5, 4)]
    stack = keras.layers.StackedRNNCells(cells)
    new = stack.get_initial_state(batch_size=3)
    for (c, h), (keras_h, keras_c) in zip(
        in_a_session(old), new, strict=True
    ):
        np.testing.assert_array_equal(c, keras_c)
        np.testing.assert_array_equal(h, keras_h)


def test_where_chose_rows():
    """And chooses columns today, where there are as many."""
    x, y = np.random.default_rng(6).normal(size=(2, 4, 4))
    chosen = np.array([True, False, False, True])
    old = in_a_session(lambda: v1.where(chosen, x, y))
    np.testing.assert_array_equal(old[0], x[0])
    np.testing.assert_array_equal(old[1], y[1])
    np.testing.assert_array_equal(tf.where(chosen[:, None], x, y), old)
    np.testing.assert_array_equal(tf.where(chosen, x, y)[:, 0], x[:, 0])
    np.testing.assert_array_equal(tf.where(chosen, x, y)[:, 1], y[:, 1])


@pytest.mark.parametrize("norm", [0.5, 50.0])
def test_clip_by_global_norm(norm):
    rng = np.random.default_rng(4)
    gradients = [rng.normal(size=shape) for shape in ((3, 4), (4,))]
    old = in_a_session(lambda: tf.clip_by_global_norm(gradients, norm))
    new = tf.clip_by_global_norm(gradients, norm)
    pairs = zip(tf.nest.flatten(old), tf.nest.flatten(new), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_gradient_descent():
    rng = np.random.default_rng(5)
    start, gradient = rng.normal(size=(2, 3, 4)).astype("float32")

    def old():
        variable = v1.Variable(start)
        optimizer = v1.train.GradientDescentOptimizer(0.3)
        step = optimizer.apply_gradients([(gradient, variable)])
        with tf.control_dependencies([step]):
            return variable.read_value()

    variable = tf.Variable(start)
    optimizer = keras.optimizers.SGD(0.3)
    optimizer.apply([tf.constant(gradient)], [variable])
    np.testing.assert_array_equal(in_a_session(old), variable)
