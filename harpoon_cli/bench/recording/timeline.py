"""A run along its clock: counts for each second, histograms for slices of some; it judges nothing."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

from harpoon_cli.bench.recording.kept import MOST_SECONDS, StoredSlice, restored, stored
from harpoon_cli.bench.statistics.histogram import Histogram
from harpoon_cli.values import Struct

COLUMNS = ("started", "completed", "failed", "good", "chunks", "output_tokens", "input_tokens")

MOST_SLICES = 60
"""More are put together two by two, so a day's run is kept in the room of a minute."""


class Window(Struct, frozen=True):
    """A part of a run: from one whole second to another, the latter not in it."""

    start_s: int
    end_s: int

    @property
    def seconds(self) -> int:
        return self.end_s - self.start_s


class Seconds:
    """One count a second for each of `COLUMNS`."""

    __slots__ = ("columns",)

    def __init__(self) -> None:
        self.columns = {name: array("q") for name in COLUMNS}

    def add(self, column: str, second: int, count: int = 1) -> None:
        """Add to one count; a second out of any run's range is put at its border."""
        second = min(max(second, 0), MOST_SECONDS - 1)
        kept = self.columns[column]
        if second >= len(kept):
            kept.extend([0] * (second + 1 - len(kept)))
        kept[second] += count

    def add_all(self, column: str, pairs: Iterable[tuple[int, int]]) -> None:
        """Add (second, count) for each pair."""
        sums: dict[int, int] = {}
        for second, count in pairs:
            sums[second] = sums.get(second, 0) + count
        for second, count in sums.items():
            self.add(column, second, count)

    def total(self, column: str, window: Window | None = None) -> int:
        """The sum over a window, or over all."""
        kept = self.columns[column]
        return sum(kept if window is None else kept[max(0, window.start_s) : max(0, window.end_s)])

    def of(self, column: str, start_s: int, end_s: int) -> int:
        """The sum from one second to another, the latter not in it."""
        return self.total(column, Window(start_s, end_s))

    def fullest(self, column: str) -> int:
        """The largest count of any second."""
        return max(self.columns[column], default=0)

    def absorb(self, columns: Mapping[str, Iterable[int]]) -> None:
        """Add another's counts, second by second; columns nobody knows are left."""
        for name in COLUMNS:
            for second, count in enumerate(columns.get(name, ())):
                if count:
                    self.add(name, second, count)


class Slices:
    """Histograms by name for each slice of `width_s` seconds; the width doubles as the run grows."""

    __slots__ = ("_slices", "width_s")

    def __init__(self, width_s: int = 1) -> None:
        self.width_s = width_s
        self._slices: dict[int, dict[str, Histogram]] = {}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Slices):
            return NotImplemented
        return (self.width_s, self._slices) == (other.width_s, other._slices)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def histogram(self, name: str, second: int) -> Histogram:
        """The histogram to file a duration in that belongs to a second after the start."""
        number = min(max(second, 0), MOST_SECONDS - 1) // self.width_s
        if number not in self._slices:
            self._slices[number] = {}
            if len(self._slices) > MOST_SLICES:
                self.widen()
                return self.histogram(name, second)
        kept = self._slices[number]
        if name not in kept:
            kept[name] = Histogram()
        return kept[name]

    def widen(self) -> None:
        """Put every two slices together."""
        narrow, self._slices = self._slices, {}
        self.width_s *= 2
        for number, histograms in narrow.items():
            self._absorb_slice(number // 2, histograms)

    def absorb(self, other: Slices) -> None:
        """Add another's; both end with the wider one's width, or a wider still."""
        while other.width_s < self.width_s:
            other.widen()
        while self.width_s < other.width_s:
            self.widen()
        for number, histograms in other._slices.items():
            self._absorb_slice(number, histograms)
        while len(self._slices) > MOST_SLICES:
            self.widen()

    def _absorb_slice(self, number: int, histograms: Mapping[str, Histogram]) -> None:
        kept = self._slices.setdefault(number, {})
        for name, histogram in histograms.items():
            kept.setdefault(name, Histogram()).absorb(histogram)

    def of(self, name: str, window: Window | None = None) -> list[tuple[int, Histogram]]:
        """(start in s, histogram) of each slice that has any of that name and lies whole in the window."""
        found = []
        for number in sorted(self._slices):
            start_s = number * self.width_s
            inside = window is None or window.start_s <= start_s <= window.end_s - self.width_s
            if inside and name in self._slices[number]:
                found.append((start_s, self._slices[number][name]))
        return found

    def names(self) -> tuple[str, ...]:
        """The names that any slice has."""
        return tuple(sorted({name for kept in self._slices.values() for name in kept}))

    def stored(self) -> tuple[StoredSlice, ...]:
        """As a file keeps them."""
        return tuple(
            StoredSlice(number, {name: stored(kept) for name, kept in sorted(self._slices[number].items())})
            for number in sorted(self._slices)
        )

    def restore(self, slices: Iterable[StoredSlice]) -> None:
        """Add what a file kept."""
        for kept in slices:
            self._absorb_slice(kept.number, {name: restored(one) for name, one in kept.histograms.items()})
