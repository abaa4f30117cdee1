"""The control plane of an endpoint that is already there: nothing is leased, and nothing is sent."""

from __future__ import annotations

import pytest

from harpoon_cli.domain import LeaseId, LeaseRequest, PoolId, Reference, Requirements
from harpoon_cli.errors import NoSuchLease, NotOffered
from tests.contracts.meeting import meeting
from tests.servers import always, answer, run


def test_it_has_one_pool_no_leases_and_asks_nobody() -> None:
    async def work() -> None:
        async with meeting(always(answer(500))) as met:
            plane = met.control("static")
            assert not plane.features.leases
            assert [pool.id for pool in await plane.pools()] == ["p"]
            assert await plane.leases() == ()
            assert met.seen == []

    run(work())


def test_what_needs_a_lease_says_that_there_is_none() -> None:
    async def work() -> None:
        async with meeting(always(answer(500))) as met:
            plane = met.control("static")
            request = LeaseRequest(Reference("r"), "k", PoolId("p"), Requirements(1, 1.0), 60, {})
            with pytest.raises(NotOffered, match="nothing to lease"):
                await plane.allocate(request, deadline_s=1)
            with pytest.raises(NotOffered):
                await plane.renew(LeaseId("x"), 60)
            with pytest.raises(NotOffered):
                await plane.health()
            with pytest.raises(NoSuchLease):
                await plane.lease(LeaseId("x"))
            with pytest.raises(NoSuchLease):
                await plane.release(LeaseId("x"))

    run(work())
