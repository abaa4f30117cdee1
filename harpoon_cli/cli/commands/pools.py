"""Show the pools: what they have, what is free, what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from typer import Option

from harpoon_cli.cli import seen
from harpoon_cli.cli.arguments import IntervalOption, WatchOption
from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.session import Session
from harpoon_cli.cli.watching import watch as watch_it
from harpoon_cli.domain import Model, Pool
from harpoon_cli.errors import NotOffered
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Outcome, Table, Tone
from harpoon_cli.values import Struct

app = new_app()

COLUMNS = (
    Column("pool", "pool"),
    Column("gpu", "gpu"),
    Column("slices", "slices free", right=True),
    Column("vram_free", "vram free", right=True),
    Column("tflops_free", "tflops free", right=True),
    Column("sharing", "shared by", right=True, minor=True),
    Column("price", "price quoted", right=True),
    Column("allocated", "leased", right=True, minor=True),
    Column("actual", "in use", right=True, minor=True),
    Column("region", "region", minor=True),
    Column("status", "status"),
)


class PoolRow(Struct, frozen=True):
    """A pool, and with --fits what keeps the model out of it now (nothing: it fits)."""

    pool: Pool
    fits: bool | None
    obstacles: tuple[str, ...]


class PoolsData(Struct, frozen=True):
    """offered is false where the platform does not list its pools; fits is the model asked about."""

    offered: bool
    fits: str | None
    pools: tuple[PoolRow, ...]


@command(
    app,
    "pools",
    data=PoolsData,
    examples=[
        ("pools", "every pool"),
        ("pools --fits qwen-30b", "which could hold this model now, and why not the others"),
        ("pools --watch", "the same, again and again"),
        ("pools -o json | jq '.data.pools[].pool.id'", "for a script"),
    ],
)
async def pools(
    session: Session,
    fits: Annotated[
        str | None, Option("--fits", metavar="MODEL", help="Say which pools could hold this model now.")
    ] = None,
    watch: WatchOption = False,
    interval: IntervalOption = 5.0,
) -> Outcome:
    """Show the pools: GPU kind, free slices, memory and compute, how many share a card, price, use, health.

    "leased" is what leases reserve, "in use" what they really use; "-" is what the platform does not say.
    """
    model = session.catalogue.find(fits) if fits else None
    if watch:
        await watch_it(session, lambda: _snapshot(session, model), interval)
    return await _snapshot(session, model)


async def _snapshot(session: Session, model: Model | None) -> Outcome:
    name = model.name if model else None
    try:
        found = await session.platform().control.pools()
    except NotOffered as lack:
        return Outcome(
            data=PoolsData(offered=False, fits=name, pools=()),
            errors=[lack],
        )
    seen.remember_pools(pool.id for pool in found)
    rows = tuple(_row(pool, model) for pool in found)
    return Outcome(
        data=PoolsData(offered=True, fits=name, pools=rows),
        views=[_table(rows, model)],
        ids=[row.pool.id for row in rows if row.fits is not False],
    )


def _row(pool: Pool, model: Model | None) -> PoolRow:
    if model is None:
        return PoolRow(pool, None, ())
    obstacles = pool.obstacles(model.requirements)
    if model.pools and pool.id not in model.pools:
        obstacles = (f"{model.name} may not use it", *obstacles)
    return PoolRow(pool, not obstacles, obstacles)


def _table(rows: Sequence[PoolRow], model: Model | None) -> Table:
    columns = (*COLUMNS, Column("fits", f"fits {model.name}")) if model else COLUMNS
    return Table(columns, [_cells(row) for row in rows], empty="the platform has no pools")


def _cells(row: PoolRow) -> list[Cell | str]:
    pool = row.pool
    cells: list[Cell | str] = [
        Cell(pool.id, Tone.STRONG),
        pool.gpu_model,
        words.of(pool.free_slices, pool.total_slices),
        words.memory(pool.vram_free_mb),
        words.number(pool.tflops_free),
        words.number(pool.sharing_ratio),
        words.hourly(pool.price),
        words.percent(pool.allocated_percent),
        words.percent(pool.actual_percent),
        pool.region or words.UNKNOWN,
        _status(pool),
    ]
    if row.fits is not None:
        cells.append(Cell("yes", Tone.GOOD) if row.fits else Cell("; ".join(row.obstacles), Tone.WARN))
    return cells


def _status(pool: Pool) -> Cell:
    if pool.status is None:
        return Cell(words.UNKNOWN)
    return Cell(pool.status, Tone.WARN if pool.out_of_service else Tone.GOOD)
