"""How long the life of a lease waits for what, and how a wait is cut short. Knows no platform, no ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic
from typing import TypeVar

from harpoon_cli.values import Struct

T = TypeVar("T")

ABSENCE_PROVES_AFTER_S = 180.0
"""Platforms list a new lease late; until it has been seen, not found proves nothing for this long."""

LISTED_WITHIN_S = 10.0
"""For this long after the intent it is worth looking again for a lease that is not listed yet."""

LAST_LOOK_S = 0.1
"""What a look for it is given even where the time for the allocate has been used up before it."""

FIRST_PAUSE_S = 0.1

FINISH_POST_S = 2.0
"""How long an allocate that is under way when a signal comes may take to give its answer."""

LAST_CHANCE_S = 0.3
"""What a release is given even where the time after a signal has been used up before it."""


class Patience(Struct, frozen=True):
    """How long to wait, in seconds: for an answer to an allocate, for a slice, for a release.

    interrupted_release_s is for everything after a signal together; abandoned_s is what each lease of an
    earlier command is given by a command that was not asked to end it.
    """

    allocate_s: float = 30.0
    ready_s: float = 300.0
    release_s: float = 60.0
    interrupted_release_s: float = 2.6
    abandoned_s: float = 4.0
    poll_s: float = 2.0

    def pauses(self) -> Iterator[float]:
        """Seconds between two looks: short at first, for platforms that are quick, then up to `poll_s`."""
        pause_s = FIRST_PAUSE_S
        while True:
            yield min(pause_s, self.poll_s)
            pause_s *= 1.5


class Hurry(Struct):
    """The time that is left once a command has been told to stop: it starts with the first look at it."""

    within_s: float
    clock: Callable[[], float] = monotonic
    _ends_at: float | None = None

    @property
    def has_begun(self) -> bool:
        """Has the command been told to stop?"""
        return self._ends_at is not None

    def left_s(self, at_most_s: float | None = None) -> float:
        """The seconds left for a step that may take at_most_s of them; never nothing at all."""
        if self._ends_at is None:
            self._ends_at = self.clock() + self.within_s
        left_s = max(LAST_CHANCE_S, self._ends_at - self.clock())
        return left_s if at_most_s is None else min(left_s, at_most_s)


async def finishing(work: Awaitable[T], *, within_s: Callable[[], float]) -> T:
    """Do work that should not be cut short: a cancel gives it `within_s()` seconds more, then takes effect.

    The work has ended when this returns or raises. After a cancel its result is lost, its error too: what
    became of it is in the ledger.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait({task}, timeout=within_s())
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        raise
