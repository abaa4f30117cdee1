"""Chooses the pool that a model, or a bare requirement, is leased from; it does not lease."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from harpoon_cli.domain import Pool, PoolId, Requirements
from harpoon_cli.errors import NoSuchPool, NothingFits
from harpoon_cli.routing.names import nearest

_POOLS_TOLD = 5


def choose_pool(
    wanted: Requirements,
    pools: Sequence[Pool],
    preferred: PoolId | None = None,
    allowed: Sequence[PoolId] = (),
) -> Pool:
    """The preferred pool where one is named, else the cheapest that fits now.

    allowed, where not empty, are the only pools it may be. Raises NoSuchPool where the preferred one is not
    in `pools`, NothingFits where nothing can hold `wanted`, ever or now. Equal prices are settled by the
    smaller card, then by id. An unpriced pool comes last; prices in different currencies are not compared
    (the currencies are taken in the order of their names).
    """
    if preferred is not None:
        return _named(wanted, pools, preferred, allowed)
    permitted = [pool for pool in pools if not allowed or pool.id in allowed]
    chosen = cheapest(wanted, permitted)
    if chosen is None:
        raise _nothing(wanted, permitted, allowed)
    return chosen


def pool_named(pools: Sequence[Pool], name: PoolId) -> Pool:
    """The pool of that id; NoSuchPool, with the nearest ids, where there is none."""
    found = next((pool for pool in pools if pool.id == name), None)
    if found is None:
        ids = [pool.id for pool in pools]
        raise NoSuchPool(f"there is no pool {name}", hint=nearest(name, ids) or "see: harpoon pools")
    return found


def cheapest(wanted: Requirements, pools: Sequence[Pool]) -> Pool | None:
    """The cheapest of `pools` that can hold `wanted` now."""
    fitting = [pool for pool in pools if not pool.obstacles(wanted)]
    return min(fitting, key=_cheapness, default=None)


def _cheapness(pool: Pool) -> tuple[bool, str, Decimal, int, str]:
    currency, per_hour = (pool.price.currency, pool.price.per_hour) if pool.price else ("", Decimal(0))
    return pool.price is None, currency, per_hour, pool.gpu_vram_mb or 0, pool.id


def _named(wanted: Requirements, pools: Sequence[Pool], name: PoolId, allowed: Sequence[PoolId]) -> Pool:
    found = pool_named(pools, name)
    if allowed and name not in allowed:
        raise NothingFits(
            f"{_subject(wanted)} may not use pool {name}; its entry names {', '.join(allowed)}",
            hint="see: harpoon models",
        )
    if obstacles := found.obstacles(wanted):
        raise NothingFits(
            f"pool {name} cannot hold {_subject(wanted)}: {', '.join(obstacles)}", hint=_see(wanted)
        )
    return found


def _nothing(wanted: Requirements, pools: Sequence[Pool], allowed: Sequence[PoolId]) -> NothingFits:
    if not pools:
        what = f"none of the pools {', '.join(allowed)}" if allowed else "no pool"
        return NothingFits(f"the platform has {what} for {_subject(wanted)}", hint="see: harpoon pools")
    possible = [pool for pool in pools if not pool.obstacles(wanted, now=False)]
    if possible:
        told = "; ".join(f"{pool.id}: {', '.join(pool.obstacles(wanted))}" for pool in possible[:_POOLS_TOLD])
        return NothingFits(
            f"no pool can hold {_subject(wanted)} now: {told}", hint=f"try again later, or {_see(wanted)}"
        )
    return NothingFits(f"no pool could ever hold {_subject(wanted)}; {_largest(pools)}", hint=_see(wanted))


def _largest(pools: Sequence[Pool]) -> str:
    # Reached only where every pool names a card's figure that is too small.
    roomiest = max(pools, key=lambda pool: (pool.gpu_vram_mb or 0, pool.id))
    fastest = max(pools, key=lambda pool: (pool.gpu_tflops or 0, pool.id))
    return (
        f"the most on one card is {roomiest.gpu_vram_mb or 0} MB ({roomiest.id}) "
        f"and {fastest.gpu_tflops or 0:g} TFLOPS ({fastest.id})"
    )


def _subject(wanted: Requirements) -> str:
    size = f"{wanted.vram_mb} MB and {wanted.tflops:g} TFLOPS"
    return f"{wanted.model} ({size})" if wanted.model else size


def _see(wanted: Requirements) -> str:
    return f"see: harpoon pools --fits {wanted.model}" if wanted.model else "see: harpoon pools"
