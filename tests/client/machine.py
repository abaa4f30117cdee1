"""What the breaker's tests share: a user's machine on which one process comes after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harpoon_cli.client.guard import Guard
from harpoon_cli.client.health_file import HealthFile
from harpoon_cli.client.retry import RetryPolicy, repeat
from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.errors import PlatformError
from tests.servers import Conversation, FaultyServer, Script, answer, run

AT_REST = 1_800_000_000.0


@dataclass
class Clock:
    """A clock that all processes share, and that only sleeping and `pass_` move."""

    now_s: float = AT_REST
    slept_s: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@dataclass
class Machine:
    """A user's machine: every `process` is a new one on it, which knows only what the disk says."""

    state: Path
    url: str
    clock: Clock = field(default_factory=Clock)

    def guard(self, plane: str = "control") -> Guard:
        shared = HealthFile(self.state / "breakers.json")
        return Guard(self.url, plane, shared, now=self.clock, sleep=self.clock.sleep)

    @asynccontextmanager
    async def process(self, plane: str = "control") -> AsyncIterator[Transport]:
        transport = Transport(Endpoint(self.url), guard=self.guard(plane))
        try:
            yield transport
        finally:
            await transport.aclose()

    async def get(self, plane: str = "control", deadline_s: float = 10.0) -> object:
        async with self.process(plane) as transport:
            return await transport.call("GET", "/v1/pools", deadline_s=deadline_s)

    async def get_repeatedly(self) -> object:
        async with self.process() as transport:
            return await self.repeated(transport)

    async def repeated(self, transport: Transport) -> object:
        return await repeat(
            lambda left_s: transport.call("GET", "/v1/pools", deadline_s=left_s),
            policy=RetryPolicy(base_s=0.0, allowance=self.guard()),
            deadline_s=10.0,
        )

    async def failing(self, count: int = 5, deadline_s: float = 10.0) -> None:
        for _ in range(count):
            with suppress(PlatformError):
                await self.get(deadline_s=deadline_s)


async def is_open(machine: Machine) -> bool:
    return machine.guard().told()[0]


def met(script: Script, work: Callable[[Machine, FaultyServer], Awaitable[None]], state: Path) -> None:
    async def meet() -> None:
        async with FaultyServer(script) as server:
            await work(Machine(state, server.url), server)

    run(meet())


def failing_first(count: int, then: bytes) -> Script:
    """So many failures, over any connections, and after that a working server."""
    left = [count]

    async def script(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            left[0] -= 1
            await conversation.send(answer(503) if left[0] >= 0 else then)

    return script
