"""A rate that rises in steps, without a pause between them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning import arrivals
from harpoon_cli.bench.planning.arrivals import Segment, Spacing
from harpoon_cli.bench.planning.load import OpenShape, Phase
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import RATE, SECONDS

MOST_STEPS = 1000


class Step(OpenShape, frozen=True, kw_only=True):
    """From one rate to another by equal steps of `each_s` seconds; every step is a phase."""

    from_per_s: Annotated[float, Parameter(RATE, "requests a second in the first step", "from")]
    to_per_s: Annotated[float, Parameter(RATE, "requests a second in the last step at most", "to")]
    by_per_s: Annotated[float, Parameter(RATE, "requests a second more with each step", "by")]
    each_s: Annotated[float, Parameter(SECONDS, "how long a step lasts", "each")]
    spacing: Spacing = "poisson"

    def __post_init__(self) -> None:
        if self.to_per_s < self.from_per_s:
            raise ValueError("to is less than from")
        if (self.to_per_s - self.from_per_s) / self.by_per_s >= MOST_STEPS:
            raise ValueError(f"these are more than {MOST_STEPS} steps")

    @property
    def rates(self) -> tuple[float, ...]:
        """Requests a second, step by step."""
        # A hair more than the quotient: 0.1 to 0.5 by 0.1 is five steps.
        steps = int((self.to_per_s - self.from_per_s) / self.by_per_s + 1e-9) + 1
        return tuple(self.from_per_s + number * self.by_per_s for number in range(steps))

    @property
    def ends_s(self) -> float:
        return min(self.each_s * len(self.rates), self.for_s or float("inf"))

    @property
    def phases(self) -> tuple[Phase, ...]:
        return tuple(
            Phase(f"{rate:g}/s", number * self.each_s, (number + 1) * self.each_s)
            for number, rate in enumerate(self.rates)
            if number * self.each_s < self.ends_s
        )

    def due(self, random: Random) -> Iterator[float]:
        segments = (Segment(rate, rate, self.each_s) for rate in self.rates)
        return arrivals.due(arrivals.spaced(self.spacing, random), segments)


LOAD = Step
