"""Leases a slice that is to be kept, from the cheapest pool that fits and has it; prints no result."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from harpoon_cli.cli.failovers import Failover, tell_pool
from harpoon_cli.cli.leasing import Attempt, NoSlice, budget_of, first_given
from harpoon_cli.cli.placement import place
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import LeaseRecord, Money, Pool, PoolId, Requirements
from harpoon_cli.errors import HarpoonError
from harpoon_cli.leases.ceiling import Budget
from harpoon_cli.leases.lifecycle import Order
from harpoon_cli.leases.tenancy import Tenancy
from harpoon_cli.values import Struct, field


class Wish(Struct, frozen=True):
    """The slice, the only pools it may come from (none named: any), and the terms; None is as configured."""

    requirements: Requirements
    allowed: Sequence[PoolId]
    pool: str | None
    ttl_s: int | None
    max_cost: Decimal | None
    timeout_s: float | None
    wait: bool


class Kept(Struct):
    """The lease, what all of its time costs, and the pools that had no such slice before."""

    record: LeaseRecord | None = None
    worst_case_cost: Money | None = None
    failovers: list[Failover] = field(default_factory=list)


def planned(session: Session, wish: Wish, pools: Sequence[Pool] | None) -> tuple[Pool, Budget]:
    """The pool that would be asked, and the terms; the errors of `place` and `budget_of`."""
    pool = place(session, wish.requirements, pools, wish.pool, wish.allowed)
    return pool, budget_of(session, pool, wish.ttl_s, wish.max_cost)


async def keep(session: Session, wish: Wish, pools: Sequence[Pool] | None) -> Kept:
    """The lease, which stays; a pool that surely has no slice gives way to the next, unless it was named."""
    kept = Kept()
    left = pools

    def attempt() -> Attempt:
        pool, terms = planned(session, wish, left)
        kept.worst_case_cost = terms.worst
        order = Order(pool.id, wish.requirements, terms.ttl_s, keep=True, price=pool.price)
        return Attempt(order, terms.ceiling)

    def instead(refused: Order, refusal: NoSlice) -> Attempt:
        nonlocal left
        if left is None or wish.pool or session.settings.platform.pool_id:
            raise refusal
        left = [pool for pool in left if pool.id != refused.pool_id]
        try:
            following = attempt()
        except HarpoonError as nothing:
            session.screen.note(f"no other pool can hold it: {nothing.message}")
            raise refusal from nothing
        model = wish.requirements.model
        failover = Failover(model, refused.pool_id, refusal.message, model, following.order.pool_id)
        kept.failovers.append(failover)
        tell_pool(session, failover, wish.requirements)
        return following

    async def take(lease: Tenancy) -> None:
        kept.record = lease.record

    lifecycle = session.lifecycle(ready_s=wish.timeout_s)
    await first_given(session, lifecycle, attempt(), take, instead, wait=wish.wait)
    return kept
