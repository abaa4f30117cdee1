"""Whether two runs differ by more than chance, by re-dealing their slices; no I/O.

What is dealt anew is whole slices of time, not single samples, because samples of the same second share its
fate. Where both runs come from the same process, every deal is as likely as the one that was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from random import Random

DEALS = 2_000
ENOUGH_AS_FAR = 40
"""So many deals as far apart as what was seen settle it: their share is the p-value (Besag, Clifford)."""

FEWEST_SLICES = 4
"""With four slices a side a p-value can come down to 1 in 35 (two-sided); with fewer, not under 5 %."""


def difference_of_shares(
    old: Sequence[tuple[float, float]], new: Sequence[tuple[float, float]], *, seed: int = 0
) -> float | None:
    """The two-sided p-value of a difference between sum(part)/sum(whole) of the new slices and of the old.

    Each slice is (part, whole). None where a side has too few slices for any verdict.
    """
    old, new = [pair for pair in old if pair[1]], [pair for pair in new if pair[1]]
    if min(len(old), len(new)) < FEWEST_SLICES:
        return None
    dealt = [*old, *new]
    part, whole = (sum(column) for column in zip(*dealt, strict=True))
    seen = _distance(new, part, whole)
    chance = Random(seed)  # noqa: S311  # re-dealing, not secrecy
    as_far = 0
    for number in range(1, DEALS + 1):
        as_far += _distance(chance.sample(dealt, len(new)), part, whole) >= seen * (1 - 1e-12)
        if as_far == ENOUGH_AS_FAR:
            return as_far / number
    # One more on both sides, for the deal that was seen; never below what the number of deals there are
    # allows.
    floor = 1 / comb(len(dealt), len(new))
    return max(floor, (as_far + 1) / (DEALS + 1))


def _distance(drawn: Sequence[tuple[float, float]], part: float, whole: float) -> float:
    drawn_part = drawn_whole = 0.0
    for one_part, one_whole in drawn:
        drawn_part += one_part
        drawn_whole += one_whole
    rest = whole - drawn_whole
    if not rest or not drawn_whole:
        return 0.0
    return abs(drawn_part / drawn_whole - (part - drawn_part) / rest)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for how many there are (Holm's step-down), in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - place)))
        corrected[index] = largest
    return corrected
