"""Give leases back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from typer import Argument, Option

from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.leasing import elsewhere, overdue_here
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseStatus, Owner, Tenure
from harpoon_cli.errors import (
    Exit,
    HarpoonError,
    NoSuchLease,
    NotOffered,
    PlatformError,
    StorageFault,
    UsageFault,
)
from harpoon_cli.leases.abandoned import each_once, found_again
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.leases.receipts import ended_besides, tenure_of
from harpoon_cli.leases.settling import OVER
from harpoon_cli.leases.sweep import sweep
from harpoon_cli.leases.unrecorded import UnusableLedger, ours, shown
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Outcome, Table, Tone
from harpoon_cli.values import Struct

app = new_app()

WORTH_A_TRY = (Exit.UNREACHABLE, Exit.MAY_STILL_BILL)

COLUMNS = (
    Column("lease", "released"),
    Column("pool", "pool", minor=True),
    Column("held", "held", right=True),
    Column("price", "price", right=True),
    Column("cost", "cost", right=True),
    Column("idle", "idle", right=True),
)


class ReleaseData(Struct, frozen=True):
    """Those that are surely over, with their receipts; what is not is in the envelope's errors."""

    released: tuple[Tenure, ...]


@command(
    app,
    "release",
    data=ReleaseData,
    examples=[
        ("release alloc-1234", "end one lease, and wait until the platform shows it gone"),
        ("release --all", "end every lease in this user's ledger"),
        ('release --run "$GITHUB_RUN_ID"', "end what a CI run leased; put it in a step with `if: always()`"),
        ("release --overdue", "end what crashed commands left open, and settle what is unsure"),
    ],
)
async def release(
    session: Session,
    ids: Annotated[
        list[str] | None,
        Argument(metavar="[ID]...", help="Lease ids, or our references.", show_default=False),
    ] = None,
    everything: Annotated[bool, Option("--all", help="Every lease in the ledger at this platform.")] = False,
    run: Annotated[
        str | None, Option("--run", metavar="RUN_ID", help="Every lease that this CI run asked for.")
    ] = None,
    overdue: Annotated[
        bool, Option("--overdue", help="Those past their end, or left open by a command that is gone.")
    ] = False,
    theirs: Annotated[
        bool,
        Option("--theirs", help="End leases named by id even where another harpoon user owns them."),
    ] = False,
    looked: Annotated[
        bool,
        Option(
            "--confirmed-gone",
            help="Nothing is sent: you have looked at the platform, and the leases named are not there.",
        ),
    ] = False,
) -> Outcome:
    """Give leases back, and read them back as gone.

    Prints for each how long it was held, its price, its cost, and the share of the time in which it was idle.
    Ends with status 9, and the command that settles it, where a lease cannot be confirmed as gone. A ledger
    that cannot be used keeps no lease from being released, but for --overdue: what is not written down then
    is said, with status 11.
    """
    ways = sum([bool(ids), everything, run is not None, overdue])
    if ways != 1:
        what = "say what to release" if not ways else "these ways to say what to release exclude each other"
        raise UsageFault(what, hint="give lease ids, or one of --all, --run ID, --overdue")
    if run == "":
        raise UsageFault("--run was given no run id", hint="is the variable that holds it set?")
    if looked and not ids:
        raise UsageFault("--confirmed-gone needs the leases that are gone", hint="harpoon leases")
    if looked:
        lifecycle = session.lifecycle()
        return _outcome(_closed_by_hand(lifecycle, ids or []), [], [])
    lifecycle = session.lifecycle(ledger=session.ledger_at_best())
    began = lifecycle.now()
    with session.step("release"):
        records, missing = await _chosen(session, lifecycle, ids or [], run, overdue=overdue, theirs=theirs)
        swept = await sweep(lifecycle, records)
    ended = {one.reference: one for one in swept.ended}
    with suppress(StorageFault):  # what could not be written down is among the troubles
        ended |= {one.reference: one for one in ended_besides(lifecycle, began)}
    released = tuple(tenure_of(one, lifecycle.now()) for one in ended.values())
    notes = [] if ids or isinstance(lifecycle.ledger, UnusableLedger) else elsewhere(session)
    return _outcome(released, [*swept.troubles, *missing], notes)


def _closed_by_hand(lifecycle: Lifecycle, names: Sequence[str]) -> tuple[Tenure, ...]:
    """Close the records of these names on the user's word; `NoSuchLease` for one that has no open record."""
    records = {name: lifecycle.ledger.named(lifecycle.endpoint, name) for name in names}
    for name, record in records.items():
        if record is None or record.state in OVER:
            raise NoSuchLease(f"the ledger has nothing open of the name {name}", hint="harpoon leases")
    found = [record for record in records.values() if record is not None]
    return tuple(tenure_of(lifecycle.believe_gone(one), lifecycle.now()) for one in found)


async def _chosen(
    session: Session,
    lifecycle: Lifecycle,
    ids: Sequence[str],
    run: str | None,
    *,
    overdue: bool,
    theirs: bool,
) -> tuple[list[LeaseRecord], list[HarpoonError]]:
    """The records to end, and an error for every id that stands for nothing, or row that cannot be read."""
    if not ids and isinstance(lifecycle.ledger, UnusableLedger) and not overdue:
        return list(await ours(lifecycle, run)), [lifecycle.ledger.fault]
    if not ids:
        stray, troubles = await _found_again(session, lifecycle)
        if overdue:
            return list(each_once(*overdue_here(session, lifecycle), *stray)), troubles
        here = (one for one in lifecycle.ledger.open_records() if one.endpoint == lifecycle.endpoint)
        chosen = [one for one in here if run is None or one.owner.run_id == run]
        return chosen, troubles
    found: list[LeaseRecord] = []
    missing: list[HarpoonError] = []
    for name in dict.fromkeys(ids):
        try:
            found.append(await _named(lifecycle, name, theirs=theirs))
        except HarpoonError as error:  # it must not keep the others from being given back
            missing.append(error)
    return found, missing


async def _found_again(
    session: Session, lifecycle: Lifecycle
) -> tuple[Sequence[LeaseRecord], list[HarpoonError]]:
    """What the ledger lacked and is to end, and an error for what could not be read, here or there."""
    troubles: list[HarpoonError] = list(lifecycle.ledger.broken_rows())
    stray: Sequence[LeaseRecord] = ()
    try:
        found = await found_again(lifecycle, session.screen.note, lost=lifecycle.ledger.is_blank())
        stray = found.stray
        troubles += [found.left_out] if found.left_out is not None else []
    except PlatformError as error:
        troubles.append(error)
    return stray, troubles


async def _named(lifecycle: Lifecycle, name: str, *, theirs: bool) -> LeaseRecord:
    """Our record of that name; for a lease that only the platform knows, one made now.

    What the ledger cannot tell, or take down, does not keep a lease from being released.
    """
    try:
        record = lifecycle.ledger.named(lifecycle.endpoint, name)
    except StorageFault:
        lease = await shown(lifecycle, name)
        if not theirs:
            _must_be_ours(lease, lifecycle.owner)
        return lifecycle.adoption.unrecorded(lease)
    if record is None:
        lease = await lifecycle.control.lease(LeaseId(name))
        if not theirs:
            _must_be_ours(lease, lifecycle.owner)
        try:
            return lifecycle.adopt(lease)
        except StorageFault:
            return lifecycle.adoption.unrecorded(lease)
    if record.state not in OVER:
        return record
    still_there = await _still_there(lifecycle, record)
    if still_there is None:
        raise NoSuchLease(
            f"lease {name} is over already: {record.state} at {words.instant(record.released_at)}",
            hint="harpoon leases",
        )
    try:
        return lifecycle.reopen(record, still_there)
    except StorageFault:
        return lifecycle.adoption.unrecorded(still_there)


def _must_be_ours(lease: Lease, us: Owner) -> None:
    """`UsageFault` for a lease that another user, or another machine, has asked for with harpoon."""
    owner = lease.metadata.get("owner")
    if lease.metadata.get("client") != "harpoon" or not owner:
        return
    if owner.partition(" (")[0] != f"{us.user}@{us.host}":  # the rest is the CI run
        raise UsageFault(
            f"lease {lease.id} belongs to {owner}, and is not in our ledger",
            hint=f"if it is to end all the same: harpoon release --theirs {lease.id}",
        )


async def _still_there(lifecycle: Lifecycle, record: LeaseRecord) -> Lease | None:
    """The lease of a closed record, where the platform shows it as live in spite of that."""
    control = lifecycle.control
    try:
        if record.lease_id is not None:
            found = [await control.lease(record.lease_id)]
        elif control.features.lists:
            listed = await control.leases()
            found = [one for one in listed if one.metadata.get("reference") == record.reference]
        else:
            found = []
    except (NoSuchLease, NotOffered):
        return None
    return next((one for one in found if one.status is not LeaseStatus.GONE), None)


def _outcome(released: tuple[Tenure, ...], errors: Sequence[HarpoonError], notes: Sequence[str]) -> Outcome:
    return Outcome(
        data=ReleaseData(released),
        views=[Table(COLUMNS, [_cells(one) for one in released], empty="there was nothing to release")],
        ids=[one.lease_id or one.reference for one in released],
        notes=notes,
        errors=errors,
        exit=max((error.exit for error in errors), key=_severity, default=Exit.DONE),
    )


def _cells(one: Tenure) -> list[Cell | str]:
    return [
        Cell(one.lease_id or one.reference, Tone.STRONG),
        one.pool_id,
        words.duration(one.seconds_held),
        words.price(one.price),
        words.money(one.cost) + (", at most" if one.cost and one.believed_gone else ""),
        words.share(one.idle_share),
    ]


def _severity(status: Exit) -> int:
    """Something that may still bill is worse than anything else; then comes what is worth another try."""
    return WORTH_A_TRY.index(status) + 1 if status in WORTH_A_TRY else 0
