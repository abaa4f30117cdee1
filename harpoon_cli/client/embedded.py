"""The shape of a platform that lives in this process: one HTTP request in, one response out, no socket.

The embedded sandbox has this shape; the transport speaks to it as to a server, and `sandbox serve` puts the
same object behind a real one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """method in upper case; path decoded, without the query; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A body of bytes is sent whole; an iterator is sent piece by piece (server-sent events)."""

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Application(Protocol):
    """A platform in this process."""

    async def handle(self, request: Request) -> Response: ...
