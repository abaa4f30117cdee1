"""Requests as independent clients make them: exponential gaps around one rate."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning import arrivals
from harpoon_cli.bench.planning.load import OpenShape
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import RATE


class Poisson(OpenShape, frozen=True, kw_only=True):
    """`rate` requests a second on average; how many come in a second is chance, by the seed."""

    rate: Annotated[float, Parameter(RATE, "requests a second on average")]

    def due(self, random: Random) -> Iterator[float]:
        return arrivals.due(arrivals.poisson(random), arrivals.flat(self.rate))


LOAD = Poisson
