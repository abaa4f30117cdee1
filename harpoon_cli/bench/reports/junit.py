"""JUnit XML: a test case for the validity, the errors, each threshold and each figure of the baseline."""

from __future__ import annotations

from collections.abc import Iterator

from harpoon_cli.bench.judging.compare import Change, Comparison
from harpoon_cli.bench.judging.report import Report
from harpoon_cli.bench.judging.slo import Check, Standing
from harpoon_cli.bench.judging.verdict import Validity
from harpoon_cli.bench.reports import Source
from harpoon_cli.bench.reports._markup import Markup, element
from harpoon_cli.bench.reports._words import compared_row

WANTS_ROWS = False


def pieces(source: Source) -> Iterator[str]:
    """One test suite."""
    report = source.report
    cases = [
        _validity(report),
        _errors(report),
        *(_threshold(check) for check in report.checks),
        *_regressions(source.comparison),
    ]
    failures = sum("<failure" in case for case in cases)
    suite = element(
        "testsuite",
        *cases,
        name=f"harpoon bench {report.run.model}",
        tests=float(len(cases)),
        failures=float(failures),
        errors="0",
        time=f"{report.whole.to_s:.3f}",
        timestamp=report.run.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n{element("testsuites", suite)}\n'


def _case(name: str, failure: str | None, kind: str = "") -> Markup:
    inside = [] if failure is None else [element("failure", failure, message=failure, type_=kind)]
    return element("testcase", *inside, name=name, classname="harpoon.bench")


def _validity(report: Report) -> Markup:
    verdict = report.verdict
    valid = verdict.validity is Validity.VALID
    reasons = "; ".join(verdict.reasons)
    return _case("the figures can be believed", None if valid else reasons, verdict.validity.value)


def _errors(report: Report) -> Markup:
    verdict = report.verdict
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.errors.items())
    said = f"{verdict.error_rate:.3g} % failed, {verdict.max_error_rate:g} % allowed: {kinds or 'no answers'}"
    return _case("requests are answered", said if verdict.too_many_errors else None, "errors")


def _threshold(check: Check) -> Markup:
    kept = check.standing is Standing.KEPT
    return _case(check.figure, None if kept else check.sentence, check.standing.value)


def _regressions(found: Comparison | None) -> Iterator[Markup]:
    if found is None:
        return
    doubts = None if found.passed or found.regressed else "; ".join(found.warnings)
    yield _case("the runs can be compared", doubts, "comparison")
    for one in found.figures:
        said = f"{one.figure} against {found.old}: {', '.join(compared_row(one)[1:])}"
        yield _case(f"no worse {one.figure}", said if one.change is Change.REGRESSED else None, "regressed")
