"""What an answer other than good means: which error, in which words, what helps, when to return. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, UTC, datetime, timedelta
from email.utils import parsedate_tz

from harpoon_cli.client.exchange import http_date
from harpoon_cli.client.wire import parse_json
from harpoon_cli.errors import (
    GarbledAnswer,
    NotAuthorised,
    PlatformError,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
)

FORBIDDEN_CODES = frozenset({"12370004"})
"""Platform codes that mean a lack of permission whatever the status; hosted·ai sends this one as a 500."""

CAPACITY_CODES = frozenset({"insufficient_capacity", "no_capacity", "10189007"})
"""Platform codes that mean "full", whatever the status; the last is hosted·ai's."""

FOR_GOOD_S = 1e11
"""Three thousand years: a Retry-After beyond that asks never to return, and counts as this."""

MESSAGE_CAP = 500
"""How many characters of a server's own words are quoted."""

_ERROR_FIELDS = frozenset(
    {
        *("code", "detail", "details", "error", "errors", "instance", "message", "msg", "object", "ok"),
        *("param", "path", "request_id", "result", "status", "statusCode", "status_code", "success"),
        *("timestamp", "title", "trace_id", "type", "user_id"),
    }
)
_BAD_STATES = re.compile(r"error|fail|failed|failure|[45]\d\d", re.IGNORECASE)
_NOTHING: tuple[object, ...] = (None, "", [], {})
_GOOD_CODES = re.compile(r"0|2\d\d|ok|success", re.IGNORECASE)


def refusal(
    where: str,
    status: int,
    body: bytes,
    *,
    headers: Mapping[str, str],
    auth: str,
    setting: str = "platform.base_url",
    redact: Callable[[str], str] = str,
) -> PlatformError:
    """The error that an answer with this status stands for.

    `where` is how messages name the call, `headers` are the answer's by their names in lower case, `auth` is
    how the key was sent, `setting` is what hints call the URL, `redact` takes secrets out of the server's
    words.
    """
    message, code = error_words(body, redact)
    kind, hint = _meaning(status, code, auth, setting)
    wait_s = retry_after_s(headers.get("retry-after"), headers.get("date"))
    said = f"{where} answered {status}"
    if message:
        said += f": {message}"
    if wait_s:
        said += f"; it asks to be left alone {_how_long(wait_s)}"
    worded = message is not None or code is not None
    return kind(said, hint=hint, status=status, platform_code=code, retry_after_s=wait_s, worded=worded)


def _how_long(wait_s: float) -> str:
    if wait_s >= FOR_GOOD_S:
        return "for good"
    until = datetime.now(UTC) + timedelta(seconds=wait_s)
    return f"for {wait_s:.0f} s, until {until:%Y-%m-%d %H:%M:%S} UTC"


def _meaning(
    status: int, code: str | None, auth: str, setting: str
) -> tuple[type[PlatformError], str | None]:
    if status in (401, 403):
        return NotAuthorised, (
            "check that the key is right (HOSTED_AI_API_KEY), that it has not expired, and that its IP "
            f"allow-list has this machine's address; it was sent as {auth!r}. harpoon doctor"
        )
    if code in FORBIDDEN_CODES:
        return NotAuthorised, "the key works but lacks a permission: ask the team's administrator"
    if status == 429:
        return RateLimited, None
    if status == 408:
        return TimedOut, None
    if 400 <= status < 500 or status == 501:
        return Refused, None
    if 500 <= status < 600:
        return ServerFault, None
    if 300 <= status < 400:
        return GarbledAnswer, f"redirects are never followed: set {setting} to where it really is"
    return GarbledAnswer, f"check {setting}: what answers there may be something else"


def retry_after_s(value: str | None, date: str | None = None) -> float | None:
    """Seconds to wait by a Retry-After header in either form; None for anything else.

    A moment is counted from the answer's Date header, since it is the server's clock that it goes by; one in
    the past asks for nothing. However far off, what can be read is meant: `FOR_GOOD_S` stands for all beyond.
    """
    digits = (value or "").strip()
    if digits.isascii() and digits.isdigit():
        return min(float(digits[:300]), FOR_GOOD_S)
    moment = http_date(value)
    if moment is None:
        return FOR_GOOD_S if _is_beyond_all_years(value) else None
    wait_s = (moment - (http_date(date) or datetime.now(UTC))).total_seconds()
    return min(wait_s, FOR_GOOD_S) if wait_s > 0.0 else None


def _is_beyond_all_years(value: str | None) -> bool:
    """Is it a date of a year that no clock has?"""
    try:
        parts = parsedate_tz(value or "")
    except (ValueError, OverflowError):
        return False
    return parts is not None and parts[0] > MAXYEAR


def error_words(answer: object, redact: Callable[[str], str] = str) -> tuple[str | None, str | None]:
    """(message, code) out of an error in any of the shapes platforms use; Nones where it has none.

    `answer` is an error's body, or the value already read from one. Known: {error, code, details},
    {error: {message, type|code}}, {code, message, errors}, {detail}, {result: "FAILURE", errors}.
    Never raises: an error page may be anything. Secrets are taken out by `redact` before a text is cut to
    `MESSAGE_CAP`: half of one would not be recognised.
    """
    try:
        value = parse_json(answer) if isinstance(answer, bytes) else answer
    except GarbledAnswer:
        return None, None
    if not isinstance(value, dict):
        return None, None
    inner = value.get("error")
    source = inner if isinstance(inner, dict) else value
    message = _message(source)
    code = _code(source)
    return message and redact(message)[:MESSAGE_CAP], code and redact(code)[:MESSAGE_CAP]


def _message(source: Mapping[str, object]) -> str | None:
    for name in ("message", "msg", "error", "detail", "title"):
        found = source.get(name)
        if isinstance(found, str) and found:
            return found
    for name in ("errors", "detail"):
        found = source.get(name)
        if isinstance(found, list):
            return "; ".join(words for item in found[:3] if (words := _item_words(item))) or None
    return None


def _item_words(item: object) -> str | None:
    """One of several errors: a sentence, or an object that says which field it is about."""
    if not isinstance(item, dict):
        return item if isinstance(item, str) else None
    words = [item.get(name) for name in ("field", "message", "msg")]
    return ": ".join(word for word in words if isinstance(word, str)) or None


def _code(source: Mapping[str, object]) -> str | None:
    for name in ("code", "type"):
        found = source.get(name)
        if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
            return str(found)
    return None


def error_in_success(value: object, redact: Callable[[str], str] = str) -> str | None:
    """The message of an error that came with a status of success, as some platforms send it.

    An error has the words of one and nothing else: a lease that failed may well carry an `error` of its own,
    and an envelope around good data a `code` and a `message`.
    """
    if not isinstance(value, dict):
        return None
    # What is empty carries nothing: an error beside an empty list of pools is no list of no pools.
    present = {name for name, content in value.items() if content not in _NOTHING}
    if present <= _ERROR_FIELDS or _denies(value):
        return error_beside(value, redact)
    return None


def error_beside(value: object, redact: Callable[[str], str] = str) -> str | None:
    """The message of an error that stands in an answer, whatever else does: for what is no lease."""
    if not isinstance(value, dict):
        return None
    failed = bool(value.get("error")) or bool(value.get("errors")) or value.get("object") == "error"
    stated = any(_is_bad(value.get(name)) for name in ("status", "statusCode", "status_code"))
    if failed or stated or _denies(value) or _is_coded(value):
        return error_words(value, redact)[0] or "an error without a message"
    return None


def _denies(value: Mapping[str, object]) -> bool:
    """Does an answer say of itself, in so many words, that it is none?"""
    said = [value.get("ok"), value.get("success")]
    return value.get("result") == "FAILURE" or any(
        one is False or (isinstance(one, str) and one.lower() == "false") for one in said
    )


def _is_coded(value: Mapping[str, object]) -> bool:
    """A code and a message, where nothing beside them says that all is well, nor they themselves."""
    if value.get("success") is True or value.get("ok") is True:
        return False
    code, message = _code(value), _message(value)
    if value.get("code") in _NOTHING or code is None or message is None:
        return False
    return not (_GOOD_CODES.fullmatch(code) or _GOOD_CODES.fullmatch(message))


def _is_bad(state: object) -> bool:
    return isinstance(state, str | int) and _BAD_STATES.fullmatch(str(state)) is not None
