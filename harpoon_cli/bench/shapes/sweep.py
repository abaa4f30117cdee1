"""Stage after stage, each with more load, until the server is saturated; then between good and bad.

The load grows by a factor until a stage is saturated or misses the objective, or `to` is reached. Then, up
to `refine` times, the middle between the highest level below every bad one and the lowest bad one is tried.
It takes for granted that a server that is too slow at one level is too slow at every higher one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from harpoon_cli.bench.planning.knee import lowest_bad
from harpoon_cli.bench.planning.load import Load, Shape, StageResult
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import COUNT, RATE, SECONDS, Kind, choice, number, whole
from harpoon_cli.bench.shapes.closed import Closed
from harpoon_cli.bench.shapes.poisson import Poisson

OVER = choice("concurrency", "rate")
GROWTH = Kind("2", number(1.01, 100))
REFINE = Kind("3", whole(0, 100))
MOST_STAGES = 200


class Sweep(Load, frozen=True, kw_only=True):
    """Closed stages of growing concurrency, or Poisson stages of growing rate."""

    over: Annotated[str, Parameter(OVER, "what grows")] = "concurrency"
    from_level: Annotated[float, Parameter(RATE, "the first stage's level", "from")] = 1.0
    to_level: Annotated[float, Parameter(RATE, "the highest level to try", "to")] = 1024.0
    growth: Annotated[float, Parameter(GROWTH, "times the level of the stage before")] = 2.0
    refine: Annotated[int, Parameter(REFINE, "stages between the last good and the first bad")] = 3
    each_s: Annotated[float, Parameter(SECONDS, "how long a stage lasts", "each")] = 30.0
    each_requests: Annotated[int | None, Parameter(COUNT, "requests in a stage at most", "requests")] = None

    def __post_init__(self) -> None:
        if self.to_level < self.from_level:
            raise ValueError("to is less than from")
        if self.over == "concurrency" and self.from_level < 1:
            raise ValueError("from is less than one request at once")

    def next_stage(self, results: Sequence[StageResult]) -> Shape | None:
        """The stage that the results so far, in the order of their runs, ask for; None at the sweep's end."""
        level = self._next_level(results) if len(results) < MOST_STAGES else None
        return None if level is None else self._stage(level)

    def _stage(self, level: float) -> Shape:
        if self.over == "rate":
            return Poisson(rate=level, for_s=self.each_s, requests=self.each_requests)
        return Closed(concurrency=int(level), for_s=self.each_s, requests=self.each_requests)

    def _next_level(self, results: Sequence[StageResult]) -> float | None:
        if not results:
            return self._level(self.from_level)
        bad = lowest_bad(results)
        if bad is None:
            highest = max(result.level for result in results)
            return self._above(highest) if highest < self._level(self.to_level) else None
        return self._between(results, bad.level)

    def _between(self, results: Sequence[StageResult], bad: float) -> float | None:
        tried = [result.level for result in results]
        good = max((level for level in tried if level < bad), default=None)
        climbed = next(number for number, _ in enumerate(tried, 1) if lowest_bad(results[:number]))
        if good is None or len(tried) - climbed >= self.refine:
            return None
        middle = self._level((good + bad) / 2)
        return None if middle in (good, bad) else middle

    def _above(self, level: float) -> float:
        grown = level * self.growth
        return self._level(max(grown, level + 1) if self.over == "concurrency" else grown)

    def _level(self, wanted: float) -> float:
        level = min(wanted, self.to_level)
        return float(int(level)) if self.over == "concurrency" else level


LOAD = Sweep
