"""Ending whatever a record stands for, from any state, until the platform shows that it is over.

    intent, unsure ──► found ──► held ──► releasing ──► read back as gone: released
                  └──► proved absent: released           └─ not confirmed: MayStillBill

First the platform, then the ledger: what cannot be written down is ended all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime

from harpoon_cli.client.guard import urgent
from harpoon_cli.client.service import ControlPlane
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseState, LeaseStatus, Reference
from harpoon_cli.errors import (
    MayStillBill,
    PlatformError,
    Refused,
    StorageFault,
    release_command,
)
from harpoon_cli.leases.adoption import Adoption
from harpoon_cli.leases.ending import Ending
from harpoon_cli.leases.evidence import Evidence, Listed, can_settle, id_of
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.patience import Patience
from harpoon_cli.values import Struct, field, replace

OVER = (LeaseState.RELEASED, LeaseState.REFUSED)


class Settling(Struct, frozen=True):
    """Ends leases of one platform, written down in one ledger.

    See `leases.lifecycle` for its parts, `leases.ending` for hangs_after_s. look_s is how long is looked for
    what came of an ask that was not answered; None is as long as there is time.
    """

    control: ControlPlane
    ledger: Ledger
    patience: Patience
    evidence: Evidence
    adoption: Adoption
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    confirmed: set[Reference] = field(default_factory=set)
    """What the platform has confirmed as over, also where that could not be written down."""
    ids: dict[Reference, LeaseId] = field(default_factory=dict)
    """What was to be ended, also where the ledger does not name it."""
    hangs_after_s: float = 6.0
    look_s: float | None = None

    async def settle(
        self, record: LeaseRecord, *, within_s: float | None = None, look_s: float | None = None
    ) -> LeaseRecord:
        """The record, over; `MayStillBill` where that is not certain. See `Lifecycle.settle`."""
        if record.lease_id is not None:
            self.ids[record.reference] = record.lease_id
        current = self.known(record)
        if current.state in OVER:
            return current
        whole_s = within_s or self.patience.release_s
        ends = replace(self, hangs_after_s=min(self.hangs_after_s, whole_s / 4), look_s=look_s)
        try:
            async with asyncio.timeout(whole_s):
                return await (ends._end_unanswered if current.lease_id is None else ends._end)(current)
        except (TimeoutError, PlatformError) as error:
            why = str(error) or self._late(self.known(record), within_s)
            with suppress(StorageFault):
                self.ledger.releasing(record.reference, why)
            raise self.may_still_bill(record, why) from error

    def _late(self, record: LeaseRecord, within_s: float | None) -> str:
        if record.lease_id is None and record.trouble:
            return record.trouble  # why it is looked for says more than that a short look found nothing
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
        async with asyncio.timeout(self.look_s):
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
        return await self._end(replace(record, lease_id=lease.id), lease if seen else None)

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
            async with asyncio.timeout(self.look_s):
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

    async def _end(self, record: LeaseRecord, shown: Lease | None = None) -> LeaseRecord:
        """End what is known; `shown` where it was found by a read."""
        with suppress(StorageFault):  # as above: first the platform, then the ledger
            self.ledger.releasing(record.reference)
        ending = Ending(
            record,
            self.control,
            self.ledger,
            self.evidence,
            self.patience,
            self.now,
            self.sleep,
            self.hangs_after_s,
        )
        if shown is not None:
            ending.saw(shown)
        await ending.until_gone()
        if record.lost_answers:
            await self._end_doubles(record)
        self.confirmed.add(record.reference)
        self.ledger.released(record.reference, self.now())
        return self.known(record)

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
