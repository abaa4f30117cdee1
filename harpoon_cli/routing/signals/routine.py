"""Whether the prompt asks for a routine task on given text: extract, summarise, classify, translate."""

from __future__ import annotations

import math

from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, phrases, vocabulary

_WORDS = vocabulary(
    "abbreviate capitalise capitalize classify extract greet lowercase paraphrase proofread "
    "rephrase rewrite sentiment shorten spell summarise summarize summary tldr translate "
    "translation uppercase"
)
_PHRASES = phrases("key points", "main points", "correct the grammar", "fix the grammar", "say hello")


def _measure(reading: Reading) -> float:
    return math.log2(1 + reading.count(_WORDS) + reading.count_phrases(_PHRASES))


def _sentence(value: float) -> str:
    return f"{2**value - 1:.0f} words that ask for a routine task"


SIGNAL = Signal(name="routine", weight=-0.9, measure=_measure, sentence=_sentence)
