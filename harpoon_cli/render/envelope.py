"""The JSON form of an outcome: one versioned envelope around plain values. It does no I/O.

    {schema, command, status, exit, endpoint, data, receipt, notes, errors: [{code, message, hint, exit, …}]}

`status` is "ok" exactly where `exit` is 0. Field names are those of the Structs; the order is always the
same. `schema.schema_for` describes it; what it says must hold for whatever `plain.plain` gives.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harpoon_cli.errors import Exit, HarpoonError, PlatformError
from harpoon_cli.render.outcome import Outcome
from harpoon_cli.render.safe import dangerous
from harpoon_cli.veil import Veil

if TYPE_CHECKING:
    from harpoon_cli.plain import Json


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
    from harpoon_cli.plain import plain  # most commands print no JSON

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
