"""When a call to a platform is made again, and after how long; the repeating itself is tenacity's.

A repeat is decided by what the failed call may have done: see `errors.Effect`. Waits are full jitter over an
exponential, never more than half of the time left, or what the server asked for in Retry-After; where that
is more than the time left, the call fails at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Generic, Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from harpoon_cli.errors import (
    BreakerOpen,
    BrokenOff,
    NotSent,
    PlatformError,
    RateLimited,
    ServerFault,
    TimedOut,
    UnreadableAnswer,
)
from harpoon_cli.values import Struct, field

WORTHWHILE_S = 0.1
"""A repeat with less time than this would fail for lack of time, and hide why the one before it failed."""

T = TypeVar("T")

_pauses: ContextVar[list[float] | None] = ContextVar("pauses", default=None)


@contextmanager
def pauses_noted() -> Iterator[list[float]]:
    """The pauses, in seconds, of calls begun within: one that makes any was answered, and does not hang."""
    noted: list[float] = []
    token = _pauses.set(noted)
    try:
        yield noted
    finally:
        _pauses.reset(token)


class Allowance(Protocol):
    """Pays for repeats: see `client.guard.Guard`."""

    def may_repeat(self) -> bool:
        """Whether a call that failed may be made again; that is counted as done."""


class RetryPolicy(Struct, frozen=True):
    """At most `attempts` calls; the wait after the n-th is random in 0 … min(cap_s, base_s · 2ⁿ⁻¹).

    A call that hangs may use `share` of the time left while it could still be repeated; a stream then goes on
    beside its repeat. Without an `allowance` every repeat is paid for. `limit` names the setting that says
    how long all attempts together may take.
    """

    attempts: int = 3
    base_s: float = 0.2
    cap_s: float = 10.0
    share: float = 1.0
    allowance: Allowance | None = None
    limit: str = "the time for the call"

    def longest_wait_s(self, attempt: int) -> float:
        """The end of the range that the wait after the n-th attempt is drawn from."""
        return min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 60))


def harmless(error: PlatformError) -> bool:
    """May a call be repeated that has the same effect once or twice (reads, releases, keyed requests)?"""
    passing = NotSent | TimedOut | ServerFault | BrokenOff | RateLimited | UnreadableAnswer
    return isinstance(error, passing)


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

    `call` is given the seconds it may still take. The last error is raised, with what all attempts took.
    """
    repeating = _Repeating(policy, deadline_s, clock() + deadline_s, may_repeat, clock, jitter)
    attempts = repeating.attempts(sleep)
    with repeating.told(attempts):
        async for attempt in attempts:
            with attempt:
                return await call(repeating.left_s(attempt.retry_state))
    raise AssertionError("it ends with a value or an error")


async def repeat_stream(
    call: Callable[[float], AsyncGenerator[T, None]],
    *,
    policy: RetryPolicy,
    deadline_s: float,
    may_repeat: Callable[[PlatformError], bool] = harmless,
) -> AsyncGenerator[T, None]:
    """The items of a stream, which is begun anew as `repeat` would, also after some of its items came.

    One that has given nothing for its share of the time is asked for once more, and goes on beside that: the
    first to give something wins. So a server that hangs leaves time, and a slow one is not cut short. `call`
    is given all the time that is left.
    """
    ends_at = monotonic() + deadline_s
    repeating = _Repeating(policy, deadline_s, ends_at, may_repeat, monotonic, random.uniform)
    attempts = repeating.attempts(asyncio.sleep)
    with repeating.told(attempts):
        async for attempt in attempts:
            state = attempt.retry_state
            try:
                begun = await _Race(call, repeating, state).won()
                async with aclosing(begun.rest) as rest:
                    for item in begun.first:
                        yield item
                    async for item in rest:
                        yield item
            except PlatformError as error:
                # Its own context manager would swallow the end of this generator too.
                state.set_exception((type(error), error, error.__traceback__))
            else:
                return


class _Begun(Struct, Generic[T], frozen=True):
    """A stream that has given its first item; none where it ended without one."""

    first: list[T]
    rest: AsyncGenerator[T, None]


class _Race(Struct, Generic[T]):
    """A request, and its repeats where nothing came of it for long; the first to give something wins."""

    call: Callable[[float], AsyncGenerator[T, None]]
    repeating: _Repeating
    state: RetryCallState
    _running: set[asyncio.Task[_Begun[T]]] = field(default_factory=set)

    async def won(self) -> _Begun[T]:
        """The winner; the last error where all have failed. The others are over when this returns."""
        try:
            self._ask()
            return await self._first()
        finally:
            await self._leave()

    def _ask(self) -> None:
        items = self.call(self.repeating.all_left_s())
        self._running.add(asyncio.ensure_future(_begun(items)))

    async def _first(self) -> _Begun[T]:
        patience_s: float | None = self.repeating.left_s(self.state)
        while True:
            done, self._running = await asyncio.wait(
                self._running, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
            )
            errors = [error for one in done if (error := one.exception()) is not None]
            if len(errors) < len(done):
                winner, *late = [one.result() for one in done if one.exception() is None]
                for one in late:
                    await one.rest.aclose()
                return winner
            if errors and not self._running:
                raise errors[-1]
            more = not done and self.repeating.may_ask_beside(self.state)
            if more:
                self._ask()
            patience_s = self.repeating.left_s(self.state) if more else None

    async def _leave(self) -> None:
        for one in self._running:
            one.cancel()
        for left in await asyncio.gather(*self._running, return_exceptions=True):
            if isinstance(left, _Begun):
                await left.rest.aclose()


async def _begun(items: AsyncGenerator[T, None]) -> _Begun[T]:
    try:
        async for item in items:
            return _Begun([item], items)
    except BaseException:
        await items.aclose()
        raise
    return _Begun([], items)


class _Repeating(Struct):
    """The decisions of `repeat`; ends_at is the clock's, `beside` how many requests went beside another."""

    policy: RetryPolicy
    deadline_s: float
    ends_at: float
    may_repeat: Callable[[PlatformError], bool]
    clock: Callable[[], float]
    jitter: Callable[[float, float], float]
    beside: int = 0

    def attempts(self, sleep: Callable[[float], Awaitable[None]]) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, PlatformError) and self.may_repeat(error)
            ),
            stop=self.is_over,
            wait=self.wait_s,
            sleep=sleep,
            reraise=True,
        )

    @contextmanager
    def told(self, attempts: AsyncRetrying) -> Iterator[None]:
        """The error that ends them tells what they took; where time lacked, the setting that allows more."""
        try:
            yield
        except PlatformError as error:
            self._tell(error, attempts.statistics["attempt_number"] + self.beside)
            raise

    def _tell(self, error: PlatformError, attempts: int) -> None:
        left_s = self.ends_at - self.clock()
        if attempts > 1:
            error.message += f"; {attempts} attempts took {self.deadline_s - left_s:.1f} s"
        if isinstance(error, TimedOut) and error.status is None:
            error.message += f", and {self.policy.limit} allows {max(0.0, self.deadline_s):.3g} s"
            error.hint = f"{self.policy.limit} allows longer; harpoon doctor tells how the platform is"
        elif (error.retry_after_s or 0.0) > left_s and not isinstance(error, BreakerOpen):
            error.hint = (
                f"run the command again after that: {self.policy.limit} leaves no time to wait so long"
            )
        error.args = (error.message,)

    def all_left_s(self) -> float:
        return max(0.001, self.ends_at - self.clock())

    def left_s(self, state: RetryCallState) -> float:
        """How long an attempt may take: less than all where another one can follow it."""
        left_s = self.all_left_s()
        return left_s * self.policy.share if self._may_hang(state) else left_s

    def _may_hang(self, state: RetryCallState) -> bool:
        """Could the call be made again if this attempt gave no answer?"""
        return self._may_follow(state) and self.may_repeat(TimedOut(""))

    def _may_follow(self, state: RetryCallState) -> bool:
        return state.attempt_number + self.beside < self.policy.attempts

    def may_ask_beside(self, state: RetryCallState) -> bool:
        """Whether a request that gives nothing may be made once more, beside it; that is counted as done."""
        may = self._may_hang(state) and self.all_left_s() > WORTHWHILE_S and self._is_paid_for()
        self.beside += may
        return may

    def _is_paid_for(self) -> bool:
        return self.policy.allowance is None or self.policy.allowance.may_repeat()

    def wait_s(self, state: RetryCallState) -> float:
        wait_s = _asked_s(state)
        if wait_s is None:
            longest_s = self.policy.longest_wait_s(state.attempt_number)
            wait_s = min(self.jitter(0.0, longest_s), (self.ends_at - self.clock()) / 2)
        if (noted := _pauses.get()) is not None:
            noted.append(wait_s)
        return wait_s

    def is_over(self, state: RetryCallState) -> bool:
        if not self._may_follow(state):
            return True
        if self.clock() + state.upcoming_sleep + WORTHWHILE_S > self.ends_at:
            return True
        return not self._is_paid_for()


def _asked_s(state: RetryCallState) -> float | None:
    """What the server asked for in Retry-After."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after_s if isinstance(error, PlatformError) else None
