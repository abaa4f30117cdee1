"""A load test on a slice of the configured platform: lease it, wait for its model, load it, give it back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from time import monotonic

from harpoon_cli.bench.judging.report import LeaseTimes
from harpoon_cli.bench.run import Paid
from harpoon_cli.cli.bench.drive import RESERVE_S, Course, fire, refuse_terms
from harpoon_cli.cli.bench.plans import longest_s
from harpoon_cli.cli.bench.targets import leased_target
from harpoon_cli.cli.leasing import budget_of, leased, using
from harpoon_cli.cli.placement import known_pools, place
from harpoon_cli.cli.routes import only_pool
from harpoon_cli.cli.session import Session, sandbox_dir
from harpoon_cli.client.service import Platform
from harpoon_cli.domain import (
    CompletionRequest,
    Lease,
    LeaseId,
    LeaseRecord,
    Model,
    Money,
    PoolId,
    Price,
    Prompt,
    Requirements,
    Step,
)
from harpoon_cli.errors import (
    BreakerOpen,
    CostCeilingReached,
    NothingFits,
    NotSent,
    PlatformError,
    Refused,
    TimedOut,
)
from harpoon_cli.leases.ceiling import Budget, Ceiling, budget
from harpoon_cli.leases.lifecycle import Lifecycle, Order
from harpoon_cli.leases.tenancy import Tenancy
from harpoon_cli.pricing import cost_of_lease
from harpoon_cli.render import words
from harpoon_cli.settings.endpoint import LiveEndpoint
from harpoon_cli.settings.paths import cache_dir
from harpoon_cli.values import replace

AFTER_THE_LOAD_S = 120
"""What a lease is longer than its load: for the model to start, and for the last answers."""

BY_CEILING, BY_LEASE = "--max-cost", "the end of its lease (see --ttl)"
"""What may end a load before its plan does, as it is told."""

NOT_YET = (404, 409, 425, 429)
"""What a slice may refuse with while its model starts."""


async def on_lease(session: Session, course: Course) -> None:
    """Load a slice; what came of it is in the course, also where this is cancelled or fails."""
    platform = session.platform()
    async with reachable(session) as where:
        if course.wishes.lease.lease is not None:
            await _on_held(session, course, platform, where)
        elif not platform.control.features.leases:
            refuse_terms(course.wishes.lease, "this endpoint is not leased")
            await fire(
                session,
                course,
                leased_target(course.wishes.target, session, where, None),
                where.inference_url,
            )
        else:
            await _on_new(session, course, platform, where)


@asynccontextmanager
async def reachable(session: Session) -> AsyncIterator[LiveEndpoint]:
    """Where engines reach the platform; the embedded one is served on loopback meanwhile."""
    if isinstance(session.where, LiveEndpoint):
        yield session.where
        return
    session.screen.note("what answers is the sandbox on this machine: its times say nothing about a GPU")
    from harpoon_cli.sandbox.embedded import open_sandbox
    from harpoon_cli.sandbox.server import serve

    settings = session.settings.sandbox
    application = open_sandbox(sandbox_dir(), cache_dir(), idle_s=settings.idle_s, threads=settings.threads)
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def ended(serving: asyncio.Task[None]) -> None:
        error = None if serving.cancelled() else serving.exception()
        if error is not None and not url.done():
            url.set_exception(error)

    serving = asyncio.create_task(serve(application, "127.0.0.1", 0, started=url.set_result))
    serving.add_done_callback(ended)
    try:
        at, nowhere = await url, session.loaded.origins["platform.base_url"]
        yield LiveEndpoint(at, at, "bearer", application.key, nowhere, None)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await application.close()


async def _on_held(session: Session, course: Course, platform: Platform, where: LiveEndpoint) -> None:
    """On a lease that is held already, which stays held."""
    refuse_terms(course.wishes.lease, "the lease is held already")
    name = course.wishes.lease.lease or ""
    record = session.ledger.named(session.account, name)
    lease = await platform.control.lease(record.lease_id if record and record.lease_id else LeaseId(name))
    if lease.price is not None:
        course.paid = Paid(lease.price)
    _note_slice(course, lease)
    with using(session, record):
        target = leased_target(course.wishes.target, session, where, lease.id)
        await fire(session, course, target, where.inference_url, ends_at=lease.expires_at)


async def _on_new(session: Session, course: Course, platform: Platform, where: LiveEndpoint) -> None:
    """On a lease of its own, or on so many, one after another, without load."""
    lifecycle, order, settled = await _terms(session, course)
    cycles = course.wishes.lease.cycles
    ends_by = BY_CEILING if settled.shortened else BY_LEASE
    began = len(session.steps)
    try:
        for _ in range(cycles or 1):
            first_step = len(session.steps)
            ceiling, order = _left(settled, order, course.cost)
            try:
                async with leased(session, lifecycle, order, ceiling=ceiling) as tenancy:
                    await _use(session, course, platform, where, tenancy, ends_by=None if cycles else ends_by)
            finally:
                _count(session, course, first_step)
    finally:
        course.lease = lease_times(session.steps[began:])
    if course.run is not None and course.run.ended_by == BY_CEILING:
        raise CostCeilingReached(
            f"the load was ended early: what --max-cost allows pays for {order.ttl_s} s of the lease",
            hint="raise --max-cost, or ask for less",
        )


def _left(settled: Budget, order: Order, spent: Money | None) -> tuple[Ceiling | None, Order]:
    """What the next lease may cost and how long it may be, after what others of this command have cost.

    `CostCeilingReached` where what is left of --max-cost pays for none.
    """
    if settled.ceiling is None or spent is None:
        return settled.ceiling, order
    terms = budget(
        settled.ceiling.quoted, settled.ttl_s, settled.ceiling.max_cost - spent.amount, fixed=False
    )
    return terms.ceiling, replace(order, ttl_s=terms.ttl_s)


def _count(session: Session, course: Course, first_step: int) -> None:
    """Add what a lease cost to the course's, and leave only its own steps on its receipt."""
    receipt = session.receipt
    if receipt is None:
        return
    session.receipt = replace(receipt, steps=tuple(session.steps[first_step:]))
    if receipt.price is not None and receipt.seconds_held is not None:
        before_s = (course.paid.held_s if course.paid else None) or 0.0
        course.paid = Paid(receipt.price, before_s + receipt.seconds_held)
    if receipt.cost is not None:
        before = course.cost.amount if course.cost else Decimal(0)
        course.cost = replace(receipt.cost, amount=before + receipt.cost.amount)


async def _terms(session: Session, course: Course) -> tuple[Lifecycle, Order, Budget]:
    """What is leased, settled before anything is."""
    lease = course.wishes.lease
    pools = only_pool(session, await known_pools(session), lease.pool)
    requirements, allowed = _requirements(course)
    chosen = place(session, requirements, pools, lease.pool, allowed)
    settled = budget_of(session, chosen, lease.ttl or _long_enough_s(session, course), lease.max_cost)
    _check_pays_for_the_load(course, settled)
    order = Order(chosen.id, requirements, settled.ttl_s, price=chosen.price)
    return session.lifecycle(ready_s=lease.timeout), order, settled


def _check_pays_for_the_load(course: Course, settled: Budget) -> None:
    """`CostCeilingReached` where the ceiling pays for less time than the load takes at the least."""
    load_s, allowed = _least_s(course), settled.ceiling
    if allowed is None or not settled.shortened or load_s is None or load_s + RESERVE_S <= settled.ttl_s:
        return
    price = allowed.quoted
    raise CostCeilingReached(
        f"{allowed.max_cost:f} {price.currency} at {price.per_hour:f} an hour pays for {settled.ttl_s} s; "
        f"the load takes {load_s:.0f} s, and {RESERVE_S:g} s are set aside to end it",
        hint="raise --max-cost, or shorten the load: --duration",
    )


def _requirements(course: Course) -> tuple[Requirements, Sequence[PoolId]]:
    """What the one slice must offer, and where it may be: it holds all models that are asked at once."""
    models: Sequence[Model] = course.models
    largest = max(models, key=lambda model: (model.vram_mb, model.tflops))
    wanted = Requirements(
        vram_mb=sum(model.vram_mb for model in models),
        tflops=max(model.tflops for model in models),
        model=largest.name,
    )
    return wanted, _common_pools(models)


def _common_pools(models: Sequence[Model]) -> tuple[PoolId, ...]:
    """The pools that every model may use; empty for any. `NothingFits` where none is common to all."""
    bound = [model for model in models if model.pools]
    common = tuple(pool for pool in (bound[0].pools if bound else ()) if all(pool in m.pools for m in bound))
    if bound and not common:
        named = ", ".join(model.name for model in bound)
        raise NothingFits(
            f"no pool may hold all of {named}: a run is made on one lease",
            hint="load them one after another, or give them a pool in common in the configuration",
        )
    return common


def _long_enough_s(session: Session, course: Course) -> int | None:
    """The time to ask for where the configured one is shorter than the load; None: the configured one."""
    load_s = _least_s(course)
    if load_s is None:
        return None
    wanted_s = ceil(load_s) + AFTER_THE_LOAD_S
    return wanted_s if wanted_s > session.settings.lease.ttl_s else None


def _least_s(course: Course) -> float | None:
    """How long the load takes at the least; None where time does not end it, or there is none."""
    limits = (longest_s(course.plan.load), course.wishes.load.max_duration)
    known = [one for one in limits if one is not None]
    return None if course.wishes.lease.cycles is not None else min(known, default=None)


async def _use(
    session: Session,
    course: Course,
    platform: Platform,
    where: LiveEndpoint,
    tenancy: Tenancy,
    *,
    ends_by: str | None,
) -> None:
    """Wait for the model, and load it; ends_by: what ends the lease, in words, None for no load."""
    record = tenancy.record
    with tenancy.working():
        with session.step("model"):
            await _model_ready(session, course, platform, record)
        if ends_by is None:
            return
        _note_slice(course, record)
        await fire(
            session,
            course,
            leased_target(course.wishes.target, session, where, record.lease_id),
            where.inference_url,
            ends_at=record.expires_at,
            ends_by=ends_by,
            spent=_spent_on(record.price, record.intended_at),
        )


def _note_slice(course: Course, slice_: Lease | LeaseRecord) -> None:
    course.gpu = words.gpu(slice_.gpu) if slice_.gpu else None


def _spent_on(price: Price | None, since: datetime) -> Callable[[], Money | None]:
    def spent() -> Money | None:
        if price is None:
            return None
        return cost_of_lease(price, max((datetime.now(UTC) - since).total_seconds(), 0.0))

    return spent


async def _model_ready(session: Session, course: Course, platform: Platform, record: LeaseRecord) -> None:
    """Ask every model for one token until it comes; raises what stood in its way where it comes too late."""
    ends_s = monotonic() + (course.wishes.lease.timeout or session.settings.lease.ready_s)
    for name in dict.fromkeys(model.served_name for model in course.models):
        request = CompletionRequest(Prompt("Hello"), name, 1, None, record.lease_id)
        await _answered(session, platform, request, ends_s)


async def _answered(session: Session, platform: Platform, request: CompletionRequest, ends_s: float) -> None:
    while True:
        try:
            await platform.inference.complete(request)
        except PlatformError as error:
            if monotonic() >= ends_s or not _may_come(error):
                raise
            await asyncio.sleep(session.settings.lease.poll_s)
        else:
            return


def _may_come(error: PlatformError) -> bool:
    """Whether a model that is still starting may have said so."""
    if isinstance(error, Refused):
        return error.status in NOT_YET
    return isinstance(error, NotSent | BreakerOpen | TimedOut) or error.exit == TimedOut.exit


_PHASES = ("allocate", "ready", "model", "release")


def lease_times(steps: Sequence[Step]) -> LeaseTimes:
    """How long allocations took, from the steps of their lives."""
    took = {name: [step.seconds for step in steps if step.name == name] for name in _PHASES}
    ready = [sum(pair) for pair in zip(took["allocate"], took["ready"], strict=False)]
    return LeaseTimes(
        accepted_s=tuple(took["allocate"]),
        ready_s=tuple(ready),
        model_ready_s=tuple(sum(pair) for pair in zip(ready, took["model"], strict=False)),
        released_s=tuple(took["release"]),
    )
