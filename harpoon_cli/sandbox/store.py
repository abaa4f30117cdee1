"""The sandbox's state: one SQLite file that any number of processes use at once. Knows no rules.

Every method must run inside `transaction`, which is exclusive among all processes from its first line. A
lease needs no one to end it: it is live while nobody released it and its end has not come.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from harpoon_cli.errors import StorageFault
from harpoon_cli.sandbox.locks import directory_locked
from harpoon_cli.values import Struct

DATABASE = "sandbox.db"
VERSION = 1
BUSY_S = 30.0
"""How long a process waits for its turn; a turn takes about a millisecond."""

_SCHEMA = """
CREATE TABLE allocations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    pool_id TEXT NOT NULL,
    gpu_model TEXT NOT NULL,
    vram_mb INTEGER NOT NULL,
    tflops REAL NOT NULL,
    price_per_hour TEXT NOT NULL,
    currency TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    ready_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    released_at TEXT
);
CREATE TABLE answers (
    idempotency_key TEXT PRIMARY KEY,
    request_digest TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE uses (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    ends_by TEXT NOT NULL
);
"""

_COLUMNS = (
    "number, id, pool_id, gpu_model, vram_mb, tflops, price_per_hour, currency, metadata, "
    "created_at, ready_at, expires_at, released_at"
)
_Row: TypeAlias = tuple[Any, ...]
_LIVE = "released_at IS NULL AND expires_at > :now"


class Allocation(Struct, frozen=True):
    """A lease as the sandbox keeps it; `number` counts them, 0 before it is stored."""

    id: str
    pool_id: str
    gpu_model: str
    vram_mb: int
    tflops: float
    price_per_hour: Decimal
    currency: str
    metadata: Mapping[str, str]
    created_at: datetime
    ready_at: datetime
    expires_at: datetime
    released_at: datetime | None = None
    number: int = 0

    def is_live(self, now: datetime) -> bool:
        return self.released_at is None and now < self.expires_at


class Occupancy(Struct, frozen=True):
    """What the live leases of a pool take together."""

    slices: int = 0
    vram_mb: int = 0
    tflops: float = 0.0


class KeptAnswer(Struct, frozen=True):
    """The answer that an idempotency key stands for, and the digest of the request that got it."""

    request_digest: str
    answer: str


class Use(Struct, frozen=True):
    """A span in which a lease was answering."""

    pool_id: str
    started_at: datetime
    ended_at: datetime


class Store:
    """The state in one directory, made there when it is not; 0700 and 0600, whatever the umask."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / DATABASE
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, alone among all processes. `StorageFault` where the file cannot be used."""
        with _faults(self.path):
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def add(self, allocation: Allocation) -> None:
        self._run(
            "INSERT INTO allocations (id, pool_id, gpu_model, vram_mb, tflops, price_per_hour, currency,"
            " metadata, created_at, ready_at, expires_at) VALUES (:id, :pool_id, :gpu_model, :vram_mb,"
            " :tflops, :price_per_hour, :currency, :metadata, :created_at, :ready_at, :expires_at)",
            id=allocation.id,
            pool_id=allocation.pool_id,
            gpu_model=allocation.gpu_model,
            vram_mb=allocation.vram_mb,
            tflops=allocation.tflops,
            price_per_hour=str(allocation.price_per_hour),
            currency=allocation.currency,
            metadata=json.dumps(dict(allocation.metadata)),
            created_at=_text(allocation.created_at),
            ready_at=_text(allocation.ready_at),
            expires_at=_text(allocation.expires_at),
        )

    def find(self, allocation_id: str) -> Allocation | None:
        """A lease by id, live or ended; None where it was never there or is forgotten."""
        rows = self._run(f"SELECT {_COLUMNS} FROM allocations WHERE id = :id", id=allocation_id)  # noqa: S608 - constants
        return next((_allocation(row) for row in rows), None)

    def live(self, now: datetime, *, after: int = 0, limit: int = -1) -> list[Allocation]:
        """Live leases in the order they were made, those with a number above `after`; -1 is no limit."""
        rows = self._run(
            f"SELECT {_COLUMNS} FROM allocations WHERE {_LIVE} AND number > :after"  # noqa: S608 - constants
            " ORDER BY number LIMIT :limit",
            now=_text(now),
            after=after,
            limit=limit,
        )
        return [_allocation(row) for row in rows]

    def occupancy(self, now: datetime) -> dict[str, Occupancy]:
        """What live leases take, by pool; pools without one are left out."""
        rows = self._run(
            "SELECT pool_id, count(*), sum(vram_mb), sum(tflops) FROM allocations"  # noqa: S608 - constants
            f" WHERE {_LIVE} GROUP BY pool_id",
            now=_text(now),
        )
        return {pool_id: Occupancy(count, vram_mb, tflops) for pool_id, count, vram_mb, tflops in rows}

    def release(self, allocation_id: str, now: datetime) -> None:
        self._run(
            "UPDATE allocations SET released_at = :now WHERE id = :id", id=allocation_id, now=_text(now)
        )

    def move_end(self, allocation_id: str, expires_at: datetime) -> None:
        self._run(
            "UPDATE allocations SET expires_at = :end WHERE id = :id", id=allocation_id, end=_text(expires_at)
        )

    def kept_answer(self, idempotency_key: str) -> KeptAnswer | None:
        rows = self._run(
            "SELECT request_digest, answer FROM answers WHERE idempotency_key = :key", key=idempotency_key
        )
        return next((KeptAnswer(*row) for row in rows), None)

    def keep_answer(self, idempotency_key: str, kept: KeptAnswer, now: datetime) -> None:
        self._run(
            "INSERT INTO answers VALUES (:key, :digest, :answer, :now)",
            key=idempotency_key,
            digest=kept.request_digest,
            answer=kept.answer,
            now=_text(now),
        )

    def begin_use(self, pool_id: str, now: datetime, ends_by: datetime) -> int:
        """Note that a lease answers from now on; `ends_by` counts where no end is ever noted."""
        rows = self._run(
            "INSERT INTO uses (pool_id, started_at, ends_by) VALUES (:pool_id, :now, :ends_by)"
            " RETURNING number",
            pool_id=pool_id,
            now=_text(now),
            ends_by=_text(ends_by),
        )
        return int(rows[0][0])

    def end_use(self, number: int, now: datetime) -> None:
        self._run("UPDATE uses SET ended_at = :now WHERE number = :number", number=number, now=_text(now))

    def uses(self, since: datetime, now: datetime) -> list[Use]:
        """The spans that reach into the time from `since` to `now`, cut to it."""
        rows = self._run(
            "SELECT pool_id, max(started_at, :since), min(coalesce(ended_at, ends_by), :now) FROM uses"
            " WHERE coalesce(ended_at, ends_by) > :since AND started_at < :now",
            since=_text(since),
            now=_text(now),
        )
        return [Use(pool_id, _moment(start), _moment(end)) for pool_id, start, end in rows]

    def forget_before(self, moment: datetime) -> None:
        """Drop what ended, was answered or was used before `moment`."""
        before = _text(moment)
        self._run("DELETE FROM allocations WHERE coalesce(released_at, expires_at) < :before", before=before)
        self._run("DELETE FROM answers WHERE created_at < :before", before=before)
        self._run("DELETE FROM uses WHERE coalesce(ended_at, ends_by) < :before", before=before)

    def clear(self) -> None:
        """Drop everything."""
        for table in ("allocations", "answers", "uses"):
            self._run(f"DELETE FROM {table}")  # noqa: S608 - constants

    def _run(self, statement: str, **values: object) -> list[_Row]:
        assert self._connection is not None, "a method of the store was called outside a transaction"
        return self._connection.execute(statement, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives its -wal and -shm files the mode of this one.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            # SQLite does not wait for its turn when two processes turn a new file to WAL at once; it fails.
            with directory_locked(self.path.parent):
                self._connection = _connected(self.path)
        return self._connection


def _connected(path: Path) -> sqlite3.Connection:
    # Autocommit: sqlite3's own implicit transactions would begin deferred. Not bound to a thread: one
    # application is only ever used by one thread at a time.
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _ensure_schema(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _ensure_schema(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    if (found := _version(connection)) != VERSION:
        raise StorageFault(
            f"{path} was written by another version of harpoon (format {found}, this one knows {VERSION})",
            hint="harpoon sandbox reset --force",
        )


def _version(connection: sqlite3.Connection) -> int:
    with closing(connection.execute("PRAGMA user_version")) as cursor:
        return int(cursor.fetchone()[0])


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as cause:
        raise StorageFault(
            f"the sandbox's state in {path} cannot be used: {cause}",
            hint="harpoon sandbox reset --force starts with an empty one",
        ) from cause


def _text(moment: datetime) -> str:
    """Fixed width, so that comparing the texts compares the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _allocation(row: _Row) -> Allocation:
    number, id_, pool_id, gpu_model, vram_mb, tflops, price, currency, metadata, *times = row
    created_at, ready_at, expires_at, released_at = times
    return Allocation(
        id=id_,
        pool_id=pool_id,
        gpu_model=gpu_model,
        vram_mb=vram_mb,
        tflops=tflops,
        price_per_hour=Decimal(price),
        currency=currency,
        metadata=json.loads(metadata),
        created_at=_moment(created_at),
        ready_at=_moment(ready_at),
        expires_at=_moment(expires_at),
        released_at=released_at and _moment(released_at),
        number=number,
    )
