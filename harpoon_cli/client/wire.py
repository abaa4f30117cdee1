"""Reading what servers send: strict JSON, tolerant fields, server-sent events. Does no I/O.

Strict about form (valid JSON of the right shape, bounded in size and depth), tolerant about names and types
that platforms are known to vary: `id` for `allocation_id`, integers for ids, strings for money. Every reader
raises `GarbledAnswer` and nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NoReturn, TypeVar

from harpoon_cli.errors import GarbledAnswer, UnreadableAnswer

BODY_CAP_BYTES = 16 * 1024 * 1024
"""The longest body that is read where no other figure is set."""

EVENT_CAP_BYTES = 1024 * 1024
"""The longest event of a stream that is read; real ones are a few hundred bytes."""

SMALL_BYTES = 1024 * 1024
"""What may always be used of memory for an answer."""

IDENTIFIER_CAP = 512
NUMBER_CAP = 40
LABEL_CAP = 10_000
"""How many characters ids, numbers and labels may have; more is an attack, not a value."""

ANSWER_CAP = 4 * 1024 * 1024
"""How many characters the answer to a prompt may have: a million tokens."""

T = TypeVar("T")


def parse_json(body: bytes | bytearray, cap_bytes: int = BODY_CAP_BYTES) -> object:
    """The JSON value in `body`; `UnreadableAnswer` for anything else: NaN, 1e999, a name twice in one object.

    Nor is anything read that takes more than three times `cap_bytes` of memory: `[[],[],…` takes thirty times
    its own size.
    """
    try:
        if _memory_bytes(body) > max(3 * cap_bytes, SMALL_BYTES):
            raise GarbledAnswer("this is more than any answer holds")
        text = body.decode("utf-8-sig")
        return json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_each_name_once
        )
    except (ValueError, RecursionError) as cause:
        reason = "nested too deeply" if isinstance(cause, RecursionError) else str(cause)
        raise UnreadableAnswer(f"this is not JSON ({reason})") from cause


def _memory_bytes(body: bytes | bytearray) -> int:
    """What a JSON text takes at most, with all that is made of it: itself, its characters, its values."""
    widest = 1 if body.isascii() else 4
    values = 64 * (body.count(b",") + body.count(b"[")) + 150 * body.count(b":") + 232 * body.count(b"{")
    return len(body) * (1 + 2 * widest) + values


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object: which of the two is meant is not told")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


class Fields:
    """The fields of one JSON object, read by their contract names or by the names a platform uses instead.

    `names` maps a contract name to this platform's; `what` is how messages call the object; `redact` takes
    secrets out of texts. An id must stay as it is: one that `holds_key` is refused, and so is a flat value. A
    field that is null is as good as absent.
    """

    def __init__(
        self,
        value: object,
        what: str,
        names: Mapping[str, str] | None = None,
        redact: Callable[[str], str] = str,
        holds_key: Callable[[str], bool] = lambda _: False,
    ) -> None:
        if not isinstance(value, dict):
            raise GarbledAnswer(f"{what} should be a JSON object and is {_kind(value)}")
        self._value: dict[str, object] = value
        self._what = what
        self._names = names or {}
        self._redact = redact
        self._holds_key = holds_key

    def _below(self, value: object, what: str) -> Fields:
        return Fields(value, what, self._names, self._redact, self._holds_key)

    def raw(self, *names: str) -> object | None:
        """The first of the named fields that is there and not null."""
        for name in names:
            found = self._value.get(self._names.get(name, name))
            if found is not None:
                return found
        return None

    def only(self, name: str) -> bool:
        """Is there nothing beside this field?"""
        return set(self._value) == {name}

    def identifier(self, *names: str) -> str:
        """A required id: a string of visible characters, or an integer as its decimal text."""
        found = self.optional_identifier(*names)
        if found is None:
            raise GarbledAnswer(f"{self._what} has no {names[0]}")
        return found

    def optional_identifier(self, *names: str) -> str | None:
        """An id, or None where it is absent or empty."""
        found = self.raw(*names)
        if found is None or found == "":
            return None
        name = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
        if not name.isprintable() or not 0 < len(name) <= IDENTIFIER_CAP:
            raise GarbledAnswer(f"{names[0]} of {self._what} is {_kind(found)} that cannot be used as an id")
        if self._holds_key(name):  # it would be written down, and shown
            raise GarbledAnswer(f"{names[0]} of {self._what} holds our key, and cannot be used as an id")
        return name

    def text(self, *names: str, cap: int = LABEL_CAP) -> str | None:
        """A string of at most `cap` characters, or None where it is absent; any other type is an error."""
        found = self._typed(names, str)
        if found is not None and len(found) > cap:
            raise GarbledAnswer(f"{names[0]} of {self._what} has {len(found)} characters")
        return None if found is None else self._redact(found)

    def required_text(self, *names: str, cap: int = LABEL_CAP) -> str:
        found = self.text(*names, cap=cap)
        if found is None:
            raise GarbledAnswer(f"{self._what} has no {names[0]}")
        return found

    def _typed(self, names: tuple[str, ...], kind: type[T]) -> T | None:
        found = self.raw(*names)
        if found is None or isinstance(found, kind):
            return found
        raise GarbledAnswer(f"{names[0]} of {self._what} is {_kind(found)}")

    def decimal(self, *names: str) -> Decimal | None:
        """A number, also one written as a string: finite, not negative, of a size that things have."""
        found = self.raw(*names)
        if found is None:
            return None
        number = None if isinstance(found, bool) else _decimal(found)
        if number is None or number < 0:
            raise GarbledAnswer(f"{names[0]} of {self._what} is not a usable number")
        return number

    def number(self, *names: str) -> float | None:
        found = self.decimal(*names)
        return None if found is None else float(found)

    def whole(self, *names: str) -> int | None:
        """A number without its fraction: of half a slice there is none to be had."""
        found = self.decimal(*names)
        return None if found is None else int(found)

    def when(self, *names: str) -> datetime | None:
        """An ISO 8601 time (one without a zone counts as UTC) or Unix seconds."""
        found = self.raw(*names)
        if found is None:
            return None
        try:
            if isinstance(found, str):
                moment = datetime.fromisoformat(found)
                return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            if isinstance(found, int | float) and not isinstance(found, bool):
                return datetime.fromtimestamp(found, UTC)
        except (ValueError, OverflowError, OSError) as cause:
            raise GarbledAnswer(f"{names[0]} of {self._what} is not a time") from cause
        raise GarbledAnswer(f"{names[0]} of {self._what} is not a time")

    def child(self, name: str) -> Fields | None:
        found = self.raw(name)
        return None if found is None else self._below(found, f"{name} of {self._what}")

    def children(self, *names: str) -> Iterator[Fields]:
        """The objects of a required list."""
        return (self._below(item, f"an item of {names[0]}") for item in self._list(names))

    def readable(
        self, names: tuple[str, ...], read: Callable[[Fields], T], most: int
    ) -> tuple[list[T], list[str]]:
        """What `read` makes of the first `most` objects of a required list, and why it cannot of others."""
        good: list[T] = []
        faults: list[str] = []
        for number, item in enumerate(self._list(names)[:most], start=1):
            try:
                good.append(read(self._below(item, f"item {number} of {names[0]}")))
            except GarbledAnswer as fault:
                faults.append(fault.message)
        return good, faults

    def _list(self, names: tuple[str, ...]) -> list[object]:
        found = self.raw(*names)
        if not isinstance(found, list):
            raise GarbledAnswer(f"{self._what} has no list {names[0]!r} ({_kind(found)})")
        return found

    def strings(self, name: str) -> dict[str, str]:
        """A flat object with its values as text; empty where absent. What is not flat in it is left out."""
        found = self._typed((name,), dict) or {}
        flat = {key: str(value) for key, value in found.items() if isinstance(value, str | int | float)}
        short = {key: text for key, text in flat.items() if len(text) <= LABEL_CAP}
        return {key: text for key, text in short.items() if not any(map(self._holds_key, (key, text)))}


def _decimal(value: object) -> Decimal | None:
    """None for what is no number, or has more digits or zeros than any quantity: Decimal takes 1e999999999,
    and a whole number of it fills the memory."""
    text = str(value) if isinstance(value, str | int | float) else ""
    try:
        number = Decimal(text) if len(text) <= NUMBER_CAP else None
    except InvalidOperation:
        return None
    if number is None or not number.is_finite():
        return None
    exponent = number.as_tuple().exponent
    return number if isinstance(exponent, int) and abs(exponent) <= NUMBER_CAP else None


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "missing"}
    return kinds.get(type(value), "a number")


class EventScanner:
    """Cuts a byte stream into the data of its server-sent events; comments and other fields are passed over.

    Feed it as bytes arrive, in any pieces; lines may end in LF, CR or CRLF. The work is linear in the bytes.
    An event longer than `EVENT_CAP_BYTES` is `GarbledAnswer`. `name` is the kind of the event just given; one
    that has a kind is given also without data. A server that breaks off may forget the form: a line of JSON
    is data, and `error: …` an event of that kind.
    """

    def __init__(self) -> None:
        self.name = b""
        self._name = b""
        self._line = bytearray()
        self._data: list[bytes] = []
        self._event_bytes = 0
        self._after_cr = False
        self._first = True

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that `piece` completes."""
        for line in self._lines(piece):
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()
            elif line.startswith(b"{"):
                self._data.append(line)
            elif line.startswith(b"error:"):
                self._name = b"error"
                self._data.append(line[6:])
            elif not line:
                event, whole = b"\n".join(self._data), bool(self._data or self._name)
                self.name, self._name = self._name, b""
                self._data, self._event_bytes = [], 0
                if whole:
                    yield event

    def _lines(self, piece: bytes) -> Iterator[bytes]:
        if not piece:
            return
        # A CR at the end of a piece may be half of a CRLF: its LF, if it comes, belongs to the same line end.
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        *ends, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for end in ends:
            self._hold(end)
            self._event_bytes += 1
            yield self._ended()
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        self._event_bytes += len(part)
        if self._event_bytes > EVENT_CAP_BYTES:
            raise GarbledAnswer("the event stream has an event longer than any answer")
        self._line += part

    def _ended(self) -> bytes:
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        return line
