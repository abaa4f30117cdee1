"""The shape of a platform that lives in this process: one HTTP request in, one response out, no socket.

The embedded sandbox has this shape; the transport speaks to it as to a server, and `sandbox serve` puts the
same object behind a real one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from harpoon_cli.values import Struct, field


class Request(Struct, frozen=True):
    """method in upper case; path decoded, without the query; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Response(Struct, frozen=True):
    """A body of bytes is sent whole; an iterator is sent piece by piece (server-sent events)."""

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Application(Protocol):
    """A platform in this process."""

    async def handle(self, request: Request) -> Response: ...
