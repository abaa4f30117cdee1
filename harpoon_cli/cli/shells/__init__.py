"""Completion scripts, one shell a file; the shell's name is its file's. They are made from the command tree.

Every file has: `FILE`, the script's file name; `script(root)`, its text; `place(environ)`, where the shell
looks for it; `next_step(path)`, what is left to do. A script offers commands and options without starting a
process; only live values ask harpoon. What harpoon answers is quoted, and never evaluated.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from harpoon_cli.settings.paths import home_dir

if TYPE_CHECKING:
    from harpoon_cli.cli.tree import CommandNode, CommandOption


class Shell(Protocol):
    """A file of this folder."""

    FILE: str

    def script(self, root: CommandNode) -> str: ...

    def place(self, environ: Mapping[str, str]) -> Path: ...

    def next_step(self, path: Path) -> str: ...


def names() -> tuple[str, ...]:
    """The shells there are; nothing is imported for it."""
    return tuple(sorted(path.stem for path in Path(__path__[0]).glob("[!_]*.py")))


def load(name: str) -> Shell:
    """The shell of that name, which is one of `names()`."""
    return cast(Shell, import_module(f"{__name__}.{name}"))


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the user's shells keep data: $XDG_DATA_HOME, by default ~/.local/share."""
    named = Path(environ.get("XDG_DATA_HOME", ""))
    return named if named.is_absolute() else home_dir(environ) / ".local" / "share"


def valued_options(root: CommandNode) -> dict[str, CommandOption]:
    """Every option that takes a value, by each of its names.

    A name must mean the same in every command; ValueError where it does not.
    """
    found: dict[str, CommandOption] = {}
    for option in (option for node in root.walk() for option in node.options):
        for name in option.names:
            known = found.setdefault(name, option)
            if (known.placeholder is None, known.values) != (option.placeholder is None, option.values):
                raise ValueError(f"{name} means one thing in one command and another in the next")
    return {name: option for name, option in found.items() if option.placeholder is not None}
