"""How good an order of prompts is, by what two models made of them; it fits and decides nothing.

PGR, the performance gap recovered, is which share of the large model's gain is won when some prompts are
given to it: 0 where none is, 1 where all are. APGR is its mean over all shares of prompts, 0.5 for a random
order; CPT(x) is the least share of prompts with which x of the gain is won. Both as RouteLLM defines them.
Prompts with equal scores count as taken in every order at once.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from operator import mul

from harpoon_cli.values import Struct

_BINS = 10
_ROUNDS = 200


class Interval(Struct, frozen=True):
    """A figure, and where 95 % of its values lie when the rows are drawn again."""

    value: float
    low: float
    high: float


class Ranking(Struct, frozen=True):
    """How well an order gives the large model the prompts that need it; CPTs are shares from 0 to 1."""

    apgr: Interval
    cpt50: Interval
    cpt80: Interval


Curve = list[tuple[float, float]]
"""The share of prompts given to the large model, and the PGR there, from (0, 0) to (1, 1)."""


def rank(scores: Sequence[float], gains: Sequence[float], *, seed: int = 0) -> Ranking:
    """The figures of an order; gains are the large model's results less the small one's, row by row.

    ValueError where the gains do not add up to more than 0.
    """
    order = _tied(scores)
    figures = _figures(curve(order, gains, [1] * len(gains)))
    drawn: list[tuple[float, float, float]] = []
    for counts in _draws(len(gains), seed):
        try:
            drawn.append(_figures(curve(order, gains, counts)))
        except ValueError:
            continue  # a draw in which nothing is gained has no figures
    return Ranking(*(_interval(value, [one[at] for one in drawn]) for at, value in enumerate(figures)))


def beats(
    scores: Sequence[float], others: Sequence[float], gains: Sequence[float], *, seed: int = 0
) -> float:
    """In which share of draws one order's APGR is above another's, 0 to 1; how sure it is to be better."""
    ours, theirs = _tied(scores), _tied(others)
    drawn = [counts for counts in _draws(len(gains), seed) if math.fsum(map(mul, gains, counts)) > 0]
    better = (apgr(curve(ours, gains, one)) > apgr(curve(theirs, gains, one)) for one in drawn)
    return sum(better) / max(1, len(drawn))


def curve(order: Sequence[Sequence[int]], gains: Sequence[float], counts: Sequence[int]) -> Curve:
    """PGR along an order of rows (those of equal rank together), each row taken as often as counted."""
    rows, total = sum(counts), math.fsum(map(mul, gains, counts))
    if total <= 0:
        raise ValueError("the large model gains nothing over the small one")
    points = [(0.0, 0.0)]
    given, gain = 0, 0.0
    for equals in order:
        for row in equals:
            given += counts[row]
            gain += gains[row] * counts[row]
        points.append((given / rows, gain / total))
    return points


def apgr(points: Curve) -> float:
    """The area below a curve."""
    return math.fsum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))


def cpt(points: Curve, won: float) -> float:
    """The least share of prompts with which `won` of the gain is won."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if y1 >= won:
            return x0 + (x1 - x0) * (won - y0) / (y1 - y0)
    return 1.0


def calibration_error(
    probabilities: Sequence[float], outcomes: Sequence[float], *, seed: int = 0
) -> Interval:
    """ECE: how far probabilities are from what came, over ten bins of equal width, weighted by rows."""
    bins = [min(int(probability * _BINS), _BINS - 1) for probability in probabilities]
    off = [probability - outcome for probability, outcome in zip(probabilities, outcomes, strict=True)]
    value = _error(bins, off, [1] * len(off))
    return _interval(value, [_error(bins, off, counts) for counts in _draws(len(off), seed)])


def _error(bins: Sequence[int], off: Sequence[float], counts: Sequence[int]) -> float:
    sums = [0.0] * _BINS
    for place, amount, count in zip(bins, off, counts, strict=True):
        sums[place] += amount * count
    return math.fsum(map(abs, sums)) / sum(counts)


def _figures(points: Curve) -> tuple[float, float, float]:
    return apgr(points), cpt(points, 0.5), cpt(points, 0.8)


def _tied(scores: Sequence[float]) -> list[list[int]]:
    """The rows from the highest score to the lowest, those of equal scores together."""
    ordered = sorted(range(len(scores)), key=lambda row: -scores[row])
    return [list(equals) for _, equals in groupby(ordered, key=lambda row: scores[row])]


@lru_cache(maxsize=1)
def _draws(rows: int, seed: int) -> list[list[int]]:
    """How often each row is taken when as many are drawn again, for each of the rounds."""
    chance = random.Random(seed)  # noqa: S311  # drawing rows again is no secret
    rounds: list[list[int]] = []
    for _ in range(_ROUNDS):
        counts = [0] * rows
        for row in chance.choices(range(rows), k=rows):
            counts[row] += 1
        rounds.append(counts)
    return rounds


def _interval(value: float, drawn: list[float]) -> Interval:
    if not drawn:
        return Interval(value, value, value)
    drawn.sort()
    return Interval(
        value, drawn[int(len(drawn) * 0.025)], drawn[min(int(len(drawn) * 0.975), len(drawn) - 1)]
    )
