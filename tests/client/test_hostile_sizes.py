"""Answers made to fill the memory: read by a real process, whose peak is compared with a good answer's."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.servers import EVENT_STREAM, Conversation, FaultyServer, Script, always, answer, chunk, run, stream

ALLOWED_BYTES = 64 * 2**20
PIECE_BYTES = 64 * 1024

READER = """
import asyncio, gc, re, sys
from harpoon_cli.client.control import ControlOptions, open_control
from harpoon_cli.client.inference import InferenceOptions, open_inference
from harpoon_cli.client.service import Features
from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.domain import CompletionRequest, Prompt
from harpoon_cli.errors import PlatformError

PROMPT = CompletionRequest(Prompt("Why?"), "m", None, None)

async def read(what, url):
    transport = Transport(Endpoint(url))
    try:
        if what == "pools":
            await open_control("seed_v1", transport, ControlOptions(Features())).pools()
        elif what == "complete":
            await open_inference("openai", transport, InferenceOptions()).complete(PROMPT)
        else:
            async for _ in open_inference("openai", transport, InferenceOptions()).stream(PROMPT):
                pass
    except PlatformError as error:
        return len(error.message)
    finally:
        await transport.aclose()
    return 0

for line in sys.stdin:
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak is from now on
    length = asyncio.run(read(*line.split()))
    with open("/proc/self/status") as file:
        peak_kib = re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]
    print(length, int(peak_kib) * 1024, flush=True)
"""


class Reader:
    """A process that reads answers, and tells of each how long its error is (0 for none), and its peak."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asks: IO[str] = process.stdin
        self._tells: IO[str] = process.stdout
        self.normal_bytes = max(self.read(what, script)[1] for what, script in GOOD.items())

    def read(self, what: str, script: Script) -> tuple[int, int]:
        async def work() -> tuple[int, int]:
            async with FaultyServer(script) as server:
                self._asks.write(f"{what} {server.url}\n")
                self._asks.flush()
                length, peak_bytes = (await asyncio.to_thread(self._tells.readline)).split()
                return int(length), int(peak_bytes)

        return run(work())


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell a process's peak since a moment")
    with subprocess.Popen(
        [sys.executable, "-c", READER], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield Reader(process)
        finally:
            process.kill()


GOOD: dict[str, Script] = {
    "pools": always(answer(200, {"pools": [{"id": "p"}]})),
    "complete": always(
        answer(200, {"choices": [{"message": {"content": "Because."}, "finish_reason": "stop"}]})
    ),
    "stream": always(
        stream(
            b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n',
            b"data: [DONE]\n\n",
        )
    ),
}


def pouring(head: bytes, piece: bytes, total_bytes: int = 2**40, end: bytes = b"") -> Script:
    """So many bytes after one request, or until the client goes; the piece is sent whole each time."""
    many = piece * max(1, PIECE_BYTES // len(piece))

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(head)
        for _ in range(total_bytes // len(many)):
            await conversation.send(many)
        await conversation.send(end)

    return script


def body(content: bytes) -> Script:
    """A whole answer, just short enough to be read."""
    return always(answer(200, content, {"Content-Type": "application/json"}))


JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LENGTH = JSON + b"Content-Length: %d\r\n\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
ROW = json.dumps({"id": "pool-1", "name": "Pool", "total_vgpus": 8, "price_per_hour": "0.39"}).encode() + b","
MOST = 16 * 2**20 - 64
FLOWER = "\U0001f33a".encode()


def delta(content: str) -> bytes:
    return (
        b"data: "
        + json.dumps({"choices": [{"delta": {"content": content}}]}, ensure_ascii=False).encode()
        + b"\n\n"
    )


ATTACKS: dict[str, tuple[str, Script]] = {
    "a body of 64 MiB": ("pools", pouring(LENGTH % 2**26 + b'{"pools": [', ROW)),
    "a body of 64 MiB in chunks": ("pools", pouring(CHUNKED + chunk(b'{"pools": ['), chunk(ROW * 1000))),
    "a body without end": ("pools", pouring(JSON + b'\r\n{"pools": [', ROW)),
    "an error page of 64 MiB": ("pools", pouring(b"HTTP/1.1 500 No\r\n\r\n", b"<p>", 2**26)),
    "rows up to the cap": ("pools", body(b'{"pools": [' + ROW * (MOST // len(ROW) - 1) + b"{}]}")),
    "one text up to the cap": ("pools", body(b'{"pools": "' + b"x" * (MOST - 13) + b'"}')),
    "one text of wide characters": ("pools", body(b'{"pools": "' + FLOWER + b"x" * (MOST - 17) + b'"}')),
    "one escape after the other": ("pools", body(b'{"pools": "' + b"\\u00e9" * (MOST // 6 - 3) + b'"}')),
    "empty lists": ("pools", body(b'{"pools": [' + b"[]," * (MOST // 3 - 6) + b"1]}")),
    "empty objects": ("pools", body(b'{"pools": [' + b"{}," * (MOST // 3 - 6) + b"1]}")),
    "numbers": ("pools", body(b'{"pools": [' + b"1," * (MOST // 2 - 8) + b"1]}")),
    "names": ("pools", body(b"{" + b",".join(b'"%x":1' % one for one in range(1_200_000)) + b"}")),
    "100,000 brackets": ("pools", body(b"[" * 100_000)),
    "16 million brackets": ("pools", body(b"[" * MOST)),
    "100,000 objects in each other": ("pools", body(b'{"a":' * 100_000)),
    "a bomb of 256 MiB": (
        "pools",
        always(answer(200, gzip.compress(bytes(2**28), 1), {"Content-Encoding": "gzip"})),
    ),
    "a bomb that says it is chunks": (
        "pools",
        pouring(
            JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n", chunk(gzip.compress(bytes(2**24))), 2**22
        ),
    ),
    "a header of 32 MiB": ("pools", pouring(b"HTTP/1.1 200 OK\r\nX: ", b"x", 2**25, b"\r\n\r\n")),
    "headers without end": ("pools", pouring(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n")),
    "a status line without end": ("pools", pouring(b"HTTP/1.1 200 ", b"x")),
    "a chunk's head without end": ("pools", pouring(CHUNKED, b"1;x=y")),
    "trailers without end": ("pools", pouring(CHUNKED + b"0\r\n", b"X: x\r\n")),
    "an answer of 15 MiB": (
        "complete",
        body(b'{"choices": [{"message": {"content": "' + b"x" * 15 * 2**20 + b'"}}]}'),
    ),
    "a line of 32 MiB in a stream": (
        "stream",
        pouring(EVENT_STREAM, chunk(b"data: " + b"x" * 60_000), 2**25),
    ),
    "a line without end in a stream": ("stream", pouring(EVENT_STREAM, chunk(b"x" * 60_000))),
    "a comment without end in a stream": (
        "stream",
        pouring(EVENT_STREAM + chunk(b":"), chunk(b"x" * 60_000)),
    ),
    "comments without end in a stream": (
        "stream",
        pouring(EVENT_STREAM, chunk(b": keep-alive\n\n" * 4000), 2**20),
    ),
    "a stream without end": ("stream", pouring(EVENT_STREAM, chunk(delta("x" * 5000) * 4))),
    "a stream of many small pieces": ("stream", pouring(EVENT_STREAM, chunk(delta("xy") * 1000), 2**20)),
    "a stream of wide characters without end": (
        "stream",
        pouring(EVENT_STREAM, chunk(delta("x" * 900_000 + FLOWER.decode()))),
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_answer_takes_more_than_64_mib_or_is_quoted_at_length(attack: str, reader: Reader) -> None:
    length, peak_bytes = reader.read(*ATTACKS[attack])
    assert 0 < length < 1000
    assert peak_bytes - reader.normal_bytes <= ALLOWED_BYTES


# Between the test and the process that is measured: a child's peak would count its parent's memory.
LAUNCHER = """
import os, sys
child = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(status >> 8, usage.ru_maxrss * 1024, file=sys.stderr)
"""


def pools_command(script: Script, home: Path) -> tuple[int, int]:
    """The exit status of `harpoon pools` against such a server, and its peak."""
    command = (sys.executable, "-m", "harpoon_cli", "pools", "-o", "json")

    async def work() -> tuple[int, int]:
        async with FaultyServer(script) as server:
            settings = {"HOSTED_AI_BASE_URL": server.url, "HOSTED_AI_API_KEY": "k", "HOME": str(home)}
            kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", LAUNCHER, *command),
                env=kept | settings,
                cwd=home,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, told = await process.communicate()
            status, peak_bytes = told.split()[-2:]
            return int(status), int(peak_bytes)

    return run(work())


def test_a_whole_command_keeps_to_it_too(tmp_path: Path) -> None:
    status, normal_bytes = pools_command(GOOD["pools"], tmp_path)
    assert status == 0
    status, peak_bytes = pools_command(ATTACKS["a body of 64 MiB"][1], tmp_path)
    assert status == 1
    assert peak_bytes - normal_bytes <= ALLOWED_BYTES
