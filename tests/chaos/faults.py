"""What can go wrong with a call of the chaotic platform, and where one can be caught; it does none of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time

from tests.chaos.wire import error_answer, raw_answer

CALLS = ("pools", "allocate", "look", "list", "inference", "release")
"""The calls that a fault or a trap can name; "any" counts all requests, "connection" what is accepted."""

POINTS = ("head", "asked", "committed", "half", "answered")
"""Where a request can be caught: its head read, all of it read, its effect had, its answer half and all sent.

A stream's "half" comes after its first piece.
"""

HTML = b"<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>"


@dataclass(frozen=True)
class Fault:
    """From the nth request of this call on, `times` requests go wrong; `effect` says whether they act."""

    call: str
    form: str
    effect: bool = False
    nth: int = 1
    times: int = 1

    def meets(self, call: str, number: int, overall: int) -> bool:
        count = overall if self.call == "any" else number if self.call == call else 0
        return self.nth <= count < self.nth + self.times


@dataclass(frozen=True)
class Trap:
    """Where one request is caught and told, and held until "go"."""

    call: str
    point: str
    nth: int = 1


SAID: dict[str, Callable[[], bytes]] = {
    "500": lambda: error_answer(500, "internal"),
    "502": lambda: raw_answer(502, HTML, "text/html"),
    "503": lambda: error_answer(503, "unavailable"),
    "504": lambda: raw_answer(504, b"upstream request timeout", "text/plain"),
    "401": lambda: error_answer(401, "unauthorised"),
    "408": lambda: error_answer(408, "timeout"),
    "409": lambda: error_answer(409, "conflict"),
    "429": lambda: error_answer(429, "slow_down", "Retry-After: 1\r\n"),
    "429-date": lambda: error_answer(429, "slow_down", f"Retry-After: {_http_date(time() + 1)}\r\n"),
    "429-junk": lambda: error_answer(429, "slow_down", "Retry-After: soon\r\n"),
    "404-html": lambda: raw_answer(404, HTML, "text/html"),
    "404-json": lambda: error_answer(404, "not_found"),
    "410": lambda: raw_answer(410, b"gone", "text/plain"),
    "307": lambda: raw_answer(307, b"", extra="Location: http://127.0.0.1:9/elsewhere\r\n"),
    "200-error": lambda: error_answer(200, "10180000"),
    "200-code": lambda: raw_answer(200, b'{"code": 10180001, "message": "no", "errors": []}'),
    "200-empty": lambda: raw_answer(200, b""),
    "200-html": lambda: raw_answer(200, HTML, "text/html"),
    "200-cut": lambda: raw_answer(200, b'{"allocation_id": "lease-1", "sta'),
    "200-list": lambda: raw_answer(200, b"[]"),
    "200-null": lambda: raw_answer(200, b"null"),
    "200-object": lambda: raw_answer(200, b"{}"),
    "junk": lambda: b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n",
}
"""Forms that are a fixed text in place of the good answer."""

REFUSALS = ("401", "404-json", "409", "410", "429", "429-date", "429-junk")
"""Forms that say that nothing was done: after the effect of an allocate they would be lies."""

BROKEN = ("reset", "close", "hang", "cut", "cut-head", "drip")
OTHERS = ("strangers", "pretend")
"""strangers: the answer that somebody else's request got; pretend: a good answer though nothing was done."""

FORMS = (*SAID, *BROKEN, *OTHERS)


def _http_date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
