"""Finds where a series settles: how many of its first values are still warm-up. Pure.

By the marginal standard error rule (White, 1997): leave out so many first values that the standard error of
the mean of the rest is least. It needs no threshold; what is never left out is the second half.
"""

from __future__ import annotations

from collections.abc import Sequence

FEWEST_VALUES = 10
"""A shorter series says nothing of where it settles."""


def settled_from(values: Sequence[float]) -> int | None:
    """The number of first values to leave out; None where the series is too short, or never settles.

    It has not settled where the least error is found at the half that is never left out.
    """
    if len(values) < FEWEST_VALUES:
        return None
    half = len(values) // 2
    errors = _errors(values)
    best = min(range(half + 1), key=lambda left_out: (errors[left_out], left_out))
    return None if best == half else best


def _errors(values: Sequence[float]) -> list[float]:
    # Sums from the end backwards, about the last value so that no digits are lost.
    centre = values[-1]
    total = squares = 0.0
    errors = [0.0] * len(values)
    for place in range(len(values) - 1, -1, -1):
        total += values[place] - centre
        squares += (values[place] - centre) ** 2
        count = len(values) - place
        errors[place] = max(squares - total * total / count, 0.0) / count**2
    return errors
