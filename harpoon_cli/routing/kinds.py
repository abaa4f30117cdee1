"""Tells prompts apart by their form, because what is hard differs with it; weighs and judges nothing."""

from __future__ import annotations

import re
from enum import StrEnum

from harpoon_cli.routing.reading import Reading

_FEW, _MANY = 3, 6
_SUM_WORDS = range(8, 129)
_TEX = re.compile(r"\\(?:[a-z]{2,}|[\[(])|\$[a-z(\\]")


class Kind(StrEnum):
    """A form of prompt. Layout does not matter: options are counted, not where they stand."""

    FEW = "few options"
    MANY = "many options"
    TEX = "mathematics in TeX"
    SUMS = "sums in words"
    OTHER = "other"


def kind_of(reading: Reading) -> Kind:
    """Which form the prompt has."""
    options = len(reading.options)
    if options >= _FEW:
        return Kind.MANY if options >= _MANY else Kind.FEW
    if ("\\" in reading.text or "$" in reading.text) and _TEX.search(reading.text):
        return Kind.TEX
    if len(reading.content) in _SUM_WORDS and any(word[0] == "0" for word in reading.content):
        return Kind.SUMS
    return Kind.OTHER
