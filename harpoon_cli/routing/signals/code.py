"""Whether the prompt holds or asks for program code: keywords, calls and operators."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, vocabulary

_WORDS = vocabulary(
    "algorithm api async bash bug compile compiler css debug def docker fortran function golang "
    "haskell html java javascript kotlin kubernetes mutex pandas perl php pytest python refactor "
    "regex rust scala sql sqlite stacktrace traceback typescript unittest"
)
_MARKS = ("==", "!=", "->", "=>", "&&", "||", "()", ");", "};", "#include", "</", "::")


def _measure(reading: Reading) -> float:
    text = reading.text
    # Whether a character occurs is known in a fraction of the time that a search for two takes.
    marks = sum([text.count(mark) for mark in _MARKS if mark[-1] in text and mark[0] in text])
    return math.log2(1 + reading.count(_WORDS) + marks)


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} marks of program code"


SIGNAL = Signal(name="code", weight=0.6, measure=_measure, sentence=_sentence)
