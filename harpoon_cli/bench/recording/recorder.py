"""Takes samples as they come and keeps counts of them, never the samples; it prints and judges nothing.

A sample's latencies are filed under the second in which it was to start, its chunks and gaps under the
seconds in which they came. What is kept has the same size however many requests there are.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from harpoon_cli.bench.judging.measures import (
    LATENCIES,
    LOWEST,
    NS_PER_S,
    PHASES,
    by_second,
    end_ns,
    gaps_ns,
    last_ns,
    start_ns,
    time_per_token_ns,
    tokens_of,
    unsure_gaps,
)
from harpoon_cli.bench.recording.kept import ModelCounts, Recording, RequestLimits, check
from harpoon_cli.bench.recording.sample import Counted, Sample
from harpoon_cli.bench.recording.timeline import Seconds, Slices, Window
from harpoon_cli.bench.statistics.histogram import Histogram, merged
from harpoon_cli.errors import UsageFault

_MOST_PENDING = 64
_MOST_PENDING_CHUNKS = 1_024
"""Filing in batches is twice as quick; small ones, because a long one would hold up the engine."""

_MOST_KINDS = 256
"""Kinds of errors and names of models that are told apart; a server cannot make this grow without end."""

_OTHERS = "others"

UNSURE_GAPS = ("itl_unsure", "itl_unsure_low", "itl_unsure_high")
"""Gaps that may have been shorter or longer than they are filed under `itl`; the least and most they were."""


class Rows(Protocol):
    """Where a row for every request goes."""

    def add(self, sample: Sample, *, good: bool) -> None: ...


class Recorder:
    """Counts of one run, one stage of it, or one shard.

    limits are what a good request keeps; rows, where given, gets every sample.
    """

    def __init__(self, *, limits: RequestLimits | None = None, rows: Rows | None = None) -> None:
        self.limits = limits or RequestLimits()
        self._seconds = Seconds()
        self._slices = Slices()
        self._errors: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        self._models: dict[str, list[int]] = {}  # completed, failed, output tokens
        self._last_ns = 0
        self._rows = rows
        self._pending: list[Sample] = []
        self._pending_chunks = 0

    def on_sample(self, sample: Sample) -> None:
        """Take a request that is over; it must not change any more."""
        self._pending.append(sample)
        self._pending_chunks += len(sample.chunk_ns)
        if len(self._pending) >= _MOST_PENDING or self._pending_chunks >= _MOST_PENDING_CHUNKS:
            self.settle()

    def settle(self) -> None:
        """File what has come; every reader below does it first."""
        batch, self._pending, self._pending_chunks = self._pending, [], 0
        if not batch:
            return
        answered = [sample for sample in batch if sample.error is None]
        self._count(batch, answered)
        widest_ns = self._file_chunks(answered)
        by_start: dict[int, list[Sample]] = {}
        for sample in batch:
            by_start.setdefault(start_ns(sample) // NS_PER_S, []).append(sample)
        for second, samples in by_start.items():
            self._file(second, samples)
        if self.limits != RequestLimits() or self._rows is not None:
            self._sort_out_good(batch, dict(zip(map(id, answered), widest_ns, strict=True)))

    def _count(self, batch: list[Sample], answered: list[Sample]) -> None:
        ends = [end_ns(sample) // NS_PER_S for sample in answered]
        self._last_ns = max([self._last_ns, *map(end_ns, batch)])
        self._seconds.add_all("started", [(start_ns(sample) // NS_PER_S, 1) for sample in batch])
        self._seconds.add_all("completed", [(second, 1) for second in ends])
        tokens = [sample.input_tokens or 0 for sample in answered]
        self._seconds.add_all("input_tokens", zip(ends, tokens, strict=True))
        self._counted.update([_counted(sample) for sample in answered])
        for sample in batch:
            self._count_model(sample)
        if len(answered) < len(batch):
            self._count_failed([sample for sample in batch if sample.error is not None])

    def _count_failed(self, failed: list[Sample]) -> None:
        self._seconds.add_all("failed", [(end_ns(sample) // NS_PER_S, 1) for sample in failed])
        for sample in failed:
            self._errors[_known(str(sample.error), self._errors)] += 1

    def _count_model(self, sample: Sample) -> None:
        counts = self._models.get(sample.model) or self._models.setdefault(
            _known(sample.model, self._models), [0, 0, 0]
        )
        if sample.error is None:
            counts[0] += 1
            counts[2] += tokens_of(sample)
        else:
            counts[1] += 1

    def _sort_out_good(self, batch: list[Sample], widest_ns: Mapping[int, float]) -> None:
        for sample in batch:
            good = sample.error is None and self._is_good(sample, widest_ns[id(sample)])
            if good:
                self._seconds.add("good", end_ns(sample) // NS_PER_S)
            if self._rows is not None:
                self._rows.add(sample, good=good)

    def _is_good(self, sample: Sample, widest_gap_ns: float) -> bool:
        limits, chunks, sent = self.limits, sample.chunk_ns, sample.sent_ns or 0
        ended = last_ns(sample)
        each = time_per_token_ns(sample) if limits.tpot_ns is not None else None
        return not (
            (limits.ttft_ns is not None and chunks and chunks[0] - sent > limits.ttft_ns)
            or (limits.e2e_ns is not None and ended is not None and ended - sent > limits.e2e_ns)
            or (limits.tpot_ns is not None and each is not None and each > limits.tpot_ns)
            or (limits.gap_ns is not None and widest_gap_ns > limits.gap_ns)
        )

    def _file_chunks(self, answered: list[Sample]) -> list[float]:
        """File chunks and gaps where they came; gives the widest gap of each answer, in ns, where one may be
        too wide, else 0.
        """
        chunks_at: list[tuple[int, int]] = []
        tokens_at: list[tuple[int, int]] = []
        widest_ns: list[float] = []
        gaps_at: dict[tuple[str, int], array[float]] = {}
        for sample in answered:
            chunks, tokens, count = sample.chunk_ns, tokens_of(sample), len(sample.chunk_ns)
            if count < 2:
                second = end_ns(sample) // NS_PER_S if not count else chunks[0] // NS_PER_S
                chunks_at.append((second, count))
                tokens_at.append((second, tokens))
                widest_ns.append(0.0)
                continue
            gaps = gaps_ns(chunks)
            widest_ns.append(max(gaps) if self.limits.gap_ns is not None else 0.0)
            for second, first, past in by_second(chunks):
                chunks_at.append((second, past - first))
                tokens_at.append((second, tokens * past // count - tokens * first // count))
                _put(gaps_at, "itl", second, gaps[max(first - 1, 0) : past - 1])
            if sample.unsure:
                _put_unsure(gaps_at, sample, gaps)
        self._seconds.add_all("chunks", chunks_at)
        self._seconds.add_all("output_tokens", tokens_at)
        for (name, second), gaps in gaps_at.items():
            if gaps:
                self._slices.histogram(name, second).add_all(gaps, int(sum(gaps)))
        return widest_ns

    def _file(self, second: int, samples: list[Sample]) -> None:
        answered = [sample for sample in samples if sample.error is None]
        failed = len(samples) - len(answered)
        for name, measure in LOWEST.items():
            self._file_all(name, second, measure(answered))
        for name, measure in LATENCIES.items():
            self._file_all(name, second, measure(answered))
            if failed:
                self._slices.histogram(name, second).infinite += failed
        if failed:
            self._slices.histogram("itl", second).infinite += failed
        for name, measure in PHASES.items():
            self._file_all(name, second, measure(samples))

    def _file_all(self, name: str, second: int, values_ns: list[int]) -> None:
        if not values_ns:
            return
        if min(values_ns) < 0:
            values_ns = [max(value, 0) for value in values_ns]
        self._slices.histogram(name, second).add_all(array("d", values_ns), sum(values_ns))

    def absorb(self, other: Recorder) -> None:
        """Add another's counts, exactly. `UsageFault` where the two do not mean the same by good."""
        self.settle()
        if self.limits != other.limits:
            raise UsageFault(
                "results with different limits for a good request cannot be put together",
                hint="run every shard with the same --slo",
            )
        self._seconds.absorb(other.seconds.columns)
        self._slices.absorb(other.slices)
        for kind, count in other.errors.items():  # the first look at `other` settles it
            self._errors[_known(kind, self._errors)] += count
        self._counted.update(other._counted)
        for name, counts in other._models.items():
            self._absorb_model(name, counts)
        self._last_ns = max(self._last_ns, other.last_ns)

    def _absorb_model(self, name: str, counts: list[int]) -> None:
        had = self._models.setdefault(_known(name, self._models), [0, 0, 0])
        had[:] = [one + more for one, more in zip(had, counts, strict=True)]

    @property
    def seconds(self) -> Seconds:
        """Counts for every second."""
        self.settle()
        return self._seconds

    @property
    def slices(self) -> Slices:
        """Histograms for every slice."""
        self.settle()
        return self._slices

    @property
    def errors(self) -> Mapping[str, int]:
        """Failed requests by kind."""
        self.settle()
        return self._errors

    @property
    def last_ns(self) -> int:
        """When the last request so far was over."""
        self.settle()
        return self._last_ns

    def histogram(self, name: str, window: Window | None = None) -> Histogram:
        """All durations of one name, in a window or in the whole run; empty where there are none."""
        return merged(kept for _, kept in self.slices.of(name, window))

    def total(self, column: str, window: Window | None = None) -> int:
        """One of `timeline.COLUMNS` over a window or the whole run."""
        return self.seconds.total(column, window)

    def recording(self) -> Recording:
        """All that is known, frozen."""
        self.settle()
        return Recording(
            slice_s=self._slices.width_s,
            slices=self._slices.stored(),
            seconds={name: tuple(kept) for name, kept in self._seconds.columns.items()},
            errors=dict(sorted(self._errors.items())),
            counted=dict(sorted(self._counted.items())),
            models={name: ModelCounts(*counts) for name, counts in sorted(self._models.items())},
            last_ns=self._last_ns,
            limits=self.limits,
        )


def from_recording(recording: Recording) -> Recorder:
    """The recorder that made a recording. `UsageFault` for one that no recorder makes."""
    check(recording)
    recorder = Recorder(limits=recording.limits)
    recorder._slices = Slices(recording.slice_s)
    recorder._slices.restore(recording.slices)
    recorder._seconds.absorb(recording.seconds)
    recorder._errors.update(recording.errors)
    recorder._counted.update(recording.counted)
    for name, counts in recording.models.items():
        recorder._models[name] = [counts.completed, counts.failed, counts.output_tokens]
    recorder._last_ns = recording.last_ns
    return recorder


def merge(recorders: Iterable[Recorder]) -> Recorder:
    """One recorder of all their samples; none of them may be used after. `UsageFault` for none at all."""
    parts = iter(recorders)
    whole = next(parts, None)
    if whole is None:
        raise UsageFault("there is nothing to put together", hint="name the result files of the shards")
    for part in parts:
        whole.absorb(part)
    return whole


def _put(at: dict[tuple[str, int], array[float]], name: str, second: int, values: array[float]) -> None:
    kept = at.get((name, second))
    if kept is None:
        at[name, second] = values
    else:
        kept.extend(values)


def _put_unsure(at: dict[tuple[str, int], array[float]], sample: Sample, gaps: array[float]) -> None:
    # Gaps whose ends may have come earlier than they say, and what they may have been.
    begin, *values = unsure_gaps(sample.unsure, gaps)
    ends_ns = sample.chunk_ns[begin + 1 : begin + 1 + len(values[0])]
    for second, first, past in by_second(ends_ns):
        for name, those in zip(UNSURE_GAPS, values, strict=True):
            _put(at, name, second, those[first:past])


def _counted(sample: Sample) -> str:
    return Counted.CHUNKS.value if sample.output_tokens is None else sample.counted.value


def _known(name: str, seen: Mapping[str, object]) -> str:
    # `name`, or the name for all that came after too many others.
    return name if name in seen or len(seen) < _MOST_KINDS else _OTHERS
