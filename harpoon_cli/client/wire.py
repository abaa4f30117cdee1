"""Reading what servers send: strict JSON, tolerant fields, server-sent events. Does no I/O.

Strict about form (valid JSON of the right shape, bounded in size and depth), tolerant about names and types
that platforms are known to vary: `id` for `allocation_id`, integers for ids, strings for money.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NoReturn, TypeVar

from harpoon_cli.errors import GarbledAnswer

LINE_CAP_BYTES = 1024 * 1024
"""The longest line of an event stream that is read; real ones are a few hundred bytes."""

T = TypeVar("T")


def parse_json(body: bytes) -> object:
    """The JSON value in `body`; `GarbledAnswer` for anything else, NaN and bottomless nesting included."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as cause:
        raise GarbledAnswer(f"the answer is not JSON ({_reason(cause)})") from cause


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _reason(cause: Exception) -> str:
    return "nested too deeply" if isinstance(cause, RecursionError) else str(cause)


class Fields:
    """The fields of one JSON object, read by their contract names or by the names a platform uses instead.

    `names` maps a contract name to this platform's; `what` is how messages call the object.
    """

    def __init__(self, value: object, what: str, names: Mapping[str, str] | None = None) -> None:
        if not isinstance(value, dict):
            raise GarbledAnswer(f"{what} should be a JSON object and is {_kind(value)}")
        self._value: dict[str, object] = value
        self._what = what
        self._names = names or {}

    def raw(self, *names: str) -> object | None:
        """The first of the named fields that is there and not null."""
        for name in names:
            found = self._value.get(self._names.get(name, name))
            if found is not None:
                return found
        return None

    def identifier(self, *names: str) -> str:
        """A required id: a non-empty string, or an integer as its decimal text."""
        found = self.raw(*names)
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            raise GarbledAnswer(f"{self._what} has no usable {names[0]} ({_kind(found)})")
        return str(found)

    def optional_identifier(self, *names: str) -> str | None:
        return None if self.raw(*names) is None else self.identifier(*names)

    def text(self, *names: str) -> str | None:
        """A string, or None where it is absent; any other type is an error."""
        return self._typed(names, str)

    def required_text(self, *names: str) -> str:
        found = self.text(*names)
        if found is None:
            raise GarbledAnswer(f"{self._what} has no {names[0]}")
        return found

    def _typed(self, names: tuple[str, ...], kind: type[T]) -> T | None:
        found = self.raw(*names)
        if found is None or isinstance(found, kind):
            return found
        raise GarbledAnswer(f"{names[0]} of {self._what} is {_kind(found)}")

    def decimal(self, *names: str) -> Decimal | None:
        """A number, also one written as a string; never negative, never NaN."""
        found = self.raw(*names)
        if found is None:
            return None
        try:
            number = Decimal(str(found))
        except InvalidOperation:
            number = Decimal("NaN")
        if isinstance(found, bool) or not number.is_finite() or number < 0:
            raise GarbledAnswer(f"{names[0]} of {self._what} is not a usable number")
        return number

    def number(self, *names: str) -> float | None:
        found = self.decimal(*names)
        return None if found is None else float(found)

    def whole(self, *names: str) -> int | None:
        found = self.decimal(*names)
        return None if found is None else int(found)

    def when(self, *names: str) -> datetime | None:
        """An ISO 8601 time (one without a zone counts as UTC) or Unix seconds."""
        found = self.raw(*names)
        if found is None:
            return None
        try:
            if isinstance(found, int | float) and not isinstance(found, bool):
                return datetime.fromtimestamp(found, UTC)
            moment = datetime.fromisoformat(str(found))
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError, OSError) as cause:
            raise GarbledAnswer(f"{names[0]} of {self._what} is not a time") from cause

    def child(self, name: str) -> Fields | None:
        found = self.raw(name)
        return None if found is None else Fields(found, f"{name} of {self._what}", self._names)

    def children(self, *names: str) -> Iterator[Fields]:
        """The objects of a required list."""
        found = self.raw(*names)
        if not isinstance(found, list):
            raise GarbledAnswer(f"{self._what} has no list {names[0]!r} ({_kind(found)})")
        return (Fields(item, f"an item of {names[0]}", self._names) for item in found)

    def strings(self, name: str) -> dict[str, str]:
        """A flat object with its values as text; empty where absent."""
        found = self._typed((name,), dict)
        return {} if found is None else {str(key): str(value) for key, value in found.items()}


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "missing"}
    return kinds.get(type(value), "a number")


def error_words(body: bytes) -> tuple[str | None, str | None]:
    """(message, code) out of an error body in any of the shapes platforms use; Nones where it has none.

    Known: {error, code, details}, {error: {message, type|code}}, {code, message, errors}, {detail},
    {result: "FAILURE", errors}. Never raises: an error page may be anything.
    """
    try:
        value = parse_json(body)
    except GarbledAnswer:
        return None, None
    if not isinstance(value, dict):
        return None, None
    inner = value.get("error")
    source = inner if isinstance(inner, dict) else value
    message = next(
        (source[k] for k in ("message", "error", "detail") if isinstance(source.get(k), str)), None
    )
    code = source.get("code") or source.get("type")
    if message is None and isinstance(value.get("errors"), list):
        message = "; ".join(str(item) for item in value["errors"][:3])
    return message, None if code is None else str(code)


def error_in_success(value: object) -> str | None:
    """The message of an error object that came with a status of success, as some platforms send it."""
    if not isinstance(value, dict):
        return None
    failed = (
        value.get("result") == "FAILURE" or value.get("error") or ("code" in value and "message" in value)
    )
    if not failed:
        return None
    return error_words(json.dumps(value).encode())[0] or "an error without a message"


class EventScanner:
    """Cuts a byte stream into the data of its server-sent events; comments and other fields are passed over.

    Feed it as bytes arrive, in any pieces; lines may end in LF, CR or CRLF.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._skip_newline = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that `piece` completes."""
        for line in self._lines(piece):
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                event, self._data = b"\n".join(self._data), []
                yield event

    def _lines(self, piece: bytes) -> Iterator[bytes]:
        if self._skip_newline and piece:
            piece, self._skip_newline = piece.removeprefix(b"\n"), False
        # A CR at the very end may be half of a CRLF: its LF, if it comes, belongs to the same line end.
        self._skip_newline = piece.endswith(b"\r")
        lines = (self._rest + piece).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LINE_CAP_BYTES or sum(map(len, self._data)) > LINE_CAP_BYTES:
            raise GarbledAnswer("the event stream has a line longer than any answer")
        return iter(lines)
