"""Makes a Typer command of a coroutine that takes a `Session` and returns an `Outcome`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING

from typer import Context, Exit, Typer

from harpoon_cli.cli.options import CommonOptions, common_parameters

if TYPE_CHECKING:
    from harpoon_cli.render.outcome import Outcome

Body = Callable[..., Awaitable["Outcome"]]
Example = tuple[str, str]
"""A command line, without the leading `harpoon` where that is all that is missing, and what it does."""

DATA_TYPES: dict[str, type | None] = {}
"""The type of each loaded command's data, by the command's name; its JSON Schema is made from it."""


def new_app() -> Typer:
    return Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


def command(
    app: Typer,
    name: str,
    *,
    data: type | None = None,
    examples: Sequence[Example],
    needs_settings: bool = True,
) -> Callable[[Body], Body]:
    """Register a coroutine `(session, …) -> Outcome` as the command `name` ("pools", "config show").

    Its docstring is the help, its parameters after the session are the command's own, and the common options
    are added. `data` is the type of its outcome's data. A command that must work with a broken configuration
    has needs_settings=False.
    """

    def register(body: Body) -> Body:
        DATA_TYPES[name] = data
        own = list(signature(body, eval_str=True).parameters.values())[1:]
        parameters = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in own] + common_parameters()

        def entry(context: Context, **arguments: object) -> None:
            from harpoon_cli.cli.border import run_command

            options = CommonOptions(**{f.name: arguments.pop(f.name) for f in fields(CommonOptions)})  # type: ignore[arg-type]  # Typer has checked them
            raise Exit(
                run_command(
                    name, lambda session: body(session, **arguments), options, needs_settings=needs_settings
                )
            )

        # Typer reads a function through both of these.
        context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=Context)
        entry.__signature__ = Signature([context, *parameters])  # type: ignore[attr-defined]
        entry.__annotations__ = {one.name: one.annotation for one in [context, *parameters]}
        app.command(
            name.rsplit(" ", 1)[-1],
            help=body.__doc__,
            short_help=_first_sentence(body),
            epilog=epilog(examples),
        )(entry)
        return body

    return register


def _first_sentence(body: Body) -> str:
    """What the group's help shows, uncut."""
    return (body.__doc__ or "").split("\n\n", 1)[0].strip()


def epilog(examples: Sequence[Example]) -> str:
    """The examples as the end of a command's or a group's help."""
    # \b keeps the help from being wrapped into one paragraph.
    lines = [f"  {_whole(line)}\n      {what}" for line, what in examples]
    return "\n".join(["\b", "Examples:", *lines])


def _whole(line: str) -> str:
    return line if "harpoon " in line else f"harpoon {line}"
