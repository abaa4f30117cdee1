"""A process's sign of life: a locked file that the system unlocks when the process ends, however it ends.

A process id would not do: ids are reused, and mean nothing to another container that shares the directory.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path


class SignOfLife:
    """Held from creation to the end of the process (or `close`)."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.name = secrets.token_hex(8)
        self._path = directory / self.name
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


def is_alive(directory: Path, name: str) -> bool:
    """Is the process behind the sign still there? A sign that is gone belongs to a process that is gone."""
    try:
        handle = os.open(directory / name, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
