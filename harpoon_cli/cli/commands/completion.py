"""Complete commands, options, leases, pools and models with TAB in bash, zsh or fish."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from harpoon_cli.cli import shells
from harpoon_cli.cli.command import command, epilog, new_app
from harpoon_cli.cli.session import Session
from harpoon_cli.errors import StorageFault, UsageFault
from harpoon_cli.render.outcome import Cell, Facts, Outcome, Text, Tone
from harpoon_cli.values import Struct

app = new_app()

NAMES = ", ".join(shells.names())


class CompletionShowData(Struct, frozen=True):
    """A shell and its script."""

    shell: str
    script: str


class CompletionInstallData(Struct, frozen=True):
    """The script's file, and what is left to do by hand."""

    shell: str
    path: str
    next_step: str


@app.callback(
    epilog=epilog(
        [("completion install", "for the shell you are in"), ("completion show zsh", "the script itself")]
    )
)
def completion() -> None:
    """Complete commands, options, leases, pools and models with TAB in bash, zsh or fish."""


@command(
    app,
    "completion install",
    data=CompletionInstallData,
    examples=[
        ("completion install", "for the shell that $SHELL names"),
        ("completion install --shell zsh", "for another one"),
    ],
    needs_settings=False,
)
async def install(
    session: Session,
    shell: Annotated[
        str | None, Option("--shell", metavar="SHELL", help=f"{NAMES}; else the one that $SHELL names.")
    ] = None,
) -> Outcome:
    """Write the shell's completion script where that shell looks for it, and say what is left to do.

    No file of yours is edited. Run it again after an update of harpoon.
    """
    name = _known(shell or Path(os.environ.get("SHELL", "")).name)
    path = shells.load(name).place(os.environ)
    _write(path, _script(name))
    data = CompletionInstallData(name, str(path), shells.load(name).next_step(path))
    facts = [("written", Cell(data.path, Tone.STRONG)), ("next", Cell(data.next_step))]
    return Outcome(data=data, views=[Facts(facts)], ids=[data.path])


@command(
    app,
    "completion show",
    data=CompletionShowData,
    examples=[
        ("completion show bash", "print the script"),
        ("completion show zsh > ~/.zfunc/_harpoon", "put it into a directory of your fpath"),
    ],
    needs_settings=False,
)
async def show(
    session: Session, shell: Annotated[str, Argument(metavar="SHELL", help=f"{NAMES}.")]
) -> Outcome:
    """Print the completion script of a shell."""
    name = _known(shell)
    data = CompletionShowData(name, _script(name))
    return Outcome(data=data, views=[Text(data.script)])


def _known(name: str) -> str:
    if name not in shells.names():
        what = f"there is no completion for {name!r}" if name else "which shell this is, is not known"
        raise UsageFault(what, hint=f"harpoon completion install --shell with one of: {NAMES}")
    return name


def _script(name: str) -> str:
    from harpoon_cli.cli.tree import tree  # imports every command

    return shells.load(name).script(tree())


def _write(path: Path, text: str) -> None:
    """Replace the file as a whole, so that no shell ever reads half of it."""
    replacement = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replacement.write_text(text, encoding="utf-8")
        replacement.replace(path)
    except OSError as cause:
        raise StorageFault(
            f"cannot write {path}: {cause.strerror}",
            hint="harpoon completion show SHELL prints the script, for a place of your choice",
        ) from cause
