"""What the engine says of itself: how late it read, how late it sent, how busy it was; judges nothing."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic_ns, process_time_ns

from harpoon_cli.bench.engine.arrivals import Arrivals
from harpoon_cli.bench.recording.sample import Sample, Stamped
from harpoon_cli.bench.statistics.histogram import MILLION, Histogram
from harpoon_cli.values import Struct

TRUSTED_PPM = 999_000
"""The error bound holds for so many arrivals in a million."""

_SECOND_NS = 1_000_000_000
_SCHEDULE = "/proc/thread-self/schedstat"
"""Linux: nanoseconds on a CPU, nanoseconds wanting one, and slices."""


class Watch(Struct, frozen=True):
    """The engine's own record of one run.

    start_ns is the zero of the samples' times on this machine's monotonic clock, began the same moment by the
    wall clock, lasted_ns how long the run took from then. lag: of every read of an answer, how long its bytes
    had been there (for `Stamped.READ` at most: since the last look that did not find them). late: of every
    shot with a due time, how long after it, or after its place or turn was free, the engine took it up.
    chunks: how many arrivals of content there were; merged: those that shared a read with something later, or
    whose read had no stamp, and so may have come earlier than it says; doubt: by how much, at most.

    cpu_share is the process's CPU time by the run's time, busiest_share that of its busiest second;
    starved_share is the share of the run in which it wanted a CPU and had none, None where that is unknown.
    dns_ns is how long the one look-up before the run took; connections how many were opened. clock_was_set
    says that the wall clock was set during the run, short_of_sockets that shots waited because this machine
    allows no more connections. examples has the first words there are for each kind of failure.
    """

    stamped: Stamped
    address: str
    began: datetime
    start_ns: int
    lasted_ns: int
    lag: Histogram
    late: Histogram
    doubt: Histogram
    chunks: int
    merged: int
    cpu_share: float
    busiest_share: float
    starved_share: float | None
    dns_ns: int
    connections: int
    clock_was_set: bool
    short_of_sockets: bool
    examples: Mapping[str, str]

    @property
    def error_bound_ns(self) -> int:
        """How late arrival times may be: 999 of 1,000 chunks came no more than this before their stamp.

        By the kernel's stamps only what several packets brought in one read can be late at all.
        """
        excused = self.chunks * (MILLION - TRUSTED_PPM) // MILLION
        return round(self.doubt.ranks().at(self.merged - excused)) if self.merged > excused else 0


class Watcher:
    """Takes down what a `Watch` holds while the run goes on; cheap where it is called for each read."""

    def __init__(self) -> None:
        self._lags, self._lates = array("d"), array("d")
        self.saw_lag: Callable[[float], None] = self._lags.append
        self.saw_late: Callable[[float], None] = self._lates.append
        self._lag, self._late, self._doubt = Histogram(), Histogram(), Histogram()
        self.chunks = self.merged = self.connections = 0
        self.short_of_sockets = False
        self.examples: dict[str, str] = {}
        self._busiest = 0.0

    def start(self, start_ns: int) -> None:
        """The run's clock begins at `start_ns`, which may be a little ahead."""
        self._start_ns = start_ns
        self._began = datetime.fromtimestamp(
            datetime.now(UTC).timestamp() + (start_ns - monotonic_ns()) / _SECOND_NS, UTC
        )
        self._cpu_ns = self._cpu_second_ns = process_time_ns()
        self._second_ns = self._wall_ns = monotonic_ns()
        self._starved_ns = starved_ns()
        self._wanting_ns = self._starved_ns or 0

    def file(self) -> None:
        """Put what was taken down into the histograms."""
        for values, histogram in ((self._lags, self._lag), (self._lates, self._late)):
            if values:
                histogram.add_all(values, round(sum(values)))
                del values[:]

    def over(self, sample: Sample) -> None:
        """A request is over."""
        self.chunks += len(sample.chunk_ns)
        unsure = sample.unsure
        for place in range(0, len(unsure), 3):
            self.merged += unsure[place + 1]
            self._doubt.add(unsure[place + 2], unsure[place + 1])

    def woken_late_ns(self) -> int:
        """How long this thread wanted a CPU and had none since this was last asked; 0 where none can say."""
        before_ns, self._wanting_ns = self._wanting_ns, starved_ns() or 0
        return self._wanting_ns - before_ns

    def second_over(self) -> None:
        """About a second has passed since this was last called."""
        cpu_ns, wall_ns = process_time_ns(), monotonic_ns()
        spent = (cpu_ns - self._cpu_second_ns) / max(wall_ns - self._second_ns, 1)
        self._busiest = max(self._busiest, spent)
        self._cpu_second_ns, self._second_ns = cpu_ns, wall_ns

    def failed(self, kind: str, detail: str) -> None:
        """Keep the first words there are for a kind of failure."""
        if detail:
            self.examples.setdefault(kind, detail)

    def watch(self, arrivals: Arrivals, address: str, dns_ns: int) -> Watch:
        """Everything, now that the run is over."""
        self.file()
        now_ns = monotonic_ns()
        wall_ns = max(now_ns - self._wall_ns, 1)
        share = (process_time_ns() - self._cpu_ns) / wall_ns
        starved = starved_ns()
        known = starved is not None and self._starved_ns is not None
        return Watch(
            stamped=arrivals.stamped,
            address=address,
            began=self._began,
            start_ns=self._start_ns,
            lasted_ns=max(now_ns - self._start_ns, 0),
            lag=self._lag,
            late=self._late,
            doubt=self._doubt,
            chunks=self.chunks,
            merged=self.merged,
            cpu_share=share,
            busiest_share=max(self._busiest, share),
            starved_share=((starved or 0) - (self._starved_ns or 0)) / wall_ns if known else None,
            dns_ns=dns_ns,
            connections=self.connections,
            clock_was_set=arrivals.stepped,
            short_of_sockets=self.short_of_sockets,
            examples=self.examples,
        )


def starved_ns() -> int | None:
    """How long this thread has waited for a CPU in its life; None where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        file = os.open(_SCHEDULE, os.O_RDONLY)
        try:
            return int(os.read(file, 100).split()[1])
        finally:
            os.close(file)
    return None
