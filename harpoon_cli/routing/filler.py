"""Words that say nothing about how hard a prompt is: grammar, courtesy and the frame around a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, compress

_WORDS = """
a about above again also am an and any are as at be been being below but by can could did do does doing
for from had has have having he her here hers him his i if in into is it its itself let me more most my
of off on once only or other our out over own same she should so some such than that the their them then
there these they this those through to too under until up was we were what when where which while who
whom whose will with would you your yours

accurate accurately answer answered answering answers appreciate appreciated ask asked assist assistant
assistants carefully choice choices choose chosen consider correct correctly curious dear exam expert figure
figuring following follows friend get getting give given going good got hello help helpful hey hi homework
instruction instructions kindly know knowledgeable letter letters like look need now okay possible option
options please problem prompt provide q question questions quick quiz reply respond response responses
select single sorry struggling stuck studying sure system task tell text thank thanks today trying user
want wanted way welcome whether wondering working i'm i'd i'll it's let's that's what's you're
"""

FILLER = frozenset(_WORDS.split())

_MARKS = b".?!:"
_LETTERS = bytes(
    code if code > 127 or chr(code).isalnum() or chr(code) == "'" else 10 if code in _MARKS else 32
    for code in range(256)
)
"""What an ASCII character is to words: itself, or a blank, or a line end where a sentence ends."""

_NO_LETTER = r"[^\x00-\x7f\w]"
"""Any other character that is no part of a word; compiled for the first prompt that holds one."""

_ASCII = bytes(range(128))


def beyond_ascii(text: str) -> str:
    """The characters of a text that are not ASCII, in order; they are found in no time, as bytes."""
    if text.isascii():
        return ""
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")


def _letters(text: str) -> str:
    """The text as words see it, character for character."""
    if not text.isascii():
        text = text.replace("\u2019", "'")
        if not beyond_ascii(text).isalnum():
            text = re.sub(_NO_LETTER, " ", text)
    # The bytes above 127, of letters that are not ASCII, stay. str.translate would take six times as long.
    return text.encode().translate(_LETTERS).decode()


def _is_quoting(sentence: str) -> bool:
    """Whether an apostrophe stands anywhere but within a word."""
    return "'" in sentence and (" '" in (padded := f" {sentence} ") or "' " in padded)


def frames(line: str) -> bool:
    """Whether all words of a line, in whatever case, are filler."""
    return FILLER.issuperset(_letters(line.casefold()).split())


def said(text: str) -> tuple[str, list[str]]:
    """A levelled text without its sentences that are all filler, unless it has no others; and its words.

    A word is a run of letters and digits, with apostrophes inside.
    """
    letters = _letters(text)
    sentences = letters.split("\n")
    words = [sentence.split() for sentence in sentences]
    if "'" in letters:
        words = [
            [bare for word in each if (bare := word.strip("'"))] if _is_quoting(sentence) else each
            for sentence, each in zip(sentences, words, strict=True)
        ]
    kept = [not FILLER.issuperset(each) for each in words]
    # Between two marks there may be no word at all.
    if sum(kept) in (0, sum(map(bool, words))):
        return text, list(chain.from_iterable(words))
    return _cut(text, sentences, words, kept), list(chain.from_iterable(compress(words, kept)))


def _cut(text: str, sentences: Sequence[str], words: Sequence[Sequence[str]], kept: Sequence[bool]) -> str:
    """The text without the sentences that are not kept; what has no words goes with what it follows."""
    pieces, at, keep = [], 0, True
    for sentence, each, keep_it in zip(sentences, words, kept, strict=True):
        keep = keep_it if each else keep
        if keep:
            pieces.append(text[at : at + len(sentence) + 1])
        at += len(sentence) + 1
    rest = "".join(pieces).strip()
    return " ".join(rest.split()) if "  " in rest else rest
