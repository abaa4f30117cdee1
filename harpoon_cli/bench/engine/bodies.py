"""Takes the bodies of HTTP/1.1 answers out of their framing, piece by piece as they arrive; does no I/O.

Each body has `feed(data)`, which gives the content in it, `finished`, and `surplus`: whether bytes came after
its end, which no answer of ours may have.
"""

from __future__ import annotations

import re
from functools import lru_cache

from harpoon_cli.bench.engine.faults import Fault, Kind
from harpoon_cli.bench.engine.head import Head

LINE_CAP_BYTES = 4096
"""The longest line before a chunk."""

TRAILER_CAP_BYTES = 16 * 1024
"""The longest trailer after the last chunk."""

_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?\Z", re.DOTALL)


def body_of(head: Head) -> Chunked | Measured | UntilClosed:
    """What takes the body out that comes after this head."""
    if head.chunked:
        return Chunked()
    return UntilClosed() if head.length is None else Measured(head.length)


class Measured:
    """A body whose length its head has said."""

    __slots__ = ("_left", "finished", "surplus")

    between_chunks = False

    def __init__(self, length: int) -> None:
        self._left = length
        self.finished = not length
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        left = self._left
        self._left = max(left - len(data), 0)
        self.finished = not self._left
        self.surplus |= len(data) > left
        return data[:left]

    def ended(self) -> bool:
        """Whether the body is whole now that the connection has ended."""
        return self.finished


class UntilClosed:
    """A body that ends where its connection does."""

    __slots__ = ("finished", "surplus")

    between_chunks = False

    def __init__(self) -> None:
        self.finished = False
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        return data

    def ended(self) -> bool:
        return True


@lru_cache(1024)
def chunk_size(line: bytes) -> int:
    """The size that the line before a chunk says, extensions passed over; below 0 where it says none."""
    said = _SIZE.match(line)
    return int(said[1], 16) if said else -1


class Chunked:
    """A body in chunks. What is there of a chunk is given at once, its rest when it comes."""

    __slots__ = ("_held", "_left", "_trailer", "finished", "surplus")

    def __init__(self) -> None:
        self._held = b""
        self._left = 0  # bytes of the chunk still to come, its line end included
        self._trailer: bytes | None = None
        self.finished = False
        self.surplus = False

    @property
    def between_chunks(self) -> bool:
        return not (self._left or self._held or self._trailer is not None)

    def feed(self, data: bytes) -> bytes:
        if self._trailer is not None:
            self._read_trailer(self._trailer + data)
            return b""
        at, pieces = 0, list[bytes]()
        if self._left:
            at = self._rest(data, pieces)
        elif self._held:
            data, self._held = self._held + data, b""
        end = len(data)
        while at < end:
            line_end = data.find(b"\r\n", at, at + LINE_CAP_BYTES)
            if line_end < 0:
                self._hold(data[at:])
                break
            size = chunk_size(data[at:line_end])
            if size < 0:
                raise Fault(Kind.GARBLED, f"no size of a chunk: {data[at : at + 40]!r}")
            at = line_end + 2
            if not size:
                self._read_trailer(data[line_end:])
                break
            after = at + size + 2
            if after <= end:
                if data[after - 2 : after] != b"\r\n":
                    raise Fault(Kind.GARBLED, "a chunk is longer than its size")
                pieces.append(data[at : after - 2])
                at = after
            else:
                self._left = size + 2
                at += self._rest(data[at:], pieces)
        return b"".join(pieces)

    def _rest(self, data: bytes, pieces: list[bytes]) -> int:
        """Take what has come of a chunk in parts; gives how much that was, its line end included."""
        content = min(len(data), max(self._left - 2, 0))
        pieces.append(data[:content])
        self._left -= content
        if self._left > 2:
            return content
        ends = data[content : content + self._left]
        if not b"\r\n"[2 - self._left :].startswith(ends):
            raise Fault(Kind.GARBLED, "a chunk is longer than its size")
        self._left -= len(ends)
        return content + len(ends)

    def _hold(self, rest: bytes) -> None:
        if len(rest) >= LINE_CAP_BYTES:
            raise Fault(Kind.OVERSIZE, "the line before a chunk")
        self._held = rest

    def _read_trailer(self, data: bytes) -> None:
        """`data` is what came from the end of the last chunk's line on."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > TRAILER_CAP_BYTES:
                raise Fault(Kind.OVERSIZE, "the trailer")
            self._trailer = data
            return
        self.finished = True
        self.surplus = end + 4 < len(data)

    def ended(self) -> bool:
        return self.finished
