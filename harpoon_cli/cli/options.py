"""The options that every command takes, in one place."""

from __future__ import annotations

from copy import copy
from functools import cache
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_type_hints

from typer import Option

from harpoon_cli.cli.grouped import EVERYWHERE
from harpoon_cli.values import Struct, fields


class CommonOptions(Struct, frozen=True):
    """What the common options say; None and False mean that the configuration decides."""

    title: ClassVar[str] = EVERYWHERE

    output: Annotated[
        str | None, Option("--output", "-o", metavar="FORMAT", help="table, json, tsv or ids.")
    ] = None
    quiet: Annotated[
        bool, Option("--quiet", "-q", help="Only the result: ids where there are any; errors are still told.")
    ] = False
    verbose: Annotated[
        int,
        Option(
            "--verbose", "-v", count=True, show_default=False, help="Say what is done; -vv says every call."
        ),
    ] = 0
    no_color: Annotated[bool, Option("--no-color", help="No colours.")] = False
    accessible: Annotated[
        bool, Option("--accessible", help="Plain lines: no spinner, nothing repainted.")
    ] = False
    config: Annotated[
        Path | None, Option("--config", metavar="PATH", help="Use this configuration file or directory.")
    ] = None
    profile: Annotated[
        str | None, Option("--profile", metavar="NAME", help="Apply this profile of the configuration.")
    ] = None
    live: Annotated[bool, Option("--live", help="Never use the sandbox: without an endpoint, fail.")] = False

    def flags(self) -> dict[str, object]:
        """The settings that were given as flags, by their dotted keys."""
        given: dict[str, object] = {}
        if self.output is not None or self.quiet:
            given["output.format"] = self.output or "ids"
        if self.no_color:
            given["output.color"] = "never"
        if self.accessible:
            given["output.accessible"] = True
        if self.verbose or self.quiet:
            given["output.verbosity"] = -1 if self.quiet else min(self.verbose, 2)
        if self.live:
            given["live"] = True
        return given


def parameters_of(kind: type[Struct]) -> list[Parameter]:
    """The annotated fields of a group of options as parameters of a function, for Typer to read.

    A group's `title`, where it has one, is what its options stand under in a command's help, but for those
    that name another.
    """
    hints, title = _hints(kind), getattr(kind, "title", None)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_titled(hints[field.name], title),
        )
        for field in fields(kind)
    ]


def given(options: Struct) -> list[str]:
    """The options of a group whose values are not their defaults, as they are typed."""
    hints = _hints(type(options))
    changed = [field.name for field in fields(options) if getattr(options, field.name) != field.default]
    return [_typed(hints[name], getattr(options, name)) for name in changed]


@cache
def _hints(kind: type[Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _titled(hint: Any, title: str | None) -> object:
    if title is None:
        return hint
    option = copy(hint.__metadata__[0])  # other commands may have it too, in another group
    option.rich_help_panel = option.rich_help_panel or title
    return Annotated[hint.__origin__, option]


def _typed(hint: Any, value: object) -> str:
    # Typer's first argument is a default, or in an annotation the first name.
    declared: str = hint.__metadata__[0].default
    return declared.split("/")[-1] if value is False else declared.split("/")[0]
