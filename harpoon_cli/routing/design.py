"""Lays prompts out as rows for a regression, and its result as weights; it fits nothing itself."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev

from harpoon_cli.routing.kinds import kind_of
from harpoon_cli.routing.outcomes import Outcome
from harpoon_cli.routing.reading import Reading, read
from harpoon_cli.routing.ridge import Row
from harpoon_cli.routing.signals import discover
from harpoon_cli.routing.wording import OTHER_WORDING, Said, Wording, number
from harpoon_cli.values import Struct

_LEAST_ROWS_OF_A_WORD = 3
_BELIEF = 2.0
"""How much sooner a word is believed than a signal of one standard deviation."""

_LEAST_SPREAD = 0.05
_UNFAMILIAR = 0.01
"""The share of the fitted prompts that may count as unfamiliar: it sets the limit."""

_FEWEST_TOPICS = 2
_MOST_OF_A_TOPIC = 0.5
_LARGEST_WEIGHT = 127
_DIGITS = 6


class Measured(Struct, frozen=True):
    """An outcome, its prompt as read, and what each signal measures in it, by name."""

    outcome: Outcome
    reading: Reading
    kind: str
    signals: Mapping[str, float]
    said: Said


def measure(outcome: Outcome) -> Measured:
    """What the signals and the wording of an outcome's prompt are."""
    reading = read(outcome.prompt)
    signals = {signal.name: signal.measure(reading) for signal in discover()}
    return Measured(outcome, reading, str(kind_of(reading)), signals, number(reading.content))


class Design(Struct, frozen=True):
    """Rows of a regression: signals in their standard deviations, a constant, then known words and pairs.

    centres and spreads are the signals' means and standard deviations, ranges their least and most;
    vocabulary gives each known word's number its place among them, in the order of groups; beliefs scale a
    word's value, those of rarer words more.
    """

    rows: tuple[Row, ...]
    names: tuple[str, ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    ranges: Mapping[str, tuple[float, float]]
    vocabulary: Mapping[int, int]
    groups: tuple[tuple[str, int], ...]
    beliefs: tuple[float, ...]
    least_known: float

    @property
    def features(self) -> int:
        return len(self.names) + 1 + len(self.vocabulary)

    @classmethod
    def of(cls, measured: Sequence[Measured]) -> Design:
        """The design for these rows; words that occur in fewer than three of them are not known."""
        names = tuple(signal.name for signal in discover())
        columns = [[one.signals[name] for one in measured] for name in names]
        centres = tuple(fmean(column) for column in columns)
        spreads = tuple(max(pstdev(column), _LEAST_SPREAD) for column in columns)
        ranges = {
            name: (round(min(column), _DIGITS), round(max(column), _DIGITS))
            for name, column in zip(names, columns, strict=True)
        }
        counts = Counter(one for each in measured for one in each.said.numbers)
        vocabulary, groups = _vocabulary(measured, counts)
        beliefs = tuple(_BELIEF * math.sqrt(math.log(len(measured) / counts[one]) / 5) for one in vocabulary)
        rows = tuple(_row(one, centres, spreads, vocabulary, beliefs) for one in measured)
        least = _least_known(measured, counts)
        return cls(rows, names, centres, spreads, ranges, vocabulary, groups, beliefs, least)

    def with_scores(self, scores: Sequence[float]) -> list[Row]:
        """The rows with a score each, in the place of their words."""
        width = len(self.names) + 1
        return [
            Row([*row.places[:width], width], [*row.values[:width], score])
            for row, score in zip(self.rows, scores, strict=True)
        ]

    def in_signals(
        self, fitted: Sequence[float], offset: float, slope: float
    ) -> tuple[float, dict[str, float]]:
        """Intercept and weight of each signal as measured, of offset + slope * prediction."""
        width = len(self.names)
        weights = [slope * fitted[at] / self.spreads[at] for at in range(width)]
        shift = math.fsum(weight * centre for weight, centre in zip(weights, self.centres, strict=True))
        by_name = {name: round(weight, _DIGITS) for name, weight in zip(self.names, weights, strict=True)}
        return round(offset + slope * fitted[width] - shift, _DIGITS), by_name

    def in_words(self, fitted: Sequence[float], slope: float) -> Wording:
        """The weight of each known word and pair, of slope * prediction."""
        words = fitted[len(self.names) + 1 :]
        amounts = [slope * belief * weight for belief, weight in zip(self.beliefs, words, strict=True)]
        scale = max(map(abs, amounts), default=0.0) / _LARGEST_WEIGHT or 1.0
        return Wording(
            scale, self.groups, self.vocabulary, array("b", (round(amount / scale) for amount in amounts))
        )


def _vocabulary(
    measured: Sequence[Measured], counts: Mapping[int, int]
) -> tuple[dict[int, int], tuple[tuple[str, int], ...]]:
    """The known words' numbers and their places, group by group; the groups and how many are in each."""
    topics = _topics(measured)
    known = sorted(one for one, count in counts.items() if count >= _LEAST_ROWS_OF_A_WORD)
    # The group that is no topic stands last.
    grouped = sorted(known, key=lambda one: (one not in topics, topics.get(one, ""), one))
    sizes = Counter(topics.get(one, OTHER_WORDING) for one in grouped)
    return {one: place for place, one in enumerate(grouped)}, tuple(sizes.items())


def _topics(measured: Sequence[Measured]) -> dict[int, str]:
    """The topic of each word that mostly belongs to one, by the share of each topic's rows that it is in."""
    sizes = Counter(one.outcome.topic for one in measured if one.outcome.topic)
    if len(sizes) < _FEWEST_TOPICS:
        return {}
    rates: defaultdict[int, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in measured:
        topic = each.outcome.topic
        if topic:
            for one in each.said.numbers:
                rates[one][topic] += 1 / sizes[topic]
    found: dict[int, str] = {}
    for one, by_topic in rates.items():
        topic = max(sorted(by_topic), key=by_topic.__getitem__)
        if by_topic[topic] >= _MOST_OF_A_TOPIC * math.fsum(by_topic.values()):
            found[one] = topic
    return found


def _row(
    one: Measured,
    centres: Sequence[float],
    spreads: Sequence[float],
    vocabulary: Mapping[int, int],
    beliefs: Sequence[float],
) -> Row:
    signals = [
        (value - centre) / spread
        for value, centre, spread in zip(one.signals.values(), centres, spreads, strict=True)
    ]
    words = [place for number in one.said.numbers if (place := vocabulary.get(number)) is not None]
    root = math.sqrt(len(words))
    return Row(
        places=[*range(len(signals) + 1), *(len(signals) + 1 + place for place in words)],
        values=[*signals, 1.0, *(beliefs[place] / root for place in words)],
    )


def _least_known(measured: Sequence[Measured], counts: Mapping[int, int]) -> float:
    """The share of known words that all but the least familiar prompts reach, each one itself left out."""
    shares = sorted(
        sum(counts[single] > _LEAST_ROWS_OF_A_WORD for single in one.said.singles) / len(one.said.singles)
        for one in measured
        if one.said.singles
    )
    return round(shares[int(len(shares) * _UNFAMILIAR)], _DIGITS) if shares else 0.0
