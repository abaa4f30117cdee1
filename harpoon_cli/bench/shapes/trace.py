"""Requests when a recorded trace had them, faster or slower by a factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Annotated

from harpoon_cli.bench import traces
from harpoon_cli.bench.planning.load import OpenShape
from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import Kind, number

SPEED = Kind("2", number(0, 10_000, above=True))


class Trace(OpenShape, frozen=True, kw_only=True):
    """The arrivals of a trace file, from `from_s` on; it ends with the file."""

    path: traces.File
    format: traces.Format = traces.AUTO
    from_s: traces.Start = 0.0
    bad_rows: traces.BadRows = 0
    speed: Annotated[float, Parameter(SPEED, "times as fast as it was")] = 1.0

    @property
    def files(self) -> Sequence[Path]:
        return (self.path,)

    @property
    def endless(self) -> bool:
        return False

    def due(self, random: Random) -> Iterator[float]:
        """`UsageFault`, at once or when the row is reached, where the file cannot be used."""
        rows = traces.rows(self.path, self.format, self.from_s, self.bad_rows)
        return ((row.at_s - self.from_s) / self.speed for row in rows)


LOAD = Trace
