"""Ending what earlier commands left open on a platform, before another lease is asked for there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from harpoon_cli.domain import LeaseRecord, Reference
from harpoon_cli.errors import HarpoonError, PlatformError
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.leases.patience import ABSENCE_PROVES_AFTER_S, LISTED_WITHIN_S
from harpoon_cli.leases.recovery import Recovered, recover
from harpoon_cli.leases.settling import OVER
from harpoon_cli.leases.sweep import overdue, sweep

KEPT_FOR = timedelta(days=400)
"""How long a lease that is over stays in the ledger: a year, and time to look at it."""

AT_MOST = 16
"""How many abandoned leases a command ends that was not asked to: with a dead platform each takes seconds."""

IsAlive = Callable[[str], bool]
"""Is the process behind this sign of life still there?"""

Say = Callable[[str], None]
"""Tells a person a sentence."""


def abandoned(lifecycle: Lifecycle, is_alive: IsAlive) -> tuple[LeaseRecord, ...]:
    """The open records of this platform that nobody uses any more."""
    ledger = lifecycle.ledger

    def left(reference: Reference) -> bool:
        holder = ledger.holder(reference)
        return holder is None or not is_alive(holder)

    here = (one for one in ledger.open_records() if one.endpoint == lifecycle.endpoint)
    found = overdue(here, lifecycle.now(), left)
    # Read again: a process writes down that it keeps a lease, and then lets its sign of life go.
    now_there = (ledger.record(one.reference) for one in found)
    still_open = [one for one in now_there if one is not None and one.state not in OVER]
    return overdue(still_open, lifecycle.now(), left)


async def end_abandoned(
    lifecycle: Lifecycle, is_alive: IsAlive, say: Say, warn: Say
) -> tuple[LeaseRecord, ...]:
    """End what is abandoned, and say so; what cannot be ended, or not even be read, is warned of.

    The records of what is over now.
    """
    for sentence in unreadable(lifecycle.ledger.broken_rows()):
        warn(sentence)
    lifecycle.ledger.forget(lifecycle.now() - KEPT_FOR)
    stray: tuple[LeaseRecord, ...] = ()
    if not lifecycle.ledger.searched(lifecycle.endpoint, apart=timedelta(seconds=ABSENCE_PROVES_AFTER_S)):
        with suppress(PlatformError):  # the command meets the same trouble, and tells it
            found = await found_again(lifecycle, say, lost=lifecycle.ledger.seems_lost())
            stray = found.stray
            if found.left_out is not None:
                warn(found.left_out.message)
    left = each_once(*abandoned(lifecycle, is_alive), *stray)
    if len(left) > AT_MOST:
        warn(f"{len(left)} leases are left open; {AT_MOST} of them are ended now: harpoon release --overdue")
        left = left[:AT_MOST]
    if not left:
        return ()
    # The command was not asked to do this: it does not wait long for a platform that does not answer.
    swept = await sweep(lifecycle, left, within_s=lifecycle.patience.abandoned_s)
    for record in swept.ended:
        say(f"ended {record.lease_id or record.reference}, which an earlier command left open")
    for trouble in swept.troubles:
        warn(f"{trouble.message}; {trouble.hint}")
    return swept.ended


def each_once(*records: LeaseRecord) -> tuple[LeaseRecord, ...]:
    """Without those that come again: two releases of one lease at once would confuse each other."""
    return tuple({one.reference: one for one in records}.values())


async def found_again(lifecycle: Lifecycle, say: Say, *, lost: bool) -> Recovered:
    """Look for leases of ours that the ledger lacks, and say what was found.

    What a lost ledger had written down is in the ledger again, and may be abandoned. lost: it may have been
    lost just now, so what was leased just before may not be listed yet, and is waited for. `PlatformError`
    where the platform's list cannot be read.
    """
    if lost and lifecycle.evidence.can_search:
        say(f"the ledger is new: what one before may have known is waited for, for {LISTED_WITHIN_S:g} s")
        await lifecycle.sleep(LISTED_WITHIN_S)
    found = await recover(lifecycle)
    for record in found.restored:
        say(f"found lease {record.lease_id} of ours, which the ledger had lost")
    for record in found.stray:
        say(f"found lease {record.lease_id} of ours, which nothing uses")
    return found


def unreadable(troubles: Sequence[HarpoonError]) -> list[str]:
    """A sentence about rows that cannot be read, with the way out, however many there are."""
    if not troubles:
        return []
    more = f", nor are {len(troubles) - 1} more" if len(troubles) > 1 else ""
    return [f"{troubles[0].message}{more}; {troubles[0].hint}"]
