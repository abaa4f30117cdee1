"""TLS through the engine's own reads and writes."""

from __future__ import annotations

import ssl

from harpoon_cli.bench.recording.sample import Shot, Stamped
from harpoon_cli.values import replace
from tests.bench.engine.range import CHAT, ask, at_once, fired, served, target
from tests.servers import Conversation, always, stream

CHAT_ANSWER = stream(*CHAT)


def test_requests_over_tls_are_answered_and_show_what_the_handshake_took() -> None:
    with served(always(CHAT_ANSWER), tls=True) as server:
        result = fired(target(server.port, tls=True), at_once(6), concurrency=2)
        assert server.connections == 2
    assert result.errors == [None] * 6
    assert [len(sample.chunk_ns) for sample in result.samples] == [4] * 6
    fresh = [sample for sample in result.samples if sample.connect_ns is not None]
    assert len(fresh) == 2
    assert all(sample.tls_ns is not None and sample.tls_ns > 0 for sample in fresh)


def test_large_prompts_and_answers_go_over_tls() -> None:
    with served(always(stream(*CHAT[:-1] * 2000, CHAT[-1])), tls=True) as server:
        result = fired(target(server.port, tls=True), [Shot(ask(content="x" * 4_000_000), None)])
        assert len(server.requests[0].body) > 4_000_000
    assert result.errors == [None]
    assert len(result.only.chunk_ns) == 8000


def test_a_certificate_that_is_not_trusted_is_a_fault_with_its_reason() -> None:
    with served(always(CHAT_ANSWER), tls=True) as server:
        result = fired(replace(target(server.port), tls=ssl.create_default_context), at_once(2))
    assert result.errors == ["tls", "tls"]
    assert "not trusted" in result.watch.examples["tls"]


def test_a_server_that_speaks_no_tls_is_a_fault() -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.reader.read(1)
        await conversation.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with served(script) as server:
        assert fired(target(server.port, tls=True), at_once(1)).errors == ["tls"]


def test_a_connection_that_ends_within_the_handshake_is_closed() -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.reader.read(1000)

    with served(script) as server:
        assert fired(target(server.port, tls=True), at_once(1)).errors == ["closed"]


def test_an_answer_over_tls_that_breaks_off_is_incomplete() -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(CHAT_ANSWER[:400])

    with served(script, tls=True) as server:
        result = fired(target(server.port, tls=True), at_once(1))
    assert result.errors == ["incomplete"]
    assert result.watch.stamped in Stamped
