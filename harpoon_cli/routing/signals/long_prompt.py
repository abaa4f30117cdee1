"""How far the prompt is longer than a short paragraph: past it, a larger model gains less."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal

_PARAGRAPH = 5.0
"""The base-2 logarithm of the words of substance in a short paragraph: 32."""


def _measure(reading: Reading) -> float:
    return max(0.0, math.log2(1 + len(reading.content)) - _PARAGRAPH)


def _sentence(value: float) -> str:
    return f"{2**value:.1f} times a short paragraph or less"


SIGNAL = Signal(name="long_prompt", weight=-0.6, measure=_measure, sentence=_sentence)
