"""HTTP to one endpoint: the only importer of httpx.

Every call has one total deadline, a cap on what it reads, no redirects, no decompression, and fails only with
the errors of `errors.PlatformError`. Whether a failed request had left decides between `NotSent` and the
rest; httpcore's trace events tell. The key is added here and nowhere else.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import dumps
from time import monotonic
from urllib.parse import unquote

# httpx's own command line would load Rich, Pygments and click: 80 ms that no command of ours needs.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None makes the import fail, as wanted

import httpx

from harpoon_cli.client.embedded import Application, Request
from harpoon_cli.client.wire import error_in_success, error_words, parse_json
from harpoon_cli.domain import Secret
from harpoon_cli.errors import (
    BrokenOff,
    ConfigurationFault,
    GarbledAnswer,
    NotAuthorised,
    NotSent,
    PlatformError,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a platform is and how it knows us. `auth` is "bearer", "x-api-key" or "none".

    For an embedded platform base_url is only a name, and `embedded` answers in this process.
    """

    base_url: str
    key: Secret | None = None
    auth: str = "bearer"
    embedded: Application | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """How connections are made. Paths are of PEM files; proxy is a URL."""

    connect_s: float = 10.0
    max_body_bytes: int = 16 * 1024 * 1024
    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None


@dataclass(slots=True)
class Exchange:
    """What one call did and when: seconds since its start, None for a phase it did not go through.

    `connect_s` and `tls_s` are durations (None on a reused connection); `first_byte_s` and `total_s` count
    from the start. clock_skew_s is the server's clock ahead of ours, by its Date header, to the second.
    Never holds headers or bodies.
    """

    method: str
    path: str
    started: float
    status: int | None = None
    sent: bool = False
    connect_s: float | None = None
    tls_s: float | None = None
    first_byte_s: float | None = None
    total_s: float | None = None
    clock_skew_s: float | None = None
    _marks: dict[str, float] = field(default_factory=dict, repr=False)

    async def trace(self, event: str, _info: Mapping[str, object]) -> None:
        """httpcore's trace hook."""
        now = monotonic()
        self._marks[event] = now
        if event.endswith("send_request_headers.started"):
            self.sent = True
        elif event.endswith("connect_tcp.complete"):
            self.connect_s = now - self._marks.get("connection.connect_tcp.started", now)
        elif event.endswith("start_tls.complete"):
            self.tls_s = now - self._marks.get("connection.start_tls.started", now)
        elif event.endswith("receive_response_headers.complete"):
            self.first_byte_s = now - self.started

    @property
    def reused(self) -> bool:
        return self.sent and self.connect_s is None


class Transport:
    """Calls to one endpoint over one set of connections. Close it with `aclose`."""

    def __init__(
        self,
        endpoint: Endpoint,
        network: Network | None = None,
        *,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._network = network or Network()
        self._observe = observe or (lambda _: None)
        self._client = _client(endpoint, self._network)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        deadline_s: float,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> object:
        """Make one request and give the JSON of its whole answer; None where a success has no body."""
        ends_at = asyncio.get_running_loop().time() + deadline_s
        async with self._open(method, path, body, headers, query, ends_at) as (response, exchange):
            content = await self._whole(response, exchange, ends_at)
        value = parse_json(content) if content.strip() else None
        if trouble := error_in_success(value):
            raise GarbledAnswer(
                f"{self._where(exchange)} answered {response.status_code} with an error inside: {trouble}",
                status=response.status_code,
                platform_code=error_words(content)[1],
            )
        return value

    @asynccontextmanager
    async def events(
        self, path: str, *, deadline_s: float, body: object, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """POST for a stream: within the context, the body's bytes as they arrive.

        The deadline is for the whole stream. An answer that is no event stream is `GarbledAnswer`.
        """
        ends_at = asyncio.get_running_loop().time() + deadline_s
        asks = {"accept": "text/event-stream", **(headers or {})}
        async with self._open("POST", path, body, asks, None, ends_at) as (response, exchange):
            kind = response.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                raise GarbledAnswer(
                    f"{self._where(exchange)} was asked for an event stream and sent {kind!r}"
                )
            async with aclosing(self._pieces(response, exchange, ends_at)) as pieces:
                yield pieces

    def _where(self, exchange: Exchange) -> str:
        return f"{exchange.method} {self.endpoint.base_url}{exchange.path}"

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        body: object | None,
        headers: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        ends_at: float,
    ) -> AsyncIterator[tuple[httpx.Response, Exchange]]:
        exchange = Exchange(method, path, monotonic())
        try:
            request = self._client.build_request(
                method,
                self.endpoint.base_url + path,
                content=None if body is None else dumps(body).encode(),
                headers=self._headers(body is not None, headers),
                params=query,
                extensions={"trace": exchange.trace},
            )
            with self._mapped(exchange):
                async with asyncio.timeout_at(ends_at):
                    response = await self._client.send(request, stream=True)
            exchange.status = response.status_code
            exchange.clock_skew_s = _skew_s(response.headers.get("date"))
            try:
                if not response.is_success:
                    await self._refuse(response, exchange, ends_at)
                yield response, exchange
            finally:
                await response.aclose()
        finally:
            exchange.total_s = monotonic() - exchange.started
            self._observe(exchange)

    def _headers(self, has_body: bool, extra: Mapping[str, str] | None) -> dict[str, str]:
        # identity: a compressed answer is a way to make a small one huge, and gains nothing here.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if has_body:
            headers["content-type"] = "application/json"
        key = self.endpoint.key
        if key is not None and self.endpoint.auth == "bearer":
            headers["authorization"] = f"Bearer {key.reveal()}"
        elif key is not None and self.endpoint.auth == "x-api-key":
            headers["x-api-key"] = key.reveal()
        return headers | dict(extra or {})

    async def _whole(self, response: httpx.Response, exchange: Exchange, ends_at: float) -> bytes:
        content = bytearray()
        async for piece in self._pieces(response, exchange, ends_at):
            content += piece
        return bytes(content)

    async def _pieces(
        self, response: httpx.Response, exchange: Exchange, ends_at: float
    ) -> AsyncGenerator[bytes, None]:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise GarbledAnswer(f"{self._where(exchange)} sent a compressed answer that was not asked for")
        total = 0
        pieces = aiter(response.aiter_raw())
        while True:
            with self._mapped(exchange):
                async with asyncio.timeout_at(ends_at):
                    piece = await anext(pieces, None)
            if piece is None:
                return
            total += len(piece)
            if total > self._network.max_body_bytes:
                limit = self._network.max_body_bytes // 2**20
                raise GarbledAnswer(f"{self._where(exchange)} sent more than {limit} MB")
            yield piece

    def _mapped(self, exchange: Exchange) -> _Mapped:
        return _Mapped(self._where(exchange), exchange)

    async def _refuse(self, response: httpx.Response, exchange: Exchange, ends_at: float) -> None:
        """Raise what a status other than success means."""
        message, code = error_words(await self._whole(response, exchange, ends_at))
        status = response.status_code
        said = f"{self._where(exchange)} answered {status}" + (f": {message}" if message else "")
        kind, hint = _meaning(status, self.endpoint)
        raise kind(
            said,
            hint=hint,
            status=status,
            platform_code=code,
            retry_after_s=_retry_after(response.headers.get("retry-after")),
        )


class _Mapped:
    """Turns every error of httpx, and a deadline that passed, into ours."""

    def __init__(self, where: str, exchange: Exchange) -> None:
        self._where, self._exchange = where, exchange

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, TimeoutError | httpx.HTTPError | httpx.InvalidURL | httpx.StreamError):
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> PlatformError:
        timed_out = isinstance(error, TimeoutError | httpx.TimeoutException)
        if not self._exchange.sent:
            why = "no connection in time" if timed_out else str(error) or type(error).__name__
            return NotSent(f"cannot reach {self._where.split(' ', 1)[1]}: {why}", hint="harpoon doctor")
        seconds = monotonic() - self._exchange.started
        if timed_out:
            return TimedOut(f"{self._where} gave no whole answer in {seconds:.1f} s")
        return BrokenOff(f"{self._where} broke off: {error or type(error).__name__}")


class _EmbeddedTransport(httpx.AsyncBaseTransport):
    """Hands requests to a platform in this process."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("embedded.send_request_headers.started", {})
        answer = await self._application.handle(
            Request(
                method=request.method,
                path=unquote(request.url.path),
                query=dict(request.url.params),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.aread(),
            )
        )
        await request.extensions["trace"]("embedded.receive_response_headers.complete", {})
        content = answer.body
        return httpx.Response(
            answer.status,
            headers=dict(answer.headers),
            stream=httpx.ByteStream(content) if isinstance(content, bytes) else _Pieces(content),
        )


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()


def _client(endpoint: Endpoint, network: Network) -> httpx.AsyncClient:
    secure = endpoint.base_url.startswith("https://")
    timeout = httpx.Timeout(None, connect=network.connect_s)
    if endpoint.embedded is not None:
        return httpx.AsyncClient(transport=_EmbeddedTransport(endpoint.embedded), timeout=timeout)
    try:
        return httpx.AsyncClient(
            verify=_tls(network) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            proxy=network.proxy,
            timeout=timeout,
            # Only https goes through the environment's proxies: on plain http they would see the key.
            trust_env=secure,
            limits=httpx.Limits(keepalive_expiry=5.0),
        )
    except (ValueError, httpx.InvalidURL) as cause:
        raise ConfigurationFault(
            f"the proxy settings cannot be used: {cause}",
            hint="look at http.proxy, HTTPS_PROXY and ALL_PROXY",
        ) from cause


def _tls(network: Network) -> ssl.SSLContext:
    try:
        context = httpx.create_ssl_context() if not network.ca_bundle else _with_ca(network.ca_bundle)
        if network.client_cert:
            context.load_cert_chain(network.client_cert, network.client_key)
    except (OSError, ssl.SSLError) as cause:
        raise ConfigurationFault(
            f"the TLS settings cannot be used: {cause}",
            hint="look at http.ca_bundle, http.client_cert, http.client_key and SSL_CERT_FILE",
        ) from cause
    return context


def _with_ca(ca_bundle: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_bundle)


def _meaning(status: int, endpoint: Endpoint) -> tuple[type[PlatformError], str | None]:
    """The error a status stands for, and what a person can do about it."""
    if status in (401, 403):
        return NotAuthorised, (
            "check that the key is right (HOSTED_AI_API_KEY), that it has not expired, and that its IP "
            f"allow-list has this machine's address; it was sent as {endpoint.auth!r}. harpoon doctor"
        )
    if status == 429:
        return RateLimited, None
    if status == 408:
        return TimedOut, None
    if 400 <= status < 500:
        return Refused, None
    if 300 <= status < 400:
        return GarbledAnswer, "redirects are never followed: set platform.base_url to where it really is"
    return ServerFault, None


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait by a Retry-After header in either form; None for anything else."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    moment = _http_date(value)
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _skew_s(date_header: str | None) -> float | None:
    moment = _http_date(date_header)
    return None if moment is None else (moment - datetime.now(UTC)).total_seconds()


async def resolve_s(base_url: str) -> float:
    """The seconds it takes to resolve the host of a URL; `NotSent` where it cannot be resolved."""
    url = httpx.URL(base_url)
    began = monotonic()
    try:
        await asyncio.get_running_loop().getaddrinfo(url.host, url.port or 443)
    except OSError as cause:
        raise NotSent(
            f"the host {url.host} cannot be resolved: {cause.strerror}",
            hint="check platform.base_url and this machine's DNS",
        ) from cause
    return monotonic() - began


def _http_date(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value) if value else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
