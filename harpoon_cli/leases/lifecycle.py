"""One lease from intent to confirmed release, each step on disk before it is on the wire.

    order ──► intend ──► obtain ──► wait_ready ──► (use) ──► release
                            │                                   │
                            ├─ surely refused: over             ├─ read back as gone: over
                            └─ anything else: unsure ──► find   └─ not confirmed: MayStillBill

Knows no settings and prints nothing. Clock, sleep and randomness are parameters.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
    TimedOut,
)
from harpoon_cli.leases.ledger import Ledger

T = TypeVar("T")

ABSENCE_PROVES_AFTER_S = 180.0
"""Platforms list a new lease late; until it has been seen, not found proves nothing for this long."""

FIRST_PAUSE_S = 0.1

FINISH_POST_S = 2.0
"""How long an allocate that is under way when a signal comes may take to give its answer."""


def utc_now() -> datetime:
    return datetime.now(UTC)


async def finishing(work: Coroutine[object, object, T], *, within_s: float) -> T:
    """Do work that should not be cut short: a cancel gives it `within_s` seconds more, then takes effect."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=within_s)
        task.cancel()
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
    the first lease is intended.
    """

    control: ControlPlane
    ledger: Ledger
    endpoint: str
    owner: Owner
    holder: Callable[[], str]
    patience: Patience = field(default_factory=Patience)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    token: Callable[[], str] = lambda: secrets.token_hex(8)

    def adopt(self, lease: Lease) -> LeaseRecord:
        """Write down a lease that the platform shows and our ledger does not know, so that it can be ended."""
        reference = Reference(lease.metadata.get("reference") or f"hpn-{self.token()}")
        request = LeaseRequest(
            reference=reference,
            idempotency_key="",
            pool_id=lease.pool_id or PoolId("unknown"),
            requirements=Requirements(vram_mb=0, tflops=0.0),
            ttl_s=0,
            metadata=lease.metadata,
        )
        began = lease.created_at or self.now()
        self.ledger.intend(
            LeaseRecord(request, self.endpoint, self.owner, LeaseState.INTENT, began), self.holder()
        )
        self.ledger.accepted(reference, lease, began)
        adopted = self.ledger.record(reference)
        assert adopted is not None, "it has just been written"
        return adopted

    def intend(self, order: Order) -> LeaseRecord:
        """Write down the intent. When this returns it is on the disk, and nothing has been sent."""
        reference = Reference(f"hpn-{self.token()}")
        request = LeaseRequest(
            reference=reference,
            idempotency_key=f"{reference}-{self.token()}",
            pool_id=order.pool_id,
            requirements=order.requirements,
            ttl_s=order.ttl_s,
            metadata={"reference": reference, "owner": str(self.owner), "client": "harpoon"},
        )
        record = LeaseRecord(request, self.endpoint, self.owner, LeaseState.INTENT, self.now())
        self.ledger.intend(record, self.holder())
        return record

    async def obtain(self, record: LeaseRecord) -> LeaseRecord:
        """Ask for the lease of an intent until it is held, surely refused, or `MayStillBill`.

        A cancel lets the request under way finish, for at most `FINISH_POST_S`, and then takes effect.
        """
        await finishing(self._ask(record), within_s=FINISH_POST_S)
        return self._current(record)

    async def _ask(self, record: LeaseRecord) -> None:
        def may_repeat(error: PlatformError) -> bool:
            if error.effect is Effect.UNKNOWN:
                self.ledger.unsure(record.reference, error.message)
                return self.control.features.idempotency_keys
            return error.effect is Effect.NOT_SENT or isinstance(error, RateLimited)

        try:
            lease = await repeat(
                lambda left_s: self.control.allocate(record.request, deadline_s=left_s),
                policy=self.retry,
                deadline_s=self.patience.allocate_s,
                may_repeat=may_repeat,
                sleep=self.sleep,
            )
        except PlatformError as error:
            # The ledger lets a refusal close an intent only: what was once unsure stays so.
            self.ledger.refused(record.reference, error.message)
            if self._current(record).state is LeaseState.REFUSED:
                raise
            lease = await self._found_or_unsure(record, error)
        self.ledger.accepted(record.reference, lease, self.now())

    async def _found_or_unsure(self, record: LeaseRecord, error: PlatformError) -> Lease:
        lease = await self.find(record)
        if lease is None:
            raise self._may_still_bill(record, error.message) from error
        return lease

    async def find(self, record: LeaseRecord, *, within_s: float | None = None) -> Lease | None:
        """The lease of an unsure record, looked for by our reference in the platform's list."""
        if not (self.control.features.lists and self.control.features.metadata):
            return None
        try:
            async with asyncio.timeout(within_s):
                leases = await self.control.leases()
        except (PlatformError, TimeoutError):
            return None
        return next((one for one in leases if one.metadata.get("reference") == record.reference), None)

    async def wait_ready(self, record: LeaseRecord) -> LeaseRecord:
        """Wait until the slice can be used; `TimedOut` after `ready_s`, `ServerFault` if it ends instead."""
        lease_id = _id_of(record)
        ends_at = self.now() + timedelta(seconds=self.patience.ready_s)
        pauses = self._pauses()
        while record.ready_at is None:
            lease = await self._listed_late(record)
            if lease is not None and lease.status is LeaseStatus.ACTIVE:
                self.ledger.ready(record.reference, lease, self.now())
                break
            if lease is not None and lease.status is not LeaseStatus.PENDING:
                raise ServerFault(f"lease {lease_id} is {lease.status} and never became ready")
            if self.now() >= ends_at:
                raise TimedOut(
                    f"lease {lease_id} was not ready after {self.patience.ready_s:g} s",
                    hint="allow longer with --timeout or lease.ready_s, or try another pool: harpoon pools",
                )
            await self.sleep(next(pauses))
        return self._current(record)

    async def _listed_late(self, record: LeaseRecord) -> Lease | None:
        """The lease, or None while a platform may not show it yet."""
        try:
            return await self.control.lease(_id_of(record))
        except NoSuchLease:
            if self._absence_is_proof(record):
                raise
            return None

    async def renew(self, record: LeaseRecord, ttl_s: int) -> LeaseRecord:
        """Move the end of a held lease to `ttl_s` seconds from now."""
        lease = await self.control.renew(_id_of(record), ttl_s)
        self.ledger.renewed(record.reference, lease.expires_at)
        return self._current(record)

    async def release(self, record: LeaseRecord, *, within_s: float | None = None) -> LeaseRecord:
        """Give a lease back and read it back as gone; `MayStillBill` where that cannot be confirmed."""
        self.ledger.releasing(record.reference)
        try:
            async with asyncio.timeout(within_s or self.patience.release_s):
                await self._until_gone(record)
        except (TimeoutError, PlatformError) as error:
            why = str(error) or "the platform did not confirm it in time"
            self.ledger.not_released(record.reference, why)
            raise self._may_still_bill(record, why) from error
        self.ledger.released(record.reference, self.now())
        return self._current(record)

    async def _until_gone(self, record: LeaseRecord) -> None:
        lease_id = _id_of(record)
        try:
            await self.control.release(lease_id)
        except NoSuchLease:
            if not self._absence_is_proof(record):
                raise
            return
        pauses = self._pauses()
        while await self._is_there(record):
            await self.sleep(next(pauses))

    def _pauses(self) -> Iterator[float]:
        """Seconds between two looks: short at first, for platforms that are quick, then up to `poll_s`."""
        pause_s = FIRST_PAUSE_S
        while True:
            yield min(pause_s, self.patience.poll_s)
            pause_s *= 1.5

    async def _is_there(self, record: LeaseRecord) -> bool:
        try:
            return (await self.control.lease(_id_of(record))).status is not LeaseStatus.GONE
        except (NoSuchLease, NotOffered):
            return False

    def _absence_is_proof(self, record: LeaseRecord) -> bool:
        """Not found means gone for a lease that a read has shown, or that is old, or past its end."""
        now = self.now()
        expired = record.expires_at is not None and now >= record.expires_at
        old = (now - record.intended_at).total_seconds() >= ABSENCE_PROVES_AFTER_S
        # Ready later than accepted means that a read, not only the answer to the allocate, has shown it.
        shown = record.ready_at is not None and record.ready_at != record.accepted_at
        return shown or expired or old

    async def settle(self, record: LeaseRecord, *, within_s: float | None = None) -> LeaseRecord:
        """End whatever a record stands for, from any state; `MayStillBill` where that is not certain.

        An intent that was never answered is looked for; found, it is released; not found, it is over once
        absence proves something.
        """
        if self.is_over(record):
            return self._current(record)
        current = self._current(record)
        if current.lease_id is None:
            lease = await self.find(current, within_s=within_s)
            if lease is None:
                return self._absent(current)
            self.ledger.accepted(current.reference, lease, self.now())
            current = self._current(current)
        return await self.release(current, within_s=within_s)

    def is_over(self, record: LeaseRecord) -> bool:
        """Is nothing left to give back?"""
        return self._current(record).state in (LeaseState.RELEASED, LeaseState.REFUSED)

    def _absent(self, record: LeaseRecord) -> LeaseRecord:
        self.ledger.unsure(record.reference, record.trouble or "ended before the answer to the allocate")
        searched = self.control.features.lists and self.control.features.metadata
        if not (searched and self._absence_is_proof(record)):
            raise self._may_still_bill(record, record.trouble or "the allocate was never answered")
        self.ledger.released(record.reference, self.now())
        return self._current(record)

    def _current(self, record: LeaseRecord) -> LeaseRecord:
        return self.ledger.record(record.reference) or record

    def _may_still_bill(self, record: LeaseRecord, why: str) -> MayStillBill:
        name = f"lease {record.lease_id}" if record.lease_id else f"a lease with reference {record.reference}"
        asked = f"{record.intended_at:%H:%M:%S} UTC"
        return MayStillBill(
            f"{name} in pool {record.request.pool_id}, asked for at {asked}, may still be billing: {why}",
            hint=f"harpoon release {record.lease_id or record.reference}",
        )


def _id_of(record: LeaseRecord) -> LeaseId:
    assert record.lease_id is not None, "only a held lease has an id"
    return record.lease_id
