"""Says what the score must reach for a step up to a larger model, as a sum; sees nothing of a prompt's words.

With two models there is one step, at the base. With more, the steps lie around the base, evenly apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harpoon_cli.domain import Model
from harpoon_cli.pricing import cost_of_tokens
from harpoon_cli.routing.decision import Candidate, Part, Policy, Threshold
from harpoon_cli.routing.weights import Weights
from harpoon_cli.values import Struct

MOST = 1000.0
"""Log-odds that a difference in price or latency counts at most."""


class Terms(Struct, frozen=True):
    """What the thresholds of one decision have in common: the policy, the weights, and what the prompt is.

    kind is None where the prompt is not like those that the weights were fitted on.
    """

    policy: Policy
    weights: Weights
    kind: str | None
    prompt_tokens: int


def threshold(terms: Terms, rungs: Sequence[Candidate], step: int) -> Threshold:
    """What the score must reach for `rungs[step]`, ordered from small to large, instead of the one before.

    Where there is only one rung, the base alone.
    """
    parts = [_base(terms)]
    if len(rungs) > 2:
        amount = terms.policy.step * (step - len(rungs) / 2)
        parts.append(Part("size", amount, f"step {step} of {len(rungs) - 1} up the sizes"))
    if len(rungs) > 1:
        parts += _differences(terms, rungs[step - 1], rungs[step], [each.model.name for each in rungs[step:]])
    return Threshold(total=math.fsum(part.amount for part in parts), parts=tuple(parts))


def _base(terms: Terms) -> Part:
    policy, weights = terms.policy, terms.weights
    share = policy.share if policy.quality is None else weights.share_for(policy.quality, terms.kind)
    if share is None:
        return Part("base", policy.base, "log-odds asked for before a larger model is used")
    asked = f"{share:.0%} of {'its kind of prompts' if terms.kind else 'prompts'} reach it"
    if policy.quality is not None:
        asked += f", which wins {policy.quality:.0%} of the large model's gain"
    return Part("base", weights.base_for(share, terms.kind), asked)


def _differences(
    terms: Terms, smaller: Candidate, larger: Candidate, from_here: Sequence[str]
) -> Iterator[Part]:
    policy = terms.policy
    usd = _cost_usd(larger.model, terms), _cost_usd(smaller.model, terms)
    if policy.usd_per_log_odds and usd[0] is not None and usd[1] is not None:
        gap = usd[0] - usd[1]
        yield Part("price", _worth(gap, policy.usd_per_log_odds), f"expected to cost {gap:.3g} USD more")
    if policy.s_per_log_odds and larger.latency_s is not None and smaller.latency_s is not None:
        gap = larger.latency_s - smaller.latency_s
        yield Part("latency", _worth(gap, policy.s_per_log_odds), f"expected to take {gap:.3g} s more")
    if policy.session_model is not None:
        stays = policy.session_model in from_here
        sentence = f"{policy.session_model} answered last in this session"
        yield Part("session", -policy.stickiness if stays else policy.stickiness, sentence)
    if policy.budget_used:
        sentence = f"{policy.budget_used:.0%} of the budget is used"
        yield Part("budget", policy.pressure * policy.budget_used, sentence)


def _worth(gap: float, of_one: float) -> float:
    """A difference in log-odds; more than MOST decides no more, and costs the sum its digits."""
    return min(max(gap / of_one, -MOST), MOST)


def _cost_usd(model: Model, terms: Terms) -> float | None:
    if terms.policy.max_tokens is None:
        return None
    money = cost_of_tokens(model, terms.prompt_tokens, terms.policy.max_tokens)
    return float(money.amount) if money else None
