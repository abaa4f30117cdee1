"""One connection of the engine: connects, shakes hands, writes one request at a time, reads and stamps.

    connecting → shaking (TLS only) → open: idle or carrying an exchange → closed

What it finds it tells its `Owner`, which alone decides what happens next.
"""

from __future__ import annotations

import errno
import os
import socket
from enum import Enum
from time import monotonic_ns
from typing import TYPE_CHECKING, Protocol

from harpoon_cli.bench.engine.arrivals import ANCILLARY_BYTES, Arrivals
from harpoon_cli.bench.engine.exchange import Exchange
from harpoon_cli.bench.engine.faults import Fault, kind_of
from harpoon_cli.bench.engine.poller import READ, WRITE, Poller
from harpoon_cli.values import Struct

if TYPE_CHECKING:
    import ssl

    from harpoon_cli.bench.engine.tls import Tls

READ_BYTES = 64 * 1024
"""How much is read at once."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class Place(Struct, frozen=True):
    """Where connections of a run go: an address, and for TLS the context and the name to verify."""

    family: socket.AddressFamily
    address: SocketAddress
    host: str
    tls: ssl.SSLContext | None


class Owner(Protocol):
    """What a connection tells. All times are monotonic."""

    start_ns: int

    def arrived(self, connection: Connection, data: bytes, at_ns: int, read_ns: int) -> None:
        """Bytes arrived at `at_ns` and were read by `read_ns`."""

    def ended(self, connection: Connection, at_ns: int) -> None:
        """The other side has closed the connection."""

    def lost(self, connection: Connection, fault: Fault) -> None:
        """The connection has failed."""


class State(Enum):
    """Of a connection."""

    CONNECTING = 0
    SHAKING = 1
    OPEN = 2
    CLOSED = 3


Piece = tuple[bytes, int, int, int]
"""What was read at once: the bytes (none: the end), when they arrived and were read, and a time by which
nothing of them had arrived, 0 where it does not matter."""


class Connection:
    """See the module. `exchange` is what it carries, None while it is idle; `idle_ns` since when it is.

    waiting, queued: for the owner, what it has been told and has not looked at, and whether it means to soon.
    """

    __slots__ = (
        "_arrivals",
        "_began_ns",
        "_connect_ns",
        "_owner",
        "_poller",
        "_receive",
        "_socket",
        "_tls",
        "_tls_ns",
        "_unsent",
        "_wants_write",
        "_watched",
        "exchange",
        "fd",
        "idle_ns",
        "queued",
        "state",
        "waiting",
    )

    def __init__(self, place: Place, owner: Owner, poller: Poller, arrivals: Arrivals) -> None:
        """Takes a socket; `OSError` where there is none to be had."""
        self._socket = socket.socket(place.family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        arrivals.prepare(self._socket)
        self._receive = self._socket.recvmsg
        self._owner, self._poller, self._arrivals = owner, poller, arrivals
        self._tls = _tls(place)
        self._unsent = b""
        self._wants_write = False
        self._connect_ns = self._tls_ns = 0
        self._watched = False
        self.waiting: list[Piece] = []
        self.queued = False
        self.exchange: Exchange | None = None
        self.idle_ns = 0
        self.fd = self._socket.fileno()
        self.state = State.CONNECTING
        self._began_ns = monotonic_ns()

    def open(self, address: SocketAddress, exchange: Exchange) -> None:
        """Begin to connect, for a request that is sent once that is done; `OSError` where that fails."""
        self.exchange = exchange
        code = self._socket.connect_ex(address)
        self._wants_write = code in (errno.EINPROGRESS, errno.EINTR)
        if code and not self._wants_write:
            self._socket.close()
            self.state = State.CLOSED
            raise OSError(code, os.strerror(code))
        self._poller.watch(self.fd, READ | WRITE if self._wants_write else READ)
        self._watched = True
        if not code:
            self._connected()

    def carry(self, exchange: Exchange) -> None:
        """Send a request; the connection is open and idle."""
        self.exchange = exchange
        self._send(exchange)

    @property
    def is_free(self) -> bool:
        """Whether nothing is left to be sent."""
        return not self._unsent and self.state is State.OPEN

    def ready(self, bits: int) -> None:
        """The poller found it ready."""
        if bits == READ and self.state is State.OPEN:
            self._read()
            return
        if self.state is State.CONNECTING:
            self._check_connected()
            return
        if bits & WRITE:
            self._flush()
        if bits & ~WRITE and self.state is not State.CLOSED:
            self._read()

    def is_stale(self) -> bool:
        """Whether an idle connection was closed, or spoke out of turn, since anyone looked."""
        try:
            seen = self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return self._tls is None or not seen  # TLS sends tickets of its own accord

    def close(self) -> None:
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self._forget()
            self._socket.close()

    def _forget(self) -> None:
        if self._watched:
            self._watched = False
            self._poller.forget(self.fd)

    def _check_connected(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._owner.lost(self, _fault(OSError(code, os.strerror(code))))
            return
        self._connected()

    def _connected(self) -> None:
        self._want_write(wanted=False)
        now_ns = monotonic_ns()
        self._connect_ns = now_ns - self._began_ns
        self._began_ns = now_ns
        if self._tls is None:
            self._opened()
        else:
            self.state = State.SHAKING
            self._shake(self._tls, b"")

    def _shake(self, tls: Tls, data: bytes) -> bool:
        """Go on with the handshake; True where it is over."""
        try:
            over = tls.shake(data)
        except Fault as fault:
            self._write(tls.to_send())  # the alert that says why
            self._owner.lost(self, fault)
            return False
        self._write(tls.to_send())
        if over:
            self._tls_ns = monotonic_ns() - self._began_ns
            self._opened()
        return over

    def _opened(self) -> None:
        self.state = State.OPEN
        exchange = self.exchange
        if exchange is not None:
            exchange.sample.connect_ns = self._connect_ns
            exchange.sample.tls_ns = self._tls_ns if self._tls is not None else None
            self._send(exchange)

    def _send(self, exchange: Exchange) -> None:
        data = exchange.request
        exchange.request = b""
        if self._tls is not None:
            data = self._tls.encrypted(data)
        sample = exchange.sample
        began_ns = monotonic_ns()
        sample.sent_ns = began_ns - self._owner.start_ns
        self._write(data)
        sample.write_ns = monotonic_ns() - began_ns

    def _write(self, data: bytes) -> None:
        """Send `data`, what cannot be sent now as soon as it can."""
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._socket.send(data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # an answer may have come before the other side went: reading tells
        if sent < len(data):
            self._unsent = data[sent:]
            self._want_write(wanted=True)

    def _flush(self) -> None:
        data, self._unsent = self._unsent, b""
        self._want_write(wanted=False)
        self._write(data)

    def _want_write(self, *, wanted: bool) -> None:
        if wanted is not self._wants_write and self._watched:
            self._wants_write = wanted
            self._poller.change(self.fd, READ | WRITE if wanted else READ)

    def _read(self) -> None:
        try:
            data, ancillary, _, _ = self._receive(READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._owner.lost(self, _fault(error))
            return
        read_ns = monotonic_ns()
        if not data:
            self._forget()  # it would be ready for ever
            self._owner.ended(self, read_ns)
            return
        at_ns = self._arrivals.when_ns(ancillary, read_ns)
        if self._tls is None:
            self._owner.arrived(self, data, at_ns, read_ns)
        else:
            self._read_tls(self._tls, data, at_ns, read_ns)

    def _read_tls(self, tls: Tls, data: bytes, at_ns: int, read_ns: int) -> None:
        if self.state is State.SHAKING:
            if not self._shake(tls, data):
                return
            data = b""  # what came with the end of the handshake is in `tls` already
        try:
            plain = tls.decrypted(data)
        except Fault as fault:
            self._owner.lost(self, fault)
            return
        self._write(tls.to_send())
        if plain:
            self._owner.arrived(self, plain, at_ns, read_ns)
        if tls.closed and self.state is State.OPEN:
            self._owner.ended(self, read_ns)


def _tls(place: Place) -> Tls | None:
    if place.tls is None:
        return None
    from harpoon_cli.bench.engine.tls import Tls

    return Tls(place.tls, place.host)


def _fault(error: OSError) -> Fault:
    return Fault(kind_of(error), error.strerror or "")
