"""Commands whose help shows their options in groups, each under its title; it changes nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from typer._click import Context, HelpFormatter, Parameter
from typer.core import TyperCommand, TyperGroup

OPTIONS = "Options"
"""The title above options that are of no group."""


EVERYWHERE = "Options of every command"


def group_of(parameter: Parameter) -> str:
    """The title of the group that an option is of."""
    if "--help" in parameter.opts:
        return EVERYWHERE
    return getattr(parameter, "rich_help_panel", None) or OPTIONS


class GroupedCommand(TyperCommand):
    """See the module."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        _write(self.get_params(ctx), ctx, formatter)


class GroupedGroup(TyperGroup):
    """The same for what has commands below it."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        _write(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)


def _write(parameters: Sequence[Parameter], context: Context, formatter: HelpFormatter) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for one in parameters:
        record = one.get_help_record(context)
        if record is not None:
            title = "Arguments" if one.param_type_name == "argument" else group_of(one)
            sections.setdefault(title, []).append(record)
    for title, records in sections.items():
        with formatter.section(title):
            formatter.write_dl(records)
