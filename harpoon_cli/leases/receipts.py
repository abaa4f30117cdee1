"""What leases came to, from the ledger's rows alone: seconds held, idle share, cost. Asks no platform.

A receipt and a later look at the ledger read the same stored times, so they name the same amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf, isfinite

from harpoon_cli.domain import Lease, LeaseRecord, LeaseState, Money, Receipt, Step, Tenure
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.pricing import cost_on_receipt

NEVER_HELD = (LeaseState.REFUSED, LeaseState.INTENT)

FOREVER_S = 10**12
"""Longer than any lease; an absurd whole number fits into no float."""

IDLE_DIGITS = 4
"""The digits of an idle share that are told: clocks and networks make the rest."""


def seconds_held(record: LeaseRecord, now: datetime) -> float | None:
    """From the request for the lease to its confirmed release, its end, or now; None where none was given.

    Of what a person's word ended, the longest that it can have been.
    """
    if record.lease_id is None and not record.believed_gone:
        return None
    # What is over was over then, whatever our clock says now: two looks at one row must agree.
    until = now if record.released_at is None else record.released_at
    return max(0.0, min((until - record.intended_at).total_seconds(), _longest_s(record)))


def _longest_s(record: LeaseRecord) -> float:
    """After how long the platform ends it by itself; a slow clock there does not make that shorter."""
    if record.expires_at is None:
        return inf
    told_s = (record.expires_at - record.intended_at).total_seconds()
    return told_s if record.request.ttl_s <= told_s else float(min(record.request.ttl_s, FOREVER_S))


def cost_so_far(record: LeaseRecord, now: datetime) -> Money | None:
    """The quoted price times the measured seconds; None where no price is known or no lease was given."""
    held_s = seconds_held(record, now)
    if held_s is None or record.price is None:
        return None
    return cost_on_receipt(record.price, held_s)


def idle_share(record: LeaseRecord, now: datetime) -> float | None:
    """The share of the held time, 0 to 1, in which no prompt of ours was under way; None if not measured."""
    held_s = seconds_held(record, now)
    if not held_s or record.used_s is None or not isfinite(record.used_s):
        return None
    return round(min(1.0, max(0.0, 1.0 - record.used_s / held_s)), IDLE_DIGITS)


def may_have_cost(record: LeaseRecord) -> bool:
    """Can the platform have billed anything for what this row asked for?

    A request that was never answered, and that no list showed in the end, may have been a lease only if it
    was looked for no sooner than such a lease would have ended by itself.
    """
    if record.lease_id is not None or record.believed_gone:
        return True
    if record.state is not LeaseState.RELEASED:
        return record.state is not LeaseState.REFUSED
    if record.released_at is None:
        return True
    return (record.released_at - record.intended_at).total_seconds() >= record.request.ttl_s


def tenure_of(record: LeaseRecord, now: datetime) -> Tenure:
    """What the lease of one record came to, as it stands."""
    return Tenure(
        lease_id=record.lease_id,
        reference=record.reference,
        pool_id=record.request.pool_id,
        gpu=record.gpu,
        price=record.price,
        seconds_held=seconds_held(record, now),
        idle_share=idle_share(record, now),
        cost=cost_so_far(record, now),
        released=record.state is LeaseState.RELEASED,
        believed_gone=record.believed_gone,
    )


def receipt_of(
    record: LeaseRecord | None,
    steps: Sequence[Step],
    now: datetime,
    *,
    kept: bool,
    ends_by_itself: bool,
    ended: Sequence[Tenure] = (),
) -> Receipt | None:
    """The receipt of one record as it stands, and of what was ended besides.

    None where there is nothing of either: the lease was surely never given. kept says that it is to outlive
    the command, ends_by_itself whether the platform ends leases at their time.
    """
    if record is None or record.state in NEVER_HELD:
        return Receipt(steps=tuple(steps), ended=tuple(ended)) if ended else None
    held = tenure_of(record, now)
    return Receipt(
        steps=tuple(steps),
        lease_id=held.lease_id,
        reference=held.reference,
        pool_id=held.pool_id,
        gpu=held.gpu,
        price=held.price,
        seconds_held=held.seconds_held,
        cost=held.cost,
        released=held.released,
        kept=kept and record.state is LeaseState.HELD,
        idle_share=held.idle_share,
        only_a_release_ends_it=not ends_by_itself or _endless(record),
        ended=tuple(ended),
    )


def receipt_of_shown(lease: Lease, steps: Sequence[Step], now: datetime) -> Receipt:
    """The receipt so far of a lease that is somebody else's, as the platform shows it."""
    held_s = None if lease.created_at is None else max(0.0, (now - lease.created_at).total_seconds())
    return Receipt(
        steps=tuple(steps),
        lease_id=lease.id,
        pool_id=lease.pool_id,
        gpu=lease.gpu,
        price=lease.price,
        seconds_held=held_s,
        cost=None if held_s is None or lease.price is None else cost_on_receipt(lease.price, held_s),
        kept=True,
    )


def _endless(record: LeaseRecord) -> bool:
    """Has the platform given the lease, and named no end?"""
    return record.lease_id is not None and record.expires_at is None


def ended_besides(lifecycle: Lifecycle, since: datetime) -> tuple[LeaseRecord, ...]:
    """The leases that came of a request beside the one that was wanted, ended by this process since then.

    They have cost money too, and have rows of their own, whose requests were never sent.
    """
    rows = [
        one
        for one in lifecycle.ledger.since(since)
        if one.endpoint == lifecycle.endpoint
        and one.state is LeaseState.RELEASED
        and one.lease_id is not None
        and not one.request.idempotency_key
    ]
    return tuple(one for one in rows if lifecycle.ledger.holder(one.reference) == lifecycle.holder())
