"""Which plots the page has, and what is said of each in words; `_plot` draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harpoon_cli.bench.judging.figures import Figures, Moment
from harpoon_cli.bench.judging.report import Report, SweepFigures
from harpoon_cli.bench.reports._markup import Markup, joined
from harpoon_cli.bench.reports._plot import Axis, Series, figure, plot
from harpoon_cli.bench.reports._words import milliseconds, number, tail

_TIME = Axis("seconds after the start", least=0.0)


def curves(report: Report) -> Markup:
    """The cumulative distributions of TTFT, ITL and E2E."""
    names = {"ttft": "TTFT", "itl": "ITL", "tpot": "TPOT", "e2e": "E2E"}
    series = [
        Series(name, _from_nothing([(point.ms, 100 * point.share) for point in report.curves.get(key, ())]))
        for key, name in names.items()
    ]
    said = [_said(report.whole, key, name) for key, name in names.items() if key in report.curves]
    axes = (
        Axis("milliseconds (logarithmic)", logarithmic=True),
        Axis("% of all, failures never end", least=0.0),
    )
    drawing = plot("curves", "Latency distributions", " ".join(said), series, axes)
    return figure(drawing, "How many had ended after how long, over the whole run.")


def _from_nothing(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A cumulative curve with the rise to its first point."""
    return [(points[0][0], 0.0), *points] if points else []


def _said(figures: Figures, key: str, name: str) -> str:
    distribution = figures.latencies.get(key)
    half = distribution.percentile(50.0) if distribution else None
    median = milliseconds(half.ms if half else None)
    return f"{name}: median {median} ms, p99 {milliseconds(tail(figures, key))} ms."


Reading = Callable[[Moment], float | None]


_ALONG: Sequence[tuple[str, str, str, Mapping[str, Reading]]] = (
    (
        "rate",
        "Requests a second",
        "1/s",
        {"answered": lambda m: m.requests_per_s, "failed": lambda m: m.failed / max(m.to_s - m.from_s, 1e-9)},
    ),
    ("tokens", "Output tokens a second", "1/s", {"tokens": lambda m: m.output_tokens_per_s}),
    ("flight", "Requests under way", "requests", {"under way": lambda m: float(m.in_flight)}),
    ("ttft", "Time to first token", "ms", {"p50": lambda m: m.ttft_p50_ms, "p99": lambda m: m.ttft_p99_ms}),
    ("itl", "Gaps between chunks", "ms", {"p50": lambda m: m.itl_p50_ms, "p99": lambda m: m.itl_p99_ms}),
)
"""Of each plot: its name, title, unit, and its lines."""


def timeline(report: Report) -> Iterator[Markup]:
    """Rates, latencies and what was under way, along the run."""
    moments = _long_enough(report.timeline)
    shaded = (report.steady.from_s, report.steady.to_s) if report.steady else None
    for name, title, unit, readings in _ALONG:
        series = [Series(label, _along(moments, reading)) for label, reading in readings.items()]
        words = " ".join(_range(one, unit) for one in series if one.points)
        drawing = plot(f"along-{name}", title, words, series, (_TIME, Axis(unit, least=0.0)), shaded)
        caption = f"{title}{'; the steady part is shaded' if shaded else ''}."
        yield figure(drawing, caption)


def _long_enough(moments: Sequence[Moment]) -> Sequence[Moment]:
    """Without a last slice that is cut short: what ended in a few milliseconds is no rate a second."""
    if len(moments) < 2 or 2 * _length_s(moments[-1]) >= _length_s(moments[0]):
        return moments
    return moments[:-1]


def _length_s(moment: Moment) -> float:
    return moment.to_s - moment.from_s


def _along(moments: Sequence[Moment], reading: Reading) -> list[tuple[float, float]]:
    at = ((moment.from_s + moment.to_s) / 2 for moment in moments)
    values = ((x, reading(moment)) for x, moment in zip(at, moments, strict=True))
    return [(x, value) for x, value in values if value is not None]


def _range(series: Series, unit: str) -> str:
    values = [value for _, value in series.points]
    return f"{series.name}: between {number(min(values))} and {number(max(values))} {unit}."


def sweep(found: SweepFigures) -> Markup:
    """Throughput against latency over the stages, the knee and the best stage named."""
    stages = sorted(found.stages, key=lambda stage: stage.level)
    drawings = []
    for key, label in (("ttft", "TTFT"), ("e2e", "E2E")):
        points: list[tuple[float, float]] = []
        marks: list[tuple[int, str]] = []
        for stage in stages:
            latency = tail(stage.figures, key)
            if latency:
                marks.append((len(points), _mark(found, stage.level)))
                points.append((stage.figures.rates.requests_per_s, latency))
        axes = (Axis("requests a second answered", least=0.0), Axis("ms (logarithmic)", logarithmic=True))
        title = f"{label} p99 against throughput"
        words = " ".join(f"At {rate:.4g} a second {milliseconds(latency)} ms." for rate, latency in points)
        drawing = plot(f"sweep-{key}", title, words, [Series(f"{label} p99", points, marks)], axes)
        drawings.append(figure(drawing, f"{title}; each point is a stage, by its {found.over}."))
    return joined(drawings)


def _mark(found: SweepFigures, level: float) -> str:
    words = [f"{level:g}"]
    words += ["knee"] if level == found.knee else []
    words += ["largest within the SLO"] if level == found.largest_within_slo else []
    return ", ".join(words)
