"""The whole result in harpoon's own schema, with all that merging and comparing needs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harpoon_cli.bench.reports import Source
from harpoon_cli.plain import plain

WANTS_ROWS = False


def pieces(source: Source) -> Iterator[str]:
    """One JSON object, ASCII only, so that nothing in it can do anything to a terminal."""
    whole = plain(source.report, all_digits=True)
    assert isinstance(whole, dict)
    yield "{\n"
    for place, (name, value) in enumerate(whole.items()):
        line = json.dumps(value, allow_nan=False, separators=(",", ":"))
        yield f"{',' if place else ' '}{json.dumps(name)}:{line}\n"
    yield "}\n"
