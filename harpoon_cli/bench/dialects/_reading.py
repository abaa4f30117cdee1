"""Reads answers of OpenAI's shape, as bytes wherever bytes tell enough; no I/O, hostile input is `Unread`.

An event of a stream has content where one of `MARKS` stands in it, and not the same one empty. A quotation
mark inside a JSON string has a backslash before it, so that no text of a model can hold a mark.
What no mark recognises (the first chunk, the last, usage) is searched; what may be an error is parsed.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from harpoon_cli.domain import GIVEN_UP
from harpoon_cli.values import Struct

DONE = b"[DONE]"
"""The data of the event after which nothing comes."""

TEXTS = ("content", "reasoning_content", "reasoning", "text", "refusal")
"""The fields that hold generated text, in a delta or (as "text") in a choice or an answer."""

COUNT_CAP = 2**53
"""A count of tokens above this is an attack, not a count."""

DETAIL_CHARACTERS = 300
"""How much of a server's own words about an error is kept."""


class Unread(Exception):
    """An answer that cannot be read; its text says why."""


class Mark(Struct, frozen=True):
    """Bytes with which content begins, and bytes that are there where it is empty."""

    content: bytes
    empty: bytes


MARKS = tuple(
    Mark(f'"{name}":{space}{begin}'.encode(), f'"{name}":{space}{begin}{end}'.encode())
    for name, begin, end in [*((name, '"', '"') for name in TEXTS), ("tool_calls", "[", "]")]
    for space in ("", " ")
)


class Usage(Struct, frozen=True):
    """Tokens as the server counted them."""

    prompt_tokens: int
    completion_tokens: int


class Event(Struct, frozen=True):
    """What one event of a stream says. `error` is the server's own words, None where it reports none."""

    content: bool
    finished: bool
    usage: Usage | None
    error: str | None


_CONTENT = re.compile(rb'"(?:%b)"\s*:\s*"(?!")|"tool_calls"\s*:\s*\[(?!\s*\])' % "|".join(TEXTS).encode())
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"(?!")')
_ENDS = (b'stop"', b'length"', b'tool_calls"')
"""The reasons of nearly all ends; what else a server says is read with care."""


def mark_in(data: bytes) -> Mark | None:
    """The mark by which content is recognised in events like this one; None where only parsing tells."""
    return next((mark for mark in MARKS if data.find(mark.content) >= 0 > data.find(mark.empty)), None)


def read_event(data: bytes) -> Event:
    """Everything in one event, parsed only where it may be an error; `Unread` for what is no JSON object."""
    # Before Python 3.13 `in` raises and drops an error inside for each test of bytes: `find` does not.
    is_plain = data.startswith(b"{") and data.endswith(b"}") and data.find(b'"error"') < 0
    finish = _FINISHED.search(data)
    return Event(
        content=_CONTENT.search(data) is not None,
        finished=finish is not None,
        usage=_usage_within(data),
        error=None if is_plain and _is_usual(finish, data) else _error_or_end(_object(data)),
    )


def _is_usual(finish: re.Match[bytes] | None, data: bytes) -> bool:
    return finish is None or data.startswith(_ENDS, finish.end())


def _error_or_end(fields: dict[str, object]) -> str | None:
    """What the server says of an error, or the finish reason with which it gave the answer up."""
    reasons = {one.get("finish_reason") for one in (fields, *_choices(fields))}
    given_up = sorted(str(one) for one in reasons if str(one).lower() in GIVEN_UP)
    return _error(fields) or (f"finish_reason is {given_up[0]}" if given_up else None)


def text_of(data: bytes) -> str:
    """The text that an event adds to the answer, reasoning left out; "" where it adds none."""
    try:
        return "".join(_answer_text(choice) for choice in _choices(_object(data)))
    except Unread:
        return ""


class Whole(Struct, frozen=True):
    """What a whole answer says. `error` is the server's own words, None where it reports none."""

    usage: Usage | None
    error: str | None


KEPT_USAGES = 4096
"""Short answers at high rates say the same few counts again and again; the reading of so many is kept."""

USAGE_CAP_BYTES = 1024
"""A usage that is longer is read with all of the answer."""

_DECODER = json.JSONDecoder()
_USAGE = re.compile(rb'"usage"\s*:\s*(?={)')


def read_whole(body: bytes) -> Whole:
    """A whole answer, parsed only where its usage cannot be found without; `Unread` for what is none."""
    looks_whole = body.startswith(b"{") and body.rstrip().endswith(b"}") and body.find(b'"error"') < 0
    looks_good = looks_whole and _is_usual(_FINISHED.search(body), body)
    if looks_good and (usage := _usage_within(body)):
        return Whole(usage, None)
    fields = _object(body)
    error = _error_or_end(fields)
    if error is None and not _choices(fields) and not isinstance(fields.get("text"), str):
        raise Unread("the answer has neither choices nor text")
    return Whole(_usage(fields.get("usage")), error)


def whole_text(body: bytes) -> str:
    """The text of a whole answer; "" where it has none."""
    try:
        fields = _object(body)
    except Unread:
        return ""
    text = fields.get("text")
    return text if isinstance(text, str) else "".join(_answer_text(choice) for choice in _choices(fields)[:1])


def error_words(body: bytes) -> str:
    """What a body says of an error, as far as it can be told, shortened."""
    try:
        return _error(_object(body)) or _short(body.decode("utf-8", "replace"))
    except Unread:
        return _short(body.decode("utf-8", "replace"))


def _object(data: bytes) -> dict[str, object]:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as cause:
        raise Unread(f"not JSON: {_short(data.decode('utf-8', 'replace'))}") from cause
    if not isinstance(fields, dict):
        raise Unread("JSON, but no object")
    return fields


def _choices(fields: dict[str, object]) -> list[dict[str, object]]:
    found = fields.get("choices")
    return [choice for choice in found if isinstance(choice, dict)] if isinstance(found, list) else []


def _answer_text(choice: dict[str, object]) -> str:
    for place in (choice.get("delta"), choice.get("message"), choice):
        if isinstance(place, dict):
            for name in ("content", "text"):
                if isinstance(text := place.get(name), str):
                    return text
    return ""


def _usage(found: object) -> Usage | None:
    if not isinstance(found, dict):
        return None
    prompt, completion = _count(found.get("prompt_tokens")), _count(found.get("completion_tokens"))
    return None if prompt is None or completion is None else Usage(prompt, completion)


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < COUNT_CAP:
        return value
    return None


def _usage_within(data: bytes) -> Usage | None:
    """The usage in an event or an answer, found without parsing the rest."""
    at = data.rfind(b'"usage"')
    return None if at < 0 else _usage_first_in(data[at : at + USAGE_CAP_BYTES])


@lru_cache(KEPT_USAGES)
def _usage_first_in(data: bytes) -> Usage | None:
    """The usage that `data`, the end of a body, begins with."""
    start = _USAGE.match(data)
    try:
        return _usage(_DECODER.raw_decode(data[start.end() :].decode())[0]) if start else None
    except (ValueError, RecursionError):
        return None


def _error(fields: dict[str, object]) -> str | None:
    """The words of an error that the fields report; None where they report none."""
    error = fields.get("error")
    if not error and fields.get("object") != "error" and fields.get("type") != "error":
        return None
    inside = error if isinstance(error, dict) else fields
    words = inside.get("message") or (error if isinstance(error, str) else None) or inside.get("code")
    return _short(str(words or "an error without words"))


def _short(text: str) -> str:
    return text.strip()[:DETAIL_CHARACTERS]
