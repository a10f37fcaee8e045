"""The table of tolerances says what is true, and is no looser than that."""

import itertools

import pytest

import recorded
from rnn_parity import SECTIONS, cases, check, ladder, tolerances

ROWS = pytest.mark.parametrize(
    "row", tolerances.TABLE, ids=lambda r: f"{r.dtype} {r.rungs[0]}"
)


def between_releases(row):
    """The largest error between two releases on the row's rungs."""
    largest = 0.0
    # Section 6 aside: every release drew dropout masks of its own.
    keys = [key for key in row.sections if not SECTIONS[key].masks]
    for key, case, pair in itertools.product(
        keys, cases.CASES, itertools.permutations(recorded.RELEASES, 2)
    ):
        both = [
            check.recorded_observation(key, case, row.dtype, release)
            for release in pair
        ]
        for difference in ladder.compare(*both, SECTIONS[key], row.dtype):
            if difference.rung in row.rungs:
                largest = max(largest, difference.error)
    return largest


@ROWS
def test_genuine_releases_differ_by_what_the_table_says(row):
    assert between_releases(row) == pytest.approx(
        row.releases, rel=0.05, abs=0
    )


@ROWS
def test_no_tolerance_is_looser_than_about_three_times_that(row):
    assert row.allowed <= 3.7 * max(row.releases, row.measured)
    # What genuine releases were seen to differ by on other weights too.
    ceiling = {"float32": 1.3e-6, "float64": 2e-14}[row.dtype]
    assert row.allowed <= 3 * ceiling
    assert row.measured < row.allowed
    assert row.reason


def test_every_rung_of_every_section_has_exactly_one_row():
    for section in SECTIONS.values():
        for rung in ladder.RUNGS[1:]:
            for dtype in ("float32", "float64"):
                rows = [
                    row
                    for row in tolerances.TABLE
                    if row.dtype == dtype
                    and rung in row.rungs
                    and section.key in row.sections
                ]
                assert rows == [tolerances.find(section, rung, dtype)]


def test_a_rung_without_a_row_is_a_bug():
    with pytest.raises(LookupError, match=r"^no tolerance for s1 shapes flo"):
        tolerances.find(SECTIONS["s1"], "shapes", "float32")
