"""Load shapes: when requests are due, by the clock and the seed alone."""

from __future__ import annotations

import math
import tracemalloc
from itertools import islice, pairwise, takewhile
from pathlib import Path
from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.bench import shapes
from harpoon_cli.bench.planning.arrivals import Segment, due, even
from harpoon_cli.bench.planning.load import Shape
from harpoon_cli.bench.planning.plan import Plan, shots
from harpoon_cli.bench.work.synthetic import Synthetic
from harpoon_cli.errors import UsageFault

OPEN = (
    "constant:rate=50,for=100s",
    "poisson:rate=50,for=100s",
    "gamma:rate=50,burstiness=0.3,for=100s",
    "ramp:from=0,to=100,over=100s",
    "step:from=10,to=90,by=20,each=20s",
    "spike:base=40,peak=140,at=45s,lasts=10s",
    "soak:rate=50,for=100s",
)
"""Loads of fifty requests a second on average, for a hundred seconds."""


def shape(text: str) -> Shape:
    load = shapes.parse(text)
    assert isinstance(load, Shape)
    return load


def times(text: str, seed: int = 0) -> list[float]:
    """Every due time of an open load, until it ends."""
    load = shape(text)
    ends_s = load.ends_s or math.inf
    found = (at for at in load.due(Random(seed)) if at is not None)
    return list(takewhile(ends_s.__gt__, found))


@pytest.mark.parametrize("text", OPEN)
def test_an_open_load_sends_as_many_requests_as_its_rate_says(text: str) -> None:
    counts = [len(times(text, seed)) for seed in range(5)]
    # Of five runs of 5,000: over three deviations of their mean, for Poisson and for the burstier gaps.
    assert fmean(counts) == pytest.approx(5000, rel=0.02 if "gamma" not in text else 0.04)


@pytest.mark.parametrize("text", [*OPEN, *(f"{text},arrivals=even" for text in OPEN[3:6])])
def test_due_times_never_fall_and_end_with_the_load(text: str) -> None:
    found = times(text)
    assert all(earlier <= later for earlier, later in pairwise(found))
    assert found[0] >= 0
    assert 97 < found[-1] < 100


@pytest.mark.parametrize("text", OPEN)
def test_the_seed_is_the_load(text: str) -> None:
    assert times(text, 7) == times(text, 7)
    if not text.startswith("constant"):
        assert times(text, 7) != times(text, 8)


@settings(deadline=None)
@given(st.floats(0.01, 5000), st.integers(0, 10**9))
def test_constant_arrivals_are_multiples_of_the_gap_and_gather_no_error(rate: float, place: int) -> None:
    load = shapes.shape("constant")(**{"rate": rate})
    assert isinstance(load, Shape)
    assert list(islice(load.due(Random(0)), 3)) == [0.0, 1 / rate, 2 / rate]
    assert Segment(rate, rate, math.inf).when_s(float(place)) == place / rate


def gaps(text: str) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times(text))]


def test_poisson_gaps_are_exponential() -> None:
    found = sorted(gaps("poisson:rate=50,for=400s"))
    assert pstdev(found) / fmean(found) == pytest.approx(1, abs=0.03)
    # Kolmogorov-Smirnov against the exponential distribution: 1.63 / sqrt(n) is the 1 % bound.
    share = (abs((place + 0.5) / len(found) - (1 - math.exp(-50 * gap))) for place, gap in enumerate(found))
    assert max(share) < 1.63 / math.sqrt(len(found))


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0])
def test_burstiness_is_the_shape_of_the_gamma_distribution(burstiness: float) -> None:
    found = gaps(f"gamma:rate=50,burstiness={burstiness},for=400s")
    assert fmean(found) == pytest.approx(1 / 50, rel=0.04)
    assert pstdev(found) / fmean(found) == pytest.approx(burstiness**-0.5, rel=0.05)


def test_a_ramp_is_as_fast_at_each_moment_as_it_says() -> None:
    found = times("ramp:from=10,to=90,over=100s,arrivals=even")
    for begin in (0, 25, 50, 75, 95):
        expected = 10 + 80 * (begin + 2.5) / 100
        assert sum(begin <= at < begin + 5 for at in found) == pytest.approx(5 * expected, abs=1)


def test_a_ramp_may_fall_and_then_holds_its_last_rate() -> None:
    found = times("ramp:from=90,to=10,over=10s,for=30s,arrivals=even")
    assert sum(at < 1 for at in found) == pytest.approx(86, abs=1)
    assert sum(20 <= at < 30 for at in found) == 100


def test_each_step_has_its_own_rate_and_is_a_phase() -> None:
    load = shape("step:from=0.1,to=0.5,by=0.1,each=100s,arrivals=even")
    found = times("step:from=0.1,to=0.5,by=0.1,each=100s,arrivals=even")
    assert [phase.name for phase in load.phases] == ["0.1/s", "0.2/s", "0.3/s", "0.4/s", "0.5/s"]
    counts = [sum(phase.from_s <= at < (phase.to_s or 0) for at in found) for phase in load.phases]
    assert counts == pytest.approx([10, 20, 30, 40, 50], abs=1)


def test_a_spike_is_faster_between_its_bounds_only() -> None:
    text = "spike:base=10,peak=100,at=30s,lasts=5s,arrivals=even"
    found = times(text)
    before, peak, after = shape(text).phases
    assert (before.to_s, peak.to_s, after.to_s) == (30, 35, None)
    assert [sum(low <= at < high for at in found) for low, high in ((0, 30), (30, 35), (35, 65))] == [
        300,
        500,
        300,
    ]


def test_a_soak_is_cut_into_windows_over_its_whole_length() -> None:
    load = shape("soak:concurrency=8,for=25m,window=10m")
    assert [(phase.from_s, phase.to_s) for phase in load.phases] == [(0, 600), (600, 1200), (1200, 1800)]
    assert load.at_once == 8
    assert list(islice(load.due(Random(0)), 2)) == [None, None]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 200), st.floats(0, 200), st.floats(0.1, 50)).filter(
            lambda one: one[0] + one[1] > 0.1
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_rate_over_time_gives_as_many_requests_as_the_area_under_it(
    parts: list[tuple[float, float, float]],
) -> None:
    segments = [Segment(*part) for part in parts]
    found = list(due(even(), segments))
    assert len(found) == pytest.approx(sum(segment.requests for segment in segments), abs=1.01)
    assert all(earlier <= later + 1e-9 for earlier, later in pairwise(found))
    assert all(at <= sum(segment.lasts_s for segment in segments) + 1e-6 for at in found)


def test_a_load_without_an_end_is_refused_and_a_trace_has_its_own() -> None:
    with pytest.raises(UsageFault, match="poisson:rate=4 has no end"):
        Plan(shapes.parse("poisson:4"), Synthetic(), "m")
    Plan(shapes.parse("trace:some.jsonl"), Synthetic(), "m")


def test_a_soak_of_days_takes_no_more_memory_than_one_of_minutes() -> None:
    plan = Plan(shapes.parse("soak:rate=1000,for=30d"), Synthetic(), "m")
    supply = shots(plan)
    for _ in islice(supply, 1000):
        pass
    tracemalloc.start()
    for _ in islice(supply, 1000):
        pass
    early, _ = tracemalloc.get_traced_memory()
    for _ in islice(supply, 20_000):
        pass
    late, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert late - early < 20_000
    assert peak < 200_000


def write_trace(path: Path, at_s: list[float]) -> Path:
    path.write_text("".join(f'{{"at_s": {at}, "input_tokens": 4, "output_tokens": 5}}\n' for at in at_s))
    return path


def test_a_trace_is_replayed_in_its_own_time_scaled_and_from_where_it_is_asked(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "t.jsonl", [100, 101, 104, 110, 130])
    assert times(f"trace:{path}") == [0, 1, 4, 10, 30]
    assert times(f"trace:{path},speed=2") == [0, 0.5, 2, 5, 15]
    assert times(f"trace:{path},speed=0.5,from=4s") == [0, 12, 52]
    assert times(f"trace:{path},for=10s") == [0, 1, 4]


def test_a_trace_is_read_as_it_is_needed(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "t.jsonl", [*range(100), -1])
    found = shape(f"trace:{path}").due(Random(0))
    assert len(list(islice(found, 100))) == 100
    with pytest.raises(UsageFault, match="line 101"):
        next(found)
