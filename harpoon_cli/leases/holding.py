"""Holding a lease for the length of a block: taken on the way in, given back on every way out."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from harpoon_cli.domain import LeaseRecord
from harpoon_cli.leases.lifecycle import Lifecycle

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
    raised. With keep it stays, but only where the block ends well. A cancel leaves `interrupted_release_s`.
    """
    record, ended_well, within_s = intent, False, None
    try:
        with phase("allocate"):
            record = await lifecycle.obtain(record)
        if wait:
            with phase("ready"):
                record = await lifecycle.wait_ready(record)
        yield record
        ended_well = True
    except CancelledError:
        within_s = lifecycle.patience.interrupted_release_s
        raise
    finally:
        if keep and ended_well:
            lifecycle.ledger.keep(record.reference)
        elif not lifecycle.is_over(record):
            with phase("release"):
                await lifecycle.settle(record, within_s=within_s)
