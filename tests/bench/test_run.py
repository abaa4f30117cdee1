"""Runs of whole plans by real engine processes against real servers: stages, parts, and every early end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harpoon_cli.bench.judging.result import Judged, report_of, shown_stage
from harpoon_cli.bench.judging.slo import parse as slo
from harpoon_cli.bench.judging.slo import request_limits
from harpoon_cli.bench.judging.verdict import Validity
from harpoon_cli.bench.planning.plan import Plan
from harpoon_cli.bench.planning.warmup import WarmUp
from harpoon_cli.bench.recording.recorder import Recorder
from harpoon_cli.bench.run import Run, Terms
from harpoon_cli.bench.shapes import parse as load
from harpoon_cli.bench.spreading.shards import ShardResult, merged, read, shard_result, text_of
from harpoon_cli.bench.work import parse as work
from harpoon_cli.errors import NotSent, StorageFault, UsageFault
from tests.bench.engine.range import CHAT, Gate, served, target
from tests.bench.simulated import FACTS
from tests.servers import FaultyServer, always, run, silent_after, stream

CHAT_ANSWER = stream(*CHAT)


def plan(shape: str, *, seed: int = 1) -> Plan:
    return Plan(load(shape), work("synthetic:input=4,output=4"), "a-model", seed=seed, warm_up=WarmUp())


def terms(server: FaultyServer, **more: object) -> Terms:
    return Terms(target(server.port), deadline_s=20, **more)  # type: ignore[arg-type]  # fields there are


def made(one: Run) -> Run:
    run(one.fire())
    return one


def prompts(server: FaultyServer) -> Counter[str]:
    return Counter(request.body.decode() for request in server.requests)


def part(server: FaultyServer, number: int, of: int) -> ShardResult:
    one = made(Run(plan("closed:concurrency=4,requests=60"), terms(server), shard=(number, of)))
    return shard_result(one, (number, of), FACTS, slo=None, max_error_rate=0.0, price=None)


def counts(recorder: Recorder) -> Mapping[str, object]:
    names = ("started", "completed", "failed", "chunks", "output_tokens", "input_tokens")
    gaps = recorder.histogram("itl").finite
    return {name: recorder.total(name) for name in names} | {"gaps": gaps}


def test_engine_processes_together_send_the_plan_that_one_of_them_would() -> None:
    with served(always(CHAT_ANSWER)) as server:
        alone = made(Run(plan("closed:concurrency=4,requests=60"), terms(server)))
        by_one = prompts(server)
        server.requests.clear()
        together = made(Run(plan("closed:concurrency=4,requests=60"), terms(server, processes=2)))
    assert prompts(server) == by_one
    assert set(by_one.values()) == {1}
    assert counts(alone.stages[0].recorder) == counts(together.stages[0].recorder)
    assert len(together.stages[0].watches) == 2
    assert alone.missing == together.missing == []


def test_parts_that_were_made_apart_add_up_to_the_whole() -> None:
    with served(always(CHAT_ANSWER)) as server:
        whole = made(Run(plan("closed:concurrency=4,requests=60"), terms(server)))
        by_one = prompts(server)
        server.requests.clear()
        parts = [read(text_of(part(server, number, 2)), "a file") for number in (1, 0)]
    found = merged(parts)
    assert prompts(server) == by_one
    assert counts(found.stage.recorder) == counts(whole.stages[0].recorder)
    assert (found.missing, found.plan) == ((), whole.plan)


def test_a_part_that_is_missing_twice_there_or_of_another_run_is_told() -> None:
    with served(always(CHAT_ANSWER)) as server:
        one = part(server, 0, 2)
        other = made(Run(plan("closed:concurrency=4,requests=60", seed=2), terms(server), shard=(1, 2)))
    alone = merged([one])
    assert alone.missing == ("of 2 parts these are missing: 1",)
    report = report_of(alone.facts, alone.plan, [alone.stage], Judged(missing=alone.missing))
    assert report.verdict.validity is Validity.INCOMPLETE
    with pytest.raises(UsageFault, match="part 0 of 2 is there twice"):
        merged([one, one])
    foreign = shard_result(other, (1, 2), FACTS, slo=None, max_error_rate=0.0, price=None)
    with pytest.raises(UsageFault, match="not of one run: their plan_digest differs"):
        merged([one, foreign])
    with pytest.raises(UsageFault, match="nothing to put together"):
        merged([])


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"schema": "harpoon.bench/1"}', "[" * 5000])
def test_a_file_that_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match=r"no result of a load test|is not JSON") as fault:
        read(text, "a file")
    assert "harpoon bench ... --shard I/N --out FILE writes" in (fault.value.hint or "")


def test_a_search_goes_from_stage_to_stage_and_asks_nothing_twice() -> None:
    shape = "sweep:over=concurrency,from=1,to=4,each=20s,requests=12,refine=1"
    with served(always(CHAT_ANSWER)) as server:
        kept = slo("e2e_p50=9s")
        one = made(Run(plan(shape), terms(server, thresholds=kept, limits=request_limits(kept))))
    levels = [stage.result.level for stage in one.stages]
    assert levels[:2] == [1.0, 2.0]
    assert len(server.requests) == 12 * len(levels)
    assert set(prompts(server).values()) == {1}
    assert all(stage.result.meets_slo for stage in one.stages)
    report = report_of(FACTS, one.plan, one.stages, Judged(thresholds=kept))
    assert report.sweep is not None
    assert [stage.level for stage in report.sweep.stages] == levels
    assert report.sweep.largest_within_slo == report.sweep.shown
    assert shown_stage(one.stages, report).result.level == report.sweep.shown
    assert report.run.max_concurrency == int(report.sweep.shown)


def test_a_run_that_is_cancelled_keeps_what_came_until_then() -> None:
    gate = Gate(1_000_000, CHAT_ANSWER)

    async def cancelled() -> Run:
        one = Run(plan("closed:concurrency=3,for=1h"), terms(server))
        firing = asyncio.create_task(one.fire())
        while gate._now < 3:
            await asyncio.sleep(0.01)
        firing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await firing
        return one

    with served(gate.script) as server:
        one = run(cancelled())
    assert one.stages[0].recorder.errors == {"stopped": 3}
    assert len(one.stages[0].watches) == 1
    assert one.missing[0].startswith("it was stopped after")
    assert children() == set()


def test_a_run_ends_at_its_longest_duration_and_says_that_it_is_not_whole() -> None:
    with served(silent_after(b"")) as server:
        one = made(Run(plan("closed:concurrency=2,for=1h"), terms(server, max_duration_s=1.5)))
    assert one.missing[0].endswith("by --max-duration")
    assert set(one.stages[0].recorder.errors) <= {"stopped"}


def test_a_search_ends_where_a_part_of_it_is_missing() -> None:
    with served(silent_after(b"")) as server:
        shape = "sweep:over=rate,from=50,to=100,each=1h"
        one = made(Run(plan(shape), terms(server, max_duration_s=1.5)))
    assert len(one.missing) == 1
    assert len(one.stages) <= 1


def test_an_engine_process_that_is_killed_makes_the_run_incomplete_and_nothing_is_sent_again() -> None:
    async def killed() -> Run:
        one = Run(plan("closed:concurrency=4,requests=40"), terms(server, processes=2))
        firing = asyncio.create_task(one.fire())
        while gate._now < 4:
            await asyncio.sleep(0.01)
        os.kill(min(children()), signal.SIGKILL)
        while len(server.requests) < 4:
            await asyncio.sleep(0.01)
        server_loop_open(gate)
        await firing
        return one

    gate = Gate(1_000_000, CHAT_ANSWER)
    with served(gate.script) as server:
        server_loop_open = opener(server)
        one = run(killed())
    assert len(one.missing) == 1
    assert "of 2 was ended by signal 9" in one.missing[0]
    assert max(prompts(server).values()) == 1
    assert one.stages[0].recorder.total("completed") < 40
    report = report_of(FACTS, one.plan, one.stages, Judged(missing=tuple(one.missing)))
    assert report.verdict.validity is Validity.INCOMPLETE
    assert children() == set()


def opener(server: FaultyServer) -> Callable[[Gate], None]:
    """Opens a gate from another thread than its server's."""

    def opened(gate: Gate) -> None:
        server._server.get_loop().call_soon_threadsafe(gate._open.set)

    return opened


def children() -> set[int]:
    """The processes that this one has started and that are not over."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for file in tasks for pid in file.read_text().split()}


def test_a_host_that_is_not_there_ends_the_run_with_its_own_error() -> None:
    there = target(80)
    nowhere = Terms(type(there)("no-such-host.invalid", 80, "/", "openai"))
    one = Run(plan("closed:concurrency=1,requests=1"), nowhere)
    with pytest.raises(NotSent, match=r"no-such-host\.invalid cannot be resolved"):
        made(one)
    assert one.stages == []


def test_rows_are_kept_for_the_reports_that_want_them(tmp_path: Path) -> None:
    with served(always(CHAT_ANSWER)) as server:
        one = made(Run(plan("closed:concurrency=2,requests=6"), terms(server, rows_in=tmp_path)))
        rows = one.stages[0].rows
        assert rows is not None
        assert len(rows.read_text().splitlines()) == 7
        missing = terms(server, rows_in=tmp_path / "gone")
        with pytest.raises(StorageFault, match="cannot be written"):
            made(Run(plan("closed:concurrency=2,requests=6"), missing))


def test_what_engines_have_sent_is_recorded_once_the_target_is_needed_no_more() -> None:
    async def apart() -> tuple[int, Run]:
        one = Run(plan("closed:concurrency=2,requests=6"), terms(server))
        await one.load()
        stages = len(one.stages)
        await one.finish()
        await one.finish()
        return stages, one

    with served(always(CHAT_ANSWER)) as server:
        before, one = run(apart())
    assert (before, len(one.stages)) == (0, 1)
    assert one.stages[0].recorder.total("completed") == 6
