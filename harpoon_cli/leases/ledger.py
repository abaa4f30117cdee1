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

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from harpoon_cli.domain import Lease, LeaseRecord, LeaseState, LeaseStatus, Reference
from harpoon_cli.errors import StorageFault
from harpoon_cli.leases import storage
from harpoon_cli.leases.alive import SIGNS
from harpoon_cli.leases.marks import Marks
from harpoon_cli.leases.rows import (
    COLUMNS,
    UNREADABLE,
    VERSIONS,
    owner_text,
    price_text,
    record_of,
    request_text,
    stamp,
    storable,
    told_by,
    when_text,
)

TROUBLE_CAP = 500
"""The characters of a platform's message that are kept."""

OPEN = (LeaseState.INTENT, LeaseState.UNSURE, LeaseState.HELD, LeaseState.RELEASING)

UNANSWERED = (LeaseState.INTENT, LeaseState.UNSURE)
GIVEN = (LeaseState.HELD, LeaseState.RELEASING)


class Ledger:
    """The leases of this user on this machine. Every method raises `StorageFault` where the file fails.

    Safe to share between processes: each change is one short immediate transaction, durable when it returns.
    A ruined file is moved away, never written over: `ruined` is where it lies now, None where it was whole.
    `trace` is a file elsewhere that tells, once the whole directory is lost, that leases were asked for.
    """

    def __init__(self, path: Path, *, trace: Path | None = None) -> None:
        self.path = path
        self._trace = trace
        self.ruined: Path | None = None
        self._marks = Marks(path.with_name("kept"))
        with storage.told(path):
            self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        connection, self.ruined = storage.opened(self.path, self._prepare)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Bring the file to this version's form; `storage.Ruined` where it cannot be one of ours."""
        if storage.is_newer(connection, VERSIONS):
            raise StorageFault(
                f"the ledger {self.path} was written by a newer harpoon",
                hint="install that version again; this one must not touch its leases",
            )
        storage.upgrade(connection, VERSIONS)
        there = {row[1] for row in connection.execute("PRAGMA table_info(leases)")}
        if not {"reference", "holder", *COLUMNS} <= there:
            raise storage.Ruined("it lacks columns that every ledger has")

    def close(self) -> None:
        self._connection.close()

    def intend(self, record: LeaseRecord, holder: str | None) -> None:
        """Write down what is about to be asked for. `holder` names the process's sign of life."""
        self._insert(self._row(record, holder))

    def adopt(self, record: LeaseRecord, holder: str | None, lease: Lease) -> None:
        """Write down a lease that is there already, in one step: no row may look like an intent of ours."""
        given = {
            "state": LeaseState.HELD.value,
            "lease_id": lease.id,
            "accepted_at": when_text(record.intended_at),
        }
        self._insert(self._row(record, holder) | told_by(lease) | given)

    def _row(self, record: LeaseRecord, holder: str | None) -> dict[str, str | None]:
        return {
            "reference": record.reference,
            "endpoint": record.endpoint,
            "state": LeaseState.INTENT.value,
            "request": request_text(record.request),
            "owner": owner_text(record.owner),
            "holder": holder,
            "intended_at": when_text(record.intended_at),
            "price": price_text(record.price),
        }

    def _insert(self, row: Mapping[str, str | None]) -> None:
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        self._change(f"INSERT INTO leases ({names}) VALUES ({marks})", row)  # noqa: S608 our own names

    def accepted(self, reference: Reference, lease: Lease, at: datetime) -> bool:
        """The platform gave us this lease; one that is active at once is ready at the same moment."""
        return self._change(
            "UPDATE leases SET state = :held, lease_id = :lease_id, accepted_at = :at, gpu = :gpu, "
            "price = coalesce(:price, price), ready_at = :ready_at, expires_at = :expires_at, "
            "released_at = NULL, believed_gone = 0 WHERE reference = :reference AND lease_id IS NULL",
            {
                "held": LeaseState.HELD.value,
                "reference": reference,
                "lease_id": lease.id,
                "at": when_text(at),
                "ready_at": when_text(at) if lease.status is LeaseStatus.ACTIVE else None,
                **told_by(lease),
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
                "at": when_text(at),
                "ready_at": when_text(at) if lease.status is LeaseStatus.ACTIVE else None,
                **told_by(lease),
            },
        )

    def refused(self, reference: Reference, trouble: str) -> bool:
        """The platform surely gave no lease. False, and nothing changed, where that was ever unsure."""
        return self._step(reference, (LeaseState.INTENT,), LeaseState.REFUSED, trouble=trouble)

    def unsure(self, reference: Reference, trouble: str) -> bool:
        """The platform may have given a lease that we do not know."""
        return self._step(reference, UNANSWERED, LeaseState.UNSURE, trouble=trouble)

    def answer_lost(self, reference: Reference, trouble: str) -> bool:
        """An ask that may have left was not answered: unsure, and one lease more may come of it."""
        return self._step(reference, UNANSWERED, LeaseState.UNSURE, trouble=trouble, lost=1)

    def asking_again(self, reference: Reference, at: datetime) -> bool:
        """The very request is about to be sent again: unsure from now on, whatever the first ask comes to.

        A lease that comes of it begins now, not at the intent. False where it has been answered meanwhile.
        """
        return self._step(reference, UNANSWERED, LeaseState.UNSURE, lost=1, asked_at=when_text(at))

    def asked(self, reference: Reference, at: datetime) -> bool:
        """The request leaves only now: a lease that comes of it is no older."""
        return self._change(
            "UPDATE leases SET asked_at = :at WHERE reference = :reference",
            {"reference": reference, "at": when_text(at)},
        )

    def used(self, reference: Reference, seconds: float) -> bool:
        """For how long work ran on it, counted from nothing each time it is told."""
        return self._change(
            "UPDATE leases SET used_s = :used_s WHERE reference = :reference",
            {"reference": reference, "used_s": str(seconds)},
        )

    def searched(self, endpoint: str, *, apart: timedelta) -> bool:
        """Has the platform's list been searched for what an earlier ledger had written down, and twice?

        Lists lag: one search alone proves nothing, the second is to be `apart` from the first.
        """
        with storage.told(self.path):
            query = "SELECT first_at, last_at FROM searched WHERE endpoint = ?"
            row = self._connection.execute(query, (storable(endpoint),)).fetchone()
        if row is None:
            return False
        try:
            return datetime.fromisoformat(row[1]) - datetime.fromisoformat(row[0]) >= apart
        except UNREADABLE:
            return False

    def is_blank(self) -> bool:
        """Has nothing been written down yet? One that was lost and made anew looks like one never used."""
        with storage.told(self.path):
            query = "SELECT EXISTS (SELECT 1 FROM leases) OR EXISTS (SELECT 1 FROM searched)"
            return not self._connection.execute(query).fetchone()[0]

    def seems_lost(self) -> bool:
        """Is it blank, although leases have been asked for here before?"""
        asked_before = self.path.with_name(SIGNS).is_dir() or (
            self._trace is not None and self._trace.exists()
        )
        return asked_before and self.is_blank()

    def search_done(self, endpoint: str, at: datetime) -> None:
        self._change(
            "INSERT INTO searched (endpoint, first_at, last_at) VALUES (:endpoint, :at, :at) "
            "ON CONFLICT (endpoint) DO UPDATE SET last_at = :at",
            {"endpoint": endpoint, "at": when_text(at)},
        )

    def absent(self, reference: Reference, at: datetime) -> bool:
        """It is proved that no lease came of it, or that it is over."""
        return self._step(reference, UNANSWERED, LeaseState.RELEASED, released_at=when_text(at))

    def believed(self, reference: Reference, at: datetime) -> bool:
        """A person has looked, and it is not there: it ended at `at` at the latest."""
        believed = self._change(
            "UPDATE leases SET state = 'released', released_at = :at, believed_gone = 1 "
            "WHERE reference = :reference AND state NOT IN ('released', 'refused')",
            {"reference": reference, "at": when_text(at)},
        )
        self._marks.take_away(reference)
        return believed

    def forget(self, before: datetime) -> bool:
        """Leave out what was over by then, and asked for before; what is not surely over stays for ever."""
        old = (
            "state IN ('released', 'refused') AND intended_at < :before "
            "AND coalesce(released_at, intended_at) < :before"
        )
        moment = {"before": when_text(before)}
        with storage.told(self.path):
            found = self._connection.execute(f"SELECT 1 FROM leases WHERE {old} LIMIT 1", moment)  # noqa: S608 our own names
            if found.fetchone() is None:
                return False
        self._change(
            "INSERT INTO forgotten (one, before) VALUES (1, :before) "
            "ON CONFLICT (one) DO UPDATE SET before = max(before, :before)",
            moment,
        )
        return self._change(f"DELETE FROM leases WHERE {old}", moment)  # noqa: S608 our own names

    def forgotten_before(self) -> datetime | None:
        """Leases that were asked for before this moment may have been left out; None where none was."""
        with storage.told(self.path):
            row = self._connection.execute("SELECT before FROM forgotten").fetchone()
        try:
            return None if row is None else datetime.fromisoformat(row[0])
        except UNREADABLE:
            return None

    def keep(self, reference: Reference) -> bool:
        """The lease shall outlive the process that asked for it, and the loss of this ledger."""
        with storage.told(self.path):
            self._marks.put(reference)
        kept = self._change(
            "UPDATE leases SET kept = 1 WHERE reference = :reference", {"reference": reference}
        )
        if not kept:
            self._marks.take_away(reference)
        return kept

    def was_kept(self, reference: Reference) -> bool:
        """Was it kept, as far as is known without its row?"""
        return self._marks.has(reference)

    def releasing(self, reference: Reference, trouble: str | None = None) -> bool:
        """It is being given back; `trouble` is why that could not be confirmed."""
        return self._step(reference, GIVEN, LeaseState.RELEASING, trouble=trouble)

    def released(self, reference: Reference, at: datetime) -> bool:
        """It was read back as gone."""
        done = self._step(reference, GIVEN, LeaseState.RELEASED, released_at=when_text(at))
        self._marks.take_away(reference)
        return done

    def reopened(self, reference: Reference) -> bool:
        """A lease that was given back is shown as live after all, and is being given back again."""
        return self._change(
            "UPDATE leases SET state = :releasing, released_at = NULL, believed_gone = 0 "
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
        lost: int = 0,
        asked_at: str | None = None,
    ) -> bool:
        """Move a row to `state`, if it is in one of `origins`; whether it was."""
        marks = ", ".join(f"'{origin}'" for origin in origins)
        changes = (
            "state = :state, trouble = coalesce(:trouble, trouble), released_at = :released_at, "
            "lost_answers = lost_answers + :lost, asked_at = coalesce(:asked_at, asked_at)"
        )
        return self._change(
            f"UPDATE leases SET {changes} WHERE reference = :reference AND state IN ({marks})",  # noqa: S608 our own names
            {
                "reference": reference,
                "state": state.value,
                "trouble": trouble and trouble[:TROUBLE_CAP],
                "released_at": released_at,
                "lost": str(lost),
                "asked_at": asked_at,
            },
        )

    def _change(self, statement: str, values: Mapping[str, str | None]) -> bool:
        """One durable transaction of one statement; whether it changed anything."""
        with storage.told(self.path), storage.transaction(self._connection):
            cells = {name: storable(value) for name, value in values.items()}
            return self._connection.execute(statement, cells).rowcount > 0

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
        return self._whole(self._since(moment))

    def _since(self, moment: datetime) -> Sequence[Sequence[str]]:
        return self._rows("intended_at >= ?", (stamp(moment),))

    def broken_rows(self, since: datetime | None = None) -> tuple[StorageFault, ...]:
        """An error for every row that is not whole and may stand for a lease that is not over.

        Given a moment, for every row that is not whole and intended since, over or not.
        """
        troubles: list[StorageFault] = []
        wanted = (
            self._rows("state NOT IN ('released', 'refused')", ()) if since is None else self._since(since)
        )
        for row in wanted:
            try:
                self._read(row)
            except StorageFault as trouble:
                troubles.append(trouble)
        return tuple(troubles)

    def holder(self, reference: Reference) -> str | None:
        with storage.told(self.path):
            row = self._connection.execute(
                "SELECT holder FROM leases WHERE reference = ?", (storable(reference),)
            ).fetchone()
        return row[0] if row else None

    def _rows(self, where: str, values: Sequence[str]) -> Sequence[Sequence[str]]:
        query = f"SELECT {', '.join(COLUMNS)} FROM leases WHERE {where} ORDER BY intended_at, rowid"  # noqa: S608 our own names
        with storage.told(self.path):
            return self._connection.execute(query, [storable(value) for value in values]).fetchall()

    def _whole(self, rows: Iterable[Sequence[str]]) -> tuple[LeaseRecord, ...]:
        """The rows that can be read: one that cannot must not keep the others from being given back."""
        found: list[LeaseRecord] = []
        for row in rows:
            with suppress(StorageFault):
                found.append(self._read(row))
        return tuple(found)

    def _read(self, row: Sequence[str]) -> LeaseRecord:
        try:
            return record_of(row)
        except UNREADABLE as cause:
            raise StorageFault(
                f"a row of the ledger {self.path} is not whole ({row[5] or 'no lease id'})",
                hint=storage.move_away(self.path),
            ) from cause
