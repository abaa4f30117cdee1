"""How many conditions the prompt sets: if, unless, suppose, whenever."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, vocabulary

_WORDS = vocabulary(
    "assume assuming if otherwise provided suppose then unless until when whenever whether while"
)


def _measure(reading: Reading) -> float:
    return math.log2(1 + reading.count(_WORDS))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} words that set a condition"


SIGNAL = Signal(name="conditions", weight=0.2, measure=_measure, sentence=_sentence)
