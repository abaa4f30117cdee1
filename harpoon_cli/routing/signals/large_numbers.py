"""How many numbers of three digits or more there are; they are harder to calculate with."""

from __future__ import annotations

import math
import re

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal

_LARGE = re.compile(r"\d[.,]?\d[.,]?\d")


def _measure(reading: Reading) -> float:
    return math.log2(1 + len([number for number in reading.numbers if _LARGE.match(number)]))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} numbers of three digits or more"


SIGNAL = Signal(name="large_numbers", weight=0.0, measure=_measure, sentence=_sentence)
