"""A control plane of any dialect whose reads and releases of leases no breaker holds back.

What may be billing must be found and ended, whatever else of the platform fails; new work can wait.
"""

from __future__ import annotations

from harpoon_cli.client.guard import urgent
from harpoon_cli.client.service import ControlPlane, Features
from harpoon_cli.domain import Lease, LeaseId, LeaseRequest, Pool
from harpoon_cli.values import Struct


class SparedControl(Struct, frozen=True):
    """See `client.service.ControlPlane`."""

    plane: ControlPlane

    @property
    def features(self) -> Features:
        return self.plane.features

    async def pools(self) -> tuple[Pool, ...]:
        return await self.plane.pools()

    async def allocate(self, request: LeaseRequest, *, deadline_s: float) -> Lease:
        return await self.plane.allocate(request, deadline_s=deadline_s)

    async def lease(self, lease_id: LeaseId) -> Lease:
        with urgent():
            return await self.plane.lease(lease_id)

    async def leases(self) -> tuple[Lease, ...]:
        with urgent():
            return await self.plane.leases()

    async def renew(self, lease_id: LeaseId, ttl_s: int) -> Lease:
        return await self.plane.renew(lease_id, ttl_s)

    async def release(self, lease_id: LeaseId) -> None:
        with urgent():
            await self.plane.release(lease_id)

    async def health(self) -> str:
        return await self.plane.health()
