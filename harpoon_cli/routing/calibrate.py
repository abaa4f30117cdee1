"""Fits weights on an operator's outcomes and says whether they are good enough to be used; it writes no file.

They are where, on rows left out of the fit, they order prompts better than a random order and than the length
of the prompt do, and better than random in nine of ten draws of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from harpoon_cli.routing.decision import Quality
from harpoon_cli.routing.fit import fit
from harpoon_cli.routing.measures import Interval, Ranking, beats, calibration_error, rank
from harpoon_cli.routing.outcomes import Outcome, to_line
from harpoon_cli.routing.weights import Weights
from harpoon_cli.values import Struct, replace

_SURE = 0.9


class Order(Struct, frozen=True):
    """A way to order prompts, and how good it is on rows left out of the fit."""

    name: str
    ranking: Ranking


class Report(Struct, frozen=True):
    """What a fit on outcomes is worth.

    orders are the fitted weights, the prompt's length and a random order. calibration_error is that of the
    probability that the small model is right. sure is how often, of draws of the rows, the weights beat a
    random order. refused says why the weights should not be used; None where they may.
    """

    rows: int
    groups: int
    kinds: tuple[tuple[str, int], ...]
    small_right: float
    large_right: float
    orders: tuple[Order, ...]
    calibration_error: Interval | None
    sure: float
    refused: str | None


def calibrate(outcomes: Sequence[Outcome], name: str, *, day: str = "") -> tuple[Weights, Report]:
    """Weights called `name`, fitted on `day` (as in 2026-01-31), and what they are worth.

    ValueError where the outcomes are too few or the large model gains nothing over the small one in them.
    """
    fitted = fit(outcomes, Quality(name, "", "", ()))
    gains = [outcome.gain for outcome in outcomes]
    level = [0.0] * len(outcomes)
    lengths = [float(len(outcome.prompt)) for outcome in outcomes]
    orders = (
        Order("fitted weights", rank(fitted.scores, gains)),
        Order("length of the prompt", rank(lengths, gains)),
        Order("random order", rank(level, gains)),
    )
    told = [
        (probability, outcome.small)
        for probability, outcome in zip(fitted.small_is_right, outcomes, strict=True)
        if probability is not None
    ]
    sure = beats(fitted.scores, level, gains)
    report = Report(
        rows=len(outcomes),
        groups=len({outcome.group for outcome in outcomes}),
        kinds=tuple((kind, weights.rows) for kind, weights in fitted.weights.kinds.items()),
        small_right=sum(outcome.small for outcome in outcomes) / len(outcomes),
        large_right=sum(outcome.large for outcome in outcomes) / len(outcomes),
        orders=orders,
        calibration_error=calibration_error(*map(list, zip(*told, strict=True))) if told else None,
        sure=sure,
        refused=_refused(orders, sure),
    )
    return replace(fitted.weights, quality=_quality(name, day, outcomes, report)), report


def _refused(orders: Sequence[Order], sure: float) -> str | None:
    ours = orders[0].ranking.apgr.value
    better = [order for order in orders[1:] if order.ranking.apgr.value >= ours]
    if better:
        told = " and ".join(f"{order.name} ({order.ranking.apgr.value:.3f})" for order in better)
        return f"on rows left out, APGR is {ours:.3f}, no better than {told}"
    if sure < _SURE:
        return f"APGR {ours:.3f} beats a random order in only {sure:.0%} of draws of the rows"
    return None


def _quality(name: str, day: str, outcomes: Sequence[Outcome], report: Report) -> Quality:
    figures = [(f"APGR, {order.name}", order.ranking.apgr.value) for order in report.orders]
    if report.calibration_error:
        figures.append(("ECE of P(small is right)", report.calibration_error.value))
    digest = sha256("".join(map(to_line, outcomes)).encode("utf-8", "replace"))
    return Quality(
        weights=name,
        note="Fitted on outcomes of your own.",
        source=f"{report.rows} outcomes, each judged by a fit without its group; APGR, random is 0.5",
        figures=tuple((figure, round(value, 4)) for figure, value in figures),
        licence="your own",
        training_sha256=digest.hexdigest(),
        fitted=day,
        rebuild="harpoon route calibrate OUTCOMES.jsonl",
    )
