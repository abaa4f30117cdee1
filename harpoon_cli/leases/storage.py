"""The ledger's file: made, opened, checked, and set aside where it is ruined. Knows no leases."""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from harpoon_cli.errors import StorageFault
from harpoon_cli.leases.private import private_directory, sync_directory

BUSY_S = 10.0
"""How long a writer waits for another; a transaction here takes milliseconds."""

CHECKED_BYTES = 4 * 1024 * 1024
"""Up to here, some 5,000 leases, the whole file is checked when it is opened: a few milliseconds."""

BESIDE = ("-wal", "-shm", "-journal", "")
"""What SQLite keeps beside a file, and the file itself: the last, so that nobody makes a new one before its
old log is out of the way."""

WITHOUT_IT = (
    "check its disk and directory, or set XDG_STATE_HOME: no lease is asked for without it; "
    "harpoon leases shows what the platform lists, and harpoon release ID ends a lease all the same"
)
"""The hint for a ledger that cannot be used."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_RUINED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

Prepare = Callable[[sqlite3.Connection], None]
"""Brings a file to the form that this version writes; raises `Ruined` where it has another one."""


class Ruined(Exception):
    """The file is there, and is not, or not wholly, what we wrote."""


def opened(path: Path, prepare: Prepare) -> tuple[sqlite3.Connection, Path | None]:
    """A connection to the file, made if it is missing, and where a ruined one was moved that it replaces.

    `OSError`, `sqlite3.Error` and `StorageFault` where there can be none.
    """
    private_directory(path.parent)
    orphan = _orphan_set_aside(path)
    _create(path)
    try:
        return _patiently(lambda: _connected(path, prepare)), orphan
    except Ruined:
        aside = _set_aside(path, prepare)
        _create(path)
        return _patiently(lambda: _connected(path, prepare)), aside


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Whatever goes wrong with the file within the block is `StorageFault`."""
    try:
        yield
    except (OSError, sqlite3.Error, Ruined) as cause:
        why, hint = _explained(cause, path)
        raise StorageFault(f"the ledger {path} cannot be used: {why}", hint=hint) from cause


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # A COMMIT that fails, on a full disk, may or may not have rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def upgrade(connection: sqlite3.Connection, steps: Sequence[Sequence[str]]) -> None:
    """Take the steps that the file has not yet: steps[n] are the statements from version n to n + 1."""
    if _version(connection) == len(steps):
        return
    with transaction(connection):
        for statements in steps[_version(connection) :]:  # another process may have been here first
            for statement in statements:
                connection.execute(statement)
        if _version(connection) < len(steps):
            connection.execute(f"PRAGMA user_version = {len(steps)}")


def is_newer(connection: sqlite3.Connection, steps: Sequence[Sequence[str]]) -> bool:
    """Was the file written by a version that knows more steps?"""
    return _version(connection) > len(steps)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _connected(path: Path, prepare: Prepare) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    # One cell that is no text must not keep the other rows from being read.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Every commit goes on into the file itself: losing the log beside it must not lose a lease.
        connection.execute("PRAGMA wal_autocheckpoint = 1")
        prepare(connection)
        if path.stat().st_size <= CHECKED_BYTES:
            _must_be_whole(connection)
    except BaseException as error:
        connection.close()
        if _primary_code(error) in _RUINED:
            raise Ruined(str(error)) from error
        raise
    return connection


def _must_be_whole(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Ruined(found)


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
            sync_directory(directory)


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


def _set_aside(path: Path, prepare: Prepare) -> Path | None:
    """Move a ruined file, with what SQLite keeps beside it; None where another process has done it."""
    with _alone(path.parent):
        try:
            with closing(_patiently(lambda: _connected(path, prepare))):
                return None
        except Ruined:
            return _moved(path)


def _orphan_set_aside(path: Path) -> Path | None:
    """Move a log whose file is gone, and say where to: SQLite would throw it away beside a new file."""
    log = path.with_name(f"{path.name}-wal")
    if path.exists() or not log.exists():
        return None
    with _alone(path.parent):
        if path.exists() or not log.exists():  # another process has been here
            return None
        aside = _moved(path)
        return aside.with_name(f"{aside.name}-wal")


def _moved(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"ruined-{stamp}-{secrets.token_hex(2)}-{path.name}")
    for suffix in BESIDE:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process at a time sets a ledger aside."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    ends_at = monotonic() + BUSY_S
    try:
        while not _locked(handle):
            if monotonic() >= ends_at:
                raise TimeoutError("another process has been setting it aside for too long")
            sleep(0.01)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _primary_code(error: BaseException) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _explained(cause: Exception, path: Path) -> tuple[str, str]:
    """Why the file cannot be used, and what helps."""
    code = _primary_code(cause)
    if code in _BUSY:
        return f"another process has kept it busy for {BUSY_S:g} s", "try again; harpoon leases"
    if code in _RUINED:
        return str(cause), move_away(path)
    return str(cause), WITHOUT_IT


def move_away(path: Path) -> str:
    """The hint for a file that has to be moved by hand."""
    # Its -wal and -shm go with it: beside a new ledger, an old log would spoil that too.
    beside = shlex.quote(str(path.parent / "broken-XXXXXX"))
    move = f'mv {shlex.quote(str(path))}* "$(mktemp -d {beside})"'
    return f"set it aside with {move}; then harpoon release --overdue finds ours by what the platform lists"
