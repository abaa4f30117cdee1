"""Say which model a prompt goes to, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from harpoon_cli.cli.arguments import ModelOption, PoolOption
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.placement import known_pools
from harpoon_cli.cli.prompts import read_prompt
from harpoon_cli.cli.routes import decide_for, only_pool, views_of
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
    prompt: Annotated[
        str | None, Argument(help="The prompt; - reads standard input.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, Option("--file", "-f", metavar="PATH", help="Read the prompt from a file.")
    ] = None,
    model: ModelOption = None,
    pool: PoolOption = None,
    max_tokens: Annotated[
        int | None, Option("--max-tokens", min=1, metavar="NUMBER", help="The longest answer, in tokens.")
    ] = None,
    system: Annotated[
        str | None, Option("--system", metavar="TEXT", help="A text that stands before the prompt.")
    ] = None,
) -> Outcome:
    """Say which model a prompt goes to, and why; nothing is leased and nothing is run.

    Prints the score with every part of it, the threshold, and what speaks against each model.
    """
    text = Prompt(read_prompt(prompt, file), system)
    pools = only_pool(session, await known_pools(session), pool)
    pin = session.catalogue.find(model).name if model else None
    limit = max_tokens or session.settings.routing.max_tokens
    decision = decide_for(session, text, pools, pin=pin, max_tokens=limit)
    return Outcome(data=decision, views=views_of(decision), ids=[decision.model])
