"""The plan of a run: which load, of what work, by which seed; it says what to send and when, and no more.

Everything follows from the plan alone. A shard is a part of it by number: (number, of) takes every of-th
conversation, or ask that belongs to none, so that the shards together are the plan, each index once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from random import Random
from typing import TypeVar

from harpoon_cli.bench import shapes
from harpoon_cli.bench import work as works
from harpoon_cli.bench.asking.asks import Order, Work
from harpoon_cli.bench.asking.rows import open_file
from harpoon_cli.bench.planning import warmup
from harpoon_cli.bench.planning.load import Load, Shape, StageResult
from harpoon_cli.bench.planning.mix import Mix, mix_of, part_of
from harpoon_cli.bench.planning.warmup import DETECTED, WarmUp
from harpoon_cli.bench.recording.sample import Ask, Shot
from harpoon_cli.bench.shapes import trace
from harpoon_cli.bench.work.trace import Trace
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct, replace

Shard = tuple[int, int]
"""Which part of a plan: its number, from 0, and of how many."""

WHOLE: Shard = (0, 1)

VERSION = 1
"""Raised when the same plan would make other asks or times than before."""


class Plan(Struct, frozen=True):
    """What a run does. `UsageFault` where nothing would end it.

    model is asked where prompts are not routed, and names what is asked where a mix of several is. stage and
    first_index are those of one stage of a search: they give it arrivals and prompts of its own.
    """

    load: Load
    work: Work
    model: str
    seed: int = 0
    warm_up: WarmUp = DETECTED
    stage: int = 0
    first_index: int = 0
    mix: Mix | None = None

    def __post_init__(self) -> None:
        if isinstance(self.load, Shape) and self.load.endless:
            raise UsageFault(
                f"the load {shapes.write(self.load)} has no end", hint="give it for=60s or requests=1000"
            )


def shots(
    plan: Plan,
    shard: Shard = WHOLE,
    *,
    route: Callable[[str], str] | None = None,
    count: Callable[[str], int] | None = None,
) -> Iterator[Shot]:
    """The shots of a shard in the order of their index, made as they are taken.

    A closed loop that ends by time gives more shots than fit: whoever fires them stops at `ends_s`. route
    names the model for a text, count its tokens; both must answer alike for every shard. Files are read
    before the first shot is asked for. `UsageFault` where a file cannot be used, or the shard is none.
    """
    shape = _shape(plan)
    places(plan, shard)
    due = shape.due(Random(f"{plan.seed}/{plan.stage}/arrivals"))  # noqa: S311 - a load, not a secret
    return _paired(islice(_until(due, shape.ends_s), shape.requests), _asks(plan, shape, shard, route, count))


def places(plan: Plan, shard: Shard = WHOLE) -> int | None:
    """How many requests a shard may have under way at once; None: as many as are due.

    `UsageFault` where there is no such shard, or it would have none.
    """
    number, of = shard
    if not 0 <= number < of:
        raise UsageFault(f"there is no shard {number} of {of}", hint="they are numbered from 0")
    most = _shape(plan).most_at_once
    if most is None:
        return None
    if of > most:
        raise UsageFault(
            f"{most} requests at once cannot be shared by {of}", hint="use fewer shards, or more requests"
        )
    return most // of + (number < most % of)


def ends_s(plan: Plan) -> float | None:
    """When a closed loop starts its last request at the latest, in seconds after the start; None: time ends
    nothing.

    An open load ends with its last shot: one that is late, or waits for a place, is sent all the same, or
    what a slow server made wait would be left out of its figures.
    """
    shape = _shape(plan)
    return None if shape.at_once is None else shape.ends_s


def next_stage(plan: Plan, results: Sequence[StageResult]) -> Plan | None:
    """The plan of the stage after those that gave `results`; None where the run is done.

    A load that is no search has one stage. `plan` is the same at every call.
    """
    shape = plan.load.next_stage(results)
    if shape is None:
        return None
    first = results[-1].next_index if results else plan.first_index
    return replace(plan, load=shape, stage=len(results), first_index=first)


def recorded_work(load: Load) -> Work | None:
    """The prompts that belong to a load: those of its trace; None where it is no trace."""
    if not isinstance(load, trace.Trace):
        return None
    return Trace(path=load.path, format=load.format, from_s=load.from_s, bad_rows=load.bad_rows)


def data(plan: Plan) -> dict[str, str | int | list[str]]:
    """The plan as plain values, to be sent to other machines or kept with the results."""
    return {
        "version": VERSION,
        "load": shapes.write(plan.load),
        "work": works.write(plan.work),
        "model": plan.model,
        "seed": plan.seed,
        "warm_up": str(plan.warm_up),
        "stage": plan.stage,
        "first_index": plan.first_index,
        "mix": [str(part) for part in plan.mix.parts] if plan.mix else [],
    }


def restored(values: Mapping[str, object]) -> Plan:
    """The plan that `data` was made of; `UsageFault` where these are no such values, or another version's."""
    if values.get("version") != VERSION:
        raise UsageFault(
            "this plan was made by another version of harpoon", hint="use one version everywhere"
        )
    try:
        text = {name: _typed(values, name, str) for name in ("load", "work", "model", "warm_up")}
        number = {name: _typed(values, name, int) for name in ("seed", "stage", "first_index")}
        warm_up = warmup.parse(text["warm_up"])
        mix = mix_of([part_of(one) for one in _texts(values, "mix")])
    except ValueError as cause:
        raise UsageFault(f"this is not a plan: {cause}") from cause
    load, work = shapes.parse(text["load"]), works.parse(text["work"])
    return Plan(
        load=load,
        work=work,
        model=text["model"],
        seed=number["seed"],
        warm_up=warm_up,
        stage=number["stage"],
        first_index=number["first_index"],
        mix=mix,
    )


def fingerprint(plan: Plan) -> str:
    """The same hexadecimal text for equal plans over files of equal content, and another for any other."""
    files = {"path": "as digested"}
    values = data(plan) | {"load": shapes.write(plan.load, files), "work": works.write(plan.work, files)}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for path in (*plan.load.files, *plan.work.files):
        with open_file(path) as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _shape(plan: Plan) -> Shape:
    if not isinstance(plan.load, Shape):
        raise TypeError("a search has no shots of its own: ask for its next stage")
    return plan.load


def _until(due: Iterator[float | None], ends_s: float | None) -> Iterator[float | None]:
    if ends_s is None:
        return due
    return takewhile(lambda due_s: due_s is None or due_s < ends_s, due)


def _asks(
    plan: Plan,
    shape: Shape,
    shard: Shard,
    route: Callable[[str], str] | None,
    count: Callable[[str], int] | None,
) -> Iterator[Ask | None]:
    number, of = shard
    order = Order(
        seed=plan.seed,
        first_index=plan.first_index,
        mine=lambda key: key % of == number,
        model_of=_model_of(plan, route),
        count=count,
        at_once=shape.at_once,
    )
    return plan.work.asks(order)


def _model_of(plan: Plan, route: Callable[[str], str] | None) -> Callable[[int, str], str]:
    if route is not None:
        return lambda key, text: route(text)
    if plan.mix is None:
        return lambda key, text: plan.model
    by_number = plan.mix.by_number(plan.seed)
    return lambda key, text: by_number(key)


def _paired(due: Iterator[float | None], asks: Iterator[Ask | None]) -> Iterator[Shot]:
    for due_s, ask in zip(due, asks, strict=False):
        if ask is not None:
            yield Shot(ask, due_s)


T = TypeVar("T", str, int)


def _typed(values: Mapping[str, object], name: str, kind: type[T]) -> T:
    found = values.get(name)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise ValueError(f"its {name} is {str(found)[:60]!r}")  # noqa: TRY004 - a fault of the file
    return found


def _texts(values: Mapping[str, object], name: str) -> list[str]:
    found = values.get(name)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"its {name} is {str(found)[:60]!r}")
    return found
