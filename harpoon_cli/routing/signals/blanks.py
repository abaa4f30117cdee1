"""Whether there is a blank to fill in."""

from __future__ import annotations

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal


def _measure(reading: Reading) -> float:
    return float("_" in reading.text and "__" in reading.text)


def _sentence(value: float) -> str:
    return "a blank to fill in" if value else "no blank to fill in"


SIGNAL = Signal(name="blanks", weight=0.0, measure=_measure, sentence=_sentence)
