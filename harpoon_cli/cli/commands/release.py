"""Give leases back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.leasing import elsewhere, overdue_here
from harpoon_cli.cli.receipts import cost_so_far, seconds_held
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseState, LeaseStatus, Money, Owner
from harpoon_cli.errors import Exit, HarpoonError, NoSuchLease, NotOffered, UsageFault
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.leases.sweep import Swept, sweep
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Outcome, Table, Tone

app = new_app()


@dataclass(frozen=True, slots=True)
class ReleasedLease:
    """A lease that is surely over. seconds_held and cost are None for one that was never given."""

    lease_id: str | None
    reference: str
    pool_id: str
    seconds_held: float | None
    cost: Money | None


@dataclass(frozen=True, slots=True)
class ReleaseData:
    """Those that are over; what is not is in the envelope's errors."""

    released: tuple[ReleasedLease, ...]


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
) -> Outcome:
    """Give leases back, and read them back as gone.

    Ends with status 9, and the command that settles it, where a lease cannot be confirmed as gone.
    """
    ways = sum([bool(ids), everything, run is not None, overdue])
    if ways != 1:
        what = "say what to release" if not ways else "these ways to say what to release exclude each other"
        raise UsageFault(what, hint="give lease ids, or one of --all, --run ID, --overdue")
    if run == "":
        raise UsageFault("--run was given no run id", hint="is the variable that holds it set?")
    lifecycle = session.lifecycle()
    with session.step("release"):
        records, missing = await _chosen(session, lifecycle, ids or [], run, overdue=overdue, theirs=theirs)
        swept = await sweep(lifecycle, records)
    return _outcome(swept, missing, [] if ids else elsewhere(session), lifecycle)


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
    if overdue:
        return list(overdue_here(session, lifecycle)), list(session.ledger.broken_rows())
    if not ids:
        here = (one for one in session.ledger.open_records() if one.endpoint == lifecycle.endpoint)
        chosen = [one for one in here if run is None or one.owner.run_id == run]
        return chosen, list(session.ledger.broken_rows())
    found: list[LeaseRecord] = []
    missing: list[HarpoonError] = []
    for name in dict.fromkeys(ids):
        try:
            found.append(await _named(session, lifecycle, name, theirs=theirs))
        except HarpoonError as error:  # it must not keep the others from being given back
            missing.append(error)
    return found, missing


async def _named(session: Session, lifecycle: Lifecycle, name: str, *, theirs: bool) -> LeaseRecord:
    """Our record of that name; for a lease that only the platform knows, one made now."""
    record = session.ledger.named(lifecycle.endpoint, name)
    if record is None:
        lease = await lifecycle.control.lease(LeaseId(name))
        if not theirs:
            _must_be_ours(lease, lifecycle.owner)
        return lifecycle.adopt(lease)
    if record.state not in (LeaseState.RELEASED, LeaseState.REFUSED):
        return record
    still_there = await _still_there(lifecycle, record)
    if still_there is None:
        raise NoSuchLease(
            f"lease {name} is over already: {record.state} at {words.instant(record.released_at)}",
            hint="harpoon leases",
        )
    return lifecycle.reopen(record, still_there)


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
            shown = [await control.lease(record.lease_id)]
        elif control.features.lists:
            listed = await control.leases()
            shown = [one for one in listed if one.metadata.get("reference") == record.reference]
        else:
            shown = []
    except (NoSuchLease, NotOffered):
        return None
    return next((one for one in shown if one.status is not LeaseStatus.GONE), None)


def _outcome(
    swept: Swept, missing: Sequence[HarpoonError], notes: Sequence[str], lifecycle: Lifecycle
) -> Outcome:
    released = tuple(_released(record, lifecycle) for record in swept.ended)
    columns = [
        Column("lease", "released"),
        Column("pool", "pool"),
        Column("held", "held", right=True),
        Column("cost", "cost", right=True),
    ]
    rows: list[Sequence[Cell | str]] = [
        [
            Cell(one.lease_id or one.reference, Tone.STRONG),
            one.pool_id,
            words.duration(one.seconds_held),
            words.money(one.cost),
        ]
        for one in released
    ]
    errors = [*swept.troubles, *missing]
    worst = max((error.exit for error in errors), key=_severity, default=Exit.DONE)
    return Outcome(
        data=ReleaseData(released),
        views=[Table(columns, rows, empty="there was nothing to release")],
        ids=[one.lease_id or one.reference for one in released],
        notes=notes,
        errors=errors,
        exit=worst,
    )


def _severity(status: Exit) -> bool:
    """Something that may still bill is worse than anything else."""
    return status is Exit.MAY_STILL_BILL


def _released(record: LeaseRecord, lifecycle: Lifecycle) -> ReleasedLease:
    now = lifecycle.now()
    return ReleasedLease(
        lease_id=record.lease_id,
        reference=record.reference,
        pool_id=record.request.pool_id,
        seconds_held=seconds_held(record, now),
        cost=cost_so_far(record, now),
    )
