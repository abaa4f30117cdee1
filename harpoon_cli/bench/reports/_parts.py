"""The stages, phases and models of a run as rows of words, as all reports have them; no layout."""

from __future__ import annotations

from collections.abc import Iterator

from harpoon_cli.bench.judging.figures import Figures
from harpoon_cli.bench.judging.report import PhaseFigures, Report, Stage, SweepFigures
from harpoon_cli.bench.reports._words import NOTHING, milliseconds, number, tail

LOAD_HEAD = ("requests/s", "tokens/s", "TTFT p99 ms", "ITL p99 ms", "E2E p99 ms", "failed")
"""What a stage and a phase have in common."""

SWEEP_HEAD = (*LOAD_HEAD, "meets the SLO", "")
"""What a table of stages has after the level."""


def sweep_row(sweep: SweepFigures, stage: Stage) -> tuple[str, ...]:
    """The cells of a stage: its level, and those of `SWEEP_HEAD`."""
    marks = {
        "knee": sweep.knee,
        "largest within the SLO": sweep.largest_within_slo,
        "told in detail": sweep.shown,
    }
    return (
        f"{stage.level:g}",
        *_load_cells(stage.figures),
        {True: "yes", False: "no", None: NOTHING}[stage.meets_slo],
        ", ".join(name for name, at in marks.items() if at == stage.level),
    )


def sweep_findings(report: Report) -> Iterator[tuple[str, str]]:
    """What a sweep was made for, in words: its knee, and the largest load that keeps the SLO."""
    sweep = report.sweep
    if sweep is None:
        return
    highest = max(stage.level for stage in sweep.stages)
    yield "knee", _at(sweep, sweep.knee) or f"none up to {highest:g}: throughput still grows with the load"
    if report.checks:
        found = _at(sweep, sweep.largest_within_slo)
        yield "largest within the SLO", found or "no stage has been shown to keep it"


def _at(sweep: SweepFigures, level: float | None) -> str:
    stage = next((one for one in sweep.stages if one.level == level), None)
    if stage is None:
        return ""
    load = f"{stage.level:g} requests/s due" if sweep.over == "rate" else f"{stage.level:g} at once"
    return f"{load}, {number(stage.figures.rates.requests_per_s)} requests/s answered"


PHASE_HEAD = ("phase", "from … to s", *LOAD_HEAD)


def phase_row(phase: PhaseFigures) -> tuple[str, ...]:
    """The cells of `PHASE_HEAD` for a part of a run."""
    found = phase.figures
    return (phase.name, f"{found.from_s:g} … {found.to_s:.4g}", *_load_cells(found))


def _load_cells(found: Figures) -> Iterator[str]:
    yield number(found.rates.requests_per_s)
    yield number(found.rates.output_tokens_per_s)
    yield from (milliseconds(tail(found, name)) for name in ("ttft", "itl", "e2e"))
    yield f"{found.rates.error_rate:.3g} %"


MODEL_HEAD = ("model", "answered", "requests/s", "tokens/s", "TTFT p50 ms", *LOAD_HEAD[2:])


def model_rows(report: Report) -> list[tuple[str, ...]]:
    """The cells of `MODEL_HEAD` for every model that was asked, of the part that the verdict is on."""
    return [(name, *_model_cells(found)) for name, found in report.by_model.items()]


def _model_cells(found: Figures) -> Iterator[str]:
    requests, tokens, *tails = _load_cells(found)
    yield from (f"{found.completed:,}", requests, tokens, milliseconds(tail(found, "ttft", 50.0)), *tails)
