"""Whether the prompt asks to weigh answers against each other: best, most likely, primarily."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, vocabulary

_WORDS = vocabulary(
    "best chief chiefly commonest greatest highest key largest likely lowest main mainly major "
    "most primarily primary smallest typically"
)


def _measure(reading: Reading) -> float:
    return math.log2(1 + reading.count(_WORDS))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} words that weigh one answer against others"


SIGNAL = Signal(name="superlatives", weight=0.2, measure=_measure, sentence=_sentence)
