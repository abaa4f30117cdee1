"""Turns a rate over time into the moments at which requests are due; pure, lazy, and blind to every answer.

Arrivals are made at an average of one a unit (evenly, or at random) and then stretched by the rate, so that
one process serves every rate, changing or not: the k-th request is due when the area under the rate reaches
the k-th unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import count
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import choice
from harpoon_cli.values import Struct

Spacing = Annotated[str, Parameter(choice("poisson", "even"), "how requests follow one another", "arrivals")]
"""The parameter of a shape whose requests may come evenly or as those of independent clients."""


class Segment(Struct, frozen=True):
    """A stretch of time in which the rate, in requests a second, goes straight from one value to another.

    lasts_s may be infinite where the rate does not change.
    """

    from_per_s: float
    to_per_s: float
    lasts_s: float

    @property
    def requests(self) -> float:
        """How many requests are due in it, on average."""
        return (self.from_per_s + self.to_per_s) / 2 * self.lasts_s

    def when_s(self, units: float) -> float:
        """Seconds into the segment at which the area under its rate is `units`."""
        if self.from_per_s == self.to_per_s:
            return units / self.to_per_s
        slope = (self.to_per_s - self.from_per_s) / self.lasts_s
        # The stable form of the quadratic's root: no difference of nearly equal numbers.
        root = math.sqrt(max(self.from_per_s**2 + 2 * slope * units, 0.0))
        return 2 * units / (self.from_per_s + root) if units else 0.0


def flat(per_s: float) -> tuple[Segment]:
    """One rate for as long as it is asked for."""
    return (Segment(per_s, per_s, math.inf),)


def due(units: Iterator[float], segments: Iterable[Segment]) -> Iterator[float]:
    """Seconds after the start at which each unit is due, in order, until the segments end."""
    starts_s = before = 0.0
    unit = next(units)
    for segment in segments:
        after = before + segment.requests
        while unit < after:
            yield starts_s + segment.when_s(unit - before)
            unit = next(units)
        starts_s += segment.lasts_s
        before = after


def spaced(spacing: str, random: Random) -> Iterator[float]:
    """The units of a `Spacing`."""
    return even() if spacing == "even" else poisson(random)


def even() -> Iterator[float]:
    """A request at every whole unit, the first at none. Counted, not added up: no error grows."""
    return map(float, count())


def poisson(random: Random) -> Iterator[float]:
    """Exponential gaps: the arrivals of many clients that know nothing of one another."""
    unit = 0.0
    while True:
        unit += random.expovariate(1.0)
        yield unit


def gamma(random: Random, burstiness: float) -> Iterator[float]:
    """Gamma gaps of that shape, as in vLLM: 1 is Poisson, below 1 comes in bursts, above 1 is more even."""
    unit = 0.0
    while True:
        unit += random.gammavariate(burstiness, 1 / burstiness)
        yield unit
