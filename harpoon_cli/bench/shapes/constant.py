"""Requests at even distances, whatever the answers do."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Annotated

from harpoon_cli.bench import arrivals
from harpoon_cli.bench.load import OpenShape
from harpoon_cli.bench.parameters import Parameter
from harpoon_cli.bench.quantities import RATE


class Constant(OpenShape, frozen=True, kw_only=True):
    """One request every 1/rate seconds, the first at the start."""

    rate: Annotated[float, Parameter(RATE, "requests a second")]

    def due(self, random: Random) -> Iterator[float]:
        return arrivals.due(arrivals.even(), arrivals.flat(self.rate))


LOAD = Constant
