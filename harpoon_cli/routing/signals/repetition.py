"""Which share of the words that say something was said before: one subject, or the same options again."""

from __future__ import annotations

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal


def _measure(reading: Reading) -> float:
    words = reading.content
    return 1 - len(set(words)) / len(words) if words else 0.0


def _sentence(value: float) -> str:
    return f"{value:.0%} of the words were said before"


SIGNAL = Signal(name="repetition", weight=0.0, measure=_measure, sentence=_sentence)
