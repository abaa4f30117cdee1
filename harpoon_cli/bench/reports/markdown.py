"""Markdown for a pull request or a step summary: the verdict, the thresholds, the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harpoon_cli.bench.compare import Change, Comparison
from harpoon_cli.bench.figures import Figures
from harpoon_cli.bench.report import Report
from harpoon_cli.bench.reports import Source
from harpoon_cli.bench.reports._words import (
    LATENCY_HEAD,
    LATENCY_NOTE,
    NOTHING,
    latency_row,
    money,
    number,
    shown,
    title,
)
from harpoon_cli.bench.slo import Standing

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
    yield from _latencies(report.judged)
    yield from _rates(report)
    if report.errors:
        rows = [(escaped(kind), f"{count:,}") for kind, count in report.errors.items()]
        yield from table(("failed with", "requests"), rows)


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
    found = "passed" if verdict.passed else "did not pass"
    missed = ", ".join((*verdict.missed, *verdict.undecided))
    why = f" ({escaped(missed)})" if missed else ""
    return f"harpoon bench {found}{why}: {verdict.validity.value}"


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
        marks = {Standing.KEPT: "kept", Standing.MISSED: "**missed**", Standing.UNDECIDED: "**no verdict**"}
        rows = [
            (escaped(check.figure), marks[check.standing], escaped(check.sentence)) for check in report.checks
        ]
        yield from table(("threshold", "", "measured"), rows)


def _latencies(figures: Figures) -> Iterator[str]:
    rows = [latency_row(name, figures.latencies[name]) for name in _LATENCIES if name in figures.latencies]
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
        ]
    yield from table(("figure", "value"), rows)


def comparison(found: Comparison) -> Iterator[str]:
    """A comparison of two runs, for a pull request."""
    verdict = "passed" if found.passed else "did not pass"
    yield f"## harpoon bench compare {verdict}\n\n"
    yield f"{escaped(found.new)} against {escaped(found.old)}, {found.max_regression:g} % worse allowed\n\n"
    yield from _list("Mind", found.warnings)
    rows = [
        (
            f"{escaped(each.figure)}, {escaped(each.unit)}",
            number(each.old),
            number(each.new),
            NOTHING if each.change_percent is None else f"{each.change_percent:+.1f} %",
            NOTHING if each.p_value is None else f"{each.p_value:.2g}",
            f"**{each.change}**" if each.change is Change.REGRESSED else each.change.value,
        )
        for each in found.figures
    ]
    yield from table(("figure", "old", "new", "change", "p (Holm)", ""), rows)
