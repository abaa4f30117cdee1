"""Opens connections for httpcore, so that a lookup that hangs and a handshake cut short leave nothing behind.

httpcore itself resolves in a thread that the end of the program waits for, and leaves the socket of a
cancelled TLS handshake open.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore
from httpcore import AsyncNetworkStream

from harpoon_cli.client.resolving import resolve

NEXT_ADDRESS_AFTER_S = 0.25
"""How long one address of a host may be silent before the next is tried beside it, as RFC 8305 proposes."""

READ_BYTES = 16 * 1024
"""How much is read at a time: h11 takes it apart without a pause, in which no deadline could be noticed."""

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Sockets(httpcore.AnyIOBackend):
    """httpcore's connections, but for the two faults that the module names."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> AsyncNetworkStream:
        plain = super().connect_tcp

        async def connect(address: str) -> AsyncNetworkStream:
            return _Stream(await plain(address, port, None, local_address, socket_options))

        try:
            async with asyncio.timeout(timeout):
                return await first_of(await resolve(host, port), connect)
        except TimeoutError as cause:
            raise httpcore.ConnectTimeout from cause
        except OSError as cause:
            raise httpcore.ConnectError(str(cause)) from cause


async def first_of(
    addresses: Sequence[str], connect: Callable[[str], Awaitable[AsyncNetworkStream]]
) -> AsyncNetworkStream:
    """The first connection that comes about, the others ended; the last error where none does."""
    waiting, trials = list(addresses), set[asyncio.Future[AsyncNetworkStream]]()
    failure: BaseException = httpcore.ConnectError("its name has no address")
    try:
        while waiting or trials:
            if waiting:
                trials.add(asyncio.ensure_future(connect(waiting.pop(0))))
            patience_s = NEXT_ADDRESS_AFTER_S if waiting else None
            done, _ = await asyncio.wait(trials, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            for trial in done:
                trials.discard(trial)
                if (error := trial.exception()) is None:
                    return trial.result()
                failure = error
        raise failure
    finally:
        await _end(trials)


async def _end(trials: set[asyncio.Future[AsyncNetworkStream]]) -> None:
    for trial in trials:
        trial.cancel()
    for outcome in await asyncio.gather(*trials, return_exceptions=True):
        if isinstance(outcome, AsyncNetworkStream):
            await outcome.aclose()


class _Stream(AsyncNetworkStream):
    """A connection read in small portions, which no TLS handshake that fails or is cancelled leaves open."""

    def __init__(self, stream: AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(min(max_bytes, READ_BYTES), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncNetworkStream:
        try:
            return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            await self._stream.aclose()
            raise
