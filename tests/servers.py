"""A server whose every byte is scripted, on a real loopback port: for what good servers never do.

    async with FaultyServer(always(answer(200, b"{}"))) as server:
        ...ask server.url...
    server.requests[0].headers["authorization"]

A script is a coroutine that is given one `Conversation` for each connection. Nothing here knows harpoon.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Self, TypeVar

LOOPBACK_PEM = Path(__file__).with_name("loopback.pem")
"""A self-signed certificate of localhost and 127.0.0.1 with its key, good for tests and nothing else."""

PATIENCE_S = 30.0
"""After this a test that waits is broken; no test comes near it."""

T = TypeVar("T")


def run(work: Coroutine[object, object, T]) -> T:
    """Run a test's coroutine, which must not wait for ever."""

    async def patiently() -> T:
        async with asyncio.timeout(PATIENCE_S):
            return await work

    return asyncio.run(patiently())


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: header names in lower case, `connection` counts from 0."""

    connection: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


@dataclass(slots=True)
class Conversation:
    """One connection, from the server's side."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: list[Received] = field(default_factory=list)

    async def request(self) -> Received:
        """The next request, whole; `EOFError` where the client has gone."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        method, target, _ = first.split(" ")
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        self.received.append(Received(self.number, method, target, headers, body))
        return self.received[-1]

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection as a crash does: with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_client_leaves(self) -> None:
        while await self.reader.read(65536):
            pass


Script = Callable[[Conversation], Awaitable[None]]


class FaultyServer:
    """Plays a script on a port of 127.0.0.1 for the length of an `async with`.

    `left` is set when a client has ended a connection, or a script was done with one.
    """

    def __init__(self, script: Script, *, tls: bool = False) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.left = asyncio.Event()
        self._script = script
        self._tls = _server_tls() if tls else None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        conversation = Conversation(self.connections, reader, writer, self.requests)
        self.connections += 1
        try:
            # Clients leave in the middle; that is what most scripts are about.
            with suppress(EOFError, OSError, asyncio.CancelledError):
                await self._script(conversation)
        finally:
            self._tasks.discard(task)
            self.left.set()
            writer.close()


@contextmanager
def served(script: Script, *, tls: bool = False) -> Iterator[FaultyServer]:
    """A faulty server in a thread of its own, for what runs a loop of its own in this one."""
    loop = asyncio.new_event_loop()
    server = FaultyServer(script, tls=tls)
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(PATIENCE_S)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


def _server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOOPBACK_PEM)
    return context


def answer(status: int, body: bytes | object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole, good answer; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
    lines = {"Content-Length": str(len(content)), **kind, **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode("latin-1") + content


EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
"""The head of a stream of events; each of its pieces goes through `chunk`, and `chunk(b"")` ends it."""


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def stream(*pieces: bytes) -> bytes:
    """A whole answer of server-sent events, in these pieces."""
    return EVENT_STREAM + b"".join(chunk(piece) for piece in pieces) + chunk(b"")


def always(raw: bytes) -> Script:
    """The same bytes to every request, on connections that stay open."""

    async def script(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.send(raw)

    return script


def in_turn(*raws: bytes) -> Script:
    """One answer after the other, over any number of connections; the last one again and again."""
    left = list(raws)

    async def script(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.send(left.pop(0) if len(left) > 1 else left[0])

    return script


def once(raw: bytes) -> Script:
    """These bytes after one request, and then the end of the connection."""

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(raw)

    return script


def silent_after(raw: bytes) -> Script:
    """These bytes after one request, and then nothing until the client goes."""

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(raw)
        await conversation.until_client_leaves()

    return script


def endlessly(start: bytes, again: bytes) -> Script:
    """These bytes after one request, and then a piece again and again until the client goes."""

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(start)
        while True:
            await conversation.send(again)
            await asyncio.sleep(0)

    return script
