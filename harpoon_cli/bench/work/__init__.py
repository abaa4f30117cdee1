"""Sources of prompts, one a file; adding a file adds a source. A source makes asks, and sends none.

A source's name is its file's name, what it is the first line of the file's docstring. Every file has a
`WORK`: its class, whose annotated fields are the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harpoon_cli.bench import parameters
from harpoon_cli.bench.asks import Work
from harpoon_cli.discovery import Folder

FOLDER = Folder(__name__, __path__, "source of work")


def source(name: str) -> type[Work]:
    """The class of a source; `UsageFault` where there is none of that name."""
    found = FOLDER.module(name).WORK
    if not (isinstance(found, type) and issubclass(found, Work)):
        raise TypeError(f"harpoon_cli/bench/work/{name}.py: WORK is not a Work")
    return found


def parse(text: str) -> Work:
    """The work that a text such as "synthetic:input=256" describes; `UsageFault` says what is wrong."""
    name, _, values = text.partition(":")
    return parameters.build(source(name), f"work {name}", values)


def write(work: Work, instead: Mapping[str, str] = MappingProxyType({})) -> str:
    """The text that `parse` makes an equal work of; a parameter in `instead` gets that text, not its own."""
    name, values = FOLDER.name_of(work), parameters.write(work, instead)
    return f"{name}:{values}" if values else name
