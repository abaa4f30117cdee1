"""Engine processes: their samples, their stopping, and their loss."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from functools import partial

import pytest

from harpoon_cli.bench.engine import crew
from harpoon_cli.bench.engine.crew import Lost, fire_apart
from harpoon_cli.bench.engine.errand import LENGTH, Errand, samples_in, samples_message
from harpoon_cli.bench.engine.process import EngineProcess, start
from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.recording.sample import Counted, Sample, Shot
from harpoon_cli.errors import NotSent
from tests.bench.engine.range import CHAT, at_once, keeping, served, target
from tests.servers import PATIENCE_S, Conversation, Script, always, run, stream

CHAT_ANSWER = stream(*CHAT)


def many() -> list[Shot]:
    """More than any test has time for."""
    return at_once(2_000)


def part(number: int, of: int, total: int) -> list[Shot]:
    return at_once(total)[number::of]


def test_processes_share_a_run_and_give_every_sample_once() -> None:
    samples: list[Sample] = []
    with served(always(CHAT_ANSWER)) as server:
        errands = [
            Errand(target(server.port), partial(part, number, 2, 300), deadline_s=10, concurrency=4)
            for number in range(2)
        ]
        watches = run(fire_apart(errands, keeping(samples), stop=asyncio.Event()))
        assert server.connections == 8
    assert sorted(sample.index for sample in samples) == list(range(300))
    assert {sample.error for sample in samples} == {None}
    assert [watch.chunks for watch in watches if isinstance(watch, Watch)] == [600, 600]


def unheard(packet: bytes) -> None:
    """What packets are given to where nobody listens."""


def holding(asked: threading.Event) -> Script:
    """Answers nobody, and sets `asked` once someone has asked."""

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        asked.set()
        await conversation.until_client_leaves()

    return script


async def once_set(event: threading.Event) -> None:
    await asyncio.to_thread(event.wait, PATIENCE_S)


def test_processes_that_are_told_to_stop_cut_what_is_under_way() -> None:
    samples: list[Sample] = []
    asked = threading.Event()

    async def stopped_once_asked(port: int) -> list[Watch | Lost]:
        stop = asyncio.Event()
        errand = Errand(target(port), many, deadline_s=60, concurrency=3)
        running = asyncio.create_task(fire_apart([errand], keeping(samples), stop=stop))
        await once_set(asked)
        stop.set()
        return await running

    with served(holding(asked)) as server:
        (watch,) = run(stopped_once_asked(server.port))
    assert isinstance(watch, Watch)
    assert {sample.error for sample in samples} == {"stopped"}


def start_noted(monkeypatch: pytest.MonkeyPatch) -> list[EngineProcess]:
    """The processes that a crew starts from now on."""
    started: list[EngineProcess] = []

    def noted(errand: Errand) -> EngineProcess:
        started.append(start(errand))
        return started[-1]

    monkeypatch.setattr(crew, "start", noted)
    return started


def test_a_process_that_is_killed_is_lost_and_the_other_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    samples: list[Sample] = []
    asked = threading.Event()
    started = start_noted(monkeypatch)

    async def with_one_killed(held: int, answered: int) -> list[Watch | Lost]:
        errands = [
            Errand(target(held), partial(at_once, 5), deadline_s=60, concurrency=1),
            Errand(target(answered), partial(at_once, 5), deadline_s=60, concurrency=1),
        ]
        running = asyncio.create_task(fire_apart(errands, keeping(samples), stop=asyncio.Event()))
        await once_set(asked)
        os.kill(started[0].pid, signal.SIGKILL)
        return await running

    with served(holding(asked)) as held, served(always(CHAT_ANSWER)) as answering:
        lost, watch = run(with_one_killed(held.port, answering.port))
    assert lost == Lost(-signal.SIGKILL)
    assert isinstance(watch, Watch)
    assert [sample.error for sample in samples] == [None] * 5


async def first_only(conversation: Conversation) -> None:
    """Answers the first request of a connection, and no other."""
    await conversation.request()
    await conversation.send(CHAT_ANSWER)
    await conversation.until_client_leaves()


def test_a_process_that_hangs_is_ended_and_one_that_only_waits_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, started = 4, start_noted(monkeypatch)
    monkeypatch.setattr(crew, "HUNG_LOOKS", looks)

    async def with_one_stopped(port: int) -> list[Watch | Lost]:
        stop, errand = asyncio.Event(), Errand(target(port), many, deadline_s=60, concurrency=1)
        answered: list[list[Sample]] = [[], []]
        firing = [asyncio.create_task(fire_apart([errand], keeping(to), stop=stop)) for to in answered]
        while not all(answered):
            await asyncio.sleep(0.01)
        os.kill(started[0].pid, signal.SIGSTOP)
        lost = await firing[0]
        stop.set()
        return lost + await firing[1]

    with served(first_only) as server:
        lost, watch = run(with_one_stopped(server.port))
    assert lost == Lost(-signal.SIGKILL, hung=True)
    assert lost.how == f"hung, and was ended after {looks} s in which nothing came of it"
    assert isinstance(watch, Watch)


def test_what_prevents_a_run_is_raised_here_and_leaves_no_process() -> None:
    nowhere = Target("no-such-host.invalid", 80, "/", "openai")
    errand = Errand(nowhere, partial(at_once, 5), deadline_s=60)
    with pytest.raises(NotSent, match="cannot be resolved"):
        run(fire_apart([errand, errand], unheard, stop=asyncio.Event()))


def test_a_run_that_is_cancelled_ends_its_processes() -> None:
    asked = threading.Event()

    async def cancelled(port: int) -> None:
        errand = Errand(target(port), many, deadline_s=60, concurrency=3)
        running = asyncio.create_task(fire_apart([errand], unheard, stop=asyncio.Event()))
        await once_set(asked)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with served(holding(asked)) as server:
        run(cancelled(server.port))


def test_a_sample_comes_back_as_it_was() -> None:
    sample = Sample(
        7, "a-model", intended_ns=1, sent_ns=2, error="http_503", counted=Counted.USAGE, output_tokens=4
    )
    sample.chunk_ns.extend([5, 6, 7])
    message = samples_message([sample, Sample(8, "b")])
    assert list(samples_in(message[LENGTH.size :])) == [sample, Sample(8, "b")]
