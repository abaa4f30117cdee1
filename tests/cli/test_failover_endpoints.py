"""Endpoints that are there already: one that surely gives no answer gives way to the next, aloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cli.rig import Operator
from tests.cli.test_failover import HARD
from tests.servers import (
    EVENT_STREAM,
    FaultyServer,
    Script,
    always,
    answer,
    chunk,
    in_turn,
    once,
    served,
    stream,
)

NOWHERE = "http://127.0.0.1:1/v1"
FULL = answer(503, {"error": {"message": "all slots are taken", "code": "no_capacity"}})
LIMITED = answer(429, {"error": {"message": "slow down"}}, {"Retry-After": "900"})


def says(text: str) -> bytes:
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    return answer(200, {"model": "m", "choices": [choice]})


def streams(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
    return stream(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n", b"data: [DONE]\n\n")


class Two:
    """A server for the small model and one for the large one, whose operator asks for whole answers."""

    def __init__(self, operator: Operator, stack: ExitStack) -> None:
        self.operator, self.stack = operator, stack

    def __call__(self, small: Script | None, large: Script | None) -> tuple[FaultyServer | None, ...]:
        servers = [self.stack.enter_context(served(one)) if one else None for one in (small, large)]
        urls = [f"{one.url}/v1" if one else NOWHERE for one in servers]
        self.operator.configure(
            '[platform]\ncontrol = "static"\ninference = "openai"\nauth = "none"\n'
            f'base_url = "{urls[0]}"\n[retry]\nattempts = 1\n'
            f'[models.qwen-30b]\ninference_url = "{urls[1]}"\n'
        )
        return tuple(servers)


@pytest.fixture
def two(harpoon: Operator) -> Iterator[Two]:
    with ExitStack() as stack:
        yield Two(harpoon, stack)


@pytest.mark.parametrize("trouble", [None, FULL, LIMITED], ids=["unreachable", "full", "limited"])
def test_the_next_candidate_answers_and_it_is_said(
    harpoon: Operator, two: Two, trouble: bytes | None
) -> None:
    two(always(says("small")), always(trouble) if trouble else None)
    ran = harpoon("infer", HARD, "--no-stream", "--explain", "-o", "json")
    assert (ran.status, ran.data["text"], ran.data["model"]) == (0, "small", "gemma-270m")
    [failover] = ran.data["failovers"]
    assert (failover["model"], failover["pool_id"], failover["next_model"]) == (
        "qwen-30b",
        None,
        "gemma-270m",
    )
    [note] = [note for note in ran.json["notes"] if "instead" in note]
    assert note.startswith("qwen-30b gave no answer: ")
    assert f"warning: {note}" in ran.err
    large = next(one for one in ran.data["decision"]["candidates"] if one["model"] == "qwen-30b")
    assert [one["gate"] for one in large["gates"] if one["verdict"] != "passed"] == ["answers"]


def test_each_model_is_asked_where_it_answers_and_no_other_host_gets_the_key(
    harpoon: Operator, two: Two
) -> None:
    small, large = two(always(says("small")), always(says("large")))
    assert small is not None
    assert large is not None
    harpoon.configure(harpoon.config_file.read_text().replace('auth = "none"\n', ""))
    harpoon.environ["HOSTED_AI_API_KEY"] = "a-key-for-tests"
    assert harpoon("infer", HARD, "--no-stream", "-o", "json").data["text"] == "large"
    assert harpoon("infer", "Hello", "--no-stream", "-o", "json").data["text"] == "small"
    assert "authorization" not in large.requests[0].headers
    assert small.requests[0].headers["authorization"] == "Bearer a-key-for-tests"


def test_a_model_that_was_asked_for_by_name_is_not_replaced(harpoon: Operator, two: Two) -> None:
    small, _ = two(always(says("small")), None)
    ran = harpoon("infer", HARD, "--model", "qwen-30b", "--no-stream", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (7, "unreachable")
    assert small is not None
    assert small.requests == []


def test_a_limit_that_ends_after_the_time_for_the_call_is_not_waited_for(harpoon: Operator, two: Two) -> None:
    _, large = two(always(streams("small")), always(LIMITED))
    harpoon.environ |= {"HARPOON_RETRY__ATTEMPTS": "3", "HARPOON_HTTP__INFERENCE_S": "20s"}
    ran = harpoon("infer", HARD, "-o", "json")
    assert (ran.status, ran.data["text"]) == (0, "small")
    assert "left alone for 900 s" in ran.data["failovers"][0]["reason"]
    assert large is not None
    assert len(large.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        answer(500, {"error": "out of order"}),
        answer(503),
        answer(503, {"error": {"message": "try later"}}, {"Retry-After": "900"}),
    ],
    ids=["500", "503", "503 until later"],
)
def test_what_may_be_answering_gives_way_to_nobody(harpoon: Operator, two: Two, trouble: bytes) -> None:
    small, _ = two(always(says("small")), always(trouble))
    ran = harpoon("infer", HARD, "--no-stream", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (7, "server_fault")
    assert small is not None
    assert small.requests == []


def test_an_answer_that_was_shown_in_part_gives_way_to_nobody(harpoon: Operator, two: Two) -> None:
    piece = {"choices": [{"index": 0, "delta": {"content": "Half an"}, "finish_reason": None}]}
    begun = EVENT_STREAM + chunk(b"data: " + json.dumps(piece).encode() + b"\n\n")
    two(always(says("small")), once(begun))
    ran = harpoon("infer", HARD, "-o", "table")
    assert ran.status == 7
    assert "instead" not in ran.err


def test_where_nobody_answers_the_first_trouble_that_is_left_is_the_error(
    harpoon: Operator, two: Two
) -> None:
    two(None, None)
    ran = harpoon("infer", HARD, "--no-stream", "-o", "json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (7, "unreachable")


def test_a_breaker_that_is_open_where_one_model_answers_leaves_the_other(harpoon: Operator, two: Two) -> None:
    two(always(says("small")), None)
    harpoon.environ["HARPOON_BREAKER__FAILURES"] = "1"
    harpoon.environ["HARPOON_BREAKER__PROBE_S"] = "1h"
    harpoon("infer", HARD, "--no-stream")
    ran = harpoon("infer", HARD, "--no-stream", "--explain", "-o", "json")
    assert (ran.status, ran.data["model"]) == (0, "gemma-270m")
    assert "the circuit breaker is open" in ran.data["decision"]["reason"]
    [failover] = ran.data["failovers"]
    assert failover["reason"].startswith("breaker (the circuit breaker is open: ")
    assert (failover["model"], failover["pool_id"]) == ("qwen-30b", None)
    assert (failover["next_model"], failover["next_pool_id"]) == ("gemma-270m", None)


def test_a_model_that_a_gate_puts_in_another_s_place_is_told_to_whoever_asked_for_quiet_too(
    harpoon: Operator, two: Two
) -> None:
    two(always(says("small")), None)
    harpoon.environ["HARPOON_BREAKER__FAILURES"] = "1"
    harpoon.environ["HARPOON_BREAKER__PROBE_S"] = "1h"
    harpoon("infer", HARD, "--no-stream")
    ran = harpoon("infer", HARD, "--no-stream", "-q")
    assert ran.status == 0
    assert "warning: gemma-270m: the score asks for qwen-30b, but breaker (" in ran.err


def test_a_cascade_goes_on_where_the_small_model_is_not_reached(harpoon: Operator, two: Two) -> None:
    two(None, in_turn(says("large")))
    ran = harpoon("infer", "Hello", "--cascade", "--no-stream", "-o", "json")
    assert (ran.status, ran.data["text"]) == (0, "large")
    assert ran.data["cascade"]["sentence"].startswith("gemma-270m could not be had: cannot reach ")


def test_with_leases_a_model_s_own_endpoint_is_not_asked(live: Operator) -> None:
    live.configure(f'{live.config_file.read_text()}inference_url = "{NOWHERE}"\n')
    assert live("infer", HARD).status == 0


def test_where_nothing_is_leased_the_tokens_of_both_models_are_what_a_cascade_costs(
    harpoon: Operator, two: Two
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    whole = answer(
        200, {"model": "m", "choices": [{"index": 0, "message": {"content": "no"}}], "usage": usage}
    )
    two(always(whole), always(whole))
    priced = "usd_per_million_input = 1\nusd_per_million_output = 2\n"
    harpoon.configure(f"{harpoon.config_file.read_text()}{priced}[models.gemma-270m]\n{priced}")
    ran = harpoon("infer", "Hello", "--cascade", "--check", "json", "--no-stream", "-o", "json")
    assert (ran.status, ran.data["cascade"]["answered_by"]) == (0, "qwen-30b")
    one = {"amount": "0.0002", "currency": "USD", "origin": "estimated"}
    assert (ran.data["cascade"]["small_cost"], ran.data["cascade"]["large_cost"]) == (one, one)
    assert ran.data["cost"]["amount"] == "0.0004"
    ran = harpoon("infer", "Hello", "--cascade", "--no-stream", "-o", "json")
    assert (ran.data["cascade"]["accepted"], ran.data["cost"]["amount"]) == (True, "0.0004")
    assert harpoon("infer", "Hello", "--no-stream", "-o", "json").data["cost"] == one
