"""Live values for TAB: leases, pools, models. Imports nothing slow, prints only candidates, never fails."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

MOST = 500
LONGEST = 200
"""Bounds on what is offered, in values and in characters: more than that is no help, and may be an attack."""

LARGEST_FILE_BYTES = 1024 * 1024


def complete(arguments: Sequence[str]) -> int:
    """`harpoon _complete leases|pools|models`: one candidate a line. Status 2 for any other kind."""
    values = _KINDS.get(arguments[0] if arguments else "")
    if values is None:
        return 2
    # Whatever is wrong, a shell in the middle of a line is not the place to say it.
    with suppress(Exception):
        offered = [value for value in values() if _is_offered(value)]
        sys.stdout.buffer.write("".join(f"{value}\n" for value in offered[:MOST]).encode())
    return 0


def _is_offered(value: str) -> bool:
    """One printable line that no command takes for an option, and no shell for a home: fish quotes no "~"."""
    if not value.isprintable() or value.startswith(("-", "~")) or not 0 < len(value) <= LONGEST:
        return False
    if value.isascii():
        return True
    from harpoon_cli.render.safe import dangerous

    return dangerous().search(value) is None


def _leases() -> Iterable[str]:
    import sqlite3

    from harpoon_cli.settings.paths import state_dir

    path = state_dir() / "ledger.db"
    ledger = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.2)
    open_states = ("intent", "unsure", "held", "releasing")
    rows = ledger.execute(
        "SELECT coalesce(lease_id, reference) FROM leases WHERE state IN (?, ?, ?, ?) ORDER BY intended_at",
        open_states,
    )
    return [str(row[0]) for row in rows.fetchmany(MOST)]


def _pools() -> Iterable[str]:
    from harpoon_cli.cli.seen import seen_pools

    return seen_pools()


def _models() -> Iterable[str]:
    from harpoon_cli.built_in import BUILT_IN_MODELS

    built_in = {name for name, *_ in BUILT_IN_MODELS}
    return sorted(built_in.union(*map(_models_in, _configuration_files())))


def _configuration_files() -> Iterator[Path]:
    """The files that a command would read, by the rule of `settings.files`; --config is not known here."""
    from harpoon_cli.settings.paths import PROJECT_FILE, USER_FILE, project_file, user_file

    named = os.environ.get("HARPOON_CONFIG")
    if named:
        yield from (Path(named), Path(named, USER_FILE), Path(named, PROJECT_FILE))
        return
    yield user_file()
    project = project_file(Path.cwd())
    if project:
        yield project


def _models_in(path: Path) -> set[str]:
    """The names of the tables [models.NAME]; none where the file cannot be read."""
    with suppress(OSError, ValueError, RecursionError):
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_FILE_BYTES:
            import tomllib

            models = tomllib.loads(path.read_text(encoding="utf-8")).get("models")
            return {name.lower() for name in models} if isinstance(models, dict) else set()
    return set()


_KINDS: dict[str, Callable[[], Iterable[str]]] = {"leases": _leases, "pools": _pools, "models": _models}
