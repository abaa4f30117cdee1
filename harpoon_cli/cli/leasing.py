"""Taking a lease for a command: the ceiling on its cost, the receipt, and what was left open before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from decimal import Decimal

from harpoon_cli.cli.receipts import receipt_of
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import LeaseRecord, Money, Pool, Reference
from harpoon_cli.errors import StorageFault
from harpoon_cli.leases.alive import is_alive
from harpoon_cli.leases.holding import holding
from harpoon_cli.leases.lifecycle import Lifecycle, Order
from harpoon_cli.leases.sweep import overdue, sweep
from harpoon_cli.pricing import check_ceiling, cost_of_lease

TTL_TOLERANCE = timedelta(seconds=30)
"""Clocks differ; an end this much later than asked for is still the end that was asked for."""


def ceiling_of(session: Session, max_cost: Decimal | None) -> Decimal | None:
    return session.settings.lease.max_cost if max_cost is None else max_cost


def worst_case(pool: Pool, ttl_s: int, max_cost: Decimal | None) -> Money | None:
    """What the whole time would cost; `CostCeilingReached` where that is more than allowed."""
    if max_cost is not None:
        return check_ceiling(pool.price, ttl_s, max_cost)
    return None if pool.price is None else cost_of_lease(pool.price, ttl_s, measured=False)


@asynccontextmanager
async def leased(
    session: Session,
    lifecycle: Lifecycle,
    order: Order,
    *,
    keep: bool = False,
    wait: bool = True,
    max_cost: Decimal | None = None,
) -> AsyncIterator[LeaseRecord]:
    """A lease for the block's length, or for longer with keep; its receipt is in the session at the end."""
    await end_abandoned(session, lifecycle)
    intent = lifecycle.intend(order)
    try:
        async with holding(lifecycle, intent, phase=session.step, keep=keep, wait=wait) as record:
            _say_what_is_odd(session, lifecycle, record)
            if max_cost is not None:
                check_ceiling(record.price, order.ttl_s, max_cost)
            yield record
    finally:
        with suppress(StorageFault):  # it must not hide why the block ended
            last = session.ledger.record(intent.reference)
            session.receipt = receipt_of(last, session.steps, lifecycle.now()) if last else None


def _say_what_is_odd(session: Session, lifecycle: Lifecycle, record: LeaseRecord) -> None:
    asked_for = record.intended_at + timedelta(seconds=record.request.ttl_s)
    if record.expires_at is None and lifecycle.control.features.ttl:
        session.screen.note(f"the platform names no end for lease {record.lease_id}: only a release ends it")
    elif record.expires_at is not None and record.expires_at > asked_for + TTL_TOLERANCE:
        session.screen.note(f"the platform ends lease {record.lease_id} later than it was asked to")


async def end_abandoned(session: Session, lifecycle: Lifecycle) -> None:
    """End what earlier commands left open on this platform, and say so; what cannot be ended is said too."""
    left = overdue_here(session, lifecycle)
    if not left:
        return
    # The command was not asked to do this: it does not wait long for a platform that does not answer.
    swept = await sweep(lifecycle, left, within_s=lifecycle.patience.interrupted_release_s)
    for record in swept.ended:
        session.screen.note(
            f"ended {record.lease_id or record.reference}, which an earlier command left open"
        )
    for trouble in swept.troubles:
        session.screen.note(f"{trouble.message}; {trouble.hint}")


def overdue_here(session: Session, lifecycle: Lifecycle) -> tuple[LeaseRecord, ...]:
    """The open records of this platform that nobody uses any more."""
    here = (one for one in session.ledger.open_records() if one.endpoint == lifecycle.endpoint)

    def abandoned(reference: Reference) -> bool:
        holder = session.ledger.holder(reference)
        return holder is None or not is_alive(session.signs_of_life, holder)

    return overdue(here, lifecycle.now(), abandoned)


def elsewhere(session: Session) -> list[str]:
    """A sentence about open leases of other platforms or keys, which this command did not look at."""
    others = sorted({one.endpoint for one in session.ledger.open_records()} - {session.account})
    if not others:
        return []
    return [
        f"there are open leases at {', '.join(others)} too; reach them with that URL and key, or --profile"
    ]
