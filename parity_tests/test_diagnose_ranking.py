"""How `rnn-parity diagnose` ranks explanations and words its verdict.

Errors are made up, so that it is known which explanation is how much worse.
"""

import contextlib
import dataclasses
import itertools
import types

import numpy as np
import pytest

from rnn_parity.checkpoints import diagnose as search
from rnn_parity.checkpoints.diagnose import (
    AS_IT_IS,
    EXPLAINED,
    UNEXPLAINED,
    Diagnosis,
    Explanation,
    Fit,
)
from rnn_parity.checkpoints.port_mistakes import Mistake
from rnn_parity.errors import UserError


def mistake(name, *touches, **more):
    return Mistake(name, f"cure of {name}", touches or (name,), **more)


def explained(name, relative, error=None, reading=""):
    fit = Fit(error or relative / 2, relative, reading)
    return Explanation((mistake(name),), fit)


def of_numbers(outputs=None, final=(), half=False):
    port = types.SimpleNamespace(
        states=((tuple(np.asarray(a) for a in final),),)
    )
    if outputs is not None:
        outputs = np.asarray(outputs, np.float16 if half else np.float64)
    return search._numbers(port, outputs, list(final) or None)


class Search(search._Search):
    """One whose ports are not run."""

    def __init__(self, without=0.5, outputs=None, final=()):
        if outputs is None:
            outputs = np.ones((2, 3, 2))
        self.numbers = of_numbers(outputs, final)
        self.tolerance = self.numbers.tolerance
        self.without = Fit(without, without, "")
        self.singles, self.alone, self.counts = [], {}, [0, 0, 0]


def names(explanations):
    return [explanation.name for explanation in explanations]


# --- Equally well ---


@pytest.mark.parametrize(
    ("errors", "best"),
    [
        ([2e-8, 9e-7, 1.1e-6], [2e-8, 9e-7]),  # rounding's size is a tie
        ([1.1e-6, 9e-7, 2e-8], [2e-8, 9e-7]),
        ([5e-7, 4.9e-6, 5.1e-6], [5e-7, 4.9e-6]),  # ten times is one
        ([2e-6, 1e-5, 1.1e-5], [2e-6, 1e-5]),  # beyond it nothing matches
        ([2**-20, 10 * 2**-20], [2**-20, 10 * 2**-20]),
        ([2e-8, 1e-6], [2e-8, 1e-6]),
        ([1e-8, 5e-6], [1e-8]),  # 500 times worse is not equal
        ([3e-7], [3e-7]),
        ([2e-5], []),
        ([], []),
    ],
)
def test_only_what_is_as_close_explains_as_well(errors, best):
    tried = [explained(str(error), error) for error in errors]
    one = Search()
    found = one.best(tried, one.explains)
    assert isinstance(found, tuple)
    assert [each.fit.relative for each in found] == best
    assert [each for each in found if each not in tried] == []


@pytest.mark.parametrize(
    ("relative", "without", "explains"),
    [
        (1e-5, 0.5, True),
        (1.01e-5, 0.5, False),  # beyond the tolerance
        (1e-6, 2e-5, True),  # 20 times smaller
        (1e-6, 1.9e-5, False),
        (0.0, 1.1e-6, True),
        (0.0, 1e-6, False),  # nothing to explain but rounding
    ],
)
def test_an_explanation_is_far_below_the_error_without(
    relative, without, explains
):
    one = Search(without)
    assert one.explains(explained("a", relative)) is explains


def test_together_they_are_far_below_each_of_them():
    a, b, c = mistake("a"), mistake("b"), mistake("c")
    one = Search()
    one.alone = {
        a: Fit(0, 0.1, ""),
        b: Fit(0, 0.2, ""),
        c: Fit(0, 1.9e-5, ""),
    }
    fit = Fit(0, 1e-6, "")
    assert one.together_explain(Explanation((a, b), fit))
    assert not one.together_explain(Explanation((a, c), fit))
    assert not one.together_explain(Explanation((c, a), fit))


def test_what_touches_the_same_does_not_combine():
    a, b = mistake("a", "x", "y"), mistake("b", "y")
    c, d = mistake("c", "z"), mistake("d", "w", "x")
    every = [a, b, c, d]
    assert search.combined(every, 2) == [(a, c), (b, c), (b, d), (c, d)]
    assert search.combined(every, 3) == [(b, c, d)]


# --- The order of the search ---


class Staged(Search):
    """Stages that give what they are told to; which were asked for."""

    def __init__(self, without=0.5, **stages):
        super().__init__(without)
        self.stages, self.asked = stages, []
        self.right = types.SimpleNamespace(run=lambda: "what it puts out")
        fits = {"what it puts out": Fit(without, without, "")}
        self.numbers = types.SimpleNamespace(fit=fits.get, count=99)

    def stage(self, name):
        self.asked.append(name)
        return self.stages.get(name, [])

    def try_singles(self):
        self.singles = list(self.stage("singles"))

    def outputs_fit(self):
        pass

    def silent(self):
        return ("silent",)

    def in_single_layers(self):
        return list(self.stage("layers"))

    def in_pairs(self):
        found = list(self.stage("pairs"))
        self.alone = {
            each: Fit(0.4, 0.4, "")
            for explanation in found
            for each in explanation.mistakes
        }
        return found

    def scaled(self):
        return tuple(self.stage("scaled"))

    def in_full(self, explanation):
        return explanation


GOOD, WORSE = explained("good", 1e-7), explained("worse", 0.3)
NEAR = explained("near", 0.2)


def test_singles_come_before_everything_else():
    one = Staged(singles=[WORSE, GOOD], layers=[GOOD], pairs=[GOOD])
    found = one.run(True)
    assert (found.verdict, found.explanations) == (EXPLAINED, (GOOD,))
    assert one.asked == ["singles"]
    assert found.closest is None


def test_then_single_layers_then_pairs_then_a_factor():
    one = Staged(singles=[WORSE], layers=[GOOD], pairs=[GOOD])
    assert one.run(True).explanations == (GOOD,)
    assert one.asked == ["singles", "layers"]
    one = Staged(singles=[WORSE], pairs=[GOOD])
    assert one.run(True).explanations == (GOOD,)
    assert one.asked == ["singles", "layers", "pairs"]
    one = Staged(singles=[WORSE], pairs=[GOOD])
    assert one.run(False).verdict == UNEXPLAINED
    assert one.asked == ["singles", "layers", "scaled"]
    one = Staged(singles=[WORSE], scaled=[GOOD])
    assert one.run(True).explanations == (GOOD,)
    assert one.asked == ["singles", "layers", "pairs", "scaled"]


@pytest.mark.parametrize(
    ("without", "verdict"),
    [(1e-5, AS_IT_IS), (1.01e-5, UNEXPLAINED), (1e-7, AS_IT_IS)],
)
def test_it_matches_as_it_is_within_the_tolerance(without, verdict):
    one = Staged(without, singles=[explained("as far", without)])
    found = one.run(True)
    assert found.verdict == verdict
    assert found.silent == (("silent",) if verdict == AS_IT_IS else ())
    assert found.without == Fit(without, without, "")
    assert found.tolerance == 1e-5
    # What is far closer still explains it better.
    one = Staged(1e-5, singles=[explained("far closer", 4e-7)])
    assert one.run(True).verdict == EXPLAINED


def test_the_closest_is_the_nearest_of_all_that_was_tried():
    one = Staged(singles=[WORSE], layers=[NEAR], pairs=[WORSE])
    assert one.run(True).closest is NEAR
    pair = Explanation((mistake("a"), mistake("b")), Fit(0.1, 0.1, ""))
    one = Staged(singles=[WORSE], layers=[NEAR], pairs=[pair])
    assert one.run(True).closest is pair
    # One percent nearer is not nearer.
    one = Staged(singles=[explained("hardly", 0.4951)])
    assert one.run(True).closest is None
    one = Staged(singles=[explained("exactly", 0.5 * search._NEARER)])
    assert one.run(True).closest is None
    one = Staged(singles=[explained("just", 0.4949)])
    assert names([one.run(True).closest]) == ["just"]


def test_few_numbers_are_said_to_be_few():
    for count, said in ((7, True), (8, False)):
        one = Staged()
        one.numbers.count = count
        found = one.told(EXPLAINED, explanations=(GOOD,))
        assert bool(found.notes) is said
        if said:
            assert found.notes == (
                "there are only 7 numbers to go by; more rows or steps "
                "would make it sure",
            )
        assert one.told(AS_IT_IS).notes == ()


# --- What is run of what ---


class Port:
    """Puts out `value` times what its inputs are."""

    def __init__(self, inputs, value=1.0, log=None):
        self.inputs, self.value = np.asarray(inputs, float), value
        self.log = [] if log is None else log

    def rows(self, count):
        return Port(self.inputs[:count], self.value, self.log)

    def run(self):
        self.log.append(len(self.inputs))
        outputs = self.inputs * self.value
        return types.SimpleNamespace(
            outputs=outputs, final_state=[], last={"last": outputs[:, -1]}
        )


def searching(inputs, outputs):
    return search._Search(
        Port(inputs), of_numbers(outputs), search._unwatched
    )


INPUTS = np.arange(1.0, 31.0).reshape(6, 5, 1) / 30


@pytest.mark.parametrize(
    ("value", "mixes", "rows"),
    [(2.0, False, [4, 6]), (3.0, False, [4]), (3.0, True, [6])],
)
def test_four_rows_rule_out_most(value, mixes, rows):
    one = searching(INPUTS, 2 * INPUTS)
    port = Port(INPUTS, value)
    first = mistake("first", mixes_rows=mixes)
    found = one.tried(port, first)
    assert port.log == rows
    assert found.mistakes == (first,)
    # Off by the inputs: the last of the rows that were run.
    largest = INPUTS[rows[-1] - 1].max() if value == 3 else 0
    assert found.fit.error == pytest.approx(largest / max(1, 2 * largest))
    assert one.counts == [1, 0, 0]
    one.tried(port, first, mistake("second"))
    one.tried(port, first, mistake("second"), mistake("third"))
    one.tried(port, first, mistake("second"))
    assert one.counts == [1, 2, 1]


def test_what_has_other_rows_is_not_cut_short():
    one = searching(INPUTS, 2 * INPUTS[:, :, 0])
    assert one.rows_alone()
    one = searching(INPUTS[:4], 2 * INPUTS[:4])
    port = Port(INPUTS[:4], 3.0)
    one.tried(port, mistake("a"))
    assert port.log == [4]
    one = searching(INPUTS, np.ones((5, 6, 1)))
    assert not one.rows_alone()


def times(name, factor, *touches, **more):
    """A mistake that multiplies what a port puts out."""

    def of_port(port):
        if factor is None:
            return None
        return Port(port.inputs, factor * port.value, port.log)

    return mistake(name, *touches, of_port=of_port, **more)


def watched(total, title):
    """A watch that keeps what it was told."""
    WATCHED.append((title, total, words := []))
    return contextlib.nullcontext(words.append)


WATCHED = []


def with_singles(factor, *mistakes):
    WATCHED.clear()
    one = search._Search(Port(INPUTS), of_numbers(factor * INPUTS), watched)
    one.without = one.numbers.fit(one.right.run())
    one.singles = [one.tried(m.applied(one.right), m) for m in mistakes]
    return one


def test_every_mistake_that_applies_is_tried(monkeypatch):
    catalogue = [times("a", 2.0), times("never", None), times("b", 3.0)]
    monkeypatch.setattr(search.port_mistakes, "catalogue", lambda: catalogue)
    one = with_singles(3.0)
    one.try_singles()
    assert names(one.singles) == ["a", "b"]
    # Three times the largest input of four rows, which is 20 / 30, is 2.
    errors = [found.fit.error for found in one.singles]
    assert errors == pytest.approx([20 / 30 / 2, 0])
    assert WATCHED == [("trying", 2, ["a", "b"])]
    assert one.counts == [2, 0, 0]


def test_a_mistake_of_a_cell_is_tried_in_each_layer_alone():
    """Of two ways of two layers, each of which multiplies."""
    layers = [types.SimpleNamespace(scope=name) for name in "abcd"]
    ways = (tuple(layers[:2]), tuple(layers[2:]))

    class OfLayer(types.SimpleNamespace):
        paired, mixes_rows = True, False

        def only_in(self, way, at, where):
            applies = where != "c"
            factor = 2.0 + 2 * way + at if applies else None
            return times(f"{self.name}, in {where} alone", factor)

    of_cells = OfLayer(name="cell", of_layer=True)
    alone = OfLayer(name="alone", of_layer=True, paired=False)
    of_loops = OfLayer(name="loop", of_layer=None)
    one = with_singles(3.0)
    one.right.ways, one.right.layers = ways, layers
    one.singles = [
        Explanation((each,), Fit(0.5, 0.5, ""))
        for each in (alone, of_loops, of_cells)
    ]
    found = one.in_single_layers()
    assert names(found) == [f"cell, in {name} alone" for name in "abd"]
    assert [each.fit.error == 0 for each in found] == [False, True, False]
    one.right.layers = layers[:1]
    assert one.in_single_layers() == []
    one.right.layers = layers[:2]
    assert len(one.in_single_layers()) == 3


def test_some_port_has_the_outputs_shape():
    one = searching(INPUTS, np.ones((6, 5, 3)))
    one.without = one.numbers.fit(one.right.run())
    with pytest.raises(UserError) as caught:
        one.outputs_fit()
    assert str(caught.value) == (
        "the outputs are [6, 5, 3]; of these inputs they are to be "
        "[6, 5, 1], or the last alone [6, 1] (the cells' outputs, before "
        "any dense layer)"
    )
    one.singles = [explained("none", np.inf), explained("fits", 0.5)]
    one.outputs_fit()
    one.singles = one.singles[:1]
    with pytest.raises(UserError):
        one.outputs_fit()
    one.without = Fit(0.5, 0.5, "")
    one.outputs_fit()
    one = Search(np.inf, final=[np.ones((2, 2))])
    one.numbers = of_numbers(final=[np.ones((2, 2))])
    one.outputs_fit()


class Layered(Port):
    """The product of what its layers, one way and the other, multiply by."""

    def __init__(self, ways):
        scopes = iter("abc")
        self.ways = [
            [types.SimpleNamespace(scope=next(scopes), by=by) for by in way]
            for way in ways
        ]
        self.layers = [layer for way in self.ways for layer in way]
        super().__init__(INPUTS, np.prod([x.by for x in self.layers]))


class OfLayer(Mistake):
    """Trebles one layer; the first of the other way cannot have it."""

    def only_in(self, way, at, where):
        def of_port(port):
            if (way, at) == (1, 0):
                return None
            ways = [[layer.by for layer in each] for each in port.ways]
            ways[way][at] *= 3.0
            return Layered(ways)

        name = f"{self.name} in {where}"
        return dataclasses.replace(self, name=name, of_port=of_port)


def test_a_mistake_is_tried_in_each_layer_alone():
    def tried(ways, *mistakes):
        one = searching(INPUTS, 6 * INPUTS)
        one.right = Layered(ways)
        fit = Fit(0.5, 0.5, "")
        one.singles = [Explanation((each,), fit) for each in mistakes]
        return one, one.in_single_layers()

    def of_layer(name, **more):
        return OfLayer(name, "", (name,), **more)

    m = of_layer("m", of_layer=abs)
    n = of_layer("n", of_layer=abs)
    unpaired = of_layer("unpaired", of_layer=abs, paired=False)
    of_port = of_layer("of port")
    ways = [[1.0, 2.0], [1.0]]
    one, found = tried(ways, m, unpaired, of_port, n)
    assert names(found) == ["m in a", "n in a", "m in b", "n in b"]
    assert {each.fit.error for each in found} == {0}
    assert one.counts == [4, 0, 0]
    assert names(tried([[2.0], [1.0]], m)[1]) == ["m in a"]
    assert tried([[2.0]], m)[1] == []


def test_pairs_are_of_what_shows_and_combines():
    a, b = times("a", 2.0, usual=True), times("b", 3.0, usual=True)
    e, same = times("e", 5.0, usual=True), times("same", 7.0, "a")
    silent, alone = times("silent", 1.0), times("alone", 2.0, paired=False)
    one = with_singles(6.0, a, b, silent, alone)
    found = one.in_pairs()
    assert names(found) == ["a, and b"]
    assert found[0].fit.error == 0
    assert names(one.best(found, one.together_explain)) == ["a, and b"]
    assert WATCHED == [("trying pairs", 1, ["a, and b"])]
    assert one.counts == [4, 1, 0]
    one = with_singles(30.0, a, b, e, same)
    found = one.in_pairs()
    pairs = ["a, and b", "a, and e", "b, and e", "b, and same"]
    pairs += ["e, and same"]
    assert names(found) == [*pairs, "a, and b, and e"]
    assert [
        ("trying pairs", 5, pairs),
        ("trying threes", 1, ["a, and b, and e"]),
    ] == WATCHED
    assert one.counts == [4, 5, 1]
    # One whose rows depend on others cannot be judged by a few.
    assert one.shows(times("silent", 1.0, mixes_rows=True), None)
    # One that does not apply after the other is no pair, but was told.
    never = dataclasses.replace(b, of_port=times("b", None).of_port)
    assert one.with_all((a, never)) is None
    assert one.together([(a, never)], "title") == []
    assert WATCHED[-1] == ("title", 1, ["a, and b"])
    assert one.with_all((a, b)).value == 6.0


def test_the_closest_is_judged_on_all_rows():
    a = times("a", 1.5)
    one = with_singles(0.5, a)
    (rough,) = one.singles
    # Off by the largest input of four rows, then of all six.
    assert rough.fit.error == pytest.approx(20 / 30)
    full = one.in_full(rough)
    assert full.mistakes == (a,)
    assert full.fit == Fit(1.0, 2.0, "")
    assert one.in_full(None) is None
    lost = Explanation((a,), Fit(np.inf, np.inf, ""))
    assert one.in_full(lost) is None


def test_a_factor_is_looked_for_in_outputs_alone():
    one = with_singles(0.8)
    assert names(one.scaled()) == ["the outputs multiplied by 0.8"]
    # Neither is one that leaves as much as there was.
    bent = 0.8 * INPUTS
    bent[0, 0, 0] += 1
    one.numbers = of_numbers(bent)
    assert one.scaled() == ()
    one.numbers = of_numbers(final=[np.ones((6, 2))])
    assert one.scaled() == ()
    one = with_singles(0.8)
    state = [np.full((6, 2), 0.5)]
    for off, found in ((0.9e-5, 1), (1.1e-5, 0)):
        one.numbers = of_numbers(0.8 * INPUTS, [state[0] + off])
        outputs = types.SimpleNamespace(outputs=INPUTS, final_state=state)
        one.right = types.SimpleNamespace(run=lambda: outputs)  # noqa: B023
        assert len(one.scaled()) == found


# --- Errors ---


def test_errors_are_those_of_all_arrays():
    """The worst of outputs and states, relative to each one's size."""
    numbers = of_numbers(
        np.array([[[0.5, -0.25]]]), [np.array([[4.0]]), np.array([[1e-5]])]
    )
    assert numbers.scales == (0.5, 1.0, 1e-3)
    assert numbers.count == 4
    assert numbers.tolerance == 1e-5

    def computed(outputs, c, h):
        return types.SimpleNamespace(
            outputs=np.array([[outputs]]),
            final_state=[np.array([[c]]), np.array([[h]])],
        )

    off = computed([0.5, -0.125], 4.0, 1e-5)
    assert numbers.fit(off) == Fit(0.125, 0.25, "")
    off = computed([0.5, -0.25], 6.0, 1e-5)
    assert numbers.fit(off) == Fit(0.5, 0.5, "")
    off = computed([0.5, -0.25], 4.0, 2.1e-4)
    assert numbers.fit(off).relative == pytest.approx(0.2)
    off = computed([0.5, -0.125], 4.5, 1.1e-4)
    assert numbers.fit(off) == Fit(0.125, 0.25, "")
    wrong = types.SimpleNamespace(
        outputs=np.ones((1, 2, 2)), final_state=off.final_state
    )
    assert numbers.fit(wrong) == Fit(np.inf, np.inf, "")
    rows = of_numbers(np.ones((3, 2, 2)), [np.ones((3, 2))]).rows(2)
    assert rows.outputs.shape == (2, 2, 2)
    assert [array.shape for array in rows.final_state] == [(2, 2)]
    assert of_numbers(final=[np.ones((3, 2))]).rows(2).outputs is None


def test_the_last_outputs_are_what_they_are_nearest_to():
    numbers = of_numbers(np.array([[2.0], [4.0]]), [np.array([[1.0], [1]])])
    computed = types.SimpleNamespace(
        last={
            "the last step": np.array([[2.0], [5.0]]),
            "the last valid step": np.array([[2.5], [4.0]]),
        },
        final_state=[np.array([[1.0], [1.75]])],
    )
    found = numbers.fit(computed)
    # 0.5 of 4 is nearer than 1 of 4; but the state is off by more.
    assert found == Fit(0.75, 0.75, "the last valid step")


@pytest.mark.parametrize(
    ("outputs", "final", "words"),
    [
        (
            None,
            (),
            "give the outputs or the final state of your port",
        ),
        (np.zeros((0, 3)), (), "the outputs are empty"),
        (3.0, (), "the outputs are one number; give an array"),
        (
            [[np.nan]],
            (),
            "the outputs: 1 of 1 numbers are NaN or infinite, the first at "
            "[0, 0]",
        ),
    ],
)
def test_numbers_that_nothing_can_be_told_from(outputs, final, words):
    with pytest.raises(UserError) as caught:
        of_numbers(outputs, final)
    assert str(caught.value) == words


def test_a_final_state_alone_is_not_of_half_precision():
    assert of_numbers(final=[np.ones((2, 3))]).tolerance == 1e-5


@pytest.mark.parametrize("half", [False, True])
def test_half_precision_is_allowed_its_rounding(half):
    assert of_numbers([[0.5]], half=half).tolerance == (
        5e-3 if half else 1e-5
    )


@pytest.mark.parametrize(
    ("off", "differ"), [(1.1e-7, False), (0.9e-6, False), (1.1e-6, True)]
)
def test_ports_differ_by_more_than_a_tenth_of_the_tolerance(off, differ):
    """The smallest array, here of ones, says how much that is."""
    numbers = of_numbers(np.ones((1, 1, 2)), [np.full((1, 1), 5.0)])

    def port(outputs, state):
        return types.SimpleNamespace(
            outputs=np.full((1, 1, 2), outputs),
            final_state=[np.full((1, 1), state)],
        )

    right = port(1.0, 1.0)
    assert numbers.differ(port(1 + off, 1.0), right) is differ
    assert numbers.differ(port(1.0, 1 + off), right) is differ


# --- A factor, and dropout ---


def test_a_factor_is_the_least_squares_one():
    """Outputs times 0.8, and a fifth of them dropped."""
    right = np.arange(1.0, 11.0).reshape(1, 5, 2)
    one = Search(outputs=0.8 * right)
    found = one.as_scaled(right, "a reading")
    (scaled,) = found.mistakes
    assert scaled.name == "the outputs multiplied by 0.8"
    assert found.fit.error == pytest.approx(0, abs=1e-15)
    assert found.fit.reading == "a reading"
    kept = 1.25 * right
    kept[0, 0] = 0.0
    found = Search(outputs=kept).as_scaled(right, "")
    assert names([found]) == [
        "dropout left on: 20% of the outputs are 0, the others 1.25 times "
        "as large"
    ]
    assert found.fit.error == pytest.approx(0, abs=1e-15)
    # Where there is nothing there is nothing to drop.
    right[0, 4] = 0.0
    found = Search(outputs=2.0 * right).as_scaled(right, "")
    assert names([found]) == ["the outputs multiplied by 2"]
    # One number that is off: sum of y x over sum of x x.
    bent = 2.0 * right
    bent[0, 0, 0] += 1.0
    found = Search(outputs=bent).as_scaled(right, "")
    factor = 2 + 1 / 204
    wanted = abs(factor - 3) / 16
    assert found.fit.error == pytest.approx(wanted)
    few = np.arange(1.0, 8.0).reshape(1, 7, 1)
    assert Search(outputs=few).as_scaled(few, "") is None
    eight = np.arange(1.0, 9.0).reshape(1, 8, 1)
    assert Search(outputs=eight).as_scaled(eight, "") is not None


# --- What would change nothing ---


def test_what_would_match_as_well_is_named():
    one = Search(1e-7)
    fits = {"small": 1e-5, "larger": 1.1e-5}
    one.singles = [
        *(explained(name, relative) for name, relative in fits.items()),
        explained("read otherwise", 0.0, 1e-9, reading="the last step"),
        Explanation((mistake("axes", "axes"),), Fit(0, 0, "")),
        Explanation((mistake("final", "a", "final state"),), Fit(0, 0, "")),
        Explanation((mistake("initial", "initial state"),), Fit(0, 0, "")),
        Explanation((mistake("alone", paired=False),), Fit(0, 0, "")),
    ]
    for state, silent in (
        (0.0, ("small",)),
        (0.5, ("small", "initial")),
    ):
        states = (((np.zeros(2), np.array([0.0, state])),),)
        one.right = types.SimpleNamespace(states=states)
        assert one.silent() == silent


# --- In words ---


def diagnosis(verdict, without=0.25, reading="", **more):
    fit = Fit(without, without, reading)
    return Diagnosis(verdict, None, fit, 1e-5, **more)


def test_as_it_is_in_words():
    found = diagnosis(AS_IT_IS, 1.26e-7)
    assert list(found.lines()) == ["matches as it is (max error 1.3e-07)"]
    found = diagnosis(
        AS_IT_IS, 1.26e-7, "the last step", silent=("one", "two")
    )
    assert list(found.lines()) == [
        "matches as it is (max error 1.3e-07; read as the last step)",
        "on these data it would match as well with: one; two",
    ]


def test_explanations_in_words():
    one = explained("one", 4e-7, 2.46e-7)
    found = diagnosis(EXPLAINED, 0.256, explanations=(one,))
    assert list(found.lines()) == [
        "matches with one (max error 2.5e-07; without it 0.26)",
        "  to mend it: cure of one",
    ]
    two = Explanation(
        (mistake("two"), mistake("three")), Fit(3e-7, 5e-7, "the last step")
    )
    found = diagnosis(EXPLAINED, 0.256, explanations=(one, two))
    assert list(found.lines()) == [
        "matches with one (max error 2.5e-07; without it 0.26)",
        "  to mend it: cure of one",
        "matches with two, and three (max error 3e-07; without them 0.26; "
        "read as the last step)",
        "  to mend it: cure of two",
        "  to mend it: cure of three",
        "these 2 explain the numbers equally well; only other data can tell "
        "them apart",
    ]


NOTHING = (
    "no mistake of the catalogue explains the numbers: 41 single ones, 32 "
    "pairs and 23 threes tried (max error without any 0.3)"
)


MOST = (
    "that takes most of it away: it may be so, with something small besides "
    "(lower precision such as float16 or TF32, weights of a few steps before "
    "or after)"
)
NO_EXPLANATION = (
    "that is no explanation; look at what the catalogue cannot know: weights "
    "of another checkpoint or layer, inputs prepared otherwise, dropout left "
    "on, options the cell was made with, more mistakes at once"
)


@pytest.mark.parametrize(
    ("relative", "without", "most"),
    [
        (0.0149, 0.3, True),  # a twentieth of 0.3
        (0.0151, 0.3, False),
        (0.0199, 0.5, True),  # at most 2 %
        (0.0201, 0.5, False),
    ],
)
def test_the_closest_in_words(relative, without, most):
    tried = (41, 32, 23)
    near = explained("near", relative, 0.0123)
    found = diagnosis(UNEXPLAINED, without, closest=near, tried=tried)
    first, second, third = found.lines()
    assert first == NOTHING.replace("0.3", f"{without}")
    assert second == "the closest is near: max error 0.012"
    assert third == (MOST if most else NO_EXPLANATION)
    found = diagnosis(UNEXPLAINED, 0.3049, tried=tried)
    assert list(found.lines()) == [NOTHING]


@pytest.mark.parametrize(
    ("verdict", "code"), [(AS_IT_IS, 0), (EXPLAINED, 0), (UNEXPLAINED, 1)]
)
def test_the_command_prints_it_all(
    verdict, code, monkeypatch, call_cli, tmp_path
):
    def cell(name, inputs, units):
        return types.SimpleNamespace(
            kind=types.SimpleNamespace(name=name),
            sizes=types.SimpleNamespace(inputs=inputs, units=units),
        )

    stack = types.SimpleNamespace(
        name="rnn",
        form="one way",
        cells=[cell("LSTMCell", 3, 5), cell("GRUCell", 5, 4)],
    )
    found = Diagnosis(
        *(verdict, stack, Fit(0.25, 0.25, ""), 1e-5),
        explanations=(explained("one", 4e-7, 2e-7),),
        notes=("first", "second"),
        tried=(1, 2, 3),
    )
    given = {}

    def diagnose(checkpoint, **more):
        given.update(more, checkpoint=checkpoint)
        return found

    monkeypatch.setattr(search, "diagnose", diagnose)
    for name, value in (("x", 1.0), ("y", 2.0), ("l", 3.0)):
        np.save(tmp_path / f"{name}.npy", np.array(value))
    np.savez(tmp_path / "s.npz", c=4.0, h=5.0)
    np.savez(tmp_path / "f.npz", c=6.0, h=7.0)
    options = zip(
        ("--inputs", "--outputs", "--lengths", "--state", "--final-state"),
        ("x.npy", "y.npy", "l.npy", "s.npz", "f.npz"),
        strict=True,
    )
    done = call_cli(
        *("diagnose", "w.npz"),
        *itertools.chain(*((o, tmp_path / name) for o, name in options)),
    )
    assert done.returncode == code
    assert done.stdout.splitlines() == [
        "rnn, one way: LSTMCell (3 inputs, 5 units), GRUCell (5 inputs, 4 "
        "units)",
        *("note: first", "note: second"),
        *found.lines(),
    ]
    assert given["checkpoint"] == "w.npz"
    assert [given[n] for n in ("inputs", "outputs", "lengths")] == [1, 2, 3]
    assert given["state"] == {"c": 4, "h": 5}
    assert given["final_state"] == {"c": 6, "h": 7}


def test_one_file_may_hold_them_all(tmp_path):
    from rnn_parity.commands.diagnose import _given

    path = tmp_path / "all.npz"
    arrays = {"inputs": 1.0, "outputs": 2.0, "lengths": 3.0}
    states = {"state/0": 4.0, "state/1": 5.0, "final_state/0": 6.0}
    np.savez(path, **arrays, **states)
    paths = dict.fromkeys(
        ("inputs", "outputs", "final_state", "lengths", "state")
    )
    assert _given(path, **paths) == {
        **arrays,
        "state": {"state/0": 4, "state/1": 5},
        "final_state": {"final_state/0": 6},
    }
