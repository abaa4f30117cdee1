"""What the engines saw of themselves, as a result file keeps it, and how far off it leaves arrival times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from harpoon_cli.bench.engine.watch import TRUSTED_PPM, Watch
from harpoon_cli.bench.recording import StoredHistogram, restored, stored
from harpoon_cli.bench.sample import Stamped
from harpoon_cli.bench.statistics.histogram import MILLION

STAMP_ERROR_NS = 1_000
"""How far a stamp may be off anyhow: by reading two clocks, and by the kernel's way to the stamp."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One engine process during a run. The fields are those of `engine.watch.Watch`, in s and ms.

    lag: how long what was read had been there; late: how long after they could have gone requests were taken
    up. chunks: arrivals of content; merged: those that shared a read with another event. error_bound_ms: 999
    of 1,000 chunks came no more than this before their stamp. examples: the first words of each kind of
    failure.
    """

    stamped: Stamped
    address: str
    began: datetime
    lasted_s: float
    lag: StoredHistogram
    late: StoredHistogram
    chunks: int
    merged: int
    error_bound_ms: float
    cpu_share: float
    busiest_share: float
    starved_share: float | None
    dns_ms: float
    connections: int
    clock_was_set: bool
    short_of_sockets: bool
    examples: Mapping[str, str]


def watched(watch: Watch) -> Watched:
    """A watch as it is kept."""
    return Watched(
        stamped=watch.stamped,
        address=watch.address,
        began=watch.began,
        lasted_s=watch.lasted_ns / 1e9,
        lag=stored(watch.lag),
        late=stored(watch.late),
        chunks=watch.chunks,
        merged=watch.merged,
        error_bound_ms=watch.error_bound_ns / 1e6,
        cpu_share=watch.cpu_share,
        busiest_share=watch.busiest_share,
        starved_share=watch.starved_share,
        dns_ms=watch.dns_ns / 1e6,
        connections=watch.connections,
        clock_was_set=watch.clock_was_set,
        short_of_sockets=watch.short_of_sockets,
        examples=watch.examples,
    )


@dataclass(frozen=True, slots=True)
class Lateness:
    """At most so many millionths of all chunks came more than late_ns before their stamp."""

    late_ns: float
    ppm: int


def stamp_lateness(watches: Sequence[Watched]) -> tuple[Lateness, ...]:
    """What is known of how late the stamps of a run are, all its engines together."""
    chunks = sum(watch.chunks for watch in watches)
    at_risk = sum(watch.chunks if watch.stamped is Stamped.READ else watch.merged for watch in watches)
    if not chunks:
        return (Lateness(0.0, 0),)
    most = max((restored(watch.lag).ranks().percentile(MILLION) or 0.0 for watch in watches), default=0.0)
    trusted = max(watch.error_bound_ms * 1e6 for watch in watches)
    return (
        Lateness(0.0, -(-MILLION * at_risk // chunks)),
        Lateness(trusted, MILLION - TRUSTED_PPM),
        Lateness(most, 0),
    )
