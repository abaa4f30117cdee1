"""Reads frozen values back from the JSON that `-o json` prints of them; a record may be anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from harpoon_cli.errors import ConfigurationFault, UsageFault
from harpoon_cli.plain import Unfit, UnknownField, value_of
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


def value_in(kind: type[T], value: object, at: str) -> T:
    """The value that a JSON value of a record stands for; `UsageFault` names the place that does not fit."""
    try:
        return value_of(kind, value, at)
    except UnknownField as cause:  # it may have counted: without it, this would be another decision
        raise _not_replayed(cause, "replay it with the version of harpoon that recorded it") from cause
    except Unfit as cause:
        raise _not_replayed(cause, _HINT) from cause


def _not_replayed(cause: Unfit, hint: str) -> UsageFault:
    return UsageFault(f"the record cannot be replayed: {cause}", hint=hint)
