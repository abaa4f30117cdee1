"""A lease as `harpoon leases` tells it, from our ledger's row or from what the platform shows."""

from __future__ import annotations

from datetime import datetime

from harpoon_cli.domain import Gpu, Lease, LeaseRecord, LeaseState, LeaseStatus, Money, Price
from harpoon_cli.leases.receipts import tenure_of
from harpoon_cli.pricing import cost_on_receipt
from harpoon_cli.values import Struct


class LeaseRow(Struct, frozen=True):
    """A lease as our ledger and the platform know it.

    state is the ledger's, None for a lease that only the platform shows; on_platform is the platform's word,
    None where it was not asked or does not show it. age_s is counted from the request for it. seconds_held,
    price, cost (estimated: the quoted price times the seconds held), idle_share and believed_gone are as on
    its receipt.
    """

    lease_id: str | None
    reference: str | None
    pool_id: str | None
    gpu: Gpu | None
    state: LeaseState | None
    on_platform: LeaseStatus | None
    owner: str | None
    age_s: float | None
    cost: Money | None
    expires_at: datetime | None
    kept: bool
    trouble: str | None
    price: Price | None
    seconds_held: float | None
    idle_share: float | None
    believed_gone: bool
    asked_at: datetime | None
    released_at: datetime | None


def row_of_record(record: LeaseRecord, shown: Lease | None, now: datetime) -> LeaseRow:
    """A row of our ledger; `shown` is what the platform says of its lease, if anything."""
    held = tenure_of(record, now)
    return LeaseRow(
        lease_id=record.lease_id,
        reference=record.reference,
        pool_id=record.request.pool_id,
        gpu=record.gpu,
        state=record.state,
        on_platform=shown.status if shown else None,
        owner=str(record.owner),
        age_s=(now - record.intended_at).total_seconds(),
        cost=held.cost,
        expires_at=shown.expires_at if shown else record.expires_at,
        kept=record.kept,
        trouble=record.trouble,
        price=record.price,
        seconds_held=held.seconds_held,
        idle_share=held.idle_share,
        believed_gone=record.believed_gone,
        asked_at=record.intended_at,
        released_at=record.released_at,
    )


def row_of_lease(lease: Lease, now: datetime) -> LeaseRow:
    """A lease that only the platform knows."""
    age_s = (now - lease.created_at).total_seconds() if lease.created_at else None
    priced = lease.price is not None and age_s is not None
    return LeaseRow(
        lease_id=lease.id,
        reference=lease.metadata.get("reference"),
        pool_id=lease.pool_id,
        gpu=lease.gpu,
        state=None,
        on_platform=lease.status,
        owner=lease.metadata.get("owner"),
        age_s=age_s,
        cost=cost_on_receipt(lease.price, max(0.0, age_s or 0.0)) if priced and lease.price else None,
        expires_at=lease.expires_at,
        kept=False,
        trouble=None,
        price=lease.price,
        seconds_held=age_s,
        idle_share=None,
        believed_gone=False,
        asked_at=lease.created_at,
        released_at=None,
    )
