"""How many sentences follow the first."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal

_ENDS = (". ", "? ", "! ", "; ")


def _measure(reading: Reading) -> float:
    text = reading.text
    return math.log2(1 + sum([text.count(end) for end in _ENDS if end[0] in text]))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} sentences beyond the first"


SIGNAL = Signal(name="sentences", weight=0.3, measure=_measure, sentence=_sentence)
