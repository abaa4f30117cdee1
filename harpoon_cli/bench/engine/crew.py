"""Fires a run by engine processes, one core each, so that nothing else of the program is in their way.

The parent only takes in what they send: it may draw a screen, keep a lease and file samples, all while its
engines keep the time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from harpoon_cli.bench.engine.errand import ERROR, LENGTH, SAMPLES, WATCH, Errand, error_in, watch_in
from harpoon_cli.bench.engine.process import EngineProcess, start
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.values import Struct

LOOK_S = 1.0
HUNG_LOOKS = 15
"""How often is looked whether a process has sent anything, which it does each second, and after how many
looks in vain it hangs. Not by a clock, which would also count what this process was itself stopped for.
"""


class Lost(Struct, frozen=True):
    """An engine process that ended before its run did: what it had not sent is missing.

    status is its exit status, below zero the signal that ended it; that was ours where it hung.
    """

    status: int
    hung: bool = False

    @property
    def how(self) -> str:
        """In words, after the process's name."""
        if self.hung:
            return f"hung, and was ended after {HUNG_LOOKS * LOOK_S:g} s in which nothing came of it"
        return f"was ended by signal {-self.status}" if self.status < 0 else "failed"


async def fire_apart(
    errands: Sequence[Errand], on_packet: Callable[[bytes], None], *, stop: asyncio.Event
) -> list[Watch | Lost]:
    """Run each errand in a process of its own until all are over; what became of each, in their order.

    on_packet gets samples as they come, some at a time, of all processes, as `errand.samples_in` reads them:
    making samples of them here and now would take the engines' time. Once `stop` is set every process is told
    to stop, as `fire` does. Raises what `fire` would raise before a run; the processes have ended by then,
    and also where this is cancelled. Nothing that a process had begun is fired again.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_follow(errand, on_packet, stop)) for errand in errands]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


async def _follow(errand: Errand, on_packet: Callable[[bytes], None], stop: asyncio.Event) -> Watch | Lost:
    async with _started(errand) as process, _told(process) as tell:
        tell.write(process.first)
        stopper = asyncio.create_task(_stop(tell, stop))
        try:
            last = await _last_message(process, on_packet)
        except TimeoutError:
            process.end()
            return Lost(process.wait(), hung=True)
        finally:
            stopper.cancel()
        if last is None:
            return Lost(process.wait())
    kind, content = last
    if kind == ERROR:
        raise error_in(content)
    return watch_in(content)


@asynccontextmanager
async def _started(errand: Errand) -> AsyncIterator[EngineProcess]:
    """A process, which does not outlive this."""
    process = start(errand)
    try:
        yield process
    finally:
        process.end()


@asynccontextmanager
async def _told(process: EngineProcess) -> AsyncIterator[asyncio.WriteTransport]:
    """What is written to a process, without waiting for it."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(process.told_fd, "wb", 0))
    try:
        yield transport
    finally:
        if not transport.is_closing():  # which it is once the process has gone
            transport.abort()


async def _stop(tell: asyncio.WriteTransport, stop: asyncio.Event) -> None:
    await stop.wait()
    tell.write(b".")


async def _last_message(
    process: EngineProcess, on_packet: Callable[[bytes], None]
) -> tuple[bytes, bytes] | None:
    """The kind and content of what a process sends last; None where it ends without.

    `TimeoutError` where it hangs.
    """
    loop = asyncio.get_running_loop()
    transport, intake = await loop.connect_read_pipe(
        lambda: _Intake(on_packet), os.fdopen(process.heard_fd, "rb", 0)
    )
    looking = asyncio.create_task(_give_up_hung(intake))
    try:
        return await intake.last
    finally:
        looking.cancel()
        transport.close()


async def _give_up_hung(intake: _Intake) -> None:
    """Wait for nothing more from a process that has sent something and no longer does.

    Before its first word it may resolve a name, or read a file, for as long as that takes.
    """
    await intake.heard.wait()
    silent = 0
    while silent < HUNG_LOOKS:
        intake.heard.clear()
        await asyncio.sleep(LOOK_S)
        silent = 0 if intake.heard.is_set() else silent + 1
    if not intake.last.done():
        intake.last.set_exception(TimeoutError())


class _Intake(asyncio.Protocol):
    """Cuts what comes into messages, and hands on those of samples.

    heard: set whenever anything comes. last: see `_last_message`.
    """

    def __init__(self, on_packet: Callable[[bytes], None]) -> None:
        self.last: asyncio.Future[tuple[bytes, bytes] | None] = asyncio.get_running_loop().create_future()
        self.heard = asyncio.Event()
        self._on_packet = on_packet
        self._came = bytearray()

    def data_received(self, data: bytes) -> None:
        self.heard.set()
        came, at = self._came, 0
        came += data
        while len(came) >= at + LENGTH.size:
            kind, length = LENGTH.unpack_from(came, at)
            begin = at + LENGTH.size
            if len(came) < begin + length:
                break
            at = begin + length
            self._take(kind, bytes(came[begin:at]))
        del came[:at]

    def _take(self, kind: bytes, content: bytes) -> None:
        if kind == SAMPLES:
            self._on_packet(content)
        elif kind in (WATCH, ERROR) and not self.last.done():
            self.last.set_result((kind, content))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.last.done():
            self.last.set_result(None)
