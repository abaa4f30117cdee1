"""Adds signals and wording up to one score in log-odds; knows nothing of models, prices or pools."""

from __future__ import annotations

import math

from harpoon_cli.routing.decision import Contribution, Familiarity, Score
from harpoon_cli.routing.kinds import Kind, kind_of
from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, discover
from harpoon_cli.routing.weights import INTERCEPT, KindWeights, Weights
from harpoon_cli.routing.wording import Said, number


def score(reading: Reading, weights: Weights | None) -> Score:
    """The log-odds that a larger model is needed for what was read.

    By the fitted weights where they know the kind of prompt and enough of its words, else by those set by
    hand, which are also used where `weights` is None.
    """
    kind = kind_of(reading)
    fitted = weights.of(kind) if weights else None
    said = number(reading.content)
    familiarity = _familiarity(kind, fitted, said)
    if fitted is None or not familiarity.familiar:
        by_hand = tuple(_contribution(signal, signal.weight, reading) for signal in discover())
        return _sum(INTERCEPT, by_hand, reading, kind, familiarity)
    parts = tuple(
        [_fitted(signal, fitted, reading) for signal in discover() if signal.name in fitted.signals]
    )
    wording = fitted.wording().contributions(said)
    return _sum(fitted.intercept, (*parts, *wording), reading, kind, familiarity)


def _familiarity(kind: Kind, fitted: KindWeights | None, said: Said) -> Familiarity:
    if fitted is None:
        sentence = "unfamiliar: nothing was fitted on prompts of this kind; weights set by hand are used"
        return Familiarity(familiar=False, known=None, least=None, sentence=f"{kind}: {sentence}")
    known, least = fitted.wording().known_share(said), fitted.least_known
    share = f"{known:.0%} of its words occurred in training"
    if known < least:
        sentence = f"unfamiliar: {share}, fewer than {least:.0%}; weights set by hand are used"
        return Familiarity(familiar=False, known=known, least=least, sentence=sentence)
    return Familiarity(familiar=True, known=known, least=least, sentence=f"{kind}: {share}")


def _fitted(signal: Signal, fitted: KindWeights, reading: Reading) -> Contribution:
    """A signal's contribution by its fitted weight, believed no further than it was seen in training."""
    name, weight, measured = signal.name, fitted.signals[signal.name], signal.measure(reading)
    value, sentence = measured, signal.sentence(measured)
    least, most = fitted.ranges.get(name, (measured, measured))
    if not least <= measured <= most:
        value = min(max(measured, least), most)
        bound = f"counted as {value:.3g}, the {'most' if measured > most else 'least'} in training"
        sentence = f"{sentence} ({bound})"
    return Contribution(name, value, weight, weight * value, sentence)


def _contribution(signal: Signal, weight: float, reading: Reading) -> Contribution:
    value = signal.measure(reading)
    return Contribution(signal.name, value, weight, weight * value, signal.sentence(value))


def _sum(
    intercept: float,
    parts: tuple[Contribution, ...],
    reading: Reading,
    kind: Kind,
    familiarity: Familiarity,
) -> Score:
    return Score(
        total=math.fsum([intercept, *(part.amount for part in parts)]),
        intercept=intercept,
        contributions=parts,
        whole=reading.whole,
        kind=str(kind),
        familiarity=familiarity,
    )
