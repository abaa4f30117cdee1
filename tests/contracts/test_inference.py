"""The data planes on the wire: what each writes, how it reads whole answers, when it asks again."""

from __future__ import annotations

import json

import pytest

from harpoon_cli.client import inference
from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.domain import Completion, CompletionRequest, Delta, LeaseId, Prompt, Secret, Usage
from harpoon_cli.errors import (
    BrokenOff,
    GarbledAnswer,
    NotAuthorised,
    NotOffered,
    PlatformError,
    RateLimited,
    ServerFault,
    TimedOut,
)
from tests.contracts.meeting import AT_ONCE, meeting
from tests.servers import (
    EVENT_STREAM,
    FaultyServer,
    Received,
    Script,
    always,
    answer,
    chunk,
    in_turn,
    once,
    run,
    silent_after,
    stream,
)

BARE = CompletionRequest(Prompt("Why?"), "gemma", None, None)
FULL = CompletionRequest(Prompt("Why?", "Be brief."), "gemma", 10, 0.0, LeaseId("a-1"))
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
WHOLE: dict[str, dict[str, object]] = {
    "seed_v1": {"text": "Because.", "model_used": "m", "finish_reason": "stop", "usage": USAGE},
    "openai": {
        "model": "m",
        "choices": [{"index": 0, "message": {"content": "Because."}, "finish_reason": "stop"}],
        "usage": USAGE,
    },
}
ANSWER = Completion("Because.", "stop", "m", Usage(3, 2, 5))

each_dialect = pytest.mark.parametrize("name", inference.names())


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


DELTA = event({"model": "m", "choices": [{"index": 0, "delta": {"content": "Because."}}]})
LAST = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE})
DONE = b"data: [DONE]\n\n"
STREAMED = stream(DELTA, LAST, DONE)


def completed(name: str, script: Script, request: CompletionRequest = FULL) -> tuple[Completion, Received]:
    async def work() -> tuple[Completion, Received]:
        async with meeting(script) as met:
            return await met.inference(name).complete(request), met.seen[0]

    return run(work())


def listened(name: str, script: Script, request: CompletionRequest = FULL) -> list[Delta | Completion]:
    async def work() -> list[Delta | Completion]:
        async with meeting(script) as met:
            return [part async for part in met.inference(name).stream(request)]

    return run(work())


@each_dialect
def test_a_whole_answer_is_read(name: str) -> None:
    assert completed(name, always(answer(200, WHOLE[name])))[0] == ANSWER


@each_dialect
def test_a_streamed_answer_is_the_same_answer(name: str) -> None:
    assert listened(name, always(STREAMED)) == [Delta("Because."), ANSWER]


@pytest.mark.parametrize(
    ("name", "request_", "target", "body"),
    [
        ("seed_v1", BARE, "/v1/inference", {"model": "gemma", "prompt": "Why?", "stream": False}),
        (
            "seed_v1",
            FULL,
            "/v1/inference",
            {
                "allocation_id": "a-1",
                "model": "gemma",
                "prompt": "Be brief.\n\nWhy?",
                "max_tokens": 10,
                "temperature": 0.0,
                "stream": False,
            },
        ),
        (
            "openai",
            BARE,
            "/chat/completions",
            {"model": "gemma", "messages": [{"role": "user", "content": "Why?"}]},
        ),
        (
            "openai",
            FULL,
            "/chat/completions",
            {
                "model": "gemma",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Why?"},
                ],
                "max_tokens": 10,
                "temperature": 0.0,
            },
        ),
    ],
)
def test_a_prompt_is_written_exactly(
    name: str, request_: CompletionRequest, target: str, body: object
) -> None:
    seen = completed(name, always(answer(200, WHOLE[name])), request_)[1]
    assert (seen.method, seen.target, seen.json) == ("POST", target, body)
    assert seen.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("seed_v1", {"stream": True}),
        ("openai", {"stream": True, "stream_options": {"include_usage": True}}),
    ],
)
def test_a_stream_is_asked_for_in_the_body_and_the_header(name: str, extra: dict[str, object]) -> None:
    async def work() -> Received:
        async with meeting(always(STREAMED)) as met:
            async for _ in met.inference(name, path="/elsewhere").stream(BARE):
                pass
            return met.seen[0]

    seen = run(work())
    assert seen.target == "/elsewhere"
    assert isinstance(seen.json, dict)
    assert extra.items() <= seen.json.items()
    assert seen.headers["accept"] == "text/event-stream"


@each_dialect
def test_a_prompt_is_carried_unharmed(name: str) -> None:
    text = 'caf\u00e9 \U0001f9ff \x00 \ud800 " \\ \n' + "x" * 1_000_000
    request = CompletionRequest(Prompt(text), "gemma", None, None)
    body = completed(name, always(answer(200, WHOLE[name])), request)[1].json
    assert isinstance(body, dict)
    assert text in (body.get("prompt"), body.get("messages", [{}])[0].get("content"))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("seed_v1", {}),
        ("seed_v1", {"text": None}),
        ("seed_v1", {"text": 1}),
        ("openai", {}),
        ("openai", {"choices": []}),
        ("openai", {"choices": [{"index": 0}]}),
        ("openai", {"choices": [{"index": 0, "message": "a"}]}),
        ("openai", {"choices": None}),
    ],
)
def test_an_answer_without_a_text_is_garbled(name: str, body: object) -> None:
    with pytest.raises(GarbledAnswer):
        completed(name, always(answer(200, body)))


def test_null_content_is_an_empty_text_and_others_choices_are_left() -> None:
    choices = [
        {"index": 1, "message": {"content": "other"}, "finish_reason": "length"},
        {"index": 0, "message": {"content": None, "tool_calls": []}, "finish_reason": "tool_calls"},
    ]
    found = completed("openai", always(answer(200, {"choices": choices})))[0]
    assert found == Completion("", "tool_calls")


@each_dialect
@pytest.mark.parametrize(
    "beside",
    [
        {"error": {"message": "the provider went away", "code": 502}},
        {"errors": ["the provider went away"]},
        {"status": "failed", "message": "the provider went away"},
        {"code": "E1", "message": "the provider went away"},
    ],
)
def test_an_error_beside_an_answer_is_an_error(name: str, beside: dict[str, object]) -> None:
    with pytest.raises(ServerFault, match="the provider went away"):
        completed(name, always(answer(200, {**WHOLE[name], **beside})))


@each_dialect
def test_what_says_that_all_is_well_beside_an_answer_is_no_error(name: str) -> None:
    well: dict[str, object] = {
        "error": None,
        "errors": [],
        "status": "ok",
        "success": True,
        "code": 0,
        "message": "success",
    }
    assert completed(name, always(answer(200, {**WHOLE[name], **well})))[0].text


@each_dialect
@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (always(answer(401)), NotAuthorised),
        (always(answer(200, {"error": "no"})), GarbledAnswer),
        (once(EVENT_STREAM + chunk(DELTA)), BrokenOff),
        (once(stream(DELTA)), BrokenOff),
        (always(stream(DELTA, event({"error": {"message": "no"}}))), ServerFault),
    ],
)
def test_a_stream_that_fails_does_so_as_one_of_our_errors(
    name: str, script: Script, kind: type[PlatformError]
) -> None:
    with pytest.raises(kind):
        listened(name, script)


@each_dialect
def test_a_stream_that_stops_ends_at_its_deadline(name: str) -> None:
    async def work() -> None:
        async with meeting(silent_after(EVENT_STREAM + chunk(DELTA))) as met:
            with pytest.raises(TimedOut):
                async for _ in met.inference(name, deadline_s=0.2).stream(FULL):
                    pass

    run(work())


@each_dialect
def test_what_arrived_before_a_failure_has_been_told(name: str) -> None:
    async def work() -> list[Delta | Completion]:
        found: list[Delta | Completion] = []
        async with meeting(once(EVENT_STREAM + chunk(DELTA))) as met:
            parts = met.inference(name).stream(FULL)
            found.append(await anext(parts))
            with pytest.raises(BrokenOff):
                await anext(parts)
        return found

    assert run(work()) == [Delta("Because.")]


@each_dialect
def test_a_server_that_stays_after_done_is_not_waited_for(name: str) -> None:
    script = silent_after(EVENT_STREAM + chunk(DELTA + LAST + DONE))
    assert listened(name, script) == [Delta("Because."), ANSWER]


@each_dialect
def test_a_reader_that_stops_early_ends_the_connection(name: str) -> None:
    async def work() -> None:
        async with meeting(silent_after(EVENT_STREAM + chunk(DELTA))) as met:
            parts = met.inference(name).stream(FULL)
            await anext(parts)
            await parts.aclose()
            await met.server.left.wait()

    run(work())


@each_dialect
def test_prompts_go_over_one_connection_streamed_or_not(name: str) -> None:
    async def work() -> int:
        async with meeting(in_turn(STREAMED, answer(200, WHOLE[name]), STREAMED)) as met:
            plane = met.inference(name)
            async for _ in plane.stream(FULL):
                pass
            await plane.complete(FULL)
            async for _ in plane.stream(FULL):
                pass
            return met.server.connections

    assert run(work()) == 1


@each_dialect
@pytest.mark.parametrize("streamed", [False, True])
def test_a_prompt_is_asked_again_after_too_often_and_never_after_a_fault(name: str, streamed: bool) -> None:
    async def work(first: bytes) -> tuple[Completion | None, int]:
        good = STREAMED if streamed else answer(200, WHOLE[name])
        async with meeting(in_turn(first, first, good)) as met:
            plane = met.inference(name, retry=AT_ONCE)
            if not streamed:
                return await plane.complete(FULL), len(met.seen)
            parts = [part async for part in plane.stream(FULL)]
            return (parts[-1] if isinstance(parts[-1], Completion) else None), len(met.seen)

    assert run(work(answer(429))) == (ANSWER, 3)
    with pytest.raises(ServerFault):
        run(work(answer(503)))
    with pytest.raises(RateLimited):
        run(work(answer(429, b"", {"Retry-After": "60"})))


def test_the_models_of_an_openai_server_are_listed() -> None:
    async def work() -> tuple[tuple[str, ...], str]:
        body = {"object": "list", "data": [{"id": "a", "object": "model"}, {"id": "b"}]}
        async with meeting(always(answer(200, body))) as met:
            return await met.inference("openai").models(), met.seen[0].target

    assert run(work()) == (("a", "b"), "/models")


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_that_lists_no_models_says_so(status: int) -> None:
    async def work() -> None:
        async with meeting(always(answer(status))) as met:
            with pytest.raises(NotOffered):
                await met.inference("openai").models()
            with pytest.raises(NotOffered):
                await met.inference("seed_v1").models()

    run(work())


@each_dialect
@pytest.mark.parametrize("streamed", [False, True])
def test_a_key_in_the_error_of_an_answer_is_taken_out_before_the_words_are_cut(
    name: str, streamed: bool
) -> None:
    secret = "sk-long-and-secret-0123456789"
    error = {"message": "x" * 480 + secret, "code": f"bad:{secret}"}

    async def work() -> ServerFault:
        script = always(
            stream(event({"error": error})) if streamed else answer(200, WHOLE[name] | {"error": error})
        )
        async with FaultyServer(script) as server:
            transport = Transport(Endpoint(server.url, Secret(secret)))
            plane = inference.open_inference(name, transport, inference.InferenceOptions())

            async def ask() -> None:
                if not streamed:
                    await plane.complete(FULL)
                async for _ in plane.stream(FULL):
                    pass

            with pytest.raises(ServerFault) as caught:
                await ask()
            await transport.aclose()
            return caught.value

    fault = run(work())
    assert "sk-long" not in fault.message
    assert fault.platform_code == "bad:***"
