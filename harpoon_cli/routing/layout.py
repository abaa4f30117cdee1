"""Finds what is layout in a levelled prompt (labels of options, fences) and takes it out; judges no words.

A list is found by its labels alone, in order (`A. … B. …`, `(1) … (2) …`, three or more bullets), so one
option a line and all of them in one row read the same.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from string import ascii_lowercase

_PLAIN_FENCES = frozenset(
    ("```", "~~~", "```text", "```txt", "```plaintext", "```plain", "```markdown", "```md")
)
_BULLETS = ("-", "*", "•", "\u2013", "·")
_FEWEST_BULLETS = 3
_DIVIDERS = ",;|/"
_FORMS = ("{}.", "{})", "({})", "[{}]", "{}:", "**{}.**", "**{})**", "**({})**", "**{}**", "({}):", "{}.)")


def _labels(names: Sequence[str]) -> dict[str, int]:
    return {form.format(name): place for place, name in enumerate(names) for form in _FORMS}


_FAMILIES = (_labels(ascii_lowercase), _labels([str(number) for number in range(1, 27)]))
_LABELS = frozenset().union(*_FAMILIES)


def without_layout(text: str) -> tuple[str, tuple[str, ...]]:
    """A levelled text without fences and labels of options, and the options: the longest list there is."""
    pieces = text.split(" ")
    if "```" in text or "~~~" in text:
        pieces = [_unfenced(piece) for piece in pieces if piece not in _PLAIN_FENCES]
    runs = [run for run in [*_runs(pieces), _bullets(text, pieces)] if run]
    if not runs:
        return " ".join(pieces), ()
    longest = max(runs, key=len)
    for run in runs:
        for place in run:
            pieces[place] = ""
            # What divides one option from the next is layout as well.
            pieces[place - 1] = pieces[place - 1].rstrip(_DIVIDERS) if place else ""
    ends = [*longest[1:], len(pieces)]
    options = tuple(_joined(pieces[start:end]) for start, end in zip(longest, ends, strict=True))
    return _joined(pieces), options


def _joined(pieces: Sequence[str]) -> str:
    return " ".join([piece for piece in pieces if piece])


def _unfenced(piece: str) -> str:
    return piece.strip("`~") if piece.startswith(("```", "~~~")) or piece.endswith(("```", "~~~")) else piece


def _runs(pieces: Sequence[str]) -> list[list[int]]:
    """The places of labels that follow each other from the first of their family, two at least."""
    found: list[list[int]] = []
    labelled = [(place, piece) for place, piece in enumerate(pieces) if piece in _LABELS]
    for labels in _FAMILIES:
        # By the label that each waits for, oldest first: "A. 1500 A. B. 6000 A." is one list of two.
        waiting: defaultdict[int, deque[list[int]]] = defaultdict(deque)
        for place, piece in labelled:
            ordinal = labels.get(piece)
            if ordinal is None or (ordinal and not waiting[ordinal]):
                continue
            run = waiting[ordinal].popleft() if ordinal else []
            run.append(place)
            waiting[ordinal + 1].append(run)
            if ordinal == 1:
                found.append(run)
    return found


def _bullets(text: str, pieces: Sequence[str]) -> list[int]:
    """The places of three or more of the same bullet; not of a minus: the first follows a word."""
    for bullet in _BULLETS:
        if f" {bullet} " in text and pieces.count(bullet) >= _FEWEST_BULLETS:
            first = pieces.index(bullet)
            if first and len(pieces[first - 1]) > 1 and not pieces[first - 1][-1].isdigit():
                return [place for place, piece in enumerate(pieces) if piece == bullet]
    return []
