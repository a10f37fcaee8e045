"""The tutorial's constants, and what happens to impossible ones."""

import dataclasses

import pytest

from rnn_parity import Config, UserError


def test_the_defaults_are_the_tutorials():
    assert dataclasses.asdict(Config()) == {
        "num_epochs": 100,
        "total_series_length": 50000,
        "truncated_backprop_length": 15,
        "state_size": 4,
        "num_classes": 2,
        "echo_step": 3,
        "batch_size": 5,
        "num_layers": 3,
        "learning_rate": 0.3,
        "output_keep_prob": 0.5,
        "dtype": "float32",
    }
    assert Config().num_batches == 666


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"batch_size": 7}, "batch_size 7 does not divide"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 5.5}, "batch_size is 5.5"),
        ({"batch_size": True}, "batch_size is True"),
        ({"state_size": -1}, "state_size is -1"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"num_layers": 1001}, "num_layers is 1001; it must be at most 1000"),
        ({"num_classes": 0}, "num_classes is 0"),
        ({"num_epochs": 2**31}, "it must be at most 2147483647"),
        ({"num_epochs": "9"}, "num_epochs is '9'"),
        ({"truncated_backprop_length": 0}, "truncated_backprop_length is 0"),
        ({"truncated_backprop_length": 10001}, "10000 steps a row"),
        ({"echo_step": -1}, "echo_step is -1"),
        ({"echo_step": 50000}, "echo_step 50000 is not shorter"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"learning_rate": 1e39}, "learning_rate is 1e+39"),
        ({"output_keep_prob": 0}, "output_keep_prob is 0"),
        ({"output_keep_prob": 1.01}, "output_keep_prob is 1.01"),
        ({"dtype": "float16"}, "float32, float64"),
        ({"dtype": None}, "dtype is None"),
        ({"total_series_length": 3}, "does not divide"),
    ],
)
def test_an_impossible_config_is_one_clear_line(fields, words):
    with pytest.raises(UserError, match=r"\A[^\n]+\Z") as caught:
        Config(**fields)
    assert words in str(caught.value)


def test_a_config_cannot_be_changed_and_can_be_a_key():
    config = Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.batch_size = 7
    assert {config: 1}[Config()] == 1
    assert config.replace(batch_size=10).batch_size == 10
    with pytest.raises(UserError):
        config.replace(batch_size=7)
