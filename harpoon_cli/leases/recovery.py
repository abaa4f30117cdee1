"""Finding leases of ours that the ledger does not know, by the tag that each carries: when a ledger was lost.

Writes down what it finds; ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from harpoon_cli.client.service import IncompleteList
from harpoon_cli.domain import Lease, LeaseRecord, LeaseStatus, Reference
from harpoon_cli.errors import DoubtfulAbsence, NoSuchLease, NotOffered, StorageFault
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.leases.marks import is_reference
from harpoon_cli.leases.settling import OVER
from harpoon_cli.values import Struct


class Recovered(Struct, frozen=True):
    """Records written down again, as the platform tells them, and records that nobody can be using.

    restored: of a lost ledger; whether one is to end is for `sweep.overdue` to say. stray: a second lease of
    one intent, or the lease of a record that was closed; they are to end. left_out says which rows of the
    list could not be read: there may be more of ours.
    """

    restored: tuple[LeaseRecord, ...] = ()
    stray: tuple[LeaseRecord, ...] = ()
    left_out: IncompleteList | None = None


async def recover(lifecycle: Lifecycle) -> Recovered:
    """Compare the platform's list with the ledger; `PlatformError` where the list cannot be read.

    Only leases with our owner's tag and our home's are looked at, and nothing is done on a platform whose
    list does not carry metadata.
    """
    if not (lifecycle.evidence.can_search and lifecycle.owner.home):
        return Recovered()
    listed: tuple[Lease, ...] = ()
    left_out: IncompleteList | None = None
    try:
        listed = await lifecycle.control.leases()
    except IncompleteList as partly:
        listed, left_out = partly.leases, partly
    except NotOffered:
        return Recovered()
    restored: list[LeaseRecord] = []
    stray: list[LeaseRecord] = []
    for lease in _tagged(listed, lifecycle):
        try:
            if lifecycle.ledger.record(Reference(lease.metadata["reference"])) is None:
                restored.append(lifecycle.restore(lease))
            elif (found := await _stray(lifecycle, lease)) is not None:
                stray.append(found)
        except StorageFault:  # its row is not whole: `Ledger.broken_rows` tells it
            continue
    if left_out is None:
        lifecycle.ledger.search_done(lifecycle.endpoint, lifecycle.now())
    return Recovered(tuple(restored), tuple(stray), left_out)


def _tagged(listed: Iterable[Lease], lifecycle: Lifecycle) -> Iterable[Lease]:
    for lease in listed:
        tag = lease.metadata
        ours = tag.get("client") == "harpoon" and tag.get("home") == lifecycle.owner.home
        named = is_reference(tag.get("reference", ""))
        if ours and named and lease.status is not LeaseStatus.GONE:
            yield lease


async def _stray(lifecycle: Lifecycle, lease: Lease) -> LeaseRecord | None:
    """The record of a lease that no open record stands for, though one has its reference."""
    ledger = lifecycle.ledger
    of_reference = ledger.record(Reference(lease.metadata["reference"]))
    known = ledger.named(lifecycle.endpoint, lease.id)
    if known is None:
        unanswered = of_reference is not None and of_reference.lease_id is None
        if unanswered and of_reference is not None and of_reference.state not in OVER:
            return None  # settling that record finds it
        return lifecycle.adopt(lease)
    if known.state not in OVER or not await _is_live(lifecycle, lease):
        return None
    return lifecycle.reopen(known, lease)


async def _is_live(lifecycle: Lifecycle, lease: Lease) -> bool:
    """Lists lag behind: a lease that was given back just now can still be in one."""
    try:
        shown = await lifecycle.control.lease(lease.id)
    except (NoSuchLease, DoubtfulAbsence, NotOffered):
        return False
    return shown.status in (LeaseStatus.ACTIVE, LeaseStatus.PENDING)
