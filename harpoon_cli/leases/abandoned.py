"""Ending what earlier commands left open on a platform, before another lease is asked for there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from harpoon_cli.domain import LeaseRecord, Reference
from harpoon_cli.errors import HarpoonError, PlatformError
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.leases.recovery import recover
from harpoon_cli.leases.sweep import overdue, sweep

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
    return overdue(here, lifecycle.now(), left)


async def end_abandoned(lifecycle: Lifecycle, is_alive: IsAlive, say: Say) -> tuple[LeaseRecord, ...]:
    """End what is abandoned, and say so; what cannot be ended, or not even be read, is said too.

    The records of what is over now.
    """
    for sentence in unreadable(lifecycle.ledger.broken_rows()):
        say(sentence)
    stray: tuple[LeaseRecord, ...] = ()
    if not lifecycle.ledger.searched(lifecycle.endpoint):
        with suppress(PlatformError):  # the command meets the same trouble, and tells it
            stray = await found_again(lifecycle, say)
    left = (*abandoned(lifecycle, is_alive), *stray)
    if not left:
        return ()
    # The command was not asked to do this: it does not wait long for a platform that does not answer.
    swept = await sweep(lifecycle, left, within_s=lifecycle.patience.abandoned_s)
    for record in swept.ended:
        say(f"ended {record.lease_id or record.reference}, which an earlier command left open")
    for trouble in swept.troubles:
        say(f"{trouble.message}; {trouble.hint}")
    return swept.ended


async def found_again(lifecycle: Lifecycle, say: Say) -> tuple[LeaseRecord, ...]:
    """Look for leases of ours that the ledger lacks, and say what was found; those of them that are to end.

    What a lost ledger had written down is in the ledger again, and may be abandoned. `PlatformError` where
    the platform's list cannot be read.
    """
    if lifecycle.ledger.ruined is not None:
        say(f"the ledger was ruined, and lies at {lifecycle.ledger.ruined} now; a new one was begun")
    found = await recover(lifecycle)
    for record in found.restored:
        say(f"found lease {record.lease_id} of ours, which the ledger had lost")
    for record in found.stray:
        say(f"found lease {record.lease_id} of ours, which nothing uses")
    return found.stray


def unreadable(troubles: Sequence[HarpoonError]) -> list[str]:
    """A sentence about rows that cannot be read, with the way out, however many there are."""
    if not troubles:
        return []
    more = f", nor are {len(troubles) - 1} more" if len(troubles) > 1 else ""
    return [f"{troubles[0].message}{more}; {troubles[0].hint}"]
