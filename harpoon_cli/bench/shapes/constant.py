"""Requests at even distances, whatever the answers do."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning import arrivals
from harpoon_cli.bench.planning.load import OpenShape
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import RATE


class Constant(OpenShape, frozen=True, kw_only=True):
    """One request every 1/rate seconds, the first at the start."""

    rate: Annotated[float, Parameter(RATE, "requests a second")]

    def due(self, random: Random) -> Iterator[float]:
        return arrivals.due(arrivals.even(), arrivals.flat(self.rate))


LOAD = Constant
