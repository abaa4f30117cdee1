"""What the transport's tests share: one call to one scripted server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from harpoon_cli.client.transport import Endpoint, Exchange, Network, Transport
from harpoon_cli.domain import Secret
from harpoon_cli.errors import PlatformError
from tests.servers import FaultyServer, Script, run

KEY = "sk-not-a-real-key-0123456789"


@dataclass(slots=True)
class Talk:
    """A server, a transport that speaks to it, and the exchanges that were observed."""

    server: FaultyServer
    transport: Transport
    exchanges: list[Exchange] = field(default_factory=list)

    async def get(self, deadline_s: float = 10.0, *, may_be_empty: bool = False) -> object:
        return await self.transport.call("GET", "/v1/thing", deadline_s=deadline_s, may_be_empty=may_be_empty)

    async def post(self, deadline_s: float = 10.0) -> object:
        return await self.transport.call("POST", "/v1/thing", body={"a": 1}, deadline_s=deadline_s)

    async def listen(self, deadline_s: float = 10.0) -> bytes:
        """The whole body of an event stream."""
        async with self.transport.events("/v1/thing", body={}, deadline_s=deadline_s) as pieces:
            return b"".join([piece async for piece in pieces])


@asynccontextmanager
async def talking(
    script: Script,
    *,
    auth: str = "bearer",
    tls: bool = False,
    network: Network | None = None,
) -> AsyncIterator[Talk]:
    async with FaultyServer(script, tls=tls) as server:
        exchanges: list[Exchange] = []
        endpoint = Endpoint(server.url, Secret(KEY), auth)
        transport = Transport(endpoint, network, observe=exchanges.append)
        try:
            yield Talk(server, transport, exchanges)
        finally:
            await transport.aclose()


def told(
    script: Script, *, deadline_s: float = 10.0, network: Network | None = None, may_be_empty: bool = False
) -> object:
    """The value that one GET to this server gives."""

    async def ask() -> object:
        async with talking(script, network=network) as talk:
            return await talk.get(deadline_s, may_be_empty=may_be_empty)

    return run(ask())


def trouble(script: Script, *, deadline_s: float = 10.0, network: Network | None = None) -> PlatformError:
    """The error that one GET to this server ends with."""
    with pytest.raises(PlatformError) as caught:
        told(script, deadline_s=deadline_s, network=network)
    return caught.value
