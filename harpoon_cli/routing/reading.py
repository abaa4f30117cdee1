"""Turns a prompt into what the signals may look at; it measures nothing and judges nothing.

Case, compatibility forms of characters and the amount and kind of white space are levelled here, once, so
that none of them can change a decision. Line breaks are white space: no signal sees layout.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from harpoon_cli.domain import Prompt
from harpoon_cli.routing.filler import FILLER, beyond_ascii, said
from harpoon_cli.routing.layout import without_layout
from harpoon_cli.routing.lines import listed
from harpoon_cli.values import Struct

WORDS_READ = 2_048
"""At most this many words (pieces between white space) are read from each end of a prompt."""

CHARACTERS_READ = 16_384
"""At most this many characters are read of each of these parts, half of them from either end."""

_KEPT = 2 * CHARACTERS_READ
"""Characters levelled at most; more than are read, as levelling may shorten a text."""

NUMBERS = ("0", "00", "000", "0000")
"""How numbers stand among the words that say something, by how many digits they have."""

Phrases = tuple[tuple[str, str], ...]
"""Case-folded phrases, a blank between words and at either end; before each its longest word."""

_NUMBER = re.compile(r"\d(?:[.,]?\d)*")
_OF_NUMBERS = bytes(code if chr(code) in "0123456789.," else 32 for code in range(256))
"""What a byte is to numbers written in ASCII: itself, or a blank."""

_ASCII_CHARACTERS_PER_TOKEN = 4
_FEW = 8
"""Where no more than one in so many characters is not ASCII, these are few."""


class Reading(Struct, frozen=True):
    """A levelled prompt.

    text is case-folded with single spaces, without fences, labels of options and sentences that only frame
    the rest; options are those of its longest list. words are its runs of letters and digits, with how often
    each occurs; phrases the same words in order, a space around each; content those of them that say
    something, in order, numbers by their shape; numbers those in the text as they are written; beyond_ascii
    its characters that are not ASCII. whole says whether all of the prompt is in it, or only its ends.
    """

    text: str
    options: tuple[str, ...]
    words: Mapping[str, int]
    phrases: str
    content: tuple[str, ...]
    numbers: tuple[str, ...]
    beyond_ascii: str
    whole: bool

    def count(self, vocabulary: frozenset[str]) -> int:
        """How many words of the prompt are in `vocabulary` (case-folded words)."""
        return sum(self.words[word] for word in vocabulary & self.words.keys())

    def count_phrases(self, phrases: Phrases) -> int:
        """How often any of the phrases occurs, punctuation aside."""
        # Whether its longest word occurs at all is known in a fraction of the time that a search takes.
        return sum([self.phrases.count(phrase) for word, phrase in phrases if word in self.words])


def read(text: str) -> Reading:
    """Level `text`; of a very long one only the first and the last words are kept."""
    pieces, whole = _ends(listed(text))
    plain, options = without_layout(pieces)
    plain, words = said(plain)
    others = beyond_ascii(plain)
    return Reading(
        text=plain,
        options=options,
        words=Counter(words),
        phrases=f" {' '.join(words)} ",
        content=content_of(words),
        numbers=_numbers(plain, others),
        beyond_ascii=others,
        whole=whole,
    )


def content_of(words: Iterable[str]) -> tuple[str, ...]:
    """The words that are not filler, in order; a number, or what starts like one, is one of `NUMBERS`."""
    most = len(NUMBERS)
    return tuple(
        [word if word >= ":" else NUMBERS[min(len(word), most) - 1] for word in words if word not in FILLER]
    )


def _numbers(text: str, others: str) -> tuple[str, ...]:
    if not _NUMBER.search(others):
        # Of most texts little is left without what cannot be part of a number.
        text = " ".join(text.encode("utf-8", "replace").translate(_OF_NUMBERS).decode().split())
    return tuple(_NUMBER.findall(text))


def estimate_tokens(prompt: Prompt) -> int:
    """About how many tokens the prompt and its system text are, without any model's tokenizer.

    Four ASCII characters a token, one token for every other character: near for English, high for most other
    writing, low for digits and dense code.
    """
    texts = [part for part in (prompt.text, prompt.system) if part]
    return sum(_tokens(text) for text in texts)


def _tokens(text: str) -> int:
    ascii_characters = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return math.ceil(ascii_characters / _ASCII_CHARACTERS_PER_TOKEN) + len(text) - ascii_characters


def _ends(text: str) -> tuple[list[str], bool]:
    """What stands between the blanks of the levelled text, or of its two ends; and whether that is all."""
    if len(text) <= 2 * WORDS_READ:
        # Many a prompt is that short: it is cut once only, as it can hold no more words than are read.
        levelled = _level(text)
        if len(levelled) <= CHARACTERS_READ:
            return levelled.split(), True
    # maxsplit bounds the work: the middle of a 10 MB prompt is never cut into words.
    head = text.split(None, 2 * WORDS_READ)
    if len(head) <= 2 * WORDS_READ:
        joined = " ".join(head)
        levelled = _level(joined)
        return _cut(levelled).split(" "), len(joined) <= _KEPT and len(levelled) <= CHARACTERS_READ
    tail = text.rsplit(None, WORDS_READ)[1:]
    ends = f"{_cut(_level(' '.join(head[:WORDS_READ])))} {_cut(_level(' '.join(tail)))}"
    return ends.split(" "), False


def _level(text: str) -> str:
    # One word may be the whole prompt: what can never be read is dropped before the costly part.
    kept = _cut(text, _KEPT)
    if kept.isascii():
        return kept.lower()
    from unicodedata import is_normalized, normalize  # a shared library, needed for few prompts

    # Upper before fold, so that letters without a fold of their own (a dotless i) meet their capital's.
    # Cut again, as one character may level to eighteen.
    normal = is_normalized("NFKC", kept)
    if not normal:
        kept = _cut(normalize("NFKC", kept), _KEPT)
    folded = _folded(kept)
    if normal and kept is text and is_normalized("NFKC", folded):
        return folded
    return " ".join((folded if is_normalized("NFKC", folded) else normalize("NFKC", folded)).split())


def _folded(text: str) -> str:
    """The fold of a text's capitals."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) - len(text) < len(text) // _FEW:
        others = beyond_ascii(text)
        if others.upper().casefold() == others:
            # Each of the others is its own fold, so that only ASCII is left to level.
            return encoded.lower().decode("utf-8", "surrogatepass")
    return text.upper().casefold()


def _cut(text: str, characters: int = CHARACTERS_READ) -> str:
    half = characters // 2
    return text if len(text) <= characters else f"{text[:half]} {text[-half:]}"
