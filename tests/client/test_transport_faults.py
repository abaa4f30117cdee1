"""What the transport makes of servers that fail: what was sent, and that no call outlives its deadline."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from types import ModuleType

import httpx
import pytest

from harpoon_cli.client.transport import Endpoint, Network, Transport
from harpoon_cli.domain import Secret
from harpoon_cli.errors import BrokenOff, Effect, GarbledAnswer, NotSent, PlatformError, TimedOut
from tests.client.talk import KEY, talking, trouble
from tests.servers import (
    EVENT_STREAM,
    Conversation,
    FaultyServer,
    Script,
    always,
    answer,
    chunk,
    endlessly,
    once,
    run,
    silent_after,
    stream,
)

SHORT_S = 0.2
"""A deadline that is meant to pass."""


async def refusing(base_url: str, deadline_s: float = 10.0, network: Network | None = None) -> PlatformError:
    """The error of a call to a place where no platform is."""
    transport = Transport(Endpoint(base_url, Secret(KEY)), network)
    try:
        with pytest.raises(PlatformError) as caught:
            await transport.call("POST", "/v1/allocate", body={}, deadline_s=deadline_s)
        return caught.value
    finally:
        await transport.aclose()


@pytest.mark.parametrize(
    "cut",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a": 1}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"a": 1}\r\n',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_is_cut_short_may_have_taken_effect(cut: bytes) -> None:
    error = trouble(once(cut))
    assert type(error) is BrokenOff
    assert error.effect is Effect.UNKNOWN
    assert "GET http://127.0.0.1" in error.message


def test_a_reset_after_the_request_may_have_taken_effect() -> None:
    async def reset(conversation: Conversation) -> None:
        await conversation.request()
        conversation.reset()

    error = trouble(reset)
    assert type(error) is BrokenOff
    assert error.message.endswith("gave no whole answer: Connection reset by peer")


def test_a_reset_in_the_middle_of_a_body_may_have_taken_effect() -> None:
    async def reset(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        conversation.reset()

    assert type(trouble(reset)) is BrokenOff


def test_a_port_where_nothing_listens_was_not_sent_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = run(refusing(f"http://127.0.0.1:{port}"))
    assert type(error) is NotSent
    assert error.effect is Effect.NOT_SENT
    assert error.message == f"cannot reach http://127.0.0.1:{port}/v1/allocate: Connection refused"
    assert error.hint == "check host and port in platform.base_url: is the platform up?; harpoon doctor"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".example", "xn--a", "-"])
def test_a_name_that_cannot_be_resolved_was_not_sent_to(host: str) -> None:
    error = run(refusing(f"http://{host}:9"))
    assert type(error) is NotSent


def test_a_reset_before_tls_is_there_was_not_sent_to() -> None:
    async def reset(conversation: Conversation) -> None:
        conversation.reset()

    async def ask() -> PlatformError:
        async with FaultyServer(reset) as server:
            return await refusing(server.url.replace("http:", "https:"))

    assert type(run(ask())) is NotSent


def test_plain_http_where_tls_is_expected_was_not_sent_to() -> None:
    async def plain(conversation: Conversation) -> None:
        await conversation.send(answer(400))
        await conversation.until_client_leaves()

    async def ask() -> PlatformError:
        async with FaultyServer(plain) as server:
            return await refusing(server.url.replace("http:", "https:"))

    error = run(ask())
    assert type(error) is NotSent
    assert "TLS failed" in error.message


def test_a_certificate_that_is_not_trusted_was_not_sent_to_and_names_the_setting() -> None:
    async def ask() -> tuple[PlatformError, int]:
        async with FaultyServer(always(answer(200, {})), tls=True) as server:
            return await refusing(server.url), len(server.requests)

    error, seen = run(ask())
    assert type(error) is NotSent
    assert "certificate is not trusted" in error.message
    assert "http.ca_bundle" in error.message
    assert seen == 0


def test_tls_that_never_answers_ends_at_the_deadline() -> None:
    async def mute(conversation: Conversation) -> None:
        await conversation.until_client_leaves()

    async def ask() -> PlatformError:
        async with FaultyServer(mute) as server:
            return await refusing(server.url.replace("http:", "https:"), SHORT_S)

    error = run(ask())
    assert type(error) is NotSent
    assert "no connection in 0." in error.message


def test_tls_that_never_answers_ends_at_the_connect_limit() -> None:
    async def mute(conversation: Conversation) -> None:
        await conversation.until_client_leaves()

    async def ask() -> PlatformError:
        async with FaultyServer(mute) as server:
            url = server.url.replace("http:", "https:")
            error = await refusing(url, 25.0, Network(connect_s=SHORT_S))
            await server.left.wait()
            return error

    assert type(run(ask())) is NotSent


HANGS: dict[str, Script] = {
    "says nothing": silent_after(b""),
    "stops in the head": silent_after(b"HTTP/1.1 200 OK\r\nContent-"),
    "stops in the body": silent_after(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "drips its head": endlessly(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "drips its body": endlessly(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "sends interim answers for ever": endlessly(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "sends empty lines for ever": endlessly(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"\r\n"),
}


@pytest.mark.parametrize("behaviour", HANGS)
def test_a_server_that_never_ends_is_left_at_the_deadline(behaviour: str) -> None:
    async def ask() -> PlatformError:
        async with talking(HANGS[behaviour], network=Network(max_body_bytes=2**30)) as talk:
            with pytest.raises(PlatformError) as caught:
                await talk.get(SHORT_S)
            await talk.server.left.wait()
            return caught.value

    error = run(ask())
    # A head that drips in fast enough is too long before it is too late.
    assert type(error) in (TimedOut, BrokenOff)
    assert error.effect is Effect.UNKNOWN


@pytest.mark.parametrize(
    "again", [chunk(b": keep-alive\n\n"), chunk(b'data: {"choices": []}\n\n'), chunk(b" ")]
)
def test_a_stream_that_is_kept_alive_for_ever_ends_at_the_deadline(again: bytes) -> None:
    async def ask() -> None:
        script = endlessly(EVENT_STREAM, again)
        async with talking(script, network=Network(max_body_bytes=2**30)) as talk:
            with pytest.raises(TimedOut):
                await talk.listen(SHORT_S)
            await talk.server.left.wait()

    run(ask())


def test_a_deadline_that_is_over_before_it_begins_sends_nothing() -> None:
    async def ask() -> int:
        async with talking(always(answer(200, {}))) as talk:
            with pytest.raises(NotSent):
                await talk.get(-1.0)
            return len(talk.server.requests)

    assert run(ask()) == 0


def test_a_cancel_ends_the_call_and_its_connection() -> None:
    async def ask() -> None:
        async with talking(silent_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")) as talk:
            call = asyncio.create_task(talk.get())
            while not talk.server.requests:
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await talk.server.left.wait()

    run(ask())


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (answer(200, {"text": "all at once"}), GarbledAnswer),
        (answer(200, {"error": "no"}), GarbledAnswer),
        (answer(200, b"<html>", {"Content-Type": "text/html"}), GarbledAnswer),
        (answer(200), GarbledAnswer),
        (answer(401), PlatformError),
        (EVENT_STREAM + chunk(b"data: 1\n\n"), BrokenOff),
        (EVENT_STREAM + b"zz\r\n", BrokenOff),
    ],
)
def test_a_stream_that_is_none_or_is_cut_fails_as_one_of_our_errors(
    raw: bytes, kind: type[PlatformError]
) -> None:
    async def ask() -> None:
        async with talking(once(raw)) as talk:
            with pytest.raises(kind):
                await talk.listen()

    run(ask())


def test_an_error_in_place_of_a_stream_is_told_in_its_own_words() -> None:
    async def ask() -> str:
        async with talking(always(answer(200, {"error": "the lease has ended"}))) as talk:
            with pytest.raises(GarbledAnswer) as caught:
                await talk.listen()
            return caught.value.message

    assert "the lease has ended" in run(ask())


@pytest.mark.parametrize("kind", ["text/event-stream", "Text/Event-Stream; charset=utf-8"])
def test_a_stream_is_one_by_its_type_whatever_its_case(kind: str) -> None:
    async def ask() -> bytes:
        async with talking(always(answer(200, b"data: 1\n\n", {"Content-Type": kind}))) as talk:
            return await talk.listen()

    assert run(ask()) == b"data: 1\n\n"


def test_a_stream_that_is_left_early_closes_its_connection() -> None:
    async def ask() -> bytes:
        script = silent_after(EVENT_STREAM + chunk(b"data: 1\n\n"))
        async with talking(script) as talk:
            async with talk.transport.events("/v1/thing", body={}, deadline_s=10) as pieces:
                first = await anext(pieces)
            await talk.server.left.wait()
            return first

    assert run(ask()) == b"data: 1\n\n"


def test_a_stream_whose_reader_fails_closes_its_connection() -> None:
    async def ask() -> None:
        script = silent_after(EVENT_STREAM + chunk(b"data: 1\n\n"))
        async with talking(script) as talk:
            with pytest.raises(ZeroDivisionError):
                async with talk.transport.events("/v1/thing", body={}, deadline_s=10):
                    raise ZeroDivisionError
            await talk.server.left.wait()

    run(ask())


def test_a_stream_that_is_left_after_its_last_event_keeps_its_connection() -> None:
    async def ask() -> int:
        async with talking(always(stream(b"data: 1\n\n", b"data: [DONE]\n\n"))) as talk:
            for _ in range(3):
                async with talk.transport.events("/v1/thing", body={}, deadline_s=10) as pieces:
                    await anext(pieces)
            return talk.server.connections

    assert run(ask()) == 1


def errors_of(module: ModuleType) -> Iterator[type[Exception]]:
    for name in module.__all__:
        one = getattr(module, name)
        if isinstance(one, type) and issubclass(one, Exception):
            yield one


@pytest.mark.parametrize("kind", list(errors_of(httpx)), ids=lambda kind: kind.__name__)
def test_every_error_that_httpx_has_becomes_one_of_ours(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    takes_request = issubclass(kind, httpx.HTTPStatusError)
    request = httpx.Request("GET", "http://127.0.0.1/")
    takes_nothing = issubclass(kind, httpx.StreamError) and kind is not httpx.StreamError
    if takes_request:
        error: Exception = httpx.HTTPStatusError("x", request=request, response=httpx.Response(500))
    else:
        error = kind() if takes_nothing else kind("x")

    async def fail(*_: object, **__: object) -> httpx.Response:
        raise error

    monkeypatch.setattr(httpx.AsyncClient, "send", fail)
    assert type(run(refusing("http://127.0.0.1:9"))) is NotSent
