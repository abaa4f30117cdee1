"""Signals: each is found by its file, says what it measured, and sees no layout."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harpoon_cli.routing import signals
from harpoon_cli.routing.reading import read
from harpoon_cli.routing.signals import Signal, discover

BY_NAME = {signal.name: signal for signal in discover()}

TELLING = {
    "blanks": "The capital of France is ____.",
    "clauses": "red, green, blue, yellow",
    "conditions": "Suppose it rains; what if it does not?",
    "large_numbers": "It has 1,024 pages.",
    "long_prompt": "every word of this is new " * 20,
    "long_words": "photosynthesis and thermodynamics",
    "negation": "Which is NOT true? None but the least.",
    "number_share": "3 plus 4",
    "option_numbers": "How many? A. 12 B. none C. 14",
    "options": "Which? (a) red (b) green (c) blue",
    "relations": "twice as many per day than before",
    "repetition": "red wine, red meat, red eyes",
    "sentences": "It rains. It pours.",
    "superlatives": "the most likely and best explanation",
    "code": "refactor this: if (a == b) { f(); }",
    "instructions": "Who? When? Finally, make sure to say where.",
    "length": "any words",
    "mathematics": "solve the quadratic equation x^2 = \\frac{1}{2}",
    "numbers": "3 apples and 4.5 pears",
    "reasoning": "prove it step by step",
    "routine": "summarise and translate this",
    "structure": "answer in JSON, as a table",
}


def test_every_file_in_the_folder_is_a_signal_and_is_named_after_it() -> None:
    folder = Path(signals.__file__).parent
    files = sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")
    assert [signal.name for signal in discover()] == files == sorted(TELLING)
    assert all(math.isfinite(signal.weight) for signal in discover())


@pytest.mark.parametrize("signal", discover(), ids=lambda signal: signal.name)
def test_a_signal_speaks_on_its_own_subject_and_is_silent_on_nothing(signal: Signal) -> None:
    assert signal.measure(read("")) == 0
    value = signal.measure(read(TELLING[signal.name]))
    assert value > 0
    assert math.isfinite(value)
    assert signal.sentence(value)


@pytest.mark.parametrize("signal", discover(), ids=lambda signal: signal.name)
def test_a_signal_is_silent_on_small_talk_unless_it_is_its_length(signal: Signal) -> None:
    assert (signal.measure(read("good morning, my friend")) > 0) == (signal.name == "length")


def test_by_hand_length_past_a_paragraph_mathematics_and_routine_speak_for_the_small_model() -> None:
    assert [signal.name for signal in discover() if signal.weight < 0] == [
        "long_prompt",
        "mathematics",
        "routine",
    ]


def test_layout_of_options_is_not_seen() -> None:
    lines = read("Which one is it?\nA. red\nB. green\nC. blue")
    row = read("Which one is it? A. red B. green C. blue")
    assert [signal.measure(lines) for signal in discover()] == [signal.measure(row) for signal in discover()]


def test_a_sentence_tells_the_count_and_not_its_logarithm() -> None:
    numbers = BY_NAME["numbers"]
    assert numbers.sentence(numbers.measure(read("1 2 3"))) == "3 numbers"


def test_a_phrase_is_found_across_punctuation_and_only_whole() -> None:
    reasoning = BY_NAME["reasoning"]
    assert reasoning.measure(read("Step-by-step!")) == 1
    assert reasoning.measure(read("misstep by step")) == 0
