"""Adds the signals up to one score in log-odds; knows nothing of models, prices or pools."""

from __future__ import annotations

import math

from harpoon_cli.routing.decision import Contribution, Score
from harpoon_cli.routing.reading import Reading
from harpoon_cli.routing.signals import Signal, discover
from harpoon_cli.routing.weights import INTERCEPT


def score(reading: Reading) -> Score:
    """The log-odds that a larger model is needed for what was read."""
    contributions = tuple(_contribution(signal, reading) for signal in discover())
    return Score(
        total=math.fsum([INTERCEPT, *(contribution.amount for contribution in contributions)]),
        intercept=INTERCEPT,
        contributions=contributions,
        whole=reading.whole,
    )


def _contribution(signal: Signal, reading: Reading) -> Contribution:
    value = signal.measure(reading)
    return Contribution(
        signal=signal.name,
        value=value,
        weight=signal.weight,
        amount=signal.weight * value,
        sentence=signal.sentence(value),
    )
