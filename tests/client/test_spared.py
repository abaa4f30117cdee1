"""Leases are found and ended whatever else of a platform fails; new work waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harpoon_cli.client.control import ControlOptions, open_control
from harpoon_cli.client.guard import patient, urgent
from harpoon_cli.client.retry import RetryPolicy
from harpoon_cli.client.service import ControlPlane, Features
from harpoon_cli.client.spared import SparedControl
from harpoon_cli.client.transport import Transport
from harpoon_cli.domain import LeaseId, LeaseRequest, PoolId, Reference, Requirements
from harpoon_cli.errors import BreakerOpen, GarbledAnswer, PlatformError, ServerFault
from tests.client.machine import Machine, failing_first, is_open, met
from tests.servers import FaultyServer, always, answer


def test_what_is_urgent_goes_though_it_is_open_but_once_per_call(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        await machine.failing()
        with urgent(), pytest.raises(ServerFault):
            await machine.get_repeatedly()
        assert len(server.requests) == 6

    met(always(answer(503)), work, tmp_path)


def spared(machine: Machine, transport: Transport) -> ControlPlane:
    options = ControlOptions(
        Features(idempotency_keys=True, lists=True), retry=RetryPolicy(allowance=machine.guard())
    )
    return SparedControl(open_control("seed_v1", transport, options))


REQUEST = LeaseRequest(Reference("r"), "k", PoolId("p"), Requirements(1, 1.0), 60, {"reference": "r"})
ENDS_OR_FINDS: dict[str, Callable[[ControlPlane], Awaitable[object]]] = {
    "a release": lambda plane: plane.release(LeaseId("a-1")),
    "a look at a lease": lambda plane: plane.lease(LeaseId("a-1")),
    "a list of leases": lambda plane: plane.leases(),
}
NEW_WORK: dict[str, Callable[[ControlPlane], Awaitable[object]]] = {
    "a list of pools": lambda plane: plane.pools(),
    "an allocate": lambda plane: plane.allocate(REQUEST, deadline_s=10.0),
    "a renewal": lambda plane: plane.renew(LeaseId("a-1"), 60),
    "a look at its health": lambda plane: plane.health(),
}


def test_a_look_that_ends_nothing_waits_as_new_work_does(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        await machine.failing()
        async with machine.process() as transport:
            plane = spared(machine, transport)
            with patient(), pytest.raises(BreakerOpen):
                await plane.leases()
            with pytest.raises(ServerFault):
                await plane.leases()
        assert len(server.requests) == 6

    met(always(answer(503)), work, tmp_path)


@pytest.mark.parametrize("what", [*ENDS_OR_FINDS, *NEW_WORK])
def test_leases_are_found_and_ended_while_new_work_waits(what: str, tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        await machine.failing()
        async with machine.process() as transport:
            with pytest.raises(PlatformError) as caught:
                await (ENDS_OR_FINDS | NEW_WORK)[what](spared(machine, transport))
        assert isinstance(caught.value, BreakerOpen) is (what in NEW_WORK)
        assert len(server.requests) == (5 if what in NEW_WORK else 6)

    met(always(answer(503)), work, tmp_path)


def test_a_release_that_works_is_a_sign_of_life_for_all(tmp_path: Path) -> None:
    async def work(machine: Machine, _: FaultyServer) -> None:
        await machine.failing()
        async with machine.process() as transport:
            await spared(machine, transport).release(LeaseId("a-1"))
        assert not await is_open(machine)

    met(failing_first(5, answer(204)), work, tmp_path)


def test_a_spared_plane_passes_everything_else_through(tmp_path: Path) -> None:
    row = {"allocation_id": "a-1", "status": "active", "metadata": {"reference": "r"}}
    pools = {"pools": [], "allocations": [row], **row}

    async def work(machine: Machine, _: FaultyServer) -> None:
        async with machine.process() as transport:
            plane = spared(machine, transport)
            assert plane.features.lists
            assert await plane.pools() == ()
            assert (await plane.allocate(REQUEST, deadline_s=10.0)).id == "a-1"
            assert (await plane.renew(LeaseId("a-1"), 60)).id == "a-1"
            assert (await plane.lease(LeaseId("a-1"))).id == "a-1"
            assert len(await plane.leases()) == 1
            assert await plane.health() == "active"

    met(always(answer(200, pools)), work, tmp_path)


def test_an_answer_that_a_reader_cannot_use_is_still_one_of_a_working_server(tmp_path: Path) -> None:
    async def work(machine: Machine, server: FaultyServer) -> None:
        async with machine.process() as transport:
            while len(server.requests) < 6:
                with pytest.raises(GarbledAnswer):
                    await spared(machine, transport).pools()
        assert not await is_open(machine)

    met(always(answer(200, {"pools": {}})), work, tmp_path)
