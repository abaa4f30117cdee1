"""A process's sign of life: a locked file that the system unlocks when the process ends, however it ends.

A process id would not do: ids are reused, and mean nothing to another container that shares the directory.
Knows no leases.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harpoon_cli.errors import StorageFault
from harpoon_cli.leases.private import private_directory

SIGNS = "alive"
"""The directory of the signs, beside the ledger; it is made with the first lease that is asked for."""


class SignOfLife:
    """Held from creation to the end of the process (or `close`). `StorageFault` where it cannot be made.

    Making one clears away the signs of processes that are gone.
    """

    def __init__(self, directory: Path) -> None:
        with _told(directory):
            private_directory(directory)
            _clear(directory)
            self._path, self._handle = _locked_file(directory)
        self.name = self._path.name

    def close(self) -> None:
        with suppress(OSError):  # an unlocked sign says the same as none, and is cleared away later
            self._path.unlink()
        os.close(self._handle)


def is_alive(directory: Path, name: str) -> bool:
    """Is the process behind the sign still there? A sign that is gone belongs to a process that is gone."""
    with _told(directory):
        try:
            with _opened(directory / name) as handle:
                return not _unlocked(handle)
        except FileNotFoundError:
            return False


def _locked_file(directory: Path) -> tuple[Path, int]:
    """A new file, locked before anybody can know its name."""
    while True:
        path = directory / secrets.token_hex(8)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Between the two lines another process may clear it away, as a sign that nobody holds.
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:
                return path, handle
        os.close(handle)


def _clear(directory: Path) -> None:
    for path in directory.iterdir():
        with suppress(OSError), _opened(path) as handle:  # what cannot be cleared away does no harm
            if _unlocked(handle):
                path.unlink()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _unlocked(handle: int) -> bool:
    """Looked at with a shared lock, so that two who look do not take each other for the owner."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _told(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise StorageFault(
            f"the signs of life in {directory} cannot be used: {cause.strerror or cause}",
            hint="check its disk and directory, or set XDG_STATE_HOME: no lease is asked for without one",
        ) from cause
