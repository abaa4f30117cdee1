"""Explain the exit statuses, or list the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from typer import Argument

from harpoon_cli.cli.app import command_line_of, command_names
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.session import Session
from harpoon_cli.errors import Exit, UsageFault
from harpoon_cli.render.outcome import Cell, Column, Outcome, Table, Tone
from harpoon_cli.values import Struct

app = new_app()


class HelpEntry(Struct, frozen=True):
    """A name and what it means."""

    name: str
    meaning: str


class HelpData(Struct, frozen=True):
    """The entries of a topic."""

    topic: str
    entries: tuple[HelpEntry, ...]


@command(
    app,
    "help",
    data=HelpData,
    examples=[("help exit-codes", "what each exit status means"), ("help commands", "the commands")],
    needs_settings=False,
)
async def help_(
    session: Session, topic: Annotated[str, Argument(help="exit-codes or commands.")] = "commands"
) -> Outcome:
    """Explain a topic."""
    if topic in ("exit-codes", "exit-statuses"):
        entries = tuple(HelpEntry(str(int(status)), status.meaning) for status in Exit)
    elif topic == "commands":
        entries = tuple(HelpEntry(name, command_line_of(name)) for name in command_names())
    else:
        raise UsageFault(
            f"there is no help on {topic!r}",
            hint=f"harpoon {topic} --help" if topic in command_names() else "harpoon help exit-codes",
        )
    columns = [Column("name", "status" if topic != "commands" else "command"), Column("meaning", "meaning")]
    rows: list[Sequence[Cell | str]] = [[Cell(entry.name, Tone.STRONG), entry.meaning] for entry in entries]
    return Outcome(
        data=HelpData(topic, entries),
        views=[Table(columns, rows)],
        ids=[entry.name for entry in entries],
    )
