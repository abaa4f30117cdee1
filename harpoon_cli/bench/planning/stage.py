"""What a stage of a search came to, for the choice of the next one; pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from harpoon_cli.bench.judging.figures import Figures, figures, measured
from harpoon_cli.bench.judging.slo import Check, Standing, Threshold, evaluate
from harpoon_cli.bench.judging.steady import last_start_s, steady_part
from harpoon_cli.bench.planning.load import Shape, StageResult
from harpoon_cli.bench.planning.plan import Plan
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.recording.timeline import Window

COSTS = "cost_"
"""How the names of those figures begin that only a whole run has."""


def stage_result(
    plan: Plan,
    recorder: Recorder,
    thresholds: Sequence[Threshold],
    *,
    next_index: int,
) -> StageResult:
    """The result of a stage. An objective that too few samples leave undecided counts as met here."""
    shape = plan.load
    assert isinstance(shape, Shape), "a stage has a shape"
    window = stage_window(plan, recorder)
    found = figures(recorder, window)
    checks = stage_checks(stage_figures(plan, recorder, thresholds), thresholds)
    missed = any(check.standing is Standing.MISSED for check in checks)
    length_s = max(found.to_s - found.from_s, 1e-9)
    return StageResult(
        level=level_of(shape, found),
        requests_per_s=found.rates.requests_per_s,
        offered_per_s=None if shape.at_once is not None else found.started / length_s,
        meets_slo=not missed if checks else None,
        next_index=next_index,
    )


def stage_figures(plan: Plan, recorder: Recorder, thresholds: Sequence[Threshold]) -> Figures:
    """The figures of a stage that are judged: of its steady part, or of all of it."""
    steady = steady_part(recorder, plan.warm_up)
    also = tuple(threshold.ppm for threshold in thresholds if threshold.ppm is not None)
    window = steady.window if steady else None
    return figures(recorder, window, also_ppm=also)


def stage_checks(found: Figures, thresholds: Sequence[Threshold]) -> tuple[Check, ...]:
    """How the thresholds stand that a stage can be held against."""
    of_a_stage = [threshold for threshold in thresholds if not threshold.name.startswith(COSTS)]
    return evaluate(of_a_stage, measured(found))


def stage_window(plan: Plan, recorder: Recorder) -> Window | None:
    """The part of a stage in which what was due and what was answered can be compared.

    Without a steady part: from when the first requests are likely to be answered, at most half of the stage,
    to the last start. None: all of it, where that is too short.
    """
    steady = steady_part(recorder, plan.warm_up)
    if steady is not None:
        return steady.window
    end_s = last_start_s(recorder)
    latency_ns = recorder.histogram("e2e").ranks().percentile(500_000) or 0.0
    begin_s = min(ceil(latency_ns / 1e9), end_s // 2)
    return Window(begin_s, end_s) if end_s > begin_s else None


def level_of(shape: Shape, found: Figures) -> float:
    """What grows in a search: requests at once, or requests a second."""
    if shape.at_once is not None:
        return float(shape.at_once)
    rate = getattr(shape, "rate", None)
    return float(rate) if isinstance(rate, int | float) else found.rates.requests_per_s
