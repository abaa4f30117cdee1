"""A run on the workers of a cluster: real scheduler and worker processes, one of them killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic_ns, sleep
from typing import TypeVar, cast

import pytest

from harpoon_cli import __version__
from harpoon_cli.bench.planning.mix import Mix, Part
from harpoon_cli.bench.planning.plan import fingerprint
from harpoon_cli.bench.run import Run, Terms
from harpoon_cli.bench.spreading import spread_worker
from harpoon_cli.bench.spreading.spread import Spread, cluster, offset_of
from harpoon_cli.bench.spreading.spread_worker import Part as FiredPart
from harpoon_cli.bench.spreading.spread_worker import PartOrder, alive, fire_part
from harpoon_cli.errors import ConfigurationFault, NotSent, UsageFault
from harpoon_cli.values import replace
from tests.bench.engine.range import CHAT, Gate, served, target
from tests.bench.test_run import counts, made, opener, plan, prompts, terms
from tests.servers import always, run, stream

CHAT_ANSWER = stream(*CHAT)
QUIET = ("--no-dashboard", "--host", "127.0.0.1")
T = TypeVar("T")

needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None, reason="the extra [distributed] is not installed"
)


@dataclass(frozen=True)
class Cluster:
    """A scheduler's address, and the processes of its workers by their addresses."""

    address: str
    workers: dict[str, int]


@contextmanager
def clustered(folder: Path, size: int) -> Iterator[Cluster]:
    """A scheduler and so many workers, each a process of its own on loopback."""
    file = folder / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []

    def start(module: str, *more: str) -> None:
        program = [sys.executable, "-m", f"distributed.cli.{module}", "--scheduler-file", str(file)]
        nothing = subprocess.DEVNULL
        started.append(subprocess.Popen([*program, *QUIET, *more], stdout=nothing, stderr=nothing))

    try:
        start("dask_scheduler", "--port", "0")
        for _ in range(size):
            start("dask_worker", "--nthreads", "1", "--no-nanny")
        address = run(known(file, size))
        yield Cluster(address, dict(run(pids(address, size))))
    finally:
        for process in started:
            process.kill()
            process.wait()


async def known(file: Path, size: int) -> str:
    """The scheduler's address, once it has all of its workers."""
    while True:
        if file.exists() and (text := file.read_text()):
            return str(json.loads(text)["address"])
        await asyncio.sleep(0.05)


async def pids(address: str, size: int) -> list[tuple[str, int]]:
    while True:
        try:
            async with cluster(address) as workers:
                if len(workers) == size:
                    # Not a function of this file: workers would have to load it.
                    return [(one.name, await one.call(os.getpid)) for one in workers]  # type: ignore[arg-type]  # Dask takes plain functions too
        except NotSent:
            pass
        await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with clustered(tmp_path_factory.mktemp("cluster"), 3) as found:
        yield found


@needs_dask
def test_workers_together_send_the_plan_that_one_process_would(three: Cluster) -> None:
    async def spread() -> Spread:
        async with cluster(three.address) as workers:
            one = Spread(mixed, terms(server), workers)
            await one.fire()
            return one

    mixed = replace(plan("constant:rate=60,requests=60"), mix=Mix((Part("a", 2.0), Part("b", 1.0))))
    with served(always(CHAT_ANSWER)) as server:
        alone = made(Run(mixed, terms(server)))
        by_one = prompts(server)
        server.requests.clear()
        together = run(spread())
    assert prompts(server) == by_one
    assert counts(alone.stages[0].recorder) == counts(together.stages[0].recorder)
    of_each = [{m: counts(one) for m, one in run.stages[0].by_model.items()} for run in (alone, together)]
    assert of_each[0] == of_each[1]
    assert of_each[0].keys() == {"a", "b"}
    assert (together.missing, len(together.stages[0].watches)) == ([], 3)
    assert together.skew is not None
    assert 0 < together.skew.p50_ms <= together.skew.most_ms
    began = [watch.began for watch in together.stages[0].watches]
    assert (max(began) - min(began)).total_seconds() * 1000 <= together.skew.most_ms


@needs_dask
def test_a_search_on_workers_goes_from_stage_to_stage(three: Cluster) -> None:
    async def spread() -> Spread:
        async with cluster(three.address) as workers:
            shape = "sweep:over=concurrency,from=3,to=6,each=20s,requests=9,refine=0"
            one = Spread(plan(shape), terms(server), workers)
            await one.fire()
            return one

    with served(always(CHAT_ANSWER)) as server:
        one = run(spread())
    assert [stage.result.level for stage in one.stages] == [3.0, 6.0]
    assert set(prompts(server).values()) == {1}
    assert len(server.requests) == 18


@needs_dask
def test_a_run_that_is_cancelled_stops_its_workers_and_keeps_what_they_have(three: Cluster) -> None:
    async def cancelled() -> Spread:
        async with cluster(three.address) as workers:
            one = Spread(plan("closed:concurrency=3,for=1h"), terms(server), workers)
            firing = asyncio.create_task(one.fire())
            while gate._now < 3:
                await asyncio.sleep(0.01)
            firing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await firing
            return one

    gate = Gate(1_000_000, CHAT_ANSWER)
    with served(gate.script) as server:
        one = run(cancelled())
    assert one.stages[0].recorder.errors == {"stopped": 3}
    assert len(one.missing) == 4


@needs_dask
def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harpoon_cli.bench.spreading.spread.CONNECT_S", 0.5)

    async def entered() -> None:
        async with cluster("tcp://127.0.0.1:9"):
            pass

    with pytest.raises(NotSent, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        run(entered())


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    async def entered() -> None:
        async with cluster("tcp://127.0.0.1:9"):
            pass

    with pytest.raises(ConfigurationFault, match="needs the package distributed"):
        run(entered())


class FarWorker:
    """A worker in this process whose clock is ahead, and whose answers take as long back as there."""

    name = "far"

    def __init__(self, ahead_ns: int, way_s: Sequence[float]) -> None:
        self._ahead_ns, self._ways = ahead_ns, list(way_s)

    async def call(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        way_s = self._ways.pop(0) if len(self._ways) > 1 else self._ways[0]
        sleep(way_s)
        theirs = cast(T, monotonic_ns() + self._ahead_ns)
        sleep(way_s)
        return theirs


def test_clocks_are_compared_by_the_quickest_exchange_and_its_bound_holds() -> None:
    ahead_ns = 3_600 * 10**9
    offset = run(offset_of(FarWorker(ahead_ns, [0.02, 0.02, 0.001, 0.02, 0.005])))
    assert abs(offset.ns - ahead_ns) <= offset.within_ns
    assert offset.within_ns >= 1_000_000


def order(**more: object) -> PartOrder:
    one = plan("closed:concurrency=1,requests=1")
    made_of = PartOrder("key", __version__, one, fingerprint(one), (0, 1), Terms(target(9)))
    return replace(made_of, **more)


def test_a_worker_of_another_version_or_with_other_files_fires_nothing() -> None:
    with pytest.raises(ConfigurationFault, match=r"a worker has harpoon .*, and not 0\.0"):
        run(fire_part(order(version="0.0")))
    with pytest.raises(UsageFault, match="not the same on a worker"):
        run(fire_part(order(plan_digest="another")))


def test_a_part_that_nobody_asks_after_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread_worker, "UNWATCHED_S", 0.0)
    gate = Gate(1_000_000, CHAT_ANSWER)
    endless = plan("closed:concurrency=1,for=1h")
    with served(gate.script) as server:
        part = run(fire_part(order(plan=endless, plan_digest=fingerprint(endless), terms=terms(server))))
    assert part.missing[0].startswith("it was stopped after")


def test_engines_of_a_part_have_longer_to_tell_the_rest_than_those_of_a_run_that_somebody_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Run, "stopped_within_s", 0.0)
    endless = plan("closed:concurrency=2,for=1h")

    async def stopped_once_asked() -> FiredPart:
        one = order(plan=endless, plan_digest=fingerprint(endless), terms=terms(server))
        firing = asyncio.create_task(fire_part(one))
        while gate._now < 2:
            await asyncio.sleep(0.01)
        await alive(one.key, True)
        return await firing

    gate = Gate(1_000_000, CHAT_ANSWER)
    with served(gate.script) as server:
        part = run(stopped_once_asked())
    assert len(part.missing) == 1
    assert part.recording is not None
    assert part.recording.errors == {"stopped": 2}


@needs_dask
def test_a_worker_that_is_killed_is_missing_and_nothing_is_sent_again(three: Cluster) -> None:
    # The last test that needs the cluster, which is not whole after it.
    async def killed() -> Spread:
        async with cluster(three.address) as workers:
            one = Spread(plan("closed:concurrency=6,requests=60"), terms(server), workers)
            firing = asyncio.create_task(one.fire())
            while gate._now < 6:
                await asyncio.sleep(0.01)
            os.kill(min(three.workers.values()), signal.SIGKILL)
            open_gate(gate)
            await firing
            return one

    gate = Gate(1_000_000, CHAT_ANSWER)
    with served(gate.script) as server:
        open_gate = opener(server)
        one = run(killed())
    assert len(one.missing) == 1
    assert "was lost, and its part with it" in one.missing[0]
    assert one.stages[0].recorder.total("completed") == 40
    assert max(prompts(server).values()) == 1
