"""Where values come from: the kinds of places, and the values of one place with the origin of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from harpoon_cli.settings.keys import Key
from harpoon_cli.values import Struct, field


class Kind(StrEnum):
    """What sort of place a value comes from, strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    DOTENV = ".env"
    NAMED = "named file"
    PROJECT = "project file"
    USER = "user file"
    DEFAULT = "default"


OF_DIRECTORY = frozenset({Kind.DOTENV, Kind.PROJECT})
"""Places that come with a directory, perhaps by `git clone`: they may describe work, not spend trust."""


class SourceName(Struct, frozen=True):
    """Where a value came from; `str` of it is for people.

    name is the flag or the variable, place the file as it is printed, line counts from 1.
    """

    kind: Kind
    name: str | None = None
    place: str | None = None
    line: int | None = None
    profile: str | None = None

    def __str__(self) -> str:
        where = f"{self.place} line {self.line}" if self.line else self.place
        if self.profile:
            return f"profile {self.profile} in {where}"
        if self.kind is Kind.DOTENV:
            return f"{where} ({self.name})"
        return where or (f"{self.kind} {self.name}" if self.name else str(self.kind))


DEFAULT = SourceName(Kind.DEFAULT)


class Layer(Struct, frozen=True):
    """The values of one source, raw, and the origin of each."""

    kind: Kind
    values: Mapping[Key, object] = field(default_factory=dict)
    origins: Mapping[Key, SourceName] = field(default_factory=dict)
