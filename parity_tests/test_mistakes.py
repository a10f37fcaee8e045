"""Every mistake of the catalogue turns the suite red, where it should."""

import pathlib

import pytest
from conftest import spread

from rnn_parity import mistakes

MADE = [
    (name, key, case)
    for name, mistake in mistakes.CATALOGUE.items()
    for key in mistake.sections
    for case in mistake.cases
]


def is_first(one):
    """Of the cases in which a mistake shows, the first."""
    name, _, case = one
    return case == mistakes.CATALOGUE[name].cases[0]


@pytest.mark.parametrize(("name", "key", "case"), spread(MADE, is_first))
def test_the_suite_notices(name, key, case):
    mistake = mistakes.CATALOGUE[name]
    for dtype in mistake.dtypes:
        measured = mistakes.measure(mistake, key, dtype, case)
        assert measured.rung == mistake.rung, (
            f"{name} in {key} ({dtype}, {case}) shows first at "
            f"{measured.rung!r}, not at {mistake.rung!r}"
        )


def test_without_a_mistake_nothing_is_noticed(key):
    right = mistakes.Mistake(
        name="none",
        explanation="nothing is wrong",
        sections=(key,),
        rung="one step",
        apply=lambda echo_rnn: echo_rnn,
    )
    for dtype in right.dtypes:
        assert mistakes.measure(right, key, dtype).rung is None


def test_every_entry_explains_itself():
    for mistake in mistakes.CATALOGUE.values():
        assert len(mistake.explanation) < 90, mistake.name
        assert mistake.explanation.endswith("."), mistake.name
        assert mistake.sections, mistake.name


def test_the_readme_counts_the_catalogue():
    readme = pathlib.Path(__file__).parent.parent / "README.md"
    assert f"each of {len(mistakes.CATALOGUE)} porting" in readme.read_text()
