"""Fires a run by engine processes, one core each, so that nothing else of the program is in their way.

The parent only listens: it may draw a screen, keep a lease and file samples while its engines keep the time.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from harpoon_cli.bench.engine.errand import (
    ERROR,
    LENGTH,
    SAMPLES,
    Errand,
    errand_message,
    error_in,
    samples_in,
    watch_in,
)
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.sample import Sample
from harpoon_cli.values import Struct

WORKER = "harpoon_cli.bench.engine.worker"


class Lost(Struct, frozen=True):
    """An engine process that ended before its run did: what it had not sent is missing.

    status is its exit status, below zero the signal that ended it.
    """

    status: int


async def fire_apart(
    errands: Sequence[Errand], on_samples: Callable[[list[Sample]], None], *, stop: asyncio.Event
) -> list[Watch | Lost]:
    """Run each errand in a process of its own until all are over; what became of each, in their order.

    on_samples gets samples as they come, some at a time, of all processes. Once `stop` is set every process
    is told to stop, as `fire` does. Raises what `fire` would raise before a run; the processes have ended by
    then, and also where this is cancelled. Nothing that a process had begun is fired again.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_follow(errand, on_samples, stop)) for errand in errands]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


async def _follow(
    errand: Errand, on_samples: Callable[[list[Sample]], None], stop: asyncio.Event
) -> Watch | Lost:
    async with _worker() as process:
        assert process.stdin is not None
        process.stdin.write(errand_message(errand))
        stopper = asyncio.create_task(_tell(process.stdin, stop))
        try:
            return await _outcome(process, on_samples)
        finally:
            stopper.cancel()


async def _tell(stdin: asyncio.StreamWriter, stop: asyncio.Event) -> None:
    await stop.wait()
    stdin.write(b".")


async def _outcome(process: Process, on_samples: Callable[[list[Sample]], None]) -> Watch | Lost:
    assert process.stdout is not None
    while True:
        try:
            kind, length = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
            content = await process.stdout.readexactly(length)
        except asyncio.IncompleteReadError:
            return Lost(await process.wait())
        if kind == SAMPLES:
            on_samples(list(samples_in(content)))
        elif kind == ERROR:
            raise error_in(content)
        else:
            return watch_in(content)


@asynccontextmanager
async def _worker() -> AsyncIterator[Process]:
    """A worker, which does not outlive this."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", WORKER, stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
