"""A ceiling on what a lease may cost: settled before it is asked for, and kept while it is used.

Amounts are in the currency of the quoted price. A ceiling holds against what a platform says, its price, and
against our clocks; what it bills in the end only its bill knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

from harpoon_cli.amounts import told, told_above, told_exactly
from harpoon_cli.domain import LeaseRecord, Money, Price
from harpoon_cli.errors import CostCeilingReached
from harpoon_cli.leases.lifecycle import Lifecycle
from harpoon_cli.pricing import check_ceiling, cost_of_lease, seconds_affordable
from harpoon_cli.values import Struct

RESERVE_S = 3.0
"""What is set aside for giving the lease back: its seconds cost as much as any other."""

LOOK_EVERY_S = 5.0
"""A machine can sleep for hours between two moments of its timers; its clock then shows it."""


class Ceiling(Struct, frozen=True):
    """The most that a lease may cost, and the price of its pool, by which that was checked before."""

    max_cost: Decimal
    quoted: Price


class Budget(Struct, frozen=True):
    """What was settled before a lease is asked for: its seconds, what they cost at most, and the ceiling."""

    ttl_s: int
    worst: Money | None
    ceiling: Ceiling | None
    shortened: bool = False


def budget(price: Price | None, ttl_s: int, max_cost: Decimal | None, *, fixed: bool) -> Budget:
    """The terms of a lease of `ttl_s` seconds that may cost `max_cost` (None: anything).

    Without fixed, a time that is too dear is shortened to what is affordable. `CostCeilingReached` where it
    may not be, where the rest is too short to give the lease back, or where no price is known.
    """
    if max_cost is None:
        worst = None if price is None else cost_of_lease(price, ttl_s, measured=False)
        return Budget(ttl_s, worst, None)
    if price is None or fixed:
        check_ceiling(price, ttl_s, max_cost)
    assert price is not None, "a ceiling without a price is refused"
    affordable_s = seconds_affordable(price, max_cost)
    if affordable_s is not None and affordable_s <= RESERVE_S:
        ceiling, rate = told_exactly(max_cost, price.currency), told(price.per_hour, price.currency)
        raise CostCeilingReached(
            f"{ceiling} at {rate} an hour pays for {affordable_s} s, and {RESERVE_S:g} s are set aside for "
            "giving the lease back",
            hint="raise --max-cost, or choose a cheaper pool: harpoon pools",
        )
    fitting_s = ttl_s if affordable_s is None else min(ttl_s, affordable_s)
    worst = check_ceiling(price, fitting_s, max_cost)
    return Budget(fitting_s, worst, Ceiling(max_cost, price), shortened=fitting_s < ttl_s)


def price_under(ceiling: Ceiling, record: LeaseRecord) -> Price:
    """The price that counts: the lease's own, or its pool's where it names none.

    `CostCeilingReached` for another currency than the ceiling's.
    """
    price = record.price or ceiling.quoted
    if price.currency != ceiling.quoted.currency:
        raise CostCeilingReached(
            f"lease {record.lease_id} is priced in {price.currency} and its pool in "
            f"{ceiling.quoted.currency}, so the ceiling on its cost cannot be kept",
            hint="choose another pool (see: harpoon pools), or leave out --max-cost",
        )
    return price


def check_whole(ceiling: Ceiling, record: LeaseRecord) -> None:
    """`CostCeilingReached` where all the time that was asked for would cost more at the lease's own price."""
    check_ceiling(price_under(ceiling, record), record.request.ttl_s, ceiling.max_cost)


def check_spent(ceiling: Ceiling, spent: Money | None) -> None:
    """`CostCeilingReached` where a lease that is over has cost more than allowed in spite of all."""
    if spent is not None and spent.currency == ceiling.quoted.currency and spent.amount > ceiling.max_cost:
        raise CostCeilingReached(
            f"the lease cost {told_above(spent.amount, ceiling.max_cost, spent.currency)}, more than the "
            f"{told_exactly(ceiling.max_cost, spent.currency)} allowed: asking for it or giving it back took "
            "longer than expected",
            hint="the work itself is done; harpoon leases --cost shows what each lease cost",
        )


@asynccontextmanager
async def kept_to(ceiling: Ceiling | None, lifecycle: Lifecycle, record: LeaseRecord) -> AsyncIterator[None]:
    """End the block in time to give the lease back for less than the ceiling: `CostCeilingReached` then.

    Counts from the request for the lease, by the wall clock or the monotonic one, whichever shows more.
    """
    price = None if ceiling is None else price_under(ceiling, record)
    affordable_s = None if ceiling is None or price is None else seconds_affordable(price, ceiling.max_cost)
    if ceiling is None or price is None or affordable_s is None:
        yield
        return
    watch = _Watch(_held_for(lifecycle, record), affordable_s - RESERVE_S)
    try:
        async with asyncio.timeout(None) as scope:
            watch.begin(scope)
            try:
                yield
            finally:
                watch.end()
    except TimeoutError as end:
        if not scope.expired():
            raise
        raise CostCeilingReached(
            f"lease {record.lease_id} was ended after {watch.held_s():.0f} s: at "
            f"{told(price.per_hour, price.currency)} an hour it was about to cost the "
            f"{told_exactly(ceiling.max_cost, price.currency)} allowed",
            hint="raise --max-cost, or choose a cheaper pool: harpoon pools",
        ) from end


def _held_for(lifecycle: Lifecycle, record: LeaseRecord) -> Callable[[], float]:
    """The seconds since the request for the lease; a clock that is put back does not lengthen them."""
    before_s = max(0.0, (lifecycle.now() - record.intended_at).total_seconds())
    began_s = lifecycle.clock()

    def held_s() -> float:
        by_calendar_s = (lifecycle.now() - record.intended_at).total_seconds()
        return max(by_calendar_s, before_s + lifecycle.clock() - began_s)

    return held_s


class _Watch:
    """Looks again and again whether the affordable seconds are over, and then cuts a scope off."""

    def __init__(self, held_s: Callable[[], float], limit_s: float) -> None:
        self.held_s = held_s
        self._limit_s = limit_s
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, scope: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        left_s = self._limit_s - self.held_s()
        if left_s <= 0:
            scope.reschedule(loop.time())
        else:
            self._timer = loop.call_later(min(left_s, LOOK_EVERY_S), self.begin, scope)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
