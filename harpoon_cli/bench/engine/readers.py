"""Reads the content of answers into samples: a stream, a whole answer, or a refusal; gets bytes, does no I/O.

Each reader has `take(piece, at_ns)`, given content in order with its arrival (nanoseconds after the run's
start), and `end(at_ns)`, called once where the body is whole. Both raise `Fault` where the answer is no good.
"""

from __future__ import annotations

from harpoon_cli.bench.dialects._reading import (
    DONE,
    MARKS,
    Event,
    Unread,
    Usage,
    error_words,
    mark_in,
    read_event,
    read_whole,
    text_of,
    whole_text,
)
from harpoon_cli.bench.engine.events import EventCutter
from harpoon_cli.bench.engine.faults import Fault, Kind
from harpoon_cli.bench.engine.usual import UsualChunks
from harpoon_cli.bench.recording.sample import Counted, Sample

WHOLE_CAP_BYTES = 16 * 1024 * 1024
"""The longest whole answer that is read."""

STREAM_CAP_BYTES = 256 * 1024 * 1024
"""The longest stream that is read; its bytes are not kept."""

REFUSAL_CAP_BYTES = 64 * 1024
"""How much of a refusal is read; the rest is not waited for."""


class StreamReader:
    """A stream of events. `done` is set by its own mark of the end, after which nothing is read.

    ends_with_content: whether the last event that was taken had content, and nothing came after it. With
    keeps_text=True the events are kept for `text()`.
    """

    __slots__ = (
        "_bytes",
        "_chunk_ns",
        "_cutter",
        "_finished",
        "_kept",
        "_last",
        "_mark",
        "_sample",
        "_usage",
        "_usage_after",
        "_usual",
        "done",
        "ends_with_content",
    )

    def __init__(self, sample: Sample, *, keeps_text: bool) -> None:
        self._sample = sample
        self._chunk_ns = sample.chunk_ns
        self._cutter = EventCutter()
        self._usual = UsualChunks()
        self._kept: list[bytes] | None = [] if keeps_text else None
        self._mark = MARKS[0]
        self._last: bytes | None = None  # the last event with content that was not a usual one
        self._usage: Usage | None = None
        self._usage_after = -1  # how many chunks had come when the last usage did
        self._finished = False
        self._bytes = 0
        self.done = False
        self.ends_with_content = False

    @property
    def between_events(self) -> bool:
        """Whether nothing has come of the next event."""
        return self._cutter.between_events

    @property
    def expects_usual(self) -> bool:
        """Whether the next bytes may be taken by `take_usual`, where they begin an HTTP chunk."""
        return self._kept is None and not self.done and self._cutter.between_events

    def take_usual(self, data: bytes, at_ns: int) -> bytes:
        """Take the HTTP chunks at the beginning of `data` that are as usual; gives the rest of it."""
        count, rest = self._usual.count(data)
        self.ends_with_content |= count > 0
        if count == 1:
            self._chunk_ns.append(at_ns)
        elif count:
            self._chunk_ns.extend([at_ns] * count)
        self._bytes += len(data) - len(rest)
        if self._bytes > STREAM_CAP_BYTES:
            raise Fault(Kind.OVERSIZE, "the stream")
        return rest

    def take(self, piece: bytes, at_ns: int) -> None:
        self._bytes += len(piece)
        if self._bytes > STREAM_CAP_BYTES:
            raise Fault(Kind.OVERSIZE, "the stream")
        chunks = len(self._chunk_ns)
        events = self._cutter.feed(piece)
        for event in events:
            self._take_event(event, at_ns)
        if self._kept is not None:
            self._kept += events
        if self._cutter.failure is not None and not self.done:
            raise Fault(Kind.ERROR_EVENT, error_words(self._cutter.failure))
        if len(self._chunk_ns) > chunks and self._last is not None:
            self._usual.learn(self._last, self._mark)
        # A comment after the last event would have come later than that did.
        self.ends_with_content &= bool(events) and piece.endswith(events[-1][-8:] + b"\n\n")

    def _take_event(self, event: bytes, at_ns: int) -> None:
        self.ends_with_content = False
        if self.done:
            return
        if event.find(self._mark.content) >= 0 and event.find(self._mark.empty) < 0:
            self._chunk_ns.append(at_ns)
            self._last = event
            self.ends_with_content = True
        elif said := event.strip():
            self._read(said, at_ns)

    def _read(self, event: bytes, at_ns: int) -> None:
        """An event without the mark of content that was seen last."""
        if event == DONE:
            self.done = True
            self._sample.done_ns = at_ns
            return
        said = _understood(event)
        self._finished |= said.finished
        if said.content:
            self._chunk_ns.append(at_ns)
            self._last = event
            self.ends_with_content = True
            self._mark = mark_in(event) or self._mark
        if said.usage is not None:
            self._usage, self._usage_after = said.usage, len(self._chunk_ns)

    def end(self, at_ns: int) -> None:
        self._read_unended(at_ns)
        self._read_last()
        if not self.done and not self._finished:
            raise Fault(Kind.INCOMPLETE, "the stream ended without saying that the answer is whole")
        _count(self._sample, self._usage)
        if self._sample.output_tokens is None:
            self._sample.output_tokens = len(self._sample.chunk_ns)

    def _read_unended(self, at_ns: int) -> None:
        """Some servers leave out the blank line after their last event; half an event is none."""
        event = self._cutter.end()
        if event is None:
            return
        try:
            self._take_event(event, at_ns)
        except Fault as fault:
            if fault.kind != Kind.GARBLED:
                raise

    def _read_last(self) -> None:
        """The last event with content may hold the end or the usage, which its bytes alone did not show."""
        last = self._usual.last or self._last
        newer = self._usage_after < len(self._chunk_ns)
        if last is None or ((self.done or self._finished) and not (newer and b'"usage"' in last)):
            return
        said = _understood(last)
        self._finished |= said.finished
        if newer and said.usage is not None:
            self._usage = said.usage

    def text(self) -> str:
        """The text of the answer, reasoning left out."""
        return "".join(map(text_of, self._kept or ()))


class WholeReader:
    """An answer that comes as one JSON object."""

    __slots__ = ("_bytes", "_pieces", "_sample", "_streamed", "done")

    def __init__(self, sample: Sample, *, stream_wanted: bool) -> None:
        self._sample = sample
        self._streamed = stream_wanted
        self._pieces: list[bytes] = []
        self._bytes = 0
        self.done = False

    def take(self, piece: bytes, at_ns: int) -> None:
        self._bytes += len(piece)
        if self._bytes > WHOLE_CAP_BYTES:
            raise Fault(Kind.OVERSIZE, "the answer")
        self._pieces.append(piece)

    def end(self, at_ns: int) -> None:
        try:
            said = read_whole(b"".join(self._pieces))
        except Unread as cause:
            raise Fault(Kind.GARBLED, str(cause)) from cause
        if said.error is not None:
            raise Fault(Kind.ERROR_BODY, said.error)
        if self._streamed:
            raise Fault(Kind.NOT_STREAMED)
        _count(self._sample, said.usage)

    def text(self) -> str:
        return whole_text(b"".join(self._pieces))


class RefusalReader:
    """The body of an answer whose status says that there is none."""

    __slots__ = ("_body", "_kind", "done")

    def __init__(self, status: int) -> None:
        self._kind = f"http_{status}"
        self._body = b""
        self.done = False

    def take(self, piece: bytes, at_ns: int) -> None:
        self._body += piece
        if len(self._body) > REFUSAL_CAP_BYTES:
            raise self.fault()

    def end(self, at_ns: int) -> None:
        raise self.fault()

    def fault(self) -> Fault:
        return Fault(self._kind, error_words(self._body))

    def text(self) -> str:
        return ""


def _understood(event: bytes) -> Event:
    """What an event says; `Fault` where it is an error, or no event of any dialect."""
    try:
        said = read_event(event)
    except Unread as cause:
        raise Fault(Kind.GARBLED, str(cause)) from cause
    if said.error is not None:
        raise Fault(Kind.ERROR_EVENT, said.error)
    return said


def _count(sample: Sample, usage: Usage | None) -> None:
    if usage is not None:
        sample.input_tokens = usage.prompt_tokens
        sample.output_tokens = usage.completion_tokens
        sample.counted = Counted.USAGE
