"""Leases that are to end although our ledger cannot be used: known by what the platform shows of them alone.

Whatever would read or write the ledger is refused; nothing here sends a release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from harpoon_cli.client.service import IncompleteList
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseStatus, Reference
from harpoon_cli.errors import NoSuchLease, NotOffered, StorageFault
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.leases.marks import Marks


class UnusableLedger(Ledger):
    """Stands for a ledger that cannot be opened: all that is asked of it fails as opening it did."""

    def __init__(self, path: Path, fault: StorageFault) -> None:
        self.path = path
        self.ruined: Path | None = None
        self._marks = Marks(path.with_name("kept"))
        self.fault = fault

    def close(self) -> None:
        pass

    def keep(self, reference: Reference) -> bool:
        raise self.fault

    def holder(self, reference: Reference) -> str | None:
        raise self.fault

    def searched(self, endpoint: str, *, apart: timedelta) -> bool:
        raise self.fault

    def is_blank(self) -> bool:
        raise self.fault

    def _change(self, statement: str, values: Mapping[str, str | None]) -> bool:
        raise self.fault

    def _rows(self, where: str, values: Sequence[str]) -> Sequence[Sequence[str]]:
        raise self.fault


async def shown(lifecycle: Lifecycle, name: str) -> Lease:
    """The lease of that id, or of that reference of ours, as the platform shows it.

    `NoSuchLease` where it shows none. Where it cannot show one at all the id is believed, and nothing else
    is known of its lease.
    """
    try:
        return await lifecycle.control.lease(LeaseId(name))
    except NotOffered:
        return Lease(LeaseId(name), LeaseStatus.ACTIVE)
    except NoSuchLease:
        for lease in await _listed(lifecycle):
            if lease.metadata.get("reference") == name:
                return lease
        raise


async def ours(lifecycle: Lifecycle, run_id: str | None) -> tuple[LeaseRecord, ...]:
    """Records of what the list shows with the tag of our ledger, of one CI run or of all (None)."""
    home = lifecycle.owner.home
    tagged = [one for one in await _listed(lifecycle) if home and one.metadata.get("home") == home]
    run = f" ({run_id})"
    return tuple(
        lifecycle.adoption.unrecorded(one)
        for one in tagged
        if one.status is not LeaseStatus.GONE
        and (run_id is None or one.metadata.get("owner", "").endswith(run))
    )


async def _listed(lifecycle: Lifecycle) -> tuple[Lease, ...]:
    if not lifecycle.evidence.can_search:
        return ()
    try:
        return await lifecycle.control.leases()
    except IncompleteList as partly:
        return partly.leases
    except NotOffered:
        return ()
