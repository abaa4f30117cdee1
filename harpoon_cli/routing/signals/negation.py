"""Whether the prompt asks for what is not so: not, never, except, least and the like."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, vocabulary

_WORDS = vocabulary(
    "aren't can't cannot couldn't didn't doesn't don't except false hardly incorrect isn't "
    "least neither never no none nor not unless unlikely untrue wasn't without won't"
)


def _measure(reading: Reading) -> float:
    return math.log2(1 + reading.count(_WORDS))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} words of negation"


SIGNAL = Signal(name="negation", weight=0.5, measure=_measure, sentence=_sentence)
