"""A real platform on a real port whose requests a test can wait for, and whose answers it can hold back."""

from __future__ import annotations

import asyncio
import os
import queue
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from harpoon_cli.client.embedded import Application, Request, Response
from harpoon_cli.domain import Secret
from harpoon_cli.sandbox.answerer import SimulatedAnswerer
from harpoon_cli.sandbox.application import SandboxApplication
from harpoon_cli.sandbox.platform import SandboxPlatform
from harpoon_cli.sandbox.pools import PoolSpecification
from harpoon_cli.sandbox.simulator import Simulator
from harpoon_cli.sandbox.store import Store
from harpoon_cli.values import replace
from tests.sandbox.harness import KEY, served

WAIT_S = 60.0
"""The end of a test that waits for what never comes; no rule is about it."""

POOL = PoolSpecification(
    id="pool",
    name="A pool",
    gpu_model="Card",
    cards=2,
    card_vram_mb=48_000,
    card_tflops=300.0,
    sharing_ratio=2,
    price_per_hour=Decimal("0.39"),
    currency="USD",
    region="here",
    allocation_delay_s=0.0,
)


class WatchedApplication:
    """Hands requests on and says so. The answer to one of `held` is kept back until `let_go`.

    "stream" is the rest of a streamed answer after its first piece. What was asked has taken effect when it
    is told.
    """

    def __init__(self, inner: Application, held: str | None) -> None:
        self._inner = inner
        self._held = held
        self._told: queue.Queue[str] = queue.Queue()
        self._gate = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def handle(self, request: Request) -> Response:
        self._loop = asyncio.get_running_loop()
        response = await self._inner.handle(request)
        self._told.put(_kind(request))
        if _kind(request) == self._held:
            await self._gate.wait()
        if isinstance(response.body, bytes) or self._held != "stream":
            return response
        return replace(response, body=self._dripping(response.body))

    async def _dripping(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece
            self._told.put("stream")
            await self._gate.wait()

    def wait_for(self, kind: str) -> None:
        while self._told.get(timeout=WAIT_S) != kind:
            pass

    def let_go(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._gate.set)


def _kind(request: Request) -> str:
    below = request.path.removeprefix("/v1/allocate")
    if below == request.path:
        return request.path
    return {"POST": "allocate", "DELETE": "release", "GET": "look" if below else "list"}[request.method]


@dataclass(frozen=True)
class Place:
    """A watched platform, and a user's own directories."""

    application: WatchedApplication
    environ: dict[str, str]
    ledger: Path
    _store: Path

    def live(self) -> list[object]:
        platform = SandboxPlatform(Store(self._store), (POOL,))
        try:
            return cast("list[object]", platform.allocations(limit=50)["allocations"])
        finally:
            platform.close()

    def harpoon(self, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*before, sys.executable, "-m", "harpoon_cli", *arguments],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit status, stdout and stderr."""
    out, err = process.communicate(timeout=WAIT_S)
    return process.returncode, out, err


@contextmanager
def watched(directory: Path, *, held: str | None = None, starts_after_s: float = 0.0) -> Iterator[Place]:
    store = directory / "platform"
    platform = SandboxPlatform(Store(store), (replace(POOL, allocation_delay_s=starts_after_s),))
    inner = SandboxApplication(platform, SimulatedAnswerer(Simulator(pause_s=0)), Secret(KEY))
    application = WatchedApplication(inner, held)
    with served(cast("Any", application)) as url:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "XDG_STATE_HOME": str(directory / "state"),
            "XDG_CACHE_HOME": str(directory / "cache"),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "HOSTED_AI_BASE_URL": url,
            "HOSTED_AI_API_KEY": KEY,
        }
        yield Place(application, environ, directory / "state" / "harpoon" / "ledger.db", store)
