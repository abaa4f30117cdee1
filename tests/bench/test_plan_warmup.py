"""Warm-up: what was given is left out, what is detected is where the latencies settle."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.bench import warmup
from harpoon_cli.bench.warmup import SteadyState, WarmUp, steady_state
from harpoon_cli.errors import UsageFault

MS = 1_000_000


def found(text: str, starts_ns: list[int], latencies_ns: list[int]) -> SteadyState:
    state = steady_state(warmup.parse(text), starts_ns, latencies_ns)
    assert state is not None
    return state


def starts(number: int) -> list[int]:
    return [place * 100 * MS for place in range(number)]


def settling(number: int, until: int, seed: int = 0, noise: float = 0.2) -> list[int]:
    """Latencies of 50 ms with noise; the first `until` are up to ten times as long, falling."""
    random = Random(seed)
    above = [9 * (until - place) / until if place < until else 0 for place in range(number)]
    return [round(50 * MS * (1 + more) * random.gauss(1, noise)) for more in above]


@pytest.mark.parametrize("seed", range(10))
def test_a_warm_up_is_found_where_the_latencies_settle(seed: int) -> None:
    state = found("auto", starts(1000), settling(1000, 200, seed))
    assert state.settled
    assert 150 <= state.left_out <= 230
    assert state.from_ns == starts(1000)[state.left_out]
    assert state.to_ns == starts(1000)[-1]


def test_a_run_that_is_steady_from_the_start_loses_little() -> None:
    lost = [found("auto", starts(1000), settling(1000, 1, seed)).left_out for seed in range(20)]
    assert sorted(lost)[10] <= 50
    assert max(lost) <= 400


def test_a_run_that_grows_slower_all_the_way_never_settles() -> None:
    state = found("auto", starts(500), [place * MS for place in range(500)])
    assert state.settled is False
    assert state.left_out == 0
    assert "never settled" in state.method


@pytest.mark.parametrize("number", [1, 5, 49])
def test_too_few_requests_tell_nothing(number: int) -> None:
    state = found("auto", starts(number), settling(number, number))
    assert (state.left_out, state.settled) == (0, None)


def test_no_requests_have_no_steady_state() -> None:
    assert steady_state(WarmUp(detected=True), [], []) is None


@pytest.mark.parametrize(
    ("text", "left_out"),
    [("none", 0), ("1s", 10), ("0.95s", 10), ("3", 3), ("100", 100), ("5000", 100), ("1h", 100)],
)
def test_a_given_warm_up_is_left_out(text: str, left_out: int) -> None:
    state = found(text, starts(100), [1] * 100)
    assert state.left_out == left_out
    assert state.from_ns == starts(100)[min(left_out, 99)]
    assert state.to_ns == starts(100)[-1]
    assert state.settled is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), min_size=1, max_size=200),
    st.randoms(),
)
def test_the_order_in_which_requests_are_told_changes_nothing(
    requests: list[tuple[int, int]], random: Random
) -> None:
    unique = list(dict(requests).items())
    mixed = random.sample(unique, len(unique))
    for text in ("auto", "1s", "7", "none"):
        states = [
            found(text, [start for start, _ in one], [took for _, took in one]) for one in (unique, mixed)
        ]
        assert states[0] == states[1]
        assert states[0].from_ns <= states[0].to_ns


def test_the_unit_of_latencies_changes_nothing() -> None:
    latencies = settling(600, 100)
    in_us = [value // 1000 for value in latencies]
    assert found("auto", starts(600), latencies).left_out == found("auto", starts(600), in_us).left_out


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "0s", "1.5", "²", "99999999999999"])
def test_a_warm_up_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="warm-up") as fault:
        warmup.parse(text)
    assert "100 for a hundred requests" in (fault.value.hint or "")
