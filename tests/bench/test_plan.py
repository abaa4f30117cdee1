"""The plan: the same for the same seed, and the same in pieces as whole."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.bench import shapes, work
from harpoon_cli.bench.planning import warmup
from harpoon_cli.bench.planning.plan import (
    Plan,
    Shard,
    data,
    ends_s,
    fingerprint,
    places,
    recorded_work,
    restored,
    shots,
)
from harpoon_cli.bench.recording.sample import Shot
from harpoon_cli.bench.work.jsonl import Jsonl
from harpoon_cli.errors import UsageFault

few = settings(max_examples=40, deadline=None)
"""For tests whose every example makes hundreds of shots."""

LOADS = st.sampled_from(
    [
        "poisson:rate=100,for=1s",
        "gamma:rate=100,burstiness=0.2,for=1s",
        "constant:rate=100,requests=90",
        "ramp:from=0,to=200,over=1s",
        "closed:concurrency=16,requests=110",
        "soak:concurrency=20,for=60s,requests=77",
    ]
)
WORKS = st.sampled_from(
    [
        "synthetic:input=20,output=5",
        "synthetic:input=lognormal(20,9),output=1..9,prefix=8,prefixes=3",
        "synthetic:input=9,turns=3",
        "synthetic:input=9,turns=1..5,conversations=7",
    ]
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    load, source = shapes.parse(draw(LOADS)), work.parse(draw(WORKS))
    return Plan(
        load, source, "m", seed=draw(st.integers(-5, 10**12)), first_index=draw(st.sampled_from([0, 1, 999]))
    )


@few
@given(plans(), st.integers(1, 12))
def test_the_shards_together_are_the_plan_and_each_index_is_in_one(plan: Plan, of: int) -> None:
    whole = list(shots(plan))
    parts = [list(shots(plan, (number, of))) for number in range(of)]
    together = sorted((shot for part in parts for shot in part), key=lambda shot: shot.ask.index)
    assert together == whole
    assert [shot.ask.index for shot in whole] == list(range(plan.first_index, plan.first_index + len(whole)))
    for part in parts:
        assert part == sorted(part, key=lambda shot: shot.ask.index)


@few
@given(plans(), st.integers(2, 9))
def test_a_conversation_is_never_torn_apart_and_its_turns_stay_in_order(plan: Plan, of: int) -> None:
    owners: dict[int, int] = {}
    for number in range(of):
        last: dict[int, int] = {}
        for shot in shots(plan, (number, of)):
            conversation = shot.ask.conversation
            if conversation is not None:
                assert owners.setdefault(conversation, number) == number
                assert last.get(conversation, -1) < shot.ask.index
                last[conversation] = shot.ask.index


@few
@given(plans())
def test_the_same_plan_gives_the_same_shots_again_and_on_another_machine(plan: Plan) -> None:
    sent = restored(json.loads(json.dumps(data(plan))))
    assert sent == plan
    assert list(shots(sent)) == list(shots(plan)) == list(shots(pickle.loads(pickle.dumps(plan))))
    assert fingerprint(sent) == fingerprint(plan)


@few
@given(plans(), st.integers(1, 10**6))
def test_another_seed_is_another_plan(plan: Plan, more: int) -> None:
    other = Plan(plan.load, plan.work, plan.model, plan.seed + more, first_index=plan.first_index)
    assert fingerprint(other) != fingerprint(plan)
    pairs = zip(shots(plan), shots(other), strict=False)
    assert any(one.ask.messages != two.ask.messages for one, two in pairs)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 40))
def test_the_places_of_a_closed_loop_are_shared_out_whole(at_once: int, of: int) -> None:
    plan = Plan(shapes.parse(f"closed:{at_once},for=1s"), work.parse("synthetic"), "m")
    if of > at_once:
        with pytest.raises(UsageFault, match="cannot be shared"):
            places(plan, (0, of))
        return
    shared = [places(plan, (number, of)) for number in range(of)]
    assert sum(one or 0 for one in shared) == at_once
    assert min(one or 0 for one in shared) >= 1


@pytest.mark.parametrize("shard", [(-1, 2), (2, 2), (0, 0), (5, 3)])
def test_a_shard_that_is_none_is_refused(shard: Shard) -> None:
    plan = Plan(shapes.parse("poisson:4,for=1s"), work.parse("synthetic"), "m")
    with pytest.raises(UsageFault, match=r"there is no shard"):
        shots(plan, shard)


def test_a_shard_of_an_endless_closed_loop_gives_shots_for_as_long_as_they_are_taken() -> None:
    plan = Plan(shapes.parse("closed:concurrency=8,for=60s"), work.parse("synthetic:input=4"), "m")
    taken = [shot.ask.index for shot in islice(shots(plan, (1, 4)), 5)]
    assert taken == [1, 5, 9, 13, 17]
    assert ends_s(plan) == 60
    assert {shot.due_s for shot in islice(shots(plan), 5)} == {None}


def by_length(text: str) -> str:
    return "large" if len(text.split()) > 8 else "small"


def models(shots_: list[Shot]) -> Counter[str]:
    return Counter(shot.ask.model for shot in shots_)


def test_each_prompt_goes_to_the_model_that_its_route_names() -> None:
    plan = Plan(shapes.parse("constant:rate=100,for=10s"), work.parse("synthetic:input=1..16"), "m")
    found = list(shots(plan, route=by_length))
    assert all(shot.ask.model == by_length(shot.ask.messages[-1].content) for shot in found)
    assert models(found)["large"] == pytest.approx(500, abs=60)
    assert models(list(shots(plan))) == {"m": 1000}


def test_a_conversation_stays_with_the_model_of_its_first_turn() -> None:
    plan = Plan(shapes.parse("constant:rate=100,for=10s"), work.parse("synthetic:input=1..16,turns=4"), "m")
    found = list(shots(plan, route=by_length))
    by_conversation: dict[int | None, set[str]] = {}
    for shot in found:
        by_conversation.setdefault(shot.ask.conversation, set()).add(shot.ask.model)
    assert all(len(asked) == 1 for asked in by_conversation.values())
    assert set(models(found)) == {"large", "small"}


def test_files_are_read_before_the_first_shot_is_asked_for(tmp_path: Path) -> None:
    plan = Plan(shapes.parse("closed:1,for=1s"), work.parse(f"jsonl:{tmp_path}/none.jsonl"), "m")
    with pytest.raises(UsageFault, match="cannot be read"):
        shots(plan)


def test_the_prompts_of_a_trace_belong_to_its_load(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        "".join(f'{{"at_s": {at}, "input_tokens": {at + 1}, "output_tokens": {at + 2}}}\n' for at in range(9))
    )
    load = shapes.parse(f"trace:{path},from=3s,speed=3")
    source = recorded_work(load)
    assert source is not None
    found = list(shots(Plan(load, source, "m")))
    assert [shot.due_s for shot in found] == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])
    assert [shot.ask.input_tokens for shot in found] == [4, 5, 6, 7, 8, 9]
    assert [shot.ask.max_tokens for shot in found] == [5, 6, 7, 8, 9, 10]
    assert recorded_work(shapes.parse("closed:1")) is None


def test_a_fingerprint_is_of_what_is_in_the_files_not_of_where_they_are(tmp_path: Path) -> None:
    def made(name: str, content: str) -> str:
        path = tmp_path / name
        path.write_text(content)
        return fingerprint(Plan(shapes.parse("closed:1,for=1s"), Jsonl(path=path), "m"))

    assert made("a.jsonl", '"x"') == made("b,c.jsonl", '"x"')
    assert made("a.jsonl", '"x"') != made("a.jsonl", '"y"')


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"load": 5},
        {"load": "closed"},
        {"seed": "1"},
        {"seed": True},
        {"work": None},
        {"warm_up": "x"},
    ],
)
def test_values_that_are_no_plan_are_refused(change: dict[str, object]) -> None:
    values = data(Plan(shapes.parse("closed:1,for=1s"), work.parse("synthetic"), "m"))
    with pytest.raises(UsageFault):
        restored({**values, **change})
    with pytest.raises(UsageFault):
        restored({})


@pytest.mark.parametrize("text", ["auto", "none", "30s", "0.5s", "100"])
def test_the_warm_up_goes_with_the_plan(text: str) -> None:
    plan = Plan(shapes.parse("closed:1,for=1s"), work.parse("synthetic"), "m", warm_up=warmup.parse(text))
    assert str(plan.warm_up) == text
    assert restored(data(plan)) == plan
