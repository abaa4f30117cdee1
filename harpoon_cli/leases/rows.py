"""The ledger's tables, and what a row says: values to cells and back. Opens no file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from harpoon_cli.domain import (
    Gpu,
    Lease,
    LeaseId,
    LeaseRecord,
    LeaseRequest,
    LeaseState,
    Origin,
    Owner,
    PoolId,
    Price,
    Reference,
    Requirements,
)

T = TypeVar("T")

COLUMNS = (
    *("endpoint", "state", "request", "owner", "intended_at", "lease_id", "gpu", "price", "accepted_at"),
    *("seen_at", "ready_at", "expires_at", "released_at", "kept", "trouble", "lost_answers", "asked_at"),
    *("used_s", "believed_gone"),
)
"""In the order in which `record_of` reads them."""

_TABLE = """
CREATE TABLE IF NOT EXISTS leases (
    reference TEXT PRIMARY KEY,
    endpoint TEXT NOT NULL,
    state TEXT NOT NULL,
    request TEXT NOT NULL,
    owner TEXT NOT NULL,
    holder TEXT,
    intended_at TEXT NOT NULL,
    lease_id TEXT,
    gpu TEXT,
    price TEXT,
    accepted_at TEXT,
    seen_at TEXT,
    ready_at TEXT,
    expires_at TEXT,
    released_at TEXT,
    kept INTEGER NOT NULL DEFAULT 0,
    trouble TEXT
) STRICT
"""
_SEARCHED = (
    "CREATE TABLE searched (endpoint TEXT PRIMARY KEY, first_at TEXT NOT NULL, last_at TEXT NOT NULL) STRICT"
)
_OPEN_ONES = "CREATE INDEX open_ones ON leases (state) WHERE state NOT IN ('released', 'refused')"

VERSIONS = (
    (_TABLE,),
    (
        "ALTER TABLE leases ADD COLUMN lost_answers INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE leases ADD COLUMN asked_at TEXT",
        "ALTER TABLE leases ADD COLUMN used_s REAL",
        _SEARCHED,
        _OPEN_ONES,
    ),
    (
        "ALTER TABLE leases ADD COLUMN believed_gone INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE forgotten (one INTEGER PRIMARY KEY CHECK (one = 1), before TEXT NOT NULL) STRICT",
    ),
)
"""What each version of the file has more than the one before it."""

UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What reading a cell that is not what we wrote can raise."""


def storable(value: str | None) -> str | None:
    """Text as SQLite can take it: JSON and file names can hold half characters, which UTF-8 cannot."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


def told_by(lease: Lease) -> dict[str, str | None]:
    return {
        "gpu": _gpu_text(lease.gpu),
        "price": price_text(lease.price),
        "expires_at": when_text(lease.expires_at),
    }


def record_of(row: Sequence[str]) -> LeaseRecord:
    """The record of a row with `COLUMNS`; one of `UNREADABLE` where what settling needs is not whole."""
    endpoint, state, request, owner, intended_at, lease_id, gpu, price, *rest = row
    accepted_at, seen_at, ready_at, expires_at, released_at, kept, trouble, *rest = rest
    lost_answers, asked_at, used_s, believed_gone = rest
    # What settling needs must be whole; what is only told is None where it is not.
    return LeaseRecord(
        request=_request(request),
        endpoint=endpoint,
        owner=_if_whole(_owner, owner) or Owner("unknown", "unknown"),
        state=LeaseState(state),
        intended_at=_when(intended_at),
        lease_id=None if lease_id is None else LeaseId(lease_id),
        gpu=_if_whole(_gpu, gpu),
        price=_if_whole(_price, price),
        accepted_at=_if_whole(_when, accepted_at),
        seen_at=_if_whole(_when, seen_at),
        ready_at=_if_whole(_when, ready_at),
        expires_at=_if_whole(_when, expires_at),
        released_at=_if_whole(_when, released_at),
        kept=bool(kept),
        trouble=trouble,
        lost_answers=_if_whole(int, lost_answers) or 0,
        asked_at=_if_whole(_when, asked_at),
        used_s=_if_whole(float, used_s),
        believed_gone=bool(believed_gone),
    )


def _if_whole(read: Callable[[str], T], text: str | None) -> T | None:
    """What a cell says; None where it is empty or cannot be read."""
    try:
        return None if text is None else read(text)
    except UNREADABLE:
        return None


def _when(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be compared")
    return moment


def when_text(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)


def stamp(moment: datetime) -> str:
    """Fixed width and one zone, so that comparing the texts compares the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def request_text(request: LeaseRequest) -> str:
    wanted = request.requirements
    return json.dumps(
        {
            "reference": request.reference,
            "idempotency_key": request.idempotency_key,
            "pool_id": request.pool_id,
            "requirements": {"vram_mb": wanted.vram_mb, "tflops": wanted.tflops, "model": wanted.model},
            "ttl_s": request.ttl_s,
            "metadata": dict(request.metadata),
        }
    )


def _request(text: str) -> LeaseRequest:
    value = json.loads(text)
    return LeaseRequest(
        reference=Reference(value["reference"]),
        idempotency_key=value["idempotency_key"],
        pool_id=PoolId(value["pool_id"]),
        requirements=Requirements(**value["requirements"]),
        ttl_s=int(value["ttl_s"]),
        metadata=dict(value["metadata"]),
    )


def owner_text(owner: Owner) -> str:
    return json.dumps({"user": owner.user, "host": owner.host, "run_id": owner.run_id, "pid": owner.pid})


def _owner(text: str) -> Owner:
    return Owner(**json.loads(text))


def _gpu(text: str) -> Gpu:
    return Gpu(**json.loads(text))


def _gpu_text(gpu: Gpu | None) -> str | None:
    if gpu is None:
        return None
    return json.dumps({"model": gpu.model, "vram_mb": gpu.vram_mb, "tflops": gpu.tflops})


def price_text(price: Price | None) -> str | None:
    if price is None:
        return None
    return json.dumps([str(price.per_hour), price.currency, price.origin])


def _price(text: str) -> Price:
    per_hour, currency, origin = json.loads(text)
    if not (amount := Decimal(per_hour)).is_finite():
        raise ValueError("a price is a number")
    return Price(amount, currency, Origin(origin))
