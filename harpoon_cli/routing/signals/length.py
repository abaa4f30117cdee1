"""How many letters the words that say something have; past what is read, more length counts no more."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal


def _measure(reading: Reading) -> float:
    return math.log2(1 + len("".join(reading.content)))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} letters in words that say something, counted as their base-2 logarithm"


SIGNAL = Signal(name="length", weight=0.25, measure=_measure, sentence=_sentence)
