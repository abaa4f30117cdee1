"""What of a run's beginning is left out of its figures, as it is typed; `steady` finds what that comes to."""

from __future__ import annotations

from harpoon_cli.bench.planning.quantities import MOST_REQUESTS, SECONDS, seconds, whole
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct

AUTO, NONE = "auto", "none"


class WarmUp(Struct, frozen=True):
    """What is left out: so many seconds or requests, what is `detected`, or, where all are unset, nothing."""

    first_s: float | None = None
    first_requests: int | None = None
    detected: bool = False

    def __str__(self) -> str:
        if self.first_s is not None:
            return SECONDS.write(self.first_s)
        if self.first_requests is not None:
            return str(self.first_requests)
        return AUTO if self.detected else NONE


DETECTED = WarmUp(detected=True)


def parse(text: str) -> WarmUp:
    """A warm-up of "auto", "none", "30s" or "100" (requests); `UsageFault` for anything else."""
    if text in (AUTO, NONE):
        return WarmUp(detected=text == AUTO)
    try:
        if text[-1:].isdigit():
            return WarmUp(first_requests=whole(1, MOST_REQUESTS)(text))
        return WarmUp(first_s=seconds(text))
    except ValueError as cause:
        raise UsageFault(
            f"the warm-up {text[:40]!r} {cause}", hint="use auto, none, 30s, or 100 for a hundred requests"
        ) from cause
