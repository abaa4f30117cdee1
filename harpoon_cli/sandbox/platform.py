"""The sandbox's rules: who gets a slice, for how long, and what a repeated request means.

Gives JSON-able documents in the contract's words, or raises `Refusal`. Knows neither HTTP headers nor
sockets; the time is what `now` says.

    pending ──ready_at──> active ──expires_at or release──> not found

An ended lease is kept for a day, only to say what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import ceil
from secrets import token_hex

from harpoon_cli.sandbox.pools import PoolSpecification
from harpoon_cli.sandbox.store import Allocation, KeptAnswer, Occupancy, Store
from harpoon_cli.values import Struct, field

Document = dict[str, object]

RETENTION = timedelta(days=1)
"""How long an ended lease and an idempotency key are remembered."""

USE_WINDOW = timedelta(minutes=5)
"""What `actual_percent` looks back on."""

LONGEST_USE = timedelta(minutes=10)
"""An answer whose end was never noted, because its process was killed, counts for this long at most."""


class Refusal(Exception):
    """An answer that says no: an HTTP status, a stable code, a sentence, and what there is to add."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Document | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.details: Document = details or {}
        self.headers = headers or {}


class Order(Struct, frozen=True):
    """A request for a slice, valid by the contract."""

    pool_id: str
    vram_mb: int
    tflops: float
    duration_s: int
    model: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """The same for the same request, however it was written."""
        parts = [self.pool_id, self.vram_mb, self.tflops, self.duration_s, self.model, dict(self.metadata)]
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Accepted(Struct, frozen=True):
    """The answer to an order; `replayed` where an earlier request with the same key got it first."""

    document: Document
    replayed: bool


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SandboxPlatform:
    """The pools and their leases, over one `Store`."""

    def __init__(
        self,
        store: Store,
        pools: Sequence[PoolSpecification],
        *,
        now: Callable[[], datetime] = _utc_now,
        new_id: Callable[[], str] = lambda: f"alloc-{token_hex(6)}",
    ) -> None:
        self._store = store
        self._pools = {pool.id: pool for pool in pools}
        self._now = now
        self._new_id = new_id

    def close(self) -> None:
        self._store.close()

    def pools(self) -> Document:
        """Every pool with what is free now."""
        with self._store.transaction():
            now = self._now()
            taken = self._store.occupancy(now)
            busy_s = self._busy_seconds(now)
        rows = [
            _pool_document(pool, taken.get(pool.id, Occupancy()), busy_s.get(pool.id, 0.0))
            for pool in self._pools.values()
        ]
        return {"pools": rows}

    def allocate(self, order: Order, idempotency_key: str | None = None) -> Accepted:
        """Take a slice, or give the kept answer. The whole of it is one transaction, so that no two
        processes can take the last slice, nor one key become two leases.
        """
        with self._store.transaction():
            now = self._now()
            self._store.forget_before(now - RETENTION)
            if idempotency_key is not None and (kept := self._store.kept_answer(idempotency_key)):
                return Accepted(_same_request(kept, order), replayed=True)
            allocation = self._place(order, now)
            self._store.add(allocation)
            document = allocation_document(allocation, now)
            if idempotency_key is not None:
                self._store.keep_answer(
                    idempotency_key, KeptAnswer(order.digest(), json.dumps(document)), now
                )
            return Accepted(document, replayed=False)

    def allocation(self, allocation_id: str) -> Document:
        with self._store.transaction():
            now = self._now()
            return allocation_document(self._live(allocation_id, now), now)

    def allocations(self, *, limit: int, cursor: str | None = None) -> Document:
        """One page of the live leases; `cursor` is the page before's, a hexadecimal number."""
        with self._store.transaction():
            now = self._now()
            after = 0 if cursor is None else int(cursor, 16)
            found = self._store.live(now, after=after, limit=limit + 1)
        page = found[:limit]
        more = len(found) > limit
        return {
            "allocations": [allocation_document(one, now) for one in page],
            "next_cursor": f"{page[-1].number:x}" if more else None,
        }

    def renew(self, allocation_id: str, duration_s: int) -> Document:
        with self._store.transaction():
            now = self._now()
            self._live(allocation_id, now)
            self._store.move_end(allocation_id, now + timedelta(seconds=duration_s))
            return allocation_document(self._live(allocation_id, now), now)

    def release(self, allocation_id: str) -> Document:
        with self._store.transaction():
            now = self._now()
            document = allocation_document(self._live(allocation_id, now), now)
            self._store.release(allocation_id, now)
            return document | {"status": "released"}

    def require_active(self, allocation_id: str) -> None:
        """Refuse where the lease is not ready, or no more."""
        with self._store.transaction():
            self._active(allocation_id, self._now())

    def begin_use(self, allocation_id: str) -> int:
        """Note that an active lease begins to answer; give the number for `end_use`."""
        with self._store.transaction():
            now = self._now()
            lease = self._active(allocation_id, now)
            return self._store.begin_use(lease.pool_id, now, min(lease.expires_at, now + LONGEST_USE))

    def end_use(self, number: int) -> None:
        with self._store.transaction():
            self._store.end_use(number, self._now())

    def _place(self, order: Order, now: datetime) -> Allocation:
        """A lease for this order; the order must fit a card, and what is free of the pool."""
        pool = self._pool(order.pool_id)
        _must_fit_a_card(pool, order)
        _must_fit_what_is_free(pool, order, self._store.occupancy(now).get(pool.id, Occupancy()))
        return Allocation(
            id=self._new_id(),
            pool_id=pool.id,
            gpu_model=pool.gpu_model,
            vram_mb=order.vram_mb,
            tflops=order.tflops,
            price_per_hour=pool.price_per_hour,
            currency=pool.currency,
            metadata=order.metadata,
            created_at=now,
            ready_at=now + timedelta(seconds=pool.allocation_delay_s),
            expires_at=now + timedelta(seconds=order.duration_s),
        )

    def _pool(self, pool_id: str) -> PoolSpecification:
        if pool_id not in self._pools:
            raise Refusal(
                404, "pool_not_found", f"there is no pool {pool_id}", details={"pools": list(self._pools)}
            )
        return self._pools[pool_id]

    def _live(self, allocation_id: str, now: datetime) -> Allocation:
        found = self._store.find(allocation_id)
        if found is None or not found.is_live(now):
            raise _not_found(allocation_id, found)
        return found

    def _active(self, allocation_id: str, now: datetime) -> Allocation:
        lease = self._live(allocation_id, now)
        if now >= lease.ready_at:
            return lease
        raise Refusal(
            409,
            "allocation_not_ready",
            f"allocation {allocation_id} is still pending",
            details={"ready_at": lease.ready_at.isoformat(timespec="microseconds")},
            headers={"retry-after": str(ceil((lease.ready_at - now).total_seconds()))},
        )

    def _busy_seconds(self, now: datetime) -> dict[str, float]:
        """By pool, the slice-seconds spent answering within the window."""
        busy: dict[str, float] = {}
        for use in self._store.uses(now - USE_WINDOW, now):
            busy[use.pool_id] = busy.get(use.pool_id, 0.0) + (use.ended_at - use.started_at).total_seconds()
        return busy


def allocation_document(allocation: Allocation, now: datetime) -> Document:
    """A live lease in the contract's words."""
    return {
        "allocation_id": allocation.id,
        "status": "active" if now >= allocation.ready_at else "pending",
        "pool_id": allocation.pool_id,
        "gpu": {
            "model": allocation.gpu_model,
            "vram_mb": allocation.vram_mb,
            "tflops": allocation.tflops,
        },
        "price_per_hour": str(allocation.price_per_hour),
        "currency": allocation.currency,
        "created_at": allocation.created_at.isoformat(timespec="microseconds"),
        "expires_at": allocation.expires_at.isoformat(timespec="microseconds"),
        "metadata": dict(allocation.metadata),
    }


def _pool_document(pool: PoolSpecification, taken: Occupancy, busy_s: float) -> Document:
    window_s = USE_WINDOW.total_seconds() * pool.slices
    return {
        "id": pool.id,
        "name": pool.name,
        "gpu_model": pool.gpu_model,
        "region": pool.region,
        "status": "active",
        "total_vgpus": pool.slices,
        "available_vgpus": pool.slices - taken.slices,
        "sharing_ratio": pool.sharing_ratio,
        "price_per_hour": str(pool.price_per_hour),
        "currency": pool.currency,
        "gpu_vram_mb": pool.card_vram_mb,
        "gpu_tflops": pool.card_tflops,
        "vram_total_mb": pool.vram_mb,
        "vram_free_mb": pool.vram_mb - taken.vram_mb,
        "tflops_total": pool.tflops,
        "tflops_free": _free_tflops(pool, taken),
        "allocated_percent": round(100 * taken.slices / pool.slices, 2),
        "actual_percent": min(100.0, round(100 * busy_s / window_s, 2)),
    }


def _free_tflops(pool: PoolSpecification, taken: Occupancy) -> float:
    """Rounded, as sums of floats are not exact: a pool that is all given out has 0 free, not 1e-14."""
    return max(0.0, round(pool.tflops - taken.tflops, 6))


def _must_fit_a_card(pool: PoolSpecification, order: Order) -> None:
    if order.vram_mb <= pool.card_vram_mb and order.tflops <= pool.card_tflops:
        return
    raise Refusal(
        422,
        "exceeds_card",
        f"a slice cannot be larger than one card: {pool.gpu_model} has {pool.card_vram_mb} MB and"
        f" {pool.card_tflops:g} TFLOPS",
        details={"gpu_vram_mb": pool.card_vram_mb, "gpu_tflops": pool.card_tflops},
    )


def _must_fit_what_is_free(pool: PoolSpecification, order: Order, taken: Occupancy) -> None:
    slices, vram_mb = pool.slices - taken.slices, pool.vram_mb - taken.vram_mb
    tflops = _free_tflops(pool, taken)
    if slices >= 1 and order.vram_mb <= vram_mb and order.tflops <= tflops:
        return
    what = "no free slice" if slices < 1 else f"only {vram_mb} MB and {tflops:g} TFLOPS free"
    raise Refusal(
        409,
        "insufficient_capacity",
        f"{pool.id} has {what}",
        details={"available_vgpus": slices, "vram_free_mb": vram_mb, "tflops_free": tflops},
    )


def _same_request(kept: KeptAnswer, order: Order) -> Document:
    """The kept answer, where the request is the one that got it."""
    if kept.request_digest != order.digest():
        raise Refusal(422, "idempotency_key_reused", "this Idempotency-Key came with another request before")
    document: Document = json.loads(kept.answer)
    return document


def _not_found(allocation_id: str, ended: Allocation | None) -> Refusal:
    message = f"there is no live allocation {allocation_id}"
    if ended is None:
        return Refusal(404, "allocation_not_found", message)
    became = "expired" if ended.released_at is None else "released"
    ended_at = (ended.released_at or ended.expires_at).isoformat(timespec="microseconds")
    return Refusal(
        404,
        "allocation_not_found",
        f"{message}: it was released" if became == "released" else f"{message}: its time was up",
        details={"became": became, "ended_at": ended_at},
    )
