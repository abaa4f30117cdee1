"""How far from one another the parts of a run began, from what their clocks say; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from statistics import median

from harpoon_cli.values import Struct

OWN_CLOCKS = "by their machines' own clocks"
EXCHANGE = "at most, by comparing clocks with each worker"


class Skew(Struct, frozen=True):
    """How long after the first of so many parts the others began: half of them by p50_ms, all by most_ms.

    clocks: what that is known by. Machines' own clocks are as far off as whatever sets them leaves them.
    """

    parts: int
    p50_ms: float
    most_ms: float
    clocks: str

    def __str__(self) -> str:
        measured = f"p50 {self.p50_ms:.3f} ms, most {self.most_ms:.3f} ms"
        return f"{measured} between {self.parts} parts, {self.clocks}"


def by_own_clocks(began: Sequence[datetime]) -> Skew | None:
    """The skew of parts that began at these times; None where there are no two."""
    if len(began) < 2:
        return None
    first, *others = sorted(began)
    after_ms = [(at - first).total_seconds() * 1000 for at in others]
    return Skew(len(began), median(after_ms), max(after_ms), OWN_CLOCKS)


def by_exchange(within_ns: Sequence[int]) -> Skew | None:
    """The most that the skew of parts can be which began at one time, as far as that was known of each."""
    if len(within_ns) < 2:
        return None
    worst = max(within_ns)
    apart_ms = [(one + worst) / 1e6 for one in sorted(within_ns)]
    return Skew(len(within_ns), median(apart_ms), max(apart_ms), EXCHANGE)
