"""Which share of the answers to choose from holds a number: a calculation, not a fact."""

from __future__ import annotations

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal

_DIGITS = frozenset("0123456789")


def _measure(reading: Reading) -> float:
    options = reading.options
    return sum(not _DIGITS.isdisjoint(option) for option in options) / len(options) if options else 0.0


def _sentence(value: float) -> str:
    return f"{value:.0%} of the answers to choose from hold a number"


SIGNAL = Signal(name="option_numbers", weight=0.0, measure=_measure, sentence=_sentence)
