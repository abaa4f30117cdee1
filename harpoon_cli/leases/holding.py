"""Holding a lease for the length of a block: taken on the way in, given back on every way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from harpoon_cli.domain import LeaseRecord
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.leases.patience import LAST_LOOK_S, finishing

Phase = Callable[[str], AbstractContextManager[object]]
"""Called with "allocate", "ready" and "release" around each, so that a command can time and show them."""


def _unwatched(_name: str) -> AbstractContextManager[object]:
    return nullcontext()


@asynccontextmanager
async def holding(
    lifecycle: Lifecycle,
    intent: LeaseRecord,
    *,
    phase: Phase = _unwatched,
    keep: bool = False,
    wait: bool = True,
) -> AsyncIterator[LeaseRecord]:
    """The lease of an intent, ready unless wait=False, for the block's length.

    On the way out, by return, error or cancel, it is released and read back as gone, or `MayStillBill` is
    raised. With keep it stays, but only where the block ends well; its row does not say so before
    `Ledger.keep`: until somebody was told of it, nobody would miss it. After a cancel, also one that comes
    during the release, `interrupted_release_s` is left for that.
    """
    record, kept, cancelled = intent, False, False
    ends_at = lifecycle.clock() + lifecycle.patience.allocate_s
    try:
        with phase("allocate"):
            record = await lifecycle.obtain(record)
        if wait:
            with phase("ready"):
                record = await lifecycle.wait_ready(record)
        yield record
        kept = keep
    except asyncio.CancelledError:
        cancelled = True
        raise
    finally:
        if not (kept or lifecycle.is_over(record)):
            with phase("release"):
                hurried = cancelled or _was_cancelled()
                left_s = max(LAST_LOOK_S, ends_at - lifecycle.clock())
                await _give_back(lifecycle, record, left_s, hurried=hurried)


def _was_cancelled() -> bool:
    """Has this task been cancelled? Another error may have come over that on its way out."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _give_back(lifecycle: Lifecycle, record: LeaseRecord, look_s: float, *, hurried: bool) -> None:
    """End it; what was never answered has been looked for already, and is for look_s more."""
    try:
        within_s = lifecycle.hurry.left_s() if hurried else None
        work = lifecycle.settle(record, within_s=within_s, look_s=None if hurried else look_s)
        await finishing(work, within_s=lifecycle.hurry.left_s)
    except asyncio.CancelledError as cut:
        if lifecycle.is_over(record):
            raise
        raise lifecycle.may_still_bill(record, "stopped before the release was confirmed") from cut
