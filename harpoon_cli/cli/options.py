"""The options that every command takes, in one place."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path
from typing import Annotated, get_type_hints

from typer import Option

from harpoon_cli.values import Struct, fields


class CommonOptions(Struct, frozen=True):
    """What the common options say; None and False mean that the configuration decides."""

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
    """The annotated fields of a group of options as parameters of a function, for Typer to read."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
        for field in fields(kind)
    ]
