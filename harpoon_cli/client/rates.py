"""What a platform says of its rate limit: calls left, and until when. No I/O; it holds no call back.

Read from the headers of any answer, in the spellings that platforms use:

    RateLimit-Remaining, RateLimit-Reset               seconds to the reset
    RateLimit: "name";r=50;t=30                        several limits with commas; the least counts
    X-RateLimit-Remaining, X-RateLimit-Reset           seconds to the reset, or its moment in Unix time
    x-ratelimit-remaining-requests, …-reset-requests   "1s", "6m0s", "20ms"
    429 with Retry-After                               none until then

A number without an end is not kept: nobody could say for how long it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from harpoon_cli.client.breaker import Health
from harpoon_cli.client.exchange import http_date
from harpoon_cli.client.refusals import retry_after_s
from harpoon_cli.values import Struct, replace

TOO_MANY_REQUESTS = 429

ASKED_AGAIN_AFTER_S = 300.0
"""So long a host that has no call left is taken at its word, however far away the end is that it told."""

LONGEST_S = 30 * 24 * 3600.0
"""A limit that ends later than this is not kept."""

_PAIRS = (
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
)
_MOST_CALLS = 10**9
_UNIX_TIME = 10**9
"""A number of seconds from here on is a moment."""

_ITEM = re.compile(r";\s*([rt])=(\d{1,12})(?![\d.])")
_SPAN = re.compile(
    r"(?=\d)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?"
)
_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)


class Rate(Struct, frozen=True):
    """So many calls may still be made in the next `for_s` seconds."""

    left: int
    for_s: float


def told(status: int, headers: Mapping[str, str], now: float) -> Rate | None:
    """The strictest limit that an answer tells, None where it tells none; `now` is in Unix time.

    headers have their names in lower case; they may hold anything.
    """
    found = [*_pairs(headers, now), *_listed(headers.get("ratelimit", ""))]
    if status == TOO_MANY_REQUESTS:
        wait_s = retry_after_s(headers.get("retry-after"), headers.get("date"))
        ends = [min(wait_s, LONGEST_S)] if wait_s else [rate.for_s for rate in found if rate.left == 0]
        return Rate(0, max(ends)) if ends else None
    return min(found, key=lambda rate: (rate.left, -rate.for_s), default=None)


def _pairs(headers: Mapping[str, str], now: float) -> Iterator[Rate]:
    for remaining, reset in _PAIRS:
        rate = _rate(headers.get(remaining, ""), _end_s(headers.get(reset, ""), headers.get("date"), now))
        if rate is not None:
            yield rate


def _listed(value: str) -> Iterator[Rate]:
    for item in value[:2000].split(","):
        parts = dict(_ITEM.findall(item))
        if (rate := _rate(parts.get("r", ""), float(parts["t"]) if "t" in parts else None)) is not None:
            yield rate


def _rate(left: str, for_s: float | None) -> Rate | None:
    digits = left.strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 12:
        return None
    if for_s is None or not 0 < for_s <= LONGEST_S:
        return None
    return Rate(min(int(digits), _MOST_CALLS), for_s)


def _end_s(value: str, date: str | None, now: float) -> float | None:
    """Seconds to a reset; a moment is counted from the answer's own Date, where it has one."""
    text = value.strip()
    try:
        seconds = float(text) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text) else None
    except ValueError:
        seconds = None
    if seconds is None:
        found = _SPAN.fullmatch(text[:60])
        return (
            sum(float(part or 0) * each for part, each in zip(found.groups(), _SECONDS, strict=True))
            if found
            else None
        )
    if seconds < _UNIX_TIME:
        return seconds
    sent = http_date(date)
    return seconds - (now if sent is None else sent.timestamp())


def remembered(health: Health, rate: Rate | None, status: int, now: float) -> Health:
    """A host's health with what its last answer told; a good answer without a word of it ends "none left"."""
    if rate is not None:
        return replace(health, calls_left=rate.left, told_at=now, limited_until=now + rate.for_s)
    if limit(health, now) == 0 and 200 <= status < 300:
        return replace(health, calls_left=0, told_at=0.0, limited_until=0.0)
    return health


def limit(health: Health, now: float) -> int | None:
    """How many calls are left by what was told last; None where nothing was, or its time is over.

    "None left" closes a host to prompts, so that it could never tell otherwise: one asks again in time.
    """
    believed_s = ASKED_AGAIN_AFTER_S if health.calls_left == 0 else LONGEST_S
    ends_at = min(health.limited_until, health.told_at + believed_s)
    return health.calls_left if health.told_at <= now < ends_at else None
