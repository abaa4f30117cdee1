"""Arrival times: from the kernel where it stamps TCP, and what they say when the reader is late."""

from __future__ import annotations

import asyncio
import struct
import threading
from datetime import UTC, datetime
from time import monotonic_ns, time_ns

import pytest

from harpoon_cli.bench.engine.arrivals import Arrivals, clocks_apart_ns
from harpoon_cli.bench.engine.fire import fire
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.recording.sample import Sample, Stamped
from harpoon_cli.bench.statistics.histogram import Histogram
from tests.bench.engine.range import CHAT, at_once, fired, served, target
from tests.servers import EVENT_STREAM, PATIENCE_S, Conversation, always, chunk, stream

STAMPS = Arrivals()
STAMPS.close()
BY_KERNEL = STAMPS.stamped is Stamped.KERNEL


def late_reader(*, kernel_stamps: bool) -> tuple[Sample, int]:
    """A sample whose last chunks had all arrived before the engine could read them, and when it could."""
    sent, noticed = threading.Event(), threading.Event()

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        if conversation.number == 0:
            await conversation.send(EVENT_STREAM + b"".join(map(chunk, CHAT[:2])))
            await asyncio.to_thread(noticed.wait, PATIENCE_S)
            await conversation.send(b"".join(map(chunk, CHAT[2:])) + chunk(b""))
            sent.set()
            # The end of the connection would be stamped too, later, and come with the same read.
            await conversation.until_client_leaves()
        else:
            await conversation.send(stream(*CHAT))

    samples: list[Sample] = []
    could_ns: list[int] = []

    def hold_up(sample: Sample) -> None:
        samples.append(sample)
        if len(samples) == 1:
            noticed.set()
            assert sent.wait(PATIENCE_S)
            could_ns.append(monotonic_ns())

    with served(script) as server:
        watch = fire(
            target(server.port),
            at_once(2),
            hold_up,
            concurrency=2,
            deadline_s=10,
            kernel_stamps=kernel_stamps,
        )
    late = samples[1]
    assert late.error is None
    return late, could_ns[0] - watch.start_ns


@pytest.mark.skipif(not BY_KERNEL, reason="the kernel does not stamp TCP here")
def test_a_late_read_does_not_move_what_the_kernel_stamped() -> None:
    late, could_ns = late_reader(kernel_stamps=True)
    assert max(late.chunk_ns) < could_ns
    assert late.done_ns is not None
    assert late.done_ns < could_ns
    assert late.lag_ns > 0


def test_without_the_kernel_a_late_read_is_late() -> None:
    late, could_ns = late_reader(kernel_stamps=False)
    assert late.chunk_ns[-1] >= could_ns


def test_a_stamp_becomes_monotonic_and_is_never_in_the_future() -> None:
    arrivals = Arrivals(kernel=False)
    wall_ns, read_ns = time_ns(), monotonic_ns()
    stamp = struct.pack("@ll", *divmod(wall_ns - 5_000_000, 1_000_000_000))
    assert abs(arrivals.when_ns([(1, 35, stamp)], read_ns) - (read_ns - 5_000_000)) < 1_000_000
    future = struct.pack("@ll", *divmod(wall_ns + 5_000_000_000, 1_000_000_000))
    assert arrivals.when_ns([(1, 35, future)], read_ns) == read_ns
    assert arrivals.when_ns([], read_ns) == read_ns
    assert arrivals.when_ns([(1, 35, b"short")], read_ns) == read_ns


def test_the_clocks_distance_holds_still() -> None:
    assert abs(clocks_apart_ns() - clocks_apart_ns()) < 1_000_000


@pytest.mark.parametrize("kernel_stamps", [True, False])
def test_a_run_says_where_its_times_come_from_and_how_it_fared(kernel_stamps: bool) -> None:
    with served(always(stream(*CHAT))) as server:
        watch = fired(target(server.port), at_once(20), kernel_stamps=kernel_stamps).watch
    assert watch.stamped is (Stamped.KERNEL if kernel_stamps and BY_KERNEL else Stamped.READ)
    assert watch.lag.finite >= 20
    assert watch.late.finite == 0
    assert 0 < watch.cpu_share <= watch.busiest_share
    assert watch.address == "127.0.0.1"
    assert not watch.clock_was_set


def a_watch(chunks: int, doubts_ns: list[int]) -> Watch:
    doubt = Histogram()
    for value in doubts_ns:
        doubt.add(value)
    return Watch(
        stamped=Stamped.KERNEL,
        address="::1",
        began=datetime.now(UTC),
        start_ns=0,
        lasted_ns=1,
        lag=Histogram(),
        late=Histogram(),
        doubt=doubt,
        chunks=chunks,
        merged=len(doubts_ns),
        cpu_share=0.1,
        busiest_share=0.1,
        starved_share=None,
        dns_ns=0,
        connections=1,
        clock_was_set=False,
        short_of_sockets=False,
        examples={},
    )


def test_the_bound_holds_for_all_but_one_in_a_thousand_chunks() -> None:
    assert a_watch(10_000, []).error_bound_ns == 0
    assert a_watch(10_000, [5_000_000] * 10).error_bound_ns == 0
    some = [*[10_000] * 5, *[5_000_000] * 10]
    assert a_watch(10_000, some).error_bound_ns == pytest.approx(10_000, rel=0.01)
    assert a_watch(10_000, [5_000_000] * 20).error_bound_ns == pytest.approx(5_000_000, rel=0.01)
