"""What single words and pairs of words count, without keeping the words; named groups make it readable.

A word or pair is known by the CRC-32 of its letters. Every one that is known adds its weight, over the square
root of how many are known, so that a long prompt does not count for more than a short one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import cast
from zlib import crc32

from harpoon_cli.routing.decision import Contribution
from harpoon_cli.values import Struct

OTHER_WORDING = "other wording"
WORDS_WEIGHED = 1_024
"""At most this many words of substance are looked up from either end of a prompt."""

_NAMED = 3


class Said(Struct, frozen=True):
    """A prompt's words of substance, as many as are looked up, and the numbers they are known by.

    places gives for each word or pair the place where it was said last: that of the word, or, counted on
    from the number of words, that of the pair's first word.
    """

    words: Sequence[str]
    singles: Sequence[int]
    places: Mapping[int, int]

    def written(self, place: int) -> str:
        """The word or the pair at a place."""
        pair = place - len(self.words)
        return self.words[place] if pair < 0 else f"{self.words[pair]} {self.words[pair + 1]}"


def number(content: Sequence[str]) -> Said:
    """The words of substance of a prompt with their numbers."""
    words = content
    if len(content) > 2 * WORDS_WEIGHED:
        words = (*content[:WORDS_WEIGHED], *content[-WORDS_WEIGHED:])
    written = "\n".join((*words, "")).encode("utf-8", "replace").splitlines(keepends=True)
    singles = list(map(crc32, written))
    # A pair is numbered by all its letters: the CRC goes on where that of the first word ended.
    every = [*singles, *map(crc32, written[1:], singles)]
    return Said(words, singles, dict(zip(every, range(len(every)), strict=True)))


class Wording(Struct, frozen=True):
    """Weights of known words and pairs: places finds one by its number, weights are in units of scale.

    groups are the names of the parts in which the places lie one after the other, with how many are in each.
    """

    scale: float
    groups: tuple[tuple[str, int], ...]
    places: Mapping[int, int]
    weights: Sequence[int]

    def known_share(self, said: Said) -> float:
        """Which share of the words is known, 0 to 1; 1 where there are none."""
        if not said.singles:
            return 1.0
        return sum(map(self.places.__contains__, said.singles)) / len(said.singles)

    def contributions(self, said: Said) -> tuple[Contribution, ...]:
        """One for each group that the words touch, amounts in log-odds."""
        # Each known entry with where it was said; what is not known all goes to None. No loop of our own:
        # that would take as long as all the rest of a decision.
        said_at = dict(zip(map(self.places.get, said.places), said.places.values(), strict=True))
        said_at.pop(None, None)
        known = sorted(cast("dict[int, int]", said_at))
        root = math.sqrt(len(known))
        found, start, first_of_next = [], 0, 0
        for name, count in self.groups:
            first_of_next += count
            end = bisect_left(known, first_of_next, start)
            if end > start:
                found.append(self._contribution(name, known[start:end], root, said_at, said))
            start = end
        return tuple(found)

    def _contribution(
        self, group: str, entries: Sequence[int], root: float, said_at: Mapping[int | None, int], said: Said
    ) -> Contribution:
        weight_of = self.weights.__getitem__
        value = sum(map(weight_of, entries)) / root
        ordered = sorted(entries, key=weight_of)
        # The strongest are among the first and the last by weight.
        ends = ordered if len(ordered) <= 2 * _NAMED else [*ordered[:_NAMED], *ordered[-_NAMED:]]
        strongest = sorted(ends, key=lambda entry: (-abs(weight_of(entry)), said_at[entry]))[:_NAMED]
        named = ", ".join([said.written(said_at[entry]) for entry in strongest if weight_of(entry)])
        return Contribution(
            signal=group if group == OTHER_WORDING else f"wording: {group}",
            value=value,
            weight=self.scale,
            amount=self.scale * value,
            sentence=f"{len(entries)} known words and pairs" + (f", most of all {named}" if named else ""),
        )
