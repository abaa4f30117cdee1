"""Finds what is layout in a levelled prompt (labels of options, fences) and takes it out; judges no words.

A list is found by its labels alone, in order (`A. … B. …`, `(1) … (2) …`, `i. … ii. …`, three or more
bullets), so one option a line and all of them in one row read the same. A list that has no labels at all is
found in `lines`, which gives it bullets.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence, Set

from harpoon_cli.routing.lines import LINE

_PLAIN_FENCES = frozenset(
    ("```", "~~~", "```text", "```txt", "```plaintext", "```plain", "```markdown", "```md")
)
_BULLETS = (LINE, "•", "·", "-", "*", "\u2013", "\u2014", "+")
_NO_OPERATORS = 3
"""So many of the bullets, the first ones, cannot stand for an operation between two numbers."""

_FEWEST_LABELS, _FEWEST_BULLETS = 2, 3
_DIVIDERS = ",;|/"
_FORMS = (
    *("{}.", "{})", "({})", "[{}]", "{}:", "**{}.**", "**{})**", "**({})**", "**{}**", "**{}:**"),
    *("({}):", "{}.)", "{}]", "<{}>", "{}"),
)
_DASHES = frozenset(("-", "\u2013", "\u2014", "|", ">", "=>", "->", "\u2192"))
"""What makes a label of a letter or number that stands alone before it."""


def _labels(names: Sequence[str]) -> dict[str, int]:
    return {form.format(name): place for place, name in enumerate(names) for form in _FORMS}


_FAMILIES = (
    _labels("abcdefghijklmnopqrstuvwxyz"),
    _labels([str(number) for number in range(1, 27)]),
    _labels(["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"]),
)
_LABELS = frozenset().union(*_FAMILIES)


def without_layout(text: str) -> tuple[str, tuple[str, ...]]:
    """A levelled text without fences and labels of options, and the options: the longest list there is."""
    pieces = text.split(" ")
    if "```" in text or "~~~" in text:
        pieces = [_unfenced(piece) for piece in pieces if piece not in _PLAIN_FENCES]
    there = set(pieces)
    runs = [run for run in [*_runs(pieces, there & _LABELS), _bullets(pieces, there)] if run]
    if not runs:
        return " ".join(pieces), ()
    longest = max(runs, key=len)
    for run in runs:
        for place in run:
            _clear(pieces, place)
    ends = [*longest[1:], len(pieces)]
    options = tuple(_joined(pieces[start:end]) for start, end in zip(longest, ends, strict=True))
    return _joined(pieces), options


def _clear(pieces: list[str], place: int) -> None:
    """Take a label out, with the dash that follows it, and the bullet or divider that goes before it."""
    bare = pieces[place].isalnum()
    pieces[place] = ""
    if bare and place + 1 < len(pieces):
        pieces[place + 1] = ""
    if place:
        before = pieces[place - 1]
        pieces[place - 1] = "" if before in _BULLETS else before.rstrip(_DIVIDERS)


def _joined(pieces: Sequence[str]) -> str:
    return " ".join([piece for piece in pieces if piece])


def _unfenced(piece: str) -> str:
    return piece.strip("`~") if piece.startswith(("```", "~~~")) or piece.endswith(("```", "~~~")) else piece


def _runs(pieces: Sequence[str], there: Set[str]) -> list[list[int]]:
    """The places of labels that follow each other from the first of their family, two at least."""
    found: list[list[int]] = []
    if len(there) < _FEWEST_LABELS:
        return []
    labelled = [
        (place, piece)
        for place, piece in enumerate(pieces)
        if piece in there and (not piece.isalnum() or _DASHES.issuperset(pieces[place + 1 : place + 2]))
    ]
    for labels in [labels for labels in _FAMILIES if len(there & labels.keys()) >= _FEWEST_LABELS]:
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


def _bullets(pieces: Sequence[str], there: Set[str]) -> list[int]:
    """The places of three or more of the same bullet; not of a minus: the first follows a word."""
    for ordinal, bullet in enumerate(_BULLETS):
        if bullet in there and pieces.count(bullet) >= _FEWEST_BULLETS:
            first = pieces.index(bullet)
            before = pieces[first - 1] if first else ""
            if ordinal < _NO_OPERATORS or (len(before) > 1 and not before[-1].isdigit()):
                return [place for place, piece in enumerate(pieces) if piece == bullet]
    return []
