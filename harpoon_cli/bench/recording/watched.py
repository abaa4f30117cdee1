"""What the engines saw of themselves, as a result file keeps it; judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.recording.kept import StoredHistogram, stored
from harpoon_cli.bench.recording.sample import Stamped
from harpoon_cli.values import Struct


class Watched(Struct, frozen=True):
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
