"""Locks on files between processes (flock); the kernel frees them when a process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """Take the exclusive lock on `path` (made 0600) and give its descriptor; None where another has it.

    It is held until the descriptor is closed or the process ends; children do not inherit it.
    """
    return _try(path, fcntl.LOCK_EX)


@contextmanager
def directory_locked(directory: Path) -> Iterator[None]:
    """Alone among all processes that use this, on this directory; waits for its turn."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a living process holds the exclusive lock on `path`."""
    # Shared, so that two who ask at once do not take each other for the holder.
    descriptor = _try(path, fcntl.LOCK_SH)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def _try(path: Path, kind: int) -> int | None:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
