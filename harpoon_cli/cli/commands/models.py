"""Show the catalogue of models and the pools they fit."""

from __future__ import annotations

from harpoon_cli.cli.command import command, new_app
from harpoon_cli.cli.placement import known_pools
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Model, Pool, PoolId
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Column, Outcome, Table, Tone
from harpoon_cli.values import Struct

app = new_app()


class ModelRow(Struct, frozen=True):
    """A model; fits_now are the pools that could hold it this moment, None where they are not known."""

    model: Model
    fits_now: tuple[PoolId, ...] | None


class ModelsData(Struct, frozen=True):
    """The whole catalogue, built in and configured."""

    models: tuple[ModelRow, ...]


@command(
    app,
    "models",
    data=ModelsData,
    examples=[
        ("models", "every model, and the pools it fits now"),
        ("models -q", "their names"),
    ],
)
async def models(session: Session) -> Outcome:
    """Show the models: what each needs, and the pools that could hold it now.

    A model of your own is one [models.NAME] table in the configuration.
    """
    pools = await known_pools(session)
    rows = tuple(ModelRow(model, _fits_now(model, pools)) for model in session.catalogue.models.values())
    columns = [
        Column("model", "model"),
        Column("vram", "vram", right=True),
        Column("tflops", "tflops", right=True),
        Column("context", "context", right=True),
        Column("served_name", "served as"),
        Column("origin", "from"),
        Column("fits", "fits now"),
    ]
    return Outcome(
        data=ModelsData(rows),
        views=[Table(columns, [_cells(row) for row in rows])],
        ids=[row.model.name for row in rows],
    )


def _fits_now(model: Model, pools: tuple[Pool, ...] | None) -> tuple[PoolId, ...] | None:
    if pools is None:
        return None
    return tuple(
        pool.id
        for pool in pools
        if not pool.obstacles(model.requirements) and (not model.pools or pool.id in model.pools)
    )


def _cells(row: ModelRow) -> list[Cell | str]:
    model = row.model
    if row.fits_now is None:
        fits = Cell("unknown: the platform lists no pools", Tone.FAINT)
    else:
        fits = Cell(", ".join(row.fits_now)) if row.fits_now else Cell("none", Tone.WARN)
    return [
        Cell(model.name, Tone.STRONG),
        words.memory(model.vram_mb),
        words.number(model.tflops),
        str(model.context_tokens),
        model.served_name,
        model.origin,
        fits,
    ]
