"""Fires the shots of a run at a target and makes a sample of each; the one door into the engine."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from time import monotonic_ns

from harpoon_cli.bench.engine.arrivals import Arrivals
from harpoon_cli.bench.engine.place import find_place, room
from harpoon_cli.bench.engine.rules import Rules
from harpoon_cli.bench.engine.run import Run
from harpoon_cli.bench.engine.supply import Supply
from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.recording.sample import Sample, Shot


def never() -> bool:
    """The `stop` of a run that nobody stops."""
    return False


def fire(
    target: Target,
    shots: Iterable[Shot],
    on_sample: Callable[[Sample], None],
    *,
    concurrency: int | None = None,
    deadline_s: float,
    ends_s: float | None = None,
    grace_s: float = 0.0,
    stop: Callable[[], bool] = never,
    start_ns: int | None = None,
    count_tokens: Callable[[str], int] | None = None,
    kernel_stamps: bool = True,
) -> Watch:
    """Run until every shot has its sample, in this thread, which it keeps busy; gives what it saw of itself.

    shots: read one ahead, so making one must take no time; those with a due time in the order of their times.
    concurrency: so many requests at once at most; None: as many as are due. deadline_s: of one request,
    connecting included. ends_s: no request is started later than this after the start. stop is asked about 50
    times a second; once it says True no request is started, those under way have grace_s to end, and are cut
    then. start_ns: the monotonic time of the run's start, for several engines to begin together; None: now.
    count_tokens counts where the server does not, and takes the loop's time. kernel_stamps=False: arrivals
    are stamped as they are read.

    on_sample gets each sample once, when its request is over, in the order of their ends; `done_ns` of a
    failed one is when it failed. A shot that was never started has no sample. Raises `NotSent` where the host
    cannot be resolved, `ConfigurationFault` for a target that cannot be asked, and what the caller's own
    functions raise; nothing that a server does.
    """
    place, dns_ns = find_place(target)
    arrivals = Arrivals(kernel=kernel_stamps)
    with closing(arrivals), room() as sockets, _without_collections():
        rules = Rules(
            places=sockets if concurrency is None else min(concurrency, sockets),
            wanted=concurrency,
            deadline_s=deadline_s,
            ends_s=ends_s,
            grace_s=grace_s,
            on_sample=on_sample,
            stop=stop,
            count_tokens=count_tokens,
        )
        with closing(Run(target, place, Supply(iter(shots)), rules, arrivals)) as run:
            return run.until_over(monotonic_ns() if start_ns is None else start_ns, dns_ns)


@contextmanager
def _without_collections() -> Iterator[None]:
    """A collection of garbage stops the loop for milliseconds; a run makes no cycles that would need it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
