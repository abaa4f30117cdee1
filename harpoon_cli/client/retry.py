"""When a call to a platform is made again, and after how long; the repeating itself is tenacity's.

A repeat is decided by what the failed call may have done: see `errors.Effect`. Waits are full jitter over an
exponential, never more than half of the time left, or what the server asked for in Retry-After; where that
is more than the time left, the call fails at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from harpoon_cli.errors import BrokenOff, NotSent, PlatformError, RateLimited, ServerFault, TimedOut

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` calls; the wait after the n-th is random in 0 … min(cap_s, base_s · 2ⁿ⁻¹)."""

    attempts: int = 3
    base_s: float = 0.2
    cap_s: float = 10.0

    def longest_wait_s(self, attempt: int) -> float:
        """The end of the range that the wait after the n-th attempt is drawn from."""
        return min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 60))


def harmless(error: PlatformError) -> bool:
    """May a call be repeated that has the same effect once or twice (reads, releases, keyed requests)?"""
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
    jitter: Callable[[float, float], float] = random.uniform,
) -> T:
    """Make a call until it succeeds, may not be repeated, or `deadline_s` seconds are over.

    `call` is given the seconds it may still take. The last error is raised as it came.
    """
    ends_at = clock() + deadline_s

    def wait_s(state: RetryCallState) -> float:
        asked_s = _asked_s(state)
        if asked_s is not None:
            return asked_s
        return min(jitter(0.0, policy.longest_wait_s(state.attempt_number)), (ends_at - clock()) / 2)

    def is_over(state: RetryCallState) -> bool:
        return state.attempt_number >= policy.attempts or clock() + (_asked_s(state) or 0.0) >= ends_at

    async def attempt() -> T:
        return await call(max(0.001, ends_at - clock()))

    attempts = AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, PlatformError) and may_repeat(error)),
        stop=is_over,
        wait=wait_s,
        sleep=sleep,
        reraise=True,
    )
    return await attempts(attempt)


def _asked_s(state: RetryCallState) -> float | None:
    """What the server asked for in Retry-After."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after_s if isinstance(error, PlatformError) else None
