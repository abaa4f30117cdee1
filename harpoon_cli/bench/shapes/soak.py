"""One load for hours, cut into windows that show whether the server grows slower with age."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import repeat
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning import arrivals
from harpoon_cli.bench.planning.load import OpenShape, Phase
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import AT_ONCE, RATE, SECONDS

MOST_WINDOWS = 10_000


class Soak(OpenShape, frozen=True, kw_only=True):
    """A rate (Poisson) or a number of requests at once; every window is a phase."""

    rate: Annotated[float | None, Parameter(RATE, "requests a second on average")] = None
    concurrency: Annotated[int | None, Parameter(AT_ONCE, "requests at once, in place of a rate")] = None
    window_s: Annotated[float, Parameter(SECONDS, "how long a window is", "window")] = 600.0

    def __post_init__(self) -> None:
        if (self.rate is None) == (self.concurrency is None):
            raise ValueError("give either rate or concurrency")
        if self.rate is None and self.at_most is not None:
            raise ValueError("at_most is for a rate: concurrency is a bound already")
        if self.for_s is None:
            raise ValueError("for must be given")
        if self.for_s / self.window_s > MOST_WINDOWS:
            raise ValueError(f"these are more than {MOST_WINDOWS} windows")

    @property
    def at_once(self) -> int | None:
        return self.concurrency

    @property
    def most_at_once(self) -> int | None:
        return self.concurrency or self.at_most

    @property
    def phases(self) -> tuple[Phase, ...]:
        windows = range(math.ceil((self.for_s or 0) / self.window_s))
        return tuple(
            Phase(f"window {number + 1}", number * self.window_s, (number + 1) * self.window_s)
            for number in windows
        )

    def due(self, random: Random) -> Iterator[float | None]:
        if self.rate is None:
            return repeat(None)
        return arrivals.due(arrivals.poisson(random), arrivals.flat(self.rate))


LOAD = Soak
