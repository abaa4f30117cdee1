"""When a call to a platform is made again, and after how long; the repeating itself is tenacity's.

A repeat is decided by what the failed call may have done: see `errors.Effect`. Waits are full jitter over an
exponential, never more than half of the time left, or what the server asked for in Retry-After; where that
is more than the time left, the call fails at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from harpoon_cli.errors import BrokenOff, NotSent, PlatformError, RateLimited, ServerFault, TimedOut

T = TypeVar("T")

PERMANENT_CODES = frozenset({"12370004"})
"""Platform codes that come as a 5xx and mean a lack of permission: repeating cannot help."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` calls; the n-th wait is random in 0 … min(cap_s, base_s · 2ⁿ)."""

    attempts: int = 3
    base_s: float = 0.2
    cap_s: float = 5.0


def harmless(error: PlatformError) -> bool:
    """May a call be repeated that has the same effect once or twice (reads, releases, keyed requests)?"""
    if error.platform_code in PERMANENT_CODES:
        return False
    return isinstance(error, NotSent | TimedOut | ServerFault | BrokenOff | RateLimited)


def unsent(error: PlatformError) -> bool:
    """May a call be repeated that must not run twice? Only if it surely did not run."""
    return isinstance(error, NotSent | RateLimited)


async def repeat(
    call: Callable[[float], Awaitable[T]],
    *,
    policy: RetryPolicy,
    deadline_s: float,
    may_repeat: Callable[[PlatformError], bool] = harmless,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = monotonic,
) -> T:
    """Make a call until it succeeds, may not be repeated, or `deadline_s` seconds are over.

    `call` is given the seconds it may still take. The last error is raised as it came.
    """
    ends_at = clock() + deadline_s
    jitter = wait_random_exponential(multiplier=policy.base_s, max=policy.cap_s)

    def asked_s(state: RetryCallState) -> float | None:
        error = state.outcome.exception() if state.outcome else None
        return error.retry_after_s if isinstance(error, PlatformError) else None

    def wait(state: RetryCallState) -> float:
        asked = asked_s(state)
        return min(jitter(state), (ends_at - clock()) / 2) if asked is None else asked

    def out_of_time(state: RetryCallState) -> bool:
        return clock() + (asked_s(state) or 0.0) >= ends_at

    attempts = AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, PlatformError) and may_repeat(error)),
        stop=lambda state: stop_after_attempt(policy.attempts)(state) or out_of_time(state),
        wait=wait,
        sleep=sleep,
        reraise=True,
    )

    async def attempt() -> T:
        return await call(max(0.001, ends_at - clock()))

    return await attempts(attempt)
