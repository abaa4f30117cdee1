"""Says when bytes arrived: by the kernel's receive time stamps where they work for TCP, else when read.

Linux stamps each packet as it comes in and gives, with a read from a TCP socket, the stamp of the last packet
in it; so a late read shifts nothing, and only what several packets brought between two reads is told apart no
more. Stamps are of the wall clock, which steps; all times here are of the monotonic clock.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Sequence
from time import monotonic_ns, sleep, time_ns

from harpoon_cli.bench.recording.sample import Stamped

SO_TIMESTAMPNS = 35
"""Of asm-generic/socket.h, which Python does not name; it is also the type of the message that comes."""

ANCILLARY_BYTES = 64
"""Room for one stamp, of two longs."""

READ_BYTES = 64 * 1024
"""How much is read at once. It is copied: a token that is read into so much room of its own, and waits to be
looked at, would hold a page of memory."""

STEP_NS = 1_000_000
"""Two readings of the clocks' distance that differ by more mean that the wall clock was set."""

_STAMP = struct.Struct("@ll")
_STAMP_BYTES = _STAMP.size
_SECOND_NS = 1_000_000_000
_READINGS = 5
_PROBES = 50
_PROBE_S = 0.2
_PAUSE_S = 0.001

Ancillary = Sequence[tuple[int, int, bytes]]


class Arrivals:
    """The arrival times of one run. `stepped` says whether the wall clock was set during it.

    buffers: what every socket of the run is read into, one after another.
    """

    def __init__(self, *, kernel: bool = True) -> None:
        self._witness = _stamping_socket() if kernel else None
        self.stamped = Stamped.KERNEL if self._witness else Stamped.READ
        self.stepped = False
        self.buffers = (memoryview(bytearray(READ_BYTES)),)
        self._offset_ns = clocks_apart_ns()

    def prepare(self, connection: socket.socket) -> None:
        """Ask for stamps on what `connection` will receive."""
        if self._witness is not None:
            connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def when_ns(self, ancillary: Ancillary, read_ns: int) -> int:
        """The arrival of what was read by `read_ns`: earlier where the kernel stamped it, else the same."""
        if not ancillary:
            return read_ns
        stamp = ancillary[0][2]
        if len(stamp) != _STAMP_BYTES:
            return read_ns
        seconds, rest = _STAMP.unpack(stamp)
        arrived_ns: int = seconds * _SECOND_NS + rest + self._offset_ns
        return arrived_ns if arrived_ns < read_ns else read_ns

    def look(self) -> None:
        """Measure the clocks' distance again; wanted about once a second."""
        offset_ns = clocks_apart_ns()
        self.stepped |= abs(offset_ns - self._offset_ns) > STEP_NS
        self._offset_ns = offset_ns

    def close(self) -> None:
        if self._witness is not None:
            self._witness.close()


def clocks_apart_ns() -> int:
    """What to add to a time of the wall clock to have it of the monotonic; within some 100 ns."""
    closest, offset_ns = _SECOND_NS, 0
    for _ in range(_READINGS):
        before = monotonic_ns()
        wall = time_ns()
        after = monotonic_ns()
        if after - before < closest:
            closest, offset_ns = after - before, (before + after) // 2 - wall
    return offset_ns


def _stamping_socket() -> socket.socket | None:
    """A socket on which stamps were seen to work; None where they do not.

    Kept open for the run: the kernel stamps only while someone wants it, and takes a moment to begin.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            witness = socket.create_connection(listener.getsockname(), timeout=_PROBE_S)
            with listener.accept()[0] as sender:
                if _stamps_come(sender, witness):
                    return witness
        witness.close()
    except OSError:
        return None
    return None


def _stamps_come(sender: socket.socket, witness: socket.socket) -> bool:
    witness.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    for _ in range(_PROBES):
        before = time_ns()
        sender.send(b".")
        _, ancillary, _, _ = witness.recvmsg(1, ANCILLARY_BYTES)
        if ancillary and len(ancillary[0][2]) == _STAMP_BYTES:
            seconds, rest = _STAMP.unpack(ancillary[0][2])
            return bool(before - STEP_NS <= seconds * _SECOND_NS + rest <= time_ns() + STEP_NS)
        sleep(_PAUSE_S)  # the first to ask waits until the kernel has turned stamping on
    return False
