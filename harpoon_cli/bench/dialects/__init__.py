"""Data planes as the load engine sees them, one dialect a file, named as the client's are; no I/O.

A dialect says where prompts are posted and what a request's body is. What comes back is read by `_reading`,
since all of them answer in OpenAI's shape or in one that can be told from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from harpoon_cli.bench.recording.sample import Ask, Message
from harpoon_cli.errors import ConfigurationFault


class Dialect(Protocol):
    """What a dialect's file has. PATH follows the path of the endpoint's URL."""

    PATH: str

    def writer(self, fields: Mapping[str, object], *, stream: bool) -> Writer:
        """What writes bodies; `fields` are put into each of them, after ours and in their place."""


class Writer(Protocol):
    """Writes the JSON body of a request."""

    def body(self, ask: Ask, history: Sequence[Message]) -> bytes:
        """The body that asks `ask` after the turns in `history`."""


def names() -> tuple[str, ...]:
    """The dialects there are: the files of this folder. Nothing is imported for it."""
    files = (file for folder in __path__ for file in Path(folder).glob("[!_]*.py"))
    return tuple(sorted(file.stem for file in files))


def load(name: str) -> Dialect:
    """The dialect of that name; `ConfigurationFault` where there is none."""
    if name not in names():
        raise ConfigurationFault(
            f"there is no data plane {name!r}", hint=f"--dialect is one of: {', '.join(names())}"
        )
    return cast(Dialect, import_module(f"{__name__}.{name}"))
