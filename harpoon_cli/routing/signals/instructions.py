"""How many things the prompt asks for beyond the first: further questions and joined instructions."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, phrases, vocabulary

_WORDS = vocabulary("additionally afterwards finally furthermore lastly moreover secondly then thirdly")
_PHRASES = phrases("and also", "as well as", "make sure", "at least", "do not", "must not")


def _measure(reading: Reading) -> float:
    questions = reading.text.count("?") + reading.beyond_ascii.count("؟")
    return math.log2(1 + max(0, questions - 1) + reading.count(_WORDS) + reading.count_phrases(_PHRASES))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} questions or instructions beyond the first"


SIGNAL = Signal(name="instructions", weight=0.3, measure=_measure, sentence=_sentence)
