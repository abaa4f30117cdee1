"""A few lines on a terminal that are painted over while work goes on; it draws, and knows nothing of it.

Nobody but its caller draws it, at whatever pace: it has no thread. The cursor is never hidden, so there is
nothing to restore when the process is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_LINE_WRAP_OFF, _LINE_WRAP_ON = "\x1b[?7l", "\x1b[?7h"
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[2K", "\x1b[J"


class Panel:
    """Lines painted over one another from `paint` to `stop`. write puts characters on the terminal."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._rows = 0

    def paint(self, lines: Sequence[str]) -> None:
        """Show these lines in place of those before; all in one write, so that nothing flickers.

        Lines do not wrap meanwhile, so one line is one row; there must be fewer than the terminal has.
        """
        body = "".join(f"{_CLEAR_LINE}{line}\n" for line in lines)
        self._write(f"{_LINE_WRAP_OFF}{self._up()}{body}{_CLEAR_BELOW}{_LINE_WRAP_ON}")
        self._rows = len(lines)

    def wiping(self) -> str:
        """The characters that make room for other lines."""
        wiping = f"{self._up()}{_CLEAR_BELOW}" if self._rows else ""
        self._rows = 0
        return wiping

    def stop(self) -> None:
        """Take the lines away."""
        self._write(self.wiping())

    def _up(self) -> str:
        return f"\r\x1b[{self._rows}A" if self._rows else "\r"
