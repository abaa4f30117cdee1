"""The ceiling on cost must pay for the predicted time of the lease, and for giving it back."""

from __future__ import annotations

from harpoon_cli.pricing import cost_of_lease
from harpoon_cli.routing.decision import Candidate, Verdict
from harpoon_cli.routing.gates import NOT_KNOWN, Gate
from harpoon_cli.routing.room import Question, needs, usable_pools

RELEASE_S = 3.0
"""What is set aside for giving a lease back, as where the ceiling is kept."""


def _judge(candidate: Candidate, question: Question) -> tuple[Verdict, str]:
    ceiling = question.policy.max_cost
    if ceiling is None:
        return Verdict.PASSED, "no ceiling on the cost"
    pools = usable_pools(candidate, question)
    prices = [pool.price for pool in pools if pool.price and not pool.obstacles(needs(candidate, question))]
    if not prices:
        return Verdict.PASSED, f"{NOT_KNOWN}: no pool that fits names a price"
    price = min(prices, key=lambda one: one.per_hour)
    held_s = RELEASE_S + (candidate.latency_s or 0.0)
    cost = cost_of_lease(price, held_s, measured=False).amount
    told = f"{held_s:.3g} s at {price.per_hour:f} {price.currency} an hour"
    if cost < ceiling:
        return Verdict.PASSED, f"{ceiling:f} {price.currency} pay for {told}"
    return Verdict.NEVER, f"{ceiling:f} {price.currency} do not pay for {told}"


GATE = Gate("budget", _judge)
