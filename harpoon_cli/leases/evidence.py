"""What a platform's answers prove about a lease: there, over, or nothing. Changes nothing.

"gone" after an accepted release           over
"I know no such lease", in the words of    over after an accepted release; without one, if a list, where
its contract                               there is one, lacks it too
a 404 that is not in the platform's words  over only if a list lacks it, or, without a list, after an
                                           accepted release and four such answers
  either, of a lease that no read has      nothing
  shown, and not three minutes old
our reference in no row of the list        never there, after three minutes, and if every row of the
                                           list that could be it says whose it is
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from harpoon_cli.client.service import ControlPlane, Features, IncompleteList
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseStatus
from harpoon_cli.errors import DoubtfulAbsence, NoSuchLease, NotOffered
from harpoon_cli.leases.patience import ABSENCE_PROVES_AFTER_S, LISTED_WITHIN_S, Patience
from harpoon_cli.values import Struct, replace

CREATED_WITHIN = timedelta(minutes=5)
"""A lease created this long before our intent, by the platform's clock, cannot have come of it."""


TAKES_EFFECT_WITHIN = timedelta(minutes=15)
"""Nor can one created this long after the last ask: no proxy holds a request so long."""


UNWORDED_READS = 4
"""So many reads in a row that do not find a lease, in no words of a platform, prove that it is over."""


def can_settle(features: Features, record: LeaseRecord) -> bool:
    """Can harpoon find out by itself what came of a record's request? Else a person has to look."""
    may_repeat = features.idempotency_keys and bool(record.request.idempotency_key)
    return record.lease_id is not None or features.searchable or may_repeat


class Listed(Struct, frozen=True):
    """What a list shows for one intent.

    ours: the leases with our reference; unmarked: those without any, which could have come of the intent all
    the same; searched: whether there was a list to look at that tells whose a lease is.
    """

    ours: Sequence[Lease] = ()
    unmarked: Sequence[Lease] = ()
    searched: bool = False


class Evidence(Struct, frozen=True):
    """Looks at one platform; every method raises `PlatformError` where an answer could not be had."""

    control: ControlPlane
    patience: Patience
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    known: Callable[[LeaseId], bool]
    """Is it the lease of a record of ours?"""
    listed_before: Callable[[], bool] = lambda: False
    """Has the platform's list been read at any time? Then one that is not offered is only not there now."""

    async def look(self, record: LeaseRecord, *, wait: bool = True) -> Listed:
        """The platform's list; with wait it is read for a while if the intent is fresh and not there yet."""
        if not self.can_search:
            return Listed()
        pauses = self.patience.pauses()
        while True:
            try:
                listed = self._read(await self.control.leases(), record)
            except IncompleteList as partly:  # it shows what is there, and proves nothing of what it lacks
                listed = replace(self._read(partly.leases, record), searched=False)
            except NotOffered:  # whatever it promised, it has no list
                return Listed()
            if listed.ours or not wait or self.age_s(record) >= LISTED_WITHIN_S:
                return listed
            await self.sleep(next(pauses))

    @property
    def can_search(self) -> bool:
        """Does the platform promise a list that tells whose a lease is?"""
        return self.control.features.searchable

    def is_absent(self, record: LeaseRecord, listed: Listed) -> bool:
        """Is it proved that nothing came of an intent, or that it has ended by the platform's own TTL?"""
        old = self.age_s(record) >= ABSENCE_PROVES_AFTER_S
        unseen = listed.searched and not listed.ours and not listed.unmarked and old
        return unseen or self._ended_by_itself(record)

    async def is_gone(self, record: LeaseRecord, said: NoSuchLease | DoubtfulAbsence, *, ended: bool) -> bool:
        """Does "not found" mean that the lease is over? ended: the platform has accepted its release."""
        worded = isinstance(said, NoSuchLease)
        if not self.was_visible(record):  # it may only be hidden, and an accepted release have done nothing
            return False
        if ended and worded:
            return True
        lacks = await self.list_lacks(id_of(record))
        if lacks is not None:
            return lacks
        return worded or (ended and await self._is_absent_again(id_of(record)))

    async def _is_absent_again(self, lease_id: LeaseId) -> bool:
        """Do further reads, ever later, not find it either? A proxy that restarts answers a few times."""
        pauses = self.patience.pauses()
        for _ in range(UNWORDED_READS - 1):
            await self.sleep(next(pauses))
            try:
                return (await self.control.lease(lease_id)).status is LeaseStatus.GONE
            except NoSuchLease:
                return True
            except DoubtfulAbsence:
                continue
        return True

    async def list_lacks(self, lease_id: LeaseId) -> bool | None:
        """Is the lease in no row of the list, or only as gone? None where there is no list.

        A gateway without its routes finds neither a lease nor the list: that proves nothing.
        """
        if not self.control.features.lists:
            return None
        try:
            listed = await self.control.leases()
        except NotOffered:
            return False if self.listed_before() else None
        return not any(one.id == lease_id and one.status is not LeaseStatus.GONE for one in listed)

    def was_visible(self, record: LeaseRecord) -> bool:
        """Would a read have to show it: because one has, or because it is old enough?"""
        return record.seen_at is not None or self.age_s(record) >= ABSENCE_PROVES_AFTER_S

    def age_s(self, record: LeaseRecord) -> float:
        """How old the lease of a record must be at least, by our clock."""
        return (self.now() - (record.asked_at or record.intended_at)).total_seconds()

    def _read(self, leases: Sequence[Lease], record: LeaseRecord) -> Listed:
        live = [one for one in leases if one.status is not LeaseStatus.GONE]
        ours = [one for one in live if one.metadata.get("reference") == record.reference]
        unmarked = [one for one in live if "reference" not in one.metadata and not self.known(one.id)]
        return Listed(ours, [one for one in unmarked if _could_be(one, record)], searched=True)

    def _ended_by_itself(self, record: LeaseRecord) -> bool:
        """Has the platform ended, by its own TTL, whatever came of an allocate that was never answered?"""
        # Compared, not added: an absurd whole number fits into no float.
        overtime_s = self.age_s(record) - ABSENCE_PROVES_AFTER_S
        return self.control.features.ttl and overtime_s >= record.request.ttl_s


def _could_be(lease: Lease, record: LeaseRecord) -> bool:
    if lease.pool_id is not None and lease.pool_id != record.request.pool_id:
        return False
    if lease.created_at is None:
        return True
    last_ask = record.asked_at or record.intended_at
    return record.intended_at - CREATED_WITHIN <= lease.created_at <= last_ask + TAKES_EFFECT_WITHIN


def id_of(record: LeaseRecord) -> LeaseId:
    assert record.lease_id is not None, "only a held lease has an id"
    return record.lease_id
