"""Thresholds: each part says what it adds, and together they are what the score is held against."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.domain import Model, Prompt
from harpoon_cli.routing import Candidate, Decision, Policy, decide
from harpoon_cli.routing.weights_file import shipped

PROMPT = Prompt("Tom has 12 apples and gives half of them to each of his 3 friends. How many has each?")


def model(name: str, size_mb: int, usd: str) -> Model:
    return Model(name, size_mb, 1.0, 10**6, name, (), Decimal(usd), Decimal(usd))


SMALL = Candidate(model("small", 1024, "0.10"), latency_s=0.5)
LARGE = Candidate(model("large", 32_768, "10.10"), latency_s=2.5)
MIDDLE = Candidate(model("middle", 8192, "1.10"), latency_s=1.0)


def parts(decision: Decision) -> dict[str, float]:
    assert decision.threshold.total == pytest.approx(
        math.fsum(part.amount for part in decision.threshold.parts), abs=1e-9, rel=0
    )
    assert all(part.sentence for part in decision.threshold.parts)
    return {part.name: part.amount for part in decision.threshold.parts}


def asked(policy: Policy) -> dict[str, float]:
    return parts(decide(PROMPT, [SMALL, LARGE], policy))


def test_by_default_there_is_a_base_and_nothing_else() -> None:
    assert asked(Policy(base=0.25)) == {"base": 0.25}


def test_a_share_sets_the_base_where_so_many_of_the_fitted_prompts_are_above() -> None:
    assert asked(Policy(share=0.3, base=9.0)) == {"base": shipped().base_for(0.3, "sums in words")}
    unfamiliar = parts(decide(Prompt("Write a poem."), [SMALL, LARGE], Policy(share=0.3)))
    assert unfamiliar == {"base": shipped().base_for(0.3, None)}


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_or_quality_never_asks_for_more(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert asked(Policy(share=more))["base"] <= asked(Policy(share=less))["base"]
    assert asked(Policy(quality=more))["base"] <= asked(Policy(quality=less))["base"]


def test_all_or_nothing_can_be_asked_for() -> None:
    assert decide(PROMPT, [SMALL, LARGE], Policy(share=1.0)).model == "large"
    assert decide(PROMPT, [SMALL, LARGE], Policy(quality=1.0)).threshold.parts[0].sentence.endswith("gain")


def test_the_difference_in_cost_counts_by_what_one_log_odds_is_worth() -> None:
    decision = decide(PROMPT, [SMALL, LARGE], Policy(max_tokens=100, usd_per_log_odds=0.001))
    expected = 10.0 * (decision.prompt_tokens + 100) / 1_000_000 / 0.001
    assert parts(decision)["price"] == pytest.approx(expected)


def test_what_is_not_known_adds_nothing() -> None:
    policy = Policy(usd_per_log_odds=0.001, s_per_log_odds=1.0)
    nameless = Candidate(Model("large", 32_768, 1.0, 10**6, "large"))
    assert parts(decide(PROMPT, [SMALL, nameless], policy)) == {"base": 0.0}


def test_the_difference_in_latency_counts_in_seconds_a_log_odds() -> None:
    assert asked(Policy(s_per_log_odds=4.0))["latency"] == pytest.approx(0.5)


@pytest.mark.parametrize(("model", "amount"), [("large", -0.5), ("small", 0.5)])
def test_a_session_keeps_the_model_that_answered_last(model: str, amount: float) -> None:
    assert asked(Policy(session_model=model))["session"] == amount


def test_a_session_with_the_middle_model_is_kept_from_either_side() -> None:
    decision = decide(PROMPT, [SMALL, MIDDLE, LARGE], Policy(session_model="middle", stickiness=2.0))
    steps = [one.threshold for one in decision.candidates]
    amounts = [{part.name: part.amount for part in step.parts}["session"] if step else None for step in steps]
    assert amounts == [None, -2.0, 2.0]


def test_a_budget_that_runs_out_presses_towards_the_small_model() -> None:
    assert asked(Policy(budget_used=0.75, pressure=2.0))["budget"] == 1.5


def test_everything_together_is_one_sum() -> None:
    policy = Policy(
        share=0.5,
        max_tokens=50,
        usd_per_log_odds=0.01,
        s_per_log_odds=2.0,
        session_model="small",
        budget_used=0.5,
    )
    decision = decide(PROMPT, [SMALL, MIDDLE, LARGE], policy)
    assert set(parts(decision)) == {"base", "size", "price", "latency", "session", "budget"}
    both = [decision.score.intercept, *(part.amount for part in decision.score.contributions)]
    both += [-part.amount for part in decision.threshold.parts]
    assert decision.margin == pytest.approx(math.fsum(both), abs=1e-9, rel=0)


def test_the_smallest_units_leave_the_sum_its_digits() -> None:
    policy = Policy(max_tokens=500, usd_per_log_odds=1e-320, s_per_log_odds=1e-320)
    found = decide(PROMPT, [SMALL, LARGE], policy)
    total = math.fsum([found.score.total, *(-amount for amount in parts(found).values())])
    assert total == pytest.approx(found.margin, abs=1e-9, rel=0)
