"""Conversations: one turn after another, each with the turns and answers before it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from harpoon_cli.bench.engine.supply import Supply
from harpoon_cli.bench.recording.sample import Shot
from harpoon_cli.values import replace
from tests.bench.engine.range import CHAT, Gate, ask, fired, served, target
from tests.servers import Received, always, answer, in_turn, stream

ANSWER = stream(*CHAT)


def turns(conversation: int, *indices: int) -> list[Shot]:
    return [Shot(ask(index, f"turn {index}", conversation=conversation), None) for index in indices]


def messages(received: Received) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = json.loads(received.body)["messages"]
    return found


def test_a_turn_is_asked_with_the_turns_and_answers_before_it() -> None:
    with served(always(ANSWER)) as server:
        result = fired(target(server.port), turns(7, 0, 1, 2), concurrency=8)
        asked = [messages(received) for received in server.requests]
    assert result.errors == [None] * 3
    said = {"role": "assistant", "content": "The sky is blue"}
    first, second, third = ({"role": "user", "content": f"turn {index}"} for index in range(3))
    assert asked == [[first], [first, said, second], [first, said, second, said, third]]


def test_answers_that_are_not_streamed_are_remembered_too() -> None:
    whole = answer(200, {"choices": [{"message": {"role": "assistant", "content": "Blue"}}]})
    with served(always(whole)) as server:
        fired(target(server.port, stream=False), turns(7, 0, 1))
        assert messages(server.requests[1])[1] == {"role": "assistant", "content": "Blue"}


def test_the_default_dialect_puts_the_turns_into_one_prompt() -> None:
    with served(always(ANSWER)) as server:
        fired(target(server.port, dialect="seed_v1"), turns(7, 0, 1))
        bodies = [json.loads(received.body) for received in server.requests]
    assert bodies[1]["prompt"] == "turn 0\n\nThe sky is blue\n\nturn 1"
    assert bodies[0] == {"model": "a-model", "prompt": "turn 0", "max_tokens": 8, "stream": True}


def test_turns_of_other_conversations_go_meanwhile() -> None:
    with served(Gate(3, ANSWER).script) as server:
        result = fired(target(server.port), [*turns(1, 0, 1), *turns(2, 2, 3), *turns(3, 4)], concurrency=3)
        first_turns = [len(messages(received)) for received in server.requests[:3]]
    assert result.errors == [None] * 5
    assert first_turns == [1, 1, 1]


def test_after_a_turn_that_failed_the_rest_is_not_sent() -> None:
    with served(in_turn(ANSWER, answer(503), ANSWER)) as server:
        result = fired(target(server.port), [*turns(1, 0, 1, 2, 3), *turns(2, 4)])
        assert len(server.requests) == 3
    assert result.errors == [None, "http_503", "earlier_turn_failed", "earlier_turn_failed", None]


def taken(supply: Supply, now_ns: int) -> list[int]:
    found = []
    while (one := supply.take(now_ns)) is not None:
        found.append(one[0].ask.index)
    return found


def test_a_turn_waits_for_its_time_and_for_the_turn_before() -> None:
    def at(index: int, due_s: float, conversation: int | None = None) -> Shot:
        return Shot(ask(index, conversation=conversation), due_s)

    shots: Sequence[Shot] = [at(0, 0.0, 1), at(1, 1.0, 1), at(2, 2.0, 1), at(3, 2.0)]
    supply = Supply(iter(shots))
    second = 1_000_000_000
    assert taken(supply, 0) == [0]
    assert supply.next_ns() == 2 * second  # the second turn waits for the first, whatever its time
    supply.turn_over(shots[0].ask, "a", second // 2)
    assert supply.next_ns() == second
    assert taken(supply, second // 2) == []
    assert taken(supply, second) == [1]
    supply.turn_over(shots[1].ask, "b", 3 * second)
    assert supply.take(4 * second) == (shots[2], 3 * second)
    assert taken(supply, 4 * second) == [3]
    assert not supply.exhausted or supply.next_ns() is None
    supply.turn_over(shots[2].ask, "c", 5 * second)
    assert supply.exhausted


def test_a_conversation_that_is_over_is_forgotten() -> None:
    turns = [replace(ask(index, conversation=index // 2), is_last=index % 2 == 1) for index in range(40)]
    supply = Supply(Shot(turn, None) for turn in turns)
    while (taken := supply.take(0)) is not None:
        turn = taken[0].ask
        supply.turn_over(turn, None if turn.conversation == 3 else "an answer", 0)
    assert supply.exhausted
    assert not supply._histories
    assert not supply._broken
