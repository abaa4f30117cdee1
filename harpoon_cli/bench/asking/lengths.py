"""How long prompts and answers are, in tokens: a fixed length or a distribution of lengths; pure."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING

from harpoon_cli.bench.planning.quantities import Kind
from harpoon_cli.values import Struct

if TYPE_CHECKING:
    from statistics import NormalDist

LONGEST_TOKENS = 1_000_000
"""The longest length that is made; longer draws are cut to it, as those below one token are raised to one."""

_NUMBER = r"([0-9]{1,7}(?:\.[0-9]{1,6})?)"
_WRITTEN = (
    ("fixed", re.compile(r"([0-9]{1,7})", re.ASCII)),
    ("uniform", re.compile(r"([0-9]{1,7})\.\.([0-9]{1,7})", re.ASCII)),
    ("normal", re.compile(rf"normal\({_NUMBER}, ?{_NUMBER}\)", re.ASCII)),
    ("lognormal", re.compile(rf"lognormal\({_NUMBER}, ?{_NUMBER}\)", re.ASCII)),
    ("exponential", re.compile(rf"exponential\({_NUMBER}\)", re.ASCII)),
)


class Length(Struct, frozen=True):
    """A distribution of lengths in tokens.

    form is "fixed" (first: the length), "uniform" (first and second: the least and the most), "normal" or
    "lognormal" (first and second: mean and standard deviation of the lengths themselves), or "exponential"
    (first: the mean).
    """

    form: str
    first: float
    second: float = 0.0

    def at(self, share: float) -> int:
        """The length that `share` of all lengths, between 0 and 1 and neither, are below; at least 1."""
        if self.form == "fixed":
            return int(self.first)
        return round(min(max(self._quantile(share), 1.0), LONGEST_TOKENS))

    def _quantile(self, share: float) -> float:
        match self.form:
            case "uniform":
                return self.first - 0.5 + share * (self.second - self.first + 1)
            case "normal":
                return self.first + self.second * _standard_normal().inv_cdf(share)
            case "lognormal":
                variance = math.log1p((self.second / self.first) ** 2)
                spread = math.sqrt(variance) * _standard_normal().inv_cdf(share)
                return math.exp(math.log(self.first) - variance / 2 + spread)
        return -self.first * math.log1p(-share)

    def __str__(self) -> str:
        match self.form:
            case "fixed":
                return f"{self.first:.0f}"
            case "uniform":
                return f"{self.first:.0f}..{self.second:.0f}"
            case "exponential":
                return f"exponential({_plain(self.first)})"
        return f"{self.form}({_plain(self.first)},{_plain(self.second)})"


def parse(text: str) -> Length:
    """A length of its text; ValueError says how lengths are written."""
    for form, written in _WRITTEN:
        if found := written.fullmatch(text):
            return _checked(Length(form, *map(float, found.groups())))
    raise ValueError(
        "is not a length such as 256, 128..512, normal(256,64), lognormal(256,64) or exponential(256)"
    )


def _checked(length: Length) -> Length:
    if not 1 <= length.first <= LONGEST_TOKENS or length.second > LONGEST_TOKENS:
        raise ValueError(f"is not from 1 to {LONGEST_TOKENS:,} tokens")
    if length.form == "uniform" and length.second < length.first:
        raise ValueError("ends before it begins")
    return length


def _plain(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


@cache
def _standard_normal() -> NormalDist:
    from statistics import NormalDist  # it loads fractions and decimal, for two of five forms

    return NormalDist()


LENGTH = Kind("256", parse)
FEW = Kind("4", parse)
"""The same for numbers of turns."""
