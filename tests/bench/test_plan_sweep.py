"""Sweeps: which stage comes next, when a server is saturated, and where its knee is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.bench import shapes
from harpoon_cli.bench.planning.knee import knee, largest_within, lowest_bad, saturated
from harpoon_cli.bench.planning.load import StageResult
from harpoon_cli.bench.planning.plan import Plan, next_stage, shots
from harpoon_cli.bench.shapes.closed import Closed
from harpoon_cli.bench.shapes.poisson import Poisson
from harpoon_cli.bench.work.synthetic import Synthetic

Server = Callable[[float], float]
"""Requests a second that a server answers at a level."""


def closed_server(places: int, seconds: float = 0.5) -> Server:
    """A server that works on so many requests at once, each for so long."""
    return lambda level: min(level, places) / seconds


def open_server(most_per_s: float) -> Server:
    return lambda level: min(level, most_per_s)


def result(level: float, server: Server, *, rate: bool = False, slo: float | None = None) -> StageResult:
    meets = None if slo is None else level <= slo
    return StageResult(level, server(level), level if rate else None, meets, next_index=0)


def run(text: str, server: Server, slo: float | None = None) -> list[StageResult]:
    """Every stage of a sweep against a server that meets its objective up to the level `slo`."""
    plan = Plan(shapes.parse(text), Synthetic(), "m")
    results: list[StageResult] = []
    while (stage := next_stage(plan, results)) is not None:
        assert stage.stage == len(results)
        load = stage.load
        assert isinstance(load, Closed | Poisson)
        level = float(load.concurrency) if isinstance(load, Closed) else load.rate
        results.append(result(level, server, rate=isinstance(load, Poisson), slo=slo))
    return results


def levels(results: list[StageResult]) -> list[float]:
    return [one.level for one in results]


def test_a_sweep_grows_until_the_server_is_saturated_and_then_looks_between() -> None:
    results = run("sweep:to=1024,refine=2", closed_server(48))
    assert levels(results) == [1, 2, 4, 8, 16, 32, 64, 128, 96, 80]
    found = knee(results)
    assert found is not None
    assert found.level == 64


def test_a_sweep_over_rates_finds_the_largest_rate_that_is_kept() -> None:
    results = run("sweep:over=rate,from=1,to=1000,refine=6", open_server(100))
    assert levels(results)[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    found = knee(results)
    assert found is not None
    assert found.level == pytest.approx(100, rel=0.07)


def test_a_sweep_finds_the_largest_level_that_meets_the_objective() -> None:
    results = run("sweep:refine=10", closed_server(10_000), slo=41)
    best = largest_within(results)
    assert best is not None
    assert best.level == 41
    assert levels(results)[:7] == [1, 2, 4, 8, 16, 32, 64]


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(0, 12), st.sampled_from(["concurrency", "rate"]))
def test_a_sweep_always_ends_and_brackets_what_it_looks_for(slo: int, refine: int, over: str) -> None:
    server = open_server(10_000) if over == "rate" else closed_server(10_000)
    results = run(f"sweep:over={over},refine={refine}", server, slo)
    tried = levels(results)
    assert len(set(tried)) == len(tried) <= 11 + refine
    best, bad = largest_within(results), lowest_bad(results)
    assert best is not None
    assert best.level <= slo
    if bad is not None:
        assert bad.level > slo
        assert bad.level - best.level <= max(1.0, best.level / 2**refine) + 1e-9


def test_a_sweep_that_never_saturates_ends_at_its_top_and_has_no_knee() -> None:
    results = run("sweep:from=3,to=50", closed_server(10_000))
    assert levels(results) == [3, 6, 12, 24, 48, 50]
    assert knee(results) is None


def test_a_sweep_that_is_bad_from_the_start_ends_there() -> None:
    assert levels(run("sweep:from=8", closed_server(10_000), slo=1)) == [8]


def test_an_objective_met_again_above_a_miss_is_taken_for_chance() -> None:
    results = [StageResult(level, level, None, level != 4, 0) for level in (1, 2, 4, 8)]
    best = largest_within(results)
    assert best is not None
    assert best.level == 2
    assert largest_within([]) is None


def test_without_an_objective_there_is_no_largest_rate_within_it() -> None:
    assert largest_within([result(1, open_server(9), rate=True)]) is None


def test_keeping_up_with_an_offered_rate_is_95_percent_of_it() -> None:
    assert not saturated(StageResult(100, 95.0, 100.0, None, 0), None)
    assert saturated(StageResult(100, 94.9, 100.0, None, 0), None)


@pytest.mark.parametrize("noise", [1.0, 0.98, 1.02])
def test_throughput_that_falls_past_its_peak_still_has_its_knee_at_the_peak(noise: float) -> None:
    curve = {1: 10.0, 2: 20.0, 4: 40.0, 8: 80.0, 16: 150.0 * noise, 32: 90.0, 64: 30.0}
    found = knee([StageResult(level, per_s, None, None, 0) for level, per_s in curve.items()])
    assert found is not None
    assert found.level == 16


def test_a_server_that_answers_nothing_has_no_knee_and_ends_the_climb_at_the_top() -> None:
    results = run("sweep:to=8", lambda level: 0.0)
    assert levels(results) == [1, 2, 4, 8]
    assert knee(results) is None


def test_each_stage_has_its_own_arrivals_and_goes_on_in_the_prompts() -> None:
    plan = Plan(shapes.parse("sweep:over=rate,from=20,growth=1.01,each=1s"), Synthetic(), "m", seed=4)
    first = next_stage(plan, [])
    assert first is not None
    taken = list(shots(first))
    second = next_stage(plan, [StageResult(20, 20, 20, None, next_index=len(taken))])
    assert second is not None
    following = list(shots(second))
    assert following[0].ask.index == len(taken)
    assert {shot.ask.messages for shot in taken}.isdisjoint(shot.ask.messages for shot in following)
    assert [shot.due_s for shot in taken][:5] != [shot.due_s for shot in following][:5]


def test_a_load_that_is_no_search_has_one_stage_and_a_search_has_no_shots() -> None:
    plan = Plan(shapes.parse("closed:4,requests=4"), Synthetic(), "m")
    assert next_stage(plan, []) == plan
    assert next_stage(plan, [StageResult(4, 1, None, None, 4)]) is None
    with pytest.raises(TypeError, match="next stage"):
        shots(Plan(shapes.parse("sweep"), Synthetic(), "m"))
