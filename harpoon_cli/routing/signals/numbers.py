"""How many numbers the prompt holds; each is one more thing to carry through a calculation."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal


def _measure(reading: Reading) -> float:
    return math.log2(1 + len(reading.numbers))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} numbers"


SIGNAL = Signal(name="numbers", weight=0.0, measure=_measure, sentence=_sentence)
