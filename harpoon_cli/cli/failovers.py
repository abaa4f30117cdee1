"""What could not be had and what was asked for in its place, as every command tells it; it asks nobody."""

from __future__ import annotations

from harpoon_cli.cli.session import Session
from harpoon_cli.domain import PoolId, Requirements
from harpoon_cli.values import Struct


class Failover(Struct, frozen=True):
    """What was chosen and could not be had, why, and what was asked for instead.

    The models are None for a slice of which only the size was named. pool_id is the pool that had no slice,
    next_pool_id the one that was asked then; None for a model that a gate removed before anything was asked,
    and for an endpoint that gave no answer.
    """

    model: str | None
    pool_id: PoolId | None
    reason: str
    next_model: str | None
    next_pool_id: PoolId | None = None


def tell_pool(session: Session, failover: Failover, wanted: Requirements) -> None:
    """Say that a pool had no such slice, and what is asked for instead; to whoever asked for quiet too.

    It may cost more than what was chosen.
    """
    what = failover.model or f"a slice of {wanted.vram_mb} MB"
    pool = f"pool {failover.next_pool_id}" if failover.next_pool_id else None
    instead = " in ".join(name for name in (failover.next_model, pool) if name)
    session.screen.warn(
        f"{what} could not be had in pool {failover.pool_id}: {failover.reason}; "
        f"{instead} is asked for instead"
    )
