"""A run on the workers of a Dask cluster: one part each, begun together; one that is lost is not replaced.

Parts are not the scheduler's tasks, which it would give to another worker when one dies: each is one call to
one worker, over a connection of its own, so nothing is fired twice. The scheduler only says who there is.
Clocks are compared with each worker directly too, since what goes through the scheduler is slower one way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic, monotonic_ns
from typing import Any, Protocol, TypeVar, cast
from uuid import uuid4

from harpoon_cli import __version__
from harpoon_cli.bench.planning.plan import Plan, fingerprint
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.run import Run, StageUnderWay, Terms
from harpoon_cli.bench.spreading.skew import by_exchange
from harpoon_cli.bench.spreading.spread_worker import Part, PartOrder, alive, clock, fire_part
from harpoon_cli.errors import ConfigurationFault, HarpoonError, NotSent
from harpoon_cli.values import Struct, replace

CONNECT_S = 10.0
"""How long the scheduler and the workers may take to answer the first time."""

EXCHANGES = 20
"""Readings of a worker's clock; the one that took the shortest way counts."""

START_IN_NS = 3_000_000_000
"""How long after the order a part begins: by then every worker's engines are there."""

BEAT_S = 1.0
LOST_S = 15.0
"""How often a worker is asked whether it still fires, and after how long without an answer it is lost."""

T = TypeVar("T")


class Worker(Protocol):
    """One worker: calls a coroutine function there, once, and gives what it returns or raises."""

    name: str

    async def call(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T: ...


class Offset(Struct, frozen=True):
    """What to add to our monotonic clock to have a worker's, and how far that may be off."""

    ns: int
    within_ns: int


class Spread(Run):
    """A run whose parts are fired by workers, all of its engines there; see `Run`."""

    stopped_within_s = 10.0

    def __init__(
        self,
        plan: Plan,
        terms: Terms,
        workers: Sequence[Worker],
        *,
        on_stage: Callable[[Plan, Recorder], None] = lambda plan, recorder: None,
    ) -> None:
        super().__init__(plan, terms, on_stage=on_stage)
        self._workers = workers

    async def _engines(self, stage: StageUnderWay, stop: asyncio.Event) -> None:
        offsets = await asyncio.gather(*map(offset_of, self._workers))
        self.skew = by_exchange([offset.within_ns for offset in offsets])
        start_ns = monotonic_ns() + START_IN_NS
        digest = fingerprint(stage.plan)
        calls = [
            self._part(
                worker,
                PartOrder(
                    key=uuid4().hex,
                    version=__version__,
                    plan=stage.plan,
                    plan_digest=digest,
                    shard=(number, len(self._workers)),
                    terms=replace(self._terms, start_ns=start_ns + offset.ns, max_duration_s=None),
                ),
                stage,
                stop,
            )
            for number, (worker, offset) in enumerate(zip(self._workers, offsets, strict=True))
        ]
        await asyncio.gather(*calls)

    async def _part(
        self, worker: Worker, order: PartOrder, stage: StageUnderWay, stop: asyncio.Event
    ) -> None:
        """Have a worker fire its part, and take what came of it; what it cannot tell is missing."""
        firing = asyncio.ensure_future(worker.call(fire_part, order))
        watching = asyncio.create_task(_watched(worker, order.key, stop))
        try:
            await asyncio.wait([firing, watching], return_when=asyncio.FIRST_COMPLETED)
            if not firing.done():
                stage.missing.append(f"worker {worker.name} has not answered for {LOST_S:g} s")
                return
            _take(firing, worker, stage)
        finally:
            for task in (firing, watching):
                task.cancel()
            await asyncio.gather(firing, watching, return_exceptions=True)


def _take(firing: asyncio.Future[Part], worker: Worker, stage: StageUnderWay) -> None:
    try:
        part = firing.result()
    except OSError:  # which is what a broken connection is
        stage.missing.append(f"worker {worker.name} was lost, and its part with it")
        return
    stage.missing += [f"{one}, on worker {worker.name}" for one in part.missing]
    if part.recording is not None:
        stage.absorb(part.recording, part.watches, part.next_index, part.by_model)


async def _watched(worker: Worker, key: str, stop: asyncio.Event) -> None:
    """Ask after a part again and again, and tell it to stop; returns where no answer comes any more."""
    seen_s = monotonic()
    while monotonic() - seen_s < LOST_S:
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await stop.wait()
                await asyncio.sleep(BEAT_S / 10)  # told again and again, in case it has not begun
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(LOST_S):
                await worker.call(alive, key, stop.is_set())
                seen_s = monotonic()


async def offset_of(worker: Worker) -> Offset:
    """How a worker's clock stands to ours; `NotSent` where it does not answer."""
    best = Offset(0, -1)
    try:
        async with asyncio.timeout(CONNECT_S):
            for _ in range(EXCHANGES):
                before_ns = monotonic_ns()
                theirs_ns = await worker.call(clock)
                after_ns = monotonic_ns()
                within_ns = (after_ns - before_ns) // 2
                if best.within_ns < 0 or within_ns < best.within_ns:
                    best = Offset(theirs_ns - before_ns - within_ns, within_ns)
    except (OSError, TimeoutError) as cause:
        raise NotSent(
            f"worker {worker.name} cannot be reached from here: {cause or 'no answer'}",
            hint="run harpoon where it can reach every worker, and not only the scheduler",
        ) from cause
    return best


@asynccontextmanager
async def cluster(address: str) -> AsyncIterator[Sequence[Worker]]:
    """The workers that a scheduler knows, in the order of their addresses, for the length of the block.

    `ConfigurationFault` without the extra, `NotSent` where the scheduler does not answer or has no workers.
    """
    try:
        from distributed import Client
    except ImportError as cause:
        raise ConfigurationFault(
            "a run on workers needs the package distributed, which is not installed",
            hint="pip install 'harpoon-cli[distributed]', here and on the workers",
        ) from cause
    try:
        client = await Client(address, asynchronous=True, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as cause:
        raise NotSent(f"no scheduler answers at {address}", hint="--workers tcp://HOST:8786") from cause
    try:
        known = sorted((await client.scheduler.identity(n_workers=-1))["workers"])
        if not known:
            raise NotSent(f"the scheduler at {address} has no workers", hint=f"dask worker {address}")
        yield [_DaskWorker(client, name) for name in known]
    finally:
        await client.close()


class _DaskWorker:
    """See `Worker`: by the call that Dask has for functions which are not to be scheduled."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    async def call(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        from distributed.core import clean_exception
        from distributed.protocol.pickle import dumps

        worker = self._client.rpc(self.name)
        what, given = dumps(function), dumps(arguments)
        answer = await worker.run(function=what, args=given, wait=True)
        if answer["status"] == "OK":
            return cast(T, answer["result"])
        _, error, _ = clean_exception(**answer)
        if isinstance(error, HarpoonError):
            raise error
        raise HarpoonError(f"worker {self.name} failed: {error}", hint="see the worker's own log")
