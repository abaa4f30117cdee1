"""What a recorder knows, as frozen values that a file can hold, and back; what does not add up is refused.

Two recordings of shards of one run add up to exactly what one recorder of all samples would hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from harpoon_cli.bench.statistics.histogram import LARGEST_BUCKET, Histogram
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct, field

MOST_SLICE_S = 1 << 24
"""Slices double in width when there are too many; half a year is past any run."""

MOST_SECONDS = 31 * 86_400
"""No run is longer, by the bounds of a plan."""


class RequestLimits(Struct, frozen=True):
    """What a request itself must keep to be good, in ns; None where there is no limit. A gap is every gap."""

    ttft_ns: int | None = None
    gap_ns: int | None = None
    tpot_ns: int | None = None
    e2e_ns: int | None = None


class StoredHistogram(Struct, frozen=True):
    """A histogram: its filled buckets in ascending order, how many are in each, and what never ended."""

    buckets: tuple[int, ...]
    counts: tuple[int, ...]
    infinite: int
    total_ns: int


class StoredSlice(Struct, frozen=True):
    """The histograms, by name, of one slice of time: the number-th after the start."""

    number: int
    histograms: Mapping[str, StoredHistogram]


class ModelCounts(Struct, frozen=True):
    """What one model answered."""

    completed: int = 0
    failed: int = 0
    output_tokens: int = 0


class Recording(Struct, frozen=True):
    """All that is kept of a run's samples.

    slice_s: the width of a slice in whole seconds, a power of two. seconds: by name, a count for each second
    after the start. errors: by kind. counted: requests by where their number of tokens comes from.
    last_ns: when the last request was over.
    """

    slice_s: int
    slices: tuple[StoredSlice, ...]
    seconds: Mapping[str, tuple[int, ...]]
    errors: Mapping[str, int]
    counted: Mapping[str, int]
    models: Mapping[str, ModelCounts]
    last_ns: int
    limits: RequestLimits = field(default_factory=RequestLimits)


def stored(histogram: Histogram) -> StoredHistogram:
    """A histogram as it is kept."""
    filled = sorted(histogram.counts.items())
    return StoredHistogram(
        buckets=tuple(bucket for bucket, _ in filled),
        counts=tuple(count for _, count in filled),
        infinite=histogram.infinite,
        total_ns=histogram.total_ns,
    )


def restored(kept: StoredHistogram) -> Histogram:
    """The histogram that was kept. `UsageFault` where the buckets and counts cannot be one's."""
    if len(kept.buckets) != len(kept.counts):
        raise _torn("a histogram has not as many counts as buckets")
    if any(low >= high for low, high in zip(kept.buckets, kept.buckets[1:], strict=False)):
        raise _torn("the buckets of a histogram are not in order")
    if kept.buckets and not 0 <= kept.buckets[0] <= kept.buckets[-1] <= LARGEST_BUCKET:
        raise _torn("a bucket of a histogram is out of range")
    if min((*kept.counts, kept.infinite, kept.total_ns), default=0) < 0:
        raise _torn("a count is below zero")
    pairs = zip(kept.buckets, kept.counts, strict=True)
    return Histogram(pairs, infinite=kept.infinite, total_ns=kept.total_ns)


def check(recording: Recording) -> None:
    """`UsageFault` for what no recorder writes, histograms apart; sizes and signs are looked at."""
    width = recording.slice_s
    if not 1 <= width <= MOST_SLICE_S or width & (width - 1):
        raise _torn(f"slices of {width} s")
    numbers = [one.number for one in recording.slices]
    if len(set(numbers)) != len(numbers) or not all(0 <= one <= MOST_SECONDS for one in numbers):
        raise _torn("a slice is there twice, or out of range")
    if any(len(column) > MOST_SECONDS for column in recording.seconds.values()):
        raise _torn("the run is longer than a plan can be")
    counts = [count for column in recording.seconds.values() for count in column]
    counts += [*recording.errors.values(), *recording.counted.values(), recording.last_ns]
    for model in recording.models.values():
        counts += [model.completed, model.failed, model.output_tokens]
    if min(counts) < 0:
        raise _torn("a count is below zero")


def _torn(why: str) -> UsageFault:
    return UsageFault(
        f"the result file is damaged: {why}", hint="run the load test again, or restore the file"
    )
