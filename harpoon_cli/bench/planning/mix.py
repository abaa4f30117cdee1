"""Which of several models each ask of a run goes to: by weight, from the seed and its number alone; pure."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate

from harpoon_cli.bench.asking.asks import shares
from harpoon_cli.bench.planning.quantities import Kind, number
from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct

MOST_MODELS = 64

_weight = number(0.000_001, 1_000_000)

WEIGHT = Kind("3", _weight)

_DRAW = -1
"""The number of a draw that no turn of a conversation has."""


class Part(Struct, frozen=True):
    """A model, as its server calls it, and its weight: twice the weight is twice the asks."""

    model: str
    weight: float

    def __str__(self) -> str:
        return f"{self.model}={WEIGHT.write(self.weight)}"


class Mix(Struct, frozen=True):
    """Several models, each of which gets its part of the asks."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.parts))

    def by_number(self, seed: int) -> Callable[[int], str]:
        """What gives the model of an ask, or of all of a conversation, by its number: the same everywhere."""
        bounds = list(accumulate(part.weight for part in self.parts))
        names = [part.model for part in self.parts]

        def model(number: int) -> str:
            place = bisect(bounds, shares(seed, number, _DRAW)[0] * bounds[-1])
            return names[min(place, len(names) - 1)]

        return model


def part_of(text: str) -> Part:
    """The part that NAME=WEIGHT means; without a weight 1. `UsageFault` for what is neither."""
    model, _, weight = text.rpartition("=") if "=" in text else (text, "", "1")
    if not model:
        raise UsageFault(f"--model {text[:60]!r} names no model", hint="--model small=3 --model large=1")
    try:
        return Part(model, _weight(weight))
    except ValueError as cause:
        raise UsageFault(
            f"--model {text[:60]} is not NAME=WEIGHT: the weight {cause}",
            hint="--model small=3 --model large=1; a name with a = in it needs its weight too",
        ) from cause


def mix_of(parts: Sequence[Part]) -> Mix | None:
    """The mix of some models; None for one alone. `UsageFault` where one is there twice, or for too many."""
    names = [part.model for part in parts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageFault(f"--model {twice} is given twice", hint="name each model once, with its weight")
    if len(parts) > MOST_MODELS:
        raise UsageFault(f"{len(parts)} models are more than the {MOST_MODELS} that are told apart")
    return Mix(tuple(parts)) if len(parts) > 1 else None
