"""One lease from intent to confirmed release, each step on disk before it is on the wire.

    order ──► intend ──► obtain ──► wait_ready ──► (use) ──► settle
                            │                                   │
                            ├─ surely refused: over             ├─ read back as gone: over
                            └─ anything else: unsure ──► find   └─ not confirmed: MayStillBill

Knows no settings and prints nothing. Clocks, sleep and randomness are parameters. How a lease is asked for is
in `leases.obtaining`, how it is ended in `leases.settling`, what counts as proof in `leases.evidence`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from time import monotonic

from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import ControlPlane
from harpoon_cli.domain import (
    Lease,
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
    MayStillBill,
    NoSuchLease,
    NotOffered,
    ServerFault,
    StorageFault,
    TimedOut,
)
from harpoon_cli.leases.adoption import Adoption
from harpoon_cli.leases.evidence import Evidence
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.obtaining import Obtaining
from harpoon_cli.leases.patience import FINISH_POST_S, Hurry, Patience, finishing
from harpoon_cli.leases.settling import Settling
from harpoon_cli.values import Struct, field


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
        return Evidence(
            self.control, self.patience, self.now, self.sleep, self.adoption.is_ours, self._listed_before
        )

    def _listed_before(self) -> bool:
        with suppress(StorageFault):
            return self.ledger.searched(self.endpoint, apart=timedelta(0))
        return False

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
        obtaining = Obtaining(
            record,
            self.control,
            self.ledger,
            self.patience,
            self.retry,
            self.evidence,
            self._settling,
            self.now,
            self.clock,
            self.sleep,
            self.hurry,
        )
        await finishing(obtaining.until_given(), within_s=lambda: self.hurry.left_s(FINISH_POST_S))
        return self._held(record)

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

    async def settle(
        self, record: LeaseRecord, *, within_s: float | None = None, look_s: float | None = None
    ) -> LeaseRecord:
        """End whatever a record stands for, from any state; `MayStillBill` where that is not certain.

        A lease is over when it reads back as gone. An intent that was never answered is looked for; found, it
        is released; not found, it is over once absence proves something. Takes `release_s` at most; given
        `within_s` there is a hurry, and only what must be done is done; `look_s` is for the look alone.
        `StorageFault` where it is over, and
        that cannot be written down.
        """
        return await self._settling.settle(record, within_s=within_s, look_s=look_s)

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

    def may_still_bill(self, record: LeaseRecord, why: str) -> MayStillBill:
        """The error for a record that is not surely over: what it is, since when, and what settles it."""
        return self._settling.may_still_bill(record, why)


def _end_text(start: datetime, seconds: int) -> str:
    try:
        return (start + timedelta(seconds=seconds)).isoformat(timespec="seconds")
    except OverflowError:  # a time that no calendar holds is none
        return ""
