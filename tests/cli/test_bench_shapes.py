"""`harpoon bench` against the streams of real servers, the good and the broken: each counts as what it is."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator

from tests.bench.engine.range import CHAT, WORDS, served
from tests.bench.engine.test_stream_shapes import BROKEN, ERROR, SHAPES
from tests.cli.rig import Operator
from tests.servers import EVENT_STREAM, Conversation, Script, answer, chunk, stream

RESET = b"reset"
"""In place of bytes to send: the connection is reset."""

OLD_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CLOSING_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
ZIPPED_HEAD = EVENT_STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
KEPT_OPEN = b"HTTP/1.1 "
BODY = b"".join(CHAT)

GOOD: list[tuple[tuple[bytes, ...], int]] = [
    *(((stream(*pieces),), chunks) for pieces, chunks in SHAPES.values()),
    (tuple(stream(*CHAT)[at : at + 11] for at in range(0, len(stream(*CHAT)), 11)), 4),
    ((OLD_HEAD, BODY), 4),
    ((CLOSING_HEAD, *CHAT), 4),
    ((EVENT_STREAM, chunk(BODY), b"0\r\nX-Trace: 1\r\n\r\n"), 4),
]
"""What is sent, and how many chunks of content it holds."""

BAD: list[tuple[tuple[bytes, ...], str]] = [
    *((broken.sends, broken.error) for broken in BROKEN.values()),
    ((EVENT_STREAM, chunk(WORDS[0]), RESET), "reset"),
    ((EVENT_STREAM, RESET), "reset"),
    ((answer(503, ERROR),), "http_503"),
    ((ZIPPED_HEAD, chunk(gzip.compress(BODY)), chunk(b"")), "garbled"),
]


def one_after_another(sends: Iterator[tuple[bytes, ...]]) -> Script:
    """An answer to each request; the connection is closed after those that do not say where they end."""

    async def script(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            raws = next(sends)
            for raw in raws:
                if raw == RESET:
                    conversation.reset()
                    return
                await conversation.send(raw)
            if not raws or not (raws[0].startswith(KEPT_OPEN) and raws[-1].endswith((b"\r\n\r\n", b"}"))):
                return

    return script


def test_each_stream_of_a_run_counts_as_what_it_is(harpoon: Operator) -> None:
    sends = [sends for sends, _ in GOOD] + [sends for sends, _ in BAD]
    with served(one_after_another(iter(sends))) as server:
        ran = harpoon(
            *("bench", "--endpoint", server.url, "--dialect", "openai", "-m", "m", "--warmup", "none"),
            *("--requests", str(len(sends)), "--concurrency", "1", "--max-error-rate", "100%", "-o", "json"),
        )
    report = ran.data["report"]
    assert (report["whole"]["completed"], report["whole"]["failed"]) == (len(GOOD), len(BAD))
    assert report["errors"] == Counter(kind for _, kind in BAD)
    gaps = sum(max(chunks - 1, 0) for _, chunks in GOOD)
    assert report["whole"]["latencies"]["itl"]["count"] == gaps
    assert report["whole"]["latencies"]["ttft"]["count"] == sum(chunks > 0 for _, chunks in GOOD)


def test_a_run_whose_every_stream_breaks_does_not_pass(harpoon: Operator) -> None:
    with served(one_after_another(iter([(EVENT_STREAM, chunk(WORDS[0]), RESET)] * 3))) as server:
        ran = harpoon("bench", "--endpoint", server.url, "-m", "m", "--requests", "3", "--concurrency", "1")
    assert ran.status == 8
    assert "3 reset" in ran.err
