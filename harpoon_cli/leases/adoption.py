"""Records of leases that no row of ours names: a second one, a stranger's, one of a lost ledger.

Writes them down, or makes them up where nothing can be written; asks no platform and ends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from harpoon_cli.domain import (
    Lease,
    LeaseId,
    LeaseRecord,
    LeaseRequest,
    LeaseState,
    Owner,
    PoolId,
    Reference,
    Requirements,
)
from harpoon_cli.errors import StorageFault
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.values import Struct, replace


class Adoption(Struct, frozen=True):
    """Makes the records of one platform, in one ledger. See `leases.lifecycle` for its parts."""

    ledger: Ledger
    endpoint: str
    owner: Owner
    holder: Callable[[], str]
    now: Callable[[], datetime]
    new_reference: Callable[[], Reference]

    def written(self, lease: Lease, at: datetime) -> LeaseRecord:
        """A row of its own for a lease of this command, which began at `at`. `StorageFault`."""
        record = self._made_up(lease, at)
        self.ledger.adopt(record, self.holder(), lease)
        return record

    def unwritten(self, record: LeaseRecord, lease: Lease) -> LeaseRecord:
        """What stands for a second lease of a record where the disk is full."""
        # No row has this reference: nothing that is written down can then be about the first lease.
        request = replace(record.request, reference=self.new_reference())
        return replace(record, request=request, lease_id=lease.id)

    def unrecorded(self, lease: Lease) -> LeaseRecord:
        """What stands for a lease that a read has shown where the ledger cannot be used."""
        record = self._made_up(lease, lease.created_at or self.now())
        return replace(record, gpu=lease.gpu, seen_at=self.now(), expires_at=lease.expires_at)

    def restored(self, lease: Lease) -> LeaseRecord:
        """The row that was lost, as the metadata of its lease tells it; see `leases.recovery`."""
        at, tag = lease.created_at or self.now(), lease.metadata
        run_id = tag.get("owner", "").partition(" (")[2].removesuffix(")")
        record = LeaseRecord(
            _request(Reference(tag["reference"]), lease, _seconds_until(lease, at), dict(tag)),
            self.endpoint,
            replace(self.owner, run_id=run_id or None, pid=None),
            LeaseState.HELD,
            at,
            lease_id=lease.id,
        )
        self.ledger.adopt(record, tag.get("holder", ""), lease)
        if self.ledger.was_kept(record.reference):
            self.ledger.keep(record.reference)
        return record

    def is_ours(self, lease_id: LeaseId) -> bool:
        """Does a row of ours name it? Where the ledger cannot tell, it may."""
        try:
            return self.ledger.named(self.endpoint, lease_id) is not None
        except StorageFault:
            return True

    def _made_up(self, lease: Lease, at: datetime) -> LeaseRecord:
        """A record of a request that was never sent, with a reference of its own."""
        return LeaseRecord(
            _request(self.new_reference(), lease, 0, {}),
            self.endpoint,
            self.owner,
            LeaseState.HELD,
            at,
            lease_id=lease.id,
            price=lease.price,
        )


def _request(reference: Reference, lease: Lease, ttl_s: int, metadata: Mapping[str, str]) -> LeaseRequest:
    """What is known of a request by its lease alone. Without a key it is not to be sent again."""
    return LeaseRequest(
        reference=reference,
        idempotency_key="",
        pool_id=lease.pool_id or PoolId("unknown"),
        requirements=Requirements(vram_mb=0, tflops=0.0),
        ttl_s=ttl_s,
        metadata=metadata,
    )


def _seconds_until(lease: Lease, start: datetime) -> int:
    """From `start` to the end that a lease's metadata names, at least 1; 0 where it names none."""
    try:
        until = datetime.fromisoformat(lease.metadata.get("until", ""))
        return max(1, round((until - start).total_seconds()))
    except (ValueError, TypeError, OverflowError):
        return 0
