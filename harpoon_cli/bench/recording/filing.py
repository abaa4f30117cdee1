"""Files what engines send, at a pace that leaves them their cores, and the rest once they are over.

Until it is filed it is kept as it came, in a file without a name: a run at full rate sends more than can be
filed meanwhile on the same core. Where that file cannot be written, or is full, filing comes first.
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

SHARE = 0.05
"""The part of the time in which is filed while engines fire, on a machine that has no core to spare."""

SPARE_CORES = 2
"""So many cores beyond those of the engines: one for this process, and one for whatever else there is."""

_LENGTH = Struct("=Q")


class Spool:
    """Packets in the order in which they came, in a file. `size`: their bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._file: int | None = None
        self._begin = self._end = 0
        self._here: deque[bytes] = deque()

    def put(self, packet: bytes) -> None:
        """Keep a packet, here where it cannot be written."""
        self.size += len(packet)
        content = _LENGTH.pack(len(packet)) + packet
        with suppress(OSError):
            if self._file is None:
                with TemporaryFile(prefix="harpoon-bench-") as file:
                    self._file = os.dup(file.fileno())
            if os.pwrite(self._file, content, self._end) == len(content):
                self._end += len(content)
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
        elif self._file is None or self._begin == self._end:
            return None
        else:
            (length,) = _LENGTH.unpack(os.pread(self._file, _LENGTH.size, self._begin))
            packet = os.pread(self._file, length, self._begin + _LENGTH.size)
            self._begin += _LENGTH.size + length
            if self._begin == self._end:
                self._begin = self._end = 0
                os.ftruncate(self._file, 0)
        self.size -= len(packet)
        return packet

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Filing:
    """Takes packets, and files their samples. share: of the time, until `rest`."""

    def __init__(self, file: Callable[[Sequence[Sample]], None], *, share: float = SHARE) -> None:
        self._file, self._share = file, share
        self._spool = Spool()
        self._more = asyncio.Event()
        self._failed = False

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
