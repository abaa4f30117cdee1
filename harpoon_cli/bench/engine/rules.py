"""How a run fires: bounds and the caller's own functions. A value; it does nothing."""

from __future__ import annotations

from collections.abc import Callable

from harpoon_cli.bench.recording.sample import Sample
from harpoon_cli.values import Struct


class Rules(Struct, frozen=True):
    """How a run fires; see `fire`. places: requests at once; wanted: what was asked for, None: no bound."""

    places: int
    wanted: int | None
    deadline_s: float
    ends_s: float | None
    grace_s: float
    on_sample: Callable[[Sample], None]
    stop: Callable[[], bool]
    count_tokens: Callable[[str], int] | None
