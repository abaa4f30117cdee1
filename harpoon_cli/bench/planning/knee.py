"""Where a server stops keeping up, from the results of stages at growing load; pure."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from harpoon_cli.bench.planning.load import StageResult

KEEPS_UP = 0.95
"""The share of the offered rate that a server must answer to count as keeping up with it."""

LEAST_GAIN = 0.1
"""The share of the added concurrency that must come back as added throughput."""

LEAST_BEND = 0.1
"""How far the curve must rise above its chord, both from 0 to 1, for its bend to be a knee and not noise."""


def saturated(result: StageResult, below: StageResult | None) -> bool:
    """Whether the server did not keep up at that level; `below` is the result at the next lower level.

    At an offered rate: fewer than 95 % of the requests due were answered in the same time. In a closed loop:
    throughput grew by less than a tenth of what the added concurrency would give at an unchanged latency.
    """
    if result.offered_per_s is not None:
        return result.requests_per_s < KEEPS_UP * result.offered_per_s
    if below is None or below.requests_per_s <= 0:
        return False
    gain = result.requests_per_s / below.requests_per_s - 1
    return gain < LEAST_GAIN * (result.level / below.level - 1)


def lowest_bad(results: Sequence[StageResult]) -> StageResult | None:
    """The lowest level that is saturated or misses its objective; None where all are good."""
    below = None
    for result in _by_level(results):
        if result.meets_slo is False or saturated(result, below):
            return result
        below = result
    return None


def largest_within(results: Sequence[StageResult]) -> StageResult | None:
    """The highest level that meets the objective, as every level below it does; None where there is none.

    A higher level that meets it again above one that missed is taken for chance.
    """
    best = None
    for result in _by_level(results):
        if not result.meets_slo:
            break
        best = result
    return best


def knee(results: Sequence[StageResult]) -> StageResult | None:
    """The level after which more load stops giving proportionally more throughput; None where it never bends.

    Kneedle (Satopää et al., 2011) on throughput against load, the load being the offered rate or the level:
    both are scaled to 0…1, and the knee is the point that is furthest above the chord. Levels beyond the
    highest throughput are left out. Needs three levels.
    """
    curve = _by_level(results)
    peak = max(range(len(curve)), key=lambda number: curve[number].requests_per_s, default=0)
    most = curve[peak].requests_per_s if curve else 0.0
    if len(curve) < 3 or most <= 0:
        return None
    x0, y0 = _load(curve[0]), curve[0].requests_per_s / most
    width, height = _load(curve[-1]) - x0, 1 - y0
    if width <= 0 or height <= 0:
        return None
    bends = [(r.requests_per_s / most - y0) / height - (_load(r) - x0) / width for r in curve[: peak + 1]]
    highest = max(bends)
    return curve[bends.index(highest)] if highest >= LEAST_BEND else None


def _load(result: StageResult) -> float:
    return result.level if result.offered_per_s is None else result.offered_per_s


def _by_level(results: Sequence[StageResult]) -> list[StageResult]:
    return sorted(results, key=attrgetter("level"))
