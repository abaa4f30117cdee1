"""Fits weights on outcomes: one ridge regression a kind of prompt, judged on rows left out; no numpy.

    measured    what signals and wording say of each prompt
    folds       five, rows of one group always together
    left out    each row's score by a fit on the other folds: all claims about the weights rest on these
    weights     a fit on all rows, turned into log-odds that the large model is needed

The same outcomes in the same order give the same weights, byte for byte.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from statistics import pstdev
from zlib import crc32

from harpoon_cli.routing.decision import Quality
from harpoon_cli.routing.design import Design, Measured, measure
from harpoon_cli.routing.outcomes import Outcome
from harpoon_cli.routing.platt import platt
from harpoon_cli.routing.ridge import Row, ridge
from harpoon_cli.routing.score import score
from harpoon_cli.routing.weights import REST, Calibration, KindWeights, Weights, probability_of
from harpoon_cli.values import Struct

FEWEST_ROWS = 200
"""Rows of a kind below which it has no weights of its own."""

_FOLDS = 5
_DIGITS = 6
_STEPS = 100
_LEAST_SLOPE = 0.05
"""Log-odds for one standard deviation of what is predicted."""


class Fitted(Struct, frozen=True):
    """Weights, and for each outcome, in order, what a fit that did not see it makes of it.

    scores are log-odds that the large model is needed, ranks where each stands among those of its kind, from
    0 to 1; small_is_right are probabilities. kinds name the weights; None where nothing was fitted for that
    kind of prompt, as small_is_right then is.
    """

    weights: Weights
    scores: tuple[float, ...]
    ranks: tuple[float, ...]
    small_is_right: tuple[float | None, ...]
    kinds: tuple[str | None, ...]


class _Part(Struct, frozen=True):
    """A kind's weights, and scores and probabilities of its rows when left out."""

    weights: KindWeights
    scores: list[float]
    small_is_right: list[float]


def fit(outcomes: Sequence[Outcome], quality: Quality) -> Fitted:
    """Weights fitted on outcomes, called what `quality` says; ValueError where no kind has enough rows."""
    measured = [measure(outcome) for outcome in outcomes]
    kinds: dict[str, KindWeights] = {}
    fitted_as: list[str | None] = [None] * len(measured)
    by_hand = [score(one.reading, None).total for one in measured]
    scores, ranks = list(by_hand), _ranks(by_hand)
    probabilities: list[float | None] = [None] * len(measured)
    for kind, places in _by_kind(measured).items():
        part = _fit_kind([measured[place] for place in places])
        kinds[kind] = part.weights
        for place, value, probability in zip(places, part.scores, part.small_is_right, strict=True):
            scores[place], probabilities[place], fitted_as[place] = value, probability, kind
        for place, rank in zip(places, _ranks(part.scores), strict=True):
            ranks[place] = rank
    if not kinds:
        raise ValueError(f"{len(outcomes)} outcomes are too few; {FEWEST_ROWS} are needed")
    weights = Weights(quality, kinds, _quantiles(by_hand), won(ranks, [one.gain for one in outcomes]))
    return Fitted(weights, tuple(scores), tuple(ranks), tuple(probabilities), tuple(fitted_as))


def _ranks(scores: Sequence[float]) -> list[float]:
    """Where each score stands among them, from 0 to 1; equal ones stand together."""
    ordered = sorted(scores)
    return [bisect_left(ordered, score) / len(ordered) for score in scores]


def won(ranks: Sequence[float], gains: Sequence[float]) -> tuple[float, ...]:
    """The share of the gain won by the highest 0, 1, … 100 % of the ranks; 0 where nothing is gained."""
    total = math.fsum(gains)
    best_first = [gain for _, gain in sorted(zip(ranks, gains, strict=True), key=lambda one: -one[0])]
    gained = [0.0, *accumulate(best_first)]
    places = (round(step * len(gains) / _STEPS) for step in range(_STEPS + 1))
    return tuple(round(gained[place] / total, _DIGITS) if total > 0 else 0.0 for place in places)


def _quantiles(scores: Sequence[float]) -> tuple[float, ...]:
    """The scores at 0, 1, … 100 % of them."""
    ordered = sorted(scores)
    last = len(ordered) - 1
    return tuple(round(ordered[round(step * last / _STEPS)], _DIGITS) for step in range(_STEPS + 1))


def _by_kind(measured: Sequence[Measured]) -> dict[str, list[int]]:
    """The rows of each kind that has enough, and all others together where these are enough."""
    found: dict[str, list[int]] = {}
    for place, one in enumerate(measured):
        found.setdefault(one.kind, []).append(place)
    kept = {kind: places for kind, places in sorted(found.items()) if len(places) >= FEWEST_ROWS}
    rest = sorted(place for kind, places in found.items() if kind not in kept for place in places)
    return kept if REST in kept or len(rest) < FEWEST_ROWS else kept | {REST: rest}


def _fit_kind(measured: Sequence[Measured]) -> _Part:
    design = Design.of(measured)
    folds = [crc32(one.outcome.group.encode("utf-8", "replace")) % _FOLDS for one in measured]
    needed = _regress(
        design.rows,
        design.features,
        folds,
        [one.outcome.gain for one in measured],
        list(map(_needed, measured)),
    )
    calibration, small_is_right = _calibrated(design, measured, folds, needed.left_out)
    intercept, signals = design.in_signals(needed.fitted, needed.offset, needed.slope)
    wording = design.in_words(needed.fitted, needed.slope)
    weights = KindWeights(
        rows=len(measured),
        intercept=intercept,
        signals=signals,
        ranges=design.ranges,
        wording=lambda: wording,
        least_known=design.least_known,
        small_is_right=calibration,
        quantiles=_quantiles(needed.left_out),
    )
    return _Part(weights, needed.left_out, small_is_right)


def _calibrated(
    design: Design, measured: Sequence[Measured], folds: Sequence[int], scores: Sequence[float]
) -> tuple[Calibration, list[float]]:
    """What tells from signals and score whether the small model is right; and of each row when left out."""
    right = [one.outcome.small for one in measured]
    spread = pstdev(scores) or 1.0
    rows = design.with_scores([score / spread for score in scores])
    found = _regress(rows, len(design.names) + 2, folds, right, right)
    intercept, signals = design.in_signals(found.fitted, found.offset, found.slope)
    of_score = round(found.slope * found.fitted[-1] / spread, _DIGITS)
    return Calibration(intercept, signals, of_score), [probability_of(value) for value in found.left_out]


class _Regression(Struct, frozen=True):
    """A fit on all rows; offset and slope make log-odds of what it predicts; left_out are each row's."""

    fitted: list[float]
    offset: float
    slope: float
    left_out: list[float]


def _regress(
    rows: Sequence[Row],
    features: int,
    folds: Sequence[int],
    targets: Sequence[float],
    shares: Sequence[float],
) -> _Regression:
    """Order rows by their targets, then turn the order into log-odds of `shares` (each 0 to 1)."""
    mean = math.fsum(targets) / len(targets)
    centred = [target - mean for target in targets]
    predicted = _left_out(rows, features, folds, centred)
    offset, slope = platt(predicted, shares)
    # Where rows left out speak against the order, that is told by their figures; it is never turned round.
    slope = max(slope, _LEAST_SLOPE / (pstdev(predicted) or 1.0))
    fitted = ridge(rows, centred, features)
    return _Regression(fitted, offset, slope, [offset + slope * value for value in predicted])


def _left_out(
    rows: Sequence[Row], features: int, folds: Sequence[int], targets: Sequence[float]
) -> list[float]:
    """What each row's target is predicted to be by a fit on the folds it is not in."""
    predicted = [0.0] * len(rows)
    for fold in range(_FOLDS):
        kept = [place for place, of in enumerate(folds) if of != fold]
        weights = ridge([rows[at] for at in kept], [targets[at] for at in kept], features)
        for place, of in enumerate(folds):
            if of == fold:
                predicted[place] = rows[place].product(weights)
    return predicted


def _needed(measured: Measured) -> float:
    """How far the large model was needed: the small one wrong and the large one right."""
    return (1 - measured.outcome.small) * measured.outcome.large
