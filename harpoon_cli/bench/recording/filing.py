"""Files what engines send, at a pace that leaves them their cores, and the rest once they are over.

Until it is filed it is kept as it came, in files without a name: a run at full rate sends more than can be
filed meanwhile on the same core. Where those cannot be written, or hold too much, filing comes first.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from struct import Struct
from tempfile import TemporaryFile
from time import monotonic_ns

from harpoon_cli.bench.engine.errand import samples_in
from harpoon_cli.bench.recording.sample import Sample

MOST_BYTES = 64 * 2**20
"""So much is kept until it is filed, which takes some seconds; what is more is filed while engines fire."""

FILE_BYTES = 8 * 2**20
"""Where a file is full, and the next one is begun."""

SHARE = 0.05
"""The part of the time in which is filed while engines fire, on a machine that has no core to spare."""

SPARE_CORES = 2
"""So many cores beyond those of the engines: one for this process, and one for whatever else there is."""

_LENGTH = Struct("=Q")


class Spool:
    """Packets in the order in which they came, in files. `size`: their bytes.

    A file that has been read is gone, so that a long run takes no more room than what is not filed.
    """

    def __init__(self) -> None:
        self.size = 0
        self._files: deque[_File] = deque()
        self._here: deque[bytes] = deque()

    def put(self, packet: bytes) -> None:
        """Keep a packet, here where it cannot be written."""
        self.size += len(packet)
        with suppress(OSError):
            if not self._files or self._files[-1].end >= FILE_BYTES:
                self._files.append(_File())
            if self._files[-1].put(packet):
                return
        self._here.append(packet)

    @property
    def is_full(self) -> bool:
        """Whether what is in it has to be taken out soon."""
        return bool(self._here) or self.size > MOST_BYTES

    def take(self) -> bytes | None:
        """The next packet; None where there is none. `OSError` where it cannot be read."""
        if self._here:
            packet = self._here.popleft()
        elif not self._files or self._files[0].is_read:
            return None
        else:
            packet = self._files[0].take()
            self._make_room()
        self.size -= len(packet)
        return packet

    def _make_room(self) -> None:
        first = self._files[0]
        if not first.is_read:
            return
        if len(self._files) == 1:
            first.clear()
        else:
            self._files.popleft().close()

    def close(self) -> None:
        while self._files:
            self._files.popleft().close()


class _File:
    """Packets in a file without a name. end: its bytes; `OSError` where there is no place for one."""

    def __init__(self) -> None:
        with TemporaryFile(prefix="harpoon-bench-") as file:
            self._fd = os.dup(file.fileno())
        self._begin = self.end = 0

    @property
    def is_read(self) -> bool:
        return self._begin == self.end

    def put(self, packet: bytes) -> bool:
        """Whether there is room for it."""
        content = _LENGTH.pack(len(packet)) + packet
        if os.pwrite(self._fd, content, self.end) < len(content):
            return False
        self.end += len(content)
        return True

    def take(self) -> bytes:
        (length,) = _LENGTH.unpack(os.pread(self._fd, _LENGTH.size, self._begin))
        packet = os.pread(self._fd, length, self._begin + _LENGTH.size)
        self._begin += _LENGTH.size + length
        return packet

    def clear(self) -> None:
        """Begin again; everything has been read."""
        self._begin = self.end = 0
        os.ftruncate(self._fd, 0)

    def close(self) -> None:
        os.close(self._fd)


class Filing:
    """Takes packets, and files their samples. share: of the time, until `rest`."""

    def __init__(self, file: Callable[[Sequence[Sample]], None], *, share: float = SHARE) -> None:
        self._file, self._share = file, share
        self._spool = Spool()
        self._more = asyncio.Event()
        self._failed = False

    @property
    def left_bytes(self) -> int:
        """What is not filed yet."""
        return self._spool.size

    def put(self, packet: bytes) -> None:
        """Take a packet, and do nothing with it yet."""
        self._spool.put(packet)
        self._more.set()

    async def along(self) -> None:
        """File what comes while engines fire; ends where filing fails, with what it raises."""
        while True:
            began_ns = monotonic_ns()
            if not self._file_next():
                self._more.clear()
                await self._more.wait()
            elif not self._spool.is_full:
                took_s = (monotonic_ns() - began_ns) / 1e9
                await asyncio.sleep(took_s * (1 / self._share - 1))

    async def rest(self) -> None:
        """File all that is left."""
        while self._file_next():  # noqa: ASYNC110 - nothing is waited for: others have their turn
            await asyncio.sleep(0)

    def _file_next(self) -> bool:
        """File a packet; False where there is none, and for ever after one that could not be filed."""
        packet = None if self._failed else self._spool.take()
        if packet is None:
            return False
        self._failed = True
        self._file(list(samples_in(packet)))
        self._failed = False
        return True

    def close(self) -> None:
        self._spool.close()


def share_beside(engines: int) -> float:
    """The part of the time that filing may take beside so many engine processes on this machine."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not every system has it
        cores = os.cpu_count() or 1
    return 1.0 if cores >= engines + SPARE_CORES else SHARE
