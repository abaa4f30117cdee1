"""A row for every request, with its times and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from harpoon_cli.bench.reports import Source
from harpoon_cli.errors import StorageFault, UsageFault

WANTS_ROWS = True


def pieces(source: Source) -> Iterator[str]:
    """The kept rows as they are, one heading for all files. `UsageFault` where none were kept."""
    if not source.rows:
        raise UsageFault("no row was kept for each request", hint="ask for the report when the test is run")
    for place, path in enumerate(source.rows):
        try:
            with path.open(encoding="utf-8", newline="") as file:
                yield from islice(file, 1 if place else 0, None)
        except (OSError, UnicodeDecodeError) as cause:
            raise StorageFault(f"{path} cannot be read", hint="run the test again") from cause
