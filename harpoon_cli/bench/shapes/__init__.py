"""Load shapes, one a file; adding a file adds a shape. A shape says when requests are due, and sends none.

A shape's name is its file's name, what it is the first line of the file's docstring. Every file has a `LOAD`:
its class, whose annotated fields are the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harpoon_cli.bench import parameters
from harpoon_cli.bench.load import Load
from harpoon_cli.discovery import Folder

FOLDER = Folder(__name__, __path__, "load shape")


def shape(name: str) -> type[Load]:
    """The class of a load shape; `UsageFault` where there is none of that name."""
    found = FOLDER.module(name).LOAD
    if not (isinstance(found, type) and issubclass(found, Load)):
        raise TypeError(f"harpoon_cli/bench/shapes/{name}.py: LOAD is not a Load")
    return found


def parse(text: str) -> Load:
    """The load that a text such as "poisson:rate=40,for=60s" describes; `UsageFault` says what is wrong."""
    name, _, values = text.partition(":")
    return parameters.build(shape(name), f"load {name}", values)


def write(load: Load, instead: Mapping[str, str] = MappingProxyType({})) -> str:
    """The text that `parse` makes an equal load of; a parameter in `instead` gets that text, not its own."""
    name, values = FOLDER.name_of(load), parameters.write(load, instead)
    return f"{name}:{values}" if values else name
