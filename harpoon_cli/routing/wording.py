"""What single words and pairs of words count, without keeping the words; named groups make it readable.

A word or pair is known by the CRC-32 of its letters. Every one that is known adds its weight, over the square
root of how many are known, so that a long prompt does not count for more than a short one.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from zlib import crc32

from harpoon_cli.routing.decision import Contribution
from harpoon_cli.values import Struct, force_setattr

OTHER_WORDING = "other wording"
WORDS_WEIGHED = 1_024
"""At most this many words of substance are looked up from either end of a prompt."""

_NAMED = 3
_PLACE_BITS = 13
_PLACES = (1 << _PLACE_BITS) - 1
"""Room for a place: less than twice the words that are looked up, counted from both ends."""


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

    groups are the names of the parts in which the places lie one after the other, with how many are in each;
    group_of gives each place its part.
    """

    scale: float
    groups: tuple[tuple[str, int], ...]
    places: Mapping[int, int]
    weights: Sequence[int]
    group_of: Sequence[int] = ()

    def __post_init__(self) -> None:
        parts = (array("H", [at]) * count for at, (_, count) in enumerate(self.groups))
        force_setattr(self, "group_of", sum(parts, array("H")))

    def known_share(self, said: Said) -> float:
        """Which share of the words is known, 0 to 1; 1 where there are none."""
        if not said.singles:
            return 1.0
        return sum(map(self.places.__contains__, said.singles)) / len(said.singles)

    def contributions(self, said: Said) -> tuple[Contribution, ...]:
        """One for each group that the words touch, amounts in log-odds."""
        known, weights, group_of = self.places, self.weights, self.group_of
        # Weight and place in one number: as pairs, they would take twice the time of all the rest.
        found: list[list[int]] = [[] for _ in self.groups]
        for entry, place in zip(map(known.get, said.places), said.places.values(), strict=True):
            if entry is not None:
                found[group_of[entry]].append((weights[entry] << _PLACE_BITS) + place)
        root = math.sqrt(sum(map(len, found)))
        return tuple(
            self._contribution(name, parts, root, said)
            for (name, _), parts in zip(self.groups, found, strict=True)
            if parts
        )

    def _contribution(self, group: str, found: Sequence[int], root: float, said: Said) -> Contribution:
        value = sum([one >> _PLACE_BITS for one in found]) / root
        # The strongest are among the first and the last by weight; a key for every word would take longer.
        ordered = sorted(found)
        ends = ordered if len(found) <= 2 * _NAMED else [*ordered[:_NAMED], *ordered[-_NAMED:]]
        pairs = [(one >> _PLACE_BITS, one & _PLACES) for one in ends]
        strongest = sorted(pairs, key=lambda one: (-abs(one[0]), one[1]))[:_NAMED]
        named = ", ".join(said.written(place) for weight, place in strongest if weight)
        return Contribution(
            signal=group if group == OTHER_WORDING else f"wording: {group}",
            value=value,
            weight=self.scale,
            amount=self.scale * value,
            sentence=f"{len(found)} known words and pairs" + (f", most of all {named}" if named else ""),
        )
