"""Asks a model what has been settled, shows the answer as it arrives, and times it."""

from __future__ import annotations

from contextlib import aclosing, suppress
from time import monotonic

from harpoon_cli.cli import latencies
from harpoon_cli.cli.session import Session
from harpoon_cli.client.service import DataPlane, Platform
from harpoon_cli.domain import Completion, CompletionRequest, LeaseId, Model, Money, Prompt
from harpoon_cli.pricing import cost_of_tokens
from harpoon_cli.render.sink import OutputFault, ReaderGone
from harpoon_cli.routing.decision import Decision
from harpoon_cli.values import Struct, replace


class Question(Struct, frozen=True):
    """What is asked and how, settled before anything is leased."""

    prompt: Prompt
    decision: Decision
    model: Model
    max_tokens: int
    temperature: float | None
    streamed: bool
    logprobs: bool = False


class Answer(Struct, frozen=True):
    """A whole answer and its measured times in seconds from the sending of the prompt.

    tokens_cost: of the tokens that the server counted, by the model's entry, where nothing is leased; None
    where they or their price are not known.
    """

    completion: Completion
    first_token_s: float | None
    total_s: float
    tokens_cost: Money | None = None


async def ask(session: Session, platform: Platform, question: Question, lease_id: LeaseId | None) -> Answer:
    """Ask on the named lease (None where nothing is leased), as the step "execute"; `DataPlane`'s errors.

    A streamed answer is shown as it arrives.
    """
    request = CompletionRequest(
        prompt=question.prompt,
        model=question.model.served_name,
        max_tokens=question.max_tokens,
        temperature=question.temperature,
        lease_id=lease_id,
        logprobs=question.logprobs,
    )
    with session.step("execute"):
        began = monotonic()
        plane = platform.inference if lease_id is not None else session.plane_of(question.model.name)
        if question.streamed:
            answer = await _stream(session, plane, request, began)
        else:
            completion = await plane.complete(request)
            answer = Answer(completion, None, monotonic() - began)
    if answer.completion.engine != "simulated":
        latencies.remember(session.account, question.model.name, answer.total_s)
    counted = answer.completion.usage if lease_id is None else None
    if counted is None:
        return answer
    cost = cost_of_tokens(question.model, counted.prompt_tokens, counted.completion_tokens)
    return replace(answer, tokens_cost=cost)


async def _stream(session: Session, plane: DataPlane, request: CompletionRequest, began: float) -> Answer:
    first_token_s: float | None = None
    whole: Completion | None = None
    try:
        async with aclosing(plane.stream(request)) as parts:
            async for part in parts:
                if isinstance(part, Completion):
                    whole = part
                    continue
                first_token_s = monotonic() - began if first_token_s is None else first_token_s
                session.answer_began = True
                session.screen.answer(part.text)
    except BaseException:
        with suppress(ReaderGone, OutputFault):  # what ends the answer counts, a cancel above all
            session.screen.answer_end()
        raise
    session.screen.answer_end()
    assert whole is not None, "a stream ends with the whole answer or raises"
    return Answer(whole, first_token_s, monotonic() - began)
