"""Adds signals and wording up to one score in log-odds; knows nothing of models, prices or pools."""

from __future__ import annotations

import math

from harpoon_cli.routing.decision import Contribution, Familiarity, Score
from harpoon_cli.routing.kinds import Kind, kind_of
from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, discover
from harpoon_cli.routing.weights import INTERCEPT, KindWeights, Weights
from harpoon_cli.routing.wording import Known, number
from harpoon_cli.values import Told


def score(reading: Reading, weights: Weights | None) -> Score:
    """The log-odds that a larger model is needed for what was read.

    By the fitted weights where they know the kind of prompt and enough of its words, else by those set by
    hand, which are also used where `weights` is None.
    """
    kind = kind_of(reading)
    fitted = weights.of(kind) if weights else None
    known = fitted.wording().known(number(reading.content)) if fitted else None
    familiarity = _familiarity(kind, fitted, known)
    if fitted is None or known is None or not familiarity.familiar:
        by_hand = tuple([_by_hand(signal, reading) for signal in discover()])
        return _sum(INTERCEPT, by_hand, reading, kind, familiarity)
    weights_of, ranges = fitted.signals, fitted.ranges
    parts = [
        _fitted(signal, weights_of[signal.name], ranges.get(signal.name), reading)
        for signal in discover()
        if signal.name in weights_of
    ]
    return _sum(fitted.intercept, (*parts, *known.contributions()), reading, kind, familiarity)


def _familiarity(kind: Kind, fitted: KindWeights | None, words: Known | None) -> Familiarity:
    if fitted is None or words is None:
        sentence = "unfamiliar: nothing was fitted on prompts of this kind; weights set by hand are used"
        return Familiarity(familiar=False, known=None, least=None, sentence=f"{kind}: {sentence}")
    known, least = words.share, fitted.least_known
    share = f"{known:.0%} of its words occurred in training"
    if known < least:
        sentence = f"unfamiliar: {share}, fewer than {least:.0%}; weights set by hand are used"
        return Familiarity(familiar=False, known=known, least=least, sentence=sentence)
    return Familiarity(familiar=True, known=known, least=least, sentence=f"{kind}: {share}")


class Found(Told, frozen=True):
    """What a signal measured, and what is counted of it: no more than the most that was seen in training."""

    signal: Signal
    measured: float
    counted: float

    def __str__(self) -> str:
        sentence = self.signal.sentence(self.measured)
        if self.counted == self.measured:
            return sentence
        bound = "most" if self.measured > self.counted else "least"
        return f"{sentence} (counted as {self.counted:.3g}, the {bound} in training)"


def _fitted(
    signal: Signal, weight: float, trained: tuple[float, float] | None, reading: Reading
) -> Contribution:
    """A signal's contribution by its fitted weight, believed no further than it was seen in training."""
    value = measured = signal.measure(reading)
    if trained is not None and not trained[0] <= measured <= trained[1]:
        value = min(max(measured, trained[0]), trained[1])
    return Contribution(signal.name, value, weight, weight * value, Found(signal, measured, value))


def _by_hand(signal: Signal, reading: Reading) -> Contribution:
    value, weight = signal.measure(reading), signal.weight
    return Contribution(signal.name, value, weight, weight * value, Found(signal, value, value))


def _sum(
    intercept: float,
    parts: tuple[Contribution, ...],
    reading: Reading,
    kind: Kind,
    familiarity: Familiarity,
) -> Score:
    return Score(
        total=math.fsum([intercept, *[part.amount for part in parts]]),
        intercept=intercept,
        contributions=parts,
        whole=reading.whole,
        kind=str(kind),
        familiarity=familiarity,
    )
