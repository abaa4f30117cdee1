"""Run a prompt: lease, answer, give back."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Annotated

from typer import Option

from harpoon_cli.cli import last_models
from harpoon_cli.cli.answering import Answered, Terms, on_endpoint, on_new_lease
from harpoon_cli.cli.arguments import (
    MaxCostOption,
    MaxTokensOption,
    ModelOption,
    PoolOption,
    PromptArgument,
    PromptFileOption,
    SessionOption,
    SystemOption,
    TimeoutOption,
    TtlOption,
)
from harpoon_cli.cli.arguments import temperature as temperature_value
from harpoon_cli.cli.asking import Question, ask
from harpoon_cli.cli.cascade import CHECKS, CascadeData, cascaded, parse_check
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.failovers import Failover
from harpoon_cli.cli.leasing import using
from harpoon_cli.cli.own_weights import installed
from harpoon_cli.cli.placement import known_pools
from harpoon_cli.cli.prompts import read_prompt
from harpoon_cli.cli.routes import Asked, by_gates, decide_for, only_pool, tell_choice
from harpoon_cli.cli.session import Session
from harpoon_cli.client.guard import patient
from harpoon_cli.client.service import Platform
from harpoon_cli.domain import (
    ENDED,
    Lease,
    LeaseId,
    LeaseRecord,
    Money,
    Pool,
    PoolId,
    Prompt,
    Receipt,
    Usage,
)
from harpoon_cli.errors import HarpoonError, StorageFault, UsageFault
from harpoon_cli.leases.lifecycle import utc_now
from harpoon_cli.leases.receipts import receipt_of, receipt_of_shown
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Outcome, Text, Tone
from harpoon_cli.routing.checks import Check
from harpoon_cli.routing.counterfactuals import explained
from harpoon_cli.routing.decision import Decision
from harpoon_cli.values import Struct, replace

app = new_app()


class InferData(Struct, frozen=True):
    """model is the catalogue's name that was asked for, model_used what the server says answered.

    first_token_s and total_s are measured from the sending of the prompt; cost is the lease's, or where
    nothing is leased that of the tokens, with --cascade that of both models, None where no price is known or
    the lease is not this command's own. failovers are the models and slices that were to answer before and
    could not be had. cascade is there with --cascade, decision with --explain.
    """

    text: str
    model: str
    model_used: str | None
    engine: str | None
    finish_reason: str
    usage: Usage | None
    first_token_s: float | None
    total_s: float
    lease_id: str | None
    pool_id: str | None
    cost: Money | None
    failovers: tuple[Failover, ...]
    cascade: CascadeData | None
    decision: Decision | None


class Wishes(Struct, frozen=True):
    """What the command line says about the answer; None leaves it to routing and configuration."""

    model: str | None
    max_tokens: int | None
    temperature: float | None
    streamed: bool
    max_cost: Decimal | None
    session_name: str | None


@command(
    app,
    "infer",
    data=InferData,
    examples=[
        ('infer "Why is the sky blue?"', "route, lease, answer, release, and print a receipt"),
        ("infer --model qwen-30b --file question.txt", "a named model and a prompt from a file"),
        ("git diff | harpoon infer - --system 'Review this change.'", "a prompt from standard input"),
        ("infer --lease alloc-1234 'And at sunset?'", "on a lease that is already held"),
        ("infer --cascade 'List three primes.'", "the small model first, the large one only where it must"),
        ("infer 'List three primes.' -o json", "one JSON document, for a script"),
    ],
)
async def infer(
    session: Session,
    prompt: PromptArgument = None,
    file: PromptFileOption = None,
    model: ModelOption = None,
    pool: PoolOption = None,
    lease: Annotated[
        str | None,
        Option("--lease", metavar="ID", help="Use this held lease; nothing is leased or released."),
    ] = None,
    max_tokens: MaxTokensOption = None,
    temperature: Annotated[
        float | None, Option("--temperature", parser=temperature_value, metavar="NUMBER", help="0 to 2.")
    ] = None,
    system: SystemOption = None,
    no_stream: Annotated[bool, Option("--no-stream", help="Wait for the whole answer.")] = False,
    keep: Annotated[bool, Option("--keep", help="Do not release the lease at the end.")] = False,
    explain: Annotated[bool, Option("--explain", help="Say why this model was chosen.")] = False,
    cascade: Annotated[
        bool, Option("--cascade", help="The small model answers; the large one where a check says so.")
    ] = False,
    check: Annotated[
        str | None,
        Option(
            "--check",
            metavar="CHECK",
            help=f"With --cascade, what decides: {CHECKS}; the last two have 5 s for it.",
        ),
    ] = None,
    ttl: TtlOption = None,
    timeout: TimeoutOption = None,
    max_cost: MaxCostOption = None,
    session_name: SessionOption = None,
) -> Outcome:
    """Run a prompt on a leased GPU slice: request, analyze, allocate, execute, release.

    The answer goes to standard output as it arrives; the receipt (times, model, pool, tokens, cost, what was
    released) goes to standard error. Whatever happens, the lease is released, unless --keep is given and all
    went well.
    """
    terms = Terms(pool, ttl, timeout, max_cost, keep)
    checked = _check_of(check, cascade=cascade, model=model, lease=lease, keep=keep)
    with session.step("request"):
        text = Prompt(await read_prompt(prompt, file), system)
        platform = session.platform()
        leases_anew = lease is None and platform.control.features.leases
        if not leases_anew:
            _refuse_terms(terms, lease)
    with session.step("analyze"):
        held, record = await _held_lease(session, platform, lease) if lease else (None, None)
        wishes = Wishes(
            model=model or _model_of(record),
            max_tokens=max_tokens,
            temperature=temperature,
            streamed=not no_stream,
            max_cost=max_cost,
            session_name=session_name,
        )
        question = await _analyze(session, text, wishes, held, pool)
    tell_choice(session, question.decision, in_full=explain)
    told: CascadeData | None = None
    if checked is not None:
        answered, told = await cascaded(session, platform, question, terms, checked)
    elif leases_anew:
        answered = await on_new_lease(session, platform, question, terms)
    elif held is not None:
        answered = await _on_held_lease(session, platform, question, held, record)
    else:
        answered = await on_endpoint(session, platform, question)
    if session_name is not None:
        _remember(session, session_name, answered.question.model.name)
    answered.failovers[:0] = by_gates(question.decision)
    return _outcome(answered, explain=explain, cascade=told)


async def _on_held_lease(
    session: Session, platform: Platform, question: Question, held: Lease, record: LeaseRecord | None
) -> Answered:
    """The answer on a lease that is held already, and stays so."""
    try:
        with using(session, record):
            answer = await ask(session, platform, question, held.id)
    finally:
        session.receipt = _receipt_so_far(session, platform, held, record)
    return Answered(question, answer, receipt=session.receipt, own=False)


def _remember(session: Session, name: str, model: str) -> None:
    try:
        last_models.remember(session.account, name, model)
    except HarpoonError as trouble:  # the answer is there all the same
        session.screen.note(f"session {name} is not remembered: {trouble.message}")


def _check_of(
    check: str | None, *, cascade: bool, model: str | None, lease: str | None, keep: bool
) -> Check | None:
    """What decides in the cascade that was asked for; `UsageFault` for what does not go with one."""
    if not cascade:
        if check is not None:
            raise UsageFault("--check would do nothing", hint="it goes with --cascade")
        return None
    given = {"--model": model, "--lease": lease, "--keep": keep}
    if against := [name for name, value in given.items() if value]:
        raise UsageFault(f"--cascade does not go with {', '.join(against)}", hint="leave it out")
    return parse_check(check or "agreement")


def _refuse_terms(terms: Terms, lease: str | None) -> None:
    """An option about a new lease that would be ignored, such as a ceiling on its cost, is refused."""
    given = {
        "--pool": terms.pool,
        "--ttl": terms.ttl_s,
        "--timeout": terms.timeout_s,
        "--max-cost": terms.max_cost,
        "--keep": terms.keep,
    }
    ignored = [name for name, value in given.items() if value]
    if ignored:
        why = "the lease is held already" if lease else "this endpoint is not leased"
        raise UsageFault(f"{', '.join(ignored)} would do nothing: {why}", hint="leave it out")


async def _held_lease(session: Session, platform: Platform, name: str) -> tuple[Lease, LeaseRecord | None]:
    """The lease of that id or reference as the platform shows it, and our record of it, where it is ours."""
    record = session.ledger.named(session.account, name)
    with patient():
        lease = await platform.control.lease(record.lease_id if record and record.lease_id else LeaseId(name))
    return lease, record


def _model_of(record: LeaseRecord | None) -> str | None:
    """The model that a lease was asked for."""
    return record.request.requirements.model if record else None


async def _analyze(
    session: Session,
    prompt: Prompt,
    wishes: Wishes,
    held: Lease | None,
    pool: str | None,
) -> Question:
    """Which model, by the routing engine, over what fits the pools (or the held lease)."""
    pools = (_as_pool(held),) if held else await known_pools(session)
    if held is None:
        pools = only_pool(session, pools, pool)
    routing = session.settings.routing
    max_tokens = wishes.max_tokens or routing.max_tokens
    asked = Asked(wishes.model, wishes.max_tokens, wishes.max_cost, wishes.session_name)
    decision = decide_for(session, prompt, pools, asked, held=held is not None)
    temperature = routing.temperature if wishes.temperature is None else wishes.temperature
    model = session.catalogue.find(decision.model)
    return Question(prompt, decision, model, max_tokens, temperature, wishes.streamed)


def _as_pool(held: Lease) -> Pool:
    """A held slice, as a pool in which nothing but it is free."""
    gpu = held.gpu
    return Pool(
        id=held.pool_id or PoolId("unknown"),
        name=str(held.id),
        gpu_model=gpu.model if gpu else "unknown",
        gpu_vram_mb=gpu.vram_mb if gpu else None,
        gpu_tflops=gpu.tflops if gpu else None,
    )


def _receipt_so_far(
    session: Session, platform: Platform, held: Lease, record: LeaseRecord | None
) -> Receipt | None:
    """Of a lease that goes on: what it came to by now, by our ledger, or by what the platform shows."""
    now = utc_now()
    if record is None:
        return receipt_of_shown(held, session.steps, now)
    with suppress(StorageFault):  # what was read before is told then
        record = session.ledger.record(record.reference) or record
    known = replace(record, price=record.price or held.price, gpu=record.gpu or held.gpu)
    ends_by_itself = platform.control.features.ttl
    return receipt_of(known, session.steps, now, kept=True, ends_by_itself=ends_by_itself)


def _outcome(found: Answered, *, explain: bool, cascade: CascadeData | None = None) -> Outcome:
    question, answer, receipt = found.question, found.answer, found.receipt
    assert answer is not None, "without an answer there is an error"
    completion = answer.completion
    data = InferData(
        text=completion.text,
        model=question.model.name,
        model_used=completion.model_used,
        engine=completion.engine,
        finish_reason=completion.finish_reason,
        usage=completion.usage,
        first_token_s=answer.first_token_s,
        total_s=answer.total_s,
        lease_id=receipt.lease_id if receipt else None,
        pool_id=receipt.pool_id if receipt else None,
        cost=found.cost if cascade is None else cascade.cost,
        failovers=tuple(found.failovers),
        cascade=cascade,
        decision=explained(question.decision, installed()) if explain else None,
    )
    return Outcome(
        data=data,
        views=[Text(completion.text)],
        receipt=receipt,
        receipt_facts=_facts(data),
        notes=_doubts(data),
        errors=found.troubles,
    )


def _facts(data: InferData) -> list[tuple[str, Cell | str]]:
    counts = data.usage
    tokens = (
        f"{counts.prompt_tokens} in, {counts.completion_tokens} out" if counts else "not told by the server"
    )
    facts: list[tuple[str, Cell | str]] = [("model", _model_words(data)), ("tokens", tokens)]
    facts += [("instead of", _passed_over(one)) for one in data.failovers]
    if data.cascade is not None:
        facts += _cascade_facts(data.cascade)
    if data.first_token_s is not None:
        facts.append(("first token", f"{words.duration(data.first_token_s)} measured"))
    if data.cost is not None:
        facts.append(("per inference", words.money(data.cost)))
    return facts


def _passed_over(failover: Failover) -> str:
    if failover.pool_id is None:
        return f"{failover.model}, which could not answer"
    return f"{failover.model}, which could not be had in pool {failover.pool_id}"


def _cascade_facts(cascade: CascadeData) -> list[tuple[str, Cell | str]]:
    """Which model answered, what the check said, and what both cost."""
    answered = ("answered by", Cell(cascade.answered_by, Tone.STRONG))
    if cascade.accepted is None:
        return [answered, ("check", f"none: {cascade.sentence}")]
    verdict = "accepted" if cascade.accepted else "not accepted"
    return [
        answered,
        ("check", f"{cascade.check} of {cascade.small}'s answer: {cascade.sentence}: {verdict}"),
        ("small model", f"{cascade.small}: {words.money(cascade.small_cost)}"),
        ("large model", f"{cascade.large}: {words.money(cascade.large_cost)}"),
    ]


def _model_words(data: InferData) -> Cell:
    """What was asked for and what answered: never one for the other."""
    if data.engine == "simulated":
        return Cell(f"{data.model}, SIMULATED: no model ran", Tone.WARN)
    if data.model_used in (None, data.model):
        return Cell(data.model)
    by = f" ({data.engine})" if data.engine else ""
    return Cell(f"{data.model}, answered by {data.model_used}{by}")


def _doubts(data: InferData) -> list[str]:
    if data.finish_reason == "length":
        return ["the answer stops at --max-tokens; a larger number gives more of it"]
    if data.finish_reason.lower() not in ENDED:
        return [f"the server ended its answer with {data.finish_reason!r}: whether it is whole is not known"]
    return []
