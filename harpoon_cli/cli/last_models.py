"""Which model answered last in a named session, kept for a day; a prompt or an answer is never written here.

Two commands that end at the same moment may overwrite each other's session: that only costs it its model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import time

from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.settings.files import read_small, write_whole
from harpoon_cli.settings.paths import make_private, state_dir

KEPT_S = 24 * 3600.0
"""How long a session is remembered after its last answer."""

SESSIONS = 200
"""So many sessions are remembered, the last ones that were used."""

Row = tuple[str, str, str, float]
"""The account, the session's name, its last model, and when that answered in Unix time."""


def _file() -> Path:
    return state_dir() / "sessions.json"


def last_model(account: str, name: str) -> str | None:
    """The model that answered last in that session there; None where none did within `KEPT_S`."""
    with suppress(ConfigurationFault):
        return next((model for *which, model, _ in _rows() if which == [account, name]), None)
    return None


def remember(account: str, name: str, model: str) -> None:
    """Keep what answered now; `StorageFault`, `ConfigurationFault` where that cannot be written down."""
    make_private(_file().parent)
    others = [row for row in _rows() if row[:2] != (account, name)]
    rows = [(account, name, model, time()), *others][:SESSIONS]
    write_whole(_file(), json.dumps(rows), 0o600)


def _rows() -> Iterator[Row]:
    """What the file says that makes sense and is not too old, the newest first."""
    if not _file().exists():
        return
    content, _ = read_small(_file(), "the file of sessions")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return
    now = time()
    for row in document if isinstance(document, list) else ():
        match row:
            case [str(account), str(name), str(model), float(at)] if 0 <= now - at < KEPT_S:
                yield account, name, model, at
