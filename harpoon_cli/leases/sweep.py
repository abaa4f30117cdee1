"""Ending what an earlier run left open: past its end, or asked for by a process that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from harpoon_cli.domain import LeaseRecord, LeaseState, Reference
from harpoon_cli.errors import HarpoonError, MayStillBill, StorageFault, release_command
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.leases.patience import finishing
from harpoon_cli.values import Struct, replace

CLOCK_TOLERANCE = timedelta(seconds=30)
"""A lease still in use is past its end only this much later: the platform's clock and ours differ."""

AT_ONCE = 8
"""How many leases are given back at the same time."""


class Swept(Struct, frozen=True):
    """What became of each: records now surely over, and an error for every one that is not.

    One that is over, and cannot be written down as that, is in both.
    """

    ended: tuple[LeaseRecord, ...]
    troubles: tuple[HarpoonError, ...]


def overdue(
    records: Iterable[LeaseRecord], now: datetime, abandoned: Callable[[Reference], bool]
) -> tuple[LeaseRecord, ...]:
    """Those that nobody uses any more: a lease that is kept, or whose holder lives, only past its end."""
    return tuple(one for one in records if _past_end(one, now) or _left_behind(one, abandoned))


def _past_end(record: LeaseRecord, now: datetime) -> bool:
    """Past the platform's word, by its clock, and past what was asked for, by ours; where only one is known,
    past that. An end that no calendar holds is none.
    """
    ttl_s = record.request.ttl_s
    try:
        asked_for = record.intended_at + timedelta(seconds=ttl_s) if ttl_s else None
        ends = [end + CLOCK_TOLERANCE for end in (record.expires_at, asked_for) if end is not None]
    except OverflowError:
        return False
    return bool(ends) and now >= max(ends)


def _left_behind(record: LeaseRecord, abandoned: Callable[[Reference], bool]) -> bool:
    in_use = record.state is LeaseState.HELD and record.kept
    return not in_use and abandoned(record.reference)


async def sweep(
    lifecycle: Lifecycle, records: Iterable[LeaseRecord], *, within_s: float | None = None
) -> Swept:
    """Settle each record, for `within_s` seconds each; one that cannot be does not keep the others from it.

    After a cancel the releases have `interrupted_release_s` left; `MayStillBill` where that is too short.
    """
    records = tuple(records)
    gate = asyncio.Semaphore(AT_ONCE)

    async def settled(record: LeaseRecord) -> tuple[LeaseRecord | None, HarpoonError | None]:
        async with gate:
            try:
                return await lifecycle.settle(record, within_s=within_s), None
            except StorageFault as fault:
                over = lifecycle.is_over(record)
                return (
                    (_over(record, lifecycle.now()), _not_written(record, fault)) if over else (None, fault)
                )
            except HarpoonError as trouble:
                return None, trouble

    work = asyncio.gather(*map(settled, records))
    try:
        results = await finishing(work, within_s=lifecycle.hurry.left_s)
    except asyncio.CancelledError as cut:
        left = [one.lease_id or one.reference for one in records if not lifecycle.is_over(one)]
        if not left:
            raise
        raise MayStillBill(
            f"stopped before the release of {', '.join(left)} was confirmed",
            hint=release_command(*left),
        ) from cut
    return Swept(
        ended=tuple(record for record, _ in results if record is not None),
        troubles=tuple(trouble for _, trouble in results if trouble is not None),
    )


def _over(record: LeaseRecord, now: datetime) -> LeaseRecord:
    """A record that is over, and that the ledger does not show as such."""
    return replace(record, state=LeaseState.RELEASED, released_at=record.released_at or now)


def _not_written(record: LeaseRecord, fault: StorageFault) -> StorageFault:
    name = record.lease_id or record.reference
    return StorageFault(
        f"lease {name} is over, and that cannot be written down: {fault.message}",
        hint=f"what it cost is told only here; {fault.hint}",
    )
