"""Structs as JSON values and back, strictly: what a file holds beside or instead of a field is refused.

The JSON form is that of every command's data: decimals as text, times in UTC with Z, enums by their values, a
float that is no number as null. It does no I/O.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct, fields

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

T = TypeVar("T")

LARGEST_FILE_BYTES = 512 * 2**20


def plain(value: object) -> Json:
    """`value` as JSON knows it. A type without a JSON form is a mistake of ours: TypeError."""
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return f"{value:f}" if value.is_finite() else str(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    if isinstance(value, Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    raise TypeError(f"no JSON form for {type(value).__name__}")


def parse(kind: type[T], text: str, what: str, made_by: str) -> T:
    """The `kind` that JSON text holds. `UsageFault` where it holds none.

    what is how messages call it, made_by the command that writes such a text.
    """
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as cause:
        raise UsageFault(
            f"{what} is not JSON: {cause}",
            hint=f"{made_by} writes such a file; where it did, the file is cut or was changed",
        ) from cause
    try:
        return cast(T, _read(kind, value, "the whole"))
    except (ValueError, RecursionError) as cause:
        raise UsageFault(
            f"{what} is no result of a load test that can be read: {cause}",
            hint=f"{made_by} writes such a file",
        ) from cause


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _read(kind: object, value: Json, where: str) -> object:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (UnionType, Union):
        return _read_optional(inner, value, where)
    if origin is tuple:
        _expect(isinstance(value, list), where, "a list")
        return tuple(_read(inner[0], item, where) for item in cast("list[Json]", value))
    if origin is not None and issubclass(origin, Mapping):
        _expect(isinstance(value, dict), where, "an object")
        items = cast("dict[str, Json]", value).items()
        return {key: _read(inner[1], item, f"{where}.{key[:40]}") for key, item in items}
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _read_fields(kind, value, where)
    return _read_scalar(cast(type, kind), value, where)


def _read_optional(kinds: tuple[object, ...], value: Json, where: str) -> object:
    rest = [kind for kind in kinds if kind is not NoneType]
    if value is None and len(rest) < len(kinds):
        return None
    if len(rest) != 1:
        raise TypeError("a field of a result has one type, or that and None")
    return _read(rest[0], value, where)


@cache
def _hints(kind: type) -> dict[str, object]:
    return get_type_hints(kind)


def _read_fields(kind: type[Struct], value: Json, where: str) -> object:
    _expect(isinstance(value, dict), where, "an object")
    given = cast("dict[str, Json]", value)
    hints = _hints(kind)
    wrong = sorted((_needed(kind) - set(given)) | (set(given) - set(hints)))
    if wrong:
        raise ValueError(f"{where}: {wrong[0][:40]!r} is {'missing' if wrong[0] in hints else 'not known'}")
    return kind(**{name: _read(hints[name], value, f"{where}.{name}") for name, value in given.items()})


@cache
def _needed(kind: type[Struct]) -> frozenset[str]:
    """The fields that a file has to have: not those with a default, which older files may lack."""
    return frozenset(one.name for one in fields(kind) if one.required)


def _read_scalar(kind: type, value: Json, where: str) -> object:
    if issubclass(kind, (Enum, Decimal, datetime)):
        _expect(isinstance(value, str), where, "text")
        return _read_text(kind, cast(str, value), where)
    if kind is float:
        _expect(type(value) in (int, float) and math.isfinite(cast(float, value)), where, "a number")
        return float(cast(float, value))
    _expect(type(value) is kind, where, {int: "a whole number", bool: "true or false"}.get(kind, "text"))
    if kind is int:
        _expect(abs(cast(int, value)) < 1 << 80, where, "a number of a possible size")
    return value


def _read_text(kind: type[Enum | Decimal | datetime], text: str, where: str) -> object:
    try:
        if issubclass(kind, datetime):
            at = datetime.fromisoformat(text)
            _expect(at.tzinfo is not None, where, "a time with its zone")
            return at.astimezone(UTC)
        return kind(text[:200])
    except (ValueError, InvalidOperation) as cause:
        raise ValueError(f"{where}: {text[:40]!r} is no {kind.__name__.lower()}") from cause


def _expect(held: bool, where: str, what: str) -> None:
    if not held:
        raise ValueError(f"{where} is not {what}")
