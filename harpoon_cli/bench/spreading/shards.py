"""The parts of a run that were made apart, as files, and put together again; it runs and writes nothing.

A part is a pure function of the plan, its number and of how many, so that any machine may make it; together
they are the plan, each request once. Their counts add up to exactly what one process would have counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from harpoon_cli.bench.judging.report import RunFacts
from harpoon_cli.bench.judging.slo import parse as parse_slo
from harpoon_cli.bench.planning.plan import Plan, Shard, data, fingerprint, restored
from harpoon_cli.bench.planning.stage import stage_result
from harpoon_cli.bench.recording.by_model import recordings, together
from harpoon_cli.bench.recording.from_text import from_text
from harpoon_cli.bench.recording.kept import Recording
from harpoon_cli.bench.recording.recorder import from_recording, merge
from harpoon_cli.bench.recording.watched import Watched
from harpoon_cli.bench.run import Run, StageRun
from harpoon_cli.bench.spreading.skew import Skew, by_own_clocks
from harpoon_cli.domain import Price
from harpoon_cli.errors import UsageFault
from harpoon_cli.plain import plain
from harpoon_cli.values import Struct, field, replace

SCHEMA = "harpoon.bench.shard/1"

MADE_BY = "harpoon bench ... --shard I/N --out FILE"
"""The command that writes a part."""


class ShardResult(Struct, frozen=True):
    """What came of the number-th of `of` parts, counted from 0.

    plan: as JSON; plan_digest: equal for equal plans over equal files. slo, max_error_rate: what the whole is
    to be held against. missing: what of this part is not there. recording: None where no request was over;
    by_model: one for each model where several were asked.
    """

    schema: str
    number: int
    of: int
    plan: str
    plan_digest: str
    run: RunFacts
    slo: str | None
    max_error_rate: float
    price: Price | None
    recording: Recording | None
    watches: tuple[Watched, ...]
    missing: tuple[str, ...]
    by_model: Mapping[str, Recording] = field(default_factory=dict)


class Merged(Struct, frozen=True):
    """All parts that are there, as one run of one stage, and what is not there, in words."""

    facts: RunFacts
    plan: Plan
    stage: StageRun
    slo: str | None
    max_error_rate: float
    price: Price | None
    missing: tuple[str, ...]
    skew: Skew | None


def shard_result(
    run: Run,
    shard: Shard,
    facts: RunFacts,
    *,
    slo: str | None,
    max_error_rate: float,
    price: Price | None,
) -> ShardResult:
    """The result of a run of one part. `UsageFault` where the plan's files can no longer be read."""
    stage = run.stages[0] if run.stages else None
    return ShardResult(
        schema=SCHEMA,
        number=shard[0],
        of=shard[1],
        plan=json.dumps(data(run.plan)),
        plan_digest=fingerprint(run.plan),
        run=facts,
        slo=slo,
        max_error_rate=max_error_rate,
        price=price,
        recording=stage.recorder.recording() if stage else None,
        watches=stage.watches if stage else (),
        missing=tuple(run.missing),
        by_model=recordings(stage.by_model) if stage else {},
    )


def text_of(result: ShardResult) -> str:
    """The content of its file."""
    return json.dumps(plain(result, all_digits=True), allow_nan=False, separators=(",", ":")) + "\n"


def read(text: str, name: str) -> ShardResult:
    """The part in the text of a file; `name` is what messages call it. `UsageFault` for anything else."""
    result = from_text(ShardResult, text, name, MADE_BY)
    if result.schema != SCHEMA or not 0 <= result.number < result.of:
        raise UsageFault(
            f"{name} is no part of a run that this version of harpoon knows",
            hint=f"name files that {MADE_BY} wrote",
        )
    return result


def merged(parts: Sequence[ShardResult]) -> Merged:
    """All parts as one. `UsageFault` where they are of different runs, or one is there twice."""
    if not parts:
        raise UsageFault("there is nothing to put together", hint="harpoon bench merge FILE…")
    _check_alike(parts)
    _check_once(parts)
    counted = [part for part in parts if part.recording is not None]
    if not counted:
        raise UsageFault("none of the parts has a request that is over", hint="run the load test again")
    first = min(counted, key=lambda part: part.number)
    plan = restored(cast("Mapping[str, object]", json.loads(first.plan)))
    recorder = merge(from_recording(part.recording) for part in counted if part.recording is not None)
    by_model = together((part.by_model for part in counted), recorder.limits)
    watches = tuple(watch for part in counted for watch in part.watches)
    thresholds = parse_slo(first.slo) if first.slo else ()
    result = stage_result(plan, recorder, thresholds, next_index=0)
    began = [min(watch.began for watch in part.watches) for part in counted if part.watches]
    return Merged(
        facts=replace(first.run, started_at=min(part.run.started_at for part in counted)),
        plan=plan,
        stage=StageRun(plan, recorder, watches, result, None, by_model),
        slo=first.slo,
        max_error_rate=first.max_error_rate,
        price=first.price,
        missing=tuple(_missing(parts)),
        skew=by_own_clocks(began),
    )


def _check_alike(parts: Sequence[ShardResult]) -> None:
    first = parts[0]
    for part in parts[1:]:
        for what in ("plan_digest", "of", "slo", "max_error_rate", "price"):
            if getattr(part, what) != getattr(first, what):
                raise UsageFault(
                    f"parts {first.number} and {part.number} are not of one run: their {what} differs",
                    hint="run every part with the same options and the same files",
                )


def _check_once(parts: Sequence[ShardResult]) -> None:
    numbers = [part.number for part in parts]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise UsageFault(
            f"part {twice[0]} of {parts[0].of} is there twice: its requests would count twice",
            hint="name each file once",
        )


def _missing(parts: Sequence[ShardResult]) -> list[str]:
    there = {part.number for part in parts if part.recording is not None}
    lost = [str(number) for number in range(parts[0].of) if number not in there]
    told = [f"part {part.number}: {what}" for part in parts for what in part.missing]
    return told + ([f"of {parts[0].of} parts these are missing: {', '.join(lost)}"] if lost else [])
