"""Reads the head of an HTTP/1.1 answer, as far as a load test needs it; strict about what frames the body."""

from __future__ import annotations

import re
from functools import lru_cache

from harpoon_cli.bench.engine.faults import Fault, Kind
from harpoon_cli.values import Struct

HEAD_CAP_BYTES = 64 * 1024
"""The longest head that is read."""

KEPT_HEADS = 256
"""A server says the same head again and again; the reading of so many is kept."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?\Z")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_LENGTH_DIGITS = 15


class Head(Struct, frozen=True):
    """What a head says of its answer. length: None where the body is chunked or ends with the connection."""

    status: int
    chunked: bool
    length: int | None
    keeps_alive: bool
    is_json: bool

    @property
    def is_interim(self) -> bool:
        return self.status < 200


@lru_cache(KEPT_HEADS)
def read_head(raw: bytes) -> Head:
    """The head in `raw`, which ends before its blank line; `Fault` for what is none."""
    first, *lines = raw.split(b"\r\n")
    said = _STATUS_LINE.match(first)
    if said is None:
        raise Fault(Kind.GARBLED, f"no HTTP status line: {first[:80]!r}")
    fields = _fields(lines)
    status = int(said[2])
    bodiless = status < 200 or status in (204, 304)
    chunked = _is_chunked(fields)
    length = 0 if bodiless else _length(fields, chunked)
    return Head(
        status=status,
        chunked=chunked and not bodiless,
        length=length,
        keeps_alive=_keeps_alive(fields, said[1] == b"1") and (chunked or length is not None),
        is_json=b"json" in fields.get(b"content-type", b""),
    )


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    """Names and values in lower case; of a name that comes twice the values, one after another."""
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.match(name) or b"\n" in value or b"\r" in value:
            raise Fault(Kind.GARBLED, f"no HTTP header: {line[:80]!r}")
        name, value = name.lower(), value.strip(b" \t").lower()
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def _is_chunked(fields: dict[bytes, bytes]) -> bool:
    if fields.get(b"content-encoding", b"identity") != b"identity":
        raise Fault(Kind.GARBLED, "the body is compressed, though that was not asked for")
    coding = fields.get(b"transfer-encoding")
    if coding not in (None, b"chunked", b"identity"):
        raise Fault(Kind.GARBLED, f"transfer encoding {coding[:40]!r}")
    if coding == b"chunked" and b"content-length" in fields:
        raise Fault(Kind.GARBLED, "a length and chunks at once")
    return coding == b"chunked"


def _length(fields: dict[bytes, bytes], chunked: bool) -> int | None:
    said = fields.get(b"content-length")
    if chunked or said is None:
        return None
    values = {value.strip() for value in said.split(b",")}
    value = values.pop()
    if values or not value.isdigit() or len(value) > _LENGTH_DIGITS:
        raise Fault(Kind.GARBLED, f"content length {said[:40]!r}")
    return int(value)


def _keeps_alive(fields: dict[bytes, bytes], is_1_1: bool) -> bool:
    options = {option.strip() for option in fields.get(b"connection", b"").split(b",")}
    return b"close" not in options and (is_1_1 or b"keep-alive" in options)
