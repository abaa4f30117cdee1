"""The ways in which a request fails, each with a name that a sample's `error` holds.

A failed request is a result of the run, never an error of the program: `Fault` does not leave the engine.
"""

from __future__ import annotations

import errno
from enum import StrEnum


class Kind(StrEnum):
    """What became of a request that has no whole, good answer. A status makes its own: "http_503"."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Kind:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    REFUSED = "refused", "nothing listens at the address"
    UNREACHABLE = "unreachable", "no way to the address"
    CONNECT_TIMED_OUT = "connect_timed_out", "the deadline passed before there was a connection"
    TLS = "tls", "no TLS connection came about, or one broke the protocol"
    NO_SOCKET = "no_socket", "this machine had no file, port or memory left for another connection"
    NETWORK = "network", "another fault of the network"
    RESET = "reset", "the connection was reset before the answer was whole"
    CLOSED = "closed", "the connection was closed before any of the answer came"
    INCOMPLETE = "incomplete", "the connection or the stream ended before the answer did"
    TIMED_OUT = "timed_out", "the deadline passed before the answer was whole"
    GARBLED = "garbled", "the answer is not HTTP, or not JSON of the dialect's shape"
    OVERSIZE = "oversize", "the answer is longer than any honest one"
    ERROR_EVENT = "error_event", "the stream reports an error after its status of success"
    ERROR_BODY = "error_body", "the whole answer reports an error under a status of success"
    NOT_STREAMED = "not_streamed", "a stream was asked for and a whole answer came"
    STOPPED = "stopped", "the run was stopped while the request was under way"
    EARLIER_TURN = "earlier_turn_failed", "not sent: an earlier turn of its conversation failed"


class Fault(Exception):
    """Why an answer is no good. `detail` is for a person and may quote the server."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail


_BY_NUMBER = {
    errno.ECONNREFUSED: Kind.REFUSED,
    errno.ETIMEDOUT: Kind.CONNECT_TIMED_OUT,
    errno.EHOSTUNREACH: Kind.UNREACHABLE,
    errno.ENETUNREACH: Kind.UNREACHABLE,
    errno.EHOSTDOWN: Kind.UNREACHABLE,
    errno.ENETDOWN: Kind.UNREACHABLE,
    errno.EMFILE: Kind.NO_SOCKET,
    errno.ENFILE: Kind.NO_SOCKET,
    errno.ENOBUFS: Kind.NO_SOCKET,
    errno.ENOMEM: Kind.NO_SOCKET,
    errno.EADDRNOTAVAIL: Kind.NO_SOCKET,
    errno.EAGAIN: Kind.NO_SOCKET,
    errno.ECONNRESET: Kind.RESET,
    errno.ECONNABORTED: Kind.RESET,
    errno.EPIPE: Kind.RESET,
}


def kind_of(error: OSError) -> Kind:
    """The kind of failure that an error of a socket is."""
    return _BY_NUMBER.get(error.errno or 0, Kind.NETWORK)
