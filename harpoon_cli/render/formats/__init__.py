"""Output formats, one a file; a format's name is its file's name, and adding a file adds a format.

Every file has a `render(printout) -> str`: everything that goes to stdout, harmless, with its last newline.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from harpoon_cli.errors import UsageFault
from harpoon_cli.render.printout import Printout

Render = Callable[[Printout], str]


def names() -> tuple[str, ...]:
    """The formats there are, in alphabetical order; nothing is imported for it."""
    files = (file for folder in __path__ for file in Path(folder).glob("*.py"))
    return tuple(sorted(file.stem for file in files if not file.stem.startswith("_")))


def known(name: str) -> str:
    """`name` where there is a format of that name; `UsageFault` where there is none."""
    if name not in names():
        choices = ", ".join(names())
        raise UsageFault(f"there is no output format {name!r}", hint=f"use --output with one of: {choices}")
    return name


def load(name: str) -> Render:
    """The format of that name, imported now; `UsageFault` where there is none."""
    known(name)
    return cast(Render, import_module(f"{__name__}.{name}").render)
