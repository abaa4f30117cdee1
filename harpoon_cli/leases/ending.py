"""Asking a platform for the end of one lease, until it shows that it is over. Closes no row of the ledger.

    a read ──► release ──► accepted ──► read back as gone
               ▲  │ not now   │ shown as live, again and again
               └──┴───────────┘

A read or a release that gives no answer for `hangs_after_s` is asked for once more, beside the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from harpoon_cli.client.guard import patient
from harpoon_cli.client.retry import harmless, pauses_noted
from harpoon_cli.client.service import ControlPlane
from harpoon_cli.domain import Lease, LeaseRecord, LeaseStatus
from harpoon_cli.errors import (
    DoubtfulAbsence,
    GarbledAnswer,
    NoSuchLease,
    NotOffered,
    PlatformError,
    Refused,
    StorageFault,
)
from harpoon_cli.leases.evidence import Evidence, id_of
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.patience import Patience
from harpoon_cli.values import Struct, replace

T = TypeVar("T")

LIVE = (LeaseStatus.ACTIVE, LeaseStatus.PENDING)

LOOKS = 4
"""After so many looks that show it live, an accepted release has done nothing, and is asked for again."""

FIRST_LOOKS = 2
"""So many reads of a lease that none has shown yet are waited for before its release is sent."""

NOT_YET = (409, 423, 425)
"""Refusals of a release that say "not now": the lease is still starting, or already ending."""


class Ending(Struct):
    """One lease that is to end. Its record learns from reads, also where that cannot be written down."""

    record: LeaseRecord
    control: ControlPlane
    ledger: Ledger
    evidence: Evidence
    patience: Patience
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    hangs_after_s: float

    def saw(self, lease: Lease) -> None:
        """A read has shown it: from here on "not found" proves that it is gone."""
        with suppress(StorageFault):
            self.ledger.seen(self.record.reference, lease, self.now())
        self.record = replace(self.record, seen_at=self.now())

    async def until_gone(self) -> None:
        """Release it, and return when it is over; `PlatformError` where the platform does not do its part.

        A lease that no read has shown yet is read first; where that hangs it is released all the same.
        """
        looks: list[asyncio.Future[None]] = []
        try:
            with pauses_noted() as pauses:
                for _ in range(FIRST_LOOKS):
                    if self.record.seen_at is not None or _any_done(looks):
                        break
                    if not pauses:
                        looks.append(asyncio.ensure_future(self._look()))
                    await asyncio.wait(looks, timeout=self.hangs_after_s, return_when=asyncio.FIRST_COMPLETED)
            await self._released_and_gone()
        finally:
            await _let_go(looks)

    async def _look(self) -> None:
        with suppress(PlatformError), patient():  # a host that is down is asked for the release alone
            self.saw(await self._shown())

    async def _shown(self) -> Lease:
        """The lease, as a read or, on a platform without one, the list shows it; `NoSuchLease`."""
        try:
            return await self.control.lease(id_of(self.record))
        except NotOffered:
            for lease in await self.control.leases():
                if lease.id == self.record.lease_id:
                    return lease
        raise NoSuchLease(f"the list does not show lease {self.record.lease_id}")

    async def _released_and_gone(self) -> None:
        pauses = self.patience.pauses()
        while (accepted := await self._accepted()) is not False:
            looks = 0
            while accepted and looks < LOOKS:
                if (shown := await self._shown_as()) is LeaseStatus.GONE:
                    return
                looks += shown in LIVE
                await self.sleep(next(pauses))
            if not accepted:
                await self.sleep(next(pauses))

    async def _accepted(self) -> bool | None:
        """Ask for the end: True where the platform will end it, False where it has; None to ask again."""
        try:
            await self._answer(lambda: self.control.release(id_of(self.record)))
        except (NoSuchLease, DoubtfulAbsence) as absence:
            return False if await self._is_gone(absence, ended=False) else None
        except Refused as refusal:
            if refusal.status in NOT_YET:
                return None
            raise
        except GarbledAnswer:
            # It may have been done all the same, and then there is nothing left to ask for.
            with suppress(PlatformError):
                if await self._shows_over():
                    return False
            raise
        return True

    async def _shows_over(self) -> bool:
        """Without an accepted release: does the platform show that it is over?"""
        try:
            return (await self.control.lease(id_of(self.record))).status is LeaseStatus.GONE
        except (NoSuchLease, DoubtfulAbsence) as absence:
            return await self._is_gone(absence, ended=False)

    async def _shown_as(self) -> LeaseStatus:
        """After an accepted release: as what the platform shows it; as releasing where it does not say."""
        try:
            return (await self._answer(lambda: self.control.lease(id_of(self.record)))).status
        except (NoSuchLease, DoubtfulAbsence) as absence:
            gone = await self._is_gone(absence, ended=True)
        except NotOffered:
            lacks = await self.evidence.list_lacks(id_of(self.record))
            gone = lacks is None or (lacks and self.evidence.was_visible(self.record))
        return LeaseStatus.GONE if gone else LeaseStatus.RELEASING

    async def _is_gone(self, absence: NoSuchLease | DoubtfulAbsence, *, ended: bool) -> bool:
        return await self.evidence.is_gone(self.record, absence, ended=ended)

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What comes of an ask that may be made twice: beside the first, where nothing does for long."""
        with pauses_noted() as pauses:
            asks = [asyncio.ensure_future(ask())]
        try:
            await asyncio.wait(asks, timeout=self.hangs_after_s)
            if not asks[0].done() and not pauses:
                asks.append(asyncio.ensure_future(ask()))
            return await _first_good(asks)
        finally:
            await _let_go(asks)


async def _first_good(asks: Sequence[asyncio.Future[T]]) -> T:
    """The first answer, be it a no; where all have failed the last failure."""
    for ask in asyncio.as_completed(asks):
        try:
            return await ask
        except PlatformError as error:
            if not harmless(error):
                raise
            failure = error
    raise failure


def _any_done(asks: Sequence[asyncio.Future[None]]) -> bool:
    return any(one.done() for one in asks)


async def _let_go(asks: Sequence[asyncio.Future[T]]) -> None:
    """Of what is not answered, and nobody asks for any more."""
    for ask in asks:
        ask.cancel()
    await asyncio.gather(*asks, return_exceptions=True)
