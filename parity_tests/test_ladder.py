"""The ladder notices what it should, and names it."""

import copy

import numpy as np
import pytest

from rnn_parity import SECTIONS, check, ladder

SECTION = SECTIONS["s1"]


@pytest.fixture
def pair():
    """Two copies of one observation."""
    truth = check.recorded_observation("s1", "odd", "float64", "1.15.5")
    return copy.deepcopy(truth), truth


def first(observed, reference):
    return ladder.first_difference(
        ladder.compare(observed, reference, SECTION, "float64")
    )


def test_equal_observations_agree(pair):
    assert first(*pair) is None


@pytest.mark.parametrize("rung", ladder.RUNGS[1:])
@pytest.mark.parametrize("wrong", [1e-6, np.nan, np.inf, -np.inf])
def test_one_wrong_number_is_found_where_it_is(pair, rung, wrong):
    observed, reference = pair
    name = list(reference[rung])[-1]
    array = np.array(observed[rung][name])
    array.flat[array.size - 1] += wrong
    observed[rung][name] = array
    found = first(observed, reference)
    assert (found.rung, found.tensor) == (rung, name)
    assert found.index == tuple(n - 1 for n in array.shape)
    assert str(found.reference) in str(found)
    assert str(found.value) in str(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a[:-1], "float64 [6, 6, 3]"),
        (lambda a: a.astype("float32"), "float32 [7, 6, 3]"),
        (lambda a: a[None], "float64 [1, 7, 6, 3]"),
    ],
)
def test_a_wrong_shape_or_dtype_is_the_lowest_rung(pair, change, words):
    observed, reference = pair
    observed["logits"]["logits"] = change(observed["logits"]["logits"])
    found = first(observed, reference)
    assert (found.rung, found.tensor) == ("shapes", "logits")
    assert words in str(found)
    assert "float64 [7, 6, 3]" in str(found)


def test_missing_and_surplus_tensors_do_not_pass(pair):
    observed, reference = pair
    surplus = copy.deepcopy(observed)
    surplus["gradients"]["W3"] = np.zeros(3)
    assert first(surplus, reference).rung == "shapes"
    del observed["gradients"]["W"]
    assert first(observed, reference).rung == "shapes"


def test_nan_on_both_sides_is_no_agreement(pair):
    observed, reference = copy.deepcopy(pair)
    for side in (observed, reference):
        side["loss"]["loss"] = np.array(np.nan)
    assert first(observed, reference).rung == "loss"


def test_the_error_is_relative_only_above_one():
    reference = {"logits": {}}
    reference["logits"]["logits"] = np.array([100.0, 0.5])
    observed = copy.deepcopy(reference)
    observed["logits"]["logits"] = np.array([100.0, 0.6])
    (difference,) = ladder.compare(observed, reference, SECTION, "float64")
    assert difference.error == pytest.approx(0.001)
    assert difference.ulps == pytest.approx(0.1 / np.spacing(100.0))
