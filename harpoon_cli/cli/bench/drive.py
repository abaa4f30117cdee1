"""Runs a load test as the options say: which target, on which lease, for how long; it prints no result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.planning.making import Route, TokenCount
from harpoon_cli.bench.planning.mix import mix_of
from harpoon_cli.bench.planning.plan import WHOLE, Plan, Shard
from harpoon_cli.bench.recording.kept import RequestLimits
from harpoon_cli.bench.run import Paid, Run, Terms
from harpoon_cli.cli.bench.live import LiveView
from harpoon_cli.cli.bench.options import (
    JudgeOptions,
    LeaseOptions,
    LoadOptions,
    ReportOptions,
    ShardOptions,
    TargetOptions,
    WorkOptions,
)
from harpoon_cli.cli.bench.parts import start_ns
from harpoon_cli.cli.bench.targets import KEY_PLACES, named_models, named_target, route_of
from harpoon_cli.cli.options import given
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Model, Money, Price, Step
from harpoon_cli.errors import HarpoonError, UsageFault
from harpoon_cli.pricing import cost_of_lease
from harpoon_cli.values import Struct, field, replace

if TYPE_CHECKING:
    from harpoon_cli.bench.judging.report import LeaseTimes
    from harpoon_cli.bench.judging.slo import Threshold

RESERVE_S = 5.0
"""So long before its lease ends a run is ended."""


class Wishes(Struct, frozen=True):
    """All that the command line says."""

    target: TargetOptions
    lease: LeaseOptions
    load: LoadOptions
    work: WorkOptions
    judge: JudgeOptions
    report: ReportOptions
    shard: ShardOptions


class Began(Struct, frozen=True):
    """When a run began, and with whom."""

    at: datetime
    dialect: str
    url: str


class Course(Struct):
    """A load test on its way: what is known of it, whatever ends it.

    models: those of the catalogue that may be asked; none where the server's own name was given. cost: of
    all its leases, as their receipts say it.
    """

    plan: Plan
    thresholds: tuple[Threshold, ...]
    wishes: Wishes
    rows_in: Path | None = None
    shard: Shard = WHOLE
    models: tuple[Model, ...] = ()
    route: Route | None = None
    gpu: str | None = None
    run: Run | None = None
    began: Began | None = None
    paid: Paid | None = None
    cost: Money | None = None
    lease: LeaseTimes | None = None
    troubles: list[HarpoonError] = field(default_factory=list)

    def terms(self, session: Session, target: Target) -> Terms:
        """How it is run."""
        wishes = self.wishes
        return Terms(
            target=target,
            thresholds=self.thresholds,
            limits=_limits(self.thresholds),
            processes=wishes.load.processes,
            deadline_s=wishes.target.request_timeout or session.settings.http.inference_s,
            max_duration_s=wishes.load.max_duration,
            count=TokenCount(wishes.work.tokenizer) if wishes.work.tokenizer else None,
            route=self.route,
            rows_in=self.rows_in,
            with_gaps=wishes.report.save_detailed,
        )


def refuse_terms(lease: LeaseOptions, why: str) -> None:
    """An option about a new lease that would be ignored, such as a ceiling on its cost, is refused."""
    about_new = {
        "--pool": lease.pool,
        "--ttl": lease.ttl,
        "--timeout": lease.timeout,
        "--max-cost": lease.max_cost,
        "--allocation-cycles": lease.cycles,
    }
    ignored = [name for name, value in about_new.items() if value is not None]
    if ignored:
        raise UsageFault(f"{', '.join(ignored)} would do nothing: {why}", hint="leave it out")


def refuse_load(wishes: Wishes) -> None:
    """With --allocation-cycles nothing is sent: an option about a load or its result is refused."""
    about_load = (wishes.load, wishes.work, wishes.judge, wishes.report, wishes.shard)
    ignored = [name for name in given(wishes.target) if name not in ("--model", "--route", "--endpoint")]
    ignored += [name for group in about_load for name in given(group)]
    if ignored:
        raise UsageFault(
            f"{', '.join(ignored)} would do nothing beside --allocation-cycles, which sends no load",
            hint="leave it out; -o json gives every time",
        )


def refuse_beside(wishes: Wishes) -> None:
    """Options that only mean something with --endpoint, or only in a whole run, are refused without it."""
    target, shard = wishes.target, wishes.shard
    if target.endpoint is None:
        of_endpoint = ("--dialect", *KEY_PLACES, "--price-per-hour")
        ignored = [name for name in given(target) if name in of_endpoint]
        if ignored:
            raise UsageFault(
                f"{', '.join(ignored)} would do nothing without --endpoint",
                hint="what is asked without it is the platform of the configuration",
            )
    if shard.shard is not None:
        of_whole = ("--baseline", "--max-regression", "--report", "--save-result", "--save-detailed")
        ignored = [name for name in (*given(wishes.judge), *given(wishes.report)) if name in of_whole]
        if ignored:
            raise UsageFault(
                f"{', '.join(ignored)} would do nothing beside --shard: a part is written with --out alone",
                hint="harpoon bench merge takes the parts and --report, harpoon bench compare the result",
            )


def settle_models(session: Session, course: Course) -> None:
    """Which models are asked: the one that is named, or those that the routing engine chooses among."""
    wishes = course.wishes.target
    if wishes.route:
        if wishes.model:
            raise UsageFault("--route chooses the model, and --model names one", hint="leave one of them out")
        course.models, course.route = route_of(wishes, session)
        course.plan = replace(course.plan, model="(by --route)")
        return
    course.models, parts = named_models(wishes, session)
    mix = mix_of(parts)
    course.plan = replace(course.plan, model=str(mix or parts[0].model), mix=mix)


async def on_named_server(session: Session, course: Course) -> None:
    """Load the server of --endpoint; what came of it is in the course, also where this is cancelled."""
    wishes = course.wishes.target
    target = named_target(wishes, session)
    session.endpoint_name = wishes.endpoint
    if wishes.price is not None:
        course.paid = Paid(Price(wishes.price, session.settings.platform.currency))
    await fire(session, course, target, wishes.endpoint or "")


async def fire(
    session: Session,
    course: Course,
    target: Target,
    url: str,
    *,
    spent: Callable[[], Money | None] | None = None,
    ends_at: datetime | None = None,
    ends_by: str = "the end of its lease",
) -> None:
    """Run the plan on a target that is there, and show how it goes; the course's run is to be finished after.

    spent gives what was spent so far; None: what the run itself costs. ends_at is when the target ends, and
    ends_by what ends it, in words.
    """
    began_s = monotonic()
    view = LiveView(
        session.screen,
        spent or (lambda: _spent(course.paid, monotonic() - began_s)),
    )
    terms = _ending(course.terms(session, target), ends_at, ends_by)
    terms = replace(terms, start_ns=start_ns(course.wishes.shard))
    course.began = Began(datetime.now(UTC), target.dialect, url)
    async with _run(session, course, terms, view) as run:
        course.run = run
        with _timed(session, "load"):
            async with view.shown():
                await run.load()


@asynccontextmanager
async def _run(session: Session, course: Course, terms: Terms, view: LiveView) -> AsyncIterator[Run]:
    """The run as it is wanted: here, or on the workers of a cluster."""
    address = course.wishes.shard.workers
    if address is None:
        yield Run(course.plan, terms, shard=course.shard, on_stage=view.take)
        return
    if terms.rows_in is not None:
        raise UsageFault(
            "rows of single requests stay with the workers", hint="leave out --save-result and --report .csv"
        )
    from harpoon_cli.bench.spreading.spread import Spread, cluster

    async with cluster(address) as workers:
        run = Spread(course.plan, terms, workers, on_stage=view.take)
        yield run
        session.screen.note(f"{len(workers)} workers" + (f", start skew {run.skew}" if run.skew else ""))


def _ending(terms: Terms, ends_at: datetime | None, ends_by: str) -> Terms:
    """The terms of a run that its lease does not outlast."""
    if ends_at is None:
        return terms
    left_s = max((ends_at - datetime.now(UTC)).total_seconds() - RESERVE_S, 0.0)
    if terms.max_duration_s is not None and terms.max_duration_s <= left_s:
        return terms
    return replace(terms, max_duration_s=left_s, limited_by=ends_by)


def _limits(thresholds: tuple[Threshold, ...]) -> RequestLimits:
    if not thresholds:
        return RequestLimits()
    from harpoon_cli.bench.judging.slo import request_limits

    return request_limits(thresholds)


def _spent(paid: Paid | None, lasted_s: float) -> Money | None:
    return None if paid is None else cost_of_lease(paid.price, lasted_s)


@contextmanager
def _timed(session: Session, name: str) -> Iterator[None]:
    """A step that shows itself."""
    began_s = monotonic()
    try:
        yield
    finally:
        session.steps.append(Step(name, monotonic() - began_s))
