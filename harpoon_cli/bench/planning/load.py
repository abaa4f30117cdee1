"""What a load is: when requests are due, or how many run at once. Every load shape is one of these; no I/O.

Load                 a shape, or a search that tries one shape after another
├── Shape            one stage: due times, or a number of requests at once
│   └── OpenShape    due times, with or without a bound on what is under way
└── shapes.sweep     chooses its next stage by the results of those before
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Annotated

from harpoon_cli.bench.planning.parameters import Parameter
from harpoon_cli.bench.planning.quantities import AT_ONCE, COUNT, SECONDS
from harpoon_cli.values import Struct


class Phase(Struct, frozen=True):
    """A part of a run that is worth figures of its own; seconds after the start, None to its end."""

    name: str
    from_s: float
    to_s: float | None


class StageResult(Struct, frozen=True):
    """What a search needs to know of a stage that is over.

    level is what the stage was made with: requests at once, or requests a second. offered_per_s is the rate
    at which requests were due, None in a closed loop; requests_per_s the rate at which good answers ended.
    Both are of the same steady window, or a load of long answers looks saturated. meets_slo is None where
    there is no objective. next_index is one more than the highest index of an ask that was sent.
    """

    level: float
    requests_per_s: float
    offered_per_s: float | None
    meets_slo: bool | None
    next_index: int


class Load(Struct, frozen=True, kw_only=True):
    """Something that gives the stages of a run, one after another."""

    @property
    def files(self) -> Sequence[Path]:
        """What it reads."""
        return ()

    def next_stage(self, results: Sequence[StageResult]) -> Shape | None:
        """The stage to run after those that gave `results`, in their order; None where all is done."""
        raise NotImplementedError


class Shape(Load, frozen=True, kw_only=True):
    """The load of one stage."""

    for_s: Annotated[float | None, Parameter(SECONDS, "how long requests are started", "for")] = None
    requests: Annotated[int | None, Parameter(COUNT, "how many requests at most")] = None

    @property
    def at_once(self) -> int | None:
        """How many requests are under way at once in a closed loop; None in an open one."""
        return None

    @property
    def most_at_once(self) -> int | None:
        """How many requests may be under way at once; None: as many as are due."""
        return self.at_once

    @property
    def ends_s(self) -> float | None:
        """When the last request is started at the latest; None where time does not end it."""
        return self.for_s

    @property
    def endless(self) -> bool:
        """Whether nothing ends it."""
        return self.ends_s is None and self.requests is None

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Its parts in order of time; none where it is the same all the way."""
        return ()

    def due(self, random: Random) -> Iterator[float | None]:
        """When each request is due, in seconds after the start, never falling; None: when a place is free.

        Not cut at `ends_s` or `requests`. `random` is used in one order only, so that a seed is one load.
        """
        raise NotImplementedError

    def next_stage(self, results: Sequence[StageResult]) -> Shape | None:
        return None if results else self


class OpenShape(Shape, frozen=True, kw_only=True):
    """Requests by the clock, whatever is answered.

    With at_most, one that is due while so many are under way waits for one of them to end: its time is no
    more the plan's, which the figures from the intended start show.
    """

    at_most: Annotated[
        int | None, Parameter(AT_ONCE, "requests under way at most; what is due then waits")
    ] = None

    @property
    def most_at_once(self) -> int | None:
        return self.at_most
