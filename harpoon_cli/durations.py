"""Reads durations as people write them, in flags, files and plans of load; imports nothing of ours."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_SECONDS_PER_UNIT = {
    "us": Decimal("0.000001"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,25})?"
_PIECE = re.compile(rf"({_NUMBER})\s*(us|ms|s|m|h|d)\s*", re.ASCII)
_PLAIN = re.compile(_NUMBER, re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds in a number (900) or in text ("900", "90s", "15m", "1h30m", "500ms"); never negative.

    Raises ValueError, with a sentence that does not name a setting, for anything else.
    """
    if isinstance(value, str):
        return _from_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(_WRITE_IT)  # noqa: TRY004 - pydantic and the flags both look for ValueError
    if not math.isfinite(value) or value < 0:
        raise ValueError("a duration is a finite number of seconds, zero or more")
    return float(value)


_WRITE_IT = 'a duration is seconds or text such as "90s", "15m", "1h30m"'


def _from_text(text: str) -> float:
    if _PLAIN.fullmatch(text):
        return float(text)
    total, at = Decimal(0), 0
    for piece in _PIECE.finditer(text):
        if piece.start() != at:
            break
        total += Decimal(piece[1]) * _SECONDS_PER_UNIT[piece[2]]
        at = piece.end()
    if at != len(text) or not text:
        raise ValueError(_WRITE_IT)
    return float(total)
