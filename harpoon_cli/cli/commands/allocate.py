"""Lease a GPU slice and keep it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from typer import Option

from harpoon_cli.cli.arguments import (
    MaxCostOption,
    ModelOption,
    PoolOption,
    TimeoutOption,
    TtlOption,
    memory,
    number,
)
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.failovers import Failover
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Gpu, LeaseRecord, Money, Pool, PoolId, Price, Receipt, Requirements
from harpoon_cli.errors import UsageFault, release_command
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Facts, Outcome, Tone
from harpoon_cli.values import Struct

app = new_app()


class AllocateData(Struct, frozen=True):
    """lease_id is None for a dry run. Seconds are measured; worst_case_cost is that of the whole TTL.

    failovers are the pools that had no such slice before.
    """

    dry_run: bool
    lease_id: str | None
    reference: str | None
    pool_id: str
    gpu: Gpu | None
    price: Price | None
    ttl_s: int
    worst_case_cost: Money | None
    accept_s: float | None
    ready_s: float | None
    expires_at: datetime | None
    failovers: tuple[Failover, ...]


@command(
    app,
    "allocate",
    data=AllocateData,
    examples=[
        ("allocate --model qwen-30b", "lease what the model needs, from the cheapest pool that fits"),
        ("allocate --vram 20GB --tflops 30 --ttl 1h --max-cost 2.50", "a slice by size, with a ceiling"),
        ("allocate -m mistral-7b --dry-run", "show what would be leased, and lease nothing"),
        ("id=$(harpoon allocate -m gemma-2b -q) && harpoon infer --lease $id -m gemma-2b Hi", "in a script"),
    ],
)
async def allocate(
    session: Session,
    model: ModelOption = None,
    vram: Annotated[
        int | None,
        Option("--vram", parser=memory, metavar="SIZE", help="Memory, such as 20GB or 20480 (MB)."),
    ] = None,
    tflops: Annotated[
        float | None, Option("--tflops", parser=number, help="Dense FP16 TFLOPS.", metavar="NUMBER")
    ] = None,
    pool: PoolOption = None,
    ttl: TtlOption = None,
    wait: Annotated[bool, Option("--wait/--no-wait", help="Wait until the slice can be used.")] = True,
    timeout: TimeoutOption = None,
    max_cost: MaxCostOption = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what would be leased; lease nothing.")] = False,
) -> Outcome:
    """Lease a GPU slice that fits a model or a size, and keep it until its end or `harpoon release`.

    Prints the lease's id, its pool and slice, how long the platform took to accept it and to make it ready,
    what an hour costs, and when the platform ends it.
    """
    from harpoon_cli.cli.allocating import Wish, keep, planned
    from harpoon_cli.cli.placement import known_pools

    wanted, allowed = _wanted(session, model, vram, tflops)
    wish = Wish(wanted, allowed, pool, ttl, max_cost, timeout, wait)
    pools = await known_pools(session)
    if dry_run:
        chosen, terms = planned(session, wish, pools)
        return _outcome(_planned(chosen, wanted, terms.ttl_s, terms.worst))
    kept = await keep(session, wish, pools)
    assert kept.record is not None, "without a lease there is an error"
    taken = _taken(kept.record, kept.worst_case_cost, tuple(kept.failovers))
    return _outcome(taken, session.receipt)


def _wanted(
    session: Session, model: str | None, vram: int | None, tflops: float | None
) -> tuple[Requirements, Sequence[PoolId]]:
    """What the slice must offer, and the only pools it may come from (none named: any)."""
    if model is not None:
        if vram is not None or tflops is not None:
            raise UsageFault(
                "a model already says how large the slice must be",
                hint="give either --model, or --vram and --tflops",
            )
        entry = session.catalogue.find(model)
        return entry.requirements, entry.pools
    if vram is None:
        raise UsageFault(
            "say what to lease", hint="--model NAME (harpoon models), or --vram 20GB --tflops 30"
        )
    return Requirements(vram_mb=vram, tflops=tflops or 0.0), ()


def _planned(pool: Pool, wanted: Requirements, ttl_s: int, worst: Money | None) -> AllocateData:
    return AllocateData(
        dry_run=True,
        lease_id=None,
        reference=None,
        pool_id=pool.id,
        gpu=Gpu(pool.gpu_model, wanted.vram_mb, wanted.tflops),
        price=pool.price,
        ttl_s=ttl_s,
        worst_case_cost=worst,
        accept_s=None,
        ready_s=None,
        expires_at=None,
        failovers=(),
    )


def _taken(record: LeaseRecord, worst: Money | None, failovers: tuple[Failover, ...]) -> AllocateData:
    return AllocateData(
        dry_run=False,
        lease_id=record.lease_id,
        reference=record.reference,
        pool_id=record.request.pool_id,
        gpu=record.gpu,
        price=record.price,
        ttl_s=record.request.ttl_s,
        worst_case_cost=worst,
        accept_s=_seconds(record.intended_at, record.accepted_at),
        ready_s=_seconds(record.intended_at, record.ready_at),
        expires_at=record.expires_at,
        failovers=failovers,
    )


def _seconds(began: datetime, ended: datetime | None) -> float | None:
    return None if ended is None else (ended - began).total_seconds()


def _outcome(data: AllocateData, receipt: Receipt | None = None) -> Outcome:
    facts: list[tuple[str, Cell | str]] = [
        ("lease", Cell(data.lease_id, Tone.STRONG) if data.lease_id else "none: this is a dry run"),
        ("pool", data.pool_id),
        ("slice", words.gpu(data.gpu)),
        ("accepted after", words.duration(data.accept_s)),
        ("ready after", words.duration(data.ready_s)),
        ("price", words.price(data.price)),
        ("at most", words.money(data.worst_case_cost)),
        ("ends", words.instant(data.expires_at) if data.expires_at else f"{words.span(data.ttl_s)} after"),
    ]
    if data.lease_id is not None:
        facts.append(("release with", release_command(data.lease_id)))
    return Outcome(
        data=data, views=[Facts(facts)], ids=[data.lease_id] if data.lease_id else [], receipt=receipt
    )
