"""A lease as a command has it: what it may cost, what is said about it, and what its receipt says."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from harpoon_cli.domain import Lease, LeaseId, LeaseRequest, LeaseState, Money, Origin, Price, Receipt
from harpoon_cli.errors import CostCeilingReached, MayStillBill, NoCapacity
from harpoon_cli.leases.ceiling import RESERVE_S, Ceiling, budget
from harpoon_cli.leases.lifecycle import Lifecycle, Order
from harpoon_cli.leases.receipts import cost_so_far, may_have_cost
from harpoon_cli.leases.tenancy import Tenancy
from harpoon_cli.pricing import totals
from harpoon_cli.values import replace
from tests.leases.conftest import MakeWorld
from tests.leases.world import FULL, ORDER, FakePlatform, Fault, Process, Slot, World

QUOTED = Price(Decimal("0.40"), "USD")
Work = Callable[[Tenancy], Awaitable[None]]

CEILING = Ceiling(Decimal("0.01"), QUOTED)
"""Pays for 90 seconds."""

KEPT = replace(ORDER, keep=True)


@dataclass
class PricedPlatform(FakePlatform):
    """Its leases have a price and an end of their own."""

    price: Price | None = QUOTED
    later_s: float | None = 0.0

    def _lease(self, slot: Slot) -> Lease:
        shown = super()._lease(slot)
        assert shown.expires_at is not None
        later = None if self.later_s is None else shown.expires_at + timedelta(seconds=self.later_s)
        return replace(shown, price=self.price, expires_at=later)


@dataclass
class Command:
    """A command that takes one lease in a world, and what it said and was told."""

    world: World
    process: Process
    said: list[str] = field(default_factory=list)
    receipt: Receipt | None = None

    @property
    def lifecycle(self) -> Lifecycle:
        return self.process.lifecycle

    @asynccontextmanager
    async def tenancy(self, order: Order = ORDER, ceiling: Ceiling | None = None) -> AsyncIterator[Tenancy]:
        alive = self.world.alive
        tenancy = Tenancy(
            self.lifecycle,
            is_alive=lambda name: name in alive,
            say=self.said.append,
            warn=self.said.append,
            phase=lambda _: nullcontext(),
        )
        try:
            async with tenancy.leased(order, ceiling=ceiling) as held:
                yield held
        finally:
            self.receipt = tenancy.receipt(())

    def run(self, work: Work | float, order: Order = ORDER, ceiling: Ceiling | None = None) -> Receipt:
        """Take a lease, work on it (a number: for so many seconds) and give it back; the receipt."""

        async def all_of_it() -> None:
            async with self.tenancy(order, ceiling) as held:
                if isinstance(work, int | float):
                    with held.working():
                        await asyncio.sleep(work)
                else:
                    await work(held)

        self.world.time.run(all_of_it())
        assert self.receipt is not None
        return self.receipt

    def ended_early(self, work: float, ceiling: Ceiling, order: Order = ORDER) -> CostCeilingReached:
        """The same, ended by its ceiling, with the lease gone."""
        with pytest.raises(CostCeilingReached) as caught:
            self.run(work, order, ceiling)
        assert self.world.platform.live() == []
        return caught.value


def command(world: World, *faults: Fault) -> Command:
    return Command(world, world.process(faults=faults))


def priced(world: World, price: Price | None = QUOTED, *, later_s: float | None = 0.0) -> World:
    old = world.platform
    world.platform = PricedPlatform(
        old.time, old.features, old.shown_after_s, old.starts_after_s, price=price, later_s=later_s
    )
    return world


# What a lease may cost


def test_a_ceiling_ends_the_work_in_time_to_give_the_lease_back_for_less(make_world: MakeWorld) -> None:
    world = make_world()
    ours = command(world)
    error = ours.ended_early(10_000.0, ceiling=CEILING)
    assert "about to cost the $0.01 allowed" in error.message
    assert ours.receipt is not None
    assert ours.receipt.cost is not None
    assert Decimal("0.009") < ours.receipt.cost.amount <= CEILING.max_cost
    assert ours.receipt.released
    assert world.time.seconds() == pytest.approx(90 - RESERVE_S, abs=1)


def test_work_that_ends_in_time_does_not_notice_its_ceiling(make_world: MakeWorld) -> None:
    ours = command(make_world())
    assert ours.run(80.0, ceiling=CEILING).released
    assert ours.said == []


def test_waiting_for_the_slice_costs_as_much_as_using_it(make_world: MakeWorld) -> None:
    ours = command(make_world(starts_after_s=200.0))
    ours.ended_early(1.0, ceiling=CEILING)
    assert ours.receipt is not None
    assert ours.receipt.seconds_held is not None
    assert ours.receipt.seconds_held < 90


def test_a_dearer_lease_than_quoted_is_said_and_ended_sooner(make_world: MakeWorld) -> None:
    world = priced(make_world(), Price(Decimal("4.00"), "USD"))
    ours = command(world)
    ours.ended_early(1_000.0, ceiling=CEILING)
    assert ours.said == ["lease lease-0 costs $4.00 an hour, more than the $0.40 of its pool"]
    assert world.time.seconds() < 9


@pytest.mark.parametrize("order", [ORDER, replace(ORDER, price=QUOTED)])
def test_a_lease_without_a_price_is_held_to_that_of_its_pool(make_world: MakeWorld, order: Order) -> None:
    world = priced(make_world(), None)
    command(world).ended_early(1_000.0, ceiling=CEILING, order=order)
    assert world.time.seconds() < 90


def test_a_lease_in_another_currency_cannot_be_held_to_a_ceiling(make_world: MakeWorld) -> None:
    world = priced(make_world(), Price(Decimal("0.01"), "EUR"))
    assert "priced in EUR" in command(world).ended_early(1.0, ceiling=CEILING).message


def test_a_kept_lease_that_would_cost_too_much_by_its_own_price_is_given_back(make_world: MakeWorld) -> None:
    world = priced(make_world(), Price(Decimal("0.80"), "USD"))
    error = command(world).ended_early(0.0, ceiling=replace(CEILING, max_cost=Decimal("0.15")), order=KEPT)
    assert "may cost $0.20" in error.message


def test_a_free_lease_has_no_limit(make_world: MakeWorld) -> None:
    free = Price(Decimal(0), "USD")
    assert command(priced(make_world(), free)).run(800.0, ceiling=Ceiling(Decimal("0.01"), free)).released


def test_a_machine_that_slept_sees_it_when_it_wakes(make_world: MakeWorld) -> None:
    """Its timers stood still, its calendar did not."""
    world = make_world()
    slept_s = [0.0]
    ours = command(world)
    ours.process.lifecycle = replace(
        ours.lifecycle, now=lambda: world.time.now() + timedelta(seconds=slept_s[0])
    )

    async def sleeps(held: Tenancy) -> None:
        slept_s[0] = 3600.0
        await asyncio.sleep(1_000.0)

    with pytest.raises(CostCeilingReached):
        ours.run(sleeps, ceiling=CEILING)
    assert world.time.seconds() < 10


def test_a_clock_that_is_put_back_does_not_lengthen_the_lease(make_world: MakeWorld) -> None:
    world = make_world()
    put_back_s = [0.0]
    ours = command(world)
    ours.process.lifecycle = replace(
        ours.lifecycle, now=lambda: world.time.now() - timedelta(seconds=put_back_s[0])
    )

    async def turns(held: Tenancy) -> None:
        put_back_s[0] = 3600.0
        await asyncio.sleep(1_000.0)

    with pytest.raises(CostCeilingReached):
        ours.run(turns, ceiling=CEILING)
    assert world.time.seconds() < 90


def test_a_signal_under_a_ceiling_is_still_a_signal(make_world: MakeWorld) -> None:
    world = make_world()
    ours = command(world)

    async def cancelled() -> None:
        async with ours.tenancy(ceiling=CEILING):
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
            await asyncio.sleep(1_000.0)

    with pytest.raises(asyncio.CancelledError):
        world.time.run(cancelled())
    assert world.platform.live() == []


def test_a_release_that_cannot_be_confirmed_is_worse_than_a_ceiling(make_world: MakeWorld) -> None:
    world = make_world()
    ours = command(world, Fault.NONE, Fault.NONE, *[Fault.FAILED] * 3, *[Fault.HANG] * 3)
    with pytest.raises(MayStillBill):
        ours.run(1_000.0, ceiling=CEILING)
    assert ours.receipt is not None
    assert not ours.receipt.released


def test_a_release_that_takes_too_long_is_told_even_where_the_work_is_done(make_world: MakeWorld) -> None:
    ours = command(make_world(starts_after_s=0.0), Fault.NONE, *[Fault.SLOW] * 3)
    with pytest.raises(CostCeilingReached, match="took longer than expected"):
        ours.run(80.0, ceiling=CEILING)
    assert ours.receipt is not None
    assert ours.receipt.released


# What is settled before


def test_a_time_that_is_asked_for_stands_or_is_refused() -> None:
    with pytest.raises(CostCeilingReached, match=r"more than the \$0\.01 allowed"):
        budget(QUOTED, 900, Decimal("0.01"), fixed=True)
    assert budget(QUOTED, 90, Decimal("0.01"), fixed=True).ttl_s == 90


def test_a_time_that_is_not_asked_for_is_shortened_to_what_the_ceiling_pays_for() -> None:
    terms = budget(QUOTED, 900, Decimal("0.01"), fixed=False)
    assert (terms.ttl_s, terms.shortened, terms.ceiling) == (90, True, CEILING)
    assert terms.worst is not None
    assert terms.worst.amount == Decimal("0.01")
    assert not budget(QUOTED, 80, Decimal("0.01"), fixed=False).shortened


@pytest.mark.parametrize("fixed", [True, False])
def test_a_ceiling_that_pays_for_no_release_is_refused(*, fixed: bool) -> None:
    with pytest.raises(CostCeilingReached, match="pays for 2 s"):
        budget(QUOTED, 2, Decimal("0.0003"), fixed=fixed)


@pytest.mark.parametrize("fixed", [True, False])
def test_without_a_price_no_ceiling_can_be_kept(*, fixed: bool) -> None:
    with pytest.raises(CostCeilingReached, match="names no price"):
        budget(None, 900, Decimal(1), fixed=fixed)


def test_without_a_ceiling_nothing_is_settled_but_the_worst_case() -> None:
    assert budget(None, 900, None, fixed=False) == budget(None, 900, None, fixed=True)
    worst = budget(QUOTED, 900, None, fixed=False).worst
    assert worst is not None
    assert (worst.amount, worst.origin) == (Decimal("0.1"), Origin.ESTIMATED)


# What is said


def test_a_platform_that_ends_nothing_is_told_of_where_a_lease_stays(make_world: MakeWorld) -> None:
    world = make_world(replace(FULL, ttl=False))
    ours = command(world)
    assert ours.run(0.0, order=KEPT).only_a_release_ends_it
    assert ours.said == ["this platform ends no lease by itself: only harpoon ends lease lease-0"]
    passing = command(world)
    assert passing.run(0.0).only_a_release_ends_it
    assert passing.said == []


def test_an_end_later_than_asked_for_is_said(make_world: MakeWorld) -> None:
    ours = command(priced(make_world(), later_s=3600.0))
    assert not ours.run(0.0).only_a_release_ends_it
    assert ours.said == ["the platform ends lease lease-0 3600 s later than it was asked to"]


def test_an_end_that_is_not_named_is_said(make_world: MakeWorld) -> None:
    ours = command(priced(make_world(), later_s=None))
    assert ours.run(0.0).only_a_release_ends_it
    assert ours.said == ["the platform names no end for lease lease-0: only a release ends it"]


def test_rows_that_cannot_be_read_are_told_once_with_the_way_out(make_world: MakeWorld) -> None:
    world = make_world()
    for _ in range(3):
        command(world).run(0.0, order=KEPT)
    with closing(sqlite3.connect(world.path)) as ledger:
        ledger.execute("UPDATE leases SET request = '{'")
        ledger.commit()
    ours = command(world)
    ours.run(0.0)
    [told] = ours.said
    assert "is not whole (lease-0), nor are 2 more; " in told
    assert "mv " in told


# What the receipt says


def costs_on(receipt: Receipt) -> list[Money | None]:
    return [receipt.cost, *(one.cost for one in receipt.ended)]


def test_idle_is_the_share_of_the_time_in_which_no_work_went_on(make_world: MakeWorld) -> None:
    ours = command(make_world(starts_after_s=0.0))

    async def half(held: Tenancy) -> None:
        await asyncio.sleep(50.0)
        with held.working():
            await asyncio.sleep(50.0)

    receipt = ours.run(half)
    assert receipt.idle_share == pytest.approx(0.5, abs=0.01)


def test_work_that_overlaps_is_counted_once(make_world: MakeWorld) -> None:
    ours = command(make_world(starts_after_s=0.0))

    async def together(held: Tenancy) -> None:
        async def one(after_s: float) -> None:
            await asyncio.sleep(after_s)
            with held.working():
                await asyncio.sleep(60.0)

        await asyncio.gather(one(0.0), one(30.0))
        await asyncio.sleep(10.0)

    assert ours.run(together).idle_share == pytest.approx(0.1, abs=0.01)


def test_the_receipts_add_up_to_what_the_ledger_says_to_the_last_digit(make_world: MakeWorld) -> None:
    world = priced(make_world(), Price(Decimal("0.3700000001"), "USD"))
    receipts = [command(world).run(work, order=order) for work, order in ((3.3, ORDER), (7.7, ORDER))]
    left = command(world)
    left.run(1.0, order=KEPT)
    left.process.end()
    world.time.forward(ORDER.ttl_s + 60)
    receipts.append(command(world).run(0.1))
    told = [cost for receipt in receipts for cost in costs_on(receipt)]
    stored = [cost_so_far(one, world.time.now()) for one in world.records()]
    assert None not in told
    assert len(told) == len(stored) == 4
    assert totals(one for one in told if one) == totals(one for one in stored if one)


class Forgetful(dict[str, LeaseId]):
    """Keys that are taken and not honoured."""

    def get(self, key: str, default: object = None) -> None:  # type: ignore[override]  # it never knows one
        return None


def test_a_second_lease_that_came_of_one_request_is_on_the_receipt_too(make_world: MakeWorld) -> None:
    world = make_world()
    world.platform.keys = Forgetful()
    ours = command(world, Fault.LOST)
    receipt = ours.run(5.0)
    assert world.platform.live() == []
    assert {receipt.lease_id, *(one.lease_id for one in receipt.ended)} == {"lease-0", "lease-1"}
    assert totals(cost for cost in costs_on(receipt) if cost) == totals(
        cost for one in world.records() if (cost := cost_so_far(one, world.time.now()))
    )


def full(request: LeaseRequest) -> Lease:
    raise NoCapacity("full")


def test_what_was_left_open_is_on_the_receipt_even_of_a_command_that_gets_no_lease(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    left = command(world)
    left.run(1.0, order=KEPT)
    left.process.end()
    world.time.forward(ORDER.ttl_s + 60)
    world.platform.allocate = full  # type: ignore[method-assign]  # nothing else changes
    ours = command(world)
    with pytest.raises(NoCapacity):
        ours.run(0.0)
    assert ours.receipt is not None
    assert ours.receipt.lease_id is None
    [one] = ours.receipt.ended
    assert (one.lease_id, one.released) == ("lease-0", True)
    assert one.seconds_held == pytest.approx(900, abs=1)
    assert one.cost is not None
    assert one.cost.origin is Origin.ESTIMATED


def test_a_lease_that_ended_long_ago_costs_the_same_whatever_the_clock_says(make_world: MakeWorld) -> None:
    world = make_world()
    command(world).run(10.0)
    [record] = world.records()
    costs = {cost_so_far(record, record.intended_at + timedelta(days=days)) for days in (-1, 0, 1)}
    assert len(costs) == 1


def test_a_platform_whose_clock_is_slow_does_not_make_a_lease_cheaper(make_world: MakeWorld) -> None:
    world = make_world()
    command(world).run(10.0)
    [record] = world.records()
    slow = replace(record, expires_at=record.intended_at - timedelta(hours=1))
    absurd = replace(slow, request=replace(record.request, ttl_s=10**400))
    now = world.time.now()
    assert cost_so_far(slow, now) == cost_so_far(absurd, now) == cost_so_far(record, now)


@pytest.mark.parametrize(
    ("state", "ended_after_s", "possible"),
    [
        (LeaseState.REFUSED, None, False),
        (LeaseState.UNSURE, None, True),
        (LeaseState.INTENT, None, True),
        (LeaseState.RELEASED, 200, False),
        (LeaseState.RELEASED, 1_000, True),
    ],
)
def test_a_request_without_an_answer_may_have_cost_something_unless_it_is_proved_absent_in_time(
    make_world: MakeWorld, state: LeaseState, ended_after_s: int | None, *, possible: bool
) -> None:
    world = make_world()
    intent = command(world).lifecycle.intend(ORDER)
    released: datetime | None = None
    if ended_after_s is not None:
        released = intent.intended_at + timedelta(seconds=ended_after_s)
    assert may_have_cost(replace(intent, state=state, released_at=released)) is possible
