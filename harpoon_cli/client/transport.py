"""HTTP to one endpoint: the only importer of httpx.

Every call has one total deadline, a cap on what it reads, no redirects, no cookies, no decompression, and
fails only with the errors of `errors.PlatformError`. The key is added here and nowhere else, goes to no
other host, and is taken out of every message, also where a server sends it back.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from copy import copy
from functools import cached_property, partial
from http.cookiejar import CookieJar
from json import dumps
from typing import cast

# httpx's own command line would load Rich, Pygments and click: 80 ms that no command of ours needs.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None makes the import fail, as wanted

import httpx

from harpoon_cli.client.connection import (
    Endpoint,
    Network,
    identity,
    proxy_fault,
    reason,
    resolve_s,
    tls_context,
    way_out,
)
from harpoon_cli.client.embedded import Application, Request
from harpoon_cli.client.exchange import Exchange
from harpoon_cli.client.guard import Guard
from harpoon_cli.client.reading import Answer
from harpoon_cli.client.refusals import refusal
from harpoon_cli.client.sockets import Sockets
from harpoon_cli.errors import BrokenOff, NotSent, PlatformError, TimedOut
from harpoon_cli.values import Struct
from harpoon_cli.veil import Veil

__all__ = ["Endpoint", "Exchange", "Network", "Transport", "resolve_s"]

ERROR_BODY_BYTES = 64 * 1024
"""How much of an error's body is looked at; its status says enough."""

DISTINCT = 12
"""A key of so many characters is in no name by chance."""

LAST_BYTES_S = 0.1
"""How long the end of a stream may take after its last event, so that the connection can be used again."""

# The tops of its hierarchies; a test finds out when there is another.
_HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)


class _Question(Struct, frozen=True):
    """A request before it is one; `body` is what becomes its JSON."""

    method: str
    path: str
    body: object | None = None
    headers: Mapping[str, str] | None = None
    query: Mapping[str, str] | None = None


class Transport:
    """Calls to one endpoint over one set of connections. Close it with `aclose`."""

    def __init__(
        self,
        endpoint: Endpoint,
        network: Network | None = None,
        *,
        observe: Callable[[Exchange], None] | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._guard = guard
        self._network = network or Network()
        self._observe = observe or (lambda _: None)
        self._identity = identity(endpoint)
        self._client = _client(endpoint, self._network)

    async def aclose(self) -> None:
        await self._client.aclose()

    def watched_by(self, guard: Guard | None) -> Transport:
        """The same connections, for calls that another guard watches: another plane of the same host."""
        other = copy(self)
        other._guard = guard
        return other

    def redacted(self, text: str) -> str:
        """The text without the key, however it is spelt: servers and proxies quote what they were sent."""
        key = self.endpoint.key
        if key is None or not key.reveal():
            return text
        return self._veil.over(text.replace(key.reveal(), str(key)))

    def holds_key(self, name: str) -> bool:
        """Does a name that must stay as it is hold the key? One this short may be part of any name."""
        key = self.endpoint.key
        return key is not None and len(key.reveal()) >= DISTINCT and self._veil.over(name) != name

    @cached_property
    def _veil(self) -> Veil:
        return Veil(*([self.endpoint.key] if self.endpoint.key is not None else []))

    async def call(
        self,
        method: str,
        path: str,
        *,
        deadline_s: float,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        may_be_empty: bool = False,
    ) -> object:
        """Make one request and give the JSON of its whole answer; None where it may be empty, and is."""
        async with self._asked(_Question(method, path, body, headers, query), deadline_s) as answer:
            return await answer.value(self._network.max_body_bytes, may_be_empty=may_be_empty)

    @asynccontextmanager
    async def events(
        self, path: str, *, deadline_s: float, body: object, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """POST for a stream: within the context, the body's bytes as they arrive.

        The deadline is for the whole stream. An answer that is no event stream is `GarbledAnswer`. Leaving
        the context early closes the connection.
        """
        asks = {"accept": "text/event-stream", **(headers or {})}
        async with self._asked(_Question("POST", path, body, asks), deadline_s) as answer:
            if answer.kind != "text/event-stream":
                said = f"sent {answer.kind!r} when asked for an event stream"
                if answer.kind != "application/json":
                    raise answer.unreadable(said)
                await answer.value(ERROR_BODY_BYTES, may_be_empty=False)  # raises what it tells
                raise answer.garbled(said)
            async with aclosing(answer.pieces(self._network.max_body_bytes)) as pieces:
                yield pieces
                with suppress(TimeoutError, PlatformError):
                    async with asyncio.timeout(LAST_BYTES_S):
                        async for _ in pieces:
                            pass

    @asynccontextmanager
    async def _asked(self, question: _Question, deadline_s: float) -> AsyncIterator[Answer]:
        """The good answer to a question, begun, where the question may be asked now."""
        ends_at = asyncio.get_running_loop().time() + deadline_s
        if self._guard is None or deadline_s <= 0:
            async with self._answered(question, ends_at) as answer:
                yield answer
            return
        began_at = await self._guard.admitted(within_s=deadline_s)
        try:
            async with self._answered(question, ends_at) as answer:
                yield answer
        except PlatformError as error:
            self._guard.ended(began_at, error)
            raise
        self._guard.ended(began_at)

    @asynccontextmanager
    async def _answered(self, question: _Question, ends_at: float) -> AsyncIterator[Answer]:
        """The good answer to a question, begun; its call is watched, and its errors are redacted."""
        exchange = Exchange(question.method, question.path)
        where = f"{question.method} {self.endpoint.base_url}{question.path}"
        call = _Call(where, exchange, ends_at, partial(way_out, self.endpoint, self._network))
        try:
            response = await self._sent(question, call)
            if self._guard is not None:
                self._guard.heard(response.status_code, response.headers)
            try:
                yield await self._accepted(self._begun(response, call))
            finally:
                await response.aclose()
        except PlatformError as error:
            self._redact(error)
            raise
        finally:
            exchange.over()
            self._observe(exchange)

    async def _sent(self, question: _Question, call: _Call) -> httpx.Response:
        body = question.body
        async with call.in_time():
            request = self._client.build_request(
                question.method,
                self.endpoint.base_url + question.path,
                content=None if body is None else dumps(body, allow_nan=False).encode(),
                headers=self._headers(question),
                params=question.query,
                extensions={"trace": call.exchange.trace},
            )
            response = await self._client.send(request, stream=True)
        call.exchange.answered(response.status_code, response.headers.get("date"))
        return response

    def _headers(self, question: _Question) -> dict[str, str]:
        # identity: a compressed answer is a way to make a small one huge, and gains nothing here.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if question.body is not None:
            headers["content-type"] = "application/json"
        return headers | self._identity | dict(question.headers or {})

    def _begun(self, response: httpx.Response, call: _Call) -> Answer:
        # An async generator, though its annotation says less.
        raw = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
        return Answer(call.where, response.status_code, response.headers, raw, call.in_time, self.redacted)

    async def _accepted(self, answer: Answer) -> Answer:
        if answer.is_success:
            return answer
        try:
            body = bytes(await answer.whole(ERROR_BODY_BYTES))
        except PlatformError:
            body = b""  # The status stands, whatever became of the words that came with it.
        raise refusal(
            answer.where,
            answer.status,
            body,
            headers=answer.headers,
            auth=self.endpoint.auth,
            setting=self.endpoint.setting,
            redact=self.redacted,
        )

    def _redact(self, error: PlatformError) -> None:
        error.message = self.redacted(error.message)
        error.args = (error.message,)
        if error.platform_code is not None:
            error.platform_code = self.redacted(error.platform_code)


class _Call(Struct, frozen=True):
    """A call under way: how messages name it, what is known of it, the loop's time at which it must be over.

    way_out gives the hint for when no connection comes about.
    """

    where: str
    exchange: Exchange
    ends_at: float
    way_out: Callable[[BaseException], str]

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """For one wait on the network: it ends at the deadline, and fails with our errors only."""
        try:
            if asyncio.get_running_loop().time() >= self.ends_at:
                raise TimeoutError  # What needs no waiting, since it is buffered, would pass the other one.
            async with asyncio.timeout_at(self.ends_at):
                yield
        except (*_HTTPX_ERRORS, OSError, UnicodeError) as error:
            # Not all is mapped by httpx: TLS errors amid a body are OSError, bad host names UnicodeError.
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> PlatformError:
        timed_out = isinstance(error, TimeoutError | httpx.TimeoutException)
        if not self.exchange.sent:
            why = f"no connection in {self.exchange.elapsed_s:.1f} s" if timed_out else reason(error)
            hint = self.way_out(TimeoutError() if timed_out else error)
            return NotSent(f"cannot reach {self.where.partition(' ')[2]}: {why}", hint=hint)
        if timed_out:
            return TimedOut(f"{self.where} gave no whole answer in {self.exchange.elapsed_s:.1f} s")
        return BrokenOff(f"{self.where} gave no whole answer: {reason(error)}")


class _NoCookies(CookieJar):
    """Takes no cookie: the key is all a platform needs to know us by."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass


def _client(endpoint: Endpoint, network: Network) -> httpx.AsyncClient:
    timeout = httpx.Timeout(None, connect=network.connect_s)
    if endpoint.embedded is not None:
        return httpx.AsyncClient(
            transport=_EmbeddedTransport(endpoint.embedded), timeout=timeout, cookies=_NoCookies()
        )
    # Loading the authorities takes 20 ms, which plain http does not need.
    tls = (
        tls_context(network, httpx.create_ssl_context)
        if endpoint.secure
        else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    try:
        client = httpx.AsyncClient(
            verify=tls,
            proxy=network.proxy if endpoint.secure else None,
            timeout=timeout,
            cookies=_NoCookies(),
            trust_env=endpoint.secure,
            limits=httpx.Limits(keepalive_expiry=5.0),
        )
    except (ValueError, ImportError, httpx.InvalidURL) as cause:
        raise proxy_fault(network) from cause
    # httpx hands no sockets of ours on to httpcore.
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.AsyncHTTPTransport):
            transport._pool._network_backend = Sockets()
            proxy = getattr(transport._pool, "_proxy_url", None)
            if proxy is not None and (proxy.port or 1) not in range(1, 65536):
                raise proxy_fault(network)  # no library refuses the port before it connects, and then anyhow
    return client


class _EmbeddedTransport(httpx.AsyncBaseTransport):
    """Hands requests to a platform in this process."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trace = request.extensions["trace"]
        await trace("embedded.send_request_headers.started", {})
        answer = await self._application.handle(
            Request(
                method=request.method,
                path=request.url.path,
                query=dict(request.url.params),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.aread(),
            )
        )
        await trace("embedded.receive_response_headers.complete", {})
        content = answer.body
        return httpx.Response(
            answer.status,
            headers=dict(answer.headers),
            stream=httpx.ByteStream(content) if isinstance(content, bytes) else _Pieces(content),
        )


class _Pieces(httpx.AsyncByteStream):
    """The body of an embedded platform's streamed answer."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()
