"""How long work ran on a lease, however many pieces of it at once; knows no clock but the one it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic


class Worktime:
    """Counts the seconds in which at least one piece of work was going on. For one event loop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._running = 0
        self._began_s = 0.0
        self._counted_s = 0.0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Within the block a piece of work is going on."""
        if not self._running:
            self._began_s = self._clock()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._counted_s += self._clock() - self._began_s

    @property
    def seconds(self) -> float:
        """So far, with what is going on now."""
        return self._counted_s + (self._clock() - self._began_s if self._running else 0.0)
