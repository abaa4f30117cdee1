"""One request and its answer: from the bytes of a connection to a sample; gets bytes, does no I/O."""

from __future__ import annotations

from collections.abc import Callable

from harpoon_cli.bench.engine.bodies import Chunked, Measured, UntilClosed, body_of
from harpoon_cli.bench.engine.faults import Fault, Kind
from harpoon_cli.bench.engine.head import HEAD_CAP_BYTES, Head, read_head
from harpoon_cli.bench.engine.readers import RefusalReader, StreamReader, WholeReader
from harpoon_cli.bench.recording.sample import Counted, Sample, Shot

INTERIM_CAP = 8
"""How many answers of status 1xx may come before the answer."""

EVENT_IN_CHUNK_END = b"\n\n\r\n"
"""How a chunk ends that ends with an event."""

UNUSUAL_CAP = 4
"""So many chunks at most are taken one by one, of what is read at once, before there is any content."""

Body = Chunked | Measured | UntilClosed
Reader = StreamReader | WholeReader | RefusalReader


class Exchange:
    """A shot that is under way. `feed` it what arrives; it raises `Fault` where the answer is no good.

    keeps_text: whether `text()` will be asked for. reusable: whether the connection may carry another
    request. seen_ns: for the owner, when what was fed last had been read.
    """

    __slots__ = (
        "_body",
        "_chunk_ns",
        "_head",
        "_interim",
        "_keeps_alive",
        "_quick",
        "_reader",
        "began_ns",
        "keeps_text",
        "request",
        "reusable",
        "sample",
        "seen_ns",
        "shot",
        "stream",
    )

    def __init__(
        self, shot: Shot, sample: Sample, request: bytes, began_ns: int, *, stream: bool, keeps_text: bool
    ) -> None:
        self.shot = shot
        self.sample = sample
        self.request = request
        self.began_ns = began_ns
        self.stream = stream
        self.keeps_text = keeps_text
        self.reusable = False
        self.seen_ns = began_ns
        self._chunk_ns = sample.chunk_ns
        self._head: bytes = b""
        self._interim = 0
        self._keeps_alive = False
        self._body: Body | None = None
        self._reader: Reader | None = None
        self._quick: StreamReader | None = None  # the reader, while what comes next may be as usual

    @property
    def done(self) -> bool:
        """Whether the answer has said that it is whole, though its body may not have ended."""
        return self._reader is not None and self._reader.done

    @property
    def may_wait(self) -> bool:
        """Whether an HTTP chunk that holds one event may be fed later."""
        return self._quick is not None

    def feed(self, data: bytes, at_ns: int, after_ns: int = 0, *, exact: bool = True) -> bool:
        """Take what arrived at `at_ns` (after the run's start); True where it makes the answer whole.

        exact: whether `at_ns` is the arrival of the last of it, and not only when it was read. What came
        before the last of it came after `after_ns`.
        """
        chunks = len(self._chunk_ns)
        rest = self._quick.take_usual(data, at_ns) if self._quick is not None else data
        whole = bool(rest) and self._take_unusual(rest, at_ns)
        came = len(self._chunk_ns) - chunks
        if came > 1 or (came and (rest or not exact)):
            unsure = came - (exact and self._ends_with_content())
            if unsure:
                earliest_ns = max(after_ns, self.sample.sent_ns or 0)
                self.sample.unsure.extend((chunks, unsure, max(at_ns - earliest_ns, 0)))
        return whole

    def _ends_with_content(self) -> bool:
        """Whether what came last is the end of a chunk with content, so that the time is that one's."""
        reader = self._reader
        return isinstance(reader, StreamReader) and reader.ends_with_content and reader.between_events

    def _take_unusual(self, data: bytes, at_ns: int) -> bool:
        """Take what is not all as usual; True where it makes the answer whole."""
        body, reader = self._body, self._reader
        if body is None or reader is None:
            return self._begin(data, at_ns)
        for _ in range(UNUSUAL_CAP):
            # Until content has come, chunk by chunk, since what is usual is not known before.
            after = data.find(EVENT_IN_CHUNK_END) + len(EVENT_IN_CHUNK_END)
            if self._chunk_ns or not len(EVENT_IN_CHUNK_END) <= after < len(data) or body.finished:
                break
            self._take(body, reader, data[:after], at_ns)
            data = data[after:]
            if self._chunk_ns and self._quick is not None:
                data = self._quick.take_usual(data, at_ns)
        if body.finished:
            body.surplus |= bool(data)
        elif data:
            self._take(body, reader, data, at_ns)
        return body.finished and self._end(at_ns)

    def _take(self, body: Body, reader: Reader, data: bytes, at_ns: int) -> None:
        """Take what may be anything."""
        reader.take(body.feed(data), at_ns)
        self._quick = None
        if isinstance(reader, StreamReader) and reader.expects_usual and body.between_chunks:
            self._quick = reader

    def _begin(self, data: bytes, at_ns: int) -> bool:
        """Take the head, or what is there of it; see `_take_unusual`."""
        if self.sample.first_byte_ns is None:
            # A wall clock that is set in between makes stamps of another time.
            at_ns = self.sample.first_byte_ns = max(at_ns, self.sample.sent_ns or 0)
        data = self._head + data if self._head else data
        end = data.find(b"\r\n\r\n")
        if end < 0 or end > HEAD_CAP_BYTES:
            if len(data) > HEAD_CAP_BYTES:
                raise Fault(Kind.OVERSIZE, "the head of the answer")
            self._head = data
            return False
        head, rest = read_head(data[:end]), data[end + 4 :]
        self._head = b""
        if head.is_interim:
            self._interim += 1
            if self._interim > INTERIM_CAP:
                raise Fault(Kind.GARBLED, "interim answers without end")
            return self._begin(rest, at_ns) if rest else False
        return self._open(head, rest, at_ns)

    def _open(self, head: Head, rest: bytes, at_ns: int) -> bool:
        self.sample.status = head.status
        self._keeps_alive = head.keeps_alive and not (head.length == 0 and rest)
        self._reader = self._reader_of(head)
        self._body = body_of(head)
        if self._body.finished:
            return self._end(at_ns)
        return self._take_unusual(rest, at_ns) if rest else False

    def _reader_of(self, head: Head) -> Reader:
        if not 200 <= head.status < 300:
            return RefusalReader(head.status)
        if self.stream and not head.is_json:
            return StreamReader(self.sample, keeps_text=self.keeps_text)
        return WholeReader(self.sample, stream_wanted=self.stream)

    def _end(self, at_ns: int) -> bool:
        """The body is whole; so must the answer be."""
        body, reader = self._body, self._reader
        assert body is not None
        assert reader is not None
        self.reusable = self._keeps_alive and body.finished and not body.surplus
        if self.sample.done_ns is None:
            self.sample.done_ns = at_ns
        reader.end(at_ns)
        return True

    def ended(self, at_ns: int) -> None:
        """The connection was closed: right where the answer is whole, else a `Fault`."""
        if self._body is not None and self._body.ended():
            self._end(at_ns)
        else:
            nothing = self.sample.first_byte_ns is None
            self.break_off(at_ns, Kind.CLOSED if nothing else Kind.INCOMPLETE, "the connection was closed")

    def break_off(self, at_ns: int, kind: str, detail: str = "") -> None:
        """Nothing more will come: right where the answer has said that it is whole, else a `Fault`."""
        if isinstance(self._reader, RefusalReader):
            raise self._reader.fault()
        if not self.done:
            raise Fault(kind, detail)
        self._end(at_ns)

    def text(self) -> str:
        """The text of a whole answer; "" where it was not kept."""
        return self._reader.text() if self._reader is not None and self.keeps_text else ""

    def count_by(self, count_tokens: Callable[[str], int]) -> None:
        """Count the tokens of a whole answer whose server did not."""
        if self.sample.counted is not Counted.USAGE:
            self.sample.output_tokens = count_tokens(self.text())
            self.sample.counted = Counted.TOKENIZER
