"""What a finished load test ends with: its outcome and status, its files, and what a CI service reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harpoon_cli.bench.judging.compare import Comparison, compare
from harpoon_cli.bench.judging.report import Report
from harpoon_cli.bench.judging.slo import Standing
from harpoon_cli.bench.judging.verdict import Validity
from harpoon_cli.bench.reports import Source, save, text
from harpoon_cli.cli.bench.data import BenchData
from harpoon_cli.cli.bench.files import Wanted
from harpoon_cli.cli.bench.options import JudgeOptions
from harpoon_cli.cli.bench.views import comparison_views, report_views
from harpoon_cli.cli.session import Session
from harpoon_cli.errors import (
    HarpoonError,
    NotJudged,
    Regressed,
    RunIncomplete,
    RunInvalid,
    StorageFault,
    ThresholdsMissed,
    UsageFault,
)
from harpoon_cli.render.outcome import Outcome


def compared(report: Report, baseline: Report | None, judge: JudgeOptions) -> Comparison | None:
    """The comparison with --baseline; None where there is none."""
    if baseline is None:
        return None
    names = (str(judge.baseline), "this run")
    return compare(baseline, report, max_regression=judge.max_regression or 0.0, names=names)


def tell_comparison(
    found: Comparison, reports: Sequence[Path], environ: Mapping[str, str] = os.environ
) -> list[str]:
    """Write a comparison to files, and to a GitHub workflow's summary; gives what was written."""
    from harpoon_cli.bench.reports.markdown import comparison
    from harpoon_cli.plain import plain

    markdown = "".join(comparison(found))
    for path in reports:
        is_markdown = path.suffix.lower() == ".md"
        text = markdown if is_markdown else json.dumps(plain(found, all_digits=True), indent=2) + "\n"
        try:
            path.write_text(text, "utf-8")
        except OSError as cause:
            raise StorageFault(f"{path} cannot be written: {cause.strerror}", hint="name another") from cause
    _summarise(markdown, environ)
    return [str(path) for path in reports]


def annotate_comparison(session: Session, found: Comparison, environ: Mapping[str, str] = os.environ) -> None:
    """The annotations of a GitHub workflow for what a comparison found."""
    if environ.get("GITHUB_ACTIONS") == "true":
        from harpoon_cli.bench.reports.github import regressions as annotations

        for line in annotations(found):
            session.screen.line(line.rstrip("\n"))


def refuse_unknown(reports: Sequence[Path]) -> None:
    """`UsageFault` for the name of a file that says no format a comparison has."""
    for path in reports:
        if path.suffix.lower() not in (".md", ".json"):
            raise UsageFault(f"--report {path}: no comparison has that suffix", hint="one of: .md, .json")


def finished(
    session: Session,
    report: Report,
    comparison: Comparison | None,
    files: Sequence[Wanted],
    rows: Sequence[Path],
    *,
    detailed: bool,
    troubles: Sequence[HarpoonError] = (),
    strictly: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Outcome:
    """Write the files, tell the CI service, and give the outcome with its status; see `regressions`."""
    source = Source(report, tuple(rows), detailed, comparison)
    written, faults = _written(files, source)
    _tell_github(session, source, environ)
    views = [*report_views(report)]
    if comparison is not None:
        views += comparison_views(comparison)
    return Outcome(
        data=BenchData(report=report.without_recording(), comparison=comparison, files=tuple(written)),
        views=views,
        ids=written,
        receipt=session.receipt,
        notes=[f"wrote {name}" for name in written],
        errors=[*troubles, *shortcomings(report), *regressions(comparison, strictly=strictly), *faults],
    )


def _written(files: Sequence[Wanted], source: Source) -> tuple[list[str], list[HarpoonError]]:
    """What could be written, and what stood in the way of the rest."""
    written: list[str] = []
    faults: list[HarpoonError] = []
    for file in files:
        try:
            save(file.format, source, file.path)
            written.append(str(file.path))
        except (StorageFault, UsageFault) as fault:
            faults.append(fault)
    return written, faults


def incomplete(reasons: Sequence[str]) -> RunIncomplete:
    """The error of a run that a part is missing of."""
    return RunIncomplete(f"the run is INCOMPLETE: {'; '.join(reasons)}", hint="run it again for a verdict")


def shortcomings(report: Report) -> Iterator[HarpoonError]:
    """What is wrong with a run, the gravest first; each has a status of its own."""
    verdict = report.verdict
    reasons = "; ".join(verdict.reasons)
    if verdict.validity is Validity.INCOMPLETE:
        yield incomplete(verdict.reasons)
        return  # what is missing might have changed everything else
    if verdict.validity is Validity.INVALID:
        yield RunInvalid(
            f"the run is INVALID: {reasons}", hint="use more --processes, less load, or another machine"
        )
    if verdict.too_many_errors:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.errors.items())
        yield ThresholdsMissed(
            f"error_rate: {verdict.error_rate:.3g} % of the requests failed, "
            f"{verdict.max_error_rate:g} % allowed: {kinds or 'no request was answered'}{_example(report)}",
            hint="see --max-error-rate",
        )
    for check in report.checks:
        if check.standing is Standing.MISSED:
            yield ThresholdsMissed(check.sentence)
        elif check.standing is Standing.UNDECIDED:
            yield NotJudged(check.sentence)


def _example(report: Report) -> str:
    """The first words there are for a failure."""
    found = [said for watch in report.watches for said in watch.examples.values() if said]
    return f' ("{found[0]}")' if found else ""


def regressions(comparison: Comparison | None, *, strictly: bool = False) -> Iterator[HarpoonError]:
    """What a comparison shows to be worse, or why it shows nothing.

    strictly: a bound was given for every figure, so those of which nothing is known do not pass either.
    """
    if comparison is None:
        return
    worse = {one.figure: one.change_percent for one in comparison.figures}
    for name in comparison.regressed:
        change = worse[name]
        by = "" if change is None else f" by {abs(change):.1f} %"
        yield Regressed(f"{name} is worse{by} than in {comparison.old}, and not by chance")
    if comparison.regressed:
        return
    if not comparison.passed:
        yield RunInvalid(f"the comparison says nothing: {'; '.join(comparison.warnings)}")
    elif all(one.p_value is None for one in comparison.figures):
        yield RunInvalid(
            "the comparison says nothing: the runs are too short to tell a change from chance",
            hint="let both last longer: --duration 30s",
        )
    elif strictly and comparison.undecided:
        yield NotJudged(
            f"{', '.join(comparison.undecided)}: not known whether worse than in {comparison.old}, there are "
            "too few samples",
            hint="let both last longer: --duration 5m",
        )


def _tell_github(session: Session, source: Source, environ: Mapping[str, str]) -> None:
    """The step summary and the annotations of a GitHub workflow."""
    _summarise(text("markdown", source), environ)
    if environ.get("GITHUB_ACTIONS") == "true":
        for line in text("github", source).splitlines():
            session.screen.line(line)


def _summarise(markdown: str, environ: Mapping[str, str]) -> None:
    if summary := environ.get("GITHUB_STEP_SUMMARY"):
        with suppress(OSError), Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown)
