"""Reads frozen values back from the JSON that `-o json` prints of them; a record may be anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import TypeVar, Union, cast, get_args, get_origin, get_type_hints

from harpoon_cli.errors import ConfigurationFault, UsageFault
from harpoon_cli.settings.files import read_small
from harpoon_cli.values import Struct

LARGEST_RECORD = 64 * 1024 * 1024
_HINT = "a record is what harpoon route-explain PROMPT -o json printed, saved in a file"

T = TypeVar("T")


class Record(Struct, frozen=True):
    """A saved envelope: which command printed it, and what it says."""

    command: str
    endpoint: str | None
    notes: tuple[str, ...]
    data: dict[str, object]


def read_record(path: Path) -> Record:
    """The envelope in a file; `UsageFault` where it is none."""
    try:
        content, _ = read_small(path, "the record", limit=LARGEST_RECORD, hint=_HINT)
        document = json.loads(content)
    except ConfigurationFault as cause:
        raise UsageFault(cause.message, hint=_HINT) from cause
    except (ValueError, RecursionError) as cause:
        raise UsageFault(f"the record {path} is not JSON", hint=_HINT) from cause
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise UsageFault(f"the record {path} holds no result", hint=_HINT)
    notes, endpoint = document.get("notes"), document.get("endpoint")
    return Record(
        command=str(document.get("command")),
        endpoint=endpoint if isinstance(endpoint, str) else None,
        notes=tuple(note for note in notes if isinstance(note, str)) if isinstance(notes, list) else (),
        data=data,
    )


def value_of(kind: type[T], value: object, at: str) -> T:
    """The value that a JSON value stands for; `UsageFault` names the place that does not fit."""
    return cast(T, _read(kind, value, at))


def _read(kind: object, value: object, at: str) -> object:
    kind = getattr(kind, "__supertype__", kind)  # a NewType is its text
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _one_of(get_args(kind), value, at)
    if origin is tuple:
        return _row(get_args(kind)[0], value, at)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _object(kind, value, at)
    read = _SIMPLE.get(kind) if isinstance(kind, type) else None
    if read is None and isinstance(kind, type) and issubclass(kind, Enum):
        read = _enum_reader(kind)
    if read is None:
        raise TypeError(f"no way to read {kind} back")
    return read(value, at)


def _one_of(kinds: tuple[object, ...], value: object, at: str) -> object:
    if value is None and NoneType in kinds:
        return None
    [kind] = [kind for kind in kinds if kind is not NoneType]
    return _read(kind, value, at)


def _row(kind: object, value: object, at: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _unfit(at, "a list")
    return tuple(_read(kind, one, f"{at}[{place}]") for place, one in enumerate(value))


def _object(kind: type[Struct], value: object, at: str) -> object:
    if not isinstance(value, dict):
        raise _unfit(at, "an object")
    hints = get_type_hints(kind)
    names = kind.__struct_fields__
    if missing := [name for name in names if name not in value]:
        raise _unfit(at, f"an object with {', '.join(missing)}")
    return kind(**{name: _read(hints[name], value[name], f"{at}.{name}") for name in names})


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise _unfit(at, "text")
    return value


def _flag(value: object, at: str) -> bool:
    if not isinstance(value, bool):
        raise _unfit(at, "true or false")
    return value


def _whole(value: object, at: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _unfit(at, "a whole number")
    return value


def _float(value: object, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unfit(at, "a number")
    try:
        found = float(value)
    except OverflowError:
        found = float("inf")
    if not abs(found) < 1e300:
        raise _unfit(at, "a number that can be used")
    # A number that was whole when it was printed is whole again when it is printed anew.
    return value if isinstance(value, int) else found


def _decimal(value: object, at: str) -> Decimal:
    try:
        found = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or abs(found.adjusted()) > 50:
        raise _unfit(at, "an amount")
    return found


def _enum_reader(kind: type[Enum]) -> Callable[[object, str], object]:
    def read(value: object, at: str) -> Enum:
        try:
            return kind(value)
        except ValueError as cause:
            raise _unfit(at, f"one of {', '.join(str(one.value) for one in kind)}") from cause

    return read


_SIMPLE: dict[type, Callable[[object, str], object]] = {
    str: _text,
    bool: _flag,
    int: _whole,
    float: _float,
    Decimal: _decimal,
}


def _unfit(at: str, wants: str) -> UsageFault:
    return UsageFault(f"the record cannot be replayed: {at} is not {wants}", hint=_HINT)
