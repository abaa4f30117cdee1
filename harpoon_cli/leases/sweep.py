"""Ending what an earlier run left open: past its end, or asked for by a process that is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from harpoon_cli.domain import LeaseRecord, LeaseState, Reference
from harpoon_cli.errors import HarpoonError, MayStillBill
from harpoon_cli.leases.lifecycle import Lifecycle


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of each: records now surely over, and an error for every one that is not."""

    ended: tuple[LeaseRecord, ...]
    troubles: tuple[HarpoonError, ...]


def overdue(
    records: Iterable[LeaseRecord], now: datetime, abandoned: Callable[[Reference], bool]
) -> tuple[LeaseRecord, ...]:
    """Those that nobody uses any more. A lease that was kept on purpose is overdue only past its end."""
    return tuple(one for one in records if _past_end(one, now) or _left_behind(one, abandoned))


def _past_end(record: LeaseRecord, now: datetime) -> bool:
    return record.expires_at is not None and now >= record.expires_at


def _left_behind(record: LeaseRecord, abandoned: Callable[[Reference], bool]) -> bool:
    in_use = record.state is LeaseState.HELD and record.kept
    return not in_use and abandoned(record.reference)


async def sweep(lifecycle: Lifecycle, records: Iterable[LeaseRecord]) -> Swept:
    """Settle each record; one that cannot be settled does not keep the others from it."""
    ended: list[LeaseRecord] = []
    troubles: list[HarpoonError] = []
    for record in records:
        try:
            ended.append(await lifecycle.settle(record))
        except MayStillBill as trouble:
            troubles.append(trouble)
    return Swept(tuple(ended), tuple(troubles))
