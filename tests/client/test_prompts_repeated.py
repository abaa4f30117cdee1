"""When a prompt is asked again: never where it could run twice, and unseen by who reads the answer."""

from __future__ import annotations

import asyncio
import json

import pytest

from harpoon_cli.client import inference
from harpoon_cli.client.inference import InferenceOptions, open_inference
from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.domain import Completion, CompletionRequest, Delta, Prompt
from harpoon_cli.errors import GarbledAnswer, PlatformError, ServerFault, TimedOut
from tests.servers import (
    EVENT_STREAM,
    Conversation,
    FaultyServer,
    Received,
    Script,
    answer,
    chunk,
    run,
    stream,
)

each_dialect = pytest.mark.parametrize("name", inference.names())
REQUEST = CompletionRequest(Prompt("Why?"), "gemma", None, None)


def event(content: str, **fields: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": content}, **fields}]}).encode() + b"\n\n"


END = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
ANSWER = {
    "text": "Because.",
    "finish_reason": "stop",
    "choices": [{"message": {"content": "Because."}, "finish_reason": "stop"}],
}
WHOLE = {"complete": answer(200, ANSWER), "stream": stream(event("Be"), event("cause."), END)}


async def reset(conversation: Conversation) -> None:
    await conversation.request()
    conversation.reset()


def said(raw: bytes) -> Script:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(raw)

    return script


FAULTS: dict[str, Script] = {
    "a reset": reset,
    "no answer": said(b""),
    "408": said(answer(408)),
    "500": said(answer(500)),
    "502": said(answer(502)),
    "503": said(answer(503, {"error": "overloaded"})),
    "504": said(answer(504)),
    "a cut head": said(b"HTTP/1.1 200 OK\r\nContent-"),
    "a cut body": said(
        b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\nContent-Type: application/json\r\n\r\n{"te'
    ),
    "a cut stream": said(EVENT_STREAM + chunk(event("Be"))),
    "a page": said(answer(200, b"<html>", {"Content-Type": "text/html"})),
    "an empty body": said(answer(200)),
    "a JSON that stops": said(answer(200, b'{"text": "Beca', {"Content-Type": "application/json"})),
    "an event that stops": said(stream(event("Be"), b'data: {"choices": [{"del\n\n')),
    "a stream without its end": said(stream(event("Be"))),
    "an error in the stream": said(stream(event("Be"), b'data: {"error": {"message": "lost"}}\n\n')),
}
ONLY_STREAMED = ("a cut stream", "an event that stops", "a stream without its end", "an error in the stream")


def first(fault: Script, then: bytes) -> Script:
    """A fault on the first connection, and good answers from then on."""

    async def script(conversation: Conversation) -> None:
        await (fault if conversation.number == 0 else said(then))(conversation)

    return script


def asked(
    name: str, way: str, script: Script, *, keys: bool, share: float = 1.0, deadline_s: float = 10.0
) -> tuple[list[Delta | Completion] | PlatformError, list[Received]]:
    """What the reader got, or the error, and every request the server saw."""

    async def work() -> tuple[list[Delta | Completion] | PlatformError, list[Received]]:
        async with FaultyServer(script) as server:
            transport = Transport(Endpoint(server.url))
            policy = RetryPolicy(3, base_s=0.0, share=share)
            options = InferenceOptions(None, deadline_s, policy, idempotency_keys=keys)
            plane = open_inference(name, transport, options)
            try:
                if way == "complete":
                    return [await plane.complete(REQUEST)], server.requests
                return [part async for part in plane.stream(REQUEST)], server.requests
            except PlatformError as error:
                return error, server.requests
            finally:
                await transport.aclose()

    return run(work())


def text_of(parts: list[Delta | Completion] | PlatformError) -> tuple[str, str]:
    """What was passed on piece by piece, and what the whole answer says."""
    assert isinstance(parts, list), parts
    *deltas, whole = parts
    assert isinstance(whole, Completion)
    return "".join(delta.text for delta in deltas if isinstance(delta, Delta)), whole.text


WAYS_TO_FAIL = [
    (way, fault) for way in WHOLE for fault in FAULTS if way == "stream" or fault not in ONLY_STREAMED
]


@each_dialect
@pytest.mark.parametrize(("way", "fault"), WAYS_TO_FAIL)
def test_with_keys_every_passing_fault_ends_well_and_is_one_request_to_the_server(
    name: str, way: str, fault: str
) -> None:
    parts, requests = asked(name, way, first(FAULTS[fault], WHOLE[way]), keys=True)
    assert text_of(parts) == ("Because." if way == "stream" else "", "Because.")
    one, two = requests
    assert one.headers["idempotency-key"] == two.headers["idempotency-key"]
    assert one.body == two.body


@each_dialect
@pytest.mark.parametrize(("way", "fault"), WAYS_TO_FAIL)
def test_without_keys_a_prompt_that_may_have_run_is_never_sent_again(name: str, way: str, fault: str) -> None:
    parts, requests = asked(name, way, first(FAULTS[fault], WHOLE[way]), keys=False)
    assert isinstance(parts, PlatformError)
    assert len(requests) == 1
    assert "idempotency-key" not in requests[0].headers


@each_dialect
@pytest.mark.parametrize("way", WHOLE)
@pytest.mark.parametrize("keys", [True, False])
def test_a_prompt_that_surely_did_not_run_is_sent_again(name: str, way: str, keys: bool) -> None:
    limited = said(answer(429, b"", {"Retry-After": "0"}))
    parts, requests = asked(name, way, first(limited, WHOLE[way]), keys=keys)
    assert text_of(parts)[1] == "Because."
    assert len(requests) == 2


WELL_FORMED = {
    "complete": answer(200, [ANSWER], {"Content-Type": "application/json"}),
    "stream": answer(200, ANSWER, {"Content-Type": "application/json"}),
}


@each_dialect
@pytest.mark.parametrize("way", WHOLE)
def test_an_answer_that_can_be_read_and_is_another_one_is_not_asked_for_again(name: str, way: str) -> None:
    parts, requests = asked(name, way, said(WELL_FORMED[way]), keys=True)
    assert type(parts) is GarbledAnswer
    assert len(requests) == 1


async def silent(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.until_client_leaves()


class Late:
    """Two connections: one never gives an answer, and the other one only once both have been asked."""

    def __init__(self, good: int, then: bytes) -> None:
        self.good, self.then = good, then
        self.asked: set[int] = set()
        self.both = asyncio.Event()

    async def __call__(self, conversation: Conversation) -> None:
        await conversation.request()
        self.asked.add(conversation.number)
        if len(self.asked) == 2:
            self.both.set()
        await self.both.wait()
        if conversation.number == self.good:
            await conversation.send(self.then)
        await conversation.until_client_leaves()


@each_dialect
@pytest.mark.parametrize("way", WHOLE)
@pytest.mark.parametrize("good", [0, 1], ids=["slow", "hanging"])
def test_a_prompt_without_an_answer_is_asked_once_more_and_a_slow_answer_is_not_cut_short(
    name: str, way: str, good: int
) -> None:
    parts, requests = asked(name, way, Late(good, WHOLE[way]), keys=True, share=0.05)
    assert text_of(parts)[1] == "Because."
    assert len({one.headers["idempotency-key"] for one in requests}) == 1


@each_dialect
@pytest.mark.parametrize("way", WHOLE)
@pytest.mark.parametrize(("keys", "count"), [(True, 3), (False, 1)])
def test_a_prompt_that_nobody_answers_is_asked_no_more_often_than_the_policy_says(
    name: str, way: str, keys: bool, count: int
) -> None:
    parts, requests = asked(name, way, silent, keys=keys, share=0.1, deadline_s=0.5)
    assert type(parts) is TimedOut
    assert len(requests) == count
    assert ("; 3 attempts took" in parts.message) == keys


@each_dialect
@pytest.mark.parametrize("way", WHOLE)
def test_a_repeat_that_is_refused_leaves_the_first_request_its_time(name: str, way: str) -> None:
    refused = asyncio.Event()

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        if conversation.number == 0:
            await refused.wait()
            await conversation.send(WHOLE[way])
        else:
            await conversation.send(answer(409, {"error": "it is being answered"}))
            refused.set()

    assert text_of(asked(name, way, script, keys=True, share=0.05)[0])[1] == "Because."


@each_dialect
def test_two_prompts_have_two_keys(name: str) -> None:
    keys = {
        asked(name, "complete", said(WHOLE["complete"]), keys=True)[1][0].headers["idempotency-key"]
        for _ in "12"
    }
    assert len(keys) == 2


@each_dialect
def test_a_repeat_that_comes_in_other_pieces_is_passed_on_from_where_the_first_one_stopped(name: str) -> None:
    cut = said(EVENT_STREAM + chunk(event("Beca")) + chunk(event("us")))
    parts, _ = asked(
        name, "stream", first(cut, stream(event("B"), event("ecause. "), event("Yes."), END)), keys=True
    )
    assert text_of(parts) == ("Because. Yes.", "Because. Yes.")


@each_dialect
@pytest.mark.parametrize("other", ["Be", "Behold", "Perhaps", "becaus"])
def test_a_repeat_that_says_something_else_is_no_answer(name: str, other: str) -> None:
    cut = said(EVENT_STREAM + chunk(event("Becaus")))
    parts, requests = asked(name, "stream", first(cut, stream(event(other), END)), keys=True)
    assert type(parts) is GarbledAnswer
    assert "its repeat is another one" in parts.message
    assert len(requests) == 2


@each_dialect
@pytest.mark.parametrize("way", WHOLE)
def test_a_prompt_is_asked_no_more_often_than_the_policy_says(name: str, way: str) -> None:
    parts, requests = asked(name, way, said(answer(503)), keys=True)
    assert type(parts) is ServerFault
    assert len(requests) == 3


EMPTY: dict[str, tuple[str, bytes]] = {
    "a stream of nothing but its end": ("stream", stream(b"data: [DONE]\n\n")),
    "a stream of empty pieces": ("stream", stream(event(""), b"data: [DONE]\n\n")),
    "an empty body": ("complete", answer(200)),
    "an empty object": ("complete", answer(200, {})),
    "a list": ("complete", answer(200, [ANSWER])),
    "a choice without words": ("complete", answer(200, {"choices": [{"message": {}}]})),
    "an error of its own kind": ("stream", stream(event("Be"), b"event: error\ndata: lost\n\n", END)),
    "an error in words alone": (
        "stream",
        stream(event("Be"), b'data: {"code": "E1", "message": "lost"}\n\n', END),
    ),
    "an error beside an empty text": ("complete", answer(200, {"error": {"message": "lost"}, "text": ""})),
    "the same name twice": ("complete", answer(200, b'{"text": "a", "text": "b", "choices": []}')),
}


@each_dialect
@pytest.mark.parametrize("what", EMPTY)
def test_what_is_no_whole_answer_is_never_taken_for_one(name: str, what: str) -> None:
    way, raw = EMPTY[what]
    assert isinstance(asked(name, way, said(raw), keys=False)[0], PlatformError)


@each_dialect
def test_an_answer_may_be_empty_where_it_says_why_it_ended(name: str) -> None:
    parts, _ = asked(name, "stream", said(stream(END)), keys=False)
    assert text_of(parts) == ("", "")


def test_a_prompt_that_is_broken_off_while_it_is_asked_twice_leaves_no_connection() -> None:
    async def work() -> int:
        both = asyncio.Event()

        async def script(conversation: Conversation) -> None:
            await conversation.request()
            if conversation.number == 1:
                both.set()
            await conversation.until_client_leaves()
            left.append(conversation.number)

        left: list[int] = []
        async with FaultyServer(script) as server:
            transport = Transport(Endpoint(server.url))
            options = InferenceOptions(None, 10.0, RetryPolicy(3, share=0.01), idempotency_keys=True)
            plane = open_inference("openai", transport, options)
            asking = asyncio.ensure_future(anext(plane.stream(REQUEST)))
            await both.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            while len(left) < 2:
                await server.left.wait()
                server.left.clear()
            await transport.aclose()
        return len(left)

    assert run(work()) == 2
