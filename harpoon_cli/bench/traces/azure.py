"""The Azure LLM inference traces: CSV with TIMESTAMP, ContextTokens and GeneratedTokens.

The time is a date and time of day, with up to seven digits of a second and with or without a zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from harpoon_cli.bench.asking import comma
from harpoon_cli.bench.traces import Row

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,9})?\s*(Z|[+-]\d\d:\d\d)?", re.ASCII)


def recognises(line: str) -> bool:
    """Whether the header has all three columns."""
    return comma.recognises(line, COLUMNS)


def reader(line: str) -> tuple[int, Callable[[str], Row | None]]:
    """Rows by the header's columns, whichever else there are. One without generated tokens is left out."""
    return 1, comma.reader(line, COLUMNS, _seconds)


def _seconds(text: str) -> float:
    found = _MOMENT.fullmatch(text)
    if not found:
        raise ValueError(f"TIMESTAMP is {text[:40]!r}, not a date and time")
    date, time, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{date}T{time}{zone or ''}")
    # datetime has microseconds only, the trace tenths of them.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() + float(fraction or 0)
