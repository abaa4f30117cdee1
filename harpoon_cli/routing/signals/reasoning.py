"""Whether the prompt asks for thought: why, prove, compare, step by step and the like."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, phrases, vocabulary

_WORDS = vocabulary(
    "analyse analysis analyze argue assess complex consequences critique deduce derive design "
    "diagnose evaluate explain hypothesis implications infer investigate justify optimise "
    "optimize plan prove rationale reason reasoning strategies strategy therefore tradeoff "
    "tradeoffs why"
)
_PHRASES = phrases(
    "compare and contrast",
    "how would",
    "pros and cons",
    "step by step",
    "think through",
    "trade off",
    "trade offs",
    "what if",
)


def _measure(reading: Reading) -> float:
    return math.log2(1 + reading.count(_WORDS) + reading.count_phrases(_PHRASES))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} words that ask for reasoning"


SIGNAL = Signal(name="reasoning", weight=0.9, measure=_measure, sentence=_sentence)
