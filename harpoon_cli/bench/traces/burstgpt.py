"""The BurstGPT traces: CSV with Timestamp in seconds, Request tokens and Response tokens."""

from __future__ import annotations

import math
from collections.abc import Callable

from harpoon_cli.bench.asking import comma
from harpoon_cli.bench.traces import Row

COLUMNS = ("Timestamp", "Request tokens", "Response tokens")


def recognises(line: str) -> bool:
    """Whether the header has all three columns."""
    return comma.recognises(line, COLUMNS)


def reader(line: str) -> tuple[int, Callable[[str], Row | None]]:
    """Rows by the header's columns, whichever else there are. One without an answer is left out."""
    return 1, comma.reader(line, COLUMNS, _seconds)


def _seconds(text: str) -> float:
    try:
        value = float(text) if len(text) <= comma.NUMBER_CAP else math.nan
    except ValueError:
        value = math.nan
    if not 0 <= value < 2**53:
        raise ValueError(f"Timestamp is {text[: comma.NUMBER_CAP]!r}, not seconds")
    return value
