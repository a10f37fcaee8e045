"""The echo task."""

import numpy as np
import pytest

from rnn_parity import Config, data


def test_the_target_is_the_input_some_steps_later():
    config = Config(echo_step=4, num_classes=3, total_series_length=600)
    x, y = data.generate_data(config, np.random.RandomState(1))
    assert x.shape == y.shape == (5, 120)
    series, echo = x.reshape(-1), y.reshape(-1)
    np.testing.assert_array_equal(echo[4:], series[:-4])
    np.testing.assert_array_equal(echo[:4], 0)
    assert set(series) == {0, 1, 2}


def test_the_window_slides_over_all_rows_at_once_and_drops_the_rest():
    config = Config(
        total_series_length=51, batch_size=3, truncated_backprop_length=5
    )
    series = np.arange(51).reshape(3, 17)
    windows = data.batch_windows(series, config)
    assert windows.shape == (config.num_batches, 3, 5) == (3, 3, 5)
    for index, window in enumerate(windows):
        start = 5 * index
        np.testing.assert_array_equal(window, series[:, start : start + 5])


def test_values_are_drawn_evenly():
    config = Config(num_classes=4, total_series_length=40000)
    x, _ = data.generate_data(config, np.random.RandomState(3))
    shares = np.bincount(x.reshape(-1)) / x.size
    assert shares == pytest.approx([0.25] * 4, abs=0.01)
