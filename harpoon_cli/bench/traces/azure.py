"""The Azure LLM inference traces: CSV with TIMESTAMP, ContextTokens and GeneratedTokens.

The time is a date and time of day, with up to seven digits of a second and with or without a zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from harpoon_cli.bench import comma
from harpoon_cli.bench.traces import Row

COLUMNS = ("timestamp", "contexttokens", "generatedtokens")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,9})?\s*(Z|[+-]\d\d:\d\d)?", re.ASCII)


def recognises(line: str) -> bool:
    """Whether the header has all three columns."""
    return set(COLUMNS) <= set(comma.names(line))


def reader(line: str) -> tuple[int, Callable[[str], Row | None]]:
    """Rows by the header's columns, whichever else there are. One without generated tokens is left out."""
    where: dict[str, int] = {}

    def read(text: str) -> Row | None:
        if not where:  # at the first row, so that a bad header is told as a fault of the file
            where.update(comma.places(line, COLUMNS))
        values = comma.picked(text, where)
        made = comma.tokens("GeneratedTokens", values["generatedtokens"])
        asked = comma.tokens("ContextTokens", values["contexttokens"])
        at_s = _seconds(values["timestamp"])
        return Row(at_s, asked, made) if made else None

    return 1, read


def _seconds(text: str) -> float:
    found = _MOMENT.fullmatch(text)
    if not found:
        raise ValueError(f"TIMESTAMP is {text[:40]!r}, not a date and time")
    date, time, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{date}T{time}{zone or ''}")
    # datetime has microseconds only, the trace tenths of them.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() + float(fraction or 0)
