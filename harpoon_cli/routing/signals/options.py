"""How many answers there are to choose from, in whatever layout."""

from __future__ import annotations

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal


def _measure(reading: Reading) -> float:
    return float(len(reading.options))


def _sentence(value: float) -> str:
    return f"{value:.0f} answers to choose from"


SIGNAL = Signal(name="options", weight=0.0, measure=_measure, sentence=_sentence)
