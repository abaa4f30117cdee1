"""What the commands of `harpoon bench` end with, from what came of their runs; it runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harpoon_cli import __version__
from harpoon_cli.bench.judging import slo
from harpoon_cli.bench.judging.compare import compare
from harpoon_cli.bench.judging.report import LeaseTimes, Report, RunFacts
from harpoon_cli.bench.judging.result import Judged, report_of, shown_stage
from harpoon_cli.bench.planning.load import Shape
from harpoon_cli.bench.run import Paid, Run
from harpoon_cli.bench.shapes import write as load_text
from harpoon_cli.bench.spreading.shards import ShardResult, merged, shard_result
from harpoon_cli.bench.work import write as work_text
from harpoon_cli.cli.bench.data import BenchData
from harpoon_cli.cli.bench.drive import Course
from harpoon_cli.cli.bench.files import Wanted, read_report
from harpoon_cli.cli.bench.outputs import (
    annotate_comparison,
    compared,
    finished,
    incomplete,
    refuse_unknown,
    regressions,
    tell_comparison,
)
from harpoon_cli.cli.bench.parts import save_part
from harpoon_cli.cli.bench.views import allocation_view, comparison_views, report_views
from harpoon_cli.cli.session import Session
from harpoon_cli.errors import RunIncomplete
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Facts, Outcome


def outcome_of(session: Session, course: Course, files: Sequence[Wanted], baseline: Report | None) -> Outcome:
    """The outcome of what there is of a run, whatever ended it."""
    run = course.run
    if course.wishes.lease.cycles is not None and course.lease is not None:
        return _allocation(session, course, course.lease)
    if run is None or not run.stages:
        lacks = [incomplete(run.missing)] if run is not None and run.missing else []
        return Outcome(receipt=session.receipt, errors=[*course.troubles, *lacks])
    report = _report(course, run)
    if course.wishes.shard.shard is not None:
        return _part(session, course, run, report)
    rows = shown_stage(run.stages, report).rows
    return finished(
        session,
        report,
        compared(report, baseline, course.wishes.judge),
        files,
        () if rows is None else (rows,),
        detailed=course.wishes.report.save_detailed,
        troubles=course.troubles,
        strictly=course.wishes.judge.max_regression is not None,
    )


def _report(course: Course, run: Run) -> Report:
    by = Judged(
        thresholds=course.thresholds,
        max_error_rate=course.wishes.judge.max_error_rate or 0.0,
        missing=tuple(run.missing),
        paid=course.paid,
        lease=course.lease,
        skew=run.skew,
    )
    return report_of(facts_of(course), course.plan, run.stages, by)


def facts_of(course: Course) -> RunFacts:
    """What is run, for its report."""
    began, plan, load = course.began, course.plan, course.plan.load
    assert began is not None, "asked for once a run has begun"
    shape = load if isinstance(load, Shape) else None
    return RunFacts(
        tool_version=__version__,
        started_at=began.at,
        endpoint=began.url,
        dialect=began.dialect,
        model=plan.model,
        load=load_text(load),
        work=work_text(plan.work),
        seed=plan.seed,
        open_loop=shape is not None and shape.at_once is None,
        requests=shape.requests if shape else None,
        request_rate=_number(load, "rate"),
        burstiness=_number(load, "burstiness"),
        max_concurrency=shape.most_at_once if shape else None,
        tokenizer=str(course.wishes.work.tokenizer) if course.wishes.work.tokenizer else None,
        gpu=course.gpu,
        label=course.wishes.report.label,
        metadata=metadata(course.wishes.report.metadata or []),
    )


def metadata(given: list[str]) -> dict[str, str]:
    """The KEY=VALUE of --metadata."""
    return {name: value for name, _, value in (text.partition("=") for text in given)}


def _number(load: object, name: str) -> float | None:
    value = getattr(load, name, None)
    return float(value) if isinstance(value, int | float) else None


def _allocation(session: Session, course: Course, took: LeaseTimes) -> Outcome:
    paid = course.paid
    held_s = (paid.held_s or 0.0) if paid else 0.0
    cost = course.cost
    told = f"{words.money(cost)} for {words.duration(held_s)} in {len(took.released_s)} leases"
    return Outcome(
        data=BenchData(allocation=took, allocation_cost=cost),
        views=[allocation_view(took), *([Facts([("cost of all", told)])] if cost else [])],
        receipt=session.receipt,
        errors=course.troubles,
    )


def _part(session: Session, course: Course, run: Run, report: Report) -> Outcome:
    """One part of a run: it is written, and judged by nothing but whether all of it is there."""
    path = course.wishes.report.out
    assert path is not None, "a part has its file"
    judge = course.wishes.judge
    result = shard_result(
        run,
        course.shard,
        facts_of(course),
        slo=judge.slo,
        max_error_rate=judge.max_error_rate or 0.0,
        price=course.paid.price if course.paid else None,
    )
    save_part(result, path)
    lacks = [RunIncomplete(f"this part is INCOMPLETE: {'; '.join(run.missing)}")] if run.missing else []
    return Outcome(
        data=BenchData(report=report.without_recording(), files=(str(path),)),
        views=[*report_views(report)],
        ids=[str(path)],
        receipt=session.receipt,
        notes=[f"wrote {path}; harpoon bench merge puts the parts together"],
        errors=[*course.troubles, *lacks],
    )


def merged_outcome(session: Session, parts: Sequence[ShardResult], files: Sequence[Wanted]) -> Outcome:
    """The outcome of a run whose parts were made apart."""
    whole = merged(parts)
    by = Judged(
        thresholds=slo.parse(whole.slo) if whole.slo else (),
        max_error_rate=whole.max_error_rate,
        missing=whole.missing,
        paid=Paid(whole.price) if whole.price else None,
        skew=whole.skew,
    )
    report = report_of(whole.facts, whole.plan, [whole.stage], by)
    return finished(session, report, None, files, (), detailed=False)


def comparison_outcome(
    session: Session, old: Path, new: Path, max_regression: float | None, reports: Sequence[Path]
) -> Outcome:
    """The outcome of a comparison of two result files."""
    refuse_unknown(reports)
    found = compare(
        read_report(old), read_report(new), max_regression=max_regression or 0.0, names=(str(old), str(new))
    )
    written = tell_comparison(found, reports)
    annotate_comparison(session, found)
    return Outcome(
        data=found,
        views=[*comparison_views(found)],
        ids=found.regressed,
        notes=[f"wrote {path}" for path in written],
        errors=[*regressions(found, strictly=max_regression is not None)],
    )
