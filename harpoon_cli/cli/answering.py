"""Answers a question on a lease of its own; where a pool has no room the next candidate is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from harpoon_cli.cli.asking import Answer, Question, ask
from harpoon_cli.cli.endpoints import own_url
from harpoon_cli.cli.leasing import budget_of, leased
from harpoon_cli.cli.own_weights import installed
from harpoon_cli.cli.placement import place
from harpoon_cli.cli.session import Session
from harpoon_cli.client.refusals import CAPACITY_CODES
from harpoon_cli.client.service import Platform
from harpoon_cli.domain import LeaseId, Money, Pool, PoolId, Receipt, Tenure
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
)
from harpoon_cli.leases.lifecycle import Order
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


class Failover(Struct, frozen=True):
    """What was chosen and could not be had, why, and what was asked for instead.

    pool_id is the pool that had no slice; None for an endpoint that gave no answer.
    """

    model: str
    pool_id: PoolId | None
    reason: str
    next_model: str


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
    the next candidate by the same score, unless the model was asked for by name. Whatever else a platform
    says to a request ends the command: nothing is asked for while it is not certain what came of the request
    before. asks is `ask`, unless another is given.
    """

    async def asked(question: Question, lease_id: LeaseId | None) -> Answer:
        return await (asks(question, lease_id) if asks else ask(session, platform, question, lease_id))

    found = Answered(question)
    ended: list[Tenure] = []
    try:
        while True:
            order, refusal = await _once(session, found, terms, asked)
            if refusal is None:
                return found
            ended += session.receipt.ended if session.receipt else ()
            found.question = _instead(session, found, order, refusal)
    finally:
        found.receipt = session.receipt = with_ended(session, ended)


async def _once(
    session: Session, found: Answered, terms: Terms, asks: Asks
) -> tuple[Order, NoCapacity | None]:
    """Ask on one lease; the refusal where the pool had no room, and nothing is left of the request."""
    question = found.question
    chosen, result = _place(session, question.decision, terms)
    settled = budget_of(session, chosen, terms.ttl_s, terms.max_cost)
    lifecycle = session.lifecycle(ready_s=terms.timeout_s)
    order = Order(chosen.id, result.needs, settled.ttl_s, keep=terms.keep, price=chosen.price)
    given = False
    try:
        async with leased(session, lifecycle, order, ceiling=settled.ceiling) as lease:
            given = True
            with lease.working():
                found.answer = await asks(question, lease.record.lease_id)
    except NoCapacity as refusal:
        if given:
            raise
        return order, refusal
    except (MayStillBill, CostCeilingReached) as trouble:
        if found.answer is None:
            raise
        found.troubles.append(trouble)
    return order, None


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


def with_ended(session: Session, ended: Sequence[Tenure]) -> Receipt | None:
    """The session's receipt with leases that were ended before it, which have cost money too."""
    if not ended:
        return session.receipt
    receipt = session.receipt or Receipt(steps=tuple(session.steps))
    return replace(receipt, ended=(*ended, *receipt.ended))


def _place(session: Session, decision: Decision, terms: Terms) -> tuple[Pool, CandidateResult]:
    """The pool that the decision names; where the platform lists none, the one that was named."""
    result = next(one for one in decision.candidates if one.model == decision.model)
    pools = _inputs(decision).pools
    if pools is None:
        return place(session, result.needs, None, terms.pool), result
    return next(pool for pool in pools if pool.id == result.pool), result


def _instead(session: Session, found: Answered, order: Order, refusal: NoCapacity) -> Question:
    """The question for the next candidate, decided anew with what the pool said; `refusal` where none is."""
    before = found.question.decision
    said = Refusal(order.pool_id, order.requirements, refusal.message)
    try:
        decision = _decided_again(before, said)
    except HarpoonError as nothing:
        other = "no other pool can hold it" if before.pinned else "no other model can take its place"
        session.screen.note(f"{other}: {nothing.message}")
        raise refusal from nothing
    found.failovers.append(Failover(before.model, order.pool_id, refusal.message, decision.model))
    # It may cost more than what was chosen: this is said to whoever asked for quiet too.
    session.screen.warn(
        f"{before.model} could not be had in pool {order.pool_id}: {refusal.message}; "
        f"{_next(decision)} is asked for instead"
    )
    return replace(found.question, decision=decision, model=session.catalogue.find(decision.model))


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


def _next(decision: Decision) -> str:
    result = next(one for one in decision.candidates if one.model == decision.model)
    return f"{decision.model} in pool {result.pool}" if result.pool else decision.model


def _inputs(decision: Decision) -> Inputs:
    assert decision.inputs is not None, "a decision of this command line has its inputs"
    return decision.inputs
