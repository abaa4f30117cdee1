"""The sandbox's pools: what `pools.toml` says of them. Knows nothing of leases."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from importlib.resources import files

from harpoon_cli.values import Struct


class PoolSpecification(Struct, frozen=True):
    """Cards of one kind shared by tenants; the figures are of one card, the price of one slice and hour."""

    id: str
    name: str
    gpu_model: str
    cards: int
    card_vram_mb: int
    card_tflops: float
    sharing_ratio: int
    price_per_hour: Decimal
    currency: str
    region: str
    allocation_delay_s: float

    @property
    def slices(self) -> int:
        return self.cards * self.sharing_ratio

    @property
    def vram_mb(self) -> int:
        return self.cards * self.card_vram_mb

    @property
    def tflops(self) -> float:
        return self.cards * self.card_tflops


def built_in_pools() -> tuple[PoolSpecification, ...]:
    """The pools every sandbox has."""
    document = tomllib.loads(files(__package__).joinpath("pools.toml").read_text("utf-8"))
    return tuple(
        PoolSpecification(
            **row | {"price_per_hour": Decimal(row["price_per_hour"]), "currency": document["currency"]}
        )
        for row in document["pools"]
    )
