"""Watches one plane of one host over all processes: holds calls back while it fails, and counts repeats.

What is in a `with urgent():` is never held back: what may be billing is found and ended whatever else fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from time import time

from harpoon_cli.client import breaker, rates
from harpoon_cli.client.breaker import Admission, Phase, Rules
from harpoon_cli.client.health_file import HealthFile
from harpoon_cli.client.refusals import CAPACITY_CODES
from harpoon_cli.errors import (
    BreakerOpen,
    BrokenOff,
    NotSent,
    PlatformError,
    ServerFault,
    TimedOut,
    UnreadableAnswer,
)

_urgent: ContextVar[bool | None] = ContextVar("urgent", default=None)
"""None where nothing is said; False stands against any True within."""


@contextmanager
def urgent() -> Iterator[None]:
    """For finding and ending what may be billing: no call within is held back, or lacks a repeat."""
    with _set(_urgent.get() is not False):
        yield


@contextmanager
def patient() -> Iterator[None]:
    """For a look that ends nothing: a host that is left alone is left alone by all within."""
    with _set(False):
        yield


@contextmanager
def _set(value: bool) -> Iterator[None]:
    token = _urgent.set(value)
    try:
        yield
    finally:
        _urgent.reset(token)


class Guard:
    """One plane ("control", "inference") of one host, e.g. "https://api.hosted.ai"."""

    def __init__(
        self,
        host: str,
        plane: str,
        shared: HealthFile,
        rules: Rules | None = None,
        *,
        now: Callable[[], float] = time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.host, self.plane = host, plane
        self._shared = shared
        self._rules = rules or Rules()
        self._now = now
        self._sleep = sleep
        self._heard: tuple[int, rates.Rate | None] | None = None

    async def admitted(self, *, within_s: float) -> float:
        """The moment at which the call may go, for `ended`; `BreakerOpen` where it may not.

        A host that has just recovered is spared for a moment, which is waited for, unless that is longer
        than `within_s`.
        """
        latest = self._now() + within_s
        while True:
            now = self._now()
            admission = self._admission(now, urgent=_urgent.get() is True)
            if not admission.wait_s:
                return now
            if admission.shut or now + admission.wait_s > latest:
                raise self._is_open(now, admission.wait_s)
            await self._sleep(admission.wait_s)

    def _admission(self, now: float, *, urgent: bool) -> Admission:
        def admit(health: breaker.Health) -> tuple[breaker.Health, Admission]:
            admission = breaker.admit(health, self._rules, now, urgent=urgent)
            return admission.health, admission

        return self._shared.change(self._name, admit, now)

    def _is_open(self, now: float, wait_s: float) -> BreakerOpen:
        return BreakerOpen(
            f"{self.host} failed too often in a row; nothing more is sent to its {self.plane} plane until "
            f"{_clock(now + wait_s)}",
            hint="run the command again then",
            retry_after_s=wait_s,
        )

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of an answer is there; what it tells of a rate limit is kept when the call has `ended`."""
        self._heard = status, rates.told(status, headers, self._now())

    def ended(self, began_at: float, error: PlatformError | None = None) -> None:
        """What became of a call that was let through: its error, or None for a whole answer."""
        now, heard, self._heard = self._now(), self._heard, None

        def learn(health: breaker.Health) -> tuple[breaker.Health, None]:
            if heard is not None:
                health = rates.remembered(health, heard[1], heard[0], now)
            if _is_failure(error):
                return breaker.failed(health, self._rules, now, began_at=began_at), None
            return breaker.succeeded(health, self._rules, now), None

        self._shared.change(self._name, learn, now)

    def may_repeat(self) -> bool:
        """Whether a call that failed may be made again; that is counted as done."""
        now, hurried = self._now(), _urgent.get() is True
        return self._shared.change(
            self._name, lambda health: breaker.may_repeat(health, self._rules, now, urgent=hurried), now
        )

    def limit(self) -> tuple[int, float] | None:
        """How many calls the rate limit leaves, and for how many seconds; None where no limit is known."""
        now = self._now()
        health = self._shared.health(self._name)
        left = rates.limit(health, now)
        return None if left is None else (left, health.limited_until - now)

    def told(self) -> tuple[bool, str]:
        """Whether calls are held back now, and where the host stands, in words."""
        now = self._now()
        health = self._shared.health(self._name)
        where = f"{self.host}, {self.plane} plane"
        if breaker.phase(health, self._rules, now) is Phase.OPEN:
            left_s = breaker.open_for_s(health, self._rules, now)
            then = (
                f"nothing is sent until {_clock(now + left_s)}" if left_s else "the next call is let through"
            )
            return True, f"open for {where}: {health.failures} failures in a row, {then}"
        left = rates.limit(health, now)
        limit = f", {left} calls left until {_clock(health.limited_until)}" if left is not None else ""
        return False, f"closed for {where}; {breaker.reserve_at(health, now):.0f} repeats in reserve{limit}"

    @property
    def trouble(self) -> str | None:
        """Why other processes do not learn what this one does, where that is so."""
        return self._shared.trouble

    @property
    def _name(self) -> str:
        return f"{self.host} {self.plane}"


def _is_failure(error: PlatformError | None) -> bool:
    kinds = (NotSent, TimedOut, ServerFault, BrokenOff, UnreadableAnswer)
    return isinstance(error, kinds) and error.platform_code not in CAPACITY_CODES


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S} UTC"
