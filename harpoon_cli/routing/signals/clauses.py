"""How many clauses and members of lists there are: commas beyond the first."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal


def _measure(reading: Reading) -> float:
    return math.log2(1 + max(0, reading.text.count(",") - 1))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} commas beyond the first"


SIGNAL = Signal(name="clauses", weight=0.0, measure=_measure, sentence=_sentence)
