"""How long the prompt is; past the characters that are read, more length counts no more."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal


def _measure(reading: Reading) -> float:
    return math.log2(1 + len(reading.text))


def _sentence(value: float) -> str:
    return f"about {2**value - 1:.0f} characters, counted as their base-2 logarithm"


SIGNAL = Signal(name="length", weight=0.2, measure=_measure, sentence=_sentence)
