"""Gates: each judges alone, what is not known removes nobody, a removed model keeps all that was known."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.domain import Model, Money, Origin, Pool, PoolId, Price, Prompt, Requirements
from harpoon_cli.errors import BreakerOpen, CostCeilingReached, NoSuchModel, NothingFits, RateLimited
from harpoon_cli.routing import Candidate, Decision, Policy, Refusal, Verdict, decide
from harpoon_cli.routing.gates import discover, judge
from harpoon_cli.routing.room import Question
from harpoon_cli.values import Struct, replace

PROMPT = Prompt("Prove it step by step.")
SMALL = Model("small", 1000, 1.0, 8000, "small", kv_kb_per_token=16.0)
LARGE = Model("large", 20_000, 30.0, 32_000, "large", kv_kb_per_token=96.0)
CARD = Pool(
    PoolId("card"),
    "card",
    "Card",
    free_slices=2,
    price=Price(Decimal("3.60"), "USD"),
    region="eu-west",
    gpu_vram_mb=24_000,
    gpu_tflops=60.0,
    vram_free_mb=24_000,
    tflops_free=60.0,
)


def decided(policy: Policy | None = None, pool: Pool | None = CARD, **facts: Any) -> Decision:
    pools = None if pool is None else (pool,)
    large = Candidate(LARGE, pools, **facts)
    return decide(PROMPT, [Candidate(SMALL, pools), large], policy or Policy(base=-9.0))


def verdict(decision: Decision, gate: str, model: str = "large") -> tuple[Verdict, str]:
    result = next(one for one in decision.candidates if one.model == model)
    found = next(one for one in result.gates if one.gate == gate)
    return found.verdict, found.sentence


FAILING: dict[str, dict[str, Any]] = {
    "pin": {"policy": Policy(base=-9.0, pin="small")},
    "allow": {"policy": Policy(base=-9.0, allow=("small",))},
    "deny": {"policy": Policy(base=-9.0, deny=("large",))},
    "context": {"policy": Policy(base=-9.0, max_tokens=5000), "context": 4000},
    "pools": {"named": (PoolId("elsewhere"),)},
    "vram": {"pool": replace(CARD, gpu_vram_mb=20_010, vram_free_mb=20_010), "max_tokens": 500},
    "tflops": {"pool": replace(CARD, gpu_tflops=20.0)},
    "capacity": {"pool": replace(CARD, tflops_free=20.0)},
    "answers": {"failed": "cannot reach it"},
    "breaker": {"shut_s": 3.0},
    "rate": {"calls_left": 0},
    "budget": {"policy": Policy(base=-9.0, max_cost=Decimal("0.005")), "latency_s": 3.0},
    "deadline": {"policy": Policy(base=-9.0, deadline_s=10.0), "latency_s": 10.5},
    "residency": {"policy": Policy(base=-9.0, regions=("us-east",)), "pool": CARD, "also": "small"},
}


def test_every_gate_has_a_case_here() -> None:
    assert [gate.name for gate in discover()] == sorted(FAILING)


@pytest.mark.parametrize("gate", FAILING)
def test_a_gate_that_fails_removes_the_model_and_keeps_its_score(gate: str) -> None:
    case = dict(FAILING[gate])
    policy = case.pop("policy", Policy(base=-9.0))
    policy = replace(policy, max_tokens=case.pop("max_tokens", policy.max_tokens))
    pool, also = case.pop("pool", CARD), case.pop("also", None)
    model = replace(LARGE, context_tokens=case.pop("context", 32_000), pools=case.pop("named", ()))
    unlabelled = replace(pool, region=None) if also else pool
    crowd = [Candidate(SMALL, (unlabelled,)), Candidate(model, (pool,), **case)]
    decision = decide(PROMPT, crowd, policy)
    result = decision.candidates[1]
    assert decision.model == "small"
    assert not result.passed
    assert gate in {one.gate for one in result.failed}
    assert len(result.gates) == len(FAILING)
    assert result.score == decision.score.total
    assert result.margin == pytest.approx(decision.score.total + 9.0, abs=1e-9)


@pytest.mark.parametrize("without", ["regions", "entry"])
@pytest.mark.parametrize("gate", ["vram", "tflops", "capacity", "budget"])
def test_a_model_that_may_use_no_pool_keeps_what_else_is_in_its_way(without: str, gate: str) -> None:
    none_there = ("nowhere",) if without == "regions" else ()
    policy = Policy(base=-9.0, regions=none_there, max_cost=Decimal("0.000001") if gate == "budget" else None)
    case = FAILING[gate]
    pool = replace(case.get("pool", CARD), vram_free_mb=10) if gate == "vram" else case.get("pool", CARD)
    named = (PoolId("elsewhere"),) if without == "entry" else ()
    large = Candidate(replace(LARGE, pools=named), (pool,), latency_s=3.0)
    decision = decide(PROMPT, [Candidate(SMALL), large], policy)
    failed = {one.gate for one in decision.candidates[1].failed}
    assert {gate, "residency" if without == "regions" else "pools"} <= failed
    assert decision.candidates[1].pool is None


UNKNOWN = ["breaker", "deadline", "rate", "pools", "vram", "tflops", "capacity", "residency", "budget"]


@pytest.mark.parametrize("gate", UNKNOWN)
def test_what_is_not_known_removes_nobody_and_says_so(gate: str) -> None:
    policy = Policy(base=-9.0, deadline_s=1.0, regions=("eu-west",), max_cost=Decimal("0.0001"))
    found, sentence = verdict(decided(policy, pool=None), gate)
    assert found is Verdict.PASSED
    assert "not known" in sentence


def test_the_cache_of_the_tokens_counts_towards_the_slice() -> None:
    decision = decided(Policy(base=-9.0, max_tokens=1000))
    tokens = decision.prompt_tokens + 1000
    needed = 20_000 + math.ceil(tokens * 96 / 1024)
    assert decision.candidates[1].needs == Requirements(needed, 30.0, "large")
    one_short = replace(CARD, vram_free_mb=needed - 1)
    assert decided(Policy(base=-9.0, max_tokens=1000), replace(CARD, vram_free_mb=needed)).model == "large"
    assert decided(Policy(base=-9.0, max_tokens=1000), one_short).model == "small"


def test_of_a_slice_that_is_held_already_the_cache_is_not_judged() -> None:
    pool = replace(CARD, gpu_vram_mb=20_000, vram_free_mb=None)
    assert decided(Policy(base=-9.0, max_tokens=1000), pool).model == "small"
    assert decided(Policy(base=-9.0, max_tokens=1000), pool, held=True).model == "large"


def test_a_pool_of_another_region_is_not_used_where_one_of_the_right_region_is_dearer() -> None:
    dear = replace(CARD, id=PoolId("here"), price=Price(Decimal(9), "USD"))
    cheap = replace(CARD, id=PoolId("there"), region="us-east")
    policy = Policy(base=-9.0, regions=("eu-west",))
    decision = decide(PROMPT, [Candidate(LARGE, (cheap, dear))], policy)
    assert decision.candidates[0].pool == "here"


def test_what_a_pool_refused_is_not_asked_of_it_again_and_less_of_it_is() -> None:
    refused = (Refusal(CARD.id, Requirements(20_000, 30.0), "pool is full"),)
    crowd = [Candidate(one, (CARD,), refusals=refused) for one in (SMALL, LARGE)]
    decision = decide(PROMPT, crowd, Policy(base=-9.0))
    assert (decision.wanted, decision.model) == ("large", "small")
    assert verdict(decision, "capacity") == (Verdict.NOT_NOW, "card refused it: pool is full")


def test_a_refusal_counts_where_the_platform_lists_no_pools_too() -> None:
    refused = (Refusal(CARD.id, Requirements(20_000, 30.0), "full"),)
    crowd = [Candidate(one, refusals=refused) for one in (SMALL, LARGE)]
    assert decide(PROMPT, crowd, Policy(base=-9.0)).model == "small"


def test_where_only_the_breaker_removes_every_model_the_error_is_the_breakers() -> None:
    crowd = [Candidate(one, (CARD,), shut_s=2.5) for one in (SMALL, LARGE)]
    with pytest.raises(BreakerOpen, match=r"nothing is sent for 2\.5 s"):
        decide(PROMPT, crowd, Policy())


def test_where_only_the_ceiling_removes_every_model_the_error_is_the_ceilings() -> None:
    with pytest.raises(CostCeilingReached, match="do not pay for 3 s"):
        decided(Policy(max_cost=Decimal("0.001")))


def test_a_model_that_is_denied_and_asked_for_by_name_is_refused_with_the_reason() -> None:
    with pytest.raises(NothingFits, match="large: deny"):
        decided(Policy(pin="large", deny=("large",)))


def test_a_misspelt_name_in_the_list_of_denied_models_is_an_error() -> None:
    with pytest.raises(NoSuchModel):
        decided(Policy(deny=("larg",)))


facts = st.fixed_dictionaries(
    {
        "latency_s": st.none() | st.floats(0, 1000),
        "shut_s": st.none() | st.floats(0, 10),
        "calls_left": st.none() | st.integers(0, 3),
        "failed": st.none() | st.text(max_size=9),
        "held": st.booleans(),
    }
)
policies = st.builds(
    Policy,
    deny=st.sampled_from([(), ("small",), ("large",)]),
    regions=st.sampled_from([(), ("eu-west",), ("us-east",)]),
    max_cost=st.none() | st.decimals(0, 1, places=4),
    deadline_s=st.none() | st.floats(0.1, 1000),
    max_tokens=st.none() | st.integers(1, 40_000),
    base=st.floats(-9, 9),
    share=st.none() | st.floats(0, 1),
    usd_per_log_odds=st.none() | st.floats(1e-6, 1),
    s_per_log_odds=st.none() | st.floats(1e-3, 100),
    session_model=st.none() | st.sampled_from(["small", "large"]),
    budget_used=st.floats(0, 1),
    budget=st.none()
    | st.builds(
        Money, st.decimals(0, 1, places=4), st.sampled_from(["USD", "EUR"]), st.just(Origin.ESTIMATED)
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), policies, facts, facts)
def test_whatever_is_known_the_printed_sums_are_the_margin_on_both_sides(
    text: str, policy: Policy, one: dict[str, Any], other: dict[str, Any]
) -> None:
    priced = replace(LARGE, usd_per_million_input=Decimal(3), usd_per_million_output=Decimal(9))
    free = replace(SMALL, usd_per_million_input=Decimal(0), usd_per_million_output=Decimal(0))
    crowd = [Candidate(free, (CARD,), **one), Candidate(priced, (CARD,), **other)]
    try:
        decision = decide(Prompt(text), crowd, policy)
    except (NothingFits, BreakerOpen, CostCeilingReached, RateLimited):
        return
    score_side = math.fsum(
        [decision.score.intercept, *(part.amount for part in decision.score.contributions)]
    )
    threshold_side = math.fsum(part.amount for part in decision.threshold.parts)
    assert abs(score_side - threshold_side - decision.margin) <= 1e-9
    for result in decision.candidates:
        assert result.passed == (not result.failed)
        assert len(result.gates) == len(FAILING)
        if result.threshold is not None and result.margin is not None:
            asked = math.fsum(part.amount for part in result.threshold.parts)
            assert abs(score_side - asked - result.margin) <= 1e-9


def test_a_gate_is_named_after_its_file() -> None:
    for gate in discover():
        assert gate.judge.__module__ == f"harpoon_cli.routing.gates.{gate.name}"
        assert isinstance(gate, Struct)


LEFT = Money(Decimal("0.005"), "USD", Origin.ESTIMATED)


@pytest.mark.parametrize(
    ("policy", "verdict", "sentence"),
    [
        (Policy(budget=LEFT), Verdict.NOT_NOW, "0.005 USD left of the budget do not pay for 6 s"),
        (Policy(budget=replace(LEFT, amount=Decimal(0))), Verdict.NOT_NOW, "the budget is spent"),
        (
            Policy(budget=replace(LEFT, currency="EUR")),
            Verdict.PASSED,
            "not known: the budget is not in USD",
        ),
        (
            Policy(budget=LEFT, max_cost=Decimal("0.001")),
            Verdict.NEVER,
            "0.001 USD do not pay for 6 s",
        ),
        (
            Policy(budget=replace(LEFT, amount=Decimal("0.01")), budget_used=0.7),
            Verdict.NOT_NOW,
            "0.003 USD left of the budget do not pay for 6 s",
        ),
        (
            Policy(budget=replace(LEFT, amount=Decimal(1)), max_cost=Decimal(2)),
            Verdict.PASSED,
            "2 USD and 1 USD left of the budget pay for 6 s",
        ),
    ],
)
def test_the_budget_s_gate_looks_at_the_ceiling_and_at_what_is_left(
    policy: Policy, verdict: Verdict, sentence: str
) -> None:
    judged = judge(Candidate(SMALL, (CARD,), 3.0), Question(policy, 10))
    [found] = [one for one in judged if one.gate == "budget"]
    assert found.verdict is verdict
    assert found.sentence.startswith(sentence)
