"""How an engine process tells its parent of samples: in packets, seldom, and never waiting while it fires."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from contextlib import suppress
from time import monotonic_ns

from harpoon_cli.bench.engine.errand import BEAT_MESSAGE, samples_message
from harpoon_cli.bench.recording.sample import Sample

PIPE_BYTES = 1024 * 1024
"""What the parent may leave unread before samples wait here."""

PACKET_SAMPLES = 64
PACKET_CHUNKS = 1_024
"""Where a packet is full. The parent files one at a time, and may share our core meanwhile."""

SELDOM_NS = 100_000_000
"""How often the parent is woken."""

BEAT_NS = 1_000_000_000
"""How often the parent is told at least that the loop goes round."""


class Outlet:
    """Sends samples to the parent. `flush_seldom` again and again, `finish` at the end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._samples: list[Sample] = []
        self._chunks = 0
        self._waiting: deque[bytes] = deque()
        self._sent_ns = self._told_ns = monotonic_ns()
        with suppress(AttributeError, OSError):  # not every system lets a pipe grow
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(fd, False)

    def put(self, sample: Sample) -> None:
        self._samples.append(sample)
        self._chunks += len(sample.chunk_ns)
        if len(self._samples) >= PACKET_SAMPLES or self._chunks >= PACKET_CHUNKS:
            self._pack()

    def _pack(self) -> None:
        if self._samples:
            self._waiting.append(samples_message(self._samples))
            self._samples.clear()
            self._chunks = 0

    def flush_seldom(self) -> None:
        """Send what there is, as far as the pipe takes it, where that has not been done for a while."""
        now_ns = monotonic_ns()
        if now_ns - self._sent_ns < SELDOM_NS:
            return
        self._sent_ns = now_ns
        self._pack()
        if not self._waiting and now_ns - self._told_ns >= BEAT_NS:
            self._waiting.append(BEAT_MESSAGE)
        if self._waiting:
            self._told_ns = now_ns
            self._flush()

    def _flush(self) -> None:
        while self._waiting:
            message = self._waiting[0]
            try:
                sent = os.write(self._fd, message)
            except BlockingIOError:
                return
            if sent < len(message):
                self._waiting[0] = message[sent:]
            else:
                self._waiting.popleft()

    def finish(self, last: bytes) -> None:
        """Send everything and `last`, however long the parent takes."""
        self._pack()
        self._waiting.append(last)
        os.set_blocking(self._fd, True)
        self._flush()
