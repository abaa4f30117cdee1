"""What the measurements and the words count, kind of prompt by kind; it holds values and computes nothing.

Weights are fitted (`fit`) and kept in one file (`weights_file`): those that ship beside this module, made
by `benchmarks/routing_weights.py`, or those that an operator fitted on outcomes of their own. What is
learnt from one kind of traffic does not hold for another, so for a kind of prompt that a file does not
know, and for a prompt whose words it does not know, the weights set by hand are used: the intercept here,
each signal's in its own file. `benchmarks/routing.py` measures both: on 2,505 rows of MMLU, GSM8K, MATH and
MMLU-Pro outcomes that no weight was fitted on (though the hand was guided by 14,192 others of the same
benchmarks). APGR is the share of the large model's gain that is won, averaged over all shares of calls
given to it: 0.5 for a random order; in brackets 95 % of draws of the rows.

                                    within a benchmark, mean of five    the five mixed, equal weight
    set by hand                     0.550 (0.50 to 0.59)                0.471 (0.43 to 0.51)
    length of the prompt alone      0.514 (0.48 to 0.54)                0.446 (0.42 to 0.48)
    fitted, as shipped              0.600 (0.56 to 0.64)                0.672 (0.64 to 0.70)

So the weights set by hand give the operator a rule that can be read, not a proven one. Words that ask for a
task (summarise, JSON, prove) hardly occur in examinations: these data cannot say what they are worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from harpoon_cli.routing.decision import Quality
from harpoon_cli.routing.wording import Wording
from harpoon_cli.values import Struct, replace

INTERCEPT = -2.2
"""Log-odds for an empty prompt, by the weights set by hand."""


REST = "other"
"""The kind whose weights also serve kinds that have none of their own."""


class Calibration(Struct, frozen=True):
    """The probability that the small model is right: its log-odds are a sum over signals and the score.

    The score alone does not tell it: on the hardest prompts both models fail, and a larger one is not needed.
    """

    intercept: float
    signals: Mapping[str, float]
    of_score: float

    def probability(self, values: Mapping[str, float], score: float) -> float:
        """From the signals' values, by name, and the score; between 0 and 1, never quite either."""
        parts = [weight * values.get(name, 0.0) for name, weight in self.signals.items()]
        return probability_of(math.fsum([self.intercept, self.of_score * score, *parts]))


def probability_of(log_odds: float) -> float:
    """Between 0 and 1, never quite either."""
    return 1 / (1 + math.exp(-min(max(log_odds, -30.0), 30.0)))


class KindWeights(Struct, frozen=True):
    """The weights for one kind of prompt, in log-odds that the larger model is needed.

    signals are by name; one that is not among them counts nothing. ranges give for each the least and the
    most it measured in training, beyond which it is not believed to say more. wording gives the weights of
    words, opened when it is first asked. least_known is the share of known words below which a prompt is
    unfamiliar. rows is how many outcomes these weights were fitted on; quantiles are their scores at 0, 1, …
    100 %, each by a fit that did not see it. figures, where there are any, are those of these rows alone.
    """

    rows: int
    intercept: float
    signals: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    wording: Callable[[], Wording]
    least_known: float
    small_is_right: Calibration
    quantiles: tuple[float, ...]
    figures: tuple[tuple[str, float], ...] = ()


class Weights(Struct, frozen=True):
    """All weights of one file by kind of prompt, and what they are.

    hand_quantiles are the scores of all outcomes at 0, 1, … 100 % by the weights set by hand; won is the
    share of the large model's gain that is won when the highest 0, 1, … 100 % of each kind are given to it.
    others serve the kinds that these do not know.
    """

    quality: Quality
    kinds: Mapping[str, KindWeights]
    hand_quantiles: tuple[float, ...]
    won: tuple[float, ...]
    others: Weights | None = None

    def of(self, kind: str) -> KindWeights | None:
        """The weights for a kind, those for the rest where it has none of its own; None where neither is."""
        kinds = self._judging(kind).kinds
        return kinds.get(kind) or kinds.get(REST)

    def _judging(self, kind: str | None) -> Weights:
        """These, or the others where only they know the kind."""
        others = self.others
        return others if others and kind not in self.kinds and kind in others.kinds else self

    def quality_for(self, kind: str) -> Quality:
        """Of the weights that judge prompts of this kind, with their figures for it where they have such."""
        judging, fitted = self._judging(kind), self.of(kind)
        quality = judging.quality
        if judging is not self:
            return replace(quality, note=f"Your own weights know nothing of {kind}: {quality.note}")
        return replace(quality, figures=fitted.figures) if fitted and fitted.figures else quality

    def base_for(self, share: float, kind: str | None) -> float:
        """The score that a share (0 to 1) of the prompts of a kind lies above; None: of all, by hand.

        Kind by kind, because nobody knows in which proportion an operator's prompts are of each: a share is
        met whatever it is.
        """
        fitted = self.of(kind) if kind is not None else None
        quantiles = fitted.quantiles if fitted else self.hand_quantiles
        place = (1 - min(max(share, 0.0), 1.0)) * (len(quantiles) - 1)
        low = min(int(place), len(quantiles) - 2)
        return quantiles[low] + (quantiles[low + 1] - quantiles[low]) * (place - low)

    def share_for(self, quality: float, kind: str | None) -> float:
        """The least share of such prompts, 0 to 1, with which `quality` of the large model's gain is won."""
        won = self._judging(kind).won
        return next((step / (len(won) - 1) for step, share in enumerate(won) if share >= quality), 1.0)


QUALITY = Quality(
    weights="hand-set, not fitted",
    note=(
        "Generic weights over English words, not learnt from your traffic: among exam questions they choose "
        "little better than chance. Use --model where you know better, or fit your own: harpoon route "
        "calibrate."
    ),
    source="2,505 held-out rows of MMLU, GSM8K, MATH and MMLU-Pro outcomes; APGR, random is 0.5",
    figures=(
        ("APGR within a benchmark", 0.550),
        ("APGR within a benchmark, prompt length alone", 0.514),
        ("APGR over mixed benchmarks", 0.471),
        ("APGR over mixed benchmarks, prompt length alone", 0.446),
    ),
)
"""Of the weights set by hand."""
