"""A load test's result as people read it in a terminal; it judges and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from harpoon_cli.bench.judging.compare import Change, Comparison
from harpoon_cli.bench.judging.definitions import DEFINITIONS, GENERAL
from harpoon_cli.bench.judging.report import LeaseTimes, Report, SweepFigures
from harpoon_cli.bench.judging.slo import Standing
from harpoon_cli.bench.judging.verdict import NOT_KNOWN, PASSED, Validity
from harpoon_cli.bench.reports._parts import (
    LOAD_HEAD,
    MODEL_HEAD,
    PHASE_HEAD,
    model_rows,
    phase_row,
    sweep_findings,
    sweep_row,
)
from harpoon_cli.bench.reports._words import (
    LATENCY_HEAD,
    LATENCY_NOTE,
    latency_row,
    milliseconds,
    number,
    title,
    told_latencies,
)
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Facts, Table, Text, Tone

LATENCIES = ("ttft", "itl", "request_mean_gap", "tpot", "e2e", "ttft_from_intended", "e2e_from_intended")

View = Table | Facts | Text

_LOAD_COLUMNS = (
    *("requests_per_s", "output_tokens_per_s"),
    *("ttft_p99_ms", "itl_p99_ms", "e2e_p99_ms", "error_rate"),
)

_COLUMNS = ("latency_ms", "p50", "p90", "p99", "p99.9", "p99_with_failures", "p99_confidence", "p99_reading")


def report_views(report: Report) -> Iterator[View]:
    """The whole result: what was run, figures, thresholds, and last the verdict."""
    if report.sweep is not None:
        yield _sweep(report.sweep)
        yield Facts(list(sweep_findings(report)))
    yield _latencies(report)
    yield Facts(list(_rates(report)))
    if report.phases:
        rows = [phase_row(phase) for phase in report.phases]
        yield Table([Column("phase", "phase"), Column("window_s", PHASE_HEAD[1]), *_load_columns()], rows)
    if report.by_model:
        names = ("model", "answered", *_LOAD_COLUMNS[:2], "ttft_p50_ms", *_LOAD_COLUMNS[2:])
        yield Table(_columns(names, MODEL_HEAD), model_rows(report))
    if report.lease is not None:
        yield allocation_view(report.lease)
    if report.errors:
        rows = [(kind, f"{count:,}") for kind, count in report.errors.items()]
        yield Table([Column("error", "failed with"), Column("requests", "requests", right=True)], rows)
    if report.checks:
        yield _checks(report)
    yield Facts(list(_verdict(report)))


def _columns(names: Sequence[str], headings: Sequence[str]) -> list[Column]:
    """Columns of numbers after the one that names the rows."""
    told = zip(names, headings, strict=True)
    return [Column(name, heading, right=place > 0) for place, (name, heading) in enumerate(told)]


def _load_columns() -> list[Column]:
    """What a stage and a phase have in common: rates, tails, failures."""
    minor = ("output_tokens_per_s", "itl_p99_ms", "error_rate")
    told = zip(_LOAD_COLUMNS, LOAD_HEAD, strict=True)
    return [Column(name, heading, right=True, minor=name in minor) for name, heading in told]


def _latencies(report: Report) -> Table:
    rows = [latency_row(name, found) for name, found in told_latencies(report, LATENCIES)]
    told = zip(_COLUMNS, LATENCY_HEAD, strict=True)
    columns = [
        Column(name, heading, right=place > 0, minor=place > 4) for place, (name, heading) in enumerate(told)
    ]
    return Table(columns, rows, empty="no request was answered")


def _rates(report: Report) -> Iterator[tuple[str, Cell | str]]:
    judged, rates = report.judged, report.judged.rates
    yield (
        "requests",
        f"{number(rates.requests_per_s)}/s, {judged.completed:,} answered, {judged.failed:,} failed",
    )
    counted = ", ".join(f"{count:,} by {how}" for how, count in report.counted.items())
    yield "output tokens", f"{number(rates.output_tokens_per_s)}/s, counted: {counted or 'none'}"
    yield "all tokens", f"{number(rates.total_tokens_per_s)}/s"
    if rates.goodput is not None:
        yield "goodput", f"{number(rates.goodput_per_s)}/s, {rates.goodput:.4g} % of the requests"
    if (cost := report.cost) is not None:
        yield "cost", f"{words.money(cost.total)} for {words.duration(cost.held_s)}"
        yield title("cost_per_request"), words.money(cost.per_request)
        yield title("cost_per_million_output_tokens"), words.money(cost.per_million_output_tokens)
        yield title("cost_per_million_tokens"), words.money(cost.per_million_tokens)


def _checks(report: Report) -> Table:
    tones = {Standing.KEPT: Tone.GOOD, Standing.MISSED: Tone.BAD, Standing.UNDECIDED: Tone.WARN}
    rows = [
        (check.figure, Cell(check.standing.value, tones[check.standing]), check.sentence)
        for check in report.checks
    ]
    columns = [Column("threshold", "threshold"), Column("standing", ""), Column("sentence", "measured")]
    return Table(columns, rows)


def _verdict(report: Report) -> Iterator[tuple[str, Cell | str]]:
    verdict = report.verdict
    valid = verdict.validity is Validity.VALID
    yield "run", Cell(verdict.validity.value, Tone.GOOD if valid else Tone.BAD)
    for reason in verdict.reasons:
        yield "why", reason
    for warning in verdict.warnings:
        yield "mind", Cell(warning, Tone.WARN)
    yield "window", _window(report)
    for watch in report.watches[:1]:
        yield (
            "arrival times",
            (f"by {watch.stamped.value}, at most {milliseconds(watch.error_bound_ms)} ms late (99.9 %)"),
        )
    if report.skew is not None:
        yield "start skew", str(report.skew)
    if any("*" in cell for name in report.judged.latencies.values() for cell in latency_row("", name)):
        yield "*", LATENCY_NOTE.removeprefix("* ")
    yield "verdict", _outcome(verdict.outcome)


def _outcome(outcome: str) -> Cell:
    return Cell(outcome, {PASSED: Tone.GOOD, NOT_KNOWN: Tone.WARN}.get(outcome, Tone.BAD))


def _window(report: Report) -> str:
    judged = report.judged
    if report.steady is None:
        return f"all {judged.to_s:.4g} s; no steady part was marked"
    return f"{judged.from_s:.4g} … {judged.to_s:.4g} s of {report.whole.to_s:.4g} s: {report.steady_marked}"


def _sweep(sweep: SweepFigures) -> Table:
    columns = [
        Column("level", sweep.over, right=True),
        *_load_columns(),
        Column("meets_slo", "meets the SLO"),
        Column("mark", ""),
    ]
    stages = sorted(sweep.stages, key=lambda stage: stage.level)
    return Table(columns, [sweep_row(sweep, stage) for stage in stages], title="stages")


def allocation_view(lease: LeaseTimes) -> Table:
    """How long leases took to get and to give back."""
    measured = {
        "accepted": lease.accepted_s,
        "ready": lease.ready_s,
        "model ready": lease.model_ready_s,
        "released": lease.released_s,
    }
    columns = [
        Column("allocation", "allocation"),
        Column("cycles", "times", right=True),
        Column("median", "median", right=True),
        Column("least", "least", right=True),
        Column("most", "most", right=True),
    ]
    rows = [
        (name, str(len(took)), *map(words.duration, (median(took), min(took), max(took))))
        for name, took in measured.items()
        if took
    ]
    return Table(columns, rows)


def comparison_views(comparison: Comparison) -> Iterator[View]:
    """Both runs figure by figure."""
    columns = [
        Column("figure", "figure"),
        Column("old", "old", right=True),
        Column("new", "new", right=True),
        Column("unit", "unit", minor=True),
        Column("change", "change", right=True),
        Column("p_value", "p", right=True),
        Column("verdict", "verdict"),
    ]
    tones = {Change.REGRESSED: Tone.BAD, Change.BETTER: Tone.GOOD}
    rows = [
        (
            one.figure,
            number(one.old),
            number(one.new),
            one.unit,
            "-" if one.change_percent is None else f"{one.change_percent:+.1f} %",
            "-" if one.p_value is None else f"{one.p_value:.2g}",
            Cell(one.change.value, tones.get(one.change, Tone.PLAIN)),
        )
        for one in comparison.figures
    ]
    yield Table(columns, rows, title=f"{comparison.old} → {comparison.new}")
    facts: list[tuple[str, Cell | str]] = [("mind", Cell(one, Tone.WARN)) for one in comparison.warnings]
    facts.append(("comparison", _outcome(comparison.outcome)))
    yield Facts(facts)


def definition_views() -> Sequence[View]:
    """What every figure is."""
    columns = [
        Column("name", "name"),
        Column("unit", "unit"),
        Column("vllm", "vLLM calls it"),
        Column("formula", "definition"),
    ]
    rows = [(one.name, one.unit, one.vllm or "-", f"{one.title}: {one.formula}") for one in DEFINITIONS]
    return [Table(columns, rows), Text("\n\n".join(GENERAL))]
