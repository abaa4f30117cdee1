"""Reads what a load test wrote of itself, which may be anything by now; it does no I/O."""

from __future__ import annotations

import json
from typing import TypeVar

from harpoon_cli.errors import UsageFault
from harpoon_cli.plain import Unfit, value_of

T = TypeVar("T")


def from_text(kind: type[T], text: str, what: str, made_by: str) -> T:
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
        return value_of(kind, value, "the whole")
    except Unfit as cause:
        raise UsageFault(
            f"{what} is no result of a load test that can be read: {cause}",
            hint=f"{made_by} writes such a file",
        ) from cause


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
