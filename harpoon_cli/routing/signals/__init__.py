"""One measurement of a prompt a file; adding a file here adds a signal. A signal never sees layout or models.

Each file holds one `SIGNAL`. The files are found by listing this folder, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

from harpoon_cli.discovery import Folder
from harpoon_cli.routing.reading import Phrases, Reading
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


def phrases(*written: str) -> Phrases:
    """Phrases as a person writes them: case-folded, one blank between words."""
    return tuple([(max(phrase.split(), key=len), f" {phrase} ") for phrase in written])


@cache
def discover() -> tuple[Signal, ...]:
    """Every signal in this folder, ordered by file name."""
    folder = Folder(__name__, __path__, "signal")
    return tuple([_signal_of(module) for module in folder.modules()])


def _signal_of(module: ModuleType) -> Signal:
    signal = module.SIGNAL
    if not isinstance(signal, Signal):
        raise TypeError(f"{module.__file__}: SIGNAL is not a Signal")
    return signal
