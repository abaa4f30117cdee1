"""The life of one lease: what is asked, what is believed, and that it is given back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from harpoon_cli.client.service import Features
from harpoon_cli.domain import Lease, LeaseId, LeaseRecord, LeaseRequest, LeaseState
from harpoon_cli.errors import (
    BrokenOff,
    GarbledAnswer,
    HarpoonError,
    MayStillBill,
    NoCapacity,
    NoSuchLease,
    NotOffered,
    NotSent,
    RateLimited,
    ServerFault,
    StorageFault,
    TimedOut,
)
from harpoon_cli.leases.evidence import Listed
from harpoon_cli.leases.holding import holding
from harpoon_cli.leases.patience import ABSENCE_PROVES_AFTER_S, Patience, finishing
from harpoon_cli.leases.sweep import Swept, overdue, sweep
from harpoon_cli.values import replace
from tests.leases.conftest import MakeWorld
from tests.leases.virtual import VirtualTime
from tests.leases.world import FULL, LATE_S, ORDER, Fate, Fault, Process, World

NO_KEYS = replace(FULL, idempotency_keys=False)
NO_LIST = replace(NO_KEYS, lists=False)
NO_METADATA = replace(NO_KEYS, metadata=False)


async def use(process: Process, *, keep: bool = False, wait: bool = True) -> LeaseRecord:
    """What `infer` does: take a lease, use it for three seconds, give it back."""
    lifecycle = process.lifecycle
    process.fate.task = asyncio.current_task()
    intent = lifecycle.intend(ORDER)
    async with holding(lifecycle, intent, keep=keep, wait=wait):
        await process.fate.wait(3.0)
    if keep:
        lifecycle.ledger.keep(intent.reference)
    record = process.ledger.record(intent.reference)
    assert record is not None
    return record


def swept(world: World) -> Swept:
    """What the next command does about what was left open."""
    process = world.process()
    try:
        return world.time.run(sweep(process.lifecycle, process.overdue()))
    finally:
        process.end()


def states(world: World) -> list[LeaseState]:
    return [record.state for record in world.records()]


def test_a_lease_is_held_for_the_block_and_read_back_as_gone_after_it(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process()
    record = world.time.run(use(process))
    assert record.state is LeaseState.RELEASED
    assert world.platform.live() == []
    assert process.control.asked[0] == "POST"
    assert process.control.asked[-2:] == ["DELETE", "GET"]


def test_the_intent_is_in_the_ledger_when_the_request_leaves(make_world: MakeWorld) -> None:
    world = make_world()
    seen: list[list[LeaseState]] = []
    allocate = world.platform.allocate

    def looks_first(request: LeaseRequest) -> Lease:
        seen.append(states(world))
        return allocate(request)

    world.platform.allocate = looks_first  # type: ignore[method-assign]  # only looks
    world.time.run(use(world.process()))
    assert seen == [[LeaseState.INTENT]]


def test_a_kept_lease_stays_and_is_not_overdue_until_its_end(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process()
    record = world.time.run(use(process, keep=True))
    process.end()
    assert (record.state, record.kept) == (LeaseState.HELD, True)
    assert swept(world) == Swept((), ())
    world.time.forward(ORDER.ttl_s + 30)
    assert [one.state for one in swept(world).ended] == [LeaseState.RELEASED]


def test_a_kept_lease_whose_platform_names_no_end_is_overdue_after_the_time_asked_for(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    process = world.process()
    world.time.run(use(process, keep=True))
    [record] = world.records()
    process.end()
    assert record.expires_at is not None
    endless = replace(record, expires_at=None)
    end = record.intended_at + timedelta(seconds=ORDER.ttl_s + 30)
    assert overdue([endless], end, lambda _: True) == (endless,)
    assert overdue([endless], record.intended_at, lambda _: True) == ()


def test_a_lease_in_use_is_past_its_end_only_by_both_clocks(make_world: MakeWorld) -> None:
    """Ours may be ahead of the platform's; what was asked for and what was given must both be over."""
    world = make_world()
    world.time.run(use(world.process(), keep=True))
    [record] = world.records()
    asked_for = record.intended_at + timedelta(seconds=ORDER.ttl_s)
    behind = replace(record, expires_at=record.intended_at - timedelta(hours=1))
    renewed = replace(record, expires_at=asked_for + timedelta(hours=1))
    later = asked_for + timedelta(seconds=29)
    assert overdue([behind, renewed], later, lambda _: False) == ()
    assert overdue([behind, renewed], later + timedelta(seconds=1), lambda _: False) == (behind,)
    assert overdue([renewed], later + timedelta(hours=2), lambda _: False) == (renewed,)


def test_an_end_that_no_calendar_holds_is_none(make_world: MakeWorld) -> None:
    world = make_world()
    world.time.run(use(world.process(), keep=True))
    [record] = world.records()
    absurd = replace(record, request=replace(record.request, ttl_s=10**400))
    never = replace(record, expires_at=datetime.max.replace(tzinfo=UTC))
    assert overdue([absurd, never], record.intended_at + timedelta(days=9), lambda _: False) == ()
    unanswered = replace(absurd, state=LeaseState.UNSURE, lease_id=None)
    assert not world.process().lifecycle.evidence.is_absent(unanswered, Listed())


def test_a_clean_refusal_closes_the_record(make_world: MakeWorld) -> None:
    world = make_world()
    with pytest.raises(NoCapacity):
        world.time.run(use(world.process(faults=[Fault.REFUSED])))
    assert states(world) == [LeaseState.REFUSED]


def test_what_was_surely_not_sent_is_asked_again_and_then_closed(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    process = world.process(faults=[Fault.UNREACHABLE] * 3)
    with pytest.raises(NotSent):
        world.time.run(use(process))
    assert states(world) == [LeaseState.REFUSED]
    assert world.time.run(use(world.process(faults=[Fault.UNREACHABLE]))).state is LeaseState.RELEASED


def test_unsure_is_sticky_a_lost_answer_then_a_clean_refusal_is_not_a_refusal(make_world: MakeWorld) -> None:
    world = make_world(shown_after_s=60.0)
    with pytest.raises(MayStillBill) as told:
        world.time.run(use(world.process(faults=[Fault.LOST, Fault.REFUSED])))
    [record] = world.records()
    assert record.state is LeaseState.UNSURE
    assert str(ORDER.pool_id) in told.value.message
    assert told.value.hint == f"harpoon release {record.reference}"


def test_with_keys_a_lost_answer_is_asked_for_again_and_is_one_lease(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process(faults=[Fault.LOST, Fault.LOST])
    assert world.time.run(use(process)).state is LeaseState.RELEASED
    assert process.control.asked.count("POST") == 3
    assert len(world.platform.slots) == 1


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.LATE, Fault.HANG, Fault.FAILED])
@pytest.mark.parametrize("features", [NO_KEYS, NO_LIST, NO_METADATA], ids=["keys", "list", "metadata"])
def test_without_keys_it_is_never_asked_twice(
    make_world: MakeWorld, features: Features, fault: Fault
) -> None:
    world = make_world(features)
    process = world.process(faults=[fault])
    try:
        world.time.run(use(process))
    except MayStillBill:
        assert states(world) == [LeaseState.UNSURE]
    assert process.control.asked.count("POST") == 1


def test_without_keys_a_lost_answer_is_found_in_the_list_even_if_it_is_listed_late(
    make_world: MakeWorld,
) -> None:
    world = make_world(NO_KEYS, shown_after_s=6.0)
    assert world.time.run(use(world.process(faults=[Fault.LOST]))).state is LeaseState.RELEASED


def test_an_unreadable_list_does_not_prove_that_there_is_nothing(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    process = world.process(faults=[Fault.LOST, Fault.FAILED, Fault.FAILED])
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    process.end()
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    sweeper = world.process(faults=[Fault.FAILED])
    with pytest.raises(MayStillBill, match="503"):
        world.time.run(sweeper.lifecycle.settle(world.records()[0]))
    assert states(world) == [LeaseState.UNSURE]
    assert [one.state for one in swept(world).ended] == [LeaseState.RELEASED]
    assert world.platform.live() == []


def test_not_found_proves_nothing_for_three_minutes(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    process = world.process(faults=[Fault.FAILED])
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    process.end()
    assert len(swept(world).troubles) == 1
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    assert [one.state for one in swept(world).ended] == [LeaseState.RELEASED]


def test_what_takes_effect_after_all_is_ended_by_the_next_sweep(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    process = world.process(faults=[Fault.LATE])
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    process.end()
    world.time.forward(LATE_S)
    assert len(world.platform.live()) == 1
    assert [one.state for one in swept(world).ended] == [LeaseState.RELEASED]
    assert world.platform.live() == []


def test_without_a_list_an_unanswered_allocate_is_over_only_when_its_ttl_must_be(
    make_world: MakeWorld,
) -> None:
    world = make_world(NO_LIST)
    process = world.process(faults=[Fault.LOST])
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    process.end()
    world.time.forward(ORDER.ttl_s)
    assert len(swept(world).troubles) == 1
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    assert [one.state for one in swept(world).ended] == [LeaseState.RELEASED]


def test_without_a_list_and_without_ttls_it_is_never_silently_over(make_world: MakeWorld) -> None:
    world = make_world(replace(NO_LIST, ttl=False))
    process = world.process(faults=[Fault.LOST])
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    process.end()
    world.time.forward(30 * 24 * 3600)
    assert len(swept(world).troubles) == 1


def test_a_lease_that_is_shown_late_is_waited_for(make_world: MakeWorld) -> None:
    world = make_world(shown_after_s=30.0)
    assert world.time.run(use(world.process())).state is LeaseState.RELEASED


def test_a_lease_that_never_becomes_ready_is_given_back(make_world: MakeWorld) -> None:
    world = make_world(starts_after_s=10_000.0)
    with pytest.raises(TimedOut, match="not ready after 300 s"):
        world.time.run(use(world.process()))
    assert states(world) == [LeaseState.RELEASED]
    assert world.platform.live() == []


def test_a_lost_answer_to_the_release_and_not_found_for_its_repeat_is_gone(make_world: MakeWorld) -> None:
    """The dialect repeats the DELETE and gets 404: a lease that a read has shown is gone then."""
    world = make_world(starts_after_s=0.0)  # the answer says active: no read is needed to use it
    process = world.process()
    release = world.platform.release
    lost: list[str] = []

    def lose_the_first_answer(lease_id: LeaseId) -> None:
        release(lease_id)
        lost.append("answer")
        release(lease_id)  # the repeat

    world.platform.release = lose_the_first_answer  # type: ignore[method-assign]  # a defect, played
    assert world.time.run(use(process)).state is LeaseState.RELEASED
    assert lost == ["answer"]


@pytest.mark.parametrize("done", [True, False])
def test_an_answer_to_the_release_that_makes_no_sense_is_settled_by_a_read(
    make_world: MakeWorld, done: bool
) -> None:
    world = make_world()
    process = world.process()
    release = world.platform.release

    def garbled(lease_id: LeaseId) -> None:
        if done:
            release(lease_id)
        raise GarbledAnswer("this is not JSON")

    world.platform.release = garbled  # type: ignore[method-assign]  # a defect, played
    if done:
        assert world.time.run(use(process)).state is LeaseState.RELEASED
        return
    with pytest.raises(MayStillBill, match="this is not JSON"):
        world.time.run(use(process))


def test_a_release_that_was_accepted_and_has_done_nothing_is_asked_for_again(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process()
    release = world.platform.release
    asked: list[LeaseId] = []

    def forgetful(lease_id: LeaseId) -> None:
        asked.append(lease_id)
        if len(asked) > 1:
            release(lease_id)

    world.platform.release = forgetful  # type: ignore[method-assign]  # a defect, played
    assert world.time.run(use(process)).state is LeaseState.RELEASED
    assert len(asked) == 2


def test_a_lease_that_no_read_has_shown_is_not_believed_gone_within_three_minutes(
    make_world: MakeWorld,
) -> None:
    world = make_world(starts_after_s=0.0, shown_after_s=170.0)
    process = world.process()
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    process.end()
    assert len(world.platform.live()) == 1
    assert states(world) == [LeaseState.RELEASING]
    world.time.forward(170)
    assert [one.state for one in swept(world).ended] == [LeaseState.RELEASED]
    assert world.platform.live() == []


def test_a_lease_that_another_command_ends_is_over_and_nothing_is_said(make_world: MakeWorld) -> None:
    world = make_world()
    process, other = world.process(), world.process()

    async def both() -> None:
        async with holding(process.lifecycle, process.lifecycle.intend(ORDER)) as record:
            await other.lifecycle.settle(record)

    world.time.run(both())
    assert states(world) == [LeaseState.RELEASED]
    assert process.control.asked.count("DELETE") == 0


def test_a_lease_that_was_ended_while_it_was_taken_is_not_used(make_world: MakeWorld) -> None:
    world = make_world(starts_after_s=60.0)
    process, other = world.process(), world.process()

    async def end_it() -> None:
        await asyncio.sleep(5.0)
        await other.lifecycle.settle(other.ledger.open_records()[0])

    async def both() -> None:
        _, outcome = await asyncio.gather(end_it(), use(process), return_exceptions=True)
        assert isinstance(outcome, NoSuchLease)

    world.time.run(both())
    assert states(world) == [LeaseState.RELEASED]


def test_a_lease_that_turns_up_after_its_absence_was_proved_is_open_again(make_world: MakeWorld) -> None:
    """A process stopped by Ctrl-Z for minutes sends its request when the record has long been closed."""
    world = make_world()
    stopped, other = world.process(), world.process()
    intent = stopped.lifecycle.intend(ORDER)
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    assert world.time.run(other.lifecycle.settle(intent)).state is LeaseState.RELEASED
    record = world.time.run(stopped.lifecycle.obtain(intent))
    assert record.state is LeaseState.HELD
    assert world.time.run(stopped.lifecycle.settle(record)).state is LeaseState.RELEASED
    assert world.platform.live() == []


def test_an_adopted_lease_is_ours_to_end_and_nothing_of_its_metadata_is_believed(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    process = world.process()
    slot = world.platform.give({"reference": "x\ud800'; DROP TABLE leases", "owner": "mallory"}, 900)
    adopted = process.lifecycle.adopt(world.platform.show(slot.id))
    assert adopted.state is LeaseState.HELD
    assert adopted.seen_at is not None
    assert adopted.reference.startswith("hpn-")
    assert world.time.run(process.lifecycle.settle(adopted)).state is LeaseState.RELEASED
    assert world.platform.live() == []


def test_an_adopted_lease_with_the_reference_of_an_unanswered_record_is_that_record_s(
    make_world: MakeWorld,
) -> None:
    world = make_world(NO_METADATA)
    process = world.process(faults=[Fault.LOST])
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    [slot] = world.platform.live()
    world.platform.features = FULL
    adopted = process.lifecycle.adopt(world.platform.show(slot.id))
    [record] = world.records()
    assert record == adopted
    assert (record.state, record.lease_id) == (LeaseState.HELD, slot.id)


def test_a_stranger_who_claims_the_reference_of_a_lease_of_ours_gets_a_record_of_its_own(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    process = world.process()
    ours = world.time.run(use(process, keep=True))
    claims = world.platform.give({"reference": ours.reference}, 900)
    adopted = process.lifecycle.adopt(world.platform.show(claims.id))
    assert adopted.reference != ours.reference
    assert len(world.records()) == 2


@pytest.mark.parametrize("features", [FULL, NO_LIST], ids=["list", "no list"])
@pytest.mark.parametrize("full_from", range(1, 8))
def test_on_a_full_disk_nothing_is_asked_for_and_what_is_held_is_given_back(
    make_world: MakeWorld, full_from: int, features: Features
) -> None:
    """full_from=1 is the intent itself; later ones are the writes of a life that has begun."""
    world = make_world(features)
    process = world.process(Fate(full_from=full_from))
    try:
        world.time.run(use(process))
    except StorageFault:
        assert world.platform.live() == []
    assert (process.control.asked == []) == (full_from == 1)


@pytest.mark.parametrize("starts_after_s", [0.0, 1.0], ids=["ready at once", "ready later"])
@pytest.mark.parametrize("shown_after_s", [0.0, 3.0], ids=["shown at once", "shown late"])
@pytest.mark.parametrize(
    "faults",
    [[], [Fault.LOST], [Fault.SLOW], [Fault.HANG], [Fault.LATE], [Fault.NONE, Fault.SLOW, Fault.SLOW]],
    ids=["well", "lost", "slow", "hanging", "late", "slow reads"],
)
@pytest.mark.parametrize("features", [FULL, NO_KEYS], ids=["keys", "no keys"])
def test_a_cancel_at_any_wait_leaves_no_lease_or_says_so_and_one_sweep_settles_it(
    make_world: MakeWorld,
    features: Features,
    faults: list[Fault],
    shown_after_s: float,
    starts_after_s: float,
) -> None:
    for cancel_at in range(1, 200):
        world = make_world(features, shown_after_s=shown_after_s, starts_after_s=starts_after_s)
        process = world.process(Fate(cancel_at=cancel_at), faults)
        began_s = world.time.seconds()
        outcome = world.time.run(_outcome(process))
        [record] = world.records()
        if isinstance(outcome, MayStillBill):
            assert faults or shown_after_s, cancel_at  # never on a platform that is well
            assert record.state in (LeaseState.UNSURE, LeaseState.RELEASING, LeaseState.INTENT), cancel_at
        else:
            assert record.state in (LeaseState.RELEASED, LeaseState.REFUSED), cancel_at
            assert world.platform.live() == [], cancel_at
        process.end()
        world.time.forward(ABSENCE_PROVES_AFTER_S + LATE_S)
        swept(world)
        assert world.platform.live() == [], cancel_at
        assert states(world)[0] in (LeaseState.RELEASED, LeaseState.REFUSED), cancel_at
        if process.fate.waits < cancel_at:
            return
        assert world.time.seconds() > began_s
    pytest.fail("there is no end to its waits")


async def _outcome(process: Process) -> BaseException | LeaseRecord:
    [outcome] = await asyncio.gather(asyncio.ensure_future(use(process)), return_exceptions=True)
    return outcome


@pytest.mark.parametrize(("answered", "cancel_at"), [(a, c) for a in range(4) for c in range(1, 4 + a)])
def test_after_a_cancel_it_all_ends_within_the_time_that_is_left(
    make_world: MakeWorld, answered: int, cancel_at: int
) -> None:
    """Two seconds for an allocate under way, four for the release: also if nothing answers any more."""
    world = make_world()
    process = world.process(Fate(cancel_at=cancel_at), [Fault.NONE] * answered + [Fault.HANG] * 30)
    world.time.run(_outcome(process))
    assert process.fate.cancelled_s is not None
    assert world.time.seconds() - process.fate.cancelled_s <= 6.2


@pytest.mark.parametrize("features", [FULL, NO_KEYS, NO_LIST], ids=["all", "no keys", "no list"])
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.LATE, Fault.LOST, Fault.FAILED])
@pytest.mark.parametrize("allocate_s", [3.0, 30.0])
@pytest.mark.parametrize("then_hangs", [False, True])
def test_an_allocate_in_trouble_ends_within_its_deadline_the_search_for_its_lease_included(
    make_world: MakeWorld, features: Features, fault: Fault, allocate_s: float, then_hangs: bool
) -> None:
    world = make_world(features, shown_after_s=60.0)
    process = world.process(faults=[fault] * 3 + [Fault.HANG] * (30 if then_hangs else 0))
    process.lifecycle = replace(process.lifecycle, patience=Patience(allocate_s=allocate_s))
    with pytest.raises(HarpoonError):
        world.time.run(use(process, wait=False))
    assert world.time.seconds() <= allocate_s + 0.25


def test_after_a_429_a_list_that_is_not_whole_allows_no_second_ask(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    world.platform.spoilt_rows = 1
    process = world.process(faults=[Fault.BUSY])
    assert isinstance(world.time.run(_outcome(process)), RateLimited)
    assert process.control.asked.count("POST") == 1


def test_looks_after_refusals_end_within_the_deadline_of_the_allocate(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    process = world.process(faults=[Fault.BUSY, *[Fault.HANG] * 30])
    assert isinstance(world.time.run(_outcome(process)), RateLimited)
    assert world.time.seconds() <= 30.3


def test_a_slow_release_is_not_lost_for_the_failure_of_the_one_beside_it(make_world: MakeWorld) -> None:
    world = make_world(starts_after_s=0.0)
    process = world.process(faults=[Fault.NONE, Fault.NONE, Fault.SLOW, Fault.FAILED])
    process.lifecycle = replace(process.lifecycle, patience=Patience(release_s=12.0))
    assert world.time.run(use(process)).state is LeaseState.RELEASED
    assert process.control.asked == ["POST", "GET", "DELETE", "DELETE", "GET"]


def test_where_the_first_reads_hang_the_release_is_sent_in_any_time_there_is(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process(faults=[Fault.NONE, Fault.HANG, Fault.HANG])
    process.lifecycle = replace(process.lifecycle, patience=Patience(release_s=4.0))
    with pytest.raises(MayStillBill):
        world.time.run(use(process, wait=False))
    assert world.platform.live() == []


def test_a_stop_while_it_waits_after_a_429_leaves_nothing_open(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process(Fate(cancel_at=2), [Fault.BUSY] * 5)
    assert isinstance(world.time.run(_outcome(process)), asyncio.CancelledError)
    assert process.control.asked.count("POST") == 1
    assert states(world) == [LeaseState.REFUSED]


def test_a_gateway_that_finds_neither_the_lease_nor_the_list_proves_nothing(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    process = world.process()
    intent = process.lifecycle.intend(ORDER)
    record = world.time.run(process.lifecycle.obtain(intent))
    record = world.time.run(process.lifecycle.wait_ready(record))
    release, times = world.platform.release, count(1)

    def released(lease_id: LeaseId) -> None:
        if next(times) == 1:
            raise NoSuchLease("not found")
        release(lease_id)

    def not_found() -> tuple[Lease, ...]:
        raise NotOffered("not found")

    monkeypatch.setattr(world.platform, "release", released)
    monkeypatch.setattr(world.platform, "list", not_found)
    assert world.time.run(process.lifecycle.settle(record)).state is LeaseState.RELEASED
    assert world.platform.live() == []


def test_a_read_that_hangs_does_not_keep_the_release_from_being_sent(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process(faults=[Fault.NONE, Fault.HANG])
    record = world.time.run(use(process, wait=False))
    assert record.state is LeaseState.RELEASED
    assert process.control.asked == ["POST", "GET", "GET", "DELETE", "GET"]
    assert world.time.seconds() < 10.0


def test_a_release_and_its_reading_back_that_hang_are_asked_for_again_also_after_a_cancel(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    hangs = [Fault.NONE, Fault.HANG, Fault.NONE, Fault.HANG, Fault.NONE, Fault.HANG]
    process = world.process(Fate(cancel_at=3), hangs)
    assert isinstance(world.time.run(_outcome(process)), asyncio.CancelledError)
    assert process.control.asked == ["POST", "GET", "GET", "DELETE", "DELETE", "GET", "GET"]
    assert world.platform.live() == []
    assert process.fate.cancelled_s is not None
    assert world.time.seconds() - process.fate.cancelled_s <= 2.6


@pytest.mark.parametrize(
    ("features", "asked"),
    [
        (FULL, ["POST", "POST"]),
        (NO_KEYS, ["POST", "LIST", "POST"]),
        (NO_LIST, ["POST"]),
        (NO_METADATA, ["POST"]),
    ],
    ids=["keys", "a list", "no list", "no metadata"],
)
def test_after_a_429_it_is_asked_again_only_where_that_cannot_give_two(
    make_world: MakeWorld, features: Features, asked: list[str]
) -> None:
    world = make_world(features)
    process = world.process(faults=[Fault.BUSY])
    outcome = world.time.run(_outcome(process))
    assert process.control.asked[: len(asked)] == asked
    assert process.control.asked.count("POST") == asked.count("POST")
    assert isinstance(outcome, RateLimited) == (len(asked) == 1)


def test_a_lease_that_was_given_together_with_a_429_is_the_one_that_is_used(make_world: MakeWorld) -> None:
    world = make_world(NO_KEYS)
    allocate = world.platform.allocate

    def given_and_refused(request: LeaseRequest) -> Lease:
        allocate(request)
        raise RateLimited("429", status=429)

    world.platform.allocate = given_and_refused  # type: ignore[method-assign]  # nothing else changes
    process = world.process()
    assert world.time.run(use(process)).state is LeaseState.RELEASED
    assert process.control.asked.count("POST") == 1
    assert len(world.platform.slots) == 1
    assert world.platform.live() == []


def test_reads_that_all_hang_do_not_keep_the_release_from_being_sent(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process(Fate(cancel_at=3), faults=[Fault.NONE, *[Fault.HANG] * 3])
    assert isinstance(world.time.run(_outcome(process)), MayStillBill)
    assert world.platform.live() == []


def test_another_error_that_comes_over_a_cancel_leaves_the_release_no_more_time(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    process = world.process(Fate(cancel_at=3), [Fault.NONE] + [Fault.HANG] * 30)

    async def use_and_fail() -> None:
        process.fate.task = asyncio.current_task()
        async with holding(process.lifecycle, process.lifecycle.intend(ORDER), wait=False):
            try:
                await process.fate.wait(600.0)
            finally:
                raise ServerFault("what is told at the end fails")

    with pytest.raises(MayStillBill):
        world.time.run(use_and_fail())
    assert process.fate.cancelled_s is not None
    assert world.time.seconds() - process.fate.cancelled_s <= 3.0


def test_an_allocate_that_was_granted_and_never_answered_is_found_within_its_deadline(
    make_world: MakeWorld,
) -> None:
    world = make_world(NO_KEYS)
    process = world.process(faults=[Fault.MUTE])
    assert world.time.run(use(process)).state is LeaseState.RELEASED
    assert process.control.asked[:2] == ["POST", "LIST"]
    assert world.platform.live() == []


def test_a_wait_until_it_is_ready_ends_on_time_where_a_read_hangs(make_world: MakeWorld) -> None:
    world = make_world(starts_after_s=600.0)
    process = world.process(faults=[Fault.NONE, Fault.NONE, Fault.HANG])
    process.lifecycle = replace(process.lifecycle, patience=Patience(ready_s=5.0))
    intent = process.lifecycle.intend(ORDER)
    record = world.time.run(process.lifecycle.obtain(intent))
    held_s = world.time.seconds()
    with pytest.raises(TimedOut, match="was not ready after 5 s"):
        world.time.run(process.lifecycle.wait_ready(record))
    assert world.time.seconds() - held_s <= 5.25


def test_a_sweep_goes_on_past_what_it_cannot_settle(make_world: MakeWorld) -> None:
    world = make_world(NO_LIST)
    lost = world.process(faults=[Fault.LOST])
    with pytest.raises(MayStillBill):
        world.time.run(use(lost))
    killed = world.process()
    world.time.run(killed.lifecycle.obtain(killed.lifecycle.intend(ORDER)))
    lost.end()
    killed.end()
    result = swept(world)
    assert [one.state for one in result.ended] == [LeaseState.RELEASED]
    assert [type(one) for one in result.troubles] == [MayStillBill]


def test_a_cancelled_sweep_finishes_or_names_what_is_left(make_world: MakeWorld) -> None:
    world = make_world()
    holders = [world.process() for _ in range(12)]
    for process in holders:
        world.time.run(process.lifecycle.obtain(process.lifecycle.intend(ORDER)))
        process.end()

    async def cancelled(faults: list[Fault]) -> BaseException | Swept:
        sweeper = world.process(Fate(cancel_at=3), faults)
        task = asyncio.ensure_future(sweep(sweeper.lifecycle, sweeper.overdue()))
        sweeper.fate.task = task
        [outcome] = await asyncio.gather(task, return_exceptions=True)
        return outcome

    outcome = world.time.run(cancelled([Fault.HANG] * 200))
    assert isinstance(outcome, MayStillBill)
    left = [one for one in world.records() if one.state is not LeaseState.RELEASED]
    assert len(world.platform.live()) == len(left) == 12
    assert all(str(one.lease_id) in outcome.message for one in left)
    assert isinstance(world.time.run(cancelled([])), asyncio.CancelledError)
    assert world.platform.live() == []


def test_finishing_loses_no_exception_and_leaves_nothing_running(time: VirtualTime) -> None:
    ended: list[str] = []

    async def fails_after(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            raise ServerFault("after the cancel")
        finally:
            ended.append(f"{seconds:g}")

    async def cancelled(seconds: float) -> None:
        task = asyncio.ensure_future(finishing(fails_after(seconds), within_s=lambda: 2.0))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    time.run(cancelled(1.0))
    time.run(cancelled(60.0))
    assert ended == ["1", "60"]
    assert time.seconds() == pytest.approx(1.0 + 2.5)


def test_finishing_hands_on_results_and_errors(time: VirtualTime) -> None:
    async def answer(error: HarpoonError | None = None) -> int:
        if error:
            raise error
        return 42

    assert time.run(finishing(answer(), within_s=lambda: 1.0)) == 42
    with pytest.raises(BrokenOff):
        time.run(finishing(answer(BrokenOff("it broke")), within_s=lambda: 1.0))


@pytest.mark.parametrize("features", [NO_KEYS, NO_LIST], ids=["list", "no list"])
def test_a_lost_answer_and_a_full_disk_are_said_to_be_billing(
    make_world: MakeWorld, features: Features
) -> None:
    world = make_world(features, shown_after_s=60.0)
    with pytest.raises(MayStillBill):
        world.time.run(use(world.process(Fate(full_from=2), [Fault.LOST])))
    assert len(world.platform.live()) == 1


def test_an_end_that_the_platform_has_confirmed_is_not_said_to_be_billing_on_a_full_disk(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    with pytest.raises(StorageFault):
        world.time.run(use(world.process(Fate(full_from=2))))
    assert world.platform.live() == []


def test_a_refusal_on_a_full_disk_is_not_said_to_be_billing(make_world: MakeWorld) -> None:
    world = make_world()
    with pytest.raises(StorageFault):
        world.time.run(use(world.process(Fate(full_from=2), [Fault.REFUSED])))


def test_a_list_that_is_not_there_after_all_is_no_search_and_a_long_past_ttl_closes_the_record(
    make_world: MakeWorld,
) -> None:
    world = make_world(NO_KEYS)

    def no_list() -> tuple[Lease, ...]:
        raise NotOffered("no such endpoint")

    world.platform.list = no_list  # type: ignore[method-assign]  # promised, and not there
    process = world.process(faults=[Fault.LOST])
    with pytest.raises(MayStillBill):
        world.time.run(use(process))
    process.end()
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    assert len(swept(world).troubles) == 1
    world.time.forward(ORDER.ttl_s)
    assert [one.state for one in swept(world).ended] == [LeaseState.RELEASED]


def test_an_allocate_that_a_cancel_cuts_short_is_unsure(make_world: MakeWorld) -> None:
    world = make_world(shown_after_s=60.0)
    process = world.process(Fate(cancel_at=1), [Fault.SLOW])
    assert isinstance(world.time.run(_outcome(process)), MayStillBill)
    assert states(world) == [LeaseState.UNSURE]


@pytest.mark.parametrize("full_from", [None, 4], ids=["well", "full disk"])
def test_a_second_lease_for_one_intent_is_given_back(make_world: MakeWorld, full_from: int | None) -> None:
    """Another command has found and written down one; then the answer to our ask names another."""
    world = make_world()
    process, other = world.process(Fate(full_from=full_from)), world.process()
    intent = process.lifecycle.intend(ORDER)
    first = world.platform.give(intent.request.metadata, 900)
    assert other.ledger.accepted(intent.reference, world.platform.show(first.id), world.time.now())
    if full_from:
        process.ledger.keep(intent.reference)
    record = world.time.run(process.lifecycle.obtain(intent))
    assert record.lease_id == first.id
    unwritten = full_from is not None
    assert states(world) == ([LeaseState.HELD] if unwritten else [LeaseState.HELD, LeaseState.RELEASED])
    assert world.platform.live() == [first]


def test_a_lease_that_is_live_after_its_record_was_closed_is_ended_in_the_same_record(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    process = world.process()
    record = world.time.run(use(process))
    [slot] = world.platform.slots.values()
    slot.released = False
    reopened = process.lifecycle.reopen(record, world.platform.show(slot.id))
    assert reopened.state is LeaseState.RELEASING
    assert world.time.run(process.lifecycle.settle(reopened)).state is LeaseState.RELEASED
    assert world.platform.live() == []
    assert states(world) == [LeaseState.RELEASED]


def until_the_release(world: World) -> list[Fault]:
    """No fault for every call that comes before the release."""
    process = world.process()
    world.time.run(use(process))
    return [Fault.NONE] * process.control.asked.index("DELETE")


NO_LIST_BUT_KEYS = replace(FULL, lists=False)


def test_a_proxy_s_404_does_not_end_a_lease(make_world: MakeWorld) -> None:
    world = make_world(NO_LIST)
    process = world.process(faults=[*until_the_release(make_world(NO_LIST)), Fault.INGRESS, Fault.INGRESS])
    world.time.run(use(process))
    assert world.platform.live() == []
    assert process.control.asked.count("DELETE") == 3


def test_after_an_accepted_release_a_proxy_s_404_is_checked_against_the_list(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process(faults=[*until_the_release(make_world()), Fault.NONE, Fault.INGRESS])
    record = world.time.run(use(process))
    assert record.state is LeaseState.RELEASED
    assert process.control.asked[-3:] == ["DELETE", "GET", "LIST"]


def test_a_release_without_effect_of_a_lease_that_no_read_shows_yet_is_not_believed(
    make_world: MakeWorld,
) -> None:
    world = make_world(shown_after_s=40.0)
    process = world.process(Fate(cancel_at=3), [Fault.NONE, Fault.NONE, Fault.IDLE])
    with pytest.raises((asyncio.CancelledError, MayStillBill)):
        world.time.run(use(process))
    process.end()
    assert len(world.platform.live()) == 1
    assert states(world) == [LeaseState.RELEASING]
    world.time.forward(60.0)
    assert swept(world).troubles == ()
    assert world.platform.live() == []


def test_a_release_that_is_refused_for_now_is_asked_again(make_world: MakeWorld) -> None:
    world = make_world()
    process = world.process(faults=[*until_the_release(make_world()), Fault.CONFLICT, Fault.CONFLICT])
    assert world.time.run(use(process)).state is LeaseState.RELEASED
    assert process.control.asked.count("DELETE") == 3


def test_an_allocate_that_is_refused_and_granted_all_the_same_is_given_back(make_world: MakeWorld) -> None:
    world = make_world()
    with pytest.raises(NoCapacity):
        world.time.run(use(world.process(faults=[Fault.LIAR])))
    assert world.platform.live() == []
    assert states(world) == [LeaseState.RELEASED]


def test_without_a_list_the_same_request_with_its_key_settles_an_unanswered_allocate(
    make_world: MakeWorld,
) -> None:
    world = make_world(NO_LIST_BUT_KEYS)
    process = world.process(faults=[Fault.LOST] * 8)
    with pytest.raises(HarpoonError):
        world.time.run(use(process))
    process.end()
    assert len(world.platform.live()) == 1
    assert swept(world).troubles == ()
    assert world.platform.live() == []
    assert len(world.platform.slots) == 1, "the key made both asks one lease"


def test_a_lease_that_a_repeat_began_is_not_over_when_the_first_ask_s_time_is(make_world: MakeWorld) -> None:
    """Its end counts from the repeat."""
    world = make_world(NO_LIST_BUT_KEYS)
    with pytest.raises(HarpoonError):
        world.time.run(use(world.process(faults=[Fault.HANG, *[Fault.LOST] * 20])))
    world.time.forward(ORDER.ttl_s - 100)
    process = world.process(faults=[Fault.LOST])
    with pytest.raises(MayStillBill):
        world.time.run(process.lifecycle.settle(process.ledger.open_records()[0]))
    process.end()
    world.time.forward(ABSENCE_PROVES_AFTER_S + 100)
    [record] = world.records()
    assert record.state in (LeaseState.UNSURE, LeaseState.RELEASED)
    assert record.state is LeaseState.UNSURE or world.platform.live() == []


def test_the_way_out_where_nothing_can_be_searched_is_a_person_s_word(make_world: MakeWorld) -> None:
    world = make_world(replace(NO_LIST, ttl=False))
    process = world.process(faults=[Fault.HANG])
    with pytest.raises(MayStillBill) as told:
        world.time.run(use(process))
    assert "--confirmed-gone" in str(told.value.hint)
    [record] = world.records()
    assert process.lifecycle.believe_gone(record).state is LeaseState.RELEASED


def test_a_list_with_a_lease_of_unknown_owner_does_not_prove_absence(make_world: MakeWorld) -> None:
    """It was given in our pool, after our intent, and carries nobody's reference."""
    world = make_world(NO_KEYS)
    process = world.process(faults=[Fault.HANG])
    with pytest.raises(HarpoonError):
        world.time.run(use(process))
    process.end()
    unmarked = world.platform.give({}, 10**6)
    world.time.forward(ABSENCE_PROVES_AFTER_S)
    [trouble] = swept(world).troubles
    assert unmarked.id in trouble.message
    unmarked.released = True
    assert swept(world).troubles == ()


def test_two_leases_of_one_intent_on_a_platform_that_ignores_its_keys_both_end(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.platform.honours_keys = False
    record = world.time.run(use(world.process(faults=[Fault.LOST])))
    assert record.lost_answers == 1
    assert len(world.platform.slots) == 2
    assert world.platform.live() == []
