"""Annotations of a GitHub workflow: one line for each thing that is wrong (the step summary is
`markdown`).
"""

from __future__ import annotations

from collections.abc import Iterator

from harpoon_cli.bench.judging.compare import Change, Comparison
from harpoon_cli.bench.judging.report import Report
from harpoon_cli.bench.judging.slo import Standing
from harpoon_cli.bench.judging.verdict import Validity
from harpoon_cli.bench.reports import Source
from harpoon_cli.bench.reports._words import compared_row, shown

WANTS_ROWS = False


def pieces(source: Source) -> Iterator[str]:
    """Workflow commands, each on its line; one notice where all is in order."""
    report = source.report
    verdict = report.verdict
    for reason in verdict.reasons if verdict.validity is not Validity.VALID else ():
        yield command("error", f"harpoon bench: {verdict.validity.value}", reason)
    if verdict.too_many_errors:
        said = f"{verdict.error_rate:.3g} % of the requests failed, {verdict.max_error_rate:g} % allowed"
        yield command("error", "harpoon bench: errors", said)
    for check in report.checks:
        if check.standing is not Standing.KEPT:
            yield command("error", f"harpoon bench: {check.figure}", check.sentence)
    for warning in verdict.warnings:
        yield command("warning", "harpoon bench", warning)
    if source.comparison is not None:
        yield from regressions(source.comparison)
    if verdict.passed and (source.comparison is None or source.comparison.passed):
        yield command("notice", "harpoon bench", _summary(report))


def regressions(found: Comparison) -> Iterator[str]:
    """A workflow command for each figure that regressed, and for each doubt about the comparison."""
    for one in found.figures:
        if one.change is Change.REGRESSED:
            said = f"against {found.old}: {', '.join(compared_row(one)[1:])}"
            yield command("error", f"harpoon bench: {one.figure} regressed", said)
    for warning in found.warnings:
        yield command("warning", "harpoon bench: comparison", warning)


def command(level: str, title: str, message: str) -> str:
    """One workflow command; nothing in title or message can end it or start another."""
    return f"::{level} title={_property(title)}::{_data(message)}\n"


def _data(text: str) -> str:
    return shown(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _summary(report: Report) -> str:
    rates = report.judged.rates
    rate = f"{rates.requests_per_s:.4g} requests/s, {rates.output_tokens_per_s:.4g} output tokens/s"
    return f"{report.run.model}: {rate}, every threshold kept"
