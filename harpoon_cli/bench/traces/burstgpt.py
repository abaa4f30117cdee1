"""The BurstGPT traces: CSV with Timestamp in seconds, Request tokens and Response tokens."""

from __future__ import annotations

import math
from collections.abc import Callable

from harpoon_cli.bench import comma
from harpoon_cli.bench.traces import Row

COLUMNS = ("timestamp", "request tokens", "response tokens")


def recognises(line: str) -> bool:
    """Whether the header has all three columns."""
    return set(COLUMNS) <= set(comma.names(line))


def reader(line: str) -> tuple[int, Callable[[str], Row | None]]:
    """Rows by the header's columns, whichever else there are. One without an answer is left out."""
    where: dict[str, int] = {}

    def read(text: str) -> Row | None:
        if not where:  # at the first row, so that a bad header is told as a fault of the file
            where.update(comma.places(line, COLUMNS))
        values = comma.picked(text, where)
        made = comma.tokens("Response tokens", values["response tokens"])
        asked = comma.tokens("Request tokens", values["request tokens"])
        at_s = _seconds(values["timestamp"])
        return Row(at_s, asked, made) if made else None

    return 1, read


def _seconds(text: str) -> float:
    try:
        value = float(text) if len(text) <= comma.NUMBER_CAP else math.nan
    except ValueError:
        value = math.nan
    if not 0 <= value < 2**53:
        raise ValueError(f"Timestamp is {text[: comma.NUMBER_CAP]!r}, not seconds")
    return value
