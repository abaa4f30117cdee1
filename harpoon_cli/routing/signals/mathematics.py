"""How much mathematical language the prompt holds: terms, operators and TeX."""

from __future__ import annotations

import math
import re

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, vocabulary

_WORDS = vocabulary(
    "angle arithmetic calculate coefficient compute cosine derivative determinant differentiate "
    "divisible eigenvalue equation equations exponent factorial fraction geometric inequality "
    "integer integers integral integrate logarithm matrix maximize minimize modulo multiply "
    "perimeter permutation polynomial prime probability proof quadratic ratio sine solve sqrt "
    "theorem triangle variance vector"
)
_MARKS = "≤≥≠∑∏∫√π∞∂∈∀∃"
"""Those that are not ASCII."""

_TEX = re.compile(r"\\[a-z]{2,12}")


def _marks(reading: Reading) -> int:
    of_ascii = reading.text.count("=") + reading.text.count("^")
    return of_ascii + (sum(map(reading.beyond_ascii.count, _MARKS)) if reading.beyond_ascii else 0)


def _measure(reading: Reading) -> float:
    tex = len(_TEX.findall(reading.text)) if "\\" in reading.text else 0
    return math.log2(1 + reading.count(_WORDS) + _marks(reading) + tex)


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} mathematical terms or operators"


SIGNAL = Signal(name="mathematics", weight=-0.3, measure=_measure, sentence=_sentence)
