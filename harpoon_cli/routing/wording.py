"""What single words and pairs of words count, without keeping the words; named groups make it readable.

A word or pair is known by the CRC-32 of its letters. Every one that is known adds its weight, over the square
root of how many are known, so that a long prompt does not count for more than a short one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from zlib import crc32

from harpoon_cli.routing.decision import Contribution
from harpoon_cli.values import Struct, Told

OTHER_WORDING = "other wording"
WORDS_WEIGHED = 1_024
"""At most this many words of substance are looked up from either end of a prompt."""

_NAMED = 3


class Said(Struct, frozen=True):
    """A prompt's words of substance, as many as are looked up, with their letters and numbers."""

    words: Sequence[str]
    letters: Sequence[bytes]
    singles: Sequence[int]

    @property
    def pairs(self) -> list[int]:
        """The number of each word with the one after it."""
        # By all letters of both: the CRC goes on where that of the first word ended.
        return list(map(crc32, self.letters[1:], self.singles))

    @property
    def numbers(self) -> list[int]:
        """Those of the words, then those of the pairs, each once."""
        return list(dict.fromkeys((*self.singles, *self.pairs)))

    def written(self, place: int) -> str:
        """The word at a place; from the number of words on, the pair."""
        pair = place - len(self.words)
        return self.words[place] if pair < 0 else f"{self.words[pair]} {self.words[pair + 1]}"


def number(content: Sequence[str]) -> Said:
    """The words of substance of a prompt with their numbers."""
    words = content
    if len(content) > 2 * WORDS_WEIGHED:
        words = (*content[:WORDS_WEIGHED], *content[-WORDS_WEIGHED:])
    letters = "\n".join((*words, "")).encode("utf-8", "replace").splitlines(keepends=True)
    return Said(words, letters, list(map(crc32, letters)))


class Wording(Struct, frozen=True):
    """Weights of known words and pairs: places finds one by its number, weights are in units of scale.

    groups are the names of the parts in which the places lie one after the other, with how many are in each.
    """

    scale: float
    groups: tuple[tuple[str, int], ...]
    places: Mapping[int, int]
    weights: Sequence[int]

    def known(self, said: Said) -> Known:
        """What of the words is known here."""
        return Known(self, said, list(map(self.places.get, said.singles)))


class Known(Struct, frozen=True):
    """The words of a prompt as a wording knows them: the place in it of each, None where it is not known."""

    wording: Wording
    said: Said
    singles: Sequence[int | None]

    @property
    def entries(self) -> list[int | None]:
        """The places of the words, then of the pairs: looked up only where the words are familiar."""
        return [*self.singles, *map(self.wording.places.get, self.said.pairs)]

    @property
    def share(self) -> float:
        """Which share of the words is known, 0 to 1; 1 where there are none."""
        words = len(self.said.words)
        return (words - self.singles.count(None)) / words if words else 1.0

    def contributions(self) -> tuple[Contribution, ...]:
        """One for each group that the words touch, amounts in log-odds."""
        # Places are in the order of the groups: from here on, no loop of our own looks at each of them.
        known = sorted({entry for entry in self.entries if entry is not None})
        root = math.sqrt(len(known))
        scale, weight_of = self.wording.scale, self.wording.weights.__getitem__
        found, start, first_of_next = [], 0, 0
        for name, count in self.wording.groups:
            first_of_next += count
            end = bisect_left(known, first_of_next, start)
            if end > start:
                group = known[start:end]
                value = sum(map(weight_of, group)) / root
                signal = name if name == OTHER_WORDING else f"wording: {name}"
                found.append(Contribution(signal, value, scale, scale * value, Strongest(self, group)))
            start = end
        return tuple(found)


class Strongest(Told, frozen=True):
    """Which of the known words and pairs at some places count most; to name them takes longer than to add."""

    known: Known
    places: Sequence[int]

    def __str__(self) -> str:
        weight_of, entries = self.known.wording.weights.__getitem__, self.known.entries
        said_at = dict(zip(entries, range(len(entries)), strict=True))  # where each was said last
        ordered = sorted(self.places, key=weight_of)
        # The strongest are among the first and the last by weight.
        ends = ordered if len(ordered) <= 2 * _NAMED else [*ordered[:_NAMED], *ordered[-_NAMED:]]
        strongest = sorted(ends, key=lambda place: (-abs(weight_of(place)), said_at[place]))[:_NAMED]
        named = ", ".join([self.known.said.written(said_at[one]) for one in strongest if weight_of(one)])
        return f"{len(self.places)} known words and pairs" + (f", most of all {named}" if named else "")
