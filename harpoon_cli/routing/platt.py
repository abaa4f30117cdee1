"""Fits the two numbers that turn a score into a probability (Platt, 1999); it knows nothing of prompts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, pstdev

from harpoon_cli.routing.weights import probability_of

_ROUNDS = 30
_PRIOR = 1.0
"""A pull of the standardised slope towards 0, in rows; a handful of rows must not give certainty."""


def platt(scores: Sequence[float], shares: Sequence[float]) -> tuple[float, float]:
    """Offset and slope of the log-odds that make `shares` (each 0 to 1) most likely, by Newton's method."""
    middle, spread = fmean(scores), pstdev(scores) or 1.0
    offset, slope = _newton([(score - middle) / spread for score in scores], shares)
    return offset - slope * middle / spread, slope / spread


def _newton(scores: Sequence[float], shares: Sequence[float]) -> tuple[float, float]:
    mean = (math.fsum(shares) + 0.5) / (len(shares) + 1)
    offset, slope = math.log(mean / (1 - mean)), 0.0
    for _ in range(_ROUNDS):
        down, turn = _step(offset, slope, scores, shares)
        offset, slope = offset - down, slope - turn
        if abs(down) + abs(turn) < 1e-9:
            break
    return offset, slope


def _step(
    offset: float, slope: float, scores: Sequence[float], shares: Sequence[float]
) -> tuple[float, float]:
    """How far offset and slope are too high: the gradient over the curvature."""
    g0, g1, h00, h01, h11 = 0.0, _PRIOR * slope, 1e-6, 0.0, _PRIOR
    for score, share in zip(scores, shares, strict=True):
        probability = probability_of(offset + slope * score)
        error, weight = probability - share, probability * (1 - probability)
        g0, g1 = g0 + error, g1 + error * score
        h00, h01, h11 = h00 + weight, h01 + weight * score, h11 + weight * score * score
    determinant = h00 * h11 - h01 * h01
    return (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
