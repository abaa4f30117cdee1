"""One measurement of a prompt a file; adding a file here adds a signal. A signal never sees layout or models.

Each file holds one `SIGNAL`. The files are found by listing this folder, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from harpoon_cli.routing.reading import Reading
from harpoon_cli.values import Struct


class Signal(Struct, frozen=True):
    """A readable measurement.

    weight is what one unit of the value adds to the score, in log-odds that a larger model is needed; measure
    gives a finite value; sentence says in words what a value means.
    """

    name: str
    weight: float
    measure: Callable[[Reading], float]
    sentence: Callable[[float], str]


def vocabulary(words: str) -> frozenset[str]:
    """The words of a list as a person writes it: case-folded, with white space between."""
    return frozenset(words.split())


@cache
def discover() -> tuple[Signal, ...]:
    """Every signal in this folder, ordered by file name."""
    names = sorted(found.name for found in iter_modules(__path__))
    return tuple(_load(name) for name in names)


def _load(name: str) -> Signal:
    signal = import_module(f"{__name__}.{name}").SIGNAL
    if not isinstance(signal, Signal):
        raise TypeError(f"harpoon_cli/routing/signals/{name}.py: SIGNAL is not a Signal")
    return signal
