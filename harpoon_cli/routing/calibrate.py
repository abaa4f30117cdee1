"""Fits weights on an operator's outcomes and says whether they are good enough to be used; it writes no file.

Those of a kind of prompt are where, on its rows left out of the fit, they order them better than a random
order and than the length of the prompt do, and better than random in nine of ten draws of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from harpoon_cli.routing.decision import Quality
from harpoon_cli.routing.fit import Fitted, fit, won
from harpoon_cli.routing.measures import Interval, Ranking, beats, calibration_error, rank
from harpoon_cli.routing.outcomes import Outcome, to_line
from harpoon_cli.routing.weights import Weights
from harpoon_cli.values import Struct, replace

_SURE = 0.9


class Order(Struct, frozen=True):
    """A way to order prompts, and how good it is on rows left out of the fit."""

    name: str
    ranking: Ranking


class Judged(Struct, frozen=True):
    """What a fit is worth on `rows` rows left out of it, all of one kind or of all that were fitted.

    orders are the fitted weights, the prompt's length and a random order; none where the large model gains
    nothing. calibration_error is that of the probability that the small model is right. sure is how often, of
    draws of the rows, the weights beat a random order. refused says why they should not be used; None where
    they may.
    """

    kind: str
    rows: int
    orders: tuple[Order, ...]
    calibration_error: Interval | None
    sure: float
    refused: str | None


class Report(Struct, frozen=True):
    """What a fit on outcomes is worth: of each kind of prompt with enough rows, and of these together.

    A kind that is refused keeps the weights it had. refused says why no kind's weights should be used; None
    where some may.
    """

    rows: int
    groups: int
    kinds: tuple[Judged, ...]
    small_right: float
    large_right: float
    orders: tuple[Order, ...]
    calibration_error: Interval | None
    sure: float
    refused: str | None


class _Row(Struct, frozen=True):
    """An outcome of a kind that was fitted, and what a fit that did not see it makes of it."""

    outcome: Outcome
    score: float
    rank: float
    small_is_right: float


def calibrate(outcomes: Sequence[Outcome], name: str, *, day: str = "") -> tuple[Weights, Report]:
    """Weights called `name`, fitted on `day` (as in 2026-01-31), and what they are worth.

    They are for the kinds they may be used for; for all that were fitted where there is none. ValueError
    where the outcomes are too few or the large model gains nothing over the small one in them.
    """
    fitted = fit(outcomes, Quality(name, "", "", ()))
    rows = _rows_by_kind(fitted, outcomes)
    together = _judged("all kinds", [row for part in rows.values() for row in part])
    kinds = tuple(_judged_if_gained(kind, part) for kind, part in rows.items())
    if len(rows) == 1:
        kinds = (replace(together, kind=next(iter(rows))),)
    used = [one for one in kinds if one.refused is None]
    report = Report(
        rows=len(outcomes),
        groups=len({outcome.group for outcome in outcomes}),
        kinds=kinds,
        small_right=sum(outcome.small for outcome in outcomes) / len(outcomes),
        large_right=sum(outcome.large for outcome in outcomes) / len(outcomes),
        orders=together.orders,
        calibration_error=together.calibration_error,
        sure=together.sure,
        refused=None if used else "; ".join(f"{one.kind}: {one.refused}" for one in kinds),
    )
    kept = {one.kind: replace(fitted.weights.kinds[one.kind], figures=_figures(one)) for one in used or kinds}
    judging = [row for kind in kept for row in rows[kind]]
    weights = replace(
        fitted.weights,
        quality=_quality(name, day, outcomes, report),
        kinds=kept,
        won=won([row.rank for row in judging], [row.outcome.gain for row in judging]),
    )
    return weights, report


def _rows_by_kind(fitted: Fitted, outcomes: Sequence[Outcome]) -> dict[str, list[_Row]]:
    rows: dict[str, list[_Row]] = {kind: [] for kind in fitted.weights.kinds}
    found = zip(fitted.kinds, outcomes, fitted.scores, fitted.ranks, fitted.small_is_right, strict=True)
    for kind, outcome, score, rank_, probability in found:
        if kind is not None and probability is not None:
            rows[kind].append(_Row(outcome, score, rank_, probability))
    return rows


def _judged_if_gained(kind: str, rows: Sequence[_Row]) -> Judged:
    try:
        return _judged(kind, rows)
    except ValueError as nothing:
        return Judged(kind, len(rows), (), None, 0.0, str(nothing))


def _judged(kind: str, rows: Sequence[_Row]) -> Judged:
    """ValueError where the large model gains nothing."""
    gains, scores = [row.outcome.gain for row in rows], [row.score for row in rows]
    level = [0.0] * len(rows)
    orders = (
        Order("fitted weights", rank(scores, gains)),
        Order("length of the prompt", rank([float(len(row.outcome.prompt)) for row in rows], gains)),
        Order("random order", rank(level, gains)),
    )
    error = calibration_error([row.small_is_right for row in rows], [row.outcome.small for row in rows])
    sure = beats(scores, level, gains)
    return Judged(kind, len(rows), orders, error, sure, _refused(orders, sure))


def _refused(orders: Sequence[Order], sure: float) -> str | None:
    ours = orders[0].ranking.apgr.value
    better = [order for order in orders[1:] if order.ranking.apgr.value >= ours]
    if better:
        told = " and ".join(f"{order.name} ({order.ranking.apgr.value:.3f})" for order in better)
        return f"on rows left out, APGR is {ours:.3f}, no better than {told}"
    if sure < _SURE:
        return f"APGR {ours:.3f} beats a random order in only {sure:.0%} of draws of the rows"
    return None


def _figures(judged: Judged | Report) -> tuple[tuple[str, float], ...]:
    of = f", {judged.kind} ({judged.rows} outcomes)" if isinstance(judged, Judged) else ""
    figures = [(f"APGR{of}, {order.name}", order.ranking.apgr.value) for order in judged.orders]
    if judged.calibration_error:
        figures.append((f"ECE of P(small is right){of}", judged.calibration_error.value))
    return tuple((figure, round(value, 4)) for figure, value in figures)


def _quality(name: str, day: str, outcomes: Sequence[Outcome], report: Report) -> Quality:
    digest = sha256("".join(map(to_line, outcomes)).encode("utf-8", "replace"))
    return Quality(
        weights=name,
        note="Your own weights, fitted on outcomes of your own.",
        source=f"{report.rows} outcomes, each judged by a fit without its group; APGR, random is 0.5",
        figures=_figures(report),
        licence="your own",
        training_sha256=digest.hexdigest(),
        fitted=day,
        rebuild="harpoon route calibrate OUTCOMES.jsonl",
    )
