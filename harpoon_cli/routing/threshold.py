"""Says what the score must reach for each step up the sizes; knows nothing of prompts.

With two models there is one step, at the base. With more, the steps lie around the base, evenly apart.
"""

from __future__ import annotations

import math

from harpoon_cli.routing.decision import Part, Policy, Threshold


def threshold(policy: Policy, step: int, models: int) -> Threshold:
    """What the score must reach for the `step`-th step (1 is the lowest) up `models` models."""
    parts = [Part("base", policy.base, "log-odds asked for before a larger model is used")]
    if models > 2:
        amount = policy.step * (step - models / 2)
        parts.append(Part("size", amount, f"step {step} of {models - 1} up the sizes"))
    return Threshold(total=math.fsum(part.amount for part in parts), parts=tuple(parts))
