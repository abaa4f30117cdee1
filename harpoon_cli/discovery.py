"""Finds files of the package: those that are added to a folder as choices, and the data beside a module.

Of choices only the one that is named is imported. pathlib and pkgutil take longer to import than all this.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from os import listdir, path
from types import ModuleType

from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct


def data_beside(module_file: str, name: str) -> bytes:
    """The content of the file `name` that comes with harpoon, next to the module with that `__file__`."""
    with open(path.join(path.dirname(module_file), name), "rb") as file:  # noqa: PTH118, PTH120, PTH123
        return file.read()


class Folder(Struct, frozen=True):
    """A package whose files are choices; a choice's name is its file's name, and `_` in front hides a file.

    package and places are the package's `__name__` and `__path__`; noun is what one choice is called.
    """

    package: str
    places: Sequence[str]
    noun: str

    def names(self) -> tuple[str, ...]:
        """The choices there are, in alphabetical order; nothing is imported for it."""
        files = [file for place in self.places for file in listdir(place)]  # noqa: PTH208
        return tuple(
            sorted(file.removesuffix(".py") for file in files if file.endswith(".py") and file[0] not in "_.")
        )

    def module(self, name: str) -> ModuleType:
        """The file of that name, imported now; `UsageFault` where there is none."""
        if name not in self.names():
            raise UsageFault(
                f"there is no {self.noun} {name!r}", hint=f"one of: {', '.join(self.names()) or 'none yet'}"
            )
        return import_module(f"{self.package}.{name}")

    def modules(self) -> tuple[ModuleType, ...]:
        """Every file, imported now, in the order of their names."""
        return tuple([import_module(f"{self.package}.{name}") for name in self.names()])

    def line(self, name: str) -> str:
        """What the choice is, in one line: the first of its file's docstring."""
        return (self.module(name).__doc__ or "").strip().partition("\n")[0]

    def name_of(self, value: object) -> str:
        """The choice that made `value`: the file that its class is in."""
        return type(value).__module__.removeprefix(f"{self.package}.")
