"""Firing: places, the plan's clock, deadlines, stopping, and the life of connections."""

from __future__ import annotations

import gc
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from time import monotonic_ns

import pytest

from harpoon_cli.bench.engine import connections, place, readers, run
from harpoon_cli.bench.engine.fire import fire
from harpoon_cli.bench.engine.poller import PortablePoller
from harpoon_cli.bench.recording.sample import Counted, Sample, Shot
from harpoon_cli.errors import ConfigurationFault, NotSent
from tests.bench.engine.range import (
    CHAT,
    DONE,
    WORDS,
    Gate,
    answered,
    ask,
    at_once,
    delta,
    event,
    fired,
    served,
    target,
)
from tests.servers import (
    EVENT_STREAM,
    Conversation,
    always,
    answer,
    chunk,
    endlessly,
    in_turn,
    silent_after,
    stream,
)

CHAT_ANSWER = stream(*CHAT)


def dated(*due_s: float) -> list[Shot]:
    return [Shot(ask(index), due) for index, due in enumerate(due_s)]


def test_every_shot_has_one_sample_and_a_place_keeps_its_connection() -> None:
    with served(always(CHAT_ANSWER)) as server:
        result = fired(target(server.port), at_once(50), concurrency=4)
    assert sorted(sample.index for sample in result.samples) == list(range(50))
    assert result.errors == [None] * 50
    assert result.watch.connections == server.connections == 4
    assert result.watch.chunks == 200


def test_a_closed_loop_has_as_many_requests_at_once_as_it_has_places() -> None:
    gate = Gate(8, CHAT_ANSWER)
    with served(gate.script) as server:
        result = fired(target(server.port), at_once(40), concurrency=8)
    assert result.errors == [None] * 40
    assert gate.most == 8


def test_an_open_loop_waits_for_no_answer() -> None:
    gate = Gate(20, CHAT_ANSWER)
    with served(gate.script) as server:
        result = fired(target(server.port), dated(*(index / 1000 for index in range(20))), concurrency=None)
    assert result.errors == [None] * 20
    assert gate.most == 20
    for sample in result.samples:
        assert sample.intended_ns == sample.index * 1_000_000 == sample.ready_ns
        assert sample.sent_ns is not None
        assert sample.sent_ns >= sample.intended_ns
        assert sample.connect_ns is not None
        assert sample.tls_ns is None
    assert result.watch.late.finite == 20


def test_a_shot_that_waits_for_a_place_is_ready_once_there_is_one() -> None:
    with served(always(CHAT_ANSWER)) as server:
        first, second = fired(target(server.port), dated(0, 0), concurrency=1).samples
    assert second.intended_ns == 0
    assert first.done_ns is not None
    assert second.sent_ns is not None
    assert first.done_ns <= second.ready_ns <= second.sent_ns
    assert second.connect_ns is None


def test_answers_whose_server_is_silent_are_given_up_at_the_deadline() -> None:
    sample = answered(silent_after(EVENT_STREAM + chunk(WORDS[0])), deadline_s=0.1)
    assert (sample.error, len(sample.chunk_ns), sample.output_tokens) == ("timed_out", 1, None)


def test_a_connection_that_does_not_come_about_is_given_up_at_the_deadline() -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))):  # the one that it has room for
            sample = fired(target(port), at_once(1), deadline_s=0.1).only
    assert (sample.error, sample.sent_ns) == ("connect_timed_out", None)


def test_failures_leave_nothing_for_a_collection_of_garbage() -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        if conversation.number % 3:
            await conversation.send(
                EVENT_STREAM + chunk(WORDS[0] if conversation.number % 2 else b"data: x\n\n")
            )
        conversation.reset()

    with served(script) as server:
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            samples = len(fired(target(server.port), at_once(150), concurrency=4).samples)
            gc.collect()
            ours = [value for value in gc.garbage if type(value).__module__.startswith("harpoon_cli.")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    assert samples == 150
    assert len(ours) < 10


def test_where_there_is_no_epoll_another_way_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "open_poller", PortablePoller)
    with served(always(CHAT_ANSWER)) as server:
        closed = fired(target(server.port), at_once(50), concurrency=4)
        opened = fired(target(server.port), dated(0, 0.01, 0.02), concurrency=None)
        large = fired(target(server.port), [Shot(ask(content="x" * 8_000_000), None)])
    assert closed.errors == [None] * 50
    assert opened.errors == [None] * 3
    assert large.errors == [None]


def test_a_port_where_nothing_listens_refuses() -> None:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        result = fired(target(held.getsockname()[1]), at_once(200), concurrency=4)
    assert result.errors == ["refused"] * 200
    assert result.watch.examples == {"refused": "Connection refused"}


def test_a_host_that_is_unknown_ends_the_run_before_it_begins() -> None:
    there = target(80)
    with pytest.raises(NotSent, match=r"no-such-host\.invalid cannot be resolved"):
        fired(type(there)("no-such-host.invalid", 80, "/", "openai"), at_once(1))


def test_a_header_that_cannot_be_sent_ends_the_run_before_it_begins() -> None:
    there = type(target(80))("127.0.0.1", 80, "/", "openai", headers={"X-A": "a\r\nX-B: b"})
    with pytest.raises(ConfigurationFault, match="cannot be sent"):
        fired(there, at_once(1))


def endless() -> Iterator[Shot]:
    return (Shot(ask(index), None) for index in count())


def test_stopping_cuts_what_is_under_way_and_starts_nothing() -> None:
    asked = threading.Event()

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        asked.set()
        await conversation.until_client_leaves()

    with served(script) as server:
        result = fired(target(server.port), endless(), concurrency=3, stop=asked.is_set)
    assert result.errors == ["stopped"] * 3


def test_stopping_with_grace_lets_what_is_under_way_end() -> None:
    samples: list[Sample] = []
    with served(always(CHAT_ANSWER)) as server:
        fire(
            target(server.port),
            endless(),
            samples.append,
            concurrency=3,
            deadline_s=10,
            grace_s=10,
            stop=lambda: len(samples) > 5,
        )
    assert {sample.error for sample in samples} == {None}


def test_nothing_is_started_after_the_end_of_the_plan() -> None:
    with served(always(CHAT_ANSWER)) as server:
        closed = fired(target(server.port), endless(), ends_s=0.05)
        opened = fired(target(server.port), dated(0, 0.01, 30), concurrency=None, ends_s=0.05)
    assert all(sample.ready_ns < 50_000_000 for sample in closed.samples)
    assert opened.errors == [None, None]


def test_a_run_begins_when_it_is_told() -> None:
    samples: list[Sample] = []
    start_ns = monotonic_ns() + 30_000_000
    with served(always(CHAT_ANSWER)) as server:
        watch = fire(target(server.port), at_once(1), samples.append, deadline_s=10, start_ns=start_ns)
    assert watch.start_ns == start_ns
    assert samples[0].ready_ns >= 0


def test_an_idle_connection_that_the_server_closed_is_not_used_again() -> None:
    closed = threading.Event()

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(CHAT_ANSWER)
        conversation.writer.close()
        await conversation.writer.wait_closed()
        closed.set()

    def wait(_: Sample) -> None:
        closed.wait()
        closed.clear()
        rested_ns = monotonic_ns() + 2 * connections.FRESH_NS
        while monotonic_ns() < rested_ns:
            pass
        samples.append(_)

    samples: list[Sample] = []
    with served(script) as server:
        fire(target(server.port), at_once(3), wait, concurrency=1, deadline_s=10)
    assert [sample.error for sample in samples] == [None] * 3


def test_a_connection_is_left_where_the_server_says_so_or_speaks_out_of_turn() -> None:
    with served(always(answer(200, {"text": "a"}, {"Connection": "close"}))) as server:
        assert fired(target(server.port, stream=False), at_once(3)).errors == [None] * 3
        assert server.connections == 3
    with served(always(CHAT_ANSWER + b"HTTP/1.1 200 OK\r\n")) as server:
        assert fired(target(server.port), at_once(3)).errors == [None] * 3
        assert server.connections == 3


def test_a_connection_that_carried_a_whole_refusal_is_used_again() -> None:
    with served(always(answer(503, {"error": {"message": "overloaded"}}))) as server:
        result = fired(target(server.port), at_once(5))
        assert server.connections == 1
    assert result.errors == ["http_503"] * 5
    assert result.watch.examples == {"http_503": "overloaded"}


def test_interim_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with served(in_turn(early + CHAT_ANSWER)) as server:
        sample = fired(target(server.port), at_once(1)).only
    assert (sample.error, sample.status, len(sample.chunk_ns)) == (None, 200, 4)


HOSTILE = {
    "a head without end": (endlessly(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 8000 + b"\r\n"), "oversize"),
    "a status line without end": (endlessly(b"HTTP/1.1 200 ", b"x" * 8000), "oversize"),
    "interim answers without end": (endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "garbled"),
    "a chunk's line without end": (endlessly(EVENT_STREAM + b"5;", b"x" * 1000), "oversize"),
    "an event without end": (endlessly(EVENT_STREAM, chunk(b"data: " + b"x" * 60_000)), "oversize"),
    "a stream without end": (endlessly(EVENT_STREAM, chunk(WORDS[0] * 200)), "oversize"),
    "a trailer without end": (endlessly(EVENT_STREAM + b"0\r\n", b"X: y\r\n"), "oversize"),
    "a refusal without end": (endlessly(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 8000), "http_500"),
    "pings without end": (endlessly(EVENT_STREAM, chunk(b": ping\n\n")), "timed_out"),
    "a whole answer without end": (
        endlessly(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b"x" * 60_000),
        "oversize",
    ),
    "no HTTP": (endlessly(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b""), "garbled"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_what_has_no_end_is_cut(attack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "STREAM_CAP_BYTES", 4_000_000)
    monkeypatch.setattr(readers, "WHOLE_CAP_BYTES", 4_000_000)
    script, error = HOSTILE[attack]
    assert answered(script, deadline_s=1.0 if error == "timed_out" else 10).error == error


def test_a_prompt_larger_than_any_buffer_is_sent_whole() -> None:
    with served(always(CHAT_ANSWER)) as server:
        result = fired(target(server.port), [Shot(ask(content="x" * 8_000_000), None)])
        assert len(server.requests[0].body) > 8_000_000
    assert result.errors == [None]


def test_a_refusal_before_the_prompt_is_sent_whole_is_read() -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.reader.readuntil(b"\r\n\r\n")
        await conversation.send(answer(413, b"too large"))
        await conversation.until_client_leaves()

    with served(script) as server:
        result = fired(target(server.port), [Shot(ask(content="x" * 8_000_000), None)])
    assert result.errors == ["http_413"]


def test_more_requests_than_there_is_room_for_wait_and_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "SPARE_FILES", 10**9)
    with served(always(CHAT_ANSWER)) as server:
        result = fired(target(server.port), dated(0, 0, 0), concurrency=None)
        assert server.connections == 1
    assert result.errors == [None] * 3
    assert result.watch.short_of_sockets


def test_a_tokenizer_counts_where_the_server_does_not() -> None:
    uncounted = stream(*WORDS, event(delta("stop")), DONE)
    with served(in_turn(uncounted, CHAT_ANSWER)) as server:
        ours, theirs = fired(target(server.port), at_once(2), count_tokens=len).samples
    assert (ours.output_tokens, ours.counted) == (len("The sky is blue"), Counted.TOKENIZER)
    assert (theirs.output_tokens, theirs.counted) == (4, Counted.USAGE)


def test_a_key_that_the_server_repeats_is_not_kept() -> None:
    there = target(1)
    with served(always(answer(401, {"error": "no such key: sk-0123456789"}))) as server:
        keyed = type(there)(
            "127.0.0.1", server.port, "/", "openai", headers={"Authorization": "Bearer sk-0123456789"}
        )
        watch = fired(keyed, at_once(1)).watch
    assert watch.examples == {"http_401": "no such key: ***"}
    assert "0123456789" not in repr(keyed)


def test_a_request_is_what_the_dialect_says() -> None:
    with served(always(CHAT_ANSWER)) as server:
        fired(target(server.port), [Shot(ask(content='quote " and \ud800 and ü'), None)])
        (received,), port = server.requests, server.port
    assert (received.method, received.target) == ("POST", "/v1/chat/completions")
    assert received.headers["host"] == f"127.0.0.1:{port}"
    assert received.headers["accept"] == "text/event-stream"
    assert json.loads(received.body) == {
        "model": "a-model",
        "messages": [{"role": "user", "content": 'quote " and \ud800 and ü'}],
        "max_tokens": 8,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
