"""What the contract tests share: a dialect's plane that speaks to a scripted server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harpoon_cli.client.control import ControlOptions, open_control
from harpoon_cli.client.inference import InferenceOptions, open_inference
from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import ControlPlane, DataPlane, Features
from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.domain import Secret
from tests.servers import FaultyServer, Received, Script

ONCE = RetryPolicy(attempts=1)
AT_ONCE = RetryPolicy(attempts=3, base_s=0.0)


@dataclass(slots=True)
class Meeting:
    """A scripted server, and planes of any dialect that speak to it."""

    server: FaultyServer
    transport: Transport

    @property
    def seen(self) -> list[Received]:
        return self.server.requests

    def control(
        self,
        dialect: str = "seed_v1",
        *,
        keys: bool = False,
        lists: bool = False,
        metadata: bool = False,
        paths: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
        retry: RetryPolicy = ONCE,
        deadline_s: float = 10.0,
    ) -> ControlPlane:
        features = Features(idempotency_keys=keys, lists=lists, metadata=metadata)
        options = ControlOptions(features, paths or {}, names or {}, "p", "EUR", deadline_s, retry)
        return open_control(dialect, self.transport, options)

    def inference(
        self, dialect: str, *, path: str | None = None, retry: RetryPolicy = ONCE, deadline_s: float = 10.0
    ) -> DataPlane:
        return open_inference(dialect, self.transport, InferenceOptions(path, deadline_s, retry))


@asynccontextmanager
async def meeting(script: Script) -> AsyncIterator[Meeting]:
    async with FaultyServer(script) as server:
        transport = Transport(Endpoint(server.url, Secret("key")))
        try:
            yield Meeting(server, transport)
        finally:
            await transport.aclose()
