"""What the sandbox's tests share: a clock that is set by hand, a caller, a server on a real port."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harpoon_cli.client.embedded import Application, Request, Response
from harpoon_cli.domain import Secret
from harpoon_cli.sandbox.answerer import Answerer, SimulatedAnswerer
from harpoon_cli.sandbox.application import SandboxApplication
from harpoon_cli.sandbox.models import installed
from harpoon_cli.sandbox.platform import Order, SandboxPlatform
from harpoon_cli.sandbox.pools import PoolSpecification
from harpoon_cli.sandbox.server import Limits, serve
from harpoon_cli.sandbox.simulator import Simulator
from harpoon_cli.sandbox.store import Store
from harpoon_cli.settings.paths import cache_dir
from tests.servers import PATIENCE_S

KEY = "a-key-for-tests"

POOL = PoolSpecification(
    id="pool",
    name="A small pool",
    gpu_model="Card",
    cards=2,
    card_vram_mb=1000,
    card_tflops=10.0,
    sharing_ratio=2,
    price_per_hour=Decimal("0.39"),
    currency="USD",
    region="here",
    allocation_delay_s=0.0,
)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def order(vram_mb: int = 100, tflops: float = 1.0, duration_s: int = 60, pool_id: str = "pool") -> Order:
    return Order(pool_id, vram_mb, tflops, duration_s)


@dataclass(frozen=True)
class Answer:
    """A response, whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def events(self) -> list[str]:
        return [line.removeprefix("data: ") for line in self.content.decode().split("\n\n") if line]


class Caller:
    """Asks an application in this process, as somebody who has the key."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        return asyncio.run(self.ask(method, path, body, query=query, **headers))

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.application.handle(Request(method, path, query or {}, sent, content))
        return Answer(response.status, response.headers, await whole(response))

    def lease(self, **more: object) -> str:
        """A new lease's id."""
        body = {"pool_id": "pool", "requirements": {"vram_mb": 100, "tflops": 1}} | more
        answer = self("POST", "/v1/allocate", body)
        assert answer.status == 201, answer
        return str(answer.json["allocation_id"])


async def whole(response: Response) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([piece async for piece in response.body])


def application(
    directory: Path,
    clock: Clock | None = None,
    answerer: Answerer | None = None,
    pools: tuple[PoolSpecification, ...] = (POOL,),
) -> SandboxApplication:
    platform = SandboxPlatform(Store(directory), pools, now=clock or Clock())
    return SandboxApplication(platform, answerer or SimulatedAnswerer(Simulator(pause_s=0)), Secret(KEY))


@contextmanager
def served(application: Application, limits: Limits | None = None) -> Iterator[str]:
    """The application on a real loopback port, in a thread of its own; the URL."""
    ready = threading.Event()
    said: list[str] = []
    loop = asyncio.new_event_loop()

    def started(url: str) -> None:
        said.append(url)
        ready.set()

    async def run() -> None:
        await serve(application, "127.0.0.1", 0, started=started, limits=limits)

    task = loop.create_task(run())

    def until_cancelled() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=until_cancelled)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S), "the server did not start"
        yield said[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the server did not stop"


async def pieces(*items: bytes) -> AsyncIterator[bytes]:
    for item in items:
        yield item


def _real_model() -> Path | None:
    """The model that was pulled for the tests, or the one that HARPOON_TEST_MODEL names."""
    if named := os.environ.get("HARPOON_TEST_MODEL"):
        return Path(named)
    found = installed(cache_dir())
    return None if found is None else found.path


REAL_MODEL = _real_model()
needs_model = pytest.mark.skipif(
    REAL_MODEL is None, reason="no model: `harpoon sandbox pull`, or HARPOON_TEST_MODEL=FILE.gguf"
)
