"""Measures: orders whose figures are known, ties in every order at once, and intervals around them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.routing.measures import beats, calibration_error, rank

GAINS = [1.0, 0.0, 0.0, 1.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0]

few = settings(max_examples=20, deadline=None)  # each figure is drawn 200 times
gains = st.lists(st.sampled_from([-1.0, 0.0, 0.0, 1.0]), min_size=1, max_size=30).filter(
    lambda all_: sum(all_) > 0
)


def test_an_order_by_the_gains_themselves_wins_all_at_once() -> None:
    ranking = rank([0.9, 0.1, 0.2, 0.8, 0.3, 0.0, 0.7, 0.15, 0.25, 0.4], [1.0, 0, 0, 1.0, 0, 0, 1.0, 0, 0, 0])
    assert ranking.apgr.value == pytest.approx(1 - 0.3 / 2)
    assert ranking.cpt50.value == pytest.approx(0.15)
    assert ranking.cpt80.value == pytest.approx(0.24)


@few
@given(gains)
def test_equal_scores_are_exactly_a_random_order(found: list[float]) -> None:
    ranking = rank([3.0] * len(found), found)
    assert (ranking.apgr.value, ranking.cpt50.value, ranking.cpt80.value) == pytest.approx((0.5, 0.5, 0.8))


@few
@given(gains, st.randoms(use_true_random=False))
def test_an_order_and_its_reverse_share_one_area(found: list[float], chance: random.Random) -> None:
    scores = [float(chance.randrange(5)) for _ in found]
    there, back = rank(scores, found), rank([-score for score in scores], found)
    assert there.apgr.value + back.apgr.value == pytest.approx(1)


@few
@given(gains, st.randoms(use_true_random=False))
def test_only_the_order_of_scores_counts(found: list[float], chance: random.Random) -> None:
    scores = [float(chance.randrange(-1_000, 1_000)) for _ in found]
    assert rank(scores, found) == rank([2 * score for score in scores], found)


def test_intervals_hold_the_figure_and_are_the_same_every_time() -> None:
    scores = [0.1 * place for place in range(len(GAINS))]
    ranking = rank(scores, GAINS)
    assert ranking.apgr.low <= ranking.apgr.value <= ranking.apgr.high
    assert rank(scores, GAINS) == ranking


def test_a_large_model_that_gains_nothing_has_no_figures() -> None:
    with pytest.raises(ValueError, match="gains nothing"):
        rank([1.0, 2.0], [0.0, 0.0])


def test_a_better_order_beats_a_worse_one_in_most_draws_and_not_the_other_way_round() -> None:
    found = [1.0 if place % 3 == 0 else 0.0 for place in range(90)]
    assert beats(found, [0.0] * 90, found) == 1
    assert beats([0.0] * 90, found, found) == 0


def test_probabilities_that_come_true_have_no_error_and_certainties_that_fail_have_all() -> None:
    assert calibration_error([0.25] * 4, [1.0, 0.0, 0.0, 0.0]).value == 0
    assert calibration_error([1.0] * 4, [0.0] * 4).value == 1
    assert calibration_error([0.0, 1.0], [0.5, 0.5]).value == pytest.approx(0.5)
