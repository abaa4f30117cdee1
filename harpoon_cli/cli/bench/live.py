"""What is shown while a load test runs: lines painted over on a terminal, a line now and then elsewhere.

It draws from this process, at most twice a second; the engines are in others and do not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from harpoon_cli.bench.planning.load import Shape
from harpoon_cli.bench.planning.plan import Plan
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.recording.timeline import Window
from harpoon_cli.bench.shapes import write
from harpoon_cli.cli.bench.charts import Charts
from harpoon_cli.domain import Money
from harpoon_cli.render import words
from harpoon_cli.render.panel import Panel
from harpoon_cli.render.screen import Screen

PAINT_S = 0.5
LINE_S = 10.0
OFTEN_S = 60.0
"""How often is shown how far it is: painted over, or as a line of a log; after a minute, one a minute."""

RECENT_S = 5
"""Over how many whole seconds the present rate is."""

BEHIND_S = 2.0
"""Figures that are older say so."""

STEPS = 4
"""Lines above: the steps that were done before the load."""

TALLEST = 8
MOST_KINDS = 3
LATELY = 24
LATENCY_WIDTH = 9 + 3 * 9 + 2
LEAST_ALONG = 12

_TITLES = {"TTFT": "ttft", "ITL": "itl", "E2E": "e2e"}

_PERCENTILES_PPM = (500_000, 900_000, 990_000)


class LiveView:
    """Shows a recording as it grows. cost gives what was spent until now, None where nothing is known."""

    def __init__(
        self,
        screen: Screen,
        cost: Callable[[], Money | None],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._screen, self._cost, self._clock = screen, cost, clock
        self._under_way: tuple[Plan, Recorder] | None = None
        self._began_s = clock()

    def take(self, plan: Plan, recorder: Recorder) -> None:
        """From here on show this stage."""
        if self._under_way is None or self._under_way[0] is not plan:
            self._under_way, self._began_s = (plan, recorder), self._clock()

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """From the first request to the last; a server that does not answer stops no clock."""
        with self._screen.panel() as panel:
            showing = asyncio.create_task(self._again_and_again(panel))
            try:
                yield
            finally:
                showing.cancel()
                await asyncio.wait([showing])

    async def _again_and_again(self, panel: Panel | None) -> None:
        if self._screen.quiet:
            return
        lasted_s = 0.0
        while True:
            pause_s = PAINT_S if panel else LINE_S if lasted_s < OFTEN_S else OFTEN_S
            await asyncio.sleep(pause_s)
            lasted_s += pause_s
            if self._under_way is not None:
                self.show(panel, *self._under_way)

    def show(self, panel: Panel | None, plan: Plan, recorder: Recorder) -> None:
        """How far a stage is: in a panel, or, where there is none, in one line."""
        lasted_s = self._clock() - self._began_s
        if panel is None:
            self._screen.line(self.summary(plan, recorder, lasted_s))
            return
        terminal = self._screen.terminal
        lines = self.lines(plan, recorder, lasted_s)[: terminal.height - 1]
        panel.paint([terminal.err.safe(line)[: terminal.width - 1] for line in lines])

    def summary(self, plan: Plan, recorder: Recorder, lasted_s: float) -> str:
        """All of it in one line."""
        cost = self._cost()
        told = [f"bench: {_progress(plan, recorder, lasted_s)}", *_counts(recorder)]
        return ", ".join([*told, *([f"{words.money(cost)} so far"] if cost else [])])

    def lines(self, plan: Plan, recorder: Recorder, lasted_s: float) -> Sequence[str]:
        """What a terminal shows, as high as it is: how far, rates, latencies, failures, cost, and a chart."""
        terminal = self._screen.terminal
        charts = Charts(terminal.width - 2, unicode=terminal.err.unicode)
        told = [
            _progress(plan, recorder, lasted_s),
            *(charts.bar(done) for done in _done(plan, recorder, lasted_s)),
            *(f"{name:<9} {value}" for name, value in _rates(recorder)),
            *_latencies(recorder, charts),
            *(f"{name:<9} {value}" for name, value in self._ends(recorder)),
        ]
        answered = recorder.seconds.columns["completed"][:-1]  # the last second is not over
        room = terminal.height - 1 - len(told) - STEPS - 1
        heading = f"answers/s {f'up to {max(answered):,}' if answered else ''}".rstrip()
        return [*told, heading, *charts.chart(answered, min(max(room, 1), TALLEST))]

    def _ends(self, recorder: Recorder) -> Iterator[tuple[str, str]]:
        worst = sorted(recorder.errors.items(), key=lambda one: -one[1])[:MOST_KINDS]
        if worst:
            yield "failed", ", ".join(f"{count:,} {kind}" for kind, count in worst)
        if (cost := self._cost()) is not None:
            yield "cost", f"{words.money(cost)} so far"


def _rates(recorder: Recorder) -> Iterator[tuple[str, str]]:
    yield "requests", ", ".join(_counts(recorder))
    tokens = recorder.total("output_tokens")
    yield "tokens", f"{_rate(recorder, 'output_tokens'):,.0f}/s, {tokens:,} so far"


def _latencies(recorder: Recorder, charts: Charts) -> Iterator[str]:
    """Percentiles until now, and beside them, where there is room, p99 along the last seconds."""
    room = charts.width - LATENCY_WIDTH
    known = [(title, name) for title, name in _TITLES.items() if recorder.histogram(name).ranks().finite]
    if known:
        along = "  p99 lately" if room >= LEAST_ALONG else ""
        yield f"{'':<9}{''.join(f'{word:>9}' for word in ('p50', 'p90', 'p99'))}{along}"
    for title, name in known:
        ranks = recorder.histogram(name).ranks()
        told = (words.duration((ranks.percentile(ppm) or 0.0) / 1e9) for ppm in _PERCENTILES_PPM)
        line = f"{title:<9}{''.join(f'{one:>9}' for one in told)}"
        lately = charts.line(_tails(recorder, name)[-room:]) if room >= LEAST_ALONG else ""
        yield f"{line}  {lately}".rstrip()


def _tails(recorder: Recorder, name: str) -> Sequence[float]:
    """p99 of the latest slices."""
    slices = recorder.slices
    first_s = max(recorder.last_ns // 1_000_000_000 - LATELY * slices.width_s, 0)
    recent = slices.of(name, Window(first_s, first_s + (LATELY + 2) * slices.width_s))
    return [kept.ranks().percentile(_PERCENTILES_PPM[-1]) or 0.0 for _, kept in recent]


def _done(plan: Plan, recorder: Recorder, lasted_s: float) -> Iterator[float]:
    """The share of a stage that is done, where something says when it ends."""
    load = plan.load
    if not isinstance(load, Shape):
        return
    over = recorder.total("completed") + recorder.total("failed")
    shares = [
        *([lasted_s / load.ends_s] if load.ends_s else []),
        *([over / load.requests] if load.requests else []),
    ]
    if shares:
        yield min(max(shares), 1.0)


def _counts(recorder: Recorder) -> Sequence[str]:
    return (
        f"{words.number(_rate(recorder, 'completed'))}/s",
        f"{recorder.total('completed'):,} answered",
        f"{recorder.total('failed'):,} failed",
    )


def _progress(plan: Plan, recorder: Recorder, lasted_s: float) -> str:
    load, over = plan.load, recorder.total("completed") + recorder.total("failed")
    stage = f"stage {plan.stage + 1}, " if plan.stage else ""
    far = words.span(lasted_s)
    if isinstance(load, Shape) and load.ends_s is not None:
        far = f"{far} of {words.span(load.ends_s)}"
    elif isinstance(load, Shape) and load.requests is not None:
        far = f"{over:,} of {load.requests:,} requests, {far}"
    return f"{stage}{write(load)}, {far}{_behind(recorder, lasted_s)}"


def _behind(recorder: Recorder, lasted_s: float) -> str:
    """Up to when the figures go, where that is not now: what engines sent since is not recorded yet."""
    until_s = recorder.last_ns / 1e9
    return f", figures up to {words.span(until_s)}" if 0 < until_s < lasted_s - BEHIND_S else ""


def _rate(recorder: Recorder, column: str) -> float:
    """So many a second over the last whole seconds."""
    whole = recorder.seconds.columns[column][:-1][-RECENT_S:]
    return sum(whole) / len(whole) if whole else float(recorder.total(column))
