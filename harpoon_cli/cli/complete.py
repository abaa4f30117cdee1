"""Live values for TAB: lease ids, pools, models. Imports nothing slow, prints only candidates."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path


def complete(arguments: Sequence[str]) -> int:
    """`harpoon _complete leases|pools|models`: one candidate a line."""
    values = _KINDS.get(arguments[0] if arguments else "")
    if values is None:
        return 2
    # Whatever is wrong, a shell in the middle of a line is not the place to say it.
    with suppress(Exception):
        sys.stdout.write("".join(f"{value}\n" for value in values() if value.isprintable()))
    return 0


def _leases() -> Iterable[str]:
    import sqlite3

    from harpoon_cli.settings.paths import state_dir

    ledger = sqlite3.connect(f"file:{state_dir() / 'ledger.db'}?mode=ro", uri=True, timeout=0.2)
    open_states = ("intent", "unsure", "held", "releasing")
    rows = ledger.execute(
        "SELECT coalesce(lease_id, reference) FROM leases WHERE state IN (?, ?, ?, ?) ORDER BY intended_at",
        open_states,
    )
    return [row[0] for row in rows]


def _pools() -> Iterable[str]:
    from harpoon_cli.cli.seen import seen_pools

    return seen_pools()


def _models() -> Iterable[str]:
    from harpoon_cli.catalogue import BUILT_IN

    return sorted({*BUILT_IN.models, *_configured_models()})


def _configured_models() -> Iterable[str]:
    import tomllib

    from harpoon_cli.settings.paths import project_file, user_file

    found: list[str] = []
    for path in (user_file(), project_file(Path.cwd()), os.environ.get("HARPOON_CONFIG")):
        with suppress(OSError, ValueError):
            if path:
                found += tomllib.loads(Path(path).read_text(encoding="utf-8")).get("models", {})
    return found


_KINDS: dict[str, Callable[[], Iterable[str]]] = {"leases": _leases, "pools": _pools, "models": _models}
