"""Whether the answer is asked for in a set form: JSON, a table, a schema."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, phrases, vocabulary

_WORDS = vocabulary("csv json jsonl markdown schema spreadsheet toml tsv xml yaml")
_PHRASES = phrases("as a table", "in a table", "table with", "the following format", "bullet points")


def _measure(reading: Reading) -> float:
    return math.log2(1 + reading.count(_WORDS) + reading.count_phrases(_PHRASES))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} words that ask for structured output"


SIGNAL = Signal(name="structure", weight=0.3, measure=_measure, sentence=_sentence)
