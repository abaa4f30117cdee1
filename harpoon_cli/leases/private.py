"""Directories for this user alone; changes nothing that is already there."""

from __future__ import annotations

from pathlib import Path


def private_directory(directory: Path) -> None:
    """Create a directory, and what is missing above it, with mode 0700. Raises `OSError`."""
    # mkdir's own parents=True gives the mode to the last one only.
    for missing in reversed([directory, *directory.parents]):
        if not missing.is_dir():
            missing.mkdir(mode=0o700, exist_ok=True)
