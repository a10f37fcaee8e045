"""Shapes nobody would think of: the three versions still agree."""

import dataclasses

import hypothesis
import pytest
from conftest import make_inputs, spread
from hypothesis import strategies as st

import rnn_parity
from rnn_parity import Config, ladder

# Each shape builds graphs anew, so a few of them have to do; the corners
# that are known to bite are always among them.
CORNERS = (
    {"batch_size": 1},
    {"truncated_backprop_length": 1},
    {"state_size": 1},
    {"num_layers": 1},
    {"num_classes": 1},
    dict.fromkeys(
        (
            "batch_size",
            "truncated_backprop_length",
            "state_size",
            "num_layers",
        ),
        1,
    ),
)
USUAL = {
    "batch_size": 2,
    "truncated_backprop_length": 3,
    "state_size": 4,
    "num_layers": 2,
    "num_classes": 3,
}


def config_of(sizes, **more):
    length = 2 * sizes["batch_size"] * sizes["truncated_backprop_length"]
    return Config(
        total_series_length=length,
        echo_step=0,
        dtype="float64",
        **sizes,
        **more,
    )


def assert_agreement(key, inputs):
    observed = {
        version: ladder.observe(
            rnn_parity.load(key, version), inputs, "float64"
        )
        for version in rnn_parity.IMPLEMENTATIONS
    }
    section = rnn_parity.SECTIONS[key]
    for version in ("legacy_v1", "tf2"):
        first = ladder.first_difference(
            ladder.compare(
                observed[version], observed["numpy_ref"], section, "float64"
            )
        )
        assert first is None, f"{version} and numpy_ref differ at {first}"


def in_turn(one):
    """Every corner with a section or two, and every section."""
    key, corner = one
    return (int(key[1:]) + CORNERS.index(corner)) % 5 == 0


@pytest.mark.parametrize(
    ("key", "corner"),
    spread(
        [(key, corner) for key in rnn_parity.SECTIONS for corner in CORNERS],
        in_turn,
    ),
    ids=str,
)
def test_corners_agree(key, corner):
    config = config_of({**USUAL, **corner})
    assert_agreement(key, make_inputs(key, config, seed=5))


@pytest.mark.parametrize(
    "key", spread([*rnn_parity.SECTIONS], ["s2", "s6"].__contains__)
)
def test_one_class_more_than_the_labels_use(key):
    inputs = make_inputs(key, config_of(USUAL), seed=6)
    assert inputs.batches_y.max() == 2
    wider = config_of({**USUAL, "num_classes": 4})
    roomy = make_inputs(key, wider, seed=6)
    labels = inputs.batches_y
    assert_agreement(key, dataclasses.replace(roomy, batches_y=labels))


@pytest.mark.parametrize(
    "name", spread([*rnn_parity.SECTIONS], ["s7"].__contains__)
)
@hypothesis.settings(max_examples=3, deadline=None, derandomize=True)
@hypothesis.given(data=st.data())
def test_drawn_shapes_agree(name, data):
    size = st.integers(1, 4)
    sizes = {field: data.draw(size, field) for field in USUAL}
    rates = {
        "learning_rate": data.draw(st.floats(0.01, 0.3), "learning_rate"),
        "output_keep_prob": data.draw(st.floats(0.3, 1.0), "keep"),
    }
    seed = data.draw(st.integers(0, 2**16), "seed")
    config = config_of(sizes, **rates)
    assert_agreement(name, make_inputs(name, config, seed=seed))
