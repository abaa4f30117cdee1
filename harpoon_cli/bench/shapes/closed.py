"""A fixed number of requests at once: the next one starts when one ends.

Its rate follows the server, so it hides what waiting clients would feel; for that, use an open shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning.load import Shape
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import AT_ONCE


class Closed(Shape, frozen=True, kw_only=True):
    """`concurrency` requests under way, for as long as the load lasts."""

    concurrency: Annotated[int, Parameter(AT_ONCE, "requests at once")]

    @property
    def at_once(self) -> int:
        return self.concurrency

    def due(self, random: Random) -> Iterator[None]:
        return repeat(None)


LOAD = Closed
