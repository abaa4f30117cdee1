"""One rate with a sudden peak in it, to see how the server takes it and how long it feels it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning import arrivals
from harpoon_cli.bench.planning.arrivals import Segment, Spacing
from harpoon_cli.bench.planning.load import OpenShape, Phase
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import RATE, SECONDS


class Spike(OpenShape, frozen=True, kw_only=True):
    """`base_per_s` before and after, `peak_per_s` between; by default as long after the peak as before it."""

    base_per_s: Annotated[float, Parameter(RATE, "requests a second before and after", "base")]
    peak_per_s: Annotated[float, Parameter(RATE, "requests a second in the peak", "peak")]
    at_s: Annotated[float, Parameter(SECONDS, "when the peak begins", "at")]
    lasts_s: Annotated[float, Parameter(SECONDS, "how long the peak lasts", "lasts")]
    spacing: Spacing = "poisson"

    def __post_init__(self) -> None:
        if self.ends_s < self.at_s + self.lasts_s:
            raise ValueError("for is over before the peak is")

    @property
    def ends_s(self) -> float:
        return self.for_s or 2 * self.at_s + self.lasts_s

    @property
    def phases(self) -> tuple[Phase, ...]:
        after_s = self.at_s + self.lasts_s
        return (
            Phase("before", 0.0, self.at_s),
            Phase("peak", self.at_s, after_s),
            Phase("after", after_s, None),
        )

    def due(self, random: Random) -> Iterator[float]:
        segments = (
            Segment(self.base_per_s, self.base_per_s, self.at_s),
            Segment(self.peak_per_s, self.peak_per_s, self.lasts_s),
            Segment(self.base_per_s, self.base_per_s, math.inf),
        )
        return arrivals.due(arrivals.spaced(self.spacing, random), segments)


LOAD = Spike
