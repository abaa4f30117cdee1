"""Counterfactuals: what is told flips the decision when it is tried, and what does not is not told."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.domain import Model, Pool, PoolId, Price, Prompt
from harpoon_cli.errors import HarpoonError, UsageFault
from harpoon_cli.routing import Inputs, Known, Policy
from harpoon_cli.routing.changes import (
    with_context,
    with_free_vram,
    with_latency,
    with_share,
    with_text,
    with_tokens_times,
)
from harpoon_cli.routing.counterfactuals import explained
from harpoon_cli.routing.decision import Counterfactual, Decision
from harpoon_cli.routing.engine import decide_on, examine_on, model_on
from harpoon_cli.routing.rewording import without
from harpoon_cli.routing.what_if import KEYS, assume
from harpoon_cli.values import replace

AXES = ["price", "latency", "free VRAM", "asked share", "context", "wording"]
CARD = Pool(
    PoolId("card"),
    "card",
    "Card",
    free_slices=2,
    price=Price(Decimal("3.60"), "USD"),
    gpu_vram_mb=48_000,
    gpu_tflops=60.0,
    vram_free_mb=30_000,
)
SMALL = Model("small", 1000, 1.0, 8000, "small", (), Decimal("0.1"), Decimal("0.1"), kv_kb_per_token=16.0)
LARGE = Model("large", 20_000, 30.0, 32_000, "large", (), Decimal(3), Decimal(9), kv_kb_per_token=96.0)
POLICY = Policy(
    allow=("small", "large"), max_tokens=500, usd_per_log_odds=0.002, s_per_log_odds=5.0, deadline_s=60.0
)
INPUTS = Inputs(
    Prompt("Prove step by step that the sum of two odd numbers is even, and justify each part."),
    POLICY,
    (Known(SMALL, 1.0), Known(LARGE, 4.0)),
    (CARD,),
)


def decided(inputs: Inputs) -> Decision:
    return explained(decide_on(inputs))


def told(decision: Decision) -> dict[str, Counterfactual]:
    assert decision.counterfactuals is not None
    return {one.axis: one for one in decision.counterfactuals}


def again(inputs: Inputs, found: Counterfactual) -> Inputs:
    """The inputs with the change that a sentence tells of, read from its words alone."""
    assert found.change is not None
    change = found.change
    if match := re.fullmatch(r"if the tokens of (\w+) cost (\S+) times as much", change):
        return with_tokens_times(inputs, match[1], float(match[2]))
    if match := re.fullmatch(r"if an answer of (\w+) took (\S+) s or (?:more|less)", change):
        return with_latency(inputs, match[1], float(match[2]))
    if match := re.fullmatch(r"if the largest free slice had (\d+) MB or (?:more|less)", change):
        return with_free_vram(inputs, int(match[1]))
    if match := re.fullmatch(r"with an asked share of (\S+) or (?:more|less)", change):
        return with_share(inputs, float(match[1]))
    if match := re.fullmatch(r"if an answer might have (\d+) tokens or more \(--max-tokens\)", change):
        return replace(inputs, policy=replace(inputs.policy, max_tokens=int(match[1])))
    if match := re.fullmatch(r"if (\w+) had a context of (\d+) tokens or (?:more|less)", change):
        return with_context(inputs, match[1], int(match[2]))
    if match := re.fullmatch(r'with "(.*)" after it', change):
        return with_text(inputs, f"{inputs.prompt.text} {match[1]}")
    words = re.findall(r'"([^"]*)"', change)
    assert change.startswith("without the word")
    return with_text(inputs, without(inputs.prompt.text, words))


def test_there_is_one_for_every_axis_in_this_order() -> None:
    assert list(told(decided(INPUTS))) == AXES


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("base", [-3.0, 3.0])
def test_every_axis_has_a_change_that_flips_the_decision_when_it_is_made(axis: str, base: float) -> None:
    near = decide_on(replace(INPUTS, policy=Policy())).score.total + base / 10
    inputs = replace(INPUTS, policy=replace(POLICY, base=base))
    if axis == "wording":  # a word or two do not move a score by three log-odds
        inputs = replace(
            INPUTS, policy=replace(POLICY, base=near, usd_per_log_odds=None, s_per_log_odds=None)
        )
    decision = decided(inputs)
    found = told(decision)[axis]
    if found.change is None:
        assert (axis, decision.model) in [("free VRAM", "small"), ("price", "small")]
        return
    assert found.model is not None
    assert decide_on(again(inputs, found)).model == found.model != decision.model


prompts = st.sampled_from(
    [
        INPUTS.prompt.text,
        "Hello",
        "",
        "Which is a tort? A. assault B. treason C. perjury D. arson",
        "x " * 3000,
    ]
)
policies = st.builds(
    Policy,
    allow=st.sampled_from([(), ("small", "large")]),
    deny=st.sampled_from([(), ("large",)]),
    pin=st.sampled_from([None, None, None, "small"]),
    max_tokens=st.none() | st.integers(1, 9000),
    base=st.floats(-4, 4),
    share=st.none() | st.floats(0, 1),
    usd_per_log_odds=st.none() | st.floats(1e-5, 1),
    s_per_log_odds=st.none() | st.floats(0.1, 50),
    max_cost=st.none() | st.decimals("0.01", 1, places=3),
    deadline_s=st.none() | st.floats(1, 100),
)


@settings(max_examples=25, deadline=None)
@given(prompts, policies, st.integers(0, 60_000))
def test_whatever_is_told_is_seen_to_flip(text: str, policy: Policy, free_mb: int) -> None:
    inputs = replace(INPUTS, prompt=Prompt(text), policy=policy, pools=(replace(CARD, vram_free_mb=free_mb),))
    try:
        decision = decided(inputs)
    except HarpoonError:
        return
    for found in told(decision).values():
        assert (found.change is None) == (found.model is None)
        assert found.bounds
        if found.change is not None and "all pools" not in found.change:
            assert decide_on(again(inputs, found)).model == found.model != decision.model


def test_nothing_flips_a_model_that_is_asked_for_by_name() -> None:
    decision = decided(replace(INPUTS, policy=replace(POLICY, pin="small")))
    assert all(one.change is None for one in told(decision).values())
    assert all("asked for by name" in one.bounds for one in told(decision).values())


def test_the_memory_that_is_told_is_the_first_that_flips_to_the_megabyte() -> None:
    inputs = replace(INPUTS, policy=replace(POLICY, base=-5.0))
    found = told(decided(inputs))["free VRAM"]
    edge = int(re.findall(r"\d+", found.change or "")[0])
    assert found.change == f"if the largest free slice had {edge} MB or less"
    assert decide_on(with_free_vram(inputs, edge)).model == "small"
    assert decide_on(with_free_vram(inputs, edge + 1)).model == "large"


ASSUMED = {
    "vram.free": "15",
    "tflops.free": "10",
    "slices.free": "0",
    "price.hour": "9",
    "price.MODEL": "50",
    "latency.MODEL": "61",
    "context.MODEL": "100",
    "share": "0.5",
    "quality": "0.5",
    "threshold": "0.9",
    "max-tokens": "9000",
    "max-cost": "0.004",
    "deadline": "2",
    "budget.used": "1",
}


def test_every_key_can_be_assumed_and_is_named_in_the_inputs() -> None:
    assert sorted(key.name for key in KEYS) == sorted(ASSUMED)
    for name, value in ASSUMED.items():
        text = f"{name.replace('MODEL', 'large')}={value}"
        changed = assume(INPUTS, [text])
        assert changed.assumed == (text,)
        assert replace(changed, assumed=()) != INPUTS


@pytest.mark.parametrize("text", ["vram.free=15", "latency.large=61", "deadline=2", "tflops.free=20"])
def test_an_assumption_changes_the_decision(text: str) -> None:
    inputs = replace(INPUTS, policy=replace(POLICY, base=-5.0))
    assert decide_on(inputs).model == "large"
    assert decide_on(assume(inputs, [text])).model == "small"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("vram.fre=4", "one of: vram.free, "),
        ("vram.free", "--what-if vram.free=40"),
        ("price.larg=4", "did you mean large?"),
    ],
)
def test_an_unknown_key_is_met_with_the_keys_there_are(text: str, says: str) -> None:
    with pytest.raises(UsageFault) as caught:
        assume(INPUTS, [text])
    assert says in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["share=2", "vram.free=x", "max-tokens=1.5", "deadline=-1", "share=nan"])
def test_a_value_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="from 0 to"):
        assume(INPUTS, [text])


def test_free_memory_of_pools_that_are_not_listed_cannot_be_assumed() -> None:
    with pytest.raises(UsageFault, match="does not list its pools"):
        assume(replace(INPUTS, pools=None), ["vram.free=4"])


def test_words_are_left_out_without_joining_lines() -> None:
    assert without("Explain why\nthis is not\nso difficult", ["why", "difficult"]).split("\n") == [
        "Explain ",
        "this is not",
        "so ",
    ]


@pytest.mark.parametrize("base", [-2.0, -1.0, 0.0, 1.0])
def test_a_smaller_share_is_never_said_to_give_a_larger_model(base: float) -> None:
    middle = replace(SMALL, name="middle", vram_mb=7000)
    text = "Felton Farm Supplies ships 3 crates of 12 apples, sells 7 and gives 5 away. How many are left?"
    models = (Known(SMALL), Known(middle), Known(LARGE))
    found = decided(Inputs(Prompt(text), Policy(base=base, step=0.2), models, (CARD,)))
    sizes = [one.model for one in found.candidates]
    change = told(found)["asked share"]
    assert change.change is not None
    assert change.model is not None
    larger = sizes.index(change.model) > sizes.index(found.model)
    assert larger == change.change.endswith("or more")


def test_the_label_of_an_option_is_no_word_to_leave_out() -> None:
    text = "Which of the following is not a tort?\nA. assault\nB. treason\nC. battery\nD. trespass"
    policy = Policy(allow=("small", "large"))
    change = told(decided(replace(INPUTS, prompt=Prompt(text), policy=policy)))["wording"].change
    assert change is None or re.search(r'"\w"', change) is None


@pytest.mark.parametrize("free_mb", [900, 1_100, 30_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("small_s", [1.0, 61.0])
@pytest.mark.parametrize("pin", [None, "small", "large"])
def test_the_model_alone_is_the_one_of_the_whole_decision(
    free_mb: int, share: float, small_s: float, pin: str | None
) -> None:
    policy = replace(POLICY, allow=(), pin=pin)
    middle = Known(replace(SMALL, name="middle", vram_mb=1050), 2.0)
    inputs = replace(INPUTS, policy=policy, models=(*INPUTS.models, middle))
    inputs = with_share(with_latency(with_free_vram(inputs, free_mb), "small", small_s), share)
    assert model_on(inputs) == examine_on(inputs).model
