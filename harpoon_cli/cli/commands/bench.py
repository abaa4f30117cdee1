"""Load-test a server: latencies, throughput and cost that can be believed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from harpoon_cli.cli.bench.drive import (
    Course,
    Wishes,
    on_named_server,
    refuse_beside,
    refuse_load,
    refuse_terms,
    settle_models,
)
from harpoon_cli.cli.bench.options import (
    JudgeOptions,
    LeaseOptions,
    LoadOptions,
    ReportOptions,
    ShardOptions,
    TargetOptions,
    WorkOptions,
    percent,
)
from harpoon_cli.cli.bench.plans import plan_of
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.session import Session
from harpoon_cli.errors import HarpoonError, UsageFault
from harpoon_cli.render.outcome import Outcome

if TYPE_CHECKING:
    from harpoon_cli.bench.judging.report import Report
    from harpoon_cli.bench.judging.slo import Threshold
    from harpoon_cli.cli.bench.files import Wanted
    from harpoon_cli.render.screen import Screen

app = new_app()

MOMENT_BYTES = 2**20
"""So much of samples is looked at within some tenths of a second."""

DATA = "harpoon_cli.cli.bench.data:BenchData"
"""Not loaded here: what is not needed to send the first request is loaded after the last one."""


@command(
    app,
    "bench",
    data=DATA,
    examples=[
        ("bench --model qwen-30b", "lease a slice, load it for 30 s, give it back"),
        ("bench -m qwen-30b --load poisson:rate=40,for=60s --slo ttft_p99=500ms", "status 8 if it is slower"),
        (
            "bench -m llama --endpoint http://127.0.0.1:8000/v1 --concurrency 64",
            "any OpenAI-compatible server",
        ),
        ("bench -m small=3 -m large=1 --endpoint http://127.0.0.1:8000/v1", "a mix of models, by weight"),
        ("bench -m qwen-30b --load sweep:to=256 --report sweep.html", "how much load it takes, with plots"),
        ("bench -m qwen-30b --out new.json --baseline old.json --max-regression 5%", "worse than before?"),
        ("bench -m qwen-30b --allocation-cycles 5", "how long leasing takes, without load"),
    ],
    has_commands=True,
)
async def bench(
    session: Session,
    target: TargetOptions,
    lease: LeaseOptions,
    load: LoadOptions,
    work: WorkOptions,
    judge: JudgeOptions,
    report: ReportOptions,
    shard: ShardOptions,
) -> Outcome:
    """Load-test a model on a leased slice, or any server with --endpoint.

    Latencies, throughput, errors and cost, with bounds on what chance and the tool itself leave open. A run
    whose figures are the tool's own ends as INVALID (status 12), one that a part is missing of as INCOMPLETE
    (13); missed thresholds, those that too few samples leave open, too many errors and regressions are
    status 8.
    """
    if report.definitions:
        return _definitions()
    return await _run(session, Wishes(target, lease, load, work, judge, report, shard))


def _definitions() -> Outcome:
    from harpoon_cli.bench.judging.definitions import DEFINITIONS
    from harpoon_cli.cli.bench.data import BenchData
    from harpoon_cli.cli.bench.views import definition_views

    return Outcome(data=BenchData(definitions=DEFINITIONS), views=definition_views())


async def _run(session: Session, wishes: Wishes) -> Outcome:
    # Whatever may be wrong with the command line is found before anything is leased or sent.
    from harpoon_cli.cli.bench.files import need_rows, wanted_files
    from harpoon_cli.cli.bench.parts import shard_of

    if wishes.lease.cycles is not None:
        refuse_load(wishes)
    refuse_beside(wishes)
    files = wanted_files(wishes.report)
    baseline, thresholds = _held_against(wishes.judge)
    plan = plan_of(wishes.load, wishes.work)
    with TemporaryDirectory(prefix="harpoon-bench-") as folder:
        rows_in = Path(folder) if need_rows(files) else None
        course = Course(plan, thresholds, wishes, rows_in, shard_of(wishes.shard, plan, wishes.report.out))
        settle_models(session, course)
        return await _course(session, course, files, baseline)


def _held_against(judge: JudgeOptions) -> tuple[Report | None, tuple[Threshold, ...]]:
    """The baseline and the thresholds, where there are any: most runs load nothing for them."""
    baseline: Report | None = None
    thresholds: tuple[Threshold, ...] = ()
    if judge.baseline is None and judge.max_regression is not None:
        raise UsageFault(
            "--max-regression needs --baseline", hint="--baseline FILE, or harpoon bench compare"
        )
    if judge.baseline is not None:
        from harpoon_cli.cli.bench.files import read_report

        baseline = read_report(judge.baseline)
    if judge.slo is not None:
        from harpoon_cli.bench.judging.slo import parse

        thresholds = parse(judge.slo)
    return baseline, thresholds


async def _course(
    session: Session, course: Course, files: Sequence[Wanted], baseline: Report | None
) -> Outcome:
    try:
        await _fire_and_finish(session, course)
    except asyncio.CancelledError:
        session.so_far = _outcome(session, course, files, baseline)
        raise
    except HarpoonError as trouble:
        cycles_done = course.lease is not None and course.lease.released_s
        if not cycles_done and (course.run is None or not course.run.stages):
            raise
        course.troubles.append(trouble)
    return _outcome(session, course, files, baseline)


def _outcome(session: Session, course: Course, files: Sequence[Wanted], baseline: Report | None) -> Outcome:
    from harpoon_cli.cli.bench.outcomes import outcome_of

    return outcome_of(session, course, files, baseline)


async def _fire_and_finish(session: Session, course: Course) -> None:
    try:
        await _fire(session, course)
    finally:
        if course.run is not None:  # not before the lease is given back, which it would only keep
            with _said(session.screen, course.run.left_bytes):
                await course.run.finish()


def _said(screen: Screen, left_bytes: int) -> AbstractContextManager[None]:
    """What says that samples are looked at, for as long as that takes, where it is more than a moment."""
    if left_bytes <= MOMENT_BYTES:
        return nullcontext()
    if screen.terminal.err.live:
        return screen.step("samples")
    screen.line(f"bench: looking at the last samples, {left_bytes / 2**20:,.1f} MB")
    return nullcontext()


async def _fire(session: Session, course: Course) -> None:
    wishes = course.wishes
    if wishes.target.endpoint is not None:
        refuse_terms(wishes.lease, "the server of --endpoint is not leased")
        await on_named_server(session, course)
        return
    if wishes.shard.shard is not None and wishes.lease.lease is None:
        raise UsageFault(
            "each part would lease a slice of its own",
            hint="lease one first (harpoon allocate), and give every part its --lease, or an --endpoint",
        )
    # Only for this: it loads all that leasing needs.
    from harpoon_cli.cli.bench.on_lease import on_lease

    await on_lease(session, course)


@command(
    app,
    "bench compare",
    data="harpoon_cli.bench.judging.compare:Comparison",
    examples=[
        ("bench compare old.json new.json", "status 8 where anything is worse, and not by chance"),
        ("bench compare old.json new.json --max-regression 5% --report pr.md", "for a pull request"),
    ],
)
async def compare(
    session: Session,
    old: Annotated[Path, Argument(metavar="OLD", help="A result that bench --out wrote.")],
    new: Annotated[Path, Argument(metavar="NEW", help="The result to hold against it.")],
    max_regression: Annotated[
        float | None,
        Option(
            "--max-regression",
            parser=percent,
            metavar="PERCENT",
            help="How much worse a figure may be than it was.",
        ),
    ] = None,
    report: Annotated[
        list[Path] | None,
        Option("--report", metavar="FILE", help="The comparison by its suffix: .md .json. Repeats."),
    ] = None,
) -> Outcome:
    """Compare two results figure by figure, by a test that tells a change from chance.

    A figure has regressed where it is worse than chance explains, and by more than --max-regression; the
    status is then 8. Where --max-regression is given it is 8 as well for figures of which there are too few
    samples to know.
    """
    from harpoon_cli.cli.bench.outcomes import comparison_outcome

    return comparison_outcome(session, old, new, max_regression, report or [])


@command(
    app,
    "bench merge",
    data=DATA,
    examples=[
        ("bench merge part-*.json --report run.html", "the parts that bench --shard wrote, as one run"),
    ],
)
async def merge(
    session: Session,
    parts: Annotated[list[Path], Argument(metavar="FILE...", help="What bench --shard wrote with --out.")],
    out: Annotated[
        Path | None,
        Option("--out", metavar="FILE", help="The whole result as JSON, to compare with and to merge."),
    ] = None,
    report: Annotated[
        list[Path] | None,
        Option(
            "--report", metavar="FILE", help="A report by its suffix: .html .md .csv .xml .json. Repeats."
        ),
    ] = None,
    save_result: Annotated[
        Path | None,
        Option("--save-result", metavar="FILE", help="The result under the names of vLLM's files."),
    ] = None,
) -> Outcome:
    """Put the parts of a run together: the same counts as one process would have had, and one verdict.

    A part that is missing makes the run INCOMPLETE (status 13).
    """
    from harpoon_cli.cli.bench.files import wanted_files
    from harpoon_cli.cli.bench.outcomes import merged_outcome
    from harpoon_cli.cli.bench.parts import read_parts

    files = wanted_files(ReportOptions(out=out, report=report, save_result=save_result))
    return merged_outcome(session, read_parts(parts), files)
