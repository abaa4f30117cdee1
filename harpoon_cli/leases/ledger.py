"""The journal of leases: one SQLite file that every command shares. Knows states, not platforms.

A row is committed, and on the disk, before the call that makes it true is made. Allowed steps:

    INTENT ──► HELD ──► RELEASING ──► RELEASED
      ├──────► REFUSED                   ▲
      └──────► UNSURE ──► HELD           │
                  └──────────────────────┘   (proved absent)

UNSURE is sticky: no later refusal closes it. A step that is not drawn is ignored, so that a slow process
cannot take back what another has already settled.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from harpoon_cli.domain import (
    Gpu,
    Lease,
    LeaseId,
    LeaseRecord,
    LeaseRequest,
    LeaseState,
    LeaseStatus,
    Origin,
    Owner,
    PoolId,
    Price,
    Reference,
    Requirements,
)
from harpoon_cli.errors import StorageFault

SCHEMA_VERSION = 1
BUSY_S = 10.0
"""How long a writer waits for another; a transaction here takes milliseconds."""

STEPS: dict[LeaseState, tuple[LeaseState, ...]] = {
    LeaseState.HELD: (LeaseState.INTENT, LeaseState.UNSURE, LeaseState.HELD),
    LeaseState.REFUSED: (LeaseState.INTENT,),
    LeaseState.UNSURE: (LeaseState.INTENT, LeaseState.UNSURE),
    LeaseState.RELEASING: (LeaseState.HELD, LeaseState.RELEASING),
    LeaseState.RELEASED: (LeaseState.HELD, LeaseState.RELEASING, LeaseState.UNSURE),
}
"""For each state, the states it may be reached from."""

OPEN = (LeaseState.INTENT, LeaseState.UNSURE, LeaseState.HELD, LeaseState.RELEASING)

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
    ready_at TEXT,
    expires_at TEXT,
    released_at TEXT,
    kept INTEGER NOT NULL DEFAULT 0,
    trouble TEXT
) STRICT
"""
_COLUMNS = (
    "reference, endpoint, state, request, owner, intended_at, lease_id, gpu, price, accepted_at, ready_at, "
    "expires_at, released_at, kept, trouble"
)


class Ledger:
    """The leases of this user on this machine. Every method raises `StorageFault` where the file fails.

    Safe to share between processes: each change is one short immediate transaction, durable when it returns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._prepare(connection)
            return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StorageFault(
                f"the ledger {self.path} was written by a newer harpoon",
                hint="install that version again; this one must not touch its leases",
            )
        if version < SCHEMA_VERSION:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as cause:
            raise StorageFault(
                f"the ledger {self.path} cannot be used: {cause}",
                hint="no lease is asked for without it; check its disk and directory, or set XDG_STATE_HOME",
            ) from cause

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()

    def intend(self, record: LeaseRecord, holder: str | None) -> None:
        """Write down what is about to be asked for. `holder` names the process's sign of life."""
        row = {
            "reference": record.reference,
            "endpoint": record.endpoint,
            "state": LeaseState.INTENT,
            "request": _request_text(record.request),
            "owner": _owner_text(record.owner),
            "holder": holder,
            "intended_at": record.intended_at.isoformat(),
        }
        with self._changing() as connection:
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(f"INSERT INTO leases ({names}) VALUES ({marks})", row)  # noqa: S608 our own names

    def accepted(self, reference: Reference, lease: Lease, at: datetime) -> None:
        """The platform gave us this lease; one that is active at once is ready at the same moment."""
        self._step(
            reference,
            LeaseState.HELD,
            lease_id=lease.id,
            gpu=_gpu_text(lease.gpu),
            price=_price_text(lease.price),
            accepted_at=at.isoformat(),
            ready_at=at.isoformat() if lease.status is LeaseStatus.ACTIVE else None,
            expires_at=_when_text(lease.expires_at),
        )

    def ready(self, reference: Reference, lease: Lease, at: datetime) -> None:
        """The slice can be used."""
        self._step(
            reference,
            LeaseState.HELD,
            ready_at=at.isoformat(),
            gpu=_gpu_text(lease.gpu),
            expires_at=_when_text(lease.expires_at),
        )

    def renewed(self, reference: Reference, expires_at: datetime | None) -> None:
        self._step(reference, LeaseState.HELD, expires_at=_when_text(expires_at))

    def refused(self, reference: Reference, trouble: str) -> None:
        self._step(reference, LeaseState.REFUSED, trouble=trouble)

    def unsure(self, reference: Reference, trouble: str) -> None:
        self._step(reference, LeaseState.UNSURE, trouble=trouble)

    def keep(self, reference: Reference) -> None:
        """The lease shall outlive the process that asked for it."""
        with self._changing() as connection:
            connection.execute("UPDATE leases SET kept = 1 WHERE reference = ?", (reference,))

    def releasing(self, reference: Reference) -> None:
        self._step(reference, LeaseState.RELEASING)

    def not_released(self, reference: Reference, trouble: str) -> None:
        """A release that could not be confirmed; the row stays open."""
        self._step(reference, LeaseState.RELEASING, trouble=trouble)

    def released(self, reference: Reference, at: datetime) -> None:
        self._step(reference, LeaseState.RELEASED, released_at=at.isoformat(), trouble=None)

    def _step(self, reference: Reference, state: LeaseState, **columns: str | None) -> None:
        changes = {"state": state.value, **columns}
        assignments = ", ".join(f"{name} = :{name}" for name in changes)
        origins = ", ".join(f"'{origin}'" for origin in STEPS[state])
        with self._changing() as connection:
            connection.execute(
                f"UPDATE leases SET {assignments} WHERE reference = :ref AND state IN ({origins})",  # noqa: S608 our own names
                {**changes, "ref": reference},
            )

    def record(self, reference: Reference) -> LeaseRecord | None:
        found = self._select("reference = ?", (reference,))
        return found[0] if found else None

    def named(self, endpoint: str, name: str) -> LeaseRecord | None:
        """The newest record with this lease id, or this reference of ours, at an endpoint."""
        where = "endpoint = ? AND (lease_id = ? OR reference = ?)"
        found = self._select(where, (endpoint, name, name))
        return found[-1] if found else None

    def open_records(self) -> tuple[LeaseRecord, ...]:
        """Everything that is not surely over, at any endpoint, oldest first."""
        marks = ", ".join("?" for _ in OPEN)
        return self._select(f"state IN ({marks})", OPEN)

    def since(self, moment: datetime) -> tuple[LeaseRecord, ...]:
        """Every record intended at or after `moment`, oldest first."""
        return self._select("intended_at >= ?", (moment.isoformat(),))

    def holder(self, reference: Reference) -> str | None:
        with self._told():
            row = self._connection.execute(
                "SELECT holder FROM leases WHERE reference = ?", (reference,)
            ).fetchone()
        return row[0] if row else None

    def _select(self, where: str, values: Sequence[str]) -> tuple[LeaseRecord, ...]:
        query = f"SELECT {_COLUMNS} FROM leases WHERE {where} ORDER BY intended_at, rowid"  # noqa: S608 our own names
        with self._told():
            rows = self._connection.execute(query, tuple(values)).fetchall()
            return tuple(_record(row) for row in rows)


def _record(row: Sequence[str | None]) -> LeaseRecord:
    _, endpoint, state, request, owner, intended_at, lease_id, gpu, price, *rest = row
    accepted_at, ready_at, expires_at, released_at, kept, trouble = rest
    intended = _when(intended_at)
    if endpoint is None or state is None or request is None or owner is None or intended is None:
        raise sqlite3.DatabaseError("a row of it is not whole")
    return LeaseRecord(
        request=_request(request),
        endpoint=endpoint,
        owner=Owner(**json.loads(owner)),
        state=LeaseState(state),
        intended_at=intended,
        lease_id=None if lease_id is None else LeaseId(lease_id),
        gpu=None if gpu is None else Gpu(**json.loads(gpu)),
        price=None if price is None else _price(price),
        accepted_at=_when(accepted_at),
        ready_at=_when(ready_at),
        expires_at=_when(expires_at),
        released_at=_when(released_at),
        kept=bool(kept),
        trouble=trouble,
    )


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _when_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _request_text(request: LeaseRequest) -> str:
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
        ttl_s=value["ttl_s"],
        metadata=value["metadata"],
    )


def _owner_text(owner: Owner) -> str:
    return json.dumps({"user": owner.user, "host": owner.host, "run_id": owner.run_id, "pid": owner.pid})


def _gpu_text(gpu: Gpu | None) -> str | None:
    if gpu is None:
        return None
    return json.dumps({"model": gpu.model, "vram_mb": gpu.vram_mb, "tflops": gpu.tflops})


def _price_text(price: Price | None) -> str | None:
    if price is None:
        return None
    return json.dumps([str(price.per_hour), price.currency, price.origin])


def _price(text: str) -> Price:
    per_hour, currency, origin = json.loads(text)
    return Price(Decimal(per_hour), currency, Origin(origin))
