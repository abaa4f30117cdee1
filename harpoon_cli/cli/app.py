"""The root of the command line: finds the commands by their files, imports only the one asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated

import typer
from typer._click import Command, Context, HelpFormatter
from typer.core import TyperGroup
from typer.exceptions import Abort, Exit, TyperException

from harpoon_cli import __version__

LEAST_OF_TYPER = 52

COMMANDS = Path(__file__).with_name("commands")


def command_names() -> list[str]:
    return sorted(
        path.stem.replace("_", "-") for path in COMMANDS.glob("*.py") if not path.stem.startswith("_")
    )


def command_line_of(name: str) -> str:
    """A command's one line of help: the first line of its file, read without importing it."""
    with (COMMANDS / f"{name.replace('-', '_')}.py").open(encoding="utf-8") as file:
        return file.readline().strip().strip('"')


class DiscoveredCommands(TyperGroup):
    """The files of `commands/` as a group."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        # Typer looks for the nearest name among these; a command itself is imported when it is asked for.
        self.commands = dict.fromkeys(command_names())  # type: ignore[assignment]  # only the names are read
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Context) -> list[str]:
        return command_names()

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in command_names():
            return None
        module = import_module(f"harpoon_cli.cli.commands.{cmd_name.replace('-', '_')}")
        found: Command = typer.main.get_command(module.app)
        found.name = cmd_name
        return found

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command_line_of(name)) for name in command_names()])


app = typer.Typer(
    cls=DiscoveredCommands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="harpoon COMMAND --help shows a command's options and examples.",
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
) -> None:
    """Lease GPU slices, run inference on them, give them back, and know what it cost."""
    if version:
        typer.echo(f"harpoon {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _narrow_width() -> int | None:
    """The width of a terminal narrower than the least that Typer's help would take; None for any other."""
    columns = get_terminal_size().columns
    return columns if columns < LEAST_OF_TYPER else None


def run(arguments: Sequence[str]) -> int:
    """Run a command line; its exit status."""
    try:
        status = typer.main.get_command(app).main(
            args=list(arguments), prog_name="harpoon", standalone_mode=False, terminal_width=_narrow_width()
        )
    except Exit as ending:
        return ending.exit_code
    except (TyperException, Abort) as fault:
        from harpoon_cli.cli.border import refuse_usage

        return refuse_usage(fault, arguments)
    return status if isinstance(status, int) else 0
