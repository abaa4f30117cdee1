"""The control plane of an endpoint that already exists: nothing is leased, so nothing is released."""

from __future__ import annotations

from harpoon_cli.client.control import ControlOptions
from harpoon_cli.client.service import Features
from harpoon_cli.client.transport import Transport
from harpoon_cli.domain import Lease, LeaseId, LeaseRequest, Pool, PoolId
from harpoon_cli.errors import NoSuchLease, NotOffered, PlatformError


def create(_transport: Transport, options: ControlOptions) -> StaticControl:
    return StaticControl(PoolId(options.pool_id or "static"))


class StaticControl:
    """See `client.service.ControlPlane`; its features say that it gives no leases."""

    def __init__(self, pool_id: PoolId) -> None:
        self._pool_id = pool_id

    @property
    def features(self) -> Features:
        return Features(leases=False)

    async def pools(self) -> tuple[Pool, ...]:
        return (Pool(id=self._pool_id, name="existing endpoint", gpu_model="unknown"),)

    async def allocate(self, request: LeaseRequest, *, deadline_s: float) -> Lease:
        raise _nothing_to_lease()

    async def lease(self, lease_id: LeaseId) -> Lease:
        raise NoSuchLease(f"there is no lease {lease_id}: this endpoint is not leased")

    async def leases(self) -> tuple[Lease, ...]:
        return ()

    async def renew(self, lease_id: LeaseId, ttl_s: int) -> Lease:
        raise _nothing_to_lease()

    async def release(self, lease_id: LeaseId) -> None:
        raise NoSuchLease(f"there is no lease {lease_id}: this endpoint is not leased")

    async def health(self) -> str:
        raise NotOffered("an existing endpoint has no control plane to ask for its health")


def _nothing_to_lease() -> PlatformError:
    return NotOffered(
        "this endpoint already exists: there is nothing to lease",
        hint='platform.control = "static"; run harpoon infer directly',
    )
