"""Which pools there are and which one to lease from, for every command that asks."""

from __future__ import annotations

from collections.abc import Sequence

from harpoon_cli.cli import seen
from harpoon_cli.cli.session import Session
from harpoon_cli.domain import Pool, PoolId, Requirements
from harpoon_cli.errors import ConfigurationFault, NotOffered
from harpoon_cli.routing.placement import choose_pool


async def known_pools(session: Session) -> tuple[Pool, ...] | None:
    """The platform's pools; None, and a note, where it does not list them."""
    platform = session.platform()
    try:
        pools = await platform.control.pools()
    except NotOffered as lack:
        session.screen.note(f"{lack.message}; whether a model fits cannot be checked before it is asked for")
        return None
    seen.remember_pools(pool.id for pool in pools)
    return pools


def place(
    session: Session,
    wanted: Requirements,
    pools: Sequence[Pool] | None,
    named: str | None,
    allowed: Sequence[PoolId] = (),
) -> Pool:
    """The pool to lease from: the named one, the configured one, or the cheapest that fits now.

    Where the platform lists no pools, one must be named, and nothing is known about it but its id.
    """
    name = named or session.settings.platform.pool_id
    preferred = PoolId(name) if name else None
    if pools is not None:
        return choose_pool(wanted, pools, preferred, allowed)
    if preferred is None:
        raise ConfigurationFault(
            "this platform does not list its pools, so one must be named",
            hint="--pool ID, or HOSTED_AI_POOL_ID, or platform.pool_id in the configuration",
        )
    return Pool(id=preferred, name=preferred, gpu_model="unknown")
