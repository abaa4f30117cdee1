"""The small model answers, a cheap check accepts that or the large one is asked; both costs are told."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from harpoon_cli.cli.answering import Answered, Terms, on_endpoint, on_new_lease
from harpoon_cli.cli.asking import Answer, Question, ask
from harpoon_cli.cli.checking import checked
from harpoon_cli.cli.leasing import with_ended
from harpoon_cli.cli.session import Session
from harpoon_cli.client.service import Platform
from harpoon_cli.domain import LeaseId, Money, Receipt, Tenure
from harpoon_cli.errors import ConfigurationFault, CostCeilingReached, HarpoonError, UsageFault
from harpoon_cli.pricing import total, totals
from harpoon_cli.routing.checks import (
    AGREEMENT,
    LOG_PROBABILITY,
    Check,
    Found,
    Kind,
    agreed,
    believed,
)
from harpoon_cli.routing.decision import Decision
from harpoon_cli.routing.shape import unknown_keywords
from harpoon_cli.settings.files import read_small
from harpoon_cli.values import Struct, replace

SECOND_TEMPERATURE = 0.7
"""Of the second sample where none, or 0, is asked for: at 0 two samples would agree whatever they say."""

CHECKS = "agreement[=0.6], logprob[=-0.5], json, schema=FILE, pattern=REGEX"


class CascadeData(Struct, frozen=True):
    """Which model answered, and what the check of the small one's answer said.

    small is None where only one model passes. accepted is None where no answer was checked; sentence says why
    then. small_text is its answer where that was not accepted. The costs are the leases', or where
    nothing is leased those of the tokens of all samples, None where not known; the large one's are those of
    whatever answered in its place.
    """

    small: str | None
    large: str
    answered_by: str
    accepted: bool | None
    check: str
    value: float | None
    sentence: str
    small_text: str | None
    small_lease_id: LeaseId | None
    small_cost: Money | None
    large_lease_id: LeaseId | None
    large_cost: Money | None

    @property
    def cost(self) -> Money | None:
        """Of both together; None where one is not known, or they are in two currencies."""
        asked = (
            (self.accepted is not None, self.small_cost),
            (self.answered_by != self.small, self.large_cost),
        )
        costs = [cost for was_asked, cost in asked if was_asked]
        known = [cost for cost in costs if cost is not None]
        found = totals(known)
        return found[0] if len(known) == len(costs) and len(found) == 1 else None


class _Checked(Struct):
    """What the check found, once it was made."""

    found: Found | None = None


def parse_check(text: str) -> Check:
    """The check of --check; `UsageFault` where it is none, or its schema or pattern cannot be used."""
    name, _, value = text.partition("=")
    if name not in list(Kind):
        raise UsageFault(f"there is no check {name[:40]!r}", hint=f"one of: {CHECKS}")
    kind = Kind(name)
    if kind is Kind.SCHEMA:
        return Check(kind, schema=_schema(Path(value)))
    if kind is Kind.PATTERN:
        return Check(kind, pattern=_pattern(value))
    if kind is Kind.JSON:
        return Check(kind)
    return Check(kind, limit=_limit(kind, value))


def _limit(kind: Kind, written: str) -> float:
    lowest, highest, usual = (
        (0.0, 1.0, AGREEMENT) if kind is Kind.AGREEMENT else (-100.0, 0.0, LOG_PROBABILITY)
    )
    try:
        limit = float(written) if written else usual
    except ValueError:
        limit = float("nan")
    if not lowest <= limit <= highest:
        raise UsageFault(f"--check {kind}={written[:40]}: a number from {lowest:g} to {highest:g}")
    return limit


def _pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as cause:
        raise UsageFault(f"--check pattern={pattern[:60]!r}: {cause}") from cause
    return pattern


def _schema(path: Path) -> dict[str, object]:
    try:
        content, _ = read_small(path, "the schema")
        schema = json.loads(content)
    except ConfigurationFault as cause:
        raise UsageFault(cause.message) from cause
    except (ValueError, RecursionError) as cause:
        raise UsageFault(f"the schema {path} is not JSON") from cause
    unknown = next(unknown_keywords(schema), None)
    if unknown is not None or not isinstance(schema, dict):
        raise UsageFault(f"the schema {path} says what is not understood here, at {unknown}")
    return schema


async def cascaded(
    session: Session,
    platform: Platform,
    question: Question,
    terms: Terms,
    check: Check,
) -> tuple[Answered, CascadeData]:
    """The accepted answer of the small model, or the large one's; each on a lease of its own, given back.

    Where only one model passes, or the small one cannot be had, what answers is not checked.
    """
    models = _ladder(question.decision)
    if len(models) < 2:
        why = f"{models[0]} is the only model that passes"
        session.screen.note(f"no cascade: {why}")
        alone = await _answered(session, platform, question, terms)
        return alone, _data(None, models[0], check, why, alone)
    small, large = models[0], models[-1]
    checked = _Checked()

    async def sampled(asked: Question, lease_id: LeaseId | None) -> Answer:
        answer = await ask(session, platform, asked, lease_id)
        if asked.model.name == small:
            checked.found, answer = await _check(session, platform, asked, answer, lease_id, check)
        return answer

    asked = replace(_asking(session, question, small, streamed=False), logprobs=check.kind is Kind.LOGPROB)
    first = await _answered(session, platform, asked, terms, sampled)
    if checked.found is None:
        why = f"{small} could not be had: {first.failovers[-1].reason}"
        return first, _data(small, large, check, why, first)
    found = checked.found
    data = _data(small, large, check, found, first)
    if found.accepted:
        return replace(first, question=_told(first, question)), data
    # A second lease costs money: this is said to whoever asked for quiet too.
    session.screen.warn(f"{small}'s answer is not accepted: {found.sentence}; {large} is asked")
    return await _escalated(session, platform, question, terms, first, data)


async def _answered(
    session: Session,
    platform: Platform,
    question: Question,
    terms: Terms,
    asks: Callable[[Question, LeaseId | None], Awaitable[Answer]] | None = None,
) -> Answered:
    """The answer on a new lease, or where nothing is leased without one."""
    if platform.control.features.leases:
        return await on_new_lease(session, platform, question, terms, asks)
    return await on_endpoint(session, platform, question, asks)


def _ladder(decision: Decision) -> list[str]:
    """The models that pass, from small to large."""
    return [one.model for one in decision.candidates if one.passed]


def _asking(session: Session, question: Question, name: str, *, streamed: bool) -> Question:
    """The same question to a model of the cascade, whatever routing would have chosen."""
    decision = replace(question.decision, model=name)
    return replace(question, decision=decision, model=session.catalogue.find(name), streamed=streamed)


def _told(found: Answered, question: Question) -> Question:
    """The question as it was answered, with routing's own decision."""
    return replace(question, model=found.question.model)


async def _check(
    session: Session,
    platform: Platform,
    question: Question,
    answer: Answer,
    lease_id: LeaseId | None,
    check: Check,
) -> tuple[Found, Answer]:
    """What the check says, and the answer with what all samples together cost."""
    text = answer.completion.text
    if check.kind in (Kind.JSON, Kind.SCHEMA, Kind.PATTERN):
        return await checked(text, check), answer
    if check.kind is Kind.LOGPROB:
        given = answer.completion.mean_logprob
        if given is not None:
            return believed(given, check.limit), answer
        session.screen.note("the server gives no log-probabilities: two samples are compared instead")
    limit = check.limit if check.kind is Kind.AGREEMENT else AGREEMENT
    other = replace(question, temperature=question.temperature or SECOND_TEMPERATURE)
    second = await ask(session, platform, other, lease_id)
    costs = (answer.tokens_cost, second.tokens_cost)
    both = total(costs[0], costs[1]) if costs[0] and costs[1] else None
    return agreed(text, second.completion.text, limit), replace(answer, tokens_cost=both)


async def _escalated(
    session: Session,
    platform: Platform,
    question: Question,
    terms: Terms,
    first: Answered,
    data: CascadeData,
) -> tuple[Answered, CascadeData]:
    """The large model's answer; where that cannot be had the small one's, with the error, and so labelled."""
    before = _tenures(session.receipt)
    asked = _asking(session, question, data.large, streamed=question.streamed)
    try:
        left = what_is_left(session, terms, first)
        second = await _answered(session, platform, _by_nobody_else(asked), left)
    except HarpoonError as trouble:
        session.receipt = with_ended(session, before) if session.receipt != first.receipt else first.receipt
        told = replace(first, question=_told(first, question), receipt=session.receipt)
        told.troubles.append(trouble)
        return told, data
    second.receipt = session.receipt = with_ended(session, before)
    costs = _costs(second)
    escalated = replace(
        data,
        answered_by=second.question.model.name,
        small_text=first.answer.completion.text if first.answer else None,
        large_lease_id=costs[0],
        large_cost=costs[1],
    )
    troubles = [*first.troubles, *second.troubles]
    return replace(second, question=_told(second, question), troubles=troubles), escalated


def _by_nobody_else(question: Question) -> Question:
    """A question that no other model may answer: the small one has already."""
    return replace(question, decision=replace(question.decision, pinned=True))


def what_is_left(session: Session, terms: Terms, first: Answered) -> Terms:
    """The terms with the ceiling on the cost lowered by what the small model's lease has cost."""
    most = session.settings.lease.max_cost if terms.max_cost is None else terms.max_cost
    if most is None or first.lease_cost is None:
        return terms
    left = most - first.lease_cost.amount
    if left <= 0:
        raise CostCeilingReached(
            f"the small model's lease has cost the {most:f} allowed", hint="raise --max-cost"
        )
    return replace(terms, max_cost=left)


def _tenures(receipt: Receipt | None) -> list[Tenure]:
    """A receipt's lease as one that is over, and what was ended before it."""
    if receipt is None:
        return []
    own: list[Tenure] = []
    if receipt.reference is not None and receipt.pool_id is not None:
        own.append(
            Tenure(
                lease_id=receipt.lease_id,
                reference=receipt.reference,
                pool_id=receipt.pool_id,
                gpu=receipt.gpu,
                price=receipt.price,
                seconds_held=receipt.seconds_held,
                idle_share=receipt.idle_share,
                cost=receipt.cost,
                released=receipt.released,
            )
        )
    return [*own, *receipt.ended]


def _costs(found: Answered) -> tuple[LeaseId | None, Money | None]:
    return (found.receipt.lease_id if found.receipt else None), found.cost


def _data(small: str | None, large: str, check: Check, said: Found | str, first: Answered) -> CascadeData:
    """What is told of the first answer. said: what the check found; a text says why there was none, and then
    another model than the small one answered.
    """
    lease_id, cost = _costs(first)
    found = said if isinstance(said, Found) else None
    return CascadeData(
        small=small,
        large=large,
        answered_by=first.question.model.name,
        accepted=found.accepted if found else None,
        check=check.kind.value,
        value=found.value if found else None,
        sentence=said.sentence if isinstance(said, Found) else said,
        small_text=None,
        small_lease_id=lease_id if found else None,
        small_cost=cost if found else None,
        large_lease_id=None if found else lease_id,
        large_cost=None if found else cost,
    )
