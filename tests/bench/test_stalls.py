"""An engine that was stopped while tokens came: the bounds of its figures hold the truth; it is INVALID."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from time import monotonic_ns, sleep

import pytest

from harpoon_cli.bench.engine import crew
from harpoon_cli.bench.engine.crew import fire_apart
from harpoon_cli.bench.engine.errand import Errand
from harpoon_cli.bench.engine.fire import fire
from harpoon_cli.bench.engine.process import EngineProcess, start
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.judging.figures import Figures, figures
from harpoon_cli.bench.judging.verdict import Validity, judge
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.recording.sample import Sample
from tests.bench.engine.range import CHAT, WORDS, at_once, keeping, served, target
from tests.servers import EVENT_STREAM, Conversation, chunk, run

MS = 1_000_000
STREAMS, TOKENS, EVERY_S = 4, 40, 0.005
AT_TOKEN, STOPPED_TOKENS = 10, 20


class TokenServer:
    """Sends each token when it is due, and knows when it did; `at_token` is told of those of the first."""

    def __init__(self) -> None:
        self.sent_ns: list[list[int]] = []
        self.at_token: Callable[[int], object] = lambda number: None

    async def script(self, conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(EVENT_STREAM + chunk(CHAT[0]))
        sent: list[int] = []
        self.sent_ns.append(sent)
        is_first = len(self.sent_ns) == 1
        for number in range(TOKENS):
            await asyncio.sleep(EVERY_S)
            if is_first:
                self.at_token(number)
            sent.append(monotonic_ns())
            await conversation.send(chunk(WORDS[0]))
        await conversation.send(b"".join(map(chunk, CHAT[-2:])) + chunk(b""))

    @property
    def gaps_ns(self) -> list[int]:
        return sorted(after - before for sent in self.sent_ns for before, after in pairwise(sent))


def check(samples: list[Sample], server: TokenServer, watch: Watch) -> None:
    """The true percentiles are within the bounds that are printed, which are too wide to be believed."""
    found = recorded(samples)
    itl, gaps = found.latencies["itl"], server.gaps_ns
    assert itl.count == len(gaps) == STREAMS * (TOKENS - 1)
    for one in itl.percentiles:
        true_ms = gaps[-(-round(one.percent * 10) * len(gaps) // 1000) - 1] / MS
        assert one.read_low_ms is not None
        assert one.read_high_ms is not None
        # To the server's clock reading it is some way, on a busy machine.
        assert one.read_low_ms - 3.0 <= true_ms <= one.read_high_ms + 3.0
    assert watch.error_bound_ns > STOPPED_TOKENS * EVERY_S * 1e9 / 2
    verdict = judge(found, found, (), open_loop=True)
    assert verdict.validity is Validity.INVALID
    assert "the tool read late" in verdict.reasons[0]


def recorded(samples: list[Sample]) -> Figures:
    recorder = Recorder()
    for sample in samples:
        recorder.on_sample(sample)
    return figures(recorder)


def test_an_engine_that_was_busy_with_something_else() -> None:
    samples: list[Sample] = []
    server = TokenServer()
    begun: list[int] = []
    server.at_token = lambda number: begun.append(number) if number == AT_TOKEN else None

    def stall_once() -> bool:
        """The loop asks it, and reads nothing meanwhile."""
        if begun:
            begun.clear()
            sleep(STOPPED_TOKENS * EVERY_S)
        return False

    with served(server.script) as listening:
        watch = fire(
            target(listening.port),
            at_once(STREAMS),
            samples.append,
            concurrency=STREAMS,
            deadline_s=10,
            stop=stall_once,
        )
    check(samples, server, watch)


def test_an_engine_that_a_signal_stopped_in_its_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    samples: list[Sample] = []
    server = TokenServer()
    started: list[int] = []

    def noted(errand: Errand) -> EngineProcess:
        process = start(errand)
        started.append(process.pid)
        return process

    monkeypatch.setattr(crew, "start", noted)

    def stop_and_go(number: int) -> None:
        if number in (AT_TOKEN, AT_TOKEN + STOPPED_TOKENS):
            os.kill(started[0], signal.SIGSTOP if number == AT_TOKEN else signal.SIGCONT)

    server.at_token = stop_and_go
    with served(server.script) as listening:
        errand = Errand(target(listening.port), partial(at_once, STREAMS), deadline_s=10, concurrency=STREAMS)
        (watch,) = run(fire_apart([errand], keeping(samples), stop=asyncio.Event()))
    assert isinstance(watch, Watch)
    check(samples, server, watch)
