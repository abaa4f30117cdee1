"""TLS over bytes that the engine reads and writes itself, so that kernel time stamps come with them."""

from __future__ import annotations

import ssl

from harpoon_cli.bench.engine.faults import Fault, Kind

_PIECE_BYTES = 64 * 1024


class Tls:
    """The TLS of one connection. What reads raises `Fault` where the protocol is broken.

    `closed` says whether the other side has ended it in good order.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "closed")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.closed = False

    def shake(self, data: bytes) -> bool:
        """Go on with the handshake, given what came; True where it is over."""
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as cause:
            raise Fault(Kind.TLS, _words(cause)) from cause
        return True

    def decrypted(self, data: bytes) -> bytes:
        """What `data` holds, as far as it is there."""
        self._incoming.write(data)
        pieces: list[bytes] = []
        try:
            while piece := self._object.read(_PIECE_BYTES):
                pieces.append(piece)
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLError as cause:
            raise Fault(Kind.TLS, _words(cause)) from cause
        return b"".join(pieces)

    def encrypted(self, data: bytes) -> bytes:
        """What to send for `data`. An open connection takes any of it: only reading finds faults."""
        self._object.write(data)
        return self._outgoing.read()

    def to_send(self) -> bytes:
        """What the other side is to get now."""
        return self._outgoing.read()


def _words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return error.reason or str(error)
