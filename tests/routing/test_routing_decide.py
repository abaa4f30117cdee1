"""Decisions: they add up, gates all speak, and the model that passes is taken in the right order."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.domain import Model, Pool, PoolId, Price, Prompt
from harpoon_cli.errors import NoSuchModel, NothingFits
from harpoon_cli.plain import plain
from harpoon_cli.routing import Candidate, CandidateResult, Decision, Policy, Verdict, decide
from harpoon_cli.values import Struct, Told, replace

EASY = Prompt("Translate to French: good morning")
HARD = Prompt(
    "Prove step by step why the algorithm is optimal, and justify each part of the complex reasoning."
)

SMALL = Model(
    "gemma-270m", 1024, 1.0, 32_768, "gemma-270m", (), Decimal("0.01"), usd_per_million_output=Decimal("0.02")
)
MIDDLE = Model("mistral-7b", 6144, 10.0, 32_768, "mistral-7b")
LARGE = Model("qwen-30b", 30_720, 40.0, 131_072, "qwen-30b")


def free_pool(name: str, per_hour: str, card_mb: int, card_tflops: float) -> Pool:
    return Pool(
        id=PoolId(name),
        name=name,
        gpu_model=name,
        total_slices=2,
        free_slices=2,
        price=Price(Decimal(per_hour), "USD"),
        gpu_vram_mb=card_mb,
        gpu_tflops=card_tflops,
        vram_free_mb=card_mb,
        tflops_free=card_tflops,
    )


T4 = free_pool("t4", "0.35", 16_384, 65.0)
H100 = free_pool("h100", "2.49", 81_920, 990.0)


def candidates(*models: Model, pools: tuple[Pool, ...] | None = (T4, H100)) -> list[Candidate]:
    return [Candidate(model, pools) for model in models]


def result(decision: Decision, name: str) -> CandidateResult:
    return next(each for each in decision.candidates if each.model == name)


def verdicts(decision: Decision, name: str) -> dict[str, Verdict]:
    return {gate.gate: gate.verdict for gate in result(decision, name).failed}


EVERY_GATE = [
    "allow",
    "answers",
    "breaker",
    "budget",
    "capacity",
    "context",
    "deadline",
    "deny",
    "pin",
    "pools",
    "rate",
    "residency",
    "tflops",
    "vram",
]

models = st.builds(
    Model,
    name=st.text("abcdef", min_size=1, max_size=4),
    vram_mb=st.integers(1, 100_000),
    tflops=st.floats(0.1, 2000),
    context_tokens=st.integers(1, 200_000),
    served_name=st.just("served"),
    pools=st.lists(st.sampled_from(["t4", "h100", "gone"]).map(PoolId), max_size=2).map(tuple),
    usd_per_million_input=st.none() | st.decimals(0, 100, places=4),
    usd_per_million_output=st.none() | st.decimals(0, 100, places=4),
)
pools = st.builds(
    Pool,
    id=st.sampled_from(["t4", "h100", "a10", "7"]).map(PoolId),
    name=st.just("pool"),
    gpu_model=st.just("gpu"),
    free_slices=st.none() | st.integers(0, 8),
    gpu_vram_mb=st.none() | st.integers(1, 100_000),
    gpu_tflops=st.none() | st.floats(1, 2000),
    vram_free_mb=st.none() | st.integers(0, 100_000),
    tflops_free=st.none() | st.floats(0, 2000),
    status=st.none() | st.sampled_from(["active", "draining"]),
    price=st.none() | st.builds(Price, st.decimals(0, 10, places=3), st.just("USD")),
)
pool_lists = st.lists(pools, max_size=3, unique_by=lambda pool: pool.id).map(tuple)
crowds = st.lists(
    st.builds(
        Candidate, models, st.none() | st.lists(pools, max_size=3, unique_by=lambda pool: pool.id).map(tuple)
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda candidate: candidate.model.name,
)
policies = st.builds(
    Policy, max_tokens=st.none() | st.integers(1, 5000), base=st.floats(-5, 5), step=st.floats(0, 3)
)


def decided(prompt: str, crowd: list[Candidate], policy: Policy) -> Decision | None:
    try:
        return decide(Prompt(prompt), crowd, policy)
    except NothingFits:
        return None


@given(st.text(max_size=400), st.floats(-50, 50), st.integers(2, 6), st.floats(0, 5))
def test_the_margin_is_the_sum_of_everything_printed(text: str, base: float, sizes: int, step: float) -> None:
    crowd = [Candidate(Model(f"m{size}", size, 1.0, 10_000, "m")) for size in range(sizes)]
    decision = decide(Prompt(text), crowd, Policy(base=base, step=step))
    printed = [decision.score.intercept, *(each.amount for each in decision.score.contributions)]
    asked = [part.amount for part in decision.threshold.parts]
    assert decision.score.total == pytest.approx(math.fsum(printed), abs=1e-9, rel=0)
    assert decision.threshold.total == pytest.approx(math.fsum(asked), abs=1e-9, rel=0)
    assert decision.margin == pytest.approx(
        math.fsum([*printed, *(-part for part in asked)]), abs=1e-9, rel=0
    )
    for each in decision.score.contributions:
        assert each.amount == pytest.approx(each.weight * each.value, abs=1e-9, rel=0)


@given(st.text(max_size=200), crowds, policies)
def test_the_same_question_in_any_order_of_models_is_the_same_decision(
    text: str, crowd: list[Candidate], policy: Policy
) -> None:
    assert decided(text, crowd, policy) == decided(text, crowd[::-1], policy)


@given(st.text(max_size=200), crowds, policies)
def test_what_is_chosen_passes_every_gate_and_every_candidate_hears_every_gate(
    text: str, crowd: list[Candidate], policy: Policy
) -> None:
    decision = decided(text, crowd, policy)
    if decision is None:
        return
    assert result(decision, decision.model).passed
    assert {each.model for each in decision.candidates} == {each.model.name for each in crowd}
    for each in decision.candidates:
        assert [gate.gate for gate in each.gates] == EVERY_GATE
        assert each.passed == (not each.failed)
        assert all(gate.sentence for gate in each.gates)


@given(st.text(max_size=200), crowds, policies)
def test_a_model_with_pools_is_taken_exactly_where_one_of_them_can_hold_it_now(
    text: str, crowd: list[Candidate], policy: Policy
) -> None:
    decision = decided(text, crowd, policy)
    if decision is None:
        return
    for candidate in crowd:
        if candidate.pools is None:
            continue
        mine = [
            pool for pool in candidate.pools if not candidate.model.pools or pool.id in candidate.model.pools
        ]
        holds = any(not pool.obstacles(candidate.model.requirements) for pool in mine)
        roomless = verdicts(decision, candidate.model.name).keys() & {"pools", "vram", "tflops", "capacity"}
        assert holds == (not roomless)
        assert (result(decision, candidate.model.name).pool is not None) == holds


@given(st.text(max_size=300), st.floats(-20, 20), st.floats(0, 20))
def test_a_higher_base_never_asks_for_a_larger_model(text: str, base: float, more: float) -> None:
    crowd, order = candidates(SMALL, MIDDLE, LARGE), [SMALL.name, MIDDLE.name, LARGE.name]
    before = decide(Prompt(text), crowd, Policy(base=base))
    after = decide(Prompt(text), crowd, Policy(base=base + more))
    assert order.index(after.wanted) <= order.index(before.wanted)


@given(st.text(max_size=200), crowds, policies)
def test_a_decision_is_a_tree_of_plain_values(text: str, crowd: list[Candidate], policy: Policy) -> None:
    decision = decided(text, crowd, policy)
    if decision is None:
        return

    def check(value: object) -> None:
        if isinstance(value, Told):
            assert str(value)
        elif isinstance(value, Struct):
            for name in value.__struct_fields__:
                check(getattr(value, name))
        elif isinstance(value, tuple):
            for each in value:
                check(each)
        else:
            assert value is None or isinstance(value, str | int | float | Decimal | Enum), value
            assert not isinstance(value, float) or math.isfinite(value)

    check(decision)
    json.dumps(plain(decision), allow_nan=False)


def test_of_two_models_the_score_takes_the_small_one_below_the_base_and_the_large_one_from_it_on() -> None:
    crowd = candidates(LARGE, SMALL)
    score = decide(EASY, crowd, Policy()).score.total
    assert decide(EASY, crowd, Policy(base=score)).model == "qwen-30b"
    assert decide(EASY, crowd, Policy(base=math.nextafter(score, math.inf))).model == "gemma-270m"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("Complex reasoning task", "qwen-30b"),
        (HARD.text, "qwen-30b"),
        ("Fix the bug in this python function: def f(): return x == 1", "qwen-30b"),
        ("What is 2+2?", "gemma-270m"),
        ("Why is the sky blue?", "gemma-270m"),
        (EASY.text, "gemma-270m"),
        ("", "gemma-270m"),
    ],
)
def test_plain_prompts_go_where_a_person_would_send_them(text: str, model: str) -> None:
    assert decide(Prompt(text), candidates(SMALL, LARGE), Policy()).model == model


def test_with_three_models_the_steps_lie_around_the_base() -> None:
    decision = decide(EASY, candidates(SMALL, MIDDLE, LARGE), Policy(base=1.0, step=2.0))
    assert [each.threshold and each.threshold.total for each in decision.candidates] == [None, 0.0, 2.0]
    assert [each.margin is None for each in decision.candidates] == [True, False, False]


@pytest.mark.parametrize(("base", "model"), [(9.0, "gemma-270m"), (None, "mistral-7b"), (-9.0, "qwen-30b")])
def test_with_three_models_the_middle_one_is_for_scores_near_the_base(base: float | None, model: str) -> None:
    crowd = candidates(SMALL, MIDDLE, LARGE)
    score = decide(EASY, crowd, Policy()).score.total
    assert decide(EASY, crowd, Policy(base=score if base is None else base)).model == model


def test_a_removed_model_gives_way_to_the_next_larger_and_the_reason_says_so() -> None:
    full = replace(T4, free_slices=0)
    crowd = [Candidate(SMALL, (full,)), Candidate(MIDDLE, (H100,)), Candidate(LARGE, (H100,))]
    decision = decide(EASY, crowd, Policy())
    assert (decision.wanted, decision.model) == ("gemma-270m", "mistral-7b")
    assert decision.reason == (
        "the score asks for gemma-270m, but capacity (would fit, but not now: t4: no free slice); "
        "mistral-7b is the next that passes"
    )


def test_where_no_larger_model_passes_the_next_smaller_is_taken() -> None:
    decision = decide(HARD, candidates(SMALL, MIDDLE, LARGE, pools=(T4,)), Policy())
    assert (decision.wanted, decision.model) == ("qwen-30b", "mistral-7b")


def test_a_model_that_fits_no_card_keeps_its_score_and_every_failed_gate() -> None:
    hopeless = replace(LARGE, context_tokens=4, tflops=900.0)
    decision = decide(HARD, candidates(SMALL, hopeless, pools=(T4,)), Policy())
    assert verdicts(decision, "qwen-30b") == {
        "context": Verdict.NEVER,
        "vram": Verdict.NEVER,
        "tflops": Verdict.NEVER,
        "capacity": Verdict.NEVER,
    }
    assert result(decision, "qwen-30b").margin == decision.margin >= 0


def test_a_card_that_is_too_small_and_one_that_is_busy_are_told_apart() -> None:
    busy = replace(H100, vram_free_mb=1024)
    crowd = [Candidate(SMALL, (T4,)), Candidate(MIDDLE, (busy,)), Candidate(LARGE, (T4,))]
    decision = decide(EASY, crowd, Policy())
    assert verdicts(decision, "mistral-7b") == {"capacity": Verdict.NOT_NOW, "vram": Verdict.NOT_NOW}
    assert verdicts(decision, "qwen-30b") == {"vram": Verdict.NEVER, "capacity": Verdict.NEVER}


def test_memory_and_compute_on_two_different_cards_are_not_one_slice() -> None:
    roomy = Pool(PoolId("roomy"), "roomy", "K80", gpu_vram_mb=81_920, gpu_tflops=8.0)
    crowd = [Candidate(SMALL, (T4,)), Candidate(LARGE, (T4, roomy))]
    assert verdicts(decide(EASY, crowd, Policy()), "qwen-30b") == {"capacity": Verdict.NEVER}


def test_a_model_may_only_use_the_pools_its_entry_names() -> None:
    bound = replace(SMALL, name="bound", pools=(PoolId("elsewhere"),))
    assert verdicts(decide(EASY, candidates(bound, LARGE), Policy()), "bound") == {"pools": Verdict.NEVER}


def test_a_platform_that_does_not_list_its_pools_removes_nobody() -> None:
    decision = decide(HARD, candidates(SMALL, LARGE, pools=None), Policy())
    assert decision.model == "qwen-30b"
    assert all(each.passed and each.pool is None for each in decision.candidates)


def test_a_pin_overrules_the_score_and_is_still_explained() -> None:
    decision = decide(EASY, candidates(SMALL, LARGE), Policy(pin="qwen-30b"))
    assert (decision.model, decision.wanted, decision.pinned) == ("qwen-30b", "gemma-270m", True)
    assert verdicts(decision, "gemma-270m") == {"pin": Verdict.EXCLUDED}
    assert decision.margin < 0


def test_only_allowed_models_are_chosen_among_but_another_can_be_pinned() -> None:
    crowd, allow = candidates(SMALL, MIDDLE, LARGE), ("qwen-30b", "gemma-270m")
    decision = decide(HARD, crowd, Policy(allow=allow))
    assert decision.model == "qwen-30b"
    assert verdicts(decision, "mistral-7b") == {"allow": Verdict.EXCLUDED}
    assert len(decision.threshold.parts) == 1
    assert decide(HARD, crowd, Policy(allow=allow, pin="mistral-7b")).model == "mistral-7b"


def test_a_pinned_model_that_fits_nowhere_is_an_error_with_the_command_that_shows_why() -> None:
    with pytest.raises(NothingFits) as caught:
        decide(EASY, candidates(SMALL, LARGE, pools=(T4,)), Policy(pin="qwen-30b"))
    assert caught.value.message == (
        "no model can take this prompt: "
        "qwen-30b: capacity (no pool has all of it on one card: t4: VRAM: needs 30720 MB, a card has 16384), "
        "vram (no card is large enough for 30720 MB of model and a cache whose size is not known: "
        "t4: VRAM: needs 30720 MB, a card has 16384)"
    )
    assert caught.value.hint == "see: harpoon pools --fits qwen-30b"


def test_a_prompt_too_long_for_every_model_says_what_helps() -> None:
    with pytest.raises(NothingFits, match="exceed the context of 131072") as caught:
        decide(Prompt("word " * 2_000_000), candidates(SMALL, LARGE), Policy())
    assert caught.value.hint is not None
    assert "--max-tokens" in caught.value.hint


def test_the_answer_counts_towards_the_context() -> None:
    crowd = candidates(SMALL, LARGE)
    assert decide(EASY, crowd, Policy(max_tokens=32_000)).model == "gemma-270m"
    assert decide(EASY, crowd, Policy(max_tokens=32_768)).model == "qwen-30b"


def test_the_system_text_counts_towards_the_context_but_not_the_score() -> None:
    plain = decide(EASY, candidates(SMALL, LARGE), Policy())
    instructed = decide(Prompt(EASY.text, system=HARD.text), candidates(SMALL, LARGE), Policy())
    assert instructed.score == plain.score
    assert instructed.prompt_tokens > plain.prompt_tokens


@pytest.mark.parametrize("policy", [Policy(pin="gemma-270"), Policy(allow=("Gemma-270M!", "qwen-30b"))])
def test_a_name_that_is_no_candidate_is_met_with_the_nearest(policy: Policy) -> None:
    with pytest.raises(NoSuchModel) as caught:
        decide(EASY, candidates(SMALL, LARGE), policy)
    assert caught.value.hint == "did you mean gemma-270m?"


def test_no_candidates_at_all_is_an_error_and_not_a_crash() -> None:
    with pytest.raises(NothingFits, match="no model to choose from"):
        decide(EASY, [], Policy())


def test_the_expected_cost_is_estimated_and_absent_where_a_price_or_the_length_is_unknown() -> None:
    decision = decide(EASY, candidates(SMALL, LARGE), Policy(max_tokens=100))
    cost = result(decision, "gemma-270m").cost
    assert cost is not None
    assert cost.money.origin == "estimated"
    assert cost.money.amount == (decision.prompt_tokens * Decimal("0.01") + 100 * Decimal("0.02")) / 1_000_000
    assert result(decision, "qwen-30b").cost is None
    assert result(decide(EASY, candidates(SMALL), Policy()), "gemma-270m").cost is None


def test_each_candidate_names_the_cheapest_place_it_fits_now() -> None:
    decision = decide(EASY, candidates(SMALL, LARGE), Policy())
    assert [(each.model, each.pool) for each in decision.candidates] == [
        ("gemma-270m", "t4"),
        ("qwen-30b", "h100"),
    ]


def test_the_decision_says_that_its_weights_are_not_fitted() -> None:
    quality = decide(EASY, candidates(SMALL), Policy()).quality
    assert quality.weights == "hand-set, not fitted"
    assert "little better than chance" in quality.note
