"""A histogram of durations with three significant digits, whose sums with others are exact; it does no I/O.

A bucket is named by the top bits of the duration as a binary floating point number: eleven for the exponent,
ten for the mantissa. So each power of two has 1,024 buckets, one is at most 0.1 % wide, and its middle is
within 0.05 % of every value in it, from a nanosecond up. Whole arrays are filed without a loop in Python.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate, repeat
from math import inf, sqrt
from operator import rshift

_MANTISSA_BITS = 10
_SHIFT = 52 - _MANTISSA_BITS
_BIAS = 1023

LARGEST_BUCKET = (_BIAS + 62) << _MANTISSA_BITS
"""No 64-bit count of nanoseconds is in a higher bucket."""

MILLION = 1_000_000
"""Percentiles are counted in millionths (`ppm`): 990_000 is p99. Fractions of 1 are not exact in binary."""


def bucket_of(value_ns: int) -> int:
    """The bucket of a duration; of zero and less, bucket 0."""
    if value_ns <= 0:
        return 0
    bits = value_ns.bit_length()
    leading = (value_ns << _MANTISSA_BITS) >> (bits - 1)
    return ((_BIAS + bits - 2) << _MANTISSA_BITS) + leading


def middle_of(bucket: int) -> float:
    """The middle of a bucket, in nanoseconds."""
    if bucket <= 0:
        return 0.0
    exponent = (bucket >> _MANTISSA_BITS) - _BIAS - _MANTISSA_BITS
    leading = (1 << _MANTISSA_BITS) + (bucket & ((1 << _MANTISSA_BITS) - 1))
    if exponent <= 0:  # narrower than a nanosecond: it holds one whole number
        return leading / (1 << -exponent)
    return float((leading << exponent) + ((1 << exponent) - 1) / 2)


class Histogram:
    """Durations in nanoseconds, and how many never ended (`infinite`: failures). Mutable until it is read."""

    __slots__ = ("counts", "infinite", "total_ns")

    def __init__(
        self, counts: Iterable[tuple[int, int]] = (), *, infinite: int = 0, total_ns: int = 0
    ) -> None:
        self.counts: Counter[int] = Counter(dict(counts))
        self.infinite = infinite
        self.total_ns = total_ns

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return (self.counts, self.infinite, self.total_ns) == (other.counts, other.infinite, other.total_ns)

    __hash__ = None  # type: ignore[assignment]  # mutable

    @property
    def finite(self) -> int:
        """How many durations ended."""
        return sum(self.counts.values())

    def add(self, value_ns: int, times: int = 1) -> None:
        """File one duration; one below zero counts as zero."""
        value_ns = max(value_ns, 0)
        self.counts[bucket_of(value_ns)] += times
        self.total_ns += value_ns * times

    def add_all(self, values_ns: array[float], total_ns: int) -> None:
        """File whole nanoseconds, none below zero, as doubles; `total_ns` is their sum."""
        bits = memoryview(values_ns).cast("B").cast("q")
        self.counts.update(map(rshift, bits, repeat(_SHIFT)))
        self.total_ns += total_ns

    def absorb(self, other: Histogram) -> None:
        """Add another's counts; the result is what one histogram of all values would be."""
        self.counts.update(other.counts)
        self.infinite += other.infinite
        self.total_ns += other.total_ns

    def ranks(self) -> Ranks:
        """The values in order, as they are now."""
        return Ranks(self)


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """The histogram of all their values."""
    whole = Histogram()
    for histogram in histograms:
        whole.absorb(histogram)
    return whole


class Ranks:
    """A histogram's values in order: its n-th smallest, its percentiles, its moments."""

    def __init__(self, histogram: Histogram) -> None:
        self._buckets = sorted(histogram.counts)
        self._counts = [histogram.counts[bucket] for bucket in self._buckets]
        self._reached = list(accumulate(self._counts))
        self.finite = self._reached[-1] if self._reached else 0
        self.infinite = histogram.infinite
        self._total_ns = histogram.total_ns

    def at(self, rank: int) -> float:
        """The rank-th smallest value in ns, counted from 1; infinite past the last that ended."""
        if rank > self.finite:
            return inf
        return middle_of(self._buckets[bisect_left(self._reached, max(rank, 1))])

    def percentile(self, ppm: int, *, failures: bool = False) -> float | None:
        """The smallest value in ns that at least `ppm` millionths do not exceed; None of nothing.

        With failures=True those that never ended count as infinite, otherwise they are left out.
        """
        count = self.finite + (self.infinite if failures else 0)
        if not count:
            return None
        return self.at(rank_of(ppm, count))

    def share_above(self, limit_ns: float) -> float:
        """The share of those that ended which exceed a limit; 0 of nothing."""
        return self.count_above(limit_ns) / self.finite if self.finite else 0.0

    def count_above(self, limit_ns: float) -> int:
        """How many of those that ended are in buckets past that of a limit."""
        if limit_ns == inf:
            return 0
        place = bisect_right(self._buckets, bucket_of(int(limit_ns)))
        return self.finite - (self._reached[place - 1] if place else 0)

    @property
    def mean(self) -> float | None:
        """Of those that ended, in ns, exactly."""
        return self._total_ns / self.finite if self.finite else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of those that ended, in ns, from the buckets."""
        if not self.finite:
            return None
        mean = self._total_ns / self.finite
        filled = zip(self._buckets, self._counts, strict=True)
        squares = sum(count * (middle_of(bucket) - mean) ** 2 for bucket, count in filled)
        return sqrt(squares / self.finite)

    def curve(self) -> list[tuple[float, float]]:
        """The distribution of all: (value in ns, share of all that ended by then), one point a bucket."""
        count = self.finite + self.infinite
        reached = zip(self._buckets, self._reached, strict=True)
        return [(middle_of(bucket), ended / count) for bucket, ended in reached]


def rank_of(ppm: int, count: int) -> int:
    """The rank (from 1) of the smallest of `count` values that `ppm` millionths do not exceed."""
    return max(1, -(-ppm * count // MILLION))
