"""The versions agree, with one another and with genuine TensorFlow 1.

The same comparisons, cases and tolerances as `rnn-parity check`.
"""

import pytest
from conftest import spread

from rnn_parity import check, ladder


def in_make_test(comparison):
    """Every section at odd sizes; `make check` has all of them, too."""
    sections = {
        ("float64", "odd"): ("s1", "s2", "s3", "s4", "s5", "s6", "s7"),
        ("float64", "tutorial"): ("s1", "s4"),
        ("float32", "odd"): ("s2", "s6"),
    }
    of_case = sections.get((comparison.dtype, comparison.case), ())
    return comparison.section in of_case


@pytest.mark.parametrize(
    "comparison", spread(check.comparisons(), in_make_test), ids=str
)
def test_versions_agree(comparison):
    differences = check.run(comparison)
    first = ladder.first_difference(differences)
    assert first is None, f"{comparison} differ first at {first}"


def test_every_rung_of_the_ladder_is_climbed(key):
    wanted = check.comparisons([key], ["float64"], ["odd"])
    for comparison in wanted:
        climbed = {d.rung for d in check.run(comparison)}
        assert climbed == set(ladder.RUNGS) - {"shapes"}


def test_gradients_are_compared_for_every_variable_and_the_state(key):
    (comparison, *_) = check.comparisons([key], ["float64"], ["odd"])
    compared = [
        d.tensor for d in check.run(comparison) if d.rung == "gradients"
    ]
    section = check.sections.SECTIONS[key]
    config = check.cases.CASES["odd"].config
    wanted = {*section.param_shapes(config), "init_state"}
    assert set(compared) == wanted


def test_no_case_starts_from_a_symmetric_or_zero_place(key):
    for case in check.cases.CASES:
        inputs = check.recorded_inputs(key, case, "float64")
        for name, value in [
            *inputs.params.items(),
            ("init_state", inputs.init_state),
        ]:
            assert (value != 0).all(), name
            assert len(set(value.flat)) == value.size, name


def test_the_odd_case_has_no_two_sizes_alike():
    config = check.cases.CASES["odd"].config
    sizes = [
        config.batch_size,
        config.truncated_backprop_length,
        config.state_size,
        config.num_classes,
        config.num_layers,
        2,  # the axis of c and h
        1,  # the depth of the input
    ]
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("version", check.sections.IMPLEMENTATIONS)
def test_static_and_dynamic_unrolling_agree(version, dtype):
    """Sections 4 and 5 are one network; they share weights and data."""
    static, dynamic = (
        check.observation(key, "odd", dtype, version) for key in ("s4", "s5")
    )
    first = ladder.first_difference(
        ladder.compare(dynamic, static, check.sections.SECTIONS["s5"], dtype)
    )
    assert first is None, f"dynamic and static differ first at {first}"
