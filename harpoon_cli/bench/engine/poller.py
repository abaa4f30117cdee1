"""Waits for sockets and for moments of the plan, to a fraction of a millisecond; knows not what they are.

epoll's own wait is in whole milliseconds. An epoll is itself a file that `select` can wait for, in
microseconds, which is what a plan of times needs.
"""

from __future__ import annotations

import select
import selectors
from typing import Protocol

READ, WRITE = 1, 4
"""As epoll has them; what is neither is a connection's end, which a read tells."""

BATCH = 64
"""At most so many sockets are given at once, so that the plan's clock is looked at in between."""

FDS_OF_SELECT = 1024


class Poller(Protocol):
    """Tells which sockets are ready. `waited`: none was when it was last asked, and it had time to wait."""

    waited: bool

    def watch(self, fd: int, bits: int) -> None: ...

    def change(self, fd: int, bits: int) -> None: ...

    def forget(self, fd: int) -> None: ...

    def ready(self, timeout_s: float) -> list[tuple[int, int]]:
        """Up to `BATCH` sockets that are ready, after waiting for the first no longer than that."""

    def close(self) -> None: ...


def open_poller() -> Poller:
    """The best poller of this system."""
    return EpollPoller() if hasattr(select, "epoll") else PortablePoller()


class EpollPoller:
    """By epoll."""

    def __init__(self) -> None:
        self.waited = False
        self._epoll = select.epoll()
        self._fd = self._epoll.fileno()
        self.watch, self.change, self.forget = (
            self._epoll.register,
            self._epoll.modify,
            self._epoll.unregister,
        )

    def ready(self, timeout_s: float) -> list[tuple[int, int]]:
        found = self._epoll.poll(0, BATCH)
        self.waited = not found and timeout_s > 0
        if not self.waited:
            return found
        if self._fd >= FDS_OF_SELECT:
            return self._epoll.poll(timeout_s, BATCH)
        select.select((self._fd,), (), (), timeout_s)
        return self._epoll.poll(0, BATCH)

    def close(self) -> None:
        self._epoll.close()


class PortablePoller:
    """By whatever else the system has."""

    def __init__(self) -> None:
        self.waited = False
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, bits: int) -> None:
        self._selector.register(fd, _events(bits))

    def change(self, fd: int, bits: int) -> None:
        self._selector.modify(fd, _events(bits))

    def forget(self, fd: int) -> None:
        self._selector.unregister(fd)

    def ready(self, timeout_s: float) -> list[tuple[int, int]]:
        found = self._selector.select(0)
        self.waited = not found and timeout_s > 0
        if self.waited:
            found = self._selector.select(timeout_s)
        return [(key.fd, _bits(events)) for key, events in found]

    def close(self) -> None:
        self._selector.close()


def _events(bits: int) -> int:
    return (selectors.EVENT_READ if bits & READ else 0) | (selectors.EVENT_WRITE if bits & WRITE else 0)


def _bits(events: int) -> int:
    return (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0)
