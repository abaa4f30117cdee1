"""Reads the quantities of a plan as people type them, within the bounds that make sense; pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from harpoon_cli.durations import parse_duration
from harpoon_cli.values import Struct

LONGEST_S = 30 * 86_400.0
"""The longest duration in a plan: thirty days."""

MOST_PER_S = 1_000_000.0
MOST_REQUESTS = 1_000_000_000

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,25})?"


class Kind(Struct, frozen=True):
    """A kind of quantity: `read` makes a value of text, or raises ValueError with what it should have been.

    example is one as it is typed; unit follows a number of this kind when it is written.
    """

    example: str
    read: Callable[[str], object]
    unit: str = ""

    def write(self, value: object) -> str:
        """The text that `read` makes this value of again."""
        if isinstance(value, float):
            value = format(Decimal(repr(value)), "f").removesuffix(".0")
        return f"{value}{self.unit}"


def seconds(text: str) -> float:
    """Seconds in "90s", "15m", "1h30m", "500ms" or "90": more than none, at most thirty days."""
    try:
        total = parse_duration(text)
    except ValueError as cause:
        raise ValueError('is not a duration such as "90s", "15m" or "1h30m"') from cause
    if not 0 < total <= LONGEST_S:
        raise ValueError("is not a duration above 0 and up to 30 days")
    return total


def number(least: float, most: float, *, above: bool = False) -> Callable[[str], float]:
    """A reader of numbers from `least` (or, with above=True, above it) to `most`."""

    def read(text: str) -> float:
        value = float(text) if re.fullmatch(_NUMBER, text, re.ASCII) else -1.0
        if not least <= value <= most or (above and value == least):
            raise ValueError(f"is not a number {'above' if above else 'from'} {least:g} {_up_to(most)}")
        return value

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        value = int(text) if re.fullmatch("[0-9]{1,12}", text, re.ASCII) else -1
        if not least <= value <= most:
            raise ValueError(f"is not a whole number from {least} {_up_to(most)}")
        return value

    return read


def _up_to(most: float) -> str:
    return f"to {int(most):,}"


def choice(*words: str) -> Kind:
    """One of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is not one of: {', '.join(words)}")
        return text

    return Kind(words[0], read)


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("is not the name of a file")
    return Path(text)


SECONDS = Kind("60s", seconds, "s")
RATE = Kind("40", number(0, MOST_PER_S, above=True))
RATE_OR_NONE = Kind("0", number(0, MOST_PER_S))
COUNT = Kind("1000", whole(1, MOST_REQUESTS))
COUNT_OR_NONE = Kind("0", whole(0, MOST_REQUESTS))
AT_ONCE = Kind("64", whole(1, 1_000_000))
PATH = Kind("FILE", _path)
