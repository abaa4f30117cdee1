"""The chaotic platform's requests and answers, as bytes; it has no state and knows no faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass
class Answer:
    """A whole good answer: bytes that are sent in these pieces."""

    pieces: list[bytes]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    call: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def lease_id(self) -> str:
        return self.path.rpartition("/")[2]


def good(status: int, document: object) -> Answer:
    return Answer([raw_answer(status, json.dumps(document).encode())])


def raw_answer(status: int, body: bytes, kind: str = "application/json", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\nContent-Type: {kind}\r\n{extra}\r\n"
    return head.encode() + body


def error_answer(status: int, code: str, extra: str = "") -> bytes:
    return raw_answer(status, json.dumps({"error": f"the fault {code}", "code": code}).encode(), extra=extra)


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)
