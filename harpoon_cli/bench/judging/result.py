"""Makes the report of a run out of what its stages came to; it runs and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from harpoon_cli.bench.judging.cost import Cost, cost_of_run
from harpoon_cli.bench.judging.figures import figures
from harpoon_cli.bench.judging.report import LeaseTimes, Report, RunFacts, Stage, SweepFigures, build
from harpoon_cli.bench.judging.slo import Check, Standing, Threshold
from harpoon_cli.bench.judging.steady import steady_part
from harpoon_cli.bench.judging.verdict import Validity, judge
from harpoon_cli.bench.planning.knee import knee, largest_within, lowest_bad
from harpoon_cli.bench.planning.load import Load, Shape, StageResult
from harpoon_cli.bench.planning.plan import Plan
from harpoon_cli.bench.planning.stage import stage_checks, stage_figures
from harpoon_cli.bench.recording.timeline import Window
from harpoon_cli.bench.run import Paid, StageRun
from harpoon_cli.bench.spreading.skew import Skew
from harpoon_cli.values import Struct, replace


class Judged(Struct, frozen=True):
    """What a report is made by. max_error_rate is in per cent; missing: what of the run is not there."""

    thresholds: tuple[Threshold, ...] = ()
    max_error_rate: float = 0.0
    missing: tuple[str, ...] = ()
    paid: Paid | None = None
    lease: LeaseTimes | None = None
    skew: Skew | None = None


def report_of(facts: RunFacts, plan: Plan, stages: Sequence[StageRun], by: Judged) -> Report:
    """The report of a run of at least one stage; of a search, that of the stage it comes down to."""
    if isinstance(plan.load, Shape):
        return _report(facts, stages[0], by, None)
    sweep, shown = _sweep(plan.load, stages, by)
    report = _report(facts, shown, by, sweep)
    return _with_doubts(report, stages, by)


def shown_stage(stages: Sequence[StageRun], report: Report) -> StageRun:
    """The stage whose figures a report has."""
    if report.sweep is None:
        return stages[0]
    level = report.sweep.shown
    return next(stage for stage in stages if stage.result.level == level)


def _report(facts: RunFacts, stage: StageRun, by: Judged, sweep: SweepFigures | None) -> Report:
    return build(
        _of_stage(facts, stage.plan) if sweep else facts,
        stage.recorder,
        stage.watches,
        thresholds=by.thresholds,
        max_error_rate=by.max_error_rate,
        steady=steady_part(stage.recorder, stage.plan.warm_up),
        phases=_phases(stage),
        sweep=sweep,
        lease=by.lease,
        cost=_cost(stage, by.paid, of_a_search=sweep is not None),
        missing=by.missing,
        by_model=stage.by_model,
        skew=by.skew,
    )


def _of_stage(facts: RunFacts, plan: Plan) -> RunFacts:
    """The facts of a search, with the load of one of its stages."""
    assert isinstance(plan.load, Shape), "a stage has a shape"
    return replace(
        facts,
        open_loop=plan.load.at_once is None,
        max_concurrency=plan.load.most_at_once,
        request_rate=getattr(plan.load, "rate", None),
    )


def _cost(stage: StageRun, paid: Paid | None, *, of_a_search: bool) -> Cost | None:
    """What the run cost; of a search, what its stage did, since all others only served to find it."""
    if paid is None:
        return None
    lasted_s = max((watch.lasted_s for watch in stage.watches), default=0.0)
    held_s = lasted_s if paid.held_s is None or of_a_search else paid.held_s
    # As on a receipt: the price is quoted and the seconds are ours, so the amount is an estimate.
    return cost_of_run(paid.price, held_s, figures(stage.recorder), measured=False)


def _phases(stage: StageRun) -> dict[str, Window]:
    """The named parts of the load that the run has come to, to whole seconds."""
    shape = stage.plan.load
    assert isinstance(shape, Shape), "a stage has a shape"
    last_s = ceil(stage.recorder.last_ns / 1e9)
    # The last answers come after the load's end: a second with only those in it would lower the rates.
    end_s = last_s if shape.ends_s is None else min(last_s, ceil(shape.ends_s))
    windows = {
        phase.name: Window(round(phase.from_s), end_s if phase.to_s is None else round(phase.to_s))
        for phase in shape.phases
    }
    return {name: window for name, window in windows.items() if window.start_s < min(window.end_s, last_s)}


def _sweep(load: Load, stages: Sequence[StageRun], by: Judged) -> tuple[SweepFigures, StageRun]:
    kept = [_kept(stage, by.thresholds) for stage in stages]
    decided = [
        replace(stage.result, meets_slo=meets)
        for stage, meets in zip(stages, kept, strict=True)
        if meets is not None
    ]
    results = [stage.result for stage in stages]
    best, bend = largest_within(decided) if by.thresholds else None, knee(results)
    shown = _stage_at(stages, best or bend or _busiest(results))
    rows = zip(stages, kept, strict=True)
    return (
        SweepFigures(
            over=str(getattr(load, "over", "load")),
            stages=tuple(_stage(stage, meets, by.thresholds) for stage, meets in rows),
            shown=shown.result.level,
            knee=bend.level if bend else None,
            largest_within_slo=best.level if best else None,
        ),
        shown,
    )


def _kept(stage: StageRun, thresholds: Sequence[Threshold]) -> bool | None:
    """Whether a stage has been shown to keep every threshold, or to miss one; None: neither."""
    standings = {check.standing for check in _checks(stage, thresholds)}
    if Standing.MISSED in standings:
        return False
    return True if standings == {Standing.KEPT} else None


def _checks(stage: StageRun, thresholds: Sequence[Threshold]) -> tuple[Check, ...]:
    found = stage_figures(stage.plan, stage.recorder, thresholds)
    return stage_checks(found, thresholds)


def _stage(stage: StageRun, meets_slo: bool | None, thresholds: Sequence[Threshold]) -> Stage:
    found = stage_figures(stage.plan, stage.recorder, thresholds)
    return Stage(stage.result.level, stage.result.offered_per_s, found, meets_slo)


def _stage_at(stages: Sequence[StageRun], result: StageResult) -> StageRun:
    return next(stage for stage in stages if stage.result.level == result.level)


def _busiest(results: Sequence[StageResult]) -> StageResult:
    return max(results, key=lambda result: result.requests_per_s)


def _with_doubts(report: Report, stages: Sequence[StageRun], by: Judged) -> Report:
    """The report, INVALID where the stage that ended the climb was the tool's doing, and not the server's."""
    bad = lowest_bad([stage.result for stage in stages])
    if bad is None or report.verdict.validity is not Validity.VALID:
        return report
    stage = _stage_at(stages, bad)
    found = stage_figures(stage.plan, stage.recorder, by.thresholds)
    there = judge(
        found, found, stage.watches, open_loop=report.run.open_loop, max_error_rate=by.max_error_rate
    )
    if there.validity is Validity.VALID:
        return report
    reasons = tuple(f"in the stage at {bad.level:g}: {reason}" for reason in there.reasons)
    verdict = replace(report.verdict, validity=Validity.INVALID, reasons=reasons, passed=False)
    return replace(report, verdict=verdict)
