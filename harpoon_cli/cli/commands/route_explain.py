"""Say which model a prompt goes to, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Option

from harpoon_cli.cli.arguments import (
    MaxCostOption,
    MaxTokensOption,
    ModelOption,
    PoolOption,
    PromptArgument,
    PromptFileOption,
    SessionOption,
    SystemOption,
)
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.explaining import outcome_of
from harpoon_cli.cli.forecast import forecast, forecast_views, read_batch
from harpoon_cli.cli.own_weights import installed
from harpoon_cli.cli.placement import known_pools
from harpoon_cli.cli.prompts import read_prompt
from harpoon_cli.cli.replaying import replayed
from harpoon_cli.cli.routes import Asked, inputs_for, only_pool
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Pool, Prompt
from harpoon_cli.errors import Exit, HarpoonError, NotAsExpected, PlatformError, UsageFault
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.routing.decision import Decision, Undecided
from harpoon_cli.routing.engine import decide_on
from harpoon_cli.routing.what_if import ABOUT_POOLS, assume, described
from harpoon_cli.values import Struct, replace

app = new_app()

DATA = "harpoon_cli.cli.explaining:ExplainData"


class ExplainOptions(Struct, frozen=True):
    """What is done with the decision."""

    what_if: Annotated[
        list[str] | None,
        Option("--what-if", metavar="KEY=VALUE", help=f"Assume this instead; repeats. Keys: {described()}."),
    ] = None
    expect: Annotated[
        list[str] | None,
        Option(
            "--assert",
            metavar="KEY=VALUE",
            help="Status 8 unless the decision has this model, wanted or pool: model=gemma-270m. Repeats.",
        ),
    ] = None
    batch: Annotated[
        Path | None,
        Option(
            "--batch",
            metavar="FILE",
            help='Foretell shares and cost for the prompts in a file: one a line, or {"prompt": …} a line.',
        ),
    ] = None
    replay: Annotated[
        Path | None,
        Option(
            "--replay",
            metavar="RECORD",
            help="Decide again what -o json has recorded: the same bytes, or status 8.",
        ),
    ] = None


@command(
    app,
    "route-explain",
    data=DATA,
    examples=[
        ('route-explain "What is 2 + 2?"', "which model, every part of the score, and what would flip it"),
        ("route-explain --file question.txt -o json", "the whole decision, as infer --explain prints it"),
        ('route-explain "Prove it." --what-if vram.free=40', "as if a slice of 40 GB were free"),
        ('route-explain "Hello" --assert model=gemma-270m', "status 8 where it is another: for CI"),
        ("route-explain --batch prompts.jsonl", "shares and cost of many prompts"),
        ("route-explain --replay decision.json -o json", "a recorded decision, made again"),
    ],
)
async def route_explain(
    session: Session,
    explain: ExplainOptions,
    prompt: PromptArgument = None,
    file: PromptFileOption = None,
    model: ModelOption = None,
    pool: PoolOption = None,
    max_tokens: MaxTokensOption = None,
    system: SystemOption = None,
    max_cost: MaxCostOption = None,
    session_name: SessionOption = None,
) -> Outcome:
    """Say which model a prompt goes to, and why; nothing is leased and nothing is run.

    Prints every part of the score and of the threshold, every gate of every model, what each would cost and
    how long it would take, how good the weights are, and what would have to be different for another model.
    """
    expected = [_expected(text) for text in explain.expect or ()]
    asked = Asked(model, max_tokens, max_cost, session_name)
    if explain.replay is not None:
        _refuse_with(
            "--replay",
            prompt,
            file,
            model,
            pool,
            max_tokens,
            system,
            max_cost,
            session_name,
            *_others(explain),
        )
        return _held_against(replayed(session, explain.replay), expected)
    if explain.batch is not None:
        _refuse_with("--batch", prompt, file, explain.expect)
        return await _forecast(session, explain, asked, pool, system)
    text = Prompt(await read_prompt(prompt, file, "route-explain"), system)
    pools = await _pools(session, explain, asked, pool)
    inputs = assume(inputs_for(session, text, pools, asked), explain.what_if or ())
    return _held_against(outcome_of(inputs, installed()), expected)


async def _pools(
    session: Session, explain: ExplainOptions, asked: Asked, pool: str | None
) -> tuple[Pool, ...] | None:
    """The pools that may be used; None, and a note, where they cannot be asked for and nothing needs them.

    What only pools can answer is not decided without them: prices, regions, a pool that is named.
    """
    routing, lease = session.settings.routing, session.settings.lease
    assumed = any(text.strip().startswith(ABOUT_POOLS) for text in explain.what_if or ())
    required = (pool, asked.max_cost, lease.max_cost, routing.budget, routing.regions, assumed)
    try:
        return only_pool(session, await known_pools(session), pool)
    except PlatformError as trouble:
        if trouble.exit is not Exit.UNREACHABLE or any(required):
            raise
        session.screen.note(f"the pools are not known: {trouble.message}")
        return None


def _others(explain: ExplainOptions) -> tuple[object, ...]:
    return explain.what_if, explain.batch


def _refuse_with(option: str, *others: object) -> None:
    if any(one is not None for one in others):
        raise UsageFault(f"{option} takes everything from its file", hint="leave the other options out")


async def _forecast(
    session: Session, explain: ExplainOptions, asked: Asked, pool: str | None, system: str | None
) -> Outcome:
    assert explain.batch is not None, "asked for"
    prompts = read_batch(explain.batch)
    pools = await _pools(session, explain, asked, pool)
    weights = installed()
    like = inputs_for(session, Prompt("", system), pools, asked)
    inputs = assume(like, explain.what_if or ())
    found = forecast(prompts, lambda text: decide_on(replace(inputs, prompt=Prompt(text, system)), weights))
    ids = [f"{row.line}\t{row.model or '-'}" for row in found.rows]
    return Outcome(data=found, views=forecast_views(found), ids=ids)


def _expected(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or key.strip() not in _ASSERTED:
        raise UsageFault(
            f"--assert {text[:60]!r} is not one of {', '.join(f'{key}=NAME' for key in _ASSERTED)}",
            hint="--assert model=gemma-270m",
        )
    return key.strip(), value.strip()


_ASSERTED = ("model", "wanted", "pool")


def _held_against(outcome: Outcome, expected: Sequence[tuple[str, str]]) -> Outcome:
    """The outcome, with an error for each expectation that is not met."""
    decision = outcome.data
    assert isinstance(decision, Decision | Undecided), "a forecast has nothing to be asserted"
    pool = next((one.pool for one in decision.candidates if one.model == decision.model), None)
    found = {"model": decision.model or "none", "wanted": decision.wanted, "pool": pool or "none"}
    models = {"none", *(one.model.lower() for one in decision.candidates)}
    errors: list[HarpoonError] = [
        NotAsExpected(
            f"the decision has {key}={found[key]}, not {key}={value}: {decision.reason}",
            hint=None
            if key == "pool" or value.lower() in models
            else f"no model is called {value}: harpoon models",
        )
        for key, value in expected
        if found[key].lower() != value.lower()
    ]
    return replace(outcome, errors=[*outcome.errors, *errors])
