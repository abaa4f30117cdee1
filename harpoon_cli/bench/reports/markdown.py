"""Markdown for a pull request or a step summary: the verdict, the thresholds, the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harpoon_cli.bench.judging.compare import Change, Comparison
from harpoon_cli.bench.judging.report import Report
from harpoon_cli.bench.judging.slo import Standing
from harpoon_cli.bench.reports import Source
from harpoon_cli.bench.reports._parts import (
    MODEL_HEAD,
    PHASE_HEAD,
    SWEEP_HEAD,
    model_rows,
    phase_row,
    sweep_findings,
    sweep_row,
)
from harpoon_cli.bench.reports._words import (
    COMPARED_HEAD,
    LATENCY_HEAD,
    LATENCY_NOTE,
    compared_row,
    latency_row,
    money,
    number,
    shown,
    title,
    told_latencies,
)

WANTS_ROWS = False

_LATENCIES = ("ttft", "itl", "tpot", "e2e", "ttft_from_intended", "e2e_from_intended")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@-])")


def pieces(source: Source) -> Iterator[str]:
    """Headings, tables and lists."""
    report = source.report
    yield f"## {_headline(report)}\n\n{_about(report)}\n\n"
    yield from _list("Why", report.verdict.reasons)
    yield from _list("Mind", report.verdict.warnings)
    yield from _thresholds(report)
    if report.skew is not None:
        yield f"Start skew: {report.skew}\n\n"
    yield from _sweep(report)
    yield from _latencies(report)
    yield from _rates(report)
    yield from _parts(report)
    if report.errors:
        rows = [(escaped(kind), f"{count:,}") for kind, count in report.errors.items()]
        yield from table(("failed with", "requests"), rows)
    if source.comparison is not None:
        yield from comparison(source.comparison)


def escaped(text: str) -> str:
    """Text from outside on one line, none of which is Markdown or HTML, nor mentions anybody."""
    return _SPECIAL.sub(r"\\\1", shown(text)).replace("\\<", "&lt;").replace("\\@", "@\u200b")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table of cells that are Markdown; numbers right, the first column left."""
    yield f"| {' | '.join(head)} |\n|{'---|' + '---:|' * (len(head) - 1)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"
    yield "\n"


def _headline(report: Report) -> str:
    verdict = report.verdict
    missed = ", ".join((*verdict.missed, *verdict.undecided))
    why = f" ({escaped(missed)})" if missed else ""
    return f"harpoon bench {verdict.outcome}{why}: {verdict.validity.value}"


def _about(report: Report) -> str:
    run, judged = report.run, report.judged
    window = f"the steady {judged.to_s - judged.from_s:.4g} s" if report.steady else f"{judged.to_s:.4g} s"
    what = f"{escaped(run.model)} at {escaped(run.endpoint)}, load {escaped(run.load)}"
    return (
        f"{what}, work {escaped(run.work)}; "
        f"{judged.completed:,} answers and {judged.failed:,} failures in {window}"
    )


def _list(heading: str, sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield f"**{heading}**\n\n"
        yield from (f"- {escaped(sentence)}\n" for sentence in sentences)
        yield "\n"


def _thresholds(report: Report) -> Iterator[str]:
    if report.checks:
        marks = {Standing.KEPT: "kept", Standing.MISSED: "**missed**", Standing.UNDECIDED: "**not known**"}
        rows = [
            (escaped(check.figure), marks[check.standing], escaped(check.sentence)) for check in report.checks
        ]
        yield from table(("threshold", "", "measured"), rows)


def _sweep(report: Report) -> Iterator[str]:
    if report.sweep is not None:
        rows = [sweep_row(report.sweep, stage) for stage in report.sweep.stages]
        rows = sorted(rows, key=lambda row: float(row[0]))
        yield from table((report.sweep.over, *SWEEP_HEAD), rows)
        yield from (f"- {name}: {found}\n" for name, found in sweep_findings(report))
        yield "\n"


def _parts(report: Report) -> Iterator[str]:
    if report.phases:
        yield from table(PHASE_HEAD, [phase_row(phase) for phase in report.phases])
    if report.by_model:
        yield from table(MODEL_HEAD, [(escaped(row[0]), *row[1:]) for row in model_rows(report)])


def _latencies(report: Report) -> Iterator[str]:
    rows = [latency_row(name, distribution) for name, distribution in told_latencies(report, _LATENCIES)]
    yield from table(LATENCY_HEAD, rows)
    if any("*" in cell for row in rows for cell in row):
        yield f"\\{LATENCY_NOTE}\n\n"


def _rates(report: Report) -> Iterator[str]:
    rates = report.judged.rates
    rows = [
        (title("requests_per_s"), number(rates.requests_per_s)),
        (title("output_tokens_per_s"), number(rates.output_tokens_per_s)),
        (title("total_tokens_per_s"), number(rates.total_tokens_per_s)),
        (title("error_rate"), f"{rates.error_rate:.3g} %"),
    ]
    if rates.goodput is not None:
        rows.append((title("goodput"), f"{number(rates.goodput_per_s)} a second, {rates.goodput:.4g} %"))
    if report.cost is not None:
        rows += [
            ("cost of the lease", money(report.cost.total)),
            (title("cost_per_request"), money(report.cost.per_request)),
            (title("cost_per_million_output_tokens"), money(report.cost.per_million_output_tokens)),
            (title("cost_per_million_tokens"), money(report.cost.per_million_tokens)),
        ]
    yield from table(("figure", "value"), rows)


def comparison(found: Comparison) -> Iterator[str]:
    """A comparison of two runs, for a pull request."""
    yield f"## harpoon bench compare {found.outcome}\n\n"
    yield f"{escaped(found.new)} against {escaped(found.old)}, {found.max_regression:g} % worse allowed\n\n"
    yield from _list("Mind", found.warnings)
    rows = []
    for each in found.figures:
        name, *cells, verdict = compared_row(each)
        bold = f"**{verdict}**" if each.change is Change.REGRESSED else verdict
        rows.append((escaped(name), *cells, bold))
    yield from table(COMPARED_HEAD, rows)
