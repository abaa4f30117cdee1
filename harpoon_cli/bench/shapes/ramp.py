"""A rate that rises or falls in a straight line, and then holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning import arrivals
from harpoon_cli.bench.planning.arrivals import Segment, Spacing
from harpoon_cli.bench.planning.load import OpenShape, Phase
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import RATE, RATE_OR_NONE, SECONDS


class Ramp(OpenShape, frozen=True, kw_only=True):
    """From one rate to another in `over_s` seconds; with `for` longer than that, the last rate holds."""

    from_per_s: Annotated[float, Parameter(RATE_OR_NONE, "requests a second at the start", "from")]
    to_per_s: Annotated[float, Parameter(RATE, "requests a second at the end", "to")]
    over_s: Annotated[float, Parameter(SECONDS, "how long the change takes", "over")]
    spacing: Spacing = "poisson"

    @property
    def ends_s(self) -> float:
        return self.for_s or self.over_s

    @property
    def phases(self) -> tuple[Phase, ...]:
        held = (Phase("hold", self.over_s, None),) if self.ends_s > self.over_s else ()
        return (Phase("ramp", 0.0, self.over_s), *held)

    def due(self, random: Random) -> Iterator[float]:
        rise = Segment(self.from_per_s, self.to_per_s, self.over_s)
        hold = Segment(self.to_per_s, self.to_per_s, math.inf)
        return arrivals.due(arrivals.spaced(self.spacing, random), (rise, hold))


LOAD = Ramp
