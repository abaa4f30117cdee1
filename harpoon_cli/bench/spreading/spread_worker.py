"""What a worker of a cluster does for a run: one part of a stage, fired by engines of its own, and no more.

Its functions are called by `spread`, each at most once for what it does, in the worker's own event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic, monotonic_ns

from harpoon_cli import __version__
from harpoon_cli.bench.planning.plan import Plan, Shard, fingerprint
from harpoon_cli.bench.recording.by_model import recordings
from harpoon_cli.bench.recording.kept import Recording
from harpoon_cli.bench.recording.watched import Watched
from harpoon_cli.bench.run import Run, Terms
from harpoon_cli.errors import ConfigurationFault, UsageFault
from harpoon_cli.values import Struct

UNWATCHED_S = 30.0
"""A part that nobody has asked after for so long is stopped: whoever wanted it is gone."""


class PartOrder(Struct, frozen=True):
    """One part of one stage, as it is sent to a worker. `terms.start_ns` is of the worker's clock.

    key names this part and no other; plan_digest is that of the plan where the order was made.
    """

    key: str
    version: str
    plan: Plan
    plan_digest: str
    shard: Shard
    terms: Terms


class Part(Struct, frozen=True):
    """What came of a part; recording is None where no request was over, by_model empty where one is asked."""

    recording: Recording | None
    watches: tuple[Watched, ...]
    missing: tuple[str, ...]
    next_index: int
    by_model: Mapping[str, Recording]


class _PartRun(Run):
    """A run that nobody sits before: a busy machine may take its time, but no longer than `Spread` waits."""

    stopped_within_s = 8.0


class _UnderWay(Struct):
    firing: asyncio.Task[None]
    asked_s: float
    told: bool = False

    def stop(self) -> None:
        """End it early; told again, it would not even collect what there is."""
        if not self.told:
            self.told = True
            self.firing.cancel()


_under_way: dict[str, _UnderWay] = {}


async def clock() -> int:
    """The worker's monotonic time in nanoseconds."""
    return monotonic_ns()


async def alive(key: str, stop: bool) -> bool:
    """Whether a part is under way here; with stop=True it is told to end."""
    part = _under_way.get(key)
    if part is None:
        return False
    part.asked_s = monotonic()
    if stop:
        part.stop()
    return True


async def fire_part(order: PartOrder) -> Part:
    """Fire a part to its end, or until it is stopped. `HarpoonError` where this worker cannot."""
    if order.version != __version__:
        raise ConfigurationFault(
            f"a worker has harpoon {__version__}, and not {order.version}", hint="use one version everywhere"
        )
    if fingerprint(order.plan) != order.plan_digest:
        raise UsageFault(
            "the files of the plan are not the same on a worker", hint="copy them to the same place there"
        )
    run = _PartRun(order.plan, order.terms, shard=order.shard)
    part = _UnderWay(asyncio.create_task(run.fire_stage(order.plan)), monotonic())
    _under_way[order.key] = part
    try:
        while not part.firing.done():
            await asyncio.wait([part.firing], timeout=1.0)
            if monotonic() - part.asked_s > UNWATCHED_S:
                part.stop()
        with suppress(asyncio.CancelledError):
            part.firing.result()
    finally:
        del _under_way[order.key]
    return _part(run)


def _part(run: Run) -> Part:
    stage = run.stages[0] if run.stages else None
    if stage is None:
        return Part(None, (), tuple(run.missing), run.plan.first_index, {})
    recording = stage.recorder.recording()
    return Part(
        recording=recording,
        watches=stage.watches,
        missing=tuple(run.missing),
        next_index=stage.result.next_index,
        by_model=recordings(stage.by_model),
    )
