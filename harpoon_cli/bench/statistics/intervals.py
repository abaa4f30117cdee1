"""How far a percentile of a sample may be from the true one: bounds from the binomial law alone; no I/O.

The number of samples below the true percentile is binomial whatever the distribution, so two order statistics
enclose it with a known confidence. Samples that come in bunches (the gaps of one stall, say) tell less than
their number: `bunching` measures by how much, and the bounds are made for that many fewer samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, log, sqrt

from harpoon_cli.bench.statistics.histogram import MILLION, Ranks

CONFIDENCE = 0.95
"""Of a two-sided bound: each side is missed with half of what is left."""

_FEWEST_SLICES = 8
"""Fewer slices than this say nothing of bunching."""


@lru_cache(maxsize=256)
def enclosing_ranks(count: int, ppm: int, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """The ranks (from 1) of the two of `count` independent samples that enclose a percentile.

    None on a side where no sample is far enough out: too few samples for a bound.
    """
    missed = (1 - confidence) / 2
    start, weights = _around_mode(count, ppm / MILLION)
    low = high = None
    reached = 0.0
    for below, weight in enumerate(weights, start):
        if reached <= missed and below >= 1:
            low = below  # P(fewer than `below` samples are below it) is small enough
        reached += weight
        if high is None and reached >= 1 - missed:
            high = below + 1
    return low, high if high is not None and high <= count else None


def _around_mode(count: int, share: float) -> tuple[int, list[float]]:
    # Twelve deviations each way hold all of the mass that a float can tell from zero; found by the ratio of
    # neighbours from the mode outwards and scaled to 1, which needs no factorial and so loses no digits.
    mode = min(count, int((count + 1) * share))
    reach = int(12 * sqrt(count * share * (1 - share))) + 40
    odds = share / (1 - share)
    up, down = [1.0], []
    for below in range(mode, min(count, mode + reach)):
        up.append(up[-1] * (count - below) / (below + 1) * odds)
    weight = 1.0
    for below in range(mode, max(0, mode - reach), -1):
        weight *= below / (count - below + 1) / odds
        down.append(weight)
    weights = down[::-1] + up
    whole = sum(weights)
    return mode - len(down), [weight / whole for weight in weights]


def fewest_for(ppm: int, confidence: float = CONFIDENCE) -> int:
    """How many independent samples a bound from above needs."""
    return ceil(log((1 - confidence) / 2) / log(ppm / MILLION))


def bounds(
    ranks: Ranks, ppm: int, *, bunched: float = 1.0, confidence: float = CONFIDENCE
) -> tuple[float | None, float | None]:
    """The values in ns that enclose the true percentile of those that ended; None on a side: too few.

    `bunched` is how many samples tell as much as one independent one.
    """
    count = ranks.finite
    if not count:
        return None, None
    low, high = enclosing_ranks(max(1, int(count / bunched)), ppm, confidence)
    return (
        None if low is None else ranks.at(int(low * bunched)),
        None if high is None else ranks.at(min(count, ceil(high * bunched))),
    )


def bunching(counts: Sequence[tuple[int, int]]) -> float:
    """How many times more a share varies between slices than independent samples would let it; at least 1.

    counts: for each slice, how many samples exceeded a value, and how many there were. Pearson's dispersion.
    """
    filled = [(above, count) for above, count in counts if count]
    whole = sum(count for _, count in filled)
    share = sum(above for above, _ in filled) / whole if whole else 0.0
    if len(filled) < _FEWEST_SLICES or not 0 < share < 1:
        return 1.0
    spread = sum((above - count * share) ** 2 / (count * share * (1 - share)) for above, count in filled)
    return max(1.0, spread / (len(filled) - 1))
