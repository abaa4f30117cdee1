"""Runs that were never made: samples of a server whose latencies are drawn by a seed, and reports of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from harpoon_cli.bench.judging.cost import cost_of_run
from harpoon_cli.bench.judging.figures import figures
from harpoon_cli.bench.judging.report import LeaseTimes, Report, RunFacts, Stage, SweepFigures, build
from harpoon_cli.bench.judging.slo import parse, request_limits
from harpoon_cli.bench.judging.steady import steady_part
from harpoon_cli.bench.planning.warmup import WarmUp
from harpoon_cli.bench.recording.by_model import ByModel
from harpoon_cli.bench.recording.kept import RequestLimits, stored
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.recording.request_rows import RowFile
from harpoon_cli.bench.recording.sample import Counted, Sample, Stamped
from harpoon_cli.bench.recording.watched import Watched
from harpoon_cli.bench.statistics.histogram import Histogram
from harpoon_cli.domain import Price
from harpoon_cli.values import replace

MS = 1_000_000
S = 1_000 * MS

HOSTILE = '"><script>alert(1)</script>\x1b[31m\u202e\n::error::x%0A|`@all'
"""What a model or an error might be called by somebody who wants to break a report."""


def watch(**others: object) -> Watched:
    """An engine that had time to spare; `others` are fields as they are to be instead."""
    lag, late = Histogram(), Histogram()
    for place in range(1000):
        lag.add(40_000 + 300 * place)
        late.add(20_000 + 100 * place)
    one = Watched(
        stamped=Stamped.KERNEL,
        address="203.0.113.7",
        began=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
        lasted_s=30.4,
        lag=stored(lag),
        late=stored(late),
        chunks=25_000,
        merged=100,
        error_bound_ms=0.2,
        cpu_share=0.2,
        busiest_share=0.3,
        starved_share=0.001,
        dns_ms=1.5,
        connections=12,
        clock_was_set=False,
        short_of_sockets=False,
        examples={},
    )
    return replace(one, **others)


def sample(
    index: int = 0,
    *,
    at_ns: int = 0,
    ttft_ns: int = 50 * MS,
    gaps_ns: Iterable[int] = (10 * MS, 10 * MS),
    **others: object,
) -> Sample:
    """One answered request, sent on time; `others` are fields as they are to be instead."""
    chunks = array("q", [at_ns + ttft_ns])
    for gap in gaps_ns:
        chunks.append(chunks[-1] + gap)
    one = Sample(
        index=index,
        model="qwen",
        intended_ns=at_ns,
        ready_ns=at_ns,
        sent_ns=at_ns,
        first_byte_ns=at_ns + ttft_ns - MS,
        chunk_ns=chunks,
        done_ns=chunks[-1] + MS,
        status=200,
        input_tokens=100,
        output_tokens=len(chunks),
        counted=Counted.USAGE,
    )
    for name, value in others.items():
        setattr(one, name, value)
    return one


def failed(index: int = 0, *, at_ns: int = 0, error: str = "http_503", model: str = "qwen") -> Sample:
    """One request that failed before its first chunk."""
    return sample(index, at_ns=at_ns, gaps_ns=(), error=error, status=503, chunk_ns=array("q"), model=model)


def run(
    seconds: int = 30, rate: int = 40, *, seed: int = 1, slower: float = 1.0, fails: float = 0.0
) -> Iterator[Sample]:
    """Requests at a constant rate to a server with 50 ms to the first token and 10 ms between tokens."""
    chance = Random(seed)
    for index in range(seconds * rate):
        at_ns = index * S // rate
        if chance.random() < fails:
            yield failed(index, at_ns=at_ns, error=chance.choice(["http_503", "reset"]))
            continue
        gaps = [round(slower * chance.gauss(10, 1) * MS) for _ in range(8)]
        ttft = round(slower * (30 + chance.expovariate(1 / 20)) * MS)
        yield sample(index, at_ns=at_ns, ttft_ns=ttft, gaps_ns=gaps)


def recorded(samples: Iterable[Sample], slo: str = "") -> Recorder:
    """A recorder that took all of them."""
    recorder = Recorder(limits=request_limits(parse(slo)) if slo else None)
    for one in samples:
        recorder.on_sample(one)
    return recorder


FACTS = RunFacts(
    tool_version="0.1.0",
    started_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    endpoint="https://gpu.example/v1",
    dialect="openai",
    model="qwen",
    load="constant:40,for=30s",
    work="synthetic:input=100,output=21",
    seed=1,
    open_loop=True,
    requests=1200,
    request_rate=40.0,
)

SLO = "ttft_p99=500ms,itl_p99=50ms,e2e_p99=2s,goodput=95%"


def report(samples: Iterable[Sample] | None = None, *, slo: str = SLO, **facts: object) -> Report:
    """A report of a run with its lease, its cost, its steady part; `facts` replace those of the run."""
    taken = list(run() if samples is None else samples)
    recorder, apart = recorded(taken, slo), ByModel(request_limits(parse(slo)) if slo else RequestLimits())
    apart.take(taken)
    price = Price(Decimal("2.50"), "USD")
    return build(
        replace(FACTS, **facts),
        recorder,
        (watch(),),
        thresholds=parse(slo) if slo else (),
        steady=steady_part(recorder, WarmUp(first_s=5)),
        lease=LeaseTimes((0.4,), (12.5,), (31.0,), (1.25,)),
        cost=cost_of_run(price, 90.0, figures(recorder)),
        by_model=apart.recorders if len(apart.recorders) > 1 else None,
    )


def sweep() -> SweepFigures:
    """A sweep over three rates."""
    stages = [
        Stage(rate, float(rate), figures(recorded(run(10, rate, slower=1 + rate / 100))), rate < 80)
        for rate in (20, 40, 80)
    ]
    return SweepFigures("rate", tuple(stages), shown=40, knee=40, largest_within_slo=40)


def few() -> Iterator[Sample]:
    """A run small enough to look at: two answers, a failure, and an answer in one chunk."""
    yield sample(0)
    yield sample(1, at_ns=S, ttft_ns=70 * MS, gaps_ns=[12 * MS, 8 * MS, 15 * MS])
    yield failed(2, at_ns=S + S // 2)
    yield sample(3, at_ns=2 * S, gaps_ns=(), output_tokens=4)


def hostile_report() -> Report:
    """A report in which everything that comes from outside is hostile."""
    samples = [*run(30), *(failed(at_ns=at * S, error=HOSTILE, model=HOSTILE) for at in range(3))]
    made = report(samples, **dict.fromkeys(("model", "endpoint", "load", "work", "label", "gpu"), HOSTILE))
    named = replace(made.run, metadata={HOSTILE: HOSTILE})
    verdict = replace(made.verdict, reasons=(HOSTILE,), warnings=(HOSTILE,))
    return replace(made, run=named, verdict=verdict, watches=(watch(examples={HOSTILE: HOSTILE}),))


def rows_of(samples: Iterable[Sample], path: Path, *, with_gaps: bool = True) -> Path:
    """A file with a row for each of them."""
    with RowFile(path, with_gaps=with_gaps) as rows:
        recorder = Recorder(rows=rows)
        for one in samples:
            recorder.on_sample(one)
        recorder.settle()
    return path
