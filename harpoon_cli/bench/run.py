"""Runs a plan by engine processes, stage after stage, and records it; it leases, judges and prints nothing.

However a run ends, what its engines have told until then is in `stages`, and what is not there of the plan is
in `missing`, in words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING

from harpoon_cli.bench.engine.crew import Lost, fire_apart
from harpoon_cli.bench.engine.errand import Errand
from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.engine.watch import Watch
from harpoon_cli.bench.planning.load import Shape, StageResult
from harpoon_cli.bench.planning.making import Making, Route, TokenCount
from harpoon_cli.bench.planning.plan import WHOLE, Plan, Shard, ends_s, next_stage, places
from harpoon_cli.bench.recording.by_model import ByModel
from harpoon_cli.bench.recording.filing import Filing, share_beside
from harpoon_cli.bench.recording.kept import Recording, RequestLimits
from harpoon_cli.bench.recording.recorder import Recorder, from_recording
from harpoon_cli.bench.recording.sample import Sample
from harpoon_cli.domain import Price
from harpoon_cli.values import Struct, field

if TYPE_CHECKING:
    from harpoon_cli.bench.judging.slo import Threshold
    from harpoon_cli.bench.recording.request_rows import RowFile
    from harpoon_cli.bench.recording.watched import Watched
    from harpoon_cli.bench.spreading.skew import Skew

TOGETHER_NS = 1_000_000_000
"""How long after they are started several engines begin: by then each of them has to be ready."""


class Terms(Struct, frozen=True):
    """How a plan is run.

    thresholds: what a stage is held against; limits: what makes a request good. deadline_s: of one request.
    grace_s: how long those under way have once the run is stopped. max_duration_s: of all stages, limited_by:
    what asks for that. rows_in: the folder for a row of every request, with_gaps with every gap. start_ns:
    the monotonic time of the first stage's start; None: at once.
    """

    target: Target
    thresholds: tuple[Threshold, ...] = ()
    limits: RequestLimits = RequestLimits()
    processes: int = 1
    deadline_s: float = 300.0
    grace_s: float = 0.0
    max_duration_s: float | None = None
    limited_by: str = "--max-duration"
    count: TokenCount | None = None
    route: Route | None = None
    rows_in: Path | None = None
    with_gaps: bool = False
    start_ns: int | None = None


class Paid(Struct, frozen=True):
    """What a run is paid for with: a price, and the seconds that were paid, None for those of the run."""

    price: Price
    held_s: float | None = None


class StageRun(Struct, frozen=True):
    """One stage as it was run: all its engines together. by_model: where several were asked."""

    plan: Plan
    recorder: Recorder
    watches: tuple[Watched, ...]
    result: StageResult
    rows: Path | None
    by_model: Mapping[str, Recorder] = field(default_factory=dict)


class Run:
    """One run of a plan, or of a shard of it; `fire` it once, or `load` and `finish`.

    on_stage is called with the plan and the recorder of the stage that begins; the recorder grows.
    stopped_within_s: how long engines that were stopped have to tell the rest, beyond the grace of requests.
    """

    stopped_within_s = 2.0

    def __init__(
        self,
        plan: Plan,
        terms: Terms,
        *,
        shard: Shard = WHOLE,
        on_stage: Callable[[Plan, Recorder], None] = lambda plan, recorder: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.plan = plan
        self.stages: list[StageRun] = []
        self.missing: list[str] = []
        self.ended_by: str | None = None
        """What its time was limited by, where that ended it before its plan did."""
        self.skew: Skew | None = None
        """How far apart the parts of its last stage began, where it has parts elsewhere."""
        self._terms, self._shard = terms, shard
        self._unfinished: StageUnderWay | None = None
        self._on_stage, self._clock = on_stage, clock
        self._began_s: float | None = None

    @property
    def lasted_s(self) -> float:
        """Seconds since the first stage was begun."""
        return 0.0 if self._began_s is None else self._clock() - self._began_s

    @property
    def left_bytes(self) -> int:
        """What `finish` has to look at."""
        return self._unfinished.filing.left_bytes if self._unfinished is not None else 0

    async def fire(self) -> None:
        """Load the target, and finish."""
        await self._finished(self.load())

    async def fire_stage(self, plan: Plan) -> None:
        """Run one stage, and finish; see `load`."""
        await self._finished(self._fire(plan))

    async def load(self) -> None:
        """Run every stage. `HarpoonError` where a stage cannot be run; a cancel ends it early.

        However it ends, the target is needed no more, and `finish` is to be called for the last stage.
        """
        self._began_s = self._clock()
        is_search = not isinstance(self.plan.load, Shape)
        while not self.missing:
            plan = next_stage(self.plan, [stage.result for stage in self.stages])
            if plan is None:
                return
            await self._fire(plan)
            if not is_search:
                return
            await self.finish()  # what comes next depends on it

    async def finish(self) -> None:
        """Record what engines have sent and nobody has looked at, which may take seconds; again: nothing.

        `StorageFault` where a row cannot be written.
        """
        stage, self._unfinished = self._unfinished, None
        if stage is None:
            return
        try:
            await stage.file_rest()
        finally:
            stage.close()
            self.missing += [f"{one}{_of_stage(stage.plan)}" for one in stage.missing]
            if stage.seen:
                self.stages.append(stage.done())

    async def _finished(self, loading: Awaitable[None]) -> None:
        try:
            await loading
        finally:
            await self.finish()

    async def _fire(self, plan: Plan) -> None:
        stage = self._unfinished = StageUnderWay(plan, self._terms)
        self._on_stage(plan, stage.recorder)
        stop = asyncio.Event()
        running = asyncio.create_task(self._engines(stage, stop))
        try:
            await asyncio.wait([running], timeout=self._left_s())
            if not running.done():
                self.ended_by = self._terms.limited_by
                stage.missing.append(f"it was ended after {self.lasted_s:.0f} s by {self.ended_by}")
        except asyncio.CancelledError:
            stage.missing.append(f"it was stopped after {self.lasted_s:.0f} s")
            raise
        finally:
            # What came of the engines until here is of use, also where this was cancelled.
            stop.set()
            await _ended(running, self._terms.grace_s + self.stopped_within_s)
            if running.cancelled():
                stage.missing.append("its engines did not end when they were told to")
        if not running.cancelled():
            running.result()  # raises what an engine raised

    async def _engines(self, stage: StageUnderWay, stop: asyncio.Event) -> None:
        """Fire a stage, and give it what comes of that; once `stop` is set it is to end soon."""
        filing = asyncio.create_task(stage.filing.along())
        firing = asyncio.create_task(fire_apart(self._errands(stage.plan), stage.filing.put, stop=stop))
        try:
            await asyncio.wait([filing, firing], return_when=asyncio.FIRST_COMPLETED)
            if filing.done():
                filing.result()  # raises: a row cannot be written
            stage.ended(await firing)
        finally:
            filing.cancel()
            firing.cancel()
            await asyncio.wait([filing, firing])

    def _errands(self, plan: Plan) -> list[Errand]:
        number, of = self._shard
        terms, size = self._terms, self._terms.processes
        start_ns = monotonic_ns() + TOGETHER_NS if size > 1 else None
        shards = [(number * size + place, of * size) for place in range(size)]
        return [
            Errand(
                target=terms.target,
                shots=Making(plan, shard, terms.route, terms.count),
                deadline_s=terms.deadline_s,
                concurrency=places(plan, shard),
                ends_s=ends_s(plan),
                grace_s=terms.grace_s,
                start_ns=terms.start_ns if terms.start_ns is not None and not self.stages else start_ns,
                count_tokens=terms.count,
            )
            for shard in shards
        ]

    def _left_s(self) -> float | None:
        most_s = self._terms.max_duration_s
        return None if most_s is None else max(most_s - self.lasted_s, 0.0)


async def _ended(task: asyncio.Task[None], within_s: float) -> None:
    """Wait for a task that was told to end; cancel one that does not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await asyncio.wait([task])
    if not task.done():
        task.cancel()
        await asyncio.wait([task])


class StageUnderWay:
    """What has come of a stage until now. seen: whether any request is over; missing: what is not there."""

    def __init__(self, plan: Plan, terms: Terms) -> None:
        self.plan = plan
        self.missing: list[str] = []
        self.seen = False
        several = plan.mix is not None or terms.route is not None
        self._apart = ByModel(terms.limits) if several else None
        self._terms = terms
        self._watches: tuple[Watched, ...] = ()
        self._next_index = plan.first_index
        folder = terms.rows_in
        self._rows = None if folder is None else _rows(folder / f"stage-{plan.stage}.csv", terms)
        self.recorder = Recorder(limits=terms.limits, rows=self._rows)
        self.filing = Filing(self.take, share=share_beside(terms.processes))

    def take(self, samples: Sequence[Sample]) -> None:
        """Record requests that are over."""
        self.seen = True
        for sample in samples:
            self.recorder.on_sample(sample)
        if self._apart is not None:
            self._apart.take(samples)
        self._next_index = max(self._next_index, 1 + max(sample.index for sample in samples))

    def ended(self, found: Sequence[Watch | Lost]) -> None:
        """Keep what became of the engines."""
        from harpoon_cli.bench.recording.watched import watched  # as in `done`

        self._watches += tuple(watched(one) for one in found if isinstance(one, Watch))
        for number, one in enumerate(found, 1):
            if isinstance(one, Lost):
                self.missing.append(f"engine process {number} of {len(found)} {one.how}")

    def absorb(
        self,
        recording: Recording,
        watches: Sequence[Watched],
        next_index: int,
        by_model: Mapping[str, Recording],
    ) -> None:
        """Add what was recorded elsewhere."""
        self.seen = True
        self.recorder.absorb(from_recording(recording))
        if self._apart is not None:
            self._apart.absorb(by_model)
        self._watches += tuple(watches)
        self._next_index = max(self._next_index, next_index)

    async def file_rest(self) -> None:
        """Record all that engines have sent."""
        try:
            await self.filing.rest()
        except asyncio.CancelledError:
            self.missing.append("what its engines sent last was not looked at")
            raise

    def close(self) -> None:
        self.filing.close()
        self.recorder.settle()
        if self._rows is not None:
            self._rows.close()

    def done(self) -> StageRun:
        """All of it, once it is over."""
        # Not needed before: the first request is to leave soon.
        from harpoon_cli.bench.planning.stage import stage_result

        result = stage_result(self.plan, self.recorder, self._terms.thresholds, next_index=self._next_index)
        path = None if self._rows is None else self._rows.path
        by_model = self._apart.recorders if self._apart is not None else {}
        return StageRun(self.plan, self.recorder, self._watches, result, path, by_model)


def _rows(path: Path, terms: Terms) -> RowFile:
    from harpoon_cli.bench.recording.request_rows import RowFile  # most runs keep no rows

    return RowFile(path, with_gaps=terms.with_gaps)


def _of_stage(plan: Plan) -> str:
    return f", in stage {plan.stage + 1}" if plan.stage else ""
