"""How many words relate one quantity to another: each, per, than, twice, remaining."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, vocabulary

_WORDS = vocabulary(
    "after altogether before double each every fewer half less per percent percentage remainder "
    "remaining rest than third times total triple twice until while"
)


def _measure(reading: Reading) -> float:
    return math.log2(1 + reading.count(_WORDS))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} words that relate quantities"


SIGNAL = Signal(name="relations", weight=0.3, measure=_measure, sentence=_sentence)
