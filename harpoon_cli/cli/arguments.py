"""Arguments that several commands take, with the words that explain them."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from math import ceil, isfinite, nan
from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Option

from harpoon_cli.durations import parse_duration

LONGEST_S = 30 * 24 * 3600
"""As in the settings: thirty days."""


def duration(text: str) -> float:
    """Seconds from 900, 90s, 15m or 1h30m."""
    try:
        seconds = parse_duration(text)
    except ValueError as cause:
        raise BadParameter(str(cause)) from cause
    if not 0 < seconds <= LONGEST_S:
        raise BadParameter("a duration is longer than nothing and at most 30 days")
    return seconds


def whole_duration(text: str) -> int:
    """Whole seconds, as leases are counted in."""
    seconds = duration(text)
    if seconds != int(seconds):
        raise BadParameter("leases are counted in whole seconds")
    return int(seconds)


def number(text: str) -> float:
    """A finite number that is not negative."""
    try:
        found = float(text)
    except ValueError:
        found = nan
    if not isfinite(found) or found < 0:
        raise BadParameter(f"{text!r} is not a usable number")
    return found


def temperature(text: str) -> float:
    """0 to 2."""
    found = number(text)
    if found > 2:
        raise BadParameter("a temperature is a number from 0 to 2")
    return found


def money(text: str) -> Decimal:
    """An amount in the platform's currency."""
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise BadParameter(f"{text!r} is not an amount of money; write 0.50")
    return amount


def memory(text: str) -> int:
    """MB from 20GB, 20480MB or 20480."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(GB|G|MB|M|)", text.strip(), re.IGNORECASE)
    size_mb = float(found[1]) * (1024 if found[2].upper().startswith("G") else 1) if found else 0.0
    if size_mb < 1:
        raise BadParameter(f"{text!r} is not an amount of memory; write 20GB or 20480 (MB)")
    return ceil(size_mb)


def session_name(text: str) -> str:
    """A name of a person's or a program's choice."""
    if not 0 < len(text) <= 100 or not text.isprintable() or text.isspace():
        raise BadParameter("the name of a session has 1 to 100 characters that can be printed")
    return text


PromptArgument = Annotated[
    str | None, Argument(help="The prompt; - reads standard input.", show_default=False)
]
PromptFileOption = Annotated[
    Path | None, Option("--file", "-f", metavar="PATH", help="Read the prompt from a file.")
]
SystemOption = Annotated[
    str | None, Option("--system", metavar="TEXT", help="A text that stands before the prompt.")
]
MaxTokensOption = Annotated[
    int | None, Option("--max-tokens", min=1, metavar="NUMBER", help="The longest answer, in tokens.")
]
PoolOption = Annotated[
    str | None, Option("--pool", metavar="ID", help="Lease from this pool; else the cheapest that fits.")
]
ModelOption = Annotated[str | None, Option("--model", "-m", metavar="NAME", help="A model of the catalogue.")]
TtlOption = Annotated[
    int | None,
    Option(
        "--ttl",
        parser=whole_duration,
        metavar="DURATION",
        help="The platform ends the lease after this at the latest; 15m unless configured.",
    ),
]
TimeoutOption = Annotated[
    float | None,
    Option("--timeout", parser=duration, metavar="DURATION", help="How long to wait until it is ready."),
]
MaxCostOption = Annotated[
    Decimal | None,
    Option(
        "--max-cost",
        parser=money,
        metavar="AMOUNT",
        help="What the lease may cost at most: it is refused, shortened or ended.",
    ),
]
SessionOption = Annotated[
    str | None,
    Option(
        "--session",
        parser=session_name,
        metavar="NAME",
        help="Prefer the model that answered last in this session; it is remembered for a day.",
    ),
]
WatchOption = Annotated[bool, Option("--watch", "-w", help="Show it again and again until Ctrl-C.")]
IntervalOption = Annotated[
    float, Option("--interval", parser=duration, metavar="DURATION", help="Between two looks with --watch.")
]
