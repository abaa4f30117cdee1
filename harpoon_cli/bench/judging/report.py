"""The whole result of a load test as one frozen value, which every report is made from; it judges and builds.

Its JSON form (`plain`) is the file that `bench --out` writes, with `"schema": "harpoon.bench/1"`. A field is
never renamed within a version; the recording in it lets shards be put together and runs be compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from harpoon_cli.bench.judging.cost import Cost
from harpoon_cli.bench.judging.figures import Figures, Moment, figures, measured, timeline
from harpoon_cli.bench.judging.slo import Check, Measured, Threshold, evaluate
from harpoon_cli.bench.judging.steady import Steady
from harpoon_cli.bench.judging.verdict import Bounds, Verdict, judge
from harpoon_cli.bench.recording.from_text import from_text
from harpoon_cli.bench.recording.kept import ModelCounts, Recording
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.recording.timeline import Window
from harpoon_cli.bench.recording.watched import Watched
from harpoon_cli.bench.spreading.skew import Skew
from harpoon_cli.domain import Money
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct, field, replace

SCHEMA = "harpoon.bench/1"

MADE_BY = "harpoon bench ... --out FILE"
"""The command that writes a report's JSON form."""

_CURVES = ("ttft", "itl", "tpot", "e2e", "ttft_from_intended", "e2e_from_intended")
_MOST_POINTS = 200


class RunFacts(Struct, frozen=True):
    """What was run. None: does not apply, or is not known.

    load, work: as they are typed. request_rate: requests a second that were due, None in a closed loop.
    burstiness: the gamma shape of the gaps (1: Poisson). requests: how many were asked for.
    """

    tool_version: str
    started_at: datetime
    endpoint: str
    dialect: str
    model: str
    load: str
    work: str
    seed: int
    open_loop: bool
    requests: int | None = None
    request_rate: float | None = None
    burstiness: float | None = None
    max_concurrency: int | None = None
    tokenizer: str | None = None
    gpu: str | None = None
    label: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class LeaseTimes(Struct, frozen=True):
    """How long it took to get and give back a slice, in s, one of each list for every allocation.

    accepted: until the platform said yes; ready: until the slice could be used; model_ready: until the model
    answered; released: from asking for the end until it was confirmed.
    """

    accepted_s: tuple[float, ...] = ()
    ready_s: tuple[float, ...] = ()
    model_ready_s: tuple[float, ...] = ()
    released_s: tuple[float, ...] = ()


class PhaseFigures(Struct, frozen=True):
    """A named part of the run with its figures."""

    name: str
    figures: Figures


class Stage(Struct, frozen=True):
    """One stage of a sweep: at `level` (requests at once, or a second) offered_per_s were due."""

    level: float
    offered_per_s: float | None
    figures: Figures
    meets_slo: bool | None


class SweepFigures(Struct, frozen=True):
    """All stages of a sweep over `over`; the level of the knee, and the highest that met the SLO, if any.

    The figures of the report are those of the stage at `shown`.
    """

    over: str
    stages: tuple[Stage, ...]
    shown: float
    knee: float | None
    largest_within_slo: float | None


class Point(Struct, frozen=True):
    """A point of a cumulative curve: the share of all requests (gaps) that were over by so many ms."""

    ms: float
    share: float


class Report(Struct, frozen=True):
    """A run, its figures and its verdict. `steady` has the figures of the steady part, where one is marked.

    The verdict and the checks are of the steady part where there is one, else of the whole run. models: what
    each answered in the whole run; by_model: the figures of each in the part that the verdict is on, where a
    run asks several. skew: of a run that was made in parts.
    """

    schema: str
    run: RunFacts
    verdict: Verdict
    checks: tuple[Check, ...]
    whole: Figures
    steady: Figures | None
    steady_marked: str | None
    phases: tuple[PhaseFigures, ...]
    sweep: SweepFigures | None
    timeline: tuple[Moment, ...]
    curves: Mapping[str, tuple[Point, ...]]
    errors: Mapping[str, int]
    counted: Mapping[str, int]
    models: Mapping[str, ModelCounts]
    lease: LeaseTimes | None
    cost: Cost | None
    watches: tuple[Watched, ...]
    recording: Recording | None
    by_model: Mapping[str, Figures] = field(default_factory=dict)
    skew: Skew | None = None

    @property
    def judged(self) -> Figures:
        """The figures that the verdict is on."""
        return self.steady or self.whole

    def without_recording(self) -> Report:
        """The same without what only merging and comparing need, which is most of its size."""
        return replace(self, recording=None)


def build(
    run: RunFacts,
    recorder: Recorder,
    watches: Sequence[Watched],
    *,
    thresholds: Sequence[Threshold] = (),
    max_error_rate: float = 0.0,
    steady: Steady | None = None,
    phases: Mapping[str, Window] | None = None,
    sweep: SweepFigures | None = None,
    lease: LeaseTimes | None = None,
    cost: Cost | None = None,
    missing: Sequence[str] = (),
    within: Bounds | None = None,
    by_model: Mapping[str, Recorder] | None = None,
    skew: Skew | None = None,
) -> Report:
    """The report of a run. max_error_rate is in per cent; missing: what part of the run is not there."""
    also = tuple(threshold.ppm for threshold in thresholds if threshold.ppm is not None)
    of = partial(figures, recorder, also_ppm=also)
    whole, steady_figures = of(), of(steady.window) if steady else None
    judged = steady_figures or whole
    checks = evaluate(thresholds, measured(judged) | _prices(cost))
    verdict = judge(
        judged,
        whole,
        watches,
        checks,
        open_loop=run.open_loop,
        at_most=run.max_concurrency if run.open_loop else None,
        max_error_rate=max_error_rate,
        missing=missing,
        within=within,
    )
    return replace(
        _recorded(run, recorder, verdict, whole, steady_figures),
        checks=checks,
        steady_marked=steady.marked if steady else None,
        phases=tuple(PhaseFigures(name, of(window)) for name, window in (phases or {}).items()),
        sweep=sweep,
        lease=lease,
        cost=cost,
        watches=tuple(watches),
        skew=skew,
        by_model={
            model: figures(one, steady.window if steady else None, also_ppm=also, ended_s=whole.to_s)
            for model, one in sorted((by_model or {}).items())
        },
    )


def _recorded(
    run: RunFacts, recorder: Recorder, verdict: Verdict, whole: Figures, steady: Figures | None
) -> Report:
    recording = recorder.recording()
    return Report(
        schema=SCHEMA,
        run=run,
        verdict=verdict,
        checks=(),
        whole=whole,
        steady=steady,
        steady_marked=None,
        phases=(),
        sweep=None,
        timeline=timeline(recorder),
        curves=_curves(recorder),
        errors=recording.errors,
        counted=recording.counted,
        models=recording.models,
        lease=None,
        cost=None,
        watches=(),
        recording=recording,
    )


def _prices(cost: Cost | None) -> dict[str, Measured]:
    if cost is None:
        return {}
    amounts: dict[str, Money | None] = {
        "cost_per_request": cost.per_request,
        "cost_per_million_output_tokens": cost.per_million_output_tokens,
        "cost_per_million_tokens": cost.per_million_tokens,
    }
    return {name: Measured(None if money is None else float(money.amount)) for name, money in amounts.items()}


def _curves(recorder: Recorder) -> dict[str, tuple[Point, ...]]:
    curves = {name: recorder.histogram(name).ranks().curve() for name in _CURVES}
    return {name: _thinned(curve) for name, curve in curves.items() if curve}


def _thinned(curve: Sequence[tuple[float, float]]) -> tuple[Point, ...]:
    # Equal steps of the share, finer and finer towards the tail, and both ends as they are.
    kept = [curve[0]]
    for value, share in curve[1:-1]:
        last = kept[-1][1]
        if share - last >= 1 / _MOST_POINTS or 1 - share <= 0.8 * (1 - last):
            kept.append((value, share))
    if len(curve) > 1:
        kept.append(curve[-1])
    return tuple(Point(ms=value / 1e6, share=share) for value, share in kept)


def read(text: str, name: str) -> Report:
    """The report in the text of a file; `name` is what messages call it. `UsageFault` for anything else."""
    try:
        report = from_text(Report, text, name, MADE_BY)
    except UsageFault:
        _refuse_known(text, name)
        raise
    if report.schema != SCHEMA:
        raise _other_version(name, report.schema)
    return report


def _other_version(name: str, schema: str) -> UsageFault:
    return UsageFault(
        f"{name} has the schema {schema[:40]!r}, not {SCHEMA!r}",
        hint="use the version of harpoon that wrote it",
    )


def _refuse_known(text: str, name: str) -> None:
    """`UsageFault` that says what a file is where it is something else that load tests write."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return
    found = told if isinstance(told, dict) else {}
    schema, other, way = str(found.get("schema")), None, f"run the load test again with --out: {MADE_BY}"
    if schema.startswith("harpoon.bench/") and schema != SCHEMA:
        raise _other_version(name, schema)
    if schema.startswith("harpoon/bench"):
        other = "what -o json prints, which lacks what only comparing needs"
    elif schema.startswith("harpoon.bench."):
        other = "one part of a run"
        way = "put the parts together first: harpoon bench merge FILE... --out whole.json"
    elif "request_throughput" in found:
        other = "a result under vLLM's names, which lacks what a test of significance needs"
    if other is not None:
        raise UsageFault(f"{name} is {other}", hint=way)
