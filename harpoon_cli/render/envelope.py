"""The JSON form of an outcome: one versioned envelope around plain values. It does no I/O.

    {schema, command, status, exit, endpoint, data, receipt, notes, errors: [{code, message, hint, exit, …}]}

`status` is "ok" exactly where `exit` is 0. Field names are those of the Structs; the order is always the
same. `schema.schema_for` describes it; what it says must hold for whatever `plain` gives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from harpoon_cli.domain import Secret
from harpoon_cli.errors import Exit, HarpoonError, PlatformError
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.render.safe import dangerous
from harpoon_cli.values import Struct
from harpoon_cli.veil import Veil

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_LARGEST_EXPONENT = 50
"""Decimals beyond ten to this power are written with an exponent: written out, one could fill the memory."""

_SMALLEST_PLACE = -15
"""Digits beyond this power of ten are left out: a quotient has dozens, and no bill has."""


def schema_name(command: str) -> str:
    """The name and version of a command's envelope: "harpoon/config-show/v1"."""
    return f"harpoon/{command.replace(' ', '-')}/v1"


def exit_of(outcome: Outcome) -> Exit:
    """The status a command ends with: its own, or else its first error's; errors never give 0."""
    if outcome.exit is Exit.DONE and outcome.errors:
        return outcome.errors[0].exit
    return outcome.exit


def envelope(outcome: Outcome, command: str, endpoint: str | None) -> dict[str, Json]:
    """The envelope of an outcome."""
    status = exit_of(outcome)
    return {
        "schema": schema_name(command),
        "command": command,
        "status": "ok" if status is Exit.DONE else "error",
        "exit": int(status),
        "endpoint": endpoint,
        "data": plain(outcome.data),
        "receipt": plain(outcome.receipt),
        "notes": list(outcome.notes),
        "errors": [_error(error) for error in outcome.errors],
    }


def _error(error: HarpoonError) -> dict[str, Json]:
    told: dict[str, Json] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "exit": int(error.exit),
    }
    if isinstance(error, PlatformError):
        told |= {"status": error.status, "platform_code": error.platform_code}
    return told


def plain(value: object) -> Json:
    """`value` as JSON knows it.

    Decimals become strings, times ISO 8601 in UTC with Z, enums their values, a `Secret` "***", and a float
    that is no number null. A type without a JSON form is a mistake of ours: TypeError.
    """
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return _decimal(value)
        case datetime():
            return _instant(value)
        case Secret():
            return str(value)
        case Mapping():
            return {_key(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    if isinstance(value, Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    raise TypeError(f"no JSON form for {type(value).__name__}")


def veiled(value: Json, veil: Veil) -> Json:
    """The same value without secrets in any of its texts."""
    match value:
        case str():
            return veil.over(value)
        case list():
            return [veiled(item, veil) for item in value]
        case dict():
            return {veil.over(key): veiled(item, veil) for key, item in value.items()}
    return value


def _decimal(value: Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > _LARGEST_EXPONENT:
        return str(value)
    if value.as_tuple().exponent < _SMALLEST_PLACE:  # type: ignore[operator]  # finite: the exponent is a number
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


def encode(value: Json, *, ascii_only: bool, one_line: bool) -> str:
    """JSON text that is harmless to read on a terminal and has exactly this value; it ends with a newline.

    Indented by two, or on one line. What `safe.visible` would change stands as a \\u escape, which a parser
    turns back.
    """
    indent, separators = (None, (",", ":")) if one_line else (2, None)
    text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, indent=indent, separators=separators)
    return dangerous().sub(lambda run: "".join(map(_escaped, run[0])), text) + "\n"


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
