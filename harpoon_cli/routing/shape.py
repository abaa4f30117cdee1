"""Does a JSON value have a shape, as far as JSON Schema says so of a model's answer? It reads no file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

Schema = Mapping[str, object]

_ANNOTATIONS = frozenset({"$schema", "$id", "title", "description", "default", "examples"})


def unknown_keywords(schema: object, at: str = "") -> Iterator[str]:
    """Where a schema says what is not understood here: a check must not pass for want of understanding."""
    if not isinstance(schema, dict):
        yield at or "/"
        return
    for keyword, value in schema.items():
        if keyword == "properties" and isinstance(value, dict):
            for name, inner in value.items():
                yield from unknown_keywords(inner, f"{at}/{name}")
        elif keyword == "items":
            yield from unknown_keywords(value, f"{at}/items")
        elif not _is_known(keyword, value):
            yield f"{at}/{keyword}"


def _is_known(keyword: str, value: object) -> bool:
    match keyword:
        case "type":
            names = value if isinstance(value, list) else [value]
            return all(name in _TYPES for name in names)
        case "required":
            return isinstance(value, list)
        case "additionalProperties":
            return isinstance(value, bool)
        case "pattern":
            return isinstance(value, str) and _compiles(value)
        case "enum":
            return isinstance(value, list)
    if keyword in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return keyword == "const" or keyword in _ANNOTATIONS


def problems(value: object, schema: Schema, at: str = "") -> Iterator[str]:
    """Where a value breaks a schema without unknown keywords; nothing where it keeps to it."""
    types = schema.get("type")
    names = types if isinstance(types, list) else [types] if types is not None else []
    if names and not any(_TYPES[str(name)](value) for name in names):
        yield f"{at or 'the answer'} is not {' or '.join(map(str, names))}"
        return
    for keyword, check in _CHECKS.items():
        if keyword in schema and not check(value, schema[keyword]):
            yield f"{at or 'the answer'} breaks {keyword}"
    if isinstance(value, dict):
        yield from _members(value, schema, at)
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        for place, one in enumerate(value):
            yield from problems(one, items, f"{at}/{place}")


def _members(value: Mapping[str, object], schema: Schema, at: str) -> Iterator[str]:
    required, inner = schema.get("required"), schema.get("properties")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            yield f"{at}/{name} is missing"
    known = inner if isinstance(inner, dict) else {}
    for name, member in value.items():
        if name in known:
            yield from problems(member, known[name], f"{at}/{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{at}/{name} is one too many"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and float(str(value)).is_integer(),
}


def _size(kind: type, holds: Callable[[int, float], bool]) -> Callable[[object, object], bool]:
    return lambda value, limit: not isinstance(value, kind) or holds(len(value), float(str(limit)))  # type: ignore[arg-type]  # str and list have a length


def _bound(holds: Callable[[float, float], bool]) -> Callable[[object, object], bool]:
    return lambda value, limit: not _is_number(value) or holds(float(str(value)), float(str(limit)))


_CHECKS: dict[str, Callable[[object, object], bool]] = {
    "enum": lambda value, known: isinstance(known, list) and value in known,
    "const": lambda value, known: value == known,
    "pattern": lambda value, known: not isinstance(value, str) or bool(re.search(str(known), value)),
    "minLength": _size(str, lambda size, limit: size >= limit),
    "maxLength": _size(str, lambda size, limit: size <= limit),
    "minItems": _size(list, lambda size, limit: size >= limit),
    "maxItems": _size(list, lambda size, limit: size <= limit),
    "minimum": _bound(lambda number, limit: number >= limit),
    "maximum": _bound(lambda number, limit: number <= limit),
}
_NUMBERS = frozenset(_CHECKS) - {"enum", "const", "pattern"}
