"""Where a run's warm-up ends and its steady state begins: given, or found in its latencies; pure.

Found by MSER-5 (White, 1997): latencies, in the order in which their requests started, are averaged five by
five, and of all beginnings that could be left out, up to half of the run, the one is that makes the standard
error of the mean of the rest smallest. Where that is the whole half, the run never settled and nothing is
left out.

The window ends where the last request starts: after that the load only drains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harpoon_cli.bench.quantities import MOST_REQUESTS, SECONDS, seconds, whole
from harpoon_cli.bench.statistics.warmup import FEWEST_VALUES, settled_from
from harpoon_cli.errors import UsageFault

BATCH = 5

AUTO, NONE = "auto", "none"


@dataclass(frozen=True, slots=True)
class WarmUp:
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


@dataclass(frozen=True, slots=True)
class SteadyState:
    """The window whose requests count: those that start from from_ns to to_ns, both included.

    left_out is how many started before it. settled is False where the latencies never became steady, None
    where that was not looked at or cannot be told; method says how the window was found.
    """

    from_ns: int
    to_ns: int
    left_out: int
    settled: bool | None
    method: str


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


def steady_state(
    warm_up: WarmUp, starts_ns: Sequence[int], latencies_ns: Sequence[int]
) -> SteadyState | None:
    """The steady state of requests that started and took as told, in any order; None where there are none.

    In an open loop, starts are best the intended ones. Where a given warm-up leaves nothing over, the window
    begins and ends at the last start.
    """
    if not starts_ns:
        return None
    order = sorted(range(len(starts_ns)), key=starts_ns.__getitem__)
    starts = [starts_ns[place] for place in order]
    left_out, settled, method = _cut(warm_up, starts, [latencies_ns[place] for place in order])
    first = starts[min(left_out, len(starts) - 1)]
    return SteadyState(first, starts[-1], left_out, settled, method)


def _cut(warm_up: WarmUp, starts: list[int], latencies: list[int]) -> tuple[int, bool | None, str]:
    if warm_up.first_s is not None:
        begin_ns = round(warm_up.first_s * 1e9)
        return sum(start < begin_ns for start in starts), None, f"the first {warm_up} left out, as given"
    if warm_up.first_requests is not None:
        given = min(warm_up.first_requests, len(starts))
        return given, None, f"the first {warm_up.first_requests} requests left out, as given"
    if not warm_up.detected:
        return 0, None, "nothing left out"
    means = [_mean(latencies[at : at + BATCH]) for at in range(0, len(latencies) - BATCH + 1, BATCH)]
    if len(means) < FEWEST_VALUES:
        return 0, None, f"nothing left out: under {BATCH * FEWEST_VALUES} requests MSER-5 cannot tell"
    batches = settled_from(means)
    if batches is None:
        return 0, False, "nothing left out: by MSER-5 the latencies never settled"
    return batches * BATCH, True, "MSER-5 over latencies in order of start"


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
