"""A line on a terminal that shows what goes on and for how long; it draws, and knows nothing of the work.

A small thread draws it, so that it turns in blocking and in asynchronous code alike. The cursor is never
hidden, so there is nothing to restore when the process is killed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from threading import Event, RLock, Thread

_WIPE = "\r\x1b[2K"

_PERIOD_S = 0.1


class Spinner:
    """Turns from `start` to `stop`; what is over within a tenth of a second is never drawn.

    line gives the words beside the glyph, write puts characters on the terminal, and lock is held around it.
    """

    def __init__(
        self, line: Callable[[], str], write: Callable[[str], None], lock: RLock, *, glyphs: str
    ) -> None:
        self._line = line
        self._write = write
        self._lock = lock
        self._glyphs = glyphs
        self._drawn = False
        self._over = Event()
        self._thread = Thread(target=self._turn, name="spinner", daemon=True)

    def start(self) -> None:
        """Begin to turn."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wipe the line."""
        self._over.set()
        self._thread.join()
        self._write(self.wiping())

    def wiping(self) -> str:
        """The characters that make room for another line, where one is drawn. Call it with the lock held."""
        wiping, self._drawn = _WIPE if self._drawn else "", False
        return wiping

    def _turn(self) -> None:
        for glyph in cycle(self._glyphs):
            if self._over.wait(_PERIOD_S):
                return
            with self._lock:
                self._drawn = True
                self._write(f"{_WIPE}{glyph} {self._line()}")
