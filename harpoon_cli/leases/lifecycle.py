"""One lease from intent to confirmed release, each step on disk before it is on the wire.

    order ──► intend ──► obtain ──► wait_ready ──► (use) ──► settle
                            │                                   │
                            ├─ surely refused: over             ├─ read back as gone: over
                            └─ anything else: unsure ──► find   └─ not confirmed: MayStillBill

Knows no settings and prints nothing. Clocks, sleep and randomness are parameters.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import TypeVar

from harpoon_cli.client.retry import RetryPolicy, repeat
from harpoon_cli.client.service import ControlPlane
from harpoon_cli.domain import (
    Lease,
    LeaseId,
    LeaseRecord,
    LeaseRequest,
    LeaseState,
    LeaseStatus,
    Owner,
    PoolId,
    Reference,
    Requirements,
)
from harpoon_cli.errors import (
    Effect,
    MayStillBill,
    NoSuchLease,
    NotOffered,
    PlatformError,
    RateLimited,
    ServerFault,
    StorageFault,
    TimedOut,
)
from harpoon_cli.leases.ledger import Ledger

T = TypeVar("T")

ABSENCE_PROVES_AFTER_S = 180.0
"""Platforms list a new lease late; until it has been seen, not found proves nothing for this long."""

LISTED_WITHIN_S = 10.0
"""For this long after the intent it is worth looking again for a lease that is not listed yet."""

FIRST_PAUSE_S = 0.1

FINISH_POST_S = 2.0
"""How long an allocate that is under way when a signal comes may take to give its answer."""

OVER = (LeaseState.RELEASED, LeaseState.REFUSED)


def utc_now() -> datetime:
    return datetime.now(UTC)


async def finishing(work: Awaitable[T], *, within_s: float) -> T:
    """Do work that should not be cut short: a cancel gives it `within_s` seconds more, then takes effect.

    The work has ended when this returns or raises. After a cancel its result is lost, its error too: what
    became of it is in the ledger.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait({task}, timeout=within_s)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        raise


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for an answer to an allocate, for a slice, for a release."""

    allocate_s: float = 30.0
    ready_s: float = 300.0
    release_s: float = 60.0
    interrupted_release_s: float = 4.0
    poll_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: from which pool, how large, for how many seconds at most."""

    pool_id: PoolId
    requirements: Requirements
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Leases of one platform, written down in one ledger.

    endpoint is the platform's name in the ledger; `holder` gives the sign of life of this process, made when
    the first lease is intended. `now` dates what is written down, `clock` (seconds) measures waits.
    """

    control: ControlPlane
    ledger: Ledger
    endpoint: str
    owner: Owner
    holder: Callable[[], str]
    patience: Patience = field(default_factory=Patience)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    token: Callable[[], str] = lambda: secrets.token_hex(8)
    _confirmed: set[Reference] = field(default_factory=set, init=False, repr=False)
    """What the platform has confirmed as over, also where that could not be written down."""

    def intend(self, order: Order) -> LeaseRecord:
        """Write down the intent. When this returns it is on the disk, and nothing has been sent."""
        reference = self._reference()
        request = LeaseRequest(
            reference=reference,
            idempotency_key=f"{reference}-{self.token()}",
            pool_id=order.pool_id,
            requirements=order.requirements,
            ttl_s=order.ttl_s,
            metadata={"reference": reference, "owner": str(self.owner), "client": "harpoon"},
        )
        return self._intended(request, self.now())

    def adopt(self, lease: Lease) -> LeaseRecord:
        """Write down a lease that a read has shown and that no row of ours names, so that it can be ended.

        Nothing of its metadata is kept, for it may be a stranger's; only where it carries the reference of an
        unanswered row of ours it is that row's lease.
        """
        record = self.ledger.record(Reference(lease.metadata.get("reference", "")))
        if record is None or record.endpoint != self.endpoint or not self._takes(record, lease):
            record = self._row_of_its_own(lease, lease.created_at or self.now())
        return self._seen(record, lease)

    def reopen(self, record: LeaseRecord, lease: Lease) -> LeaseRecord:
        """Open a closed record again whose lease a read has shown to be live after all."""
        if record.lease_id is None:
            return self.adopt(lease)
        self._confirmed.discard(record.reference)
        self.ledger.reopened(record.reference)
        return self._seen(record, lease)

    def _takes(self, record: LeaseRecord, lease: Lease) -> bool:
        """Write down that the lease is the record's; False where that already names another one."""
        if record.lease_id is None and self.ledger.accepted(record.reference, lease, self.now()):
            return True
        known = self.ledger.record(record.reference)
        return record.lease_id is None and known is not None and known.lease_id == lease.id

    def _row_of_its_own(self, lease: Lease, at: datetime) -> LeaseRecord:
        request = LeaseRequest(
            reference=self._reference(),
            idempotency_key="",
            pool_id=lease.pool_id or PoolId("unknown"),
            requirements=Requirements(vram_mb=0, tflops=0.0),
            ttl_s=0,
            metadata={},
        )
        record = self._intended(request, at)
        self.ledger.accepted(record.reference, lease, at)
        return replace(record, lease_id=lease.id)

    def _reference(self) -> Reference:
        return Reference(f"hpn-{self.token()}")

    def _intended(self, request: LeaseRequest, at: datetime) -> LeaseRecord:
        record = LeaseRecord(request, self.endpoint, self.owner, LeaseState.INTENT, at)
        self.ledger.intend(record, self.holder())
        return record

    async def obtain(self, record: LeaseRecord) -> LeaseRecord:
        """Ask for the lease of an intent until it is held; the platform's error where it is not.

        After an error the record may be unsure, and is to be settled. A cancel lets the request under way
        finish, for at most `FINISH_POST_S`, and then takes effect.
        """
        await finishing(self._ask(record), within_s=FINISH_POST_S)
        return self._held(record)

    async def _ask(self, record: LeaseRecord) -> None:
        try:
            lease = await repeat(
                lambda left_s: self._ask_once(record, left_s),
                policy=self.retry,
                deadline_s=self.patience.allocate_s,
                may_repeat=self._may_ask_again,
                sleep=self.sleep,
                clock=self.clock,
            )
        except PlatformError as error:
            if error.effect is not Effect.UNKNOWN and self._refused(record, error):
                raise
            lease = await self._found(record, error)
        try:
            taken = self._takes(record, lease)
        except StorageFault:
            # What cannot be written down must not be held.
            await self.settle(replace(record, lease_id=lease.id))
            raise
        if not taken:
            await self._end_extra(record, lease)

    def _refused(self, record: LeaseRecord, error: PlatformError) -> bool:
        """Close a record that surely has no lease; False where an earlier ask of it was unsure."""
        try:
            return self.ledger.refused(record.reference, error.message)
        except StorageFault:
            if self._known(record).state is LeaseState.INTENT:
                self._confirmed.add(record.reference)
            raise

    async def _ask_once(self, record: LeaseRecord, left_s: float) -> Lease:
        try:
            return await self.control.allocate(record.request, deadline_s=left_s)
        except PlatformError as error:
            if error.effect is Effect.UNKNOWN:
                self.ledger.unsure(record.reference, error.message)
            raise
        except asyncio.CancelledError:
            with suppress(StorageFault):  # the settling that follows says that it may still be billing
                self.ledger.unsure(record.reference, "the allocate was cut short before its answer came")
            raise

    async def _end_extra(self, record: LeaseRecord, lease: Lease) -> None:
        """End a second lease that came of one intent; it has a row of its own, if the disk allows it."""
        try:
            extra = self._row_of_its_own(lease, self.now())
        except StorageFault:
            # No row has this reference: nothing that is written down can then be about the first lease.
            unwritten = replace(record.request, reference=self._reference())
            extra = replace(record, request=unwritten, lease_id=lease.id)
        await self.settle(extra)

    def _may_ask_again(self, error: PlatformError) -> bool:
        if error.effect is Effect.UNKNOWN:
            return self.control.features.idempotency_keys
        return error.effect is Effect.NOT_SENT or isinstance(error, RateLimited)

    async def _found(self, record: LeaseRecord, error: PlatformError) -> Lease:
        """The lease that came of an allocate in spite of its error; that error where none is to be seen."""
        try:
            lease = await self._find(record)
        except PlatformError:
            lease = None
        if lease is None:
            raise error
        return lease

    async def _find(self, record: LeaseRecord) -> Lease | None:
        """The lease with our reference in the platform's list, looked for a while if the intent is fresh.

        None where it is not there, or the platform does not list metadata; `PlatformError` where the list
        could not be read, which says nothing.
        """
        pauses = self._pauses()
        while self._can_search:
            listed = await self.control.leases()
            ours = [lease for lease in listed if lease.metadata.get("reference") == record.reference]
            for extra in ours[1:]:  # a platform that does not honour its idempotency keys gives several
                await self._end_extra(record, extra)
            if ours:
                return ours[0]
            if self._age_s(record) >= LISTED_WITHIN_S:
                break
            await self.sleep(next(pauses))
        return None

    @property
    def _can_search(self) -> bool:
        return self.control.features.lists and self.control.features.metadata

    async def wait_ready(self, record: LeaseRecord) -> LeaseRecord:
        """Wait until the slice can be used; `TimedOut` after `ready_s`, `ServerFault` if it ends instead.

        On a platform that cannot show a lease there is nothing to wait for.
        """
        ends_at = self.clock() + self.patience.ready_s
        pauses = self._pauses()
        status = LeaseStatus.PENDING if record.ready_at is None else LeaseStatus.ACTIVE
        while status is not LeaseStatus.ACTIVE:
            try:
                record, status = await self._look(record)
            except NotOffered:
                break
            except NoSuchLease:
                if self._absence_is_proof(record):
                    raise
                status = LeaseStatus.PENDING
            if status is not LeaseStatus.ACTIVE:
                self._must_still_start(record, status, ends_at)
                await self.sleep(next(pauses))
        return self._held(record)

    def _must_still_start(self, record: LeaseRecord, status: LeaseStatus, ends_at: float) -> None:
        if status is not LeaseStatus.PENDING:
            raise ServerFault(f"lease {record.lease_id} is {status} and never became ready")
        if self.clock() >= ends_at:
            raise TimedOut(
                f"lease {record.lease_id} was not ready after {self.patience.ready_s:g} s",
                hint="allow longer with --timeout or lease.ready_s, or try another pool: harpoon pools",
            )

    async def _look(self, record: LeaseRecord) -> tuple[LeaseRecord, LeaseStatus]:
        """Read the lease, and write down what the read shows that is new."""
        lease = await self.control.lease(_id_of(record))
        if record.seen_at is None or lease.status is LeaseStatus.ACTIVE:
            record = self._seen(record, lease)
        return record, lease.status

    def _seen(self, record: LeaseRecord, lease: Lease) -> LeaseRecord:
        self.ledger.seen(record.reference, lease, self.now())
        return self.ledger.record(record.reference) or record

    def _held(self, record: LeaseRecord) -> LeaseRecord:
        """The record as it stands; `NoSuchLease` where another command has given the lease back meanwhile."""
        current = self.ledger.record(record.reference) or record
        if current.state is not LeaseState.HELD:
            raise NoSuchLease(f"lease {current.lease_id} was given back by another command just now")
        return current

    async def settle(self, record: LeaseRecord, *, within_s: float | None = None) -> LeaseRecord:
        """End whatever a record stands for, from any state; `MayStillBill` where that is not certain.

        A lease is over when it reads back as gone. An intent that was never answered is looked for; found, it
        is released; not found, it is over once absence proves something. Takes `release_s` at most; given
        `within_s` there is a hurry, and only what must be done is done. `StorageFault` where it is over, and
        that cannot be written down.
        """
        current = self._known(record)
        if current.state in OVER:
            return current
        hurried = within_s is not None
        try:
            async with asyncio.timeout(within_s or self.patience.release_s):
                if current.lease_id is None:
                    return await self._end_unanswered(current, hurried=hurried)
                return await self._end(current, hurried=hurried)
        except (TimeoutError, PlatformError) as error:
            why = str(error) or "the platform did not confirm it in time"
            with suppress(StorageFault):
                self.ledger.releasing(record.reference, why)
            raise self.may_still_bill(record, why) from error

    def is_over(self, record: LeaseRecord) -> bool:
        """Is nothing left to give back?"""
        return record.reference in self._confirmed or self._known(record).state in OVER

    def may_still_bill(self, record: LeaseRecord, why: str) -> MayStillBill:
        current = self._known(record)
        lease = f"lease {current.lease_id}" if current.lease_id else "a lease"
        return MayStillBill(
            f"{lease} (reference {current.reference}) in pool {current.request.pool_id}, asked for at "
            f"{current.intended_at:%Y-%m-%d %H:%M:%S} UTC, may still be billing: {why}",
            hint=f"harpoon release {current.lease_id or current.reference}",
        )

    def _known(self, record: LeaseRecord) -> LeaseRecord:
        """The record as it stands; as it was given, where it is newer there or the ledger cannot be read.

        A broken ledger must not keep us from giving back what we can name.
        """
        try:
            current = self.ledger.record(record.reference) or record
        except StorageFault:
            return record
        return record if current.lease_id is None and record.lease_id is not None else current

    async def _end_unanswered(self, record: LeaseRecord, *, hurried: bool) -> LeaseRecord:
        searched = self._can_search
        try:
            lease = await self._find(record)
        except NotOffered:  # whatever it promised, it has no list
            lease, searched = None, False
        if lease is None:
            return self._absent(record, searched=searched)
        taken = True
        with suppress(StorageFault):
            taken = self._takes(record, lease)
        if not taken:  # meanwhile another command has found another lease for it: both are to end
            await self._end_extra(record, lease)
            return await self._end(self._known(record), hurried=hurried)
        with suppress(StorageFault):
            self.ledger.seen(record.reference, lease, self.now())
        return await self._end(replace(record, lease_id=lease.id, seen_at=self.now()), hurried=hurried)

    def _absent(self, record: LeaseRecord, *, searched: bool) -> LeaseRecord:
        why = record.trouble or "the allocate was never answered"
        listed_by_now = searched and self._age_s(record) >= ABSENCE_PROVES_AFTER_S
        if not (listed_by_now or self._ended_by_itself(record)):
            with suppress(StorageFault):  # that it may be billing matters more than that the disk is full
                self.ledger.unsure(record.reference, why)
            raise self.may_still_bill(record, why)
        self._confirmed.add(record.reference)
        self.ledger.absent(record.reference, self.now())
        return self._known(record)

    def _ended_by_itself(self, record: LeaseRecord) -> bool:
        """Has the platform ended, by its own TTL, whatever came of an allocate that was never answered?"""
        # Compared, not added: an absurd whole number fits into no float.
        overtime_s = self._age_s(record) - ABSENCE_PROVES_AFTER_S
        return self.control.features.ttl and overtime_s >= record.request.ttl_s

    async def _end(self, record: LeaseRecord, *, hurried: bool) -> LeaseRecord:
        with suppress(StorageFault):  # as above: first the platform, then the ledger
            self.ledger.releasing(record.reference)
        if record.seen_at is None and not hurried:
            # Once a read has shown it, a later "not found" proves that it is gone.
            with suppress(PlatformError, StorageFault):
                record, _ = await self._look(record)
        await self._until_gone(record)
        self._confirmed.add(record.reference)
        self.ledger.released(record.reference, self.now())
        return self._known(record)

    async def _until_gone(self, record: LeaseRecord) -> None:
        pauses = self._pauses()
        while not await self._is_ending(record):
            await self.sleep(next(pauses))
        while await self._is_there(record):
            await self.sleep(next(pauses))

    async def _is_ending(self, record: LeaseRecord) -> bool:
        """Ask for the end; False while a platform may not know of the lease yet."""
        try:
            await self.control.release(_id_of(record))
        except NoSuchLease:
            return self._absence_is_proof(record)
        return True

    async def _is_there(self, record: LeaseRecord) -> bool:
        try:
            return (await self.control.lease(_id_of(record))).status is not LeaseStatus.GONE
        except (NoSuchLease, NotOffered):
            return False

    def _absence_is_proof(self, record: LeaseRecord) -> bool:
        """Not found means gone for a lease that a read has shown, or that is old enough to be shown."""
        return record.seen_at is not None or self._age_s(record) >= ABSENCE_PROVES_AFTER_S

    def _age_s(self, record: LeaseRecord) -> float:
        return (self.now() - record.intended_at).total_seconds()

    def _pauses(self) -> Iterator[float]:
        """Seconds between two looks: short at first, for platforms that are quick, then up to `poll_s`."""
        pause_s = FIRST_PAUSE_S
        while True:
            yield min(pause_s, self.patience.poll_s)
            pause_s *= 1.5


def _id_of(record: LeaseRecord) -> LeaseId:
    assert record.lease_id is not None, "only a held lease has an id"
    return record.lease_id
