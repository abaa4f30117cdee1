"""What was last seen on a platform, kept in the cache for TAB; losing it loses nothing."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from harpoon_cli.errors import HarpoonError
from harpoon_cli.settings.paths import cache_dir, make_private


def _file() -> Path:
    return cache_dir() / "pools.txt"


def remember_pools(ids: Iterable[str]) -> None:
    """Keep the ids, one a line. A cache that cannot be written is no reason to fail."""
    with suppress(OSError, HarpoonError, UnicodeError):
        make_private(_file().parent)
        names = [name for name in ids if name.isprintable()]
        replacement = _file().with_suffix(".new")
        replacement.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        replacement.replace(_file())


def seen_pools() -> list[str]:
    try:
        return _file().read_text(encoding="utf-8").splitlines()
    except (OSError, HarpoonError, UnicodeError):
        return []
