"""The whole command line as values, read from the app: completions, schemas and reference are made of it.

Reading it imports every command; nothing that must start fast may ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache

import typer
from typer._click import Command, Context
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.models import TyperPath

from harpoon_cli.cli import shells
from harpoon_cli.cli.app import app, command_line_of
from harpoon_cli.render import formats
from harpoon_cli.settings.reference import options as settings
from harpoon_cli.values import Struct


class Live(StrEnum):
    """Values that only a running harpoon knows; `harpoon _complete KIND` prints them."""

    LEASES = "leases"
    POOLS = "pools"
    MODELS = "models"


class Values(Struct, frozen=True):
    """What a shell may offer for a value: fixed choices, live values, paths; nothing where all are empty."""

    choices: tuple[str, ...] = ()
    live: Live | None = None
    paths: bool = False


class CommandOption(Struct, frozen=True):
    """An option. `placeholder` is None for one that takes no value; default is as it is typed."""

    names: tuple[str, ...]
    placeholder: str | None
    help: str
    default: str | None
    repeats: bool
    values: Values


class CommandArgument(Struct, frozen=True):
    """An argument, in its place; `repeats` takes all that follow."""

    placeholder: str
    help: str
    required: bool
    repeats: bool
    values: Values


class CommandNode(Struct, frozen=True):
    """A command or a group. `path` is without the leading harpoon: () for the root, ("config", "show")."""

    path: tuple[str, ...]
    line: str
    help: str
    examples: str
    options: tuple[CommandOption, ...]
    arguments: tuple[CommandArgument, ...]
    commands: tuple[CommandNode, ...]

    @property
    def name(self) -> str:
        return " ".join(self.path)

    @property
    def is_run(self) -> bool:
        """Whether it does something itself: not the root, nor a group that only holds commands."""
        own = any("--help" not in option.names for option in self.options)
        return bool(self.path) and (own or not self.commands)

    def walk(self) -> Iterator[CommandNode]:
        """This node and everything below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


@cache
def tree() -> CommandNode:
    """The root of the command line."""
    return _node(typer.main.get_command(app), (), None)


def _node(command: Command, path: tuple[str, ...], parent: Context | None) -> CommandNode:
    context = Context(command, info_name=path[-1] if path else "harpoon", parent=parent)
    parameters = command.get_params(context)
    return CommandNode(
        path=path,
        line=command_line_of(path[0]) if len(path) == 1 else _first_line(command.help),
        help=(command.help or "").strip(),
        examples=(command.epilog or "").removeprefix("\b\nExamples:\n"),
        options=tuple(_option(one) for one in parameters if isinstance(one, TyperOption) and not one.hidden),
        arguments=tuple(_argument(one) for one in parameters if isinstance(one, TyperArgument)),
        commands=tuple(_below(command, path, context)),
    )


def _below(command: Command, path: tuple[str, ...], context: Context) -> Iterator[CommandNode]:
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield _node(below, (*path, name), context)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _option(option: TyperOption) -> CommandOption:
    silent = option.is_flag or option.count
    placeholder = None if silent else option.metavar or (option.name or "").upper()
    return CommandOption(
        names=(*option.opts, *option.secondary_opts),
        placeholder=placeholder,
        help=(option.help or "").strip(),
        default=None if silent or option.default is None else str(option.default),
        repeats=option.multiple or option.count,
        values=Values() if silent else _values(option),
    )


def _argument(argument: TyperArgument) -> CommandArgument:
    return CommandArgument(
        placeholder=argument.metavar or (argument.name or "").upper(),
        help=(argument.help or "").strip(),
        required=argument.required,
        repeats=argument.nargs == -1,
        values=_values(argument),
    )


_LIVE = {
    "model": Live.MODELS,
    "fits": Live.MODELS,
    "pool": Live.POOLS,
    "lease": Live.LEASES,
    "ids": Live.LEASES,
}
"""Which parameters name something that is live, by the parameter's name, the same in every command."""


_NOT_SET = ("platform.api_key",)
"""A key is never typed on a command line."""


def _values(parameter: TyperOption | TyperArgument) -> Values:
    name = parameter.name or ""
    if name in _LIVE:
        return Values(live=_LIVE[name])
    if isinstance(parameter.type, TyperPath):
        return Values(paths=True)
    return Values(choices=_choices(name))


def _choices(name: str) -> tuple[str, ...]:
    match name:
        case "output":
            return ("auto", *formats.names())
        case "topic":
            return ("commands", "exit-codes")
        case "shell":
            return shells.names()
        case "key":
            return tuple(one.key for one in settings() if one.key not in _NOT_SET and "NAME" not in one.key)
    return ()
