"""Ending whatever a record stands for, from any state, until the platform shows that it is over.

    intent, unsure ──► found ──► held ──► releasing ──► read back as gone: released
                  └──► proved absent: released           └─ not confirmed: MayStillBill

First the platform, then the ledger: what cannot be written down is ended all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from harpoon_cli.client.guard import patient, urgent
from harpoon_cli.client.service import ControlPlane
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseState, LeaseStatus, Reference
from harpoon_cli.errors import (
    DoubtfulAbsence,
    GarbledAnswer,
    MayStillBill,
    NoSuchLease,
    NotOffered,
    PlatformError,
    Refused,
    StorageFault,
    release_command,
)
from harpoon_cli.leases.adoption import Adoption
from harpoon_cli.leases.evidence import Evidence, Listed, can_settle, id_of
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.patience import Patience
from harpoon_cli.values import Struct, field, replace

T = TypeVar("T")

OVER = (LeaseState.RELEASED, LeaseState.REFUSED)
LIVE = (LeaseStatus.ACTIVE, LeaseStatus.PENDING)

LOOKS = 4
"""After so many looks that show it live, an accepted release has done nothing, and is asked for again."""

FIRST_LOOKS = 2
"""So many reads of a lease that none has shown yet are waited for before its release is sent."""

NOT_YET = (409, 423, 425)
"""Refusals of a release that say "not now": the lease is still starting, or already ending."""


class Settling(Struct, frozen=True):
    """Ends leases of one platform, written down in one ledger. See `leases.lifecycle` for its parts."""

    control: ControlPlane
    ledger: Ledger
    patience: Patience
    evidence: Evidence
    adoption: Adoption
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    confirmed: set[Reference] = field(default_factory=set)
    """What the platform has confirmed as over, also where that could not be written down."""
    shown: dict[Reference, datetime] = field(default_factory=dict)
    """When a read has shown what is being ended, also where that could not be written down."""
    ids: dict[Reference, LeaseId] = field(default_factory=dict)
    """What was to be ended, also where the ledger does not name it."""

    hangs_after_s: float = 6.0
    """A read or a release without an answer for so long is asked for once more, beside the first."""

    async def settle(self, record: LeaseRecord, *, within_s: float | None = None) -> LeaseRecord:
        """The record, over; `MayStillBill` where that is not certain. See `Lifecycle.settle`."""
        if record.lease_id is not None:
            self.ids[record.reference] = record.lease_id
        current = self.known(record)
        if current.state in OVER:
            return current
        ends = self if within_s is None else replace(self, hangs_after_s=within_s / 4)
        try:
            async with asyncio.timeout(within_s or self.patience.release_s):
                return await (ends._end_unanswered if current.lease_id is None else ends._end)(current)
        except (TimeoutError, PlatformError) as error:
            why = str(error) or self._late(self.known(record), within_s)
            with suppress(StorageFault):
                self.ledger.releasing(record.reference, why)
            raise self.may_still_bill(record, why) from error

    def _late(self, record: LeaseRecord, within_s: float | None) -> str:
        if record.lease_id is None and record.trouble:
            return (
                record.trouble
            )  # that nothing was found in a short time says less than why it is looked for
        if within_s is not None:
            return f"the platform did not confirm it within {within_s:.3g} s, and there was no time for more"
        return f"the platform did not confirm it within {self.patience.release_s:g} s (lease.release_s)"

    def is_over(self, record: LeaseRecord) -> bool:
        """Is nothing left to give back?"""
        return record.reference in self.confirmed or self.known(record).state in OVER

    def may_still_bill(self, record: LeaseRecord, why: str) -> MayStillBill:
        current = self.known(record)
        lease = f"lease {current.lease_id}" if current.lease_id else "a lease"
        return MayStillBill(
            f"{lease} (reference {current.reference}) in pool {current.request.pool_id}, asked for at "
            f"{current.intended_at:%Y-%m-%d %H:%M:%S} UTC, may still be billing: {why}",
            hint=self._way_out(current),
        )

    def _way_out(self, record: LeaseRecord) -> str:
        settles = release_command(record.lease_id or record.reference)
        if can_settle(self.control.features, record):
            return settles
        listing = "harpoon leases, or its console" if self.control.features.lists else "its console"
        return (
            f"harpoon cannot tell whose a lease is there, so look yourself ({listing}) for one in pool "
            f"{record.request.pool_id} made at about {record.intended_at:%H:%M:%S} UTC: if it is there, end "
            f"it with harpoon release ID; then {settles} --confirmed-gone"
        )

    def known(self, record: LeaseRecord) -> LeaseRecord:
        """The record as it stands; as it was given, where it is newer there or the ledger cannot be read.

        A broken ledger must not keep us from giving back what we can name.
        """
        if record.lease_id is None and (named := self.ids.get(record.reference)) is not None:
            record = replace(record, lease_id=named)
        try:
            current = self.ledger.record(record.reference) or record
        except StorageFault:
            return record
        return record if current.lease_id is None and record.lease_id is not None else current

    def takes(self, record: LeaseRecord, lease: Lease) -> bool:
        """Write down that the lease is the record's; False where that already names another one."""
        if record.lease_id is None and self.ledger.accepted(record.reference, lease, self.now()):
            return True
        known = self.ledger.record(record.reference)
        return record.lease_id is None and known is not None and known.lease_id == lease.id

    async def end_extra(self, record: LeaseRecord, lease: Lease) -> None:
        """End a second lease that came of one intent; it has a row of its own, if the disk allows it."""
        try:
            extra = self.adoption.written(lease, self.now())
        except StorageFault:
            extra = self.adoption.unwritten(record, lease)
        with suppress(StorageFault):  # it is over then, and that cannot be written down
            await self.settle(extra)

    async def end_extras(self, record: LeaseRecord, extras: Iterable[Lease]) -> None:
        """End each of them; one that cannot be must not keep the others from it, and is told at the end."""
        trouble: MayStillBill | None = None
        for extra in extras:
            try:
                await self.end_extra(record, extra)
            except MayStillBill as error:
                trouble = error
        if trouble is not None:
            raise trouble

    async def _end_unanswered(self, record: LeaseRecord) -> LeaseRecord:
        listed = await self.evidence.look(record)
        if listed.ours:
            try:
                return await self._end_found(record, listed.ours[0], seen=True)
            finally:
                await self.end_extras(record, listed.ours[1:])
        if not listed.searched and self._may_repeat(record):
            return await self._end_repeated(record)
        return self._absent(record, listed)

    async def _end_found(self, record: LeaseRecord, lease: Lease, *, seen: bool) -> LeaseRecord:
        taken = True
        with suppress(StorageFault):
            taken = self.takes(record, lease)
        if not taken:  # meanwhile another command has found another lease for it: both are to end
            await self.end_extra(record, lease)
            return await self._end(self.known(record))
        named = replace(record, lease_id=lease.id)
        return await self._end(self._seen_at_best(named, lease) if seen else named)

    def _may_repeat(self, record: LeaseRecord) -> bool:
        may = self.control.features.idempotency_keys and bool(record.request.idempotency_key)
        return may and not self.evidence.is_absent(record, Listed())

    async def _end_repeated(self, record: LeaseRecord) -> LeaseRecord:
        """Without a list: repeat the very request, which keys make one lease with what came of the first.

        A refusal is no proof: the first ask may have been granted all the same.
        """
        asked = replace(record, asked_at=self.now(), lost_answers=record.lost_answers + 1)
        try:
            still_unanswered = self.ledger.asking_again(record.reference, self.now())
        except StorageFault:  # what cannot be written down must not be asked for
            return self._absent(record, Listed())
        if not still_unanswered:
            return await self.settle(self.known(record))
        try:
            with urgent():  # it finds what may be billing: no breaker holds it back
                lease = await self.control.allocate(record.request, deadline_s=self.patience.allocate_s)
        except Refused:
            return self._absent(asked, Listed())
        return await self._end_found(asked, lease, seen=False)

    def _absent(self, record: LeaseRecord, listed: Listed) -> LeaseRecord:
        if not self.evidence.is_absent(record, listed):
            why = record.trouble or "the allocate was never answered"
            if listed.unmarked:
                names = ", ".join(one.id for one in listed.unmarked[:3])
                why += f"; the list shows {names}, and not whose it is"
            with suppress(StorageFault):  # that it may be billing matters more than that the disk is full
                self.ledger.unsure(record.reference, record.trouble or why)
            raise self.may_still_bill(record, why)
        self.confirmed.add(record.reference)
        self.ledger.absent(record.reference, self.now())
        return self.known(record)

    async def _end(self, record: LeaseRecord) -> LeaseRecord:
        with suppress(StorageFault):  # as above: first the platform, then the ledger
            self.ledger.releasing(record.reference)
        if record.seen_at is None:
            await self._until_gone_looking(record)
        else:
            await self._until_gone(record)
        if record.lost_answers:
            await self._end_doubles(record)
        self.confirmed.add(record.reference)
        self.ledger.released(record.reference, self.now())
        return self.known(record)

    async def _until_gone_looking(self, record: LeaseRecord) -> None:
        """`_until_gone` for a lease that no read has shown yet: once one has, "not found" proves its end.

        The read comes first; where it hangs another one goes beside it, and then the release is sent.
        """
        looks: list[asyncio.Future[None]] = []
        try:
            while len(looks) < FIRST_LOOKS and not any(look.done() for look in looks):
                looks.append(asyncio.ensure_future(self._look(record)))
                await asyncio.wait(looks, timeout=self.hangs_after_s, return_when=asyncio.FIRST_COMPLETED)
            await self._until_gone(record)
        finally:
            await _left(looks)

    async def _look(self, record: LeaseRecord) -> None:
        with suppress(PlatformError), patient():  # a host that is down is asked for the release alone
            lease = await self._shown(record)
            self.shown[record.reference] = self.now()
            self._seen_at_best(record, lease)

    def _as_shown(self, record: LeaseRecord) -> LeaseRecord:
        """With what a look has found meanwhile, also where that could not be written down."""
        return replace(record, seen_at=record.seen_at or self.shown.get(record.reference))

    async def _shown(self, record: LeaseRecord) -> Lease:
        """The lease, as a read or, on a platform without one, the list shows it; `NoSuchLease`."""
        try:
            return await self.control.lease(id_of(record))
        except NotOffered:
            for lease in await self.control.leases():
                if lease.id == record.lease_id:
                    return lease
        raise NoSuchLease(f"the list does not show lease {record.lease_id}")

    async def _end_doubles(self, record: LeaseRecord) -> None:
        """An ask that was repeated gives two leases where a platform does not honour its keys."""
        with suppress(PlatformError):  # the keys are promised; this is for a platform that breaks its word
            listed = await self.evidence.look(record, wait=False)
            await self.end_extras(record, [one for one in listed.ours if one.id != record.lease_id])

    async def read(self, record: LeaseRecord) -> tuple[LeaseRecord, Lease]:
        """Read the lease, and write down what the read shows that is new."""
        lease = await self.control.lease(id_of(record))
        if record.seen_at is None or lease.status is LeaseStatus.ACTIVE:
            record = self.seen(record, lease)
        return record, lease

    def seen(self, record: LeaseRecord, lease: Lease) -> LeaseRecord:
        """The record with what a read has shown of its lease, written down."""
        self.ledger.seen(record.reference, lease, self.now())
        return self.ledger.record(record.reference) or record

    def _seen_at_best(self, record: LeaseRecord, lease: Lease) -> LeaseRecord:
        """The same for a lease that is ended all the same where that cannot be written down."""
        with suppress(StorageFault):
            self.ledger.seen(record.reference, lease, self.now())
        return replace(record, seen_at=self.now())

    async def _until_gone(self, record: LeaseRecord) -> None:
        pauses = self.patience.pauses()
        while (accepted := await self._accepted(record)) is not False:
            looks = 0
            while accepted and looks < LOOKS:
                if (shown := await self._shown_as(record)) is LeaseStatus.GONE:
                    return
                looks += shown in LIVE
                await self.sleep(next(pauses))
            if not accepted:
                await self.sleep(next(pauses))

    async def _accepted(self, record: LeaseRecord) -> bool | None:
        """Ask for the end: True where the platform will end it, False where it has; None to ask again."""
        try:
            await self._answer(lambda: self.control.release(id_of(record)))
        except (NoSuchLease, DoubtfulAbsence) as absence:
            return False if await self._is_gone(record, absence, ended=False) else None
        except Refused as refusal:
            if refusal.status in NOT_YET:
                return None
            raise
        except GarbledAnswer:
            # It may have been done all the same, and then there is nothing left to ask for.
            with suppress(PlatformError):
                if await self._shows_over(record):
                    return False
            raise
        return True

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What comes of an ask that may be made twice: beside the first, where nothing does for long."""
        asks = [asyncio.ensure_future(ask())]
        try:
            await asyncio.wait(asks, timeout=self.hangs_after_s)
            if not asks[0].done():
                asks.append(asyncio.ensure_future(ask()))
                await asyncio.wait(asks, return_when=asyncio.FIRST_COMPLETED)
            return await next(one for one in asks if one.done())
        finally:
            await _left(asks)

    async def _shows_over(self, record: LeaseRecord) -> bool:
        """Without an accepted release: does the platform show that it is over?"""
        try:
            return (await self.control.lease(id_of(record))).status is LeaseStatus.GONE
        except (NoSuchLease, DoubtfulAbsence) as absence:
            return await self._is_gone(record, absence, ended=False)

    async def _shown_as(self, record: LeaseRecord) -> LeaseStatus:
        """After an accepted release: as what the platform shows it; as releasing where it does not say."""
        try:
            return (await self._answer(lambda: self.control.lease(id_of(record)))).status
        except (NoSuchLease, DoubtfulAbsence) as absence:
            gone = await self._is_gone(record, absence, ended=True)
        except NotOffered:
            lacks = await self.evidence.list_lacks(id_of(record))
            gone = lacks is None or (lacks and self.evidence.was_visible(self._as_shown(record)))
        return LeaseStatus.GONE if gone else LeaseStatus.RELEASING

    async def _is_gone(
        self, record: LeaseRecord, absence: NoSuchLease | DoubtfulAbsence, *, ended: bool
    ) -> bool:
        return await self.evidence.is_gone(self._as_shown(record), absence, ended=ended)


async def _left(asks: Sequence[asyncio.Future[T]]) -> None:
    """Let go of what is not answered, and of what nobody asks any more."""
    for ask in asks:
        ask.cancel()
    await asyncio.gather(*asks, return_exceptions=True)
