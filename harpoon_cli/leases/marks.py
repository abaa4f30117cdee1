"""Which leases are to be kept, told by empty files, for when the ledger is lost. Knows no rows."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from harpoon_cli.domain import Reference
from harpoon_cli.leases.private import private_directory, sync_directory

_A_NAME = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9]")
"""What may be the name of such a file; a reference that comes back from a platform may be anything."""


def is_reference(name: str) -> bool:
    """Can it be one of ours?"""
    return bool(_A_NAME.fullmatch(name))


class Marks:
    """A directory of files, one for each lease that is kept, made with the first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, reference: Reference) -> None:
        """Durable when it returns. Raises `OSError`."""
        private_directory(self._directory)
        os.close(os.open(self._directory / reference, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_directory(self._directory)

    def has(self, reference: Reference) -> bool:
        return is_reference(reference) and (self._directory / reference).is_file()

    def take_away(self, reference: Reference) -> None:
        if self.has(reference):
            with suppress(OSError):  # of a lease that is over it says nothing
                (self._directory / reference).unlink()
