"""The connections of a run: those that are open, and which of them carry nothing; it looks at no answer."""

from __future__ import annotations

from time import monotonic_ns

from harpoon_cli.bench.engine.arrivals import Arrivals
from harpoon_cli.bench.engine.connection import Connection, Owner, Place
from harpoon_cli.bench.engine.poller import Poller

FRESH_NS = 1_000_000
"""A connection that was idle for longer is looked at before it carries a request."""


class Connections:
    """See the module. by_fd: those that are open, by what the poller calls them; made: how many ever were."""

    def __init__(self, place: Place, poller: Poller, arrivals: Arrivals) -> None:
        self.place = place
        self.by_fd: dict[int, Connection] = {}
        self.made = 0
        self._poller, self._arrivals = poller, arrivals
        self._idle: list[Connection] = []

    def rested(self) -> Connection | None:
        """An open connection that carries nothing."""
        while self._idle:
            connection = self._idle.pop()
            if monotonic_ns() - connection.idle_ns < FRESH_NS or not connection.is_stale():
                return connection
            self.drop(connection)
        return None

    def make(self, owner: Owner) -> Connection:
        """A connection that is not open yet; `OSError` where there is no socket to be had."""
        connection = Connection(self.place, owner, self._poller, self._arrivals)
        self.made += 1
        self.by_fd[connection.fd] = connection
        return connection

    def rest(self, connection: Connection, now_ns: int, *, reusable: bool) -> None:
        """A connection carries nothing any more; it is kept where it may carry something again."""
        connection.exchange = None
        if reusable and connection.is_free:
            connection.idle_ns = now_ns
            self._idle.append(connection)
        else:
            self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection."""
        if self.by_fd.get(connection.fd) is connection:
            del self.by_fd[connection.fd]
        if connection in self._idle:
            self._idle.remove(connection)
        connection.close()

    def close(self) -> None:
        """Leave none open."""
        for connection in list(self.by_fd.values()):
            self.drop(connection)
