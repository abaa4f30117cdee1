"""Directories for this user alone, and on the disk; changes nothing that is already there."""

from __future__ import annotations

import os
from pathlib import Path


def private_directory(directory: Path) -> None:
    """Create a directory, and what is missing above it, with mode 0700. Raises `OSError`."""
    # mkdir's own parents=True gives the mode to the last one only.
    for missing in reversed([directory, *directory.parents]):
        if not missing.is_dir():
            missing.mkdir(mode=0o700, exist_ok=True)


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory onto the disk: syncing a file does not do that. Raises `OSError`."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
