"""Requests in bursts, or more even than chance: gamma gaps around one rate, by their burstiness.

`burstiness` is the shape of the gamma distribution, as in vLLM: the gaps' coefficient of variation is one
over its square root.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning import arrivals
from harpoon_cli.bench.planning.load import OpenShape
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import RATE, Kind, number

BURSTINESS = Kind("0.5", number(0.01, 1000))


class Gamma(OpenShape, frozen=True, kw_only=True):
    """`rate` requests a second on average."""

    rate: Annotated[float, Parameter(RATE, "requests a second on average")]
    burstiness: Annotated[
        float, Parameter(BURSTINESS, "1 is Poisson, below 1 comes in bursts, above 1 is more even")
    ]

    def due(self, random: Random) -> Iterator[float]:
        return arrivals.due(arrivals.gamma(random, self.burstiness), arrivals.flat(self.rate))


LOAD = Gamma
