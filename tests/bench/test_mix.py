"""Runs of several models by weight: who is asked what, on every shard the same, and each one's figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.bench import shapes, work
from harpoon_cli.bench.planning.mix import Mix, Part, mix_of, part_of
from harpoon_cli.bench.planning.plan import Plan, data, fingerprint, restored, shots
from harpoon_cli.errors import UsageFault

MIX = Mix((Part("small", 3.0), Part("large", 1.0)))


def plan(load: str = "constant:rate=100,for=40s", prompts: str = "synthetic:input=4", seed: int = 1) -> Plan:
    return Plan(shapes.parse(load), work.parse(prompts), str(MIX), seed=seed, mix=MIX)


def asked(one: Plan, *shard: int) -> dict[int, str]:
    part = (shard[0], shard[1]) if shard else (0, 1)
    return {shot.ask.index: shot.ask.model for shot in shots(one, part)}


def test_each_model_gets_its_part_of_the_asks() -> None:
    counts = Counter(asked(plan()).values())
    assert counts.total() == 4000
    assert counts["small"] == pytest.approx(3000, abs=130)


def test_who_is_asked_follows_from_the_seed_alone() -> None:
    assert asked(plan()) == asked(plan())
    assert asked(plan()) != asked(plan(seed=2))


def test_shards_together_ask_whom_one_process_would() -> None:
    together: dict[int, str] = {}
    for number in range(3):
        together |= asked(plan(), number, 3)
    assert together == asked(plan())


def test_the_same_prompt_goes_to_every_model_in_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"prompt": "Say hi."}\n')
    assert set(asked(plan(prompts=f"jsonl:{path}")).values()) == {"small", "large"}


def test_a_conversation_stays_with_its_model() -> None:
    models: dict[int | None, set[str]] = {}
    for shot in shots(plan(prompts="synthetic:input=4,turns=4")):
        models.setdefault(shot.ask.conversation, set()).add(shot.ask.model)
    assert all(len(each) == 1 for each in models.values())
    assert set().union(*models.values()) == {"small", "large"}


def test_a_plan_with_a_mix_is_sent_and_read_back() -> None:
    assert restored(data(plan())) == plan()
    assert fingerprint(plan()) != fingerprint(Plan(plan().load, plan().work, str(MIX), seed=1))


@given(st.floats(0.000_001, 1_000_000))
@settings(max_examples=50, deadline=None)
def test_a_part_is_what_its_text_says(weight: float) -> None:
    assert part_of(str(Part("org/a=b", weight))) == Part("org/a=b", weight)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["=3"], "names no model"),
        (["a=0"], "the weight is not a number"),
        (["a=-1"], "the weight is not a number"),
        (["a=x"], "--model a=x is not NAME=WEIGHT: the weight is not a number"),
        (["a="], "is not NAME=WEIGHT"),
        (["a=1", "a=2"], "a is given twice"),
        ([f"m{number}" for number in range(65)], "65 models are more than the 64"),
    ],
)
def test_weights_that_mean_nothing_are_refused(texts: list[str], said: str) -> None:
    with pytest.raises(UsageFault, match=said):
        mix_of([part_of(text) for text in texts])


def test_one_model_alone_is_no_mix() -> None:
    assert mix_of([part_of("org/m=2")]) is None
    assert part_of("org/m") == Part("org/m", 1.0)
