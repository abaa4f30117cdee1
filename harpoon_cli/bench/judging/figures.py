"""Works out the figures of a run, or of a window of it, from what was recorded; it judges nothing. Pure.

A percentile stands there in four ways: of good answers alone; with failures as infinite; the bounds that
chance leaves (few samples, or samples that came in bunches); and the bounds that the tool's own reading
leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, inf, isfinite

from harpoon_cli.bench.judging.measures import LATENCIES, LOWEST, NS_PER_S, PHASES
from harpoon_cli.bench.judging.slo import Measured
from harpoon_cli.bench.recording.kept import RequestLimits
from harpoon_cli.bench.recording.recorder import UNSURE_GAPS, Recorder
from harpoon_cli.bench.recording.timeline import Window
from harpoon_cli.bench.statistics.histogram import MILLION, Histogram, Ranks, merged
from harpoon_cli.bench.statistics.intervals import bounds, bunching, fewest_for
from harpoon_cli.values import Struct

PERCENTILES_PPM = (500_000, 750_000, 900_000, 950_000, 990_000, 999_000)

NS_PER_MS = 1_000_000

NAMES = (*LATENCIES, "itl", *PHASES)

STAMP_ERROR_NS = 1_000
"""How far a stamp may be off anyhow: by reading two clocks, and by the kernel's way to the stamp."""

_SHARES = ("goodput", "error_rate")
"""The rates that are a share of the requests."""

_TOLERANCE = 0.0005
"""What is in a bucket may be off its middle by this share."""


class Percentile(Struct, frozen=True):
    """One percentile, in ms. None where nothing was measured.

    with_failures_ms is None also where a failure stands there. low_ms, high_ms: the true one lies between
    them with 95 % confidence, None where too few samples leave no bound; enough: there is one from above.
    read_low_ms, read_high_ms: between them whatever the tool's own reading did; None where that has no part.
    """

    percent: float
    ms: float | None
    with_failures_ms: float | None
    low_ms: float | None
    high_ms: float | None
    enough: bool
    read_low_ms: float | None
    read_high_ms: float | None


class Distribution(Struct, frozen=True):
    """The figures of one latency. count: those of good answers (gaps, for itl); failures: those that never
    were.

    bunched: how many samples tell as much as one independent one, at p99; 1 where they came independently.
    """

    count: int
    failures: int
    mean_ms: float | None
    deviation_ms: float | None
    least_ms: float | None
    most_ms: float | None
    bunched: float
    percentiles: tuple[Percentile, ...]

    def percentile(self, percent: float) -> Percentile | None:
        """The one of that per cent, where it was worked out."""
        return next((one for one in self.percentiles if one.percent == percent), None)


class Rates(Struct, frozen=True):
    """The figures that are one number, in the units of their definitions; None where there is no SLO."""

    requests_per_s: float
    output_tokens_per_s: float
    total_tokens_per_s: float
    peak_chunks_per_s: int
    goodput_per_s: float | None
    goodput: float | None
    error_rate: float


class Figures(Struct, frozen=True):
    """All figures of a run or a window; from_s to to_s after the start. Tokens are those of good answers."""

    from_s: float
    to_s: float
    started: int
    completed: int
    failed: int
    good: int | None
    input_tokens: int
    output_tokens: int
    rates: Rates
    latencies: Mapping[str, Distribution]


class Moment(Struct, frozen=True):
    """One slice of the run: rates in it, and latencies of what was to start (gaps: of what came) in it, in
    ms.

    in_flight is what was started and not over at its end.
    """

    from_s: float
    to_s: float
    started: int
    completed: int
    failed: int
    in_flight: int
    requests_per_s: float
    output_tokens_per_s: float
    ttft_p50_ms: float | None
    ttft_p99_ms: float | None
    itl_p50_ms: float | None
    itl_p99_ms: float | None
    e2e_p50_ms: float | None
    e2e_p99_ms: float | None


def figures(
    recorder: Recorder,
    window: Window | None = None,
    *,
    also_ppm: Sequence[int] = (),
    ended_s: float | None = None,
) -> Figures:
    """The figures of a window, or of the whole run. also_ppm: percentiles beside the usual ones.

    ended_s: when the run was over, where the recorder has only a part of its requests.
    """
    wanted = sorted({*PERCENTILES_PPM, *also_ppm})
    filled = {
        name: found for name in NAMES if (found := _distribution(recorder, name, window, wanted)) is not None
    }
    ended_s = recorder.last_ns / NS_PER_S if ended_s is None else ended_s
    start_s, end_s = (window.start_s, window.end_s) if window else (0, ended_s)
    has_limits = recorder.limits != RequestLimits()
    return Figures(
        from_s=float(start_s),
        to_s=float(end_s),
        started=recorder.total("started", window),
        completed=recorder.total("completed", window),
        failed=recorder.total("failed", window),
        good=recorder.total("good", window) if has_limits else None,
        input_tokens=recorder.total("input_tokens", window),
        output_tokens=recorder.total("output_tokens", window),
        rates=_rates(recorder, window, end_s - start_s, has_limits),
        latencies=filled,
    )


def _rates(recorder: Recorder, window: Window | None, length_s: float, has_limits: bool) -> Rates:
    per_s = 1 / length_s if length_s > 0 else 0.0
    completed, good = recorder.total("completed", window), recorder.total("good", window)
    failed = recorder.total("failed", window)
    output, sent = recorder.total("output_tokens", window), recorder.total("input_tokens", window)
    ended = completed + failed
    return Rates(
        requests_per_s=completed * per_s,
        output_tokens_per_s=output * per_s,
        total_tokens_per_s=(output + sent) * per_s,
        peak_chunks_per_s=recorder.seconds.fullest("chunks"),
        goodput_per_s=good * per_s if has_limits else None,
        goodput=100 * good / ended if has_limits and ended else None,
        error_rate=100 * failed / ended if ended else 0.0,
    )


def _distribution(
    recorder: Recorder, name: str, window: Window | None, wanted: Sequence[int]
) -> Distribution | None:
    slices = [kept for _, kept in recorder.slices.of(name, window)]
    whole = merged(slices)
    ranks = whole.ranks()
    if not ranks.finite and not ranks.infinite:
        return None
    by_slice = [kept.ranks() for kept in slices]
    extremes = _extremes(recorder, name, window, whole)
    percentiles = tuple(_percentile(ranks, by_slice, extremes, ppm) for ppm in wanted)
    return Distribution(
        count=ranks.finite,
        failures=ranks.infinite,
        mean_ms=_ms(ranks.mean),
        deviation_ms=_ms(ranks.deviation),
        least_ms=_ms(ranks.at(1) if ranks.finite else None),
        most_ms=_ms(ranks.at(ranks.finite) if ranks.finite else None),
        bunched=_bunched(ranks, by_slice, 990_000),
        percentiles=percentiles,
    )


def _extremes(
    recorder: Recorder, name: str, window: Window | None, whole: Histogram
) -> tuple[Ranks, Ranks] | None:
    """The least and the most that durations of that name were, if the tool misread them all one way."""
    if name == "itl":
        seen, low, high = (recorder.histogram(one, window) for one in UNSURE_GAPS)
        return _instead(whole, seen, low), _instead(whole, seen, high)
    if f"{name}_low" not in LOWEST:
        return None
    return recorder.histogram(f"{name}_low", window).ranks(), whole.ranks()


def _instead(whole: Histogram, seen: Histogram, other: Histogram) -> Ranks:
    """The values of `whole` with others in place of those that are `seen`."""
    changed = merged((whole, other))
    changed.counts.subtract(seen.counts)
    return changed.ranks()


def _percentile(
    ranks: Ranks, by_slice: Sequence[Ranks], extremes: tuple[Ranks, Ranks] | None, ppm: int
) -> Percentile:
    low, high = bounds(ranks, ppm, bunched=_bunched(ranks, by_slice, ppm))
    read_low = read_high = None
    if extremes is not None and ranks.finite:
        read_low, read_high = (one.percentile(ppm) for one in extremes)
    return Percentile(
        percent=ppm * 100 / MILLION,
        ms=_ms(ranks.percentile(ppm)),
        with_failures_ms=_ms(ranks.percentile(ppm, failures=True)),
        low_ms=_ms(low),
        high_ms=_ms(high),
        enough=high is not None,
        read_low_ms=None if read_low is None else _ms(max(_wide(read_low, -1), 0.0)),
        read_high_ms=None if read_high is None else _ms(_wide(read_high, 1)),
    )


def _bunched(ranks: Ranks, by_slice: Sequence[Ranks], ppm: int) -> float:
    value = ranks.percentile(ppm)
    if value is None:
        return 1.0
    return bunching([(one.count_above(value), one.finite) for one in by_slice])


def _wide(value_ns: float, way: int) -> float:
    """A bound with what buckets and clocks leave open; way: 1 upwards, -1 downwards."""
    return value_ns + way * (value_ns * _TOLERANCE + STAMP_ERROR_NS)


def _ms(value_ns: float | None) -> float | None:
    return None if value_ns is None or not isfinite(value_ns) else value_ns / NS_PER_MS


def timeline(recorder: Recorder) -> tuple[Moment, ...]:
    """The run slice by slice, in order; a slice in which nothing began or ended is there too."""
    width = recorder.slices.width_s
    end_s = recorder.last_ns / NS_PER_S
    kept = {name: dict(recorder.slices.of(name)) for name in ("ttft", "itl", "e2e")}
    moments: list[Moment] = []
    in_flight = 0
    for start_s in range(0, ceil(end_s), width):
        here = {name: slices.get(start_s, Histogram()).ranks() for name, slices in kept.items()}
        moment = _moment(recorder, here, start_s, min(start_s + width, end_s), in_flight)
        in_flight = moment.in_flight
        moments.append(moment)
    return tuple(moments)


def _moment(
    recorder: Recorder, here: Mapping[str, Ranks], start_s: int, end_s: float, in_flight: int
) -> Moment:
    past_s = start_s + recorder.slices.width_s
    counts = {
        name: recorder.seconds.of(name, start_s, past_s)
        for name in ("started", "completed", "failed", "output_tokens")
    }
    length_s = max(end_s - start_s, 1e-9)
    latencies = {
        f"{name}_p{percent}_ms": _ms(ranks.percentile(percent * 10_000))
        for name, ranks in here.items()
        for percent in (50, 99)
    }
    return Moment(
        from_s=float(start_s),
        to_s=float(end_s),
        started=counts["started"],
        completed=counts["completed"],
        failed=counts["failed"],
        in_flight=in_flight + counts["started"] - counts["completed"] - counts["failed"],
        requests_per_s=counts["completed"] / length_s,
        output_tokens_per_s=counts["output_tokens"] / length_s,
        **latencies,
    )


def measured(found: Figures) -> dict[str, Measured]:
    """The figures as thresholds look for them, latencies with failures as infinite."""
    ended = found.completed + found.failed
    named = {
        name: Measured(value, requests=ended if name in _SHARES else None)
        for name in Rates.__struct_fields__
        if (value := getattr(found.rates, name)) is not None
    }
    for name, distribution in found.latencies.items():
        mean = inf if distribution.failures else distribution.mean_ms
        named[f"{name}_mean"] = Measured(mean)
        for one in distribution.percentiles:
            named[f"{name}_p{one.percent:g}"] = _as_measured(one, distribution)
    return named


def _as_measured(one: Percentile, distribution: Distribution) -> Measured:
    if one.with_failures_ms is None:
        return Measured(inf if distribution.failures else None)
    needed = ceil(fewest_for(round(one.percent * MILLION / 100)) * distribution.bunched)
    return Measured(one.with_failures_ms, enough=one.enough, needed=needed)
