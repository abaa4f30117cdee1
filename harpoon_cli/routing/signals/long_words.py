"""Which share of the words that say something is long: learned and technical terms."""

from __future__ import annotations

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal

_LETTERS = 11


def _measure(reading: Reading) -> float:
    words = reading.content
    return len([word for word in words if len(word) >= _LETTERS]) / len(words) if words else 0.0


def _sentence(value: float) -> str:
    return f"{value:.0%} of the words have {_LETTERS} letters or more"


SIGNAL = Signal(name="long_words", weight=0.0, measure=_measure, sentence=_sentence)
