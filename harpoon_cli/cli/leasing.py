"""Taking a lease for a command: the leases' rules, with this session's sentences, steps and ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from decimal import Decimal
from functools import partial

from harpoon_cli.amounts import told_exactly
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import LeaseRecord, Pool, Receipt, Tenure
from harpoon_cli.errors import NoCapacity, StorageFault, UnknownPool
from harpoon_cli.leases.abandoned import abandoned
from harpoon_cli.leases.alive import is_alive
from harpoon_cli.leases.ceiling import Budget, Ceiling, budget
from harpoon_cli.leases.lifecycle import Lifecycle, Order
from harpoon_cli.leases.tenancy import Tenancy
from harpoon_cli.leases.worktime import Worktime
from harpoon_cli.values import Struct, replace

MOST_REFUSALS = 10
"""After so many no other pool is asked: each takes its time, and a wrong path refuses in the name of all."""

NoSlice = NoCapacity | UnknownPool
"""What a pool says that surely gave no lease, and of which another pool may have one."""


class Attempt(Struct, frozen=True):
    """One lease to ask for, and what it may cost."""

    order: Order
    ceiling: Ceiling | None


def budget_of(session: Session, pool: Pool, ttl_s: int | None, max_cost: Decimal | None) -> Budget:
    """The terms of a lease from this pool, None taken from the configuration; `CostCeilingReached`.

    A time that the command line names stands or is refused; the configured one is shortened where a ceiling
    does not pay for it, and that is said.
    """
    configured = session.settings.lease
    most = configured.max_cost if max_cost is None else max_cost
    asked_s = configured.ttl_s if ttl_s is None else ttl_s
    terms = budget(pool.price, asked_s, most, fixed=ttl_s is not None)
    if terms.shortened and pool.price is not None and most is not None:
        ceiling = told_exactly(most, pool.price.currency)
        session.screen.warn(
            f"the lease is for {terms.ttl_s} s, not {asked_s} s: the ceiling of {ceiling} pays for no more"
        )
    return terms


@asynccontextmanager
async def leased(
    session: Session,
    lifecycle: Lifecycle,
    order: Order,
    *,
    wait: bool = True,
    ceiling: Ceiling | None = None,
) -> AsyncIterator[Tenancy]:
    """A lease for the block's length, or longer where the order says so; the session gets its receipt."""
    alive = partial(is_alive, session.signs_of_life)
    screen = session.screen
    tenancy = Tenancy(lifecycle, is_alive=alive, say=screen.note, warn=screen.warn, phase=session.step)
    try:
        async with tenancy.leased(order, wait=wait, ceiling=ceiling):
            yield tenancy
        session.keeps = tenancy.stays
    finally:
        session.receipt = tenancy.receipt(session.steps)


async def first_given(
    session: Session,
    lifecycle: Lifecycle,
    attempt: Attempt,
    use: Callable[[Tenancy], Awaitable[None]],
    instead: Callable[[Order, NoSlice], Attempt],
    *,
    wait: bool = True,
) -> None:
    """Use the first lease that is given; where a pool has no such slice `instead` names the next to ask for.

    That raises the refusal where there is none. Whatever else a platform says to a request ends it: nothing
    is asked for while it is not certain what came of the request before.
    """
    ended: list[Tenure] = []
    refused = 0
    try:
        while (refusal := await _refusal(session, lifecycle, attempt, use, wait=wait)) is not None:
            refused += 1
            if refused == MOST_REFUSALS:
                session.screen.note(f"{refused} pools had no such slice; the others were not asked: --pool")
                raise refusal
            before = session.receipt
            attempt = instead(attempt.order, refusal)
            ended += before.ended if before else ()
    finally:
        session.receipt = with_ended(session, ended)


async def _refusal(
    session: Session,
    lifecycle: Lifecycle,
    attempt: Attempt,
    use: Callable[[Tenancy], Awaitable[None]],
    *,
    wait: bool,
) -> NoSlice | None:
    """Use one lease; the refusal where the pool has none, and nothing is left of the request."""
    given = False
    try:
        async with leased(session, lifecycle, attempt.order, wait=wait, ceiling=attempt.ceiling) as lease:
            given = True
            await use(lease)
    except (NoCapacity, UnknownPool) as refusal:
        if given:
            raise
        return refusal
    return None


def with_ended(session: Session, ended: Sequence[Tenure]) -> Receipt | None:
    """The session's receipt with leases that were ended before it, which have cost money too."""
    if not ended:
        return session.receipt
    receipt = session.receipt or Receipt(steps=tuple(session.steps))
    return replace(receipt, ended=(*ended, *receipt.ended))


@contextmanager
def using(session: Session, record: LeaseRecord | None) -> Iterator[None]:
    """Count the block's time as work on a held lease of ours; None is somebody else's."""
    worktime = Worktime()
    try:
        with worktime.going_on():
            yield
    finally:
        if record is not None:
            with suppress(StorageFault):  # what came of the work matters more than how long it took
                session.ledger.used(record.reference, (record.used_s or 0.0) + worktime.seconds)


def overdue_here(session: Session, lifecycle: Lifecycle) -> tuple[LeaseRecord, ...]:
    """The open records of this platform that nobody uses any more."""
    return abandoned(lifecycle, partial(is_alive, session.signs_of_life))


def elsewhere(session: Session) -> list[str]:
    """A sentence about open leases of other platforms or keys, which this command did not look at."""
    others = sorted({one.endpoint for one in session.ledger.open_records()} - {session.account})
    if not others:
        return []
    return [
        f"there are open leases at {', '.join(others)} too; reach them with that URL and key, or --profile"
    ]
