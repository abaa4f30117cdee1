"""Ridge regression over sparse rows in plain Python; it knows nothing of prompts.

Stochastic dual coordinate ascent (Shalev-Shwartz and Zhang, 2013): no step size to choose, and every row's
error is met exactly in turn, so some ten passes are enough.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from operator import mul

from harpoon_cli.values import Struct

PENALTY = 60.0
"""What the sum of the squared weights counts against the sum of the squared errors."""

_PASSES = 12


class Row(Struct, frozen=True):
    """The places of a row's features that are not 0, and their values."""

    places: Sequence[int]
    values: Sequence[float]

    def product(self, weights: Sequence[float]) -> float:
        total: float = sum(map(mul, self.values, map(weights.__getitem__, self.places)))
        return total


def ridge(
    rows: Sequence[Row], targets: Sequence[float], features: int, *, penalty: float = PENALTY, seed: int = 0
) -> list[float]:
    """The weights that least miss the targets, the penalty on their size included; one seed, one result."""
    weights = [0.0] * features
    duals = [0.0] * len(rows)
    norms = [1 + sum(map(mul, row.values, row.values)) / penalty for row in rows]
    order = list(range(len(rows)))
    chance = random.Random(seed)  # noqa: S311  # the order of the rows is no secret
    for _ in range(_PASSES):
        chance.shuffle(order)
        for at in order:
            row = rows[at]
            step = (targets[at] - row.product(weights) - duals[at]) / norms[at]
            duals[at] += step
            step /= penalty
            for place, value in zip(row.places, row.values):  # noqa: B905  # strict costs a tenth of the fit
                weights[place] += step * value
    return weights
