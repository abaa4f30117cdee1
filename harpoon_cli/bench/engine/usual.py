"""The quick way through a stream: HTTP chunks that are like one before but for their text; does no I/O.

Nearly all tokens of nearly all servers come so: each an event of one line in a chunk of its own, its JSON the
same up to the text. Where that is so, nothing else of them need be cut or read.
"""

from __future__ import annotations

from harpoon_cli.bench.dialects._reading import Mark
from harpoon_cli.bench.engine.bodies import chunk_size

_FRAME = b"\r\ndata: "
_FRAME_BYTES = len(_FRAME)
_END = b"\n\n\r\n"


class UsualChunks:
    """Knows how the chunks of one stream begin, once it has learned it from one of them."""

    __slots__ = ("_empty", "_lead", "_payload_bytes", "_tail")

    def __init__(self) -> None:
        self._lead = b""  # from the end of a chunk's line to the text
        self._payload_bytes = 0  # how much of a chunk's content that is, with the event's end
        self._empty = 0  # the byte that stands in place of the text where there is none
        self._tail: bytes | None = None  # what came after the last lead

    def learn(self, event: bytes, mark: Mark) -> None:
        """From now on look for chunks that begin as this event does, which has content by this mark."""
        place = event.find(mark.content)
        self._lead = _FRAME + event[: place + len(mark.content)] if place >= 0 else b""
        self._payload_bytes = len(self._lead)  # without the line end before it, with the two after it
        self._empty = mark.empty[-1]
        self._tail = None

    def count(self, data: bytes) -> tuple[int, bytes]:
        """How many such chunks `data` begins with, and the rest of it.

        It must begin between chunks and between events, and so does the rest.
        """
        if not self._lead:
            return 0, data
        if self._is_one(data):
            return 1, b""
        size, *tails = data.split(self._lead)
        count = 0
        for tail in tails:
            end = tail.find(b"\n")
            if (
                end < 1
                or chunk_size(size) != self._payload_bytes + end
                or tail[0] == self._empty
                or tail[end : end + 4] != _END
            ):
                break
            size = tail[end + 4 :]
            count += 1
        if not count:
            return 0, data
        self._tail = tails[count - 1]
        return count, size if count == len(tails) else self._lead.join([size, *tails[count:]])

    def _is_one(self, data: bytes) -> bool:
        """Whether it is one such chunk and nothing else, as it mostly is."""
        place = data.find(self._lead)
        text = place + len(self._lead)
        end = data.find(b"\n", text)
        if (
            place < 1
            or end + 4 != len(data)
            or end == text
            or data[text] == self._empty
            or chunk_size(data[:place]) != end - place
            or not data.endswith(_END)
        ):
            return False
        self._tail = data[text:]
        return True

    @property
    def last(self) -> bytes | None:
        """The event in the last of them that came since it learned; None where none has."""
        if self._tail is None:
            return None
        return self._lead[_FRAME_BYTES:] + self._tail[: self._tail.find(b"\n")]
