"""The streams that real servers send, and the ways in which they go wrong, read over a socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from harpoon_cli.bench.recording.sample import Counted
from tests.bench.engine.range import CHAT, DONE, WORDS, answered, delta, event, usage
from tests.servers import EVENT_STREAM, Conversation, Script, answer, chunk, stream

PING = b": ping - 2026-11-22 09:00:00\n\n"
NAMED_PING = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP = event(delta("stop"))


def crlf(pieces: tuple[bytes, ...], end: bytes = b"\r\n") -> tuple[bytes, ...]:
    return tuple(piece.replace(b"\n", end) for piece in pieces)


def spaced(value: object) -> bytes:
    return b"data: " + json.dumps(value, separators=(", ", ": ")).encode() + b"\n\n"


def compact(value: object) -> bytes:
    return b"data:" + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


TOOL = [{"index": 0, "function": {"name": "look_up", "arguments": '{"q"'}}]
COMPLETION = {"choices": [{"index": 0, "text": "The", "finish_reason": None}]}

CHUNKS = [json.loads(word.removeprefix(b"data: ")) for word in WORDS]

SHAPES = {
    "a role before the content is no token": (CHAT, 4),
    "a role that comes with the content": (
        (event(delta(role="assistant", content="A")), *WORDS, STOP, DONE),
        5,
    ),
    "a role after the content": ((*WORDS, event(delta(role="assistant")), STOP, DONE), 4),
    "a null content is no token": ((event(delta(role="assistant", content=None)), *WORDS, STOP, DONE), 4),
    "several tokens in a chunk": ((event(delta(content="The sky is blue")), STOP, DONE), 1),
    "reasoning before the content": (
        (
            event(delta(reasoning_content="Hm", content=None)),
            event(delta(reasoning_content=" so", content=None)),
            event(delta(reasoning_content=None, content="Blue")),
            *WORDS,
            STOP,
            DONE,
        ),
        7,
    ),
    "reasoning by its other name": (
        (event(delta(reasoning="Hm")), event(delta(reasoning=" so")), STOP, DONE),
        2,
    ),
    "content beside empty reasoning": (
        (
            event(delta(reasoning_content="", content="A")),
            event(delta(content="", reasoning="B")),
            STOP,
            DONE,
        ),
        2,
    ),
    "tool calls": (
        (
            event(delta(tool_calls=TOOL)),
            event(delta(tool_calls=TOOL)),
            event(delta(tool_calls=[])),
            STOP,
            DONE,
        ),
        2,
    ),
    "text that looks like a chunk without content": (
        (event(delta(content='"content":""')), event(delta(content='{"error":1} [DONE]')), STOP, DONE),
        2,
    ),
    "pings and comments": ((PING, WORDS[0], PING, NAMED_PING, *WORDS[1:], b":\n\n", STOP, PING, DONE), 4),
    "lines that end in CRLF": (crlf(CHAT), 4),
    "lines that end in CR": (crlf(CHAT, b"\r"), 4),
    "more empty lines than needed": ((b"\n\n", *(piece + b"\n" for piece in CHAT)), 4),
    "a byte order mark": ((b"\xef\xbb\xbf" + WORDS[0], *WORDS[1:], STOP, DONE), 4),
    "fields beside the data": (
        (*(b"id: 7\nretry: 100\n" + piece for piece in CHAT),),
        4,
    ),
    "data over two lines": ((b'data: {"choices": [{"delta":\ndata: {"content": "A"}}]}\n\n', STOP, DONE), 1),
    "spaces in the JSON": ((*map(spaced, CHUNKS), STOP, DONE), 4),
    "no space in the JSON": ((*map(compact, CHUNKS), STOP, DONE), 4),
    "completions instead of a chat": ((event(COMPLETION), event(COMPLETION), STOP, DONE), 2),
    "an end without its mark": ((*WORDS, STOP), 4),
    "an end within the last content": ((*WORDS, event(delta("stop", content="."))), 5),
    "a mark without its blank line": ((*WORDS, b"data: [DONE]"), 4),
    "no content at all": ((event(delta(role="assistant", content="")), STOP, DONE), 0),
    "words after the end": ((*WORDS, STOP, DONE, *WORDS), 4),
    "an error after the end": ((*WORDS, STOP, DONE, event({"error": {"message": "late"}})), 4),
    "several events at once": ((b"".join(CHAT),), 4),
}
"""For each shape its pieces, and how many chunks of content they hold."""


def _at_once(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (stream(*pieces),)


def _one_by_one(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (EVENT_STREAM, *map(chunk, pieces), chunk(b""))


def _byte_by_byte(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    raw = stream(*pieces)
    return tuple(raw[at : at + 1] for at in range(len(raw)))


def _in_chunks_of_seven(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    raw = b"".join(pieces)
    return (stream(*(raw[at : at + 7] for at in range(0, len(raw), 7))),)


def _unframed(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return (head, *pieces)


def _by_length(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    raw = b"".join(pieces)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(raw)
    return (head, raw)


WAYS = (_at_once, _one_by_one, _byte_by_byte, _in_chunks_of_seven, _unframed, _by_length)


def saying(sends: tuple[bytes, ...]) -> Script:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        for raw in sends:
            await conversation.send(raw)

    return script


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_has_its_chunks_however_it_is_cut(
    shape: str, way: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
) -> None:
    pieces, chunks = SHAPES[shape]
    sample = answered(saying(way(pieces)))
    assert (sample.error, sample.status, len(sample.chunk_ns)) == (None, 200, chunks)
    assert sample.sent_ns is not None
    assert sample.first_byte_ns is not None
    assert sample.done_ns is not None
    times = [sample.ready_ns, sample.sent_ns, sample.first_byte_ns, *sample.chunk_ns, sample.done_ns]
    assert times == sorted(times) or "after the end" in shape


@dataclass(frozen=True)
class Broken:
    sends: tuple[bytes, ...]
    error: str
    chunks: int


WHOLE = {"choices": [{"message": {"content": "Blue"}, "finish_reason": "stop"}], "usage": usage(9, 4)}

ERROR = {"error": {"message": "CUDA out of memory", "type": "server_error", "code": 500}}

BROKEN = {
    "an error event after the 200": Broken((stream(*WORDS, event(ERROR), DONE),), "error_event", 4),
    "an error instead of any content": Broken((stream(event(ERROR)),), "error_event", 0),
    "an error as a string": Broken((stream(event({"error": "no"}), DONE),), "error_event", 0),
    "an error by vLLM's old shape": Broken(
        (stream(event({"object": "error", "message": "no"}), DONE),), "error_event", 0
    ),
    "an error by the event's name": Broken(
        (stream(*WORDS, b"event: error\ndata: no\n\n"),), "error_event", 4
    ),
    "an error as the reason to finish": Broken((stream(*WORDS, event(delta("error"))),), "error_event", 4),
    "an answer that the server gave up": Broken(
        (stream(*WORDS, event(delta("abort")), DONE),), "error_event", 4
    ),
    "a stream that ends without its end": Broken((stream(*WORDS),), "incomplete", 4),
    "a stream of nothing": Broken((stream(),), "incomplete", 0),
    "half of an event at the end": Broken((stream(*WORDS, STOP[:20]),), "incomplete", 4),
    "a connection closed within a chunk": Broken((EVENT_STREAM, chunk(WORDS[0])[:-9]), "incomplete", 0),
    "a connection closed between chunks": Broken((EVENT_STREAM, chunk(WORDS[0])), "incomplete", 1),
    "a connection closed within the head": Broken((EVENT_STREAM[:30],), "incomplete", 0),
    "a connection closed at once": Broken((), "closed", 0),
    "an event that is no JSON": Broken((stream(*WORDS, event("{what"), DONE),), "garbled", 4),
    "an event that is no object": Broken((stream(event("[1]"), DONE),), "garbled", 0),
    "a whole answer where a stream was asked for": Broken((answer(200, WHOLE),), "not_streamed", 0),
    "a whole answer that is an error": Broken((answer(200, ERROR),), "error_body", 0),
    "a status of failure": Broken((answer(503, ERROR),), "http_503", 0),
    "a redirect": Broken((answer(307, b"", {"Location": "/"}),), "http_307", 0),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_has_its_name_and_keeps_what_came_before(fault: str) -> None:
    broken = BROKEN[fault]
    sample = answered(saying(broken.sends))
    assert (sample.error, len(sample.chunk_ns)) == (broken.error, broken.chunks)
    assert sample.done_ns is not None


@pytest.mark.parametrize("fault", BROKEN)
def test_faults_are_the_same_byte_by_byte(fault: str) -> None:
    broken = BROKEN[fault]
    raw = b"".join(broken.sends)
    sample = answered(saying(tuple(raw[at : at + 1] for at in range(len(raw)))))
    assert (sample.error, len(sample.chunk_ns)) == (broken.error, broken.chunks)


CONTINUOUS = (
    event(delta(role="assistant", content="") | {"usage": usage(9, 0)}),
    *(event(delta(content="a") | {"usage": usage(9, count)}) for count in (2, 4, 6)),
)

COUNTED = {
    "usage in a chunk of its own": ((*CHAT,), (9, 4, Counted.USAGE)),
    "usage in every chunk, the last with content": ((*CONTINUOUS, DONE), (9, 6, Counted.USAGE)),
    "usage in every chunk, the last without": (
        (*CONTINUOUS, event(delta("stop") | {"usage": usage(9, 7)}), DONE),
        (9, 7, Counted.USAGE),
    ),
    "usage before the content only": (
        (
            event(delta(role="assistant") | {"usage": usage(9, 0)}),
            *WORDS,
            STOP,
            event({"usage": usage(9, 4)}),
            DONE,
        ),
        (9, 4, Counted.USAGE),
    ),
    "null usage": ((*WORDS, event(delta("stop") | {"usage": None}), DONE), (None, 4, Counted.CHUNKS)),
    "no usage": ((*WORDS, STOP, DONE), (None, 4, Counted.CHUNKS)),
    "usage that is no count": (
        (*WORDS, STOP, event({"usage": {"prompt_tokens": "9", "completion_tokens": -1}}), DONE),
        (None, 4, Counted.CHUNKS),
    ),
}


@pytest.mark.parametrize("shape", COUNTED)
def test_tokens_are_the_servers_count_where_it_counts(shape: str) -> None:
    pieces, expected = COUNTED[shape]
    sample = answered(saying(_one_by_one(pieces)))
    assert sample.error is None
    assert (sample.input_tokens, sample.output_tokens, sample.counted) == expected


def test_an_answer_that_is_not_streamed_has_its_count_and_no_chunks() -> None:
    sample = answered(saying((answer(200, WHOLE),)), stream=False)
    assert (sample.error, sample.input_tokens, sample.output_tokens) == (None, 9, 4)
    assert not sample.chunk_ns


WHOLES = {
    "usage that needs parsing": (answer(200, WHOLE | {"error": None}), None, 4),
    "no usage": (answer(200, {"choices": [{"text": "x"}]}), None, None),
    "the default dialect's shape": (answer(200, {"text": "Blue", "usage": usage(9, 4)}), None, 4),
    "neither choices nor text": (answer(200, {"detail": "x"}), "garbled", None),
    "no JSON": (answer(200, b"<html>"), "garbled", None),
    "an error": (answer(200, {"error": "no"}), "error_body", None),
    "no content": (answer(204), "garbled", None),
}


@pytest.mark.parametrize("shape", WHOLES)
def test_whole_answers_are_read_as_far_as_they_can_be(shape: str) -> None:
    raw, error, tokens = WHOLES[shape]
    sample = answered(saying((raw,)), stream=False)
    assert (sample.error, sample.output_tokens) == (error, tokens)


def test_the_mark_of_the_end_is_enough_where_the_body_does_not_end() -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(EVENT_STREAM + b"".join(map(chunk, CHAT)))
        await conversation.until_client_leaves()

    sample = answered(script)
    assert (sample.error, len(sample.chunk_ns), sample.output_tokens) == (None, 4, 4)


def test_a_reset_after_the_mark_of_the_end_spoils_nothing() -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(EVENT_STREAM + b"".join(map(chunk, CHAT)))
        conversation.reset()

    assert answered(script).error is None


def test_a_reset_within_the_answer_is_a_reset_and_no_complete_answer() -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(EVENT_STREAM + chunk(WORDS[0]))
        conversation.reset()

    sample = answered(script)
    assert sample.error == "reset"
    assert sample.done_ns is not None
