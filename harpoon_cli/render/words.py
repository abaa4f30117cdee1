"""Amounts, durations, sizes and times in the words people read; pure, and None is always "-"."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from harpoon_cli.amounts import told
from harpoon_cli.domain import Gpu, Money, Price

UNKNOWN = "-"

_MB_PER_GB = 1024


def amount(value: Decimal | None, currency: str = "USD") -> str:
    """An amount to the cent, or to two significant digits where it is less: $12.50, $0.00055, 3.00 EUR."""
    if value is None:
        return UNKNOWN
    return told(value, currency)


def money(value: Money | None) -> str:
    """An amount and how it is known: "$0.00055 estimated"."""
    return UNKNOWN if value is None else f"{amount(value.amount, value.currency)} {value.origin.value}"


def price(value: Price | None) -> str:
    """What an hour costs, and how that is known: "$0.60/h quoted"."""
    return UNKNOWN if value is None else f"{hourly(value)} {value.origin.value}"


def hourly(value: Price | None) -> str:
    """What an hour costs, for a column whose title names the origin: "$0.60/h"."""
    return UNKNOWN if value is None else f"{amount(value.per_hour, value.currency)}/h"


def duration(seconds: float | None) -> str:
    """A measured time: "3.7 ms", "0.84 s", "12.3 s", "2 m 05 s", "3 h 04 m", "2 d 03 h"."""
    if seconds is None or seconds != seconds or abs(seconds) == float("inf"):
        return UNKNOWN
    if seconds < 0:
        return "-" + duration(-seconds)
    if 0 < seconds < 0.0995:
        return f"{seconds * 1000:.2g} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 59.95 else _clock(round(seconds))


def span(seconds: float | None) -> str:
    """A time told to the second, such as what is left of a lease: "0 s", "45 s", "2 m 05 s"."""
    if seconds is None:
        return UNKNOWN
    whole = int(seconds)
    if whole < 0:
        return "-" + span(-whole)
    return f"{whole} s" if whole < 60 else _clock(whole)


def _clock(seconds: int) -> str:
    for unit, below, length, part in (("d", "h", 86_400, 3_600), ("h", "m", 3_600, 60), ("m", "s", 60, 1)):
        if seconds >= length:
            return f"{seconds // length} {unit} {seconds % length // part:02d} {below}"
    return f"{seconds} s"


def age(since: datetime | None, now: datetime) -> str:
    """How long ago `since` was; both aware."""
    return UNKNOWN if since is None else span((now - since).total_seconds())


def until(end: datetime | None, now: datetime) -> str:
    """How long it is to `end`, negative where it has passed; both aware."""
    return UNKNOWN if end is None else span((end - now).total_seconds())


def instant(at: datetime | None) -> str:
    """A point in time in UTC, to the second: "2026-01-31 12:00:05 UTC"."""
    return UNKNOWN if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def memory(mb: int | None) -> str:
    """Memory given in MB: "512 MB", "20 GB", "1.5 GB"."""
    if mb is None:
        return UNKNOWN
    return f"{mb} MB" if abs(mb) < _MB_PER_GB else f"{number(mb / _MB_PER_GB)} GB"


def number(value: float | None) -> str:
    """A figure with at most one digit behind the point: "40", "2.5"."""
    return UNKNOWN if value is None else f"{value:.1f}".removesuffix(".0")


def percent(value: float | None) -> str:
    """A share given in percent: "45 %"."""
    return UNKNOWN if value is None else f"{number(value)} %"


def share(value: float | None) -> str:
    """A share given from 0 to 1: "45 %"."""
    return UNKNOWN if value is None else percent(100 * value)


def of(part: float | None, whole: float | None) -> str:
    """A part of a whole: "3/8"; "-" where neither is known."""
    return UNKNOWN if part is None and whole is None else f"{number(part)}/{number(whole)}"


def gpu(value: Gpu | None) -> str:
    """A slice: "NVIDIA L4, 20 GB, 40 TFLOPS"."""
    if value is None:
        return UNKNOWN
    memory_words = memory(value.vram_mb) if value.vram_mb is not None else None
    compute_words = f"{number(value.tflops)} TFLOPS" if value.tflops is not None else None
    return ", ".join(part for part in (value.model, memory_words, compute_words) if part)
