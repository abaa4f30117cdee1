"""Cheap checks of a small model's answer: good enough, or a larger model is asked? Pure; asks nobody."""

from __future__ import annotations

import json
import re
from collections import Counter
from enum import StrEnum

from harpoon_cli.routing.filler import FILLER
from harpoon_cli.routing.shape import Schema, problems
from harpoon_cli.values import Struct

AGREEMENT = 0.6
"""From which share of words in common two samples agree, unless another is asked for."""

LOG_PROBABILITY = -0.5
"""From which mean log-probability of its tokens an answer is believed, unless another is asked for."""

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_FENCE = re.compile(r"\s*```[a-zA-Z]*\n(.*?)\n?```\s*", re.DOTALL)


class Kind(StrEnum):
    """What is looked at."""

    AGREEMENT = "agreement"
    LOGPROB = "logprob"
    JSON = "json"
    SCHEMA = "schema"
    PATTERN = "pattern"


class Check(Struct, frozen=True):
    """What makes an answer good enough. limit is for agreement and logprob, the rest for what they name."""

    kind: Kind
    limit: float = 0.0
    schema: Schema | None = None
    pattern: str = ""


class Found(Struct, frozen=True):
    """What a check says: accepted or not, by which value where there is one, and why in words."""

    accepted: bool
    value: float | None
    sentence: str


def agreement(one: str, other: str) -> float:
    """The share, 0 to 1, of words in common between two answers, words without meaning left out."""
    first, second = _content(one), _content(other)
    words = first.total() + second.total()
    return 2 * (first & second).total() / words if words else 0.0


def _content(text: str) -> Counter[str]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return Counter([word for word in words if word not in FILLER] or words)


def agreed(one: str, other: str, limit: float) -> Found:
    """Do two samples of the same prompt say the same?"""
    share = agreement(one, other)
    return Found(
        share >= limit, share, f"two samples share {share:.0%} of their words, {limit:.0%} asked for"
    )


def believed(mean_logprob: float, limit: float) -> Found:
    """Was the model sure of its tokens?"""
    told = f"a token's mean log-probability is {mean_logprob:.3f}, {limit:g} asked for"
    return Found(mean_logprob >= limit, mean_logprob, told)


def well_formed(text: str, check: Check) -> Found:
    """Is the answer JSON, of a schema where the check has one; or does all of it match the pattern?"""
    if check.kind is Kind.PATTERN:
        fits = re.fullmatch(check.pattern, text.strip(), re.DOTALL) is not None
        return Found(fits, None, f"it {'matches' if fits else 'does not match'} {check.pattern}")
    try:
        value: object = json.loads(_unfenced(text))
    except (ValueError, RecursionError):
        return Found(False, None, "it is not JSON")
    if check.schema is None:
        return Found(True, None, "it is JSON")
    broken = next(problems(value, check.schema), None)
    return Found(
        broken is None, None, f"it breaks the schema: {broken}" if broken else "it keeps to the schema"
    )


def _unfenced(text: str) -> str:
    """The text of an answer that is one fenced block; models like to fence."""
    found = _FENCE.fullmatch(text)
    return found[1] if found else text
