"""How many numbers the prompt holds; each is one more thing to carry through a calculation."""

from __future__ import annotations

import math
import re

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def _measure(reading: Reading) -> float:
    return math.log2(1 + len(_NUMBER.findall(reading.text)))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} numbers"


SIGNAL = Signal(name="numbers", weight=0.1, measure=_measure, sentence=_sentence)
