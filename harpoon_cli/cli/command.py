"""Makes a Typer command of a coroutine that takes a `Session` and returns an `Outcome`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, TypeVar, cast

from typer import BadParameter, Context, Exit, Typer

from harpoon_cli.cli.options import CommonOptions, parameters_of
from harpoon_cli.values import Struct

if TYPE_CHECKING:
    from harpoon_cli.render.outcome import Outcome

Body = Callable[..., Awaitable["Outcome"]]
Example = tuple[str, str]
"""A command line, without the leading `harpoon` where that is all that is missing, and what it does."""

_DATA_TYPES: dict[str, type | str | None] = {}


def data_type(name: str) -> type | None:
    """The type of a loaded command's data, by the command's name; its JSON Schema is made from it."""
    found = _DATA_TYPES.get(name)
    if not isinstance(found, str):
        return found
    module, _, kind = found.partition(":")
    return cast(type, getattr(import_module(module), kind))


def new_app() -> Typer:
    return Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


def command(
    app: Typer,
    name: str,
    *,
    data: type | str | None = None,
    examples: Sequence[Example],
    needs_settings: bool = True,
    has_commands: bool = False,
) -> Callable[[Body], Body]:
    """Register a coroutine `(session, …) -> Outcome` as the command `name` ("pools", "config show").

    Its docstring is the help, its parameters after the session are the command's own (one whose type is a
    Struct stands for the options that its fields are), and the common options are added. `data` is the
    type of its outcome's data; "MODULE:NAME" where its module is too much to load before the work begins. A
    command that must work with a broken configuration has needs_settings=False, one that has commands below
    it has_commands=True.
    """

    def register(body: Body) -> Body:
        _DATA_TYPES[name] = data
        own = list(signature(body, eval_str=True).parameters.values())[1:]
        groups = dict(_groups(own))
        parameters = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in own if one.name not in groups]
        kinds: list[type[Struct]] = [*groups.values(), CommonOptions]
        for kind in kinds:
            parameters += parameters_of(kind)

        def entry(context: Context, **arguments: object) -> None:
            from harpoon_cli.cli.border import run_command

            if context.invoked_subcommand is not None:
                _refuse_options_before(context)
                return
            options = _taken(CommonOptions, arguments)
            grouped: dict[str, object] = {group: _taken(kind, arguments) for group, kind in groups.items()}
            raise Exit(
                run_command(
                    name,
                    lambda session: body(session, **arguments, **grouped),
                    options,
                    needs_settings=needs_settings,
                )
            )

        # Typer reads a function through both of these.
        context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=Context)
        entry.__signature__ = Signature([context, *parameters])  # type: ignore[attr-defined]
        entry.__annotations__ = {one.name: one.annotation for one in [context, *parameters]}
        place = (
            partial(app.callback, invoke_without_command=True)
            if has_commands
            else partial(app.command, name.rsplit(" ", 1)[-1])
        )
        place(help=body.__doc__, short_help=_first_sentence(body), epilog=epilog(examples))(entry)
        return body

    return register


def _groups(parameters: Sequence[Parameter]) -> Iterator[tuple[str, type[Struct]]]:
    """The parameters that stand for the options of a group."""
    for one in parameters:
        if isinstance(one.annotation, type) and issubclass(one.annotation, Struct):
            yield one.name, one.annotation


T = TypeVar("T", bound=Struct)


def _taken(kind: type[T], arguments: dict[str, object]) -> T:
    """The options of a group, taken out of all arguments; Typer has checked them."""
    taken: T = kind(**{name: arguments.pop(name) for name in kind.__struct_fields__})
    return taken


def _refuse_options_before(context: Context) -> None:
    """An option that stands before the name of a command below would be lost."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise BadParameter(
                f"options of {context.command_path} {context.invoked_subcommand} stand after its name",
                context,
            )


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
