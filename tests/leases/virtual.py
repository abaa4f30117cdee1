"""An event loop in which no time passes but what is waited for: a wait of an hour takes no time at all."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

BEGINNING = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


class _Waitless(selectors.SelectSelector):
    """Where the loop would wait, its clock is moved instead."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits for something that never comes"
        self.now_s += max(0.0, timeout)
        return []


class VirtualTime:
    """One loop and its clock, in seconds since the beginning."""

    def __init__(self) -> None:
        self._selector = _Waitless()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._loop.time = lambda: self._selector.now_s  # type: ignore[method-assign]  # the one clock it has
        # What asyncio has to complain about (an exception that nobody looked at) must fail a test.
        self.complaints: list[str] = []
        self._loop.set_exception_handler(lambda _, context: self.complaints.append(str(context["message"])))

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self._loop.run_until_complete(work)

    def forward(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    def seconds(self) -> float:
        return self._selector.now_s

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._selector.now_s)

    def close(self) -> None:
        self._loop.close()


@contextmanager
def virtual_time() -> Iterator[VirtualTime]:
    time = VirtualTime()
    try:
        yield time
        assert time.complaints == []
    finally:
        time.close()
