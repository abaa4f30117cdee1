"""One lease from intent to confirmed release, each step on disk before it is on the wire.

    order ──► intend ──► obtain ──► wait_ready ──► (use) ──► settle
                            │                                   │
                            ├─ surely refused: over             ├─ read back as gone: over
                            └─ anything else: unsure ──► find   └─ not confirmed: MayStillBill

Knows no settings and prints nothing. Clocks, sleep and randomness are parameters. How a lease is ended is in
`leases.settling`, what counts as proof in `leases.evidence`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from time import monotonic

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
    Price,
    Reference,
    Requirements,
)
from harpoon_cli.errors import (
    DoubtfulAbsence,
    Effect,
    MayStillBill,
    NoSuchLease,
    NotAuthorised,
    NotOffered,
    PlatformError,
    RateLimited,
    ServerFault,
    StorageFault,
    TimedOut,
    UnmarkedAnswer,
)
from harpoon_cli.leases.adoption import Adoption
from harpoon_cli.leases.evidence import Evidence, Listed
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.patience import FINISH_POST_S, LAST_LOOK_S, Hurry, Patience, finishing
from harpoon_cli.leases.settling import Settling
from harpoon_cli.values import Struct, field, replace

SHARE_OF_SEARCH = 0.1
"""How much of the time for an allocate is left for finding out what became of one that is never answered."""

LATER_S = 1.0
"""An ask that leaves this long after its intent is dated by itself."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Order(Struct, frozen=True):
    """What is wanted: from which pool, how large, for how many seconds, and whether it is to be kept.

    price is what the pool quotes, for leases whose own answer names none.
    """

    pool_id: PoolId
    requirements: Requirements
    ttl_s: int
    keep: bool = False
    price: Price | None = None


class Lifecycle(Struct, frozen=True, dict=True):
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

    @cached_property
    def hurry(self) -> Hurry:
        """What is left of the time that this command has after a signal."""
        return Hurry(self.patience.interrupted_release_s, self.clock)

    @cached_property
    def adoption(self) -> Adoption:
        return Adoption(self.ledger, self.endpoint, self.owner, self.holder, self.now, self._reference)

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence(self.control, self.patience, self.now, self.sleep, self.adoption.is_ours)

    @cached_property
    def _settling(self) -> Settling:
        return Settling(
            self.control, self.ledger, self.patience, self.evidence, self.adoption, self.now, self.sleep
        )

    def intend(self, order: Order) -> LeaseRecord:
        """Write down the intent. When this returns it is on the disk, and nothing has been sent."""
        reference, holder = self._reference(), self.holder()
        request = LeaseRequest(
            reference=reference,
            idempotency_key=f"{reference}-{self.token()}",
            pool_id=order.pool_id,
            requirements=order.requirements,
            ttl_s=order.ttl_s,
            metadata=self._tag(reference, holder, order),
        )
        record = LeaseRecord(
            request, self.endpoint, self.owner, LeaseState.INTENT, self.now(), price=order.price
        )
        self.ledger.intend(record, holder)
        return record

    def _tag(self, reference: Reference, holder: str, order: Order) -> dict[str, str]:
        """What a list of the platform shows of our leases: enough to find them again without the ledger."""
        return {
            "client": "harpoon",
            "reference": reference,
            "owner": str(self.owner),
            "home": self.owner.home,
            "holder": holder,
            "until": _end_text(self.now(), order.ttl_s),
        }

    def adopt(self, lease: Lease) -> LeaseRecord:
        """Write down a lease that a read has shown and that no row of ours names, so that it can be ended.

        Nothing of its metadata is kept, for it may be a stranger's; only where it carries the reference of an
        unanswered row of ours it is that row's lease.
        """
        record = self.ledger.record(Reference(lease.metadata.get("reference", "")))
        if record is None or record.endpoint != self.endpoint or not self._settling.takes(record, lease):
            record = self.adoption.written(lease, lease.created_at or self.now())
        return self._settling.seen(record, lease)

    def reopen(self, record: LeaseRecord, lease: Lease) -> LeaseRecord:
        """Open a closed record again whose lease a read has shown to be live after all."""
        if record.lease_id is None:
            return self.adopt(lease)
        self._settling.confirmed.discard(record.reference)
        self.ledger.reopened(record.reference)
        return self._settling.seen(record, lease)

    def restore(self, lease: Lease) -> LeaseRecord:
        """Write down again a lease whose row was lost."""
        return self._settling.seen(self.adoption.restored(lease), lease)

    def _reference(self) -> Reference:
        return Reference(f"hpn-{self.token()}")

    async def obtain(self, record: LeaseRecord) -> LeaseRecord:
        """Ask for the lease of an intent until it is held; the platform's error where it is not.

        After an error the record may be unsure, and is to be settled. A cancel lets the request under way
        finish, for at most `FINISH_POST_S`, and then takes effect.
        """
        await finishing(self._ask(record), within_s=lambda: self.hurry.left_s(FINISH_POST_S))
        return self._held(record)

    async def _ask(self, record: LeaseRecord) -> None:
        ends_at = self.clock() + self.patience.allocate_s
        refusals: list[RateLimited] = []
        try:
            lease = await repeat(
                lambda left_s: self._ask_once(record, left_s, refusals),
                policy=self.retry,
                deadline_s=self.patience.allocate_s,
                may_repeat=self._may_ask_again,
                sleep=self.sleep,
                clock=self.clock,
            )
        except PlatformError as error:
            if error.effect is not Effect.UNKNOWN and self._refused(record, error):
                await self._look_all_the_same(record, error)
                raise
            lease = await self._found(record, error, ends_at)
        try:
            taken = self._settling.takes(record, lease)
        except StorageFault:
            # What cannot be written down must not be held.
            await self.settle(replace(record, lease_id=lease.id))
            raise
        if not taken:
            await self._settling.end_extra(record, lease)

    async def _look_all_the_same(self, record: LeaseRecord, error: PlatformError) -> None:
        """A platform that refuses and gives a lease all the same is broken; one look in its list is cheap.

        What is found makes the record held, and is given back by whoever holds it.
        """
        if error.effect is Effect.REFUSED and not isinstance(error, NotAuthorised):
            with suppress(PlatformError, StorageFault):
                for lease in (await self.evidence.look(record, wait=False)).ours:
                    self._settling.takes(record, lease)

    def _refused(self, record: LeaseRecord, error: PlatformError) -> bool:
        """Close a record that surely has no lease; False where an earlier ask of it was unsure."""
        try:
            return self.ledger.refused(record.reference, error.message)
        except StorageFault:
            if self._settling.known(record).state is LeaseState.INTENT:
                self._settling.confirmed.add(record.reference)
            raise

    async def _ask_once(self, record: LeaseRecord, left_s: float, refusals: list[RateLimited]) -> Lease:
        """The answer to one ask, or what the list shows that an earlier one, refused, gave all the same."""
        if refusals and (lease := await self._given_all_the_same(record, refusals[-1])) is not None:
            return lease
        if (self.now() - record.intended_at).total_seconds() >= LATER_S:
            # How old a lease can be counts from here, not from an intent that waited.
            self.ledger.asked(record.reference, self.now())
        try:
            return await self.control.allocate(record.request, deadline_s=self._for_the_ask(left_s))
        except PlatformError as error:
            if error.effect is Effect.UNKNOWN:
                self.ledger.answer_lost(record.reference, error.message)
            if isinstance(error, RateLimited):
                refusals.append(error)
            raise
        except asyncio.CancelledError:
            with suppress(StorageFault):  # the settling that follows says that it may still be billing
                self.ledger.answer_lost(record.reference, "the allocate was cut short before its answer came")
            raise

    async def _given_all_the_same(self, record: LeaseRecord, refusal: RateLimited) -> Lease | None:
        """Nothing is looked for where keys make one lease of two asks; `refusal` where no look can be had."""
        if self.control.features.idempotency_keys:
            return None
        try:
            listed = await self.evidence.look(record, wait=False)
        except PlatformError:
            raise refusal from None
        await self._settling.end_extras(record, listed.ours[1:])
        return listed.ours[0] if listed.ours else None

    def _for_the_ask(self, left_s: float) -> float:
        """Of the seconds left, those that an ask may take: what is never answered has to be looked for."""
        return max(left_s / 2, left_s - self.patience.allocate_s * SHARE_OF_SEARCH)

    def _may_ask_again(self, error: PlatformError) -> bool:
        keys = self.control.features.idempotency_keys
        if error.effect is not Effect.REFUSED:
            return keys or error.effect is Effect.NOT_SENT
        # Without keys a second ask needs a list, which would show what the first gave all the same.
        return isinstance(error, RateLimited) and (keys or self.evidence.can_search)

    async def _found(self, record: LeaseRecord, error: PlatformError, ends_at: float) -> Lease:
        """The lease that came of an allocate in spite of its error; that error where none is to be seen.

        A platform that does not honour its idempotency keys gives several: one is kept, the others end.
        """
        listed, lease = Listed(), None
        with suppress(PlatformError, TimeoutError):
            async with asyncio.timeout(max(LAST_LOOK_S, ends_at - self.clock())):
                listed = await self.evidence.look(record)
                if not listed.ours and isinstance(error, UnmarkedAnswer) and not error.marked:
                    lease = await self.control.lease(LeaseId(error.lease_id))
        await self._settling.end_extras(record, listed.ours[1:])
        lease = listed.ours[0] if listed.ours else lease
        if lease is None or lease.metadata.get("reference") != record.reference:
            with suppress(StorageFault):  # what all attempts met says more than what the last one did
                self.ledger.unsure(record.reference, error.message)
            raise error
        return lease

    async def wait_ready(self, record: LeaseRecord) -> LeaseRecord:
        """Wait until the slice can be used; `TimedOut` after `ready_s`, `ServerFault` if it ends instead.

        On a platform that cannot show a lease there is nothing to wait for.
        """
        try:
            async with asyncio.timeout(self.patience.ready_s):
                return self._held(await self._until_active(record))
        except TimeoutError as late:
            raise TimedOut(
                f"lease {record.lease_id} was not ready after {self.patience.ready_s:g} s",
                hint="allow longer with --timeout or lease.ready_s, or try another pool: harpoon pools",
            ) from late

    async def _until_active(self, record: LeaseRecord) -> LeaseRecord:
        pauses = self.patience.pauses()
        status = LeaseStatus.PENDING if record.ready_at is None else LeaseStatus.ACTIVE
        while status is not LeaseStatus.ACTIVE:
            try:
                record, lease = await self._settling.read(record)
                status = lease.status
            except NotOffered:
                break
            except (NoSuchLease, DoubtfulAbsence) as absence:
                if await self.evidence.is_gone(record, absence, ended=False):
                    raise
                status = LeaseStatus.PENDING
            if status is LeaseStatus.PENDING:
                await self.sleep(next(pauses))
            elif status is not LeaseStatus.ACTIVE:
                raise ServerFault(f"lease {record.lease_id} is {status} and never became ready")
        return record

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
        return await self._settling.settle(record, within_s=within_s)

    def believe_gone(self, record: LeaseRecord) -> LeaseRecord:
        """Close a record on the word of a person who has looked at the platform.

        What it can have cost at most stays known: to now, or to the end that the platform gave every lease.
        """
        self.ledger.believed(record.reference, self._latest_end(record))
        return self._settling.known(record)

    def _latest_end(self, record: LeaseRecord) -> datetime:
        now = self.now()
        if record.lease_id is not None or not self.control.features.ttl:
            return now
        try:
            return min(now, (record.asked_at or record.intended_at) + timedelta(seconds=record.request.ttl_s))
        except OverflowError:  # a time that no calendar holds is none
            return now

    def is_over(self, record: LeaseRecord) -> bool:
        """Is nothing left to give back?"""
        return self._settling.is_over(record)

    def is_named(self, record: LeaseRecord) -> bool:
        """Is it known which lease came of it?"""
        return self._settling.known(record).lease_id is not None

    def may_still_bill(self, record: LeaseRecord, why: str) -> MayStillBill:
        """The error for a record that is not surely over: what it is, since when, and what settles it."""
        return self._settling.may_still_bill(record, why)


def _end_text(start: datetime, seconds: int) -> str:
    try:
        return (start + timedelta(seconds=seconds)).isoformat(timespec="seconds")
    except OverflowError:  # a time that no calendar holds is none
        return ""
