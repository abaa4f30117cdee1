"""Finds what is added by adding a file: lists a package's folder, and imports only the file that is named."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct


class Folder(Struct, frozen=True):
    """A package whose files are choices; a choice's name is its file's name, and `_` in front hides a file.

    package and places are the package's `__name__` and `__path__`; noun is what one choice is called.
    """

    package: str
    places: Sequence[str]
    noun: str

    def names(self) -> tuple[str, ...]:
        """The choices there are, in alphabetical order; nothing is imported for it."""
        files = (file for place in self.places for file in Path(place).glob("[!_]*.py"))
        return tuple(sorted(file.stem for file in files))

    def module(self, name: str) -> ModuleType:
        """The file of that name, imported now; `UsageFault` where there is none."""
        if name not in self.names():
            raise UsageFault(
                f"there is no {self.noun} {name!r}", hint=f"one of: {', '.join(self.names()) or 'none yet'}"
            )
        return import_module(f"{self.package}.{name}")

    def line(self, name: str) -> str:
        """What the choice is, in one line: the first of its file's docstring."""
        return (self.module(name).__doc__ or "").strip().partition("\n")[0]

    def name_of(self, value: object) -> str:
        """The choice that made `value`: the file that its class is in."""
        return type(value).__module__.removeprefix(f"{self.package}.")
