"""Whether a run's figures can be believed, and what it ends with; from what the tool saw of itself. Pure.

    INCOMPLETE   a part of the run is missing: no verdict on anything
    INVALID      the tool, not the server, made the figures; the reasons say how
    VALID        each error bound is narrow enough, the plan was kept, the tool had time to spare

A valid run may still have missed its thresholds or had too many errors: that is `passed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from harpoon_cli.bench.judging.figures import Distribution, Figures, Percentile
from harpoon_cli.bench.judging.slo import Check, Standing
from harpoon_cli.bench.recording.sample import Stamped
from harpoon_cli.bench.recording.watched import Watched
from harpoon_cli.values import Struct

PASSED, FAILED, NOT_KNOWN = "passed", "did not pass", "not known"
"""What a run, or a comparison, comes to."""

_BUSY = 0.8
_STARVED = 0.05
"""Shares above which a warning is due."""

_WAITED_MS = 1.0
"""For how long 1 % of the requests may wait for a place before that is said."""


class Validity(StrEnum):
    """Whether the figures are the server's."""

    VALID = "VALID"
    INVALID = "INVALID"
    INCOMPLETE = "INCOMPLETE"


class Bounds(Struct, frozen=True):
    """What still counts as the server's figures.

    read_share, read_ms: a TTFT or ITL may be off by its own reading by this share of itself or by so many ms,
    whichever is more. lateness_ms: p99 of the tool's own lateness. cpu_share: of one core, above which a
    closed loop measures the tool; less than all of it, since this program's own filing may have the rest.
    """

    read_share: float = 0.1
    read_ms: float = 1.0
    lateness_ms: float = 10.0
    cpu_share: float = 0.9


class Verdict(Struct, frozen=True):
    """Validity with its reasons; what to keep in mind all the same; whether errors and thresholds are in
    order.

    error_rate is in per cent of all requests that ended; max_error_rate what was allowed. missed, undecided:
    the figures, by name. passed: the figures can be believed, and nothing is out of order.
    """

    validity: Validity
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    error_rate: float
    max_error_rate: float
    too_many_errors: bool
    missed: tuple[str, ...]
    undecided: tuple[str, ...]
    passed: bool

    @property
    def outcome(self) -> str:
        """In words; not known: all is well but for thresholds that too few samples leave undecided."""
        doubtful = self.validity is not Validity.VALID or self.too_many_errors or self.missed
        return PASSED if self.passed else FAILED if doubtful else NOT_KNOWN


def judge(
    found: Figures,
    whole: Figures,
    watches: Sequence[Watched],
    checks: Sequence[Check] = (),
    *,
    open_loop: bool,
    at_most: int | None = None,
    max_error_rate: float = 0.0,
    missing: Sequence[str] = (),
    within: Bounds | None = None,
) -> Verdict:
    """The verdict on a run. watches: one for each engine process; missing: what part of it is not there;
    at_most: the bound on what an open loop may have under way, None where it has none.

    found: the figures that are believed or not, of the steady part; errors count over the `whole` run.

    max_error_rate is in per cent; by default any failure is too many. A threshold without a verdict has not
    been shown to be kept, so it does not pass.
    """
    within = within or Bounds()
    reasons = (*_misread(found, within), *_tool_was_slow(found, watches, within, open_loop=open_loop))
    validity = Validity.INCOMPLETE if missing else Validity.INVALID if reasons else Validity.VALID
    missed = tuple(check.figure for check in checks if check.standing is Standing.MISSED)
    undecided = tuple(check.figure for check in checks if check.standing is Standing.UNDECIDED)
    rate = whole.rates.error_rate
    too_many = rate > max_error_rate or not whole.completed
    in_order = validity is Validity.VALID and not too_many
    return Verdict(
        validity=validity,
        reasons=(*missing, *reasons),
        warnings=(*_held_back(found, at_most), *_warnings(found, watches)),
        error_rate=rate,
        max_error_rate=max_error_rate,
        too_many_errors=too_many,
        missed=missed,
        undecided=undecided,
        passed=in_order and not missed and not undecided,
    )


def _misread(found: Figures, within: Bounds) -> Iterator[str]:
    for name in ("ttft", "itl"):
        distribution = found.latencies.get(name)
        if distribution is None:
            continue
        for one in distribution.percentiles:
            off_ms = read_error_ms(one)
            if one.enough and off_ms > max(within.read_ms, within.read_share * (one.ms or 0.0)):
                figure = f"{name} p{one.percent:g} of {one.ms:.4g} ms"
                yield f"{figure} may be off by {off_ms:.3g} ms, because the tool read late"
                break


def read_error_ms(one: Percentile) -> float:
    """How far a percentile may be off by the tool's own reading: the worse of both sides, or 0."""
    if one.ms is None or one.read_low_ms is None or one.read_high_ms is None:
        return 0.0
    return max(one.ms - one.read_low_ms, one.read_high_ms - one.ms)


def _tool_was_slow(
    found: Figures, watches: Sequence[Watched], within: Bounds, *, open_loop: bool
) -> Iterator[str]:
    lateness = _p99(found.latencies.get("lateness"))
    if lateness is not None and lateness > within.lateness_ms:
        allowed = f"{within.lateness_ms:g} allowed"
        yield f"requests left {lateness:.3g} ms late at p99 by the tool's own doing, {allowed}"
    busiest = max((watch.cpu_share for watch in watches), default=0.0)
    # Where nothing was answered there is no throughput to doubt: refusals cost a core and no time.
    if not open_loop and found.completed and busiest > within.cpu_share:
        yield f"the tool used {busiest:.0%} of a core: throughput is the tool's, not the server's"
    if any(watch.clock_was_set and watch.stamped is Stamped.KERNEL for watch in watches):
        yield "the wall clock was set during the run, and arrival times come from it"
    if any(watch.short_of_sockets for watch in watches):
        yield "requests waited because this machine allows no more connections"


def _p99(distribution: Distribution | None) -> float | None:
    found = distribution.percentile(99.0) if distribution else None
    return found.ms if found else None


def _held_back(found: Figures, at_most: int | None) -> Iterator[str]:
    """What a bound on requests under way has made of the plan's times."""
    queued, late = (found.latencies.get(name) for name in ("queueing", "lateness"))
    waited_ms = (_p99(queued) or 0.0) - (_p99(late) or 0.0)
    if at_most is None or queued is None or waited_ms <= _WAITED_MS:
        return
    yield (
        f"requests waited for one of the {at_most:,} places, {queued.mean_ms or 0.0:,.1f} ms on average and "
        f"{waited_ms:,.1f} ms at p99: the bound delayed the planned arrivals, so read the latencies from the "
        "intended start"
    )


def _warnings(found: Figures, watches: Sequence[Watched]) -> Iterator[str]:
    for watch in watches if found.completed else ():
        if watch.busiest_share > _BUSY:
            share = f"{watch.busiest_share:.0%} of a core in its busiest second"
            yield f"an engine process used {share}: consider more with --processes"
        if (watch.starved_share or 0.0) > _STARVED:
            yield f"for {watch.starved_share:.1%} of the run other processes kept the engine from a CPU"
    if not found.completed:
        yield "no request was answered"
        return
    for name in ("ttft", "itl", "e2e"):
        distribution = found.latencies.get(name)
        tail = distribution.percentile(99.0) if distribution else None
        if distribution is not None and tail is not None and not tail.enough:
            yield f"no verdict on {name} p99: too few samples ({distribution.count:,})"
