"""Serves a platform of this process over real HTTP/1.1, on loopback only.

Reads requests with h11 under limits of time and size, hands them to the application, and sends what it
answers. Every trouble is answered in the contract's JSON. Knows no path and no rule.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from harpoon_cli.client.embedded import Application, Request, Response
from harpoon_cli.errors import ConfigurationFault, UsageFault
from harpoon_cli.values import Struct


class Limits(Struct, frozen=True):
    """What a client may take: seconds to send its head and its body, to stay idle,
    to read an answer, and to leave after the last one; bytes of head and body."""

    head_s: float = 15.0
    body_s: float = 30.0
    idle_s: float = 60.0
    write_s: float = 30.0
    linger_s: float = 2.0
    head_bytes: int = 32 * 1024
    body_bytes: int = 8 * 1024 * 1024


_Connected: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_Event: TypeAlias = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]
READ_BYTES = 64 * 1024
REASONS = {400: "malformed", 408: "too_slow", 413: "body_too_large", 431: "head_too_large"}


async def serve(
    application: Application,
    host: str,
    port: int,
    *,
    started: Callable[[str], None],
    limits: Limits | None = None,
) -> None:
    """Serve until cancelled; `started` is told the URL, with the real port where `port` was 0.

    Raises `UsageFault` for a host that is not loopback, `ConfigurationFault` where the port cannot be had.
    """
    address = _loopback(host)
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs this callback as a task"
        connections.add(task)
        try:
            await _Connection(application, reader, writer, limits or Limits()).run()
        except asyncio.CancelledError:
            # Only the end of `serve` cancels it; asyncio's streams of Python 3.11 would log that as an error.
            return
        finally:
            connections.discard(task)

    server = await _listen(connected, address, port)
    try:
        started(_url(server))
        # Not serve_forever: when cancelled that waits, from Python 3.12 on, for idle clients to go away.
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def _loopback(host: str) -> str:
    # Only one address for localhost: on two, port 0 would be two ports.
    address = "127.0.0.1" if host == "localhost" else host
    try:
        safe = ip_address(address).is_loopback
    except ValueError:
        safe = False
    if not safe:
        raise UsageFault(
            f"the sandbox is served on loopback only, and {host!r} is not", hint="--host 127.0.0.1"
        )
    return address


async def _listen(connected: _Connected, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.start_server(connected, host, port, limit=READ_BYTES)
    except (OSError, OverflowError) as cause:
        raise ConfigurationFault(
            f"cannot listen on {host}:{port}: {cause}", hint="--port 0 takes any free port"
        ) from cause


def _url(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Refused(Exception):
    """The connection ends after this answer: what comes next on it cannot be trusted."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class _Connection:
    """One client, request after request."""

    def __init__(
        self,
        application: Application,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: Limits,
    ) -> None:
        self._application = application
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._head_only = False
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)

    async def run(self) -> None:
        try:
            while await self._one_request():
                self._http.start_next_cycle()
            await self._close()
        except (OSError, h11.LocalProtocolError):
            # The client left, in the middle or before: there is nobody to tell.
            pass
        finally:
            self._writer.transport.abort()

    async def _one_request(self) -> bool:
        """Read and answer one request; whether another may follow."""
        try:
            head = await self._head()
            if head is None:
                return False
            self._head_only = head.method == b"HEAD"
            self._must_be_small(head)
            request = _request(head, await self._body())
        except _Refused as refusal:
            await self._send(_error(refusal.status, refusal.message))
            return False
        answer = await self._answer(request)
        await self._send(answer)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _head(self) -> h11.Request | None:
        """The head of the next request; None where the client is done."""
        if not await self._first_bytes():
            return None
        event = await self._next(self._limits.head_s, "the head of the request did not come in time")
        if isinstance(event, h11.ConnectionClosed):
            return None
        assert isinstance(event, h11.Request), "h11 gives a request before its body"
        return event

    async def _first_bytes(self) -> bool:
        """Wait for a request to begin, for as long as an idle connection is kept."""
        if self._http.trailing_data[0]:
            return True
        try:
            async with asyncio.timeout(self._limits.idle_s):
                data = await self._reader.read(READ_BYTES)
        except TimeoutError:
            return False
        self._http.receive_data(data)
        return bool(data)

    def _must_be_small(self, head: h11.Request) -> None:
        """Refuse a body by its announced length, before the client is told to go on and send it."""
        announced = next((int(value) for name, value in head.headers if name == b"content-length"), 0)
        if announced > self._limits.body_bytes:
            raise self._too_large()

    def _too_large(self) -> _Refused:
        return _Refused(413, f"the body is larger than {self._limits.body_bytes} bytes")

    async def _body(self) -> bytes:
        body = bytearray()
        too_slow = "the body of the request did not come in time"
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._limits.body_s
        if self._http.they_are_waiting_for_100_continue:
            await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
        while isinstance(event := await self._next(ends_at - loop.time(), too_slow), h11.Data):
            body += event.data
            if len(body) > self._limits.body_bytes:
                raise self._too_large()
        if not isinstance(event, h11.EndOfMessage):
            raise _Refused(400, "the body of the request broke off")
        return bytes(body)

    async def _next(self, seconds: float, too_slow: str) -> _Event:
        """The next event, read on for as long as it is not whole."""
        try:
            async with asyncio.timeout(seconds):
                while (event := self._http.next_event()) is h11.NEED_DATA:
                    self._http.receive_data(await self._reader.read(READ_BYTES))
                return event
        except TimeoutError:
            raise _Refused(408, too_slow) from None
        except h11.RemoteProtocolError as cause:
            raise _Refused(cause.error_status_hint, f"this is not HTTP/1.1: {cause}") from cause

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._application.handle(request)
        except Exception as bug:  # whatever it is, the client gets an answer, and the server goes on
            what = {"message": f"{request.method} {request.path} failed", "exception": bug}
            asyncio.get_running_loop().call_exception_handler(what)
            return _error(500, "the sandbox failed; this is a bug of harpoon", code="internal_error")

    async def _send(self, answer: Response) -> None:
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        headers.append((b"date", formatdate(usegmt=True).encode()))
        if isinstance(answer.body, bytes):
            headers.append((b"content-length", str(len(answer.body)).encode()))
        if self._http.their_state is not h11.DONE:
            headers.append((b"connection", b"close"))
        reason = HTTPStatus(answer.status).phrase.encode()
        head = self._http.send(h11.Response(status_code=answer.status, reason=reason, headers=headers))
        if isinstance(answer.body, bytes):
            body = b"" if self._head_only else self._http.send(h11.Data(data=answer.body))
            await self._write(head, body, self._http.send(h11.EndOfMessage()))
        else:
            await self._write(head)
            await self._stream(answer.body)
            await self._write(self._http.send(h11.EndOfMessage()))

    async def _stream(self, pieces: AsyncIterator[bytes]) -> None:
        try:
            async for piece in pieces:
                await self._write(self._http.send(h11.Data(data=piece)))
        finally:
            # A client that leaves must end the answer that was made for it.
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    async def _write(self, *parts: bytes | None) -> None:
        self._writer.write(b"".join(part for part in parts if part))
        async with asyncio.timeout(self._limits.write_s):
            await self._writer.drain()

    async def _close(self) -> None:
        """Say that nothing more comes, and let the client finish.

        Closing on a client that still sends would make its system drop the answer it has not read yet.
        """
        self._writer.write_eof()
        async with asyncio.timeout(self._limits.linger_s):
            while await self._reader.read(READ_BYTES):
                pass


def _request(head: h11.Request, body: bytes) -> Request:
    """h11's request as the application's; HEAD is GET, whose body h11 then leaves out."""
    try:
        target = urlsplit(head.target.decode("ascii"))
    except ValueError as cause:
        raise _Refused(400, "the request's target is no URL") from cause
    method = head.method.decode("ascii")
    return Request(
        method="GET" if method == "HEAD" else method,
        path=unquote(target.path, errors="replace"),
        query=dict(parse_qsl(target.query, keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers},
        body=body,
    )


def _error(status: int, message: str, *, code: str | None = None) -> Response:
    document = {"error": message, "code": code or REASONS.get(status, "malformed"), "details": {}}
    return Response(status, json.dumps(document).encode(), {"content-type": "application/json"})
