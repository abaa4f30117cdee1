"""The part of JSON Schema that the sandbox's contract is written in. Pure; knows no HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harpoon_cli.values import Struct

NAME_SHOWN = 80
"""Of a name that a request made up, so much is quoted back."""


class Violation(Struct, frozen=True):
    """One place where a value breaks a schema. `at` is a JSON pointer, or a parameter's name."""

    at: str
    problem: str

    def __str__(self) -> str:
        return f"{self.at or 'the body'} {self.problem}"


class Schema:
    """A schema; `document` is where its references point into."""

    def __init__(self, keywords: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        self._document = document
        self._keywords = self._resolved(keywords)

    def violations(self, value: object, at: str = "") -> Iterator[Violation]:
        """Where `value`, as parsed from JSON, breaks the schema; nothing where it keeps to it."""
        types = self._keywords.get("type")
        if not _is_one_of(value, types):
            yield Violation(at, f"must be {_kinds(types)}")
            return
        for keyword, check in _CHECKS.items():
            if keyword in self._keywords and (problem := check(value, self._keywords[keyword])):
                yield Violation(at, problem)
        if isinstance(value, dict):
            yield from self._missing(value, at)
            for name, member in value.items():
                yield from self._member(name, member, at)

    def coerced(self, text: str) -> object:
        """A parameter's text as the JSON value it stands for; the text itself where it cannot be that."""
        if self._keywords.get("type") == "integer" and re.fullmatch(r"-?[0-9]{1,15}", text):
            return int(text)
        return text

    def _missing(self, value: Mapping[str, object], at: str) -> Iterator[Violation]:
        for name in self._keywords.get("required", ()):
            if name not in value:
                yield Violation(f"{at}/{name}", "is missing")

    def _member(self, name: str, member: object, at: str) -> Iterator[Violation]:
        others = self._keywords.get("additionalProperties", True)
        inner = self._keywords.get("properties", {}).get(name, others)
        place = f"{at}/{name[:NAME_SHOWN]}"
        if inner is False:
            yield Violation(place, "is not known to the contract")
        elif not _is_unicode(name):
            yield Violation(place, "is no valid text")
        elif inner is not True:
            yield from Schema(inner, self._document).violations(member, place)

    def _resolved(self, keywords: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in keywords:
            return keywords
        found = self._document
        for step in keywords["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found


_TYPES: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "object": ("an object", lambda value: isinstance(value, dict)),
    "string": ("a string", lambda value: isinstance(value, str)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "null": ("null", lambda value: value is None),
    "number": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    # JSON Schema counts 3.0 as an integer.
    "integer": (
        "a whole number",
        lambda value: (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        ),
    ),
}


def _is_one_of(value: object, types: str | list[str] | None) -> bool:
    if types is None:
        return True
    names = [types] if isinstance(types, str) else types
    return any(_TYPES[name][1](value) for name in names)


def _kinds(types: str | list[str] | None) -> str:
    names = [types] if isinstance(types, str) else types or []
    return " or ".join(_TYPES[name][0] for name in names)


def _is_unicode(text: str) -> bool:
    """False where it holds half of a surrogate pair, which JSON can write and no file or model can take."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _text(value: object, _types: object) -> str | None:
    return None if not isinstance(value, str) or _is_unicode(value) else "is no valid text"


def _min_length(value: object, least: int) -> str | None:
    if not isinstance(value, str) or len(value) >= least:
        return None
    return "must not be empty" if least == 1 else f"must have at least {least} characters"


def _max_length(value: object, most: int) -> str | None:
    fits = not isinstance(value, str) or len(value) <= most
    return None if fits else f"must have at most {most} characters"


def _matches(value: object, pattern: str) -> str | None:
    fits = not isinstance(value, str) or re.fullmatch(pattern, value)
    return None if fits else f"must match {pattern}"


def _minimum(value: object, least: float) -> str | None:
    return None if not isinstance(value, int | float) or value >= least else f"must be at least {least}"


def _maximum(value: object, most: float) -> str | None:
    return None if not isinstance(value, int | float) or value <= most else f"must be at most {most}"


def _max_properties(value: object, most: int) -> str | None:
    return None if not isinstance(value, dict) or len(value) <= most else f"must have at most {most} names"


_CHECKS: Mapping[str, Callable[[object, Any], str | None]] = {
    "type": _text,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _matches,
    "minimum": _minimum,
    "maximum": _maximum,
    "maxProperties": _max_properties,
}

KEYWORDS = frozenset(_CHECKS) | {"$ref", "properties", "required", "additionalProperties"}
"""What `Schema` understands, besides the annotations, which check nothing."""
