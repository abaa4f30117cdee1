"""Receipts from the ledger: what was held, for how long, at what price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from harpoon_cli.domain import LeaseRecord, LeaseState, Money, Receipt, Step
from harpoon_cli.pricing import cost_of_lease

NEVER_HELD = (LeaseState.REFUSED, LeaseState.INTENT)


def seconds_held(record: LeaseRecord, now: datetime) -> float | None:
    """From the request for the lease to its confirmed release, its end, or now; None where none was given."""
    if record.lease_id is None:
        return None
    ends = [moment for moment in (record.released_at, record.expires_at) if moment is not None]
    until = min([now, *ends])
    return max(0.0, (until - record.intended_at).total_seconds())


def cost_so_far(record: LeaseRecord, now: datetime) -> Money | None:
    """The quoted price times the measured seconds; None where no price is known or no lease was given."""
    held_s = seconds_held(record, now)
    if held_s is None or record.price is None:
        return None
    return cost_of_lease(record.price, held_s)


def receipt_of(record: LeaseRecord, steps: Sequence[Step], now: datetime) -> Receipt | None:
    """The receipt of one record as it stands; None for a lease that was surely never given."""
    if record.state in NEVER_HELD:
        return None
    return Receipt(
        steps=tuple(steps),
        lease_id=record.lease_id,
        reference=record.reference,
        pool_id=record.request.pool_id,
        gpu=record.gpu,
        price=record.price,
        seconds_held=seconds_held(record, now),
        cost=cost_so_far(record, now),
        released=record.state is LeaseState.RELEASED,
        kept=record.kept and record.state is LeaseState.HELD,
    )
