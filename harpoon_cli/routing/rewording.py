"""Other wordings of a prompt, to ask what a decision hangs on: words left out, or a phrase added."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harpoon_cli.routing.filler import FILLER

WORDS_DROPPED = 6
"""At most so many different words are left out at once."""

PHRASES = (
    "Explain your reasoning step by step.",
    "Prove it step by step, and justify each part.",
    "Answer in one word.",
    "Summarise it in one sentence.",
)
"""What may be added."""

_WORDS_TRIED = 32
_LONG_TEXT = 8_000
_WORDS_TRIED_OF_LONG = 8

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def by_effect(text: str, scored: Callable[[str], float], *, lower: bool) -> list[str]:
    """Words of the prompt whose absence moves the score most: down where `lower`, else up.

    scored gives the score of a text. Of many words only the first ones are tried.
    """
    whole = scored(text)
    tried = _words(text)[: _WORDS_TRIED if len(text) <= _LONG_TEXT else _WORDS_TRIED_OF_LONG]
    moved = {word: scored(without(text, [word])) - whole for word in tried}
    useful = [word for word, change in moved.items() if (change < 0 if lower else change > 0)]
    return sorted(useful, key=lambda word: (-abs(moved[word]), word))


def without(text: str, words: Sequence[str]) -> str:
    """The text without these words, in whatever case; its lines stay, because they may tell a list."""
    dropped = {word.casefold() for word in words}
    return _WORD.sub(lambda found: "" if found[0].casefold() in dropped else found[0], text)


def _words(text: str) -> list[str]:
    """Each word that says something, once, in order; a single letter or digit may label an option."""
    found = (match[0].casefold() for match in _WORD.finditer(text[: 4 * _LONG_TEXT]))
    return [word for word in dict.fromkeys(found) if len(word) > 1 and word not in FILLER]
