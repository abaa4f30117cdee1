"""Values as JSON has them, and back from it, strictly: one form for commands, files and records. No I/O.

Decimals and words `Told` stand as text, times in UTC with Z, enums by their values, a `Secret` as "***", a
float that is no number as null. What a file holds beside or instead of a field is refused on the way back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from harpoon_cli.domain import Secret
from harpoon_cli.values import Struct, Told, fields

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

T = TypeVar("T")

_LARGEST_EXPONENT = 50
"""Decimals beyond ten to this power are written with an exponent: written out, one could fill the memory."""

_SMALLEST_PLACE = -15
"""Digits beyond this power of ten are left out: a quotient has dozens, and no bill has."""

_LARGEST_WHOLE = 1 << 80
_LARGEST_FLOAT = 1e300
_LARGEST_EXACT = 1 << 53
"""A float may stand as a whole number up to here, and is written as one again."""


class Unfit(ValueError):
    """A JSON value that is not what it should be; the message names its place."""


class UnknownField(Unfit):
    """An object holds what its kind has no field for."""


def plain(value: object, *, all_digits: bool = False) -> Json:
    """`value` as JSON knows it; all_digits=True for amounts that are calculated with again.

    A type without a JSON form is a mistake of ours: TypeError.
    """
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return _decimal(value, all_digits)
        case datetime():
            return _instant(value)
        case Secret() | Told():
            return str(value)
        case Mapping():
            return {_key(key): plain(item, all_digits=all_digits) for key, item in value.items()}
        case list() | tuple():
            return [plain(item, all_digits=all_digits) for item in value]
    if isinstance(value, Struct):
        names = value.__struct_fields__
        return {name: plain(getattr(value, name), all_digits=all_digits) for name in names}
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _decimal(value: Decimal, all_digits: bool) -> str:
    if not value.is_finite() or abs(value.adjusted()) > _LARGEST_EXPONENT:
        return str(value)
    exponent = cast(int, value.as_tuple().exponent)  # which only what is not finite has none of
    if exponent < _SMALLEST_PLACE and not all_digits:
        value = round(value, -_SMALLEST_PLACE)
    return f"{value:f}"


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise TypeError("a time without a zone has no JSON form")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"no JSON key from {type(key).__name__}")
    return str(key.value) if isinstance(key, Enum) else key


def value_of(kind: type[T], value: object, at: str) -> T:
    """The `kind` that `plain` made a JSON value of; `Unfit` for anything else. at: how messages call it.

    A field with a default may be missing: older files lack it.
    """
    return cast(T, _read(kind, value, at))


def _read(kind: object, value: object, at: str) -> object:
    kind = getattr(kind, "__supertype__", kind)  # a NewType is its text
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (UnionType, Union):
        return _read_optional(inner, value, at)
    if origin is tuple:
        items = _expected(list, value, at, "a list")
        return tuple(_read(inner[0], item, f"{at}[{place}]") for place, item in enumerate(items))
    if origin is not None and issubclass(origin, Mapping):
        named = _expected(dict, value, at, "an object").items()
        return {key: _read(inner[1], item, f"{at}.{key[:40]}") for key, item in named}
    assert isinstance(kind, type), f"no way to read {kind} back"
    if issubclass(kind, Struct):
        return _read_fields(kind, value, at)
    return _read_scalar(kind, value, at)


def _read_optional(kinds: tuple[object, ...], value: object, at: str) -> object:
    if value is None and NoneType in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    return _read(kind, value, at)


def _read_fields(kind: type[Struct], value: object, at: str) -> object:
    given = _expected(dict, value, at, "an object")
    known, needed = _fields(kind)
    if missing := [name for name in needed if name not in given]:
        raise Unfit(f"{at} is not an object with {', '.join(missing)}")
    if unknown := [name for name in given if name not in known]:
        raise UnknownField(f"{at} has {unknown[0][:60]!r}, which is not known here")
    return kind(**{name: _read(known[name], item, f"{at}.{name}") for name, item in given.items()})


@cache
def _fields(kind: type[Struct]) -> tuple[Mapping[str, object], tuple[str, ...]]:
    """The types of a kind's fields, and the names of those that have no default."""
    return get_type_hints(kind), tuple(one.name for one in fields(kind) if one.required)


def _read_scalar(kind: type, value: object, at: str) -> object:
    if issubclass(kind, Enum):
        return _read_enum(kind, value, at)
    if kind is Decimal:
        return _read_decimal(value, at)
    if kind is datetime:
        return _read_instant(value, at)
    if kind is float:
        return _read_float(value, at)
    if kind is int:
        found = _expected(int, value, at, "a whole number")
        if abs(found) >= _LARGEST_WHOLE:
            raise Unfit(f"{at} is not a number of a possible size")
        return found
    return _expected(kind, value, at, "true or false" if kind is bool else "text")


def _read_enum(kind: type[Enum], value: object, at: str) -> Enum:
    try:
        return kind(value)
    except ValueError as cause:
        raise Unfit(f"{at} is not one of {', '.join(str(one.value) for one in kind)}") from cause


def _read_decimal(value: object, at: str) -> Decimal:
    try:
        found = Decimal(_expected(str, value, at, "an amount"))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or abs(found.adjusted()) > _LARGEST_EXPONENT:
        raise Unfit(f"{at} is not an amount")
    return found


def _read_instant(value: object, at: str) -> datetime:
    try:
        found = datetime.fromisoformat(_expected(str, value, at, "a time"))
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError) as cause:
        raise Unfit(f"{at} is not a time") from cause
    raise Unfit(f"{at} is not a time with its zone")


def _read_float(value: object, at: str) -> float:
    if type(value) not in (int, float):
        raise Unfit(f"{at} is not a number")
    found = cast(float, value)
    if not abs(found) < _LARGEST_FLOAT:
        raise Unfit(f"{at} is not a number that can be used")
    return found if abs(found) <= _LARGEST_EXACT else float(found)


def _expected(kind: type[T], value: object, at: str, what: str) -> T:
    """The value, where it is of exactly this kind: true is no 1."""
    if type(value) is not kind:
        raise Unfit(f"{at} is not {what}")
    return value
