"""Finds what is layout in a levelled prompt (labels of options, fences) and takes it out; judges no words.

A list is found by its labels alone, in order (`A. … B. …`, `(1) … (2) …`, `i. … ii. …`, three or more
bullets), so one option a line and all of them in one row read the same. A list that has no labels at all is
found in `lines`, which gives it bullets.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence, Set
from itertools import chain, compress

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


_NAMES: tuple[Sequence[str], ...] = (
    "abcdefghijklmnopqrstuvwxyz",
    [str(number) for number in range(1, 27)],
    ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"],
)
_FAMILIES = tuple(map(_labels, _NAMES))
_FIRST_TWO = [[set(_labels([name])) for name in names[:_FEWEST_LABELS]] for names in _NAMES]
_LABELS = frozenset().union(*_FAMILIES)
_BARE = frozenset().union(*_NAMES)
_MARKS = _LABELS.union(_DASHES, _BULLETS)
"""All that a list can be told by."""


def without_layout(pieces: list[str]) -> tuple[str, tuple[str, ...]]:
    """A levelled text without fences and labels of options, and the options: the longest list there is.

    pieces are what stands between its blanks.
    """
    text = " ".join(pieces)
    if ("`" in text and "```" in text) or ("~" in text and "~~~" in text):
        pieces = [_unfenced(piece) for piece in pieces if piece not in _PLAIN_FENCES]
        text = " ".join(pieces)
    there = _MARKS.intersection(pieces)
    runs = [run for run in [*_runs(pieces, there), _bullets(pieces, there)] if run]
    if not runs:
        return text, ()
    longest = max(runs, key=len)
    ends = [*longest[1:], len(pieces)]
    pieces = _cleared(pieces, chain.from_iterable(runs))
    options = tuple([_joined(pieces[start:end]) for start, end in zip(longest, ends, strict=True)])
    # The last option has all that follows it, so that the text ends with the options.
    return _joined((_joined(pieces[: longest[0]]), *options)), options


def _cleared(pieces: Sequence[str], labels: Iterable[int]) -> list[str]:
    """Each label taken out, with the dash that follows it, and the bullet or divider that goes before it."""
    pieces = [*pieces, ""]
    for place in labels:
        if pieces[place] in _BARE:
            pieces[place + 1] = ""
        pieces[place] = ""
        if place:
            before = pieces[place - 1]
            pieces[place - 1] = "" if before in _BULLETS else before.rstrip(_DIVIDERS)
    return pieces


def _joined(pieces: Iterable[str]) -> str:
    return " ".join(filter(None, pieces))


def _unfenced(piece: str) -> str:
    if "```" not in piece and "~~~" not in piece:
        return piece
    return piece.strip("`~") if piece.startswith(("```", "~~~")) or piece.endswith(("```", "~~~")) else piece


def _runs(pieces: Sequence[str], there: Set[str]) -> list[list[int]]:
    """The places of labels that follow each other from the first of their family, two at least."""
    # A letter or number alone is most often a word, and no label but before a dash or at the very end.
    some = there & _LABELS
    if there.isdisjoint(_DASHES):
        some = some - _BARE | (some & set(pieces[-1:]))
    families = [
        labels
        for labels, first_two in zip(_FAMILIES, _FIRST_TWO, strict=True)
        if not any(map(some.isdisjoint, first_two))
    ]
    found: list[list[int]] = []
    if not families:
        return found
    labelled = [
        (place, piece)
        for place in compress(range(len(pieces)), map(some.__contains__, pieces))
        if (piece := pieces[place]) not in _BARE or _DASHES.issuperset(pieces[place + 1 : place + 2])
    ]
    for labels in families:
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
