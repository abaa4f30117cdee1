"""The ceiling on cost, and the budget, must pay for the predicted time of the lease and its release."""

from __future__ import annotations

from harpoon_cli.domain import Price
from harpoon_cli.pricing import cost_of_lease
from harpoon_cli.routing.decision import Candidate, Policy, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question, judged_pools, needs

RELEASE_S = 3.0
"""What is set aside for giving a lease back, as where the ceiling is kept."""


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    ceiling, left = question.policy.max_cost, question.policy.budget_left
    if ceiling is None and left is None:
        return Verdict.PASSED, "no ceiling on the cost"
    if left is not None and left.amount <= 0:
        return Verdict.NOT_NOW, "the budget is spent"
    pools = judged_pools(candidate, question)
    prices = [pool.price for pool in pools if pool.price and not pool.obstacles(needs(candidate, question))]
    if not prices:
        return Verdict.PASSED, f"{NOT_KNOWN}: no pool that fits names a price"
    return _held_against(min(prices, key=lambda one: one.per_hour), candidate, question.policy)


def _held_against(price: Price, candidate: Candidate, policy: Policy) -> tuple[Verdict, str]:
    """The cheapest lease against the ceiling, which is in its currency, and against what is left."""
    held_s = RELEASE_S + (candidate.latency_s or 0.0)
    cost = cost_of_lease(price, held_s, measured=False).amount
    told = f"{held_s:.3g} s at {price.per_hour:f} {price.currency} an hour"
    ceiling, left = policy.max_cost, policy.budget_left
    if ceiling is not None and cost >= ceiling:
        return Verdict.NEVER, f"{ceiling:f} {price.currency} do not pay for {told}"
    if left is not None and left.currency == price.currency and cost >= left.amount:
        return Verdict.NOT_NOW, f"{left.amount:f} {left.currency} left of the budget do not pay for {told}"
    paying = [] if ceiling is None else [f"{ceiling:f} {price.currency}"]
    if left is not None and left.currency == price.currency:
        paying.append(f"{left.amount:f} {left.currency} left of the budget")
    if not paying:
        return Verdict.PASSED, f"{NOT_KNOWN}: the budget is not in {price.currency}"
    return Verdict.PASSED, f"{' and '.join(paying)} pay for {told}"


GATE = Gate("budget", _judge)
