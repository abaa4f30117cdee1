"""The journal of leases: one SQLite file that every command shares. Knows states, not platforms.

A row is committed, and on the disk, before the call that makes it true is made. Allowed steps:

    INTENT ──► HELD ──► RELEASING ──► RELEASED (given back)
      │ │       ▲
      │ └──► UNSURE ─────────────────► RELEASED (proved absent)
      └────► REFUSED

UNSURE is sticky: no later refusal closes it. A lease that turns up after all, for a row that was refused or
proved absent, makes the row HELD again; one that is live after it was given back, RELEASING. Any other step
is ignored, so that a slow process cannot take back what another has already settled.
"""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

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
from harpoon_cli.leases.private import private_directory

T = TypeVar("T")

SCHEMA_VERSION = 1

BUSY_S = 10.0
"""How long a writer waits for another; a transaction here takes milliseconds."""

TROUBLE_CAP = 500
"""The characters of a platform's message that are kept."""

OPEN = (LeaseState.INTENT, LeaseState.UNSURE, LeaseState.HELD, LeaseState.RELEASING)

UNANSWERED = (LeaseState.INTENT, LeaseState.UNSURE)
GIVEN = (LeaseState.HELD, LeaseState.RELEASING)

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
_COLUMNS = (
    "endpoint, state, request, owner, intended_at, lease_id, gpu, price, accepted_at, seen_at, ready_at, "
    "expires_at, released_at, kept, trouble"
)

UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What reading a cell that is not what we wrote can raise."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_RUINED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Ledger:
    """The leases of this user on this machine. Every method raises `StorageFault` where the file fails.

    Safe to share between processes: each change is one short immediate transaction, durable when it returns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            private_directory(path.parent)
            _create(path)
            self._connection = _patiently(self._connected)

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        # One cell that is no text must not keep the other rows from being read.
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StorageFault(
                f"the ledger {self.path} was written by a newer harpoon",
                hint="install that version again; this one must not touch its leases",
            )
        if version < SCHEMA_VERSION:
            with _transaction(connection):
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as cause:
            why, hint = _explained(cause, self.path)
            raise StorageFault(f"the ledger {self.path} cannot be used: {why}", hint=hint) from cause

    def close(self) -> None:
        self._connection.close()

    def intend(self, record: LeaseRecord, holder: str | None) -> None:
        """Write down what is about to be asked for. `holder` names the process's sign of life."""
        row = {
            "reference": record.reference,
            "endpoint": record.endpoint,
            "state": LeaseState.INTENT.value,
            "request": _request_text(record.request),
            "owner": _owner_text(record.owner),
            "holder": holder,
            "intended_at": _when_text(record.intended_at),
        }
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        self._change(f"INSERT INTO leases ({names}) VALUES ({marks})", row)  # noqa: S608 our own names

    def accepted(self, reference: Reference, lease: Lease, at: datetime) -> bool:
        """The platform gave us this lease; one that is active at once is ready at the same moment."""
        return self._change(
            "UPDATE leases SET state = :held, lease_id = :lease_id, accepted_at = :at, gpu = :gpu, "
            "price = :price, ready_at = :ready_at, expires_at = :expires_at, released_at = NULL "
            "WHERE reference = :reference AND lease_id IS NULL",
            {
                "held": LeaseState.HELD.value,
                "reference": reference,
                "lease_id": lease.id,
                "at": _when_text(at),
                "ready_at": _when_text(at) if lease.status is LeaseStatus.ACTIVE else None,
                **_told_by(lease),
            },
        )

    def seen(self, reference: Reference, lease: Lease, at: datetime) -> bool:
        """A read, not only the answer to the allocate, has shown the lease; an active one is ready."""
        return self._change(
            "UPDATE leases SET seen_at = coalesce(seen_at, :at), ready_at = coalesce(ready_at, :ready_at), "
            "gpu = coalesce(:gpu, gpu), price = coalesce(:price, price), "
            "expires_at = coalesce(:expires_at, expires_at) WHERE reference = :reference",
            {
                "reference": reference,
                "at": _when_text(at),
                "ready_at": _when_text(at) if lease.status is LeaseStatus.ACTIVE else None,
                **_told_by(lease),
            },
        )

    def refused(self, reference: Reference, trouble: str) -> bool:
        """The platform surely gave no lease. False, and nothing changed, where that was ever unsure."""
        return self._step(reference, (LeaseState.INTENT,), LeaseState.REFUSED, trouble=trouble)

    def unsure(self, reference: Reference, trouble: str) -> bool:
        """The platform may have given a lease that we do not know."""
        return self._step(reference, UNANSWERED, LeaseState.UNSURE, trouble=trouble)

    def absent(self, reference: Reference, at: datetime) -> bool:
        """It is proved that no lease came of it, or that it is over."""
        return self._step(reference, UNANSWERED, LeaseState.RELEASED, released_at=_when_text(at))

    def keep(self, reference: Reference) -> bool:
        """The lease shall outlive the process that asked for it."""
        return self._change(
            "UPDATE leases SET kept = 1 WHERE reference = :reference", {"reference": reference}
        )

    def releasing(self, reference: Reference, trouble: str | None = None) -> bool:
        """It is being given back; `trouble` is why that could not be confirmed."""
        return self._step(reference, GIVEN, LeaseState.RELEASING, trouble=trouble)

    def released(self, reference: Reference, at: datetime) -> bool:
        """It was read back as gone."""
        return self._step(reference, GIVEN, LeaseState.RELEASED, released_at=_when_text(at))

    def reopened(self, reference: Reference) -> bool:
        """A lease that was given back is shown as live after all, and is being given back again."""
        return self._change(
            "UPDATE leases SET state = :releasing, released_at = NULL "
            "WHERE reference = :reference AND state = :released AND lease_id IS NOT NULL",
            {
                "reference": reference,
                "releasing": LeaseState.RELEASING.value,
                "released": LeaseState.RELEASED.value,
            },
        )

    def _step(
        self,
        reference: Reference,
        origins: Sequence[LeaseState],
        state: LeaseState,
        *,
        trouble: str | None = None,
        released_at: str | None = None,
    ) -> bool:
        """Move a row to `state`, if it is in one of `origins`; whether it was."""
        marks = ", ".join(f"'{origin}'" for origin in origins)
        changes = "state = :state, trouble = coalesce(:trouble, trouble), released_at = :released_at"
        return self._change(
            f"UPDATE leases SET {changes} WHERE reference = :reference AND state IN ({marks})",  # noqa: S608 our own names
            {
                "reference": reference,
                "state": state.value,
                "trouble": trouble and trouble[:TROUBLE_CAP],
                "released_at": released_at,
            },
        )

    def _change(self, statement: str, values: Mapping[str, str | None]) -> bool:
        """One durable transaction of one statement; whether it changed anything."""
        with self._told(), _transaction(self._connection):
            storable = {name: _storable(value) for name, value in values.items()}
            return self._connection.execute(statement, storable).rowcount > 0

    def record(self, reference: Reference) -> LeaseRecord | None:
        """The record of that reference; `StorageFault` where its row is not whole."""
        rows = self._rows("reference = ?", (reference,))
        return self._read(rows[0]) if rows else None

    def named(self, endpoint: str, name: str) -> LeaseRecord | None:
        """The newest record with this lease id, or this reference of ours, at an endpoint.

        `StorageFault` where its row is not whole.
        """
        rows = self._rows("endpoint = ? AND (lease_id = ? OR reference = ?)", (endpoint, name, name))
        return self._read(rows[-1]) if rows else None

    def open_records(self) -> tuple[LeaseRecord, ...]:
        """Everything that is not surely over, at any endpoint, oldest first; `broken_rows` tells the rest."""
        marks = ", ".join("?" for _ in OPEN)
        return self._whole(self._rows(f"state IN ({marks})", OPEN))

    def since(self, moment: datetime) -> tuple[LeaseRecord, ...]:
        """Every record intended at or after `moment`, oldest first; without rows that are not whole."""
        return self._whole(self._rows("intended_at >= ?", (_stamp(moment),)))

    def broken_rows(self) -> tuple[StorageFault, ...]:
        """An error for every row that is not whole and may stand for a lease that is not over."""
        troubles: list[StorageFault] = []
        over = (LeaseState.RELEASED, LeaseState.REFUSED)
        for row in self._rows("state NOT IN (?, ?)", over):
            try:
                self._read(row)
            except StorageFault as trouble:
                troubles.append(trouble)
        return tuple(troubles)

    def holder(self, reference: Reference) -> str | None:
        with self._told():
            row = self._connection.execute(
                "SELECT holder FROM leases WHERE reference = ?", (reference,)
            ).fetchone()
        return row[0] if row else None

    def _rows(self, where: str, values: Sequence[str]) -> Sequence[Sequence[str]]:
        query = f"SELECT {_COLUMNS} FROM leases WHERE {where} ORDER BY intended_at, rowid"  # noqa: S608 our own names
        with self._told():
            return self._connection.execute(query, [_storable(value) for value in values]).fetchall()

    def _whole(self, rows: Iterable[Sequence[str]]) -> tuple[LeaseRecord, ...]:
        """The rows that can be read: one that cannot must not keep the others from being given back."""
        found: list[LeaseRecord] = []
        for row in rows:
            with suppress(StorageFault):
                found.append(self._read(row))
        return tuple(found)

    def _read(self, row: Sequence[str]) -> LeaseRecord:
        try:
            return _record(row)
        except UNREADABLE as cause:
            raise StorageFault(
                f"a row of the ledger {self.path} is not whole ({row[5] or 'no lease id'})",
                hint=_set_aside(self.path),
            ) from cause


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # A COMMIT that fails, on a full disk, may or may not have rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _create(path: Path) -> None:
    """An empty file, where there is none, and the way to it on the disk: syncing a file does not do that.

    SQLite gives its own files beside the ledger the mode that the ledger has.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    for directory in path.parents:
        with suppress(OSError):  # one that we may not read is not one that we made
            _sync(directory)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _patiently(connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    """Open a file that others open for the first time at this moment: SQLite does not always wait then."""
    ends_at = monotonic() + BUSY_S
    while True:
        try:
            return connect()
        except sqlite3.OperationalError as error:
            if _primary_code(error) not in _BUSY or monotonic() >= ends_at:
                raise
            sleep(0.01)


def _primary_code(error: BaseException) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _explained(cause: Exception, path: Path) -> tuple[str, str]:
    """Why the file cannot be used, and what helps."""
    code = _primary_code(cause)
    if code in _BUSY:
        return f"another process has kept it busy for {BUSY_S:g} s", "try again; harpoon leases"
    if code in _RUINED:
        return str(cause), _set_aside(path)
    return str(cause), "no lease is asked for without it; check its disk and directory, or set XDG_STATE_HOME"


def _set_aside(path: Path) -> str:
    # Its -wal and -shm go with it: beside a new ledger, an old log would spoil that too.
    beside = shlex.quote(str(path.parent / "broken-XXXXXX"))
    move = f'mv {shlex.quote(str(path))}* "$(mktemp -d {beside})"'
    return f"set it aside with {move}; harpoon leases still shows what the platform lists"


def _storable(value: str | None) -> str | None:
    """Text as SQLite can take it: JSON and file names can hold half characters, which UTF-8 cannot."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


def _told_by(lease: Lease) -> dict[str, str | None]:
    return {
        "gpu": _gpu_text(lease.gpu),
        "price": _price_text(lease.price),
        "expires_at": _when_text(lease.expires_at),
    }


def _record(row: Sequence[str]) -> LeaseRecord:
    endpoint, state, request, owner, intended_at, lease_id, gpu, price, *rest = row
    accepted_at, seen_at, ready_at, expires_at, released_at, kept, trouble = rest
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


def _when_text(moment: datetime | None) -> str | None:
    return None if moment is None else _stamp(moment)


def _stamp(moment: datetime) -> str:
    """Fixed width and one zone, so that comparing the texts compares the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


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
        ttl_s=int(value["ttl_s"]),
        metadata=dict(value["metadata"]),
    )


def _owner_text(owner: Owner) -> str:
    return json.dumps({"user": owner.user, "host": owner.host, "run_id": owner.run_id, "pid": owner.pid})


def _owner(text: str) -> Owner:
    return Owner(**json.loads(text))


def _gpu(text: str) -> Gpu:
    return Gpu(**json.loads(text))


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
    if not (amount := Decimal(per_hour)).is_finite():
        raise ValueError("a price is a number")
    return Price(amount, currency, Origin(origin))
