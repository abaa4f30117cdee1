"""Histograms, bounds and tests against the plain way of working them out."""

from __future__ import annotations

from array import array
from math import inf
from random import Random
from statistics import pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.bench.statistics.histogram import (
    MILLION,
    Histogram,
    bucket_of,
    merged,
    middle_of,
    rank_of,
)
from harpoon_cli.bench.statistics.intervals import (
    bounds,
    bunching,
    enclosing_ranks,
    fewest_for,
)
from harpoon_cli.bench.statistics.permutation import difference_of_shares, holm
from harpoon_cli.bench.statistics.warmup import settled_from

HOUR_NS = 3_600 * 10**9

durations = st.integers(0, HOUR_NS) | st.integers(0, 5_000)
many = st.lists(durations, max_size=60)
percentiles = st.integers(1, MILLION)


def histogram(values: list[int], infinite: int = 0) -> Histogram:
    filled = Histogram(infinite=infinite)
    for value in values:
        filled.add(value)
    return filled


@given(durations)
def test_a_bucket_s_middle_is_within_a_thousandth_of_every_value_in_it(value: int) -> None:
    assert abs(middle_of(bucket_of(value)) - value) <= value * 0.0005


@given(durations, durations)
def test_buckets_are_in_the_order_of_their_values(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert bucket_of(low) <= bucket_of(high)


@given(many)
def test_filing_all_at_once_is_filing_one_by_one(values: list[int]) -> None:
    at_once = Histogram()
    at_once.add_all(array("d", values), sum(values))
    assert at_once == histogram(values)


@given(st.lists(durations, min_size=1, max_size=60), percentiles, st.integers(0, 5))
def test_a_percentile_is_that_of_the_sorted_values(values: list[int], ppm: int, infinite: int) -> None:
    exact = sorted(values)[rank_of(ppm, len(values)) - 1]
    found = histogram(values, infinite).ranks().percentile(ppm)
    assert found == pytest.approx(exact, rel=0.0005)


@given(many, percentiles, st.integers(1, 5))
def test_a_failure_is_longer_than_everything(values: list[int], ppm: int, infinite: int) -> None:
    everything = sorted([*map(float, values), *[inf] * infinite])
    found = histogram(values, infinite).ranks().percentile(ppm, failures=True)
    assert found == pytest.approx(everything[rank_of(ppm, len(everything)) - 1], rel=0.0005)


@given(many, many, many)
def test_merging_is_exact_and_in_any_order(one: list[int], two: list[int], three: list[int]) -> None:
    a, b, c = histogram(one, 1), histogram(two), histogram(three, 2)
    whole = histogram(one + two + three, 3)
    assert merged([merged([a, b]), c]) == merged([a, merged([c, b])]) == whole


@given(st.lists(durations, min_size=2, max_size=60))
def test_the_mean_is_exact_and_the_deviation_close(values: list[int]) -> None:
    ranks = histogram(values).ranks()
    assert ranks.mean == sum(values) / len(values)
    assert ranks.deviation == pytest.approx(pstdev(values), rel=0.01, abs=0.001 * max(values))


def test_a_curve_of_all_ends_below_one_where_some_never_ended() -> None:
    curve = histogram([10, 20, 30], infinite=1).ranks().curve()
    assert curve == [(10.0, 0.25), (20.0, 0.5), (30.0, 0.75)]


def test_nothing_has_no_percentile_mean_or_deviation() -> None:
    ranks = Histogram().ranks()
    assert ranks.percentile(500_000) is ranks.mean is ranks.deviation is None
    assert ranks.share_above(1.0) == 0.0


@given(many, st.integers(0, HOUR_NS))
def test_what_is_above_a_limit_is_counted_to_the_bucket(values: list[int], limit: int) -> None:
    above = sum(bucket_of(value) > bucket_of(limit) for value in values)
    assert histogram(values).ranks().count_above(limit) == above


def binomial_below(count: int, share: float) -> list[float]:
    weights = [1.0]
    for drawn in range(count):
        grown = [0.0] * (drawn + 2)
        for below, weight in enumerate(weights):
            grown[below] += weight * (1 - share)
            grown[below + 1] += weight * share
        weights = grown
    return weights


@pytest.mark.parametrize("count", [1, 7, 40, 150])
@pytest.mark.parametrize("ppm", [500_000, 900_000, 990_000])
def test_the_enclosing_ranks_are_those_of_the_binomial_law(count: int, ppm: int) -> None:
    weights = binomial_below(count, ppm / MILLION)
    reached = [sum(weights[:below]) for below in range(count + 2)]
    lows = [rank for rank in range(1, count + 1) if reached[rank] <= 0.025]
    highs = [rank for rank in range(1, count + 1) if reached[rank] >= 0.975]
    low, high = enclosing_ranks(count, ppm)
    assert (low, high) == (max(lows, default=None), min(highs, default=None))


@pytest.mark.parametrize("ppm", [500_000, 950_000, 990_000, 999_000])
def test_the_fewest_samples_for_a_bound_are_just_enough(ppm: int) -> None:
    fewest = fewest_for(ppm)
    assert enclosing_ranks(fewest, ppm)[1] is not None
    assert enclosing_ranks(fewest - 1, ppm)[1] is None


def test_ranks_of_a_thousand_million_samples_are_found() -> None:
    low, high = enclosing_ranks(10**9, 500_000)
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.96 * 0.5 * 10**4.5, rel=0.001)


@pytest.mark.parametrize("ppm", [500_000, 990_000])
def test_the_bounds_hold_the_true_percentile_as_often_as_they_say(ppm: int) -> None:
    chance = Random(7)
    true = ppm / MILLION * 10**9  # of a uniform distribution up to a second
    held = 0
    for _ in range(200):
        ranks = histogram([round(chance.random() * 10**9) for _ in range(500)]).ranks()
        low, high = bounds(ranks, ppm)
        assert low is not None
        assert high is not None
        held += low <= true <= high
    assert 0.93 <= held / 200 <= 1.0


def test_samples_in_bunches_are_worth_fewer() -> None:
    chance = Random(3)
    alone = [(sum(chance.random() < 0.1 for _ in range(100)), 100) for _ in range(100)]
    together = [(100 * (chance.random() < 0.1), 100) for _ in range(100)]
    assert bunching(alone) == pytest.approx(1.0, abs=0.3)
    assert bunching(together) == pytest.approx(100, rel=0.05)


def test_few_slices_say_nothing_of_bunches() -> None:
    assert bunching([(100, 100), (0, 100)]) == 1.0
    assert bunching([]) == bunching([(0, 10)] * 20) == 1.0


def test_bunched_samples_widen_the_bounds() -> None:
    ranks = histogram(list(range(0, 10**9, 10**6))).ranks()
    near, far = bounds(ranks, 900_000), bounds(ranks, 900_000, bunched=10)
    assert None not in (*near, *far)
    assert far[0] < near[0] < near[1] < far[1]  # type: ignore[operator]  # none is None
    assert bounds(ranks, 990_000, bunched=10)[1] is None


def slices(chance: Random, share: float, count: int = 30) -> list[tuple[float, float]]:
    return [(float(sum(chance.random() < share for _ in range(200))), 200.0) for _ in range(count)]


def test_equal_runs_differ_about_as_rarely_as_the_test_says() -> None:
    chance = Random(11)
    alarms = 0
    for _ in range(40):
        p_value = difference_of_shares(slices(chance, 0.05), slices(chance, 0.05))
        assert p_value is not None
        alarms += p_value < 0.05
    assert alarms <= 6  # 2 are to be expected; more than 6 of 40 would come once in 300 times


def test_different_runs_are_told_apart() -> None:
    chance = Random(5)
    p_value = difference_of_shares(slices(chance, 0.05), slices(chance, 0.10))
    assert p_value is not None
    assert p_value < 0.001


def test_too_few_slices_give_no_p_value() -> None:
    assert difference_of_shares([(1, 10)] * 3, [(9, 10)] * 30) is None


def test_a_p_value_is_not_below_what_so_few_slices_can_show() -> None:
    p_value = difference_of_shares([(0, 10)] * 4, [(10, 10)] * 4)
    assert p_value is not None
    assert p_value >= 1 / 70


@given(st.lists(st.floats(0, 1), max_size=10))
def test_corrected_p_values_are_no_smaller_and_keep_their_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[place] for place in order] == sorted(corrected)


def test_the_smallest_p_value_is_corrected_for_all() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_series_settles_after_its_warm_up() -> None:
    chance = Random(2)
    series = [100 - 8 * place + chance.gauss(0, 1) for place in range(10)]
    series += [20 + chance.gauss(0, 1) for _ in range(50)]
    found = settled_from(series)
    assert found is not None
    assert 8 <= found <= 12


def test_a_series_that_only_falls_never_settles() -> None:
    assert settled_from([100.0 - place for place in range(60)]) is None
    assert settled_from([1.0, 2.0]) is None


def test_an_even_series_is_steady_from_its_start() -> None:
    assert settled_from([5.0] * 20) == 0
