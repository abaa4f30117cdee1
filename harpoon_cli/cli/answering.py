"""Answers a question on a lease of its own; where a pool has no room the next candidate is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

from harpoon_cli.cli.asking import Answer, Question, ask
from harpoon_cli.cli.endpoints import own_url
from harpoon_cli.cli.failovers import Failover, tell_pool
from harpoon_cli.cli.leasing import Attempt, NoSlice, budget_of, first_given
from harpoon_cli.cli.own_weights import installed
from harpoon_cli.cli.placement import place
from harpoon_cli.cli.session import Session
from harpoon_cli.client.refusals import CAPACITY_CODES
from harpoon_cli.client.service import Platform
from harpoon_cli.domain import LeaseId, Money, Pool, Receipt, Requirements
from harpoon_cli.errors import (
    BreakerOpen,
    CostCeilingReached,
    HarpoonError,
    MayStillBill,
    NoCapacity,
    NothingFits,
    NotSent,
    PlatformError,
    RateLimited,
    UnknownPool,
)
from harpoon_cli.leases.lifecycle import Order
from harpoon_cli.leases.tenancy import Tenancy
from harpoon_cli.routing.decision import CandidateResult, Decision, Inputs, Refusal
from harpoon_cli.routing.engine import decide_on
from harpoon_cli.values import Struct, field, replace


class Terms(Struct, frozen=True):
    """What the command line says about the lease; None leaves it to the configuration."""

    pool: str | None
    ttl_s: int | None
    timeout_s: float | None
    max_cost: Decimal | None
    keep: bool


class Answered(Struct):
    """What came of a question: the one that was asked in the end, its answer, and what went before.

    troubles are errors that came after the answer, such as a release that could not be confirmed; own: was it
    asked on a lease of this command's own?
    """

    question: Question
    answer: Answer | None = None
    failovers: list[Failover] = field(default_factory=list)
    troubles: list[HarpoonError] = field(default_factory=list)
    receipt: Receipt | None = None
    own: bool = True

    @property
    def cost(self) -> Money | None:
        """The lease's, None where that goes on for others; where nothing is leased that of the tokens."""
        return self.lease_cost or (self.answer.tokens_cost if self.answer else None)

    @property
    def lease_cost(self) -> Money | None:
        """The lease's alone."""
        return self.receipt.cost if self.receipt and self.own else None


Asks = Callable[[Question, LeaseId | None], Awaitable[Answer]]
"""Asks a question on a lease."""


async def on_new_lease(
    session: Session, platform: Platform, question: Question, terms: Terms, asks: Asks | None = None
) -> Answered:
    """The answer on a lease of its own; it is not lost where only giving the lease back went wrong.

    A pool that surely has no room gives way to the next that can hold the model, and where there is none to
    the next candidate by the same score, unless the model was asked for by name. asks is `ask`, unless
    another is given.
    """
    found = Answered(question)

    async def answer(lease: Tenancy) -> None:
        with lease.working():
            asked, lease_id = found.question, lease.record.lease_id
            found.answer = await (asks(asked, lease_id) if asks else ask(session, platform, asked, lease_id))

    def instead(refused: Order, refusal: NoSlice) -> Attempt:
        found.question = _instead(session, found, refused, refusal)
        return _attempt(session, found.question.decision, terms)

    lifecycle = session.lifecycle(ready_s=terms.timeout_s)
    try:
        attempt = _attempt(session, question.decision, terms)
        await first_given(session, lifecycle, attempt, answer, instead)
    except (MayStillBill, CostCeilingReached) as trouble:
        if found.answer is None:
            raise
        found.troubles.append(trouble)
    finally:
        found.receipt = session.receipt
    return found


def _attempt(session: Session, decision: Decision, terms: Terms) -> Attempt:
    """The lease that the decision asks for, on these terms."""
    chosen, result = _place(session, decision, terms)
    settled = budget_of(session, chosen, terms.ttl_s, terms.max_cost)
    order = Order(chosen.id, result.needs, settled.ttl_s, keep=terms.keep, price=chosen.price)
    return Attempt(order, settled.ceiling)


async def on_endpoint(
    session: Session, platform: Platform, question: Question, asks: Asks | None = None
) -> Answered:
    """The answer where nothing is leased; what surely gives none gives way to the next by the same score.

    That is an endpoint that is not reached, whose breaker is open, that has no room or no call left: not one
    that may be answering. asks is `ask`, unless another is given.
    """
    found = Answered(question)
    try:
        while found.answer is None:
            try:
                asked = found.question
                found.answer = await (asks(asked, None) if asks else ask(session, platform, asked, None))
            except PlatformError as trouble:
                if session.answer_began or not _gives_way(trouble):
                    raise
                found.question = _elsewhere(session, found, trouble)
    finally:
        found.receipt = session.receipt = Receipt(steps=tuple(session.steps))
    return found


def _gives_way(trouble: PlatformError) -> bool:
    return (
        isinstance(trouble, NotSent | BreakerOpen | RateLimited | NoCapacity)
        or trouble.platform_code in CAPACITY_CODES
    )


def _elsewhere(session: Session, found: Answered, trouble: PlatformError) -> Question:
    """The question for the next candidate; `trouble` where none is, or another model may not answer."""
    before = found.question.decision
    gone = {before.model}
    if isinstance(trouble, NotSent | BreakerOpen):  # all that answer there are gone with it
        there = own_url(session.settings, before.model)
        names = (known.model.name for known in _inputs(before).models)
        gone |= {name for name in names if own_url(session.settings, name) == there}
    models = tuple(
        replace(known, failed=trouble.message) if known.model.name in gone else known
        for known in _inputs(before).models
    )
    try:
        if before.pinned:
            raise NothingFits(f"{before.model} is to answer, and no other model")
        decision = decide_on(replace(_inputs(before), models=models), installed(), known_score=before.score)
    except HarpoonError as nothing:
        session.screen.note(f"no other model can take its place: {nothing.message}")
        raise trouble from nothing
    found.failovers.append(Failover(before.model, None, trouble.message, decision.model))
    session.screen.warn(
        f"{before.model} gave no answer: {trouble.message}; {decision.model} is asked instead"
    )
    return replace(found.question, decision=decision, model=session.catalogue.find(decision.model))


def _place(session: Session, decision: Decision, terms: Terms) -> tuple[Pool, CandidateResult]:
    """The pool that the decision names; where the platform lists none, the one that was named."""
    result = next(one for one in decision.candidates if one.model == decision.model)
    pools = _inputs(decision).pools
    if pools is None:
        return place(session, result.needs, None, terms.pool), result
    return next(pool for pool in pools if pool.id == result.pool), result


def _instead(session: Session, found: Answered, order: Order, refusal: NoSlice) -> Question:
    """The question for the next candidate, decided anew with what the pool said; `refusal` where none is."""
    before = found.question.decision
    try:
        decision = _decided_again(before, _said(order, refusal))
    except HarpoonError as nothing:
        other = "no other pool can hold it" if before.pinned else "no other model can take its place"
        session.screen.note(f"{other}: {nothing.message}")
        raise refusal from nothing
    pool = next(one for one in decision.candidates if one.model == decision.model).pool
    failover = Failover(before.model, order.pool_id, refusal.message, decision.model, pool)
    found.failovers.append(failover)
    tell_pool(session, failover, order.requirements)
    return replace(found.question, decision=decision, model=session.catalogue.find(decision.model))


def _said(order: Order, refusal: NoSlice) -> Refusal:
    """What the pool said, as routing knows it; a pool that is gone has no slice of any size."""
    gone = isinstance(refusal, UnknownPool)
    wanted = Requirements(vram_mb=0, tflops=0.0) if gone else order.requirements
    return Refusal(order.pool_id, wanted, refusal.message)


def _decided_again(before: Decision, said: Refusal) -> Decision:
    """The same model where another pool can hold it, else the next by the same score; `HarpoonError`.

    The cascade asks for a model that is not the score's choice: it is still the one that is wanted.
    """
    inputs = _inputs(before)
    inputs = replace(inputs, refusals=(*inputs.refusals, said))
    decision = decide_on(inputs, installed(), known_score=before.score)
    if decision.model == before.model:
        return decision
    if next(one for one in decision.candidates if one.model == before.model).passed:
        return replace(decision, model=before.model, pinned=before.pinned)
    if before.pinned:
        raise NothingFits(f"{before.model} is to answer, and no other model")
    return decision


def _inputs(decision: Decision) -> Inputs:
    assert decision.inputs is not None, "a decision of this command line has its inputs"
    return decision.inputs
