"""Words that say nothing about how hard a prompt is: grammar, courtesy and the frame around a question."""

from __future__ import annotations

import re
from itertools import chain

_WORDS = """
a about above again also am an and any are as at be been being below but by can could did do does doing
for from had has have having he her here hers him his i if in into is it its itself let me more most my
of off on once only or other our out over own same she should so some such than that the their them then
there these they this those through to too under until up was we were what when where which while who
whom whose will with would you your yours

accurate accurately answer answered answering answers appreciate appreciated ask asked assist assistant
assistants carefully choice choices choose chosen consider correct correctly dear expert following
follows friend give given good hello help helpful hey hi instruction instructions kindly knowledgeable
letter letters like look need now okay possible option options please problem prompt provide question
questions reply respond response responses select single system task text thank thanks today user want
way welcome whether i'm i'd i'll it's let's that's what's you're
"""

FILLER = frozenset(_WORDS.split())

_SENTENCE = re.compile(r"[^.?!:]+[.?!:]*")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")


def said(text: str) -> tuple[str, list[str]]:
    """A levelled text without its sentences that are all filler, unless it has no others; and its words."""
    sentences = _SENTENCE.findall(text)
    words = [_WORD.findall(sentence) for sentence in sentences]
    kept = [place for place, found in enumerate(words) if not FILLER.issuperset(found)]
    if len(kept) == len(words) or not kept:
        return text, list(chain.from_iterable(words))
    text = " ".join("".join(sentences[place] for place in kept).split())
    return text, [word for place in kept for word in words[place]]
