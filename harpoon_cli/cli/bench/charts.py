"""Bars and charts made of characters, for a view that is painted over; it knows nothing of what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harpoon_cli.values import Struct

_LEVELS = {True: "▁▂▃▄▅▆▇█", False: "_.-=+*#@"}
_BAR = {True: ("━", "─"), False: ("#", ".")}


class Charts(Struct, frozen=True):
    """Charts so many characters wide; unicode: whether the terminal shows more than ASCII."""

    width: int
    unicode: bool

    def bar(self, share: float) -> str:
        """How far something is, from 0 to 1, with the per cent after it."""
        full, empty = _BAR[self.unicode]
        width = max(self.width - 6, 1)
        done = round(share * width)
        return f"{full * done}{empty * (width - done)} {share:4.0%}"

    def line(self, values: Sequence[float]) -> str:
        """The latest values, each as high as it is beside the highest."""
        return next(self.chart(values, 1), "")

    def chart(self, values: Sequence[float], rows: int) -> Iterator[str]:
        """The latest values in so many rows, the highest as tall as they are; no row where there are none."""
        shown = values[-max(self.width, 1) :]
        most = max(shown, default=0)
        if not shown:
            return
        levels = _LEVELS[self.unicode]
        steps = len(levels)
        heights = [round(value / most * (rows * steps - 1)) + 1 if most and value else 0 for value in shown]
        for row in reversed(range(rows)):
            below = [min(max(height - row * steps, 0), steps) for height in heights]
            # What is nothing still has its place on the ground.
            ground = levels[0] if row == 0 else " "
            yield "".join(levels[height - 1] if height else ground for height in below).rstrip()
