"""Cuts a stream of bytes into the data of its server-sent events; does no I/O and knows no dialect.

Lines may end in LF, CR or CRLF, and pieces anywhere. The work is linear in the bytes.
"""

from __future__ import annotations

from harpoon_cli.bench.engine.faults import Fault, Kind

EVENT_CAP_BYTES = 1024 * 1024
"""The longest event that is read; real ones are a few hundred bytes."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventCutter:
    """Feed it pieces as they arrive. `failure` is the data of an event named "error", None without one."""

    __slots__ = ("_after_cr", "_rest", "failure")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._after_cr = False
        self.failure: bytes | None = None

    @property
    def between_events(self) -> bool:
        """Whether the next byte is the first of an event."""
        return not (self._rest or self._after_cr)

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of each event that `piece` completes; of an event without data none."""
        if self._after_cr or piece.find(b"\r") >= 0:
            piece = self._with_plain_line_ends(piece)
        if self._rest:
            piece = self._joined(piece)
        events = piece.split(b"\n\n")
        rest = events.pop()
        if rest:
            self._hold(rest)
        found: list[bytes] = []
        for event in events:
            # Nearly every event of nearly every server is one line of data.
            if event.startswith(b"data: ") and event.find(b"\n") < 0:
                found.append(event[6:])
            elif (data := self._data(event)) is not None:
                found.append(data)
        return found

    def end(self) -> bytes | None:
        """The data of an event that the end of the stream leaves without its blank line."""
        return self._data(bytes(self._rest))

    def _with_plain_line_ends(self, piece: bytes) -> bytes:
        """A CR at the end of a piece may be half of a CRLF: an LF after it belongs to the same line end."""
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _joined(self, piece: bytes) -> bytes:
        """What was held and `piece`, where an event ends in it; else nothing, and both are held."""
        begun = len(self._rest)
        self._hold(piece)
        if self._rest.find(b"\n\n", begun - 1) < 0:
            return b""
        whole = bytes(self._rest)
        self._rest.clear()
        return whole

    def _hold(self, rest: bytes) -> None:
        self._rest += rest
        if len(self._rest) > EVENT_CAP_BYTES:
            raise Fault(Kind.OVERSIZE, "an event of the stream")

    def _data(self, event: bytes) -> bytes | None:
        lines: list[bytes] = []
        is_failure = False
        for line in event.removeprefix(_BYTE_ORDER_MARK).split(b"\n"):
            if line.startswith(b"data:"):
                lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b"{"):  # written by a server that breaks off, and forgets the form
                lines.append(line)
            elif line.startswith(b"error:"):
                lines.append(line[6:])
                is_failure = True
            elif line.startswith(b"event:") and line[6:].strip() == b"error":
                is_failure = True
        data = b"\n".join(lines)
        if is_failure:
            self.failure = data
        return data if lines and not is_failure else None
