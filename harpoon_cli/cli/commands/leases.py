"""Show the leases that are held, what they cost so far and when they end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from typer import Option

from harpoon_cli.cli.arguments import IntervalOption, WatchOption
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.costs import ALWAYS, doubts, moment, priced_apart, records_since
from harpoon_cli.cli.lease_rows import LeaseRow, row_of_lease, row_of_record
from harpoon_cli.cli.leasing import elsewhere
from harpoon_cli.cli.session import Session
from harpoon_cli.cli.watching import watch as watch_it
from harpoon_cli.client.guard import patient
from harpoon_cli.client.service import IncompleteList, Platform
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseState, Money
from harpoon_cli.errors import HarpoonError, NotOffered, PlatformError, StorageFault, UsageFault
from harpoon_cli.leases.abandoned import unreadable
from harpoon_cli.leases.lifecycle import utc_now
from harpoon_cli.pricing import totals
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Facts, Outcome, Table, Tone
from harpoon_cli.values import Struct

app = new_app()

COLUMNS = (
    Column("lease", "lease"),
    Column("pool", "pool", minor=True),
    Column("slice", "slice", minor=True),
    Column("state", "state"),
    Column("age", "age", right=True),
    Column("cost", "cost estimated", right=True),
    Column("ttl_left", "ends in", right=True),
    Column("owner", "owner"),
)

COST_COLUMNS = (
    Column("lease", "lease"),
    Column("pool", "pool", minor=True),
    Column("asked_at", "asked for at", minor=True),
    Column("state", "state", minor=True),
    Column("held", "held", right=True),
    Column("price", "price quoted", right=True),
    Column("cost", "cost estimated", right=True),
    Column("idle", "idle", right=True),
    Column("trouble", "why unknown", minor=True),
)


class LeasesData(Struct, frozen=True):
    """platform_lists is false where the platform cannot list leases: only our ledger speaks; null where it
    was not asked, or did not answer.

    With --cost there are also leases that are over; `leases` are those whose cost is known, cost_unknown the
    others, and total is the exact sum of the former, for each currency. since is None for all there are.
    """

    platform_lists: bool | None
    leases: tuple[LeaseRow, ...]
    since: datetime | None = None
    total: tuple[Money, ...] = ()
    cost_unknown: tuple[LeaseRow, ...] = ()


@command(
    app,
    "leases",
    data=LeasesData,
    examples=[
        ("leases", "every lease of this platform: ours and what else the key can see"),
        ("leases --ours", "only those in this user's ledger"),
        ("leases --watch", "the same, again and again"),
        ("leases --cost --since 7d", "what the leases of a week cost, ended ones too, and their sum"),
        ("leases --ours -q | xargs -r harpoon release", "end all of ours, in a script"),
    ],
)
async def leases(
    session: Session,
    ours: Annotated[bool, Option("--ours", help="Only leases in this user's ledger.")] = False,
    cost: Annotated[
        bool, Option("--cost", help="What our leases cost, ended ones too, from the ledger alone.")
    ] = False,
    since: Annotated[
        datetime | None,
        Option(
            "--since",
            parser=moment,
            metavar="WHEN",
            help="With --cost: asked for since 2026-11-01 (UTC), 7d or 12h ago; else all there are.",
        ),
    ] = None,
    watch: WatchOption = False,
    interval: IntervalOption = 5.0,
) -> Outcome:
    """Show the leases: age, cost so far, time left, owner.

    "unsure" is a lease that was asked for and never confirmed: it may be billing, and `harpoon release
    --overdue` settles it.

    With --cost: for each lease how long it was held, its price and cost, and the share of the time in which
    no prompt ran on it; then the sum. It is the sum of what the receipts said of leases that are over.
    """
    if since is not None and not cost:
        raise UsageFault("--since would do nothing without --cost", hint="harpoon leases --cost --since 7d")

    async def look() -> Outcome:
        return _costs(session, since) if cost else await _snapshot(session, ours=ours)

    if watch:
        await watch_it(session, look, interval)
    return await look()


def _costs(session: Session, since: datetime | None) -> Outcome:
    now, began = utc_now(), since or ALWAYS
    rows, unknown = priced_apart(records_since(session, began), now)
    total = totals(row.cost for row in rows if row.cost)
    views: list[Table | Facts] = [
        Table(
            COST_COLUMNS,
            [_cost_cells(row, now) for row in sorted((*rows, *unknown), key=_asked_at)],
            empty="no lease has cost anything",
        ),
    ]
    if total:
        views.append(Facts([("total", words.money(amount)) for amount in total], aside=True))
    return Outcome(
        data=LeasesData(None, tuple(rows), since, total, tuple(unknown)),
        views=views,
        ids=[row.lease_id or row.reference or "" for row in (*rows, *unknown)],
        notes=[
            *doubts(session, began, rows, len(unknown)),
            *unreadable(session.ledger.broken_rows(since=began)),
        ],
    )


async def _snapshot(session: Session, *, ours: bool) -> Outcome:
    platform = session.platform()
    here, told, faults = _written_down(session)
    listed, trouble = await _listed(platform)
    now = utc_now()
    known = listed or {}
    rows = [row_of_record(one, known.get(one.lease_id or LeaseId("")), now) for one in here]
    if not ours:
        rows += _rows_of_others(here, known, now)
    return Outcome(
        data=LeasesData(None if listed is None and trouble else listed is not None, tuple(rows)),
        views=[Table(COLUMNS, [_cells(row, now) for row in rows], empty="no leases are held")],
        ids=[row.lease_id or row.reference or "" for row in rows],
        notes=[*_notes(listed, trouble), *told],
        errors=[*faults, *trouble],
    )


def _written_down(session: Session) -> tuple[list[LeaseRecord], list[str], list[HarpoonError]]:
    """The ledger's open records here, what else it tells, and why it tells nothing where that is so."""
    try:
        ledger = session.ledger
        here = [one for one in ledger.open_records() if one.endpoint == session.account]
        return here, [*elsewhere(session), *unreadable(ledger.broken_rows())], []
    except StorageFault as fault:  # what the platform lists costs money all the same
        return [], [], [fault]


async def _listed(platform: Platform) -> tuple[dict[str, Lease] | None, list[HarpoonError]]:
    """What the platform shows, by lease id; None where it cannot list, or did not (then with the error)."""
    if not platform.control.features.lists:
        return None, []
    try:
        with patient():
            return _by_id(await platform.control.leases()), []
    except IncompleteList as partly:
        return _by_id(partly.leases), [partly]
    except NotOffered:
        return None, []
    except PlatformError as error:
        return None, [error]


def _by_id(leases: Sequence[Lease]) -> dict[str, Lease]:
    return {lease.id: lease for lease in leases}


def _notes(listed: dict[str, Lease] | None, trouble: Sequence[HarpoonError]) -> list[str]:
    if listed is not None:
        return []
    why = "could not be asked" if trouble else "does not list leases"
    return [f"this platform {why}: these are our ledger's alone"]


def _rows_of_others(here: Sequence[LeaseRecord], listed: dict[str, Lease], now: datetime) -> list[LeaseRow]:
    known = {record.lease_id for record in here}
    return [row_of_lease(lease, now) for lease in listed.values() if lease.id not in known]


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


def _cost_cells(row: LeaseRow, now: datetime) -> list[Cell | str]:
    return [
        Cell(row.lease_id or row.reference or words.UNKNOWN, Tone.STRONG),
        row.pool_id or words.UNKNOWN,
        words.instant(row.asked_at),
        _ended(row) if row.state is LeaseState.RELEASED else _state(row, now),
        words.duration(row.seconds_held),
        words.hourly(row.price),
        words.amount(row.cost.amount, row.cost.currency) if row.cost else words.UNKNOWN,
        words.share(row.idle_share),
        words.UNKNOWN if row.cost else row.trouble or "its price is not known",
    ]


def _asked_at(row: LeaseRow) -> datetime:
    return row.asked_at or ALWAYS


def _ended(row: LeaseRow) -> Cell:
    return Cell("believed gone", Tone.WARN) if row.believed_gone else Cell("ended")


def _state(row: LeaseRow, now: datetime) -> Cell:
    if row.state is None:
        return Cell(f"{row.on_platform}, not in our ledger", Tone.WARN)
    if row.on_platform is None and row.expires_at is not None and row.expires_at <= now:
        return Cell("past its end", Tone.WARN)
    if row.state is LeaseState.HELD:
        return Cell(f"held ({row.on_platform})" if row.on_platform else "held", Tone.GOOD)
    return Cell(row.state, Tone.BAD if row.state is LeaseState.UNSURE else Tone.WARN)
