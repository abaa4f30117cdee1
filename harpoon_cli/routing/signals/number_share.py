"""Which share of the words that say something is numbers: a calculation in few words or in many."""

from __future__ import annotations

from harpoon_cli.routing.reading import NUMBERS, Reading
from harpoon_cli.routing.signals import Signal

_NUMBERS = frozenset(NUMBERS)


def _measure(reading: Reading) -> float:
    words = reading.content
    return len(list(filter(_NUMBERS.__contains__, words))) / len(words) if words else 0.0


def _sentence(value: float) -> str:
    return f"{value:.0%} of the words are numbers"


SIGNAL = Signal(name="number_share", weight=0.0, measure=_measure, sentence=_sentence)
