"""Give leases back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.leasing import overdue_here
from harpoon_cli.cli.receipts import cost_so_far, seconds_held
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import LeaseId, LeaseRecord, LeaseState, Money
from harpoon_cli.errors import Exit, HarpoonError, NoSuchLease, PlatformError, UsageFault
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
    everything: Annotated[bool, Option("--all", help="Every lease in this user's ledger.")] = False,
    run: Annotated[
        str | None, Option("--run", metavar="RUN_ID", help="Every lease that this CI run asked for.")
    ] = None,
    overdue: Annotated[
        bool, Option("--overdue", help="Those past their end, or left open by a command that is gone.")
    ] = False,
) -> Outcome:
    """Give leases back, and read them back as gone.

    Ends with status 9, and the command that settles it, where a lease cannot be confirmed as gone.
    """
    if sum([bool(ids), everything, run is not None, overdue]) != 1:
        raise UsageFault("say what to release", hint="give lease ids, or one of --all, --run ID, --overdue")
    lifecycle = session.lifecycle()
    with session.step("release"):
        records, missing = await _chosen(session, lifecycle, ids or [], run, overdue=overdue)
        swept = await sweep(lifecycle, records)
    return _outcome(swept, missing, lifecycle)


async def _chosen(
    session: Session, lifecycle: Lifecycle, ids: Sequence[str], run: str | None, *, overdue: bool
) -> tuple[list[LeaseRecord], list[HarpoonError]]:
    """The records to end, and an error for every id that stands for nothing."""
    if overdue:
        return list(overdue_here(session, lifecycle)), []
    if not ids:
        here = (one for one in session.ledger.open_records() if one.endpoint == lifecycle.endpoint)
        return [one for one in here if run is None or one.owner.run_id == run], []
    found: list[LeaseRecord] = []
    missing: list[HarpoonError] = []
    for name in dict.fromkeys(ids):
        try:
            found.append(await _named(session, lifecycle, name))
        except PlatformError as error:
            missing.append(error)
    return found, missing


async def _named(session: Session, lifecycle: Lifecycle, name: str) -> LeaseRecord:
    """Our record of that name; for a lease that only the platform knows, one made now."""
    record = session.ledger.named(lifecycle.endpoint, name)
    if record is None:
        return lifecycle.adopt(await lifecycle.control.lease(LeaseId(name)))
    if record.state in (LeaseState.RELEASED, LeaseState.REFUSED):
        raise NoSuchLease(
            f"lease {name} is over already: {record.state} at {words.instant(record.released_at)}",
            hint="harpoon leases",
        )
    return record


def _outcome(swept: Swept, missing: Sequence[HarpoonError], lifecycle: Lifecycle) -> Outcome:
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
