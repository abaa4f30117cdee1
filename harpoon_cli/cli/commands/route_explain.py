"""Say which model a prompt goes to, and why."""

from __future__ import annotations

from harpoon_cli.cli.arguments import (
    MaxCostOption,
    MaxTokensOption,
    ModelOption,
    PoolOption,
    PromptArgument,
    PromptFileOption,
    SystemOption,
)
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.placement import known_pools
from harpoon_cli.cli.prompts import read_prompt
from harpoon_cli.cli.routes import Asked, decide_for, only_pool, views_of
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Prompt
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.routing.decision import Decision

app = new_app()


@command(
    app,
    "route-explain",
    data=Decision,
    examples=[
        ('route-explain "What is 2 + 2?"', "which model, with every part of the score"),
        ("route-explain --file question.txt -o json", "the whole decision, as infer --explain prints it"),
    ],
)
async def route_explain(
    session: Session,
    prompt: PromptArgument = None,
    file: PromptFileOption = None,
    model: ModelOption = None,
    pool: PoolOption = None,
    max_tokens: MaxTokensOption = None,
    system: SystemOption = None,
    max_cost: MaxCostOption = None,
) -> Outcome:
    """Say which model a prompt goes to, and why; nothing is leased and nothing is run.

    Prints the score with every part of it, the threshold, and what speaks against each model.
    """
    text = Prompt(await read_prompt(prompt, file), system)
    pools = only_pool(session, await known_pools(session), pool)
    decision = decide_for(session, text, pools, Asked(model, max_tokens, max_cost))
    return Outcome(data=decision, views=views_of(decision), ids=[decision.model])
