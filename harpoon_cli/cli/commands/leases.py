"""Show the leases that are held, what they cost so far and when they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from typer import Option

from harpoon_cli.cli.arguments import IntervalOption, WatchOption
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.leasing import elsewhere
from harpoon_cli.cli.receipts import cost_so_far
from harpoon_cli.cli.session import Session
from harpoon_cli.cli.watching import watch as watch_it
from harpoon_cli.client.service import Platform
from harpoon_cli.domain import Gpu, Lease, LeaseRecord, LeaseState, Money
from harpoon_cli.errors import HarpoonError, NotOffered, PlatformError
from harpoon_cli.leases.lifecycle import utc_now
from harpoon_cli.pricing import cost_of_lease
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Outcome, Table, Tone

app = new_app()

COLUMNS = (
    Column("lease", "lease"),
    Column("pool", "pool", minor=True),
    Column("slice", "slice", minor=True),
    Column("state", "state"),
    Column("age", "age", right=True),
    Column("cost", "cost quoted", right=True),
    Column("ttl_left", "ends in", right=True),
    Column("owner", "owner"),
)


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease as our ledger and the platform know it.

    state is the ledger's, None for a lease that only the platform shows; on_platform is the platform's word,
    None where it was not asked or does not show it. cost is the quoted price times the age.
    """

    lease_id: str | None
    reference: str | None
    pool_id: str | None
    gpu: Gpu | None
    state: LeaseState | None
    on_platform: str | None
    owner: str | None
    age_s: float | None
    cost: Money | None
    expires_at: datetime | None
    kept: bool
    trouble: str | None


@dataclass(frozen=True, slots=True)
class LeasesData:
    """platform_lists is false where the platform cannot list leases: then only our ledger speaks."""

    platform_lists: bool
    leases: tuple[LeaseRow, ...]


@command(
    app,
    "leases",
    data=LeasesData,
    examples=[
        ("leases", "every lease of this platform: ours and what else the key can see"),
        ("leases --ours", "only those in this user's ledger"),
        ("leases --watch", "the same, again and again"),
        ("leases --ours -q | xargs -r harpoon release", "end all of ours, in a script"),
    ],
)
async def leases(
    session: Session,
    ours: Annotated[bool, Option("--ours", help="Only leases in this user's ledger.")] = False,
    watch: WatchOption = False,
    interval: IntervalOption = 5.0,
) -> Outcome:
    """Show the leases: age, cost so far, time left, owner.

    "unsure" is a lease that was asked for and never confirmed: it may be billing, and `harpoon release
    --overdue` settles it.
    """
    if watch:
        await watch_it(session, lambda: _snapshot(session, ours=ours), interval)
    return await _snapshot(session, ours=ours)


async def _snapshot(session: Session, *, ours: bool) -> Outcome:
    platform = session.platform()
    records = session.ledger.open_records()
    here = [one for one in records if one.endpoint == session.account]
    listed, trouble = await _listed(platform)
    now = utc_now()
    rows = [_row_of_record(one, listed, now) for one in here]
    if not ours:
        rows += _rows_of_others(here, listed or {}, now)
    return Outcome(
        data=LeasesData(listed is not None, tuple(rows)),
        views=[Table(COLUMNS, [_cells(row, now) for row in rows], empty="no leases are held")],
        ids=[row.lease_id or row.reference or "" for row in rows],
        notes=[*_notes(listed, trouble), *elsewhere(session), *_broken(session)],
        errors=trouble,
    )


async def _listed(platform: Platform) -> tuple[dict[str, Lease] | None, list[HarpoonError]]:
    """What the platform shows, by lease id; None where it cannot list, or did not (then with the error)."""
    if not platform.control.features.lists:
        return None, []
    try:
        return {lease.id: lease for lease in await platform.control.leases()}, []
    except NotOffered:
        return None, []
    except PlatformError as error:
        return None, [error]


def _broken(session: Session) -> list[str]:
    return [f"{trouble.message}; {trouble.hint}" for trouble in session.ledger.broken_rows()]


def _notes(listed: dict[str, Lease] | None, trouble: Sequence[HarpoonError]) -> list[str]:
    if listed is not None:
        return []
    why = "could not be asked" if trouble else "does not list leases"
    return [f"this platform {why}: these are our ledger's alone"]


def _row_of_record(record: LeaseRecord, listed: dict[str, Lease] | None, now: datetime) -> LeaseRow:
    shown = (listed or {}).get(record.lease_id or "")
    return LeaseRow(
        lease_id=record.lease_id,
        reference=record.reference,
        pool_id=record.request.pool_id,
        gpu=record.gpu,
        state=record.state,
        on_platform=shown.status if shown else None,
        owner=str(record.owner),
        age_s=(now - record.intended_at).total_seconds(),
        cost=cost_so_far(record, now),
        expires_at=shown.expires_at if shown else record.expires_at,
        kept=record.kept,
        trouble=record.trouble,
    )


def _rows_of_others(here: Sequence[LeaseRecord], listed: dict[str, Lease], now: datetime) -> list[LeaseRow]:
    known = {record.lease_id for record in here}
    return [_row_of_lease(lease, now) for lease in listed.values() if lease.id not in known]


def _row_of_lease(lease: Lease, now: datetime) -> LeaseRow:
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
        cost=cost_of_lease(lease.price, max(0.0, age_s or 0.0)) if priced and lease.price else None,
        expires_at=lease.expires_at,
        kept=False,
        trouble=None,
    )


def _cells(row: LeaseRow, now: datetime) -> list[Cell | str]:
    return [
        Cell(row.lease_id or row.reference or words.UNKNOWN, Tone.STRONG),
        row.pool_id or words.UNKNOWN,
        words.gpu(row.gpu),
        _state(row, now),
        words.span(row.age_s),
        words.amount(row.cost.amount, row.cost.currency) if row.cost else words.UNKNOWN,
        words.until(row.expires_at, now),
        row.owner or words.UNKNOWN,
    ]


def _state(row: LeaseRow, now: datetime) -> Cell:
    if row.state is None:
        return Cell(f"{row.on_platform}, not in our ledger", Tone.WARN)
    if row.on_platform is None and row.expires_at is not None and row.expires_at <= now:
        return Cell("past its end", Tone.WARN)
    if row.state is LeaseState.HELD:
        return Cell(f"held ({row.on_platform})" if row.on_platform else "held", Tone.GOOD)
    return Cell(row.state, Tone.BAD if row.state is LeaseState.UNSURE else Tone.WARN)
