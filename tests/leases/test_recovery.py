"""What a lost ledger had written down is found again by the tags that leases carry."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harpoon_cli.client.service import Features
from harpoon_cli.domain import LeaseState
from harpoon_cli.errors import HarpoonError, MayStillBill
from harpoon_cli.leases.abandoned import abandoned, end_abandoned, found_again
from harpoon_cli.leases.patience import ABSENCE_PROVES_AFTER_S
from harpoon_cli.leases.recovery import Recovered, recover
from harpoon_cli.leases.sweep import sweep
from harpoon_cli.values import replace
from tests.leases.conftest import MakeWorld
from tests.leases.test_lifecycle import NO_KEYS, NO_LIST, NO_METADATA, states, swept, use
from tests.leases.world import ENDPOINT, ORDER, Fate, Fault, Killed, World


def recovered(world: World) -> Recovered:
    """What `release --overdue` does: look, and end what nobody uses."""
    process = world.process()
    found = world.time.run(recover(process.lifecycle))
    world.time.run(sweep(process.lifecycle, (*process.overdue(), *found.stray)))
    process.end()
    return found


def killed_while_it_held_a_lease(world: World) -> None:
    process = world.process(Fate(kill_at=16))
    with pytest.raises(Killed):
        world.time.run(use(process))
    process.end()
    assert len(world.platform.live()) == 1


def test_a_lease_of_a_killed_command_is_found_and_ended_after_the_ledger_is_lost(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    killed_while_it_held_a_lease(world)
    world.lose_the_ledger()
    found = recovered(world)
    assert len(found.restored) == 1
    assert world.platform.live() == []
    assert states(world) == [LeaseState.RELEASED]


def test_a_lease_that_was_to_be_kept_is_written_down_again_and_left_alone(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process()
    intent = process.lifecycle.intend(replace(ORDER, keep=True))
    world.time.run(process.lifecycle.obtain(intent))
    process.ledger.keep(intent.reference)
    process.end()
    world.lose_the_ledger()
    [restored] = recovered(world).restored
    assert restored.reference == intent.reference
    assert restored.request.ttl_s == ORDER.ttl_s
    assert len(world.platform.live()) == 1
    [record] = world.records()
    assert record.kept


def test_leases_of_other_ledgers_and_strangers_are_left_alone(make_world: MakeWorld) -> None:
    world = make_world()
    tag = {"client": "harpoon", "owner": "ada@here", "reference": "hpn-x", "holder": "p9"}
    others = [
        world.platform.give(metadata, 10**6)
        for metadata in ({}, tag, {**tag, "home": "another"}, {**tag, "home": "home", "client": "other"})
    ]
    assert recovered(world) == Recovered()
    assert not any(one.released for one in others)


def test_a_lease_in_use_is_left_alone(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process()
    intent = process.lifecycle.intend(ORDER)
    world.time.run(process.lifecycle.obtain(intent))
    assert recovered(world) == Recovered()
    assert states(world) == [LeaseState.HELD]


def test_a_lease_that_appears_for_a_refused_record_is_ended(make_world: MakeWorld) -> None:
    """No searching helps while the list lags behind a platform that refuses what it gives."""
    world = make_world(shown_after_s=40.0)
    with pytest.raises(HarpoonError):
        world.time.run(use(world.process(faults=[Fault.LIAR])))
    assert states(world) == [LeaseState.REFUSED]
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    assert len(recovered(world).stray) == 1
    assert world.platform.live() == []


@pytest.mark.parametrize(("lost", "restored"), [(True, 1), (False, 0)], ids=["waits", "does not"])
def test_after_a_loss_the_search_waits_for_what_is_not_listed_yet(
    make_world: MakeWorld, lost: bool, restored: int
) -> None:
    world = make_world(shown_after_s=5.0)
    killed_while_it_held_a_lease(world)
    world.lose_the_ledger()
    process, said = world.process(), list[str]()
    found = world.time.run(found_again(process.lifecycle, said.append, lost=lost))
    process.end()
    assert len(found.restored) == restored
    assert any("the ledger is new" in sentence for sentence in said) is lost


def test_a_second_lease_that_appears_later_for_a_closed_record_is_ended(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    record = world.time.run(use(world.process()))
    world.platform.give(record.request.metadata, 10**6)
    assert len(recovered(world).stray) == 1
    assert world.platform.live() == []


def test_an_unanswered_record_is_left_for_its_own_settling(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS, shown_after_s=40.0)
    process = world.process(faults=[Fault.LOST])
    with pytest.raises(HarpoonError):
        world.time.run(use(process))
    process.end()
    world.time.forward(60.0)
    assert recovered(world) == Recovered()
    assert world.platform.live() == []


@pytest.mark.parametrize("features", [replace(NO_KEYS, lists=False), replace(NO_KEYS, metadata=False)])
def test_where_the_list_tells_nothing_nothing_is_done(make_world: MakeWorld, features: object) -> None:
    assert recovered(make_world(features)) == Recovered()


def test_a_lease_that_is_kept_while_a_neighbour_looks_is_not_ended(make_world: MakeWorld) -> None:
    """It is written down as kept, and only then its process lets its sign of life go."""
    world = make_world()
    ours, neighbour = world.process(), world.process()
    intent = ours.lifecycle.intend(replace(ORDER, keep=True))
    world.time.run(ours.lifecycle.obtain(intent))

    def is_alive(holder: str) -> bool:
        ours.ledger.keep(intent.reference)
        ours.end()
        return holder in world.alive

    assert abandoned(neighbour.lifecycle, is_alive) == ()


def test_one_look_in_a_list_that_lags_is_not_the_last(make_world: MakeWorld) -> None:
    world = make_world(shown_after_s=40.0)
    killed_while_it_held_a_lease(world)
    world.lose_the_ledger()
    for _ in range(2):
        process = world.process()
        said: list[str] = []
        alive = world.alive.__contains__
        world.time.run(end_abandoned(process.lifecycle, alive, said.append, said.append))
        process.end()
        world.time.forward(ABSENCE_PROVES_AFTER_S)
    assert world.platform.live() == []


def test_an_intent_that_waited_is_as_young_as_its_ask(make_world: MakeWorld) -> None:
    """A process that was stopped between its intent and its request, and killed after that."""
    world = make_world(NO_KEYS, shown_after_s=40.0)
    process = world.process(Fate(kill_at=7))
    intent = process.lifecycle.intend(ORDER)
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    with pytest.raises(Killed):
        world.time.run(process.lifecycle.obtain(intent))
    process.end()
    assert len(world.platform.live()) == 1
    recovered(world)
    assert states(world) == [LeaseState.UNSURE]
    world.time.forward(60.0)
    recovered(world)
    assert world.platform.live() == []


def test_a_list_with_a_spoilt_row_proves_no_absence(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    process = world.process(faults=[Fault.FAILED])
    world.platform.spoilt_rows = 1
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    process.end()
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    assert [type(one) for one in swept(world).troubles] == [MayStillBill]
    assert states(world) == [LeaseState.UNSURE]
    world.platform.spoilt_rows = 0
    assert swept(world).troubles == ()
    assert states(world) == [LeaseState.RELEASED]


def test_a_spoilt_row_hides_no_lease_of_ours(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    world.platform.spoilt_rows = 1
    assert world.time.run(use(world.process(faults=[Fault.LOST]))).state is LeaseState.RELEASED
    killed_while_it_held_a_lease(world)
    world.lose_the_ledger()
    found = recovered(world)
    assert (len(found.restored), found.left_out is not None) == (1, True)
    assert world.platform.live() == []
    observer = world.process().ledger
    assert not observer.searched(ENDPOINT, apart=timedelta(0))


@pytest.mark.parametrize("features", [NO_LIST, NO_METADATA], ids=["list", "metadata"])
def test_what_nothing_can_search_names_what_settles_it_and_that_settles_it(
    make_world: MakeWorld, features: Features
) -> None:
    world = make_world(replace(features, ttl=False))
    process = world.process(faults=[Fault.LOST])
    with pytest.raises(MayStillBill) as told:
        world.time.run(use(process))
    [record] = world.records()
    hint = str(told.value.hint)
    assert f"in pool {record.request.pool_id} made at about {record.intended_at:%H:%M:%S} UTC" in hint
    assert hint.endswith(f"then harpoon release {record.reference} --confirmed-gone")
    assert ("harpoon leases" in hint) is features.lists
    process.lifecycle.believe_gone(record)
    assert states(world) == [LeaseState.RELEASED]
