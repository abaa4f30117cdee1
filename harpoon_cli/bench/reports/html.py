"""One page with everything: verdict, figures, plots, definitions; self-contained, without scripts.

Nothing is loaded from anywhere, and the page says so to the browser (a content security policy), so that even
a mistake in escaping could run nothing. It follows the reader's light or dark setting, and can be printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harpoon_cli.bench.judging.compare import Comparison
from harpoon_cli.bench.judging.definitions import DEFINITIONS, GENERAL
from harpoon_cli.bench.judging.report import Report
from harpoon_cli.bench.judging.slo import Standing
from harpoon_cli.bench.recording.kept import restored
from harpoon_cli.bench.recording.watched import Watched
from harpoon_cli.bench.reports import Source, _plots
from harpoon_cli.bench.reports._markup import Markup, content, element, joined
from harpoon_cli.bench.reports._parts import (
    MODEL_HEAD,
    PHASE_HEAD,
    SWEEP_HEAD,
    model_rows,
    phase_row,
    sweep_findings,
    sweep_row,
)
from harpoon_cli.bench.reports._style import STYLE
from harpoon_cli.bench.reports._words import (
    COMPARED_HEAD,
    LATENCY_HEAD,
    LATENCY_NOTE,
    compared_row,
    latency_row,
    milliseconds,
    money,
    number,
    title,
    told_latencies,
)

WANTS_ROWS = False

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

Cell = str | Markup


def pieces(source: Source) -> Iterator[str]:
    """The page, from top to bottom."""
    report = source.report
    heading = f"harpoon bench: {report.run.model}"
    yield "<!DOCTYPE html>\n"
    yield '<html lang="en">\n'
    yield element("head", *_head(heading)) + "\n<body>\n<main>\n"
    yield element("h1", heading) + "\n"
    for section in _sections(source):
        if section:
            yield section + "\n"
    yield "</main>\n</body>\n</html>\n"


def _head(heading: str) -> list[Markup]:
    return [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", heading),
        element("style", Markup(STYLE)),
    ]


def _sections(source: Source) -> Iterator[Markup]:
    report = source.report
    yield _verdict(report)
    yield _section("Against the baseline", _comparison(source.comparison))
    yield _section("Thresholds", _thresholds(report))
    yield _section("Latencies", _latencies(report), _plots.curves(report))
    yield _section("Rates and cost", _rates(report))
    yield _section("Sweep", *_sweep(report))
    yield _section("Along the run", *_plots.timeline(report))
    yield _section("Phases", _phases(report))
    yield _section("Failures and models", _failures(report), _models(report))
    yield _section("The tool itself", _watches(report))
    yield _section("What was run", _facts(report))
    yield _section("Definitions", _definitions())


def _section(heading: str, *parts: Markup) -> Markup:
    whole = joined([part for part in parts if part])
    return element("section", element("h2", heading), whole) if whole else whole


def _verdict(report: Report) -> Markup:
    verdict = report.verdict
    found = "passed" if verdict.passed else "failed"
    words = f"{verdict.validity.value}, {verdict.outcome}"
    wrong = [*verdict.reasons]
    if verdict.too_many_errors:
        wrong.append(f"{verdict.error_rate:.3g} % failed, {verdict.max_error_rate:g} % allowed")
    named = ", ".join((*verdict.missed, *verdict.undecided))
    if named:
        wrong.append(f"thresholds not kept: {named}")
    listed = [element("li", sentence) for sentence in (*wrong, *verdict.warnings)]
    inside = [element("p", words, class_="word"), *([element("ul", *listed)] if listed else [])]
    return element("div", *inside, class_=f"verdict {found}", role="status")


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str) -> Markup:
    """A table whose first column names the rows; nothing where it has none."""
    if not rows:
        return joined([])
    top = element("tr", *(element("th", cell, scope="col") for cell in head))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:]))
        for row in rows
    ]
    inside = (element("caption", caption), element("thead", top), element("tbody", *body))
    return element(
        "div", element("table", *inside), class_="wide", tabindex="0", role="region", aria_label=caption
    )


def _thresholds(report: Report) -> Markup:
    words = {Standing.KEPT: "kept", Standing.MISSED: "missed", Standing.UNDECIDED: "not known"}
    rows = [(check.figure, words[check.standing], check.sentence) for check in report.checks]
    return table(("figure", "standing", "measured"), rows, "What had to be kept")


def _latencies(report: Report) -> Markup:
    rows = [latency_row(name, distribution) for name, distribution in told_latencies(report)]
    of = "of the steady part" if report.steady else "of the whole run"
    return table(LATENCY_HEAD, rows, f"Percentiles {of}; {LATENCY_NOTE}")


def _rates(report: Report) -> Markup:
    rates, cost = report.judged.rates, report.cost
    rows: list[tuple[str, str]] = [
        (title("requests_per_s"), number(rates.requests_per_s)),
        (title("output_tokens_per_s"), number(rates.output_tokens_per_s)),
        (title("total_tokens_per_s"), number(rates.total_tokens_per_s)),
        (title("peak_chunks_per_s"), number(float(rates.peak_chunks_per_s))),
        (title("error_rate"), f"{rates.error_rate:.3g} %"),
    ]
    if rates.goodput is not None:
        rows.append((title("goodput"), f"{number(rates.goodput_per_s)} /s, {rates.goodput:.4g} %"))
    if cost is not None:
        rows += [
            ("cost of the lease", money(cost.total)),
            (title("cost_per_request"), money(cost.per_request)),
            ("cost of a good request", money(cost.per_good_request)),
            (title("cost_per_million_output_tokens"), money(cost.per_million_output_tokens)),
            (title("cost_per_million_tokens"), money(cost.per_million_tokens)),
        ]
    if report.lease is not None:
        for name in ("accepted_s", "ready_s", "model_ready_s", "released_s"):
            times = getattr(report.lease, name)
            if times:
                rows.append(
                    (f"allocation, {name[:-2].replace('_', ' ')}", " ".join(f"{s:.3g} s" for s in times))
                )
    return table(("figure", "value"), rows, "Rates and cost")


def _sweep(report: Report) -> Iterator[Markup]:
    sweep = report.sweep
    if sweep is None:
        return
    yield _plots.sweep(sweep)
    stages = sorted(sweep.stages, key=lambda stage: stage.level)
    yield table(("what was looked for", "found"), [*sweep_findings(report)], "What the sweep found")
    rows = [sweep_row(sweep, stage) for stage in stages]
    caption = f"Every stage; the figures above are those at {sweep.shown:g}"
    yield table((sweep.over, *SWEEP_HEAD), rows, caption)


def _phases(report: Report) -> Markup:
    return table(PHASE_HEAD, [phase_row(phase) for phase in report.phases], "Parts of the run")


def _comparison(found: Comparison | None) -> Markup:
    if found is None:
        return joined([])
    listed = [element("li", sentence) for sentence in found.warnings]
    caption = f"{found.new} against {found.old}, {found.max_regression:g} % worse allowed"
    rows = table(COMPARED_HEAD, [compared_row(each) for each in found.figures], caption)
    return joined([*([element("ul", *listed)] if listed else []), rows])


def _failures(report: Report) -> Markup:
    words = {kind: text for watch in report.watches for kind, text in watch.examples.items()}
    rows = [(kind, f"{count:,}", words.get(kind, "-")) for kind, count in report.errors.items()]
    return table(
        ("kind", "requests", "the first of them said"), rows, "Requests without a whole, good answer"
    )


def _models(report: Report) -> Markup:
    return table(MODEL_HEAD, model_rows(report), "By model")


def _watches(report: Report) -> Markup:
    rows = [
        (
            f"{place}",
            watch.stamped.value,
            milliseconds(watch.error_bound_ms),
            f"{watch.merged:,} of {watch.chunks:,}",
            *_lags(watch),
            f"{watch.cpu_share:.0%}, {watch.busiest_share:.0%}",
            "-" if watch.starved_share is None else f"{watch.starved_share:.1%}",
        )
        for place, watch in enumerate(report.watches, 1)
    ]
    stamps = ("arrival times from", "late by at most, ms (999 of 1,000)", "chunks that shared a read")
    lags = ("read lag p50, ms", "p99", "lateness p99, ms")
    head = ("process", *stamps, *lags, "CPU, busiest second", "without a CPU")
    return table(head, rows, "What the load generator saw of itself")


def _lags(watch: Watched) -> tuple[str, str, str]:
    lag, late = restored(watch.lag).ranks(), restored(watch.late).ranks()
    found = (lag.percentile(500_000), lag.percentile(990_000), late.percentile(990_000))
    half, most, sent = (milliseconds(None if value is None else value / 1e6) for value in found)
    return half, most, sent


def _facts(report: Report) -> Markup:
    run = report.run
    counted = ", ".join(f"{count:,} by {source}" for source, count in report.counted.items())
    facts = {
        "model": run.model,
        "endpoint": run.endpoint,
        "dialect": run.dialect,
        "load": run.load,
        "work": run.work,
        "seed": str(run.seed),
        "GPU": run.gpu,
        "label": run.label,
        "tokenizer": run.tokenizer,
        "output tokens counted": counted,
        "started": run.started_at.isoformat(timespec="seconds"),
        "steady part": report.steady_marked,
        "start skew": str(report.skew or ""),
        "harpoon": run.tool_version,
        **run.metadata,
    }
    rows = [(name, value) for name, value in facts.items() if value]
    return table(("fact", "value"), rows, "What was run")


def _definitions() -> Markup:
    rows = [(each.title, each.name, each.unit, each.formula, each.vllm or "-") for each in DEFINITIONS]
    listed = table(("figure", "name", "unit", "definition", "vLLM's name"), rows, "What each figure means")
    general = element("ul", *(element("li", sentence) for sentence in GENERAL))
    return element("details", element("summary", content("What each figure means")), general, listed)
