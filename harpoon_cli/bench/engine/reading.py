"""What connections have read of answers and nobody has looked at: when it came, and when it is looked at.

It is the `Owner` of a run's connections. Whether an answer is well it asks the exchange; what becomes of one
that is over it leaves to others. Times without a remark are monotonic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from harpoon_cli.bench.engine.connection import Connection, Piece
from harpoon_cli.bench.engine.exchange import Exchange
from harpoon_cli.bench.engine.faults import Fault
from harpoon_cli.bench.engine.watch import Watcher

SECOND_NS = 1_000_000_000

WAKING_NS = 50_000
"""How long it takes to be told of what was waited for, where a CPU is free."""

OVERSLEPT_NS = 1_000_000
"""A wait that was longer than it was to be by more was stopped in its sleep, nobody knows when."""

MOST_WAITING = 16
"""So many reads of one answer are parsed together, which costs less."""

WORK_NS = 500_000
"""How long what has been read is looked at before sockets are again. Reading comes first: of what is left
unread until the next token comes only that one's time is known."""

MOST_UNREAD = 64
"""So many reads of one answer are not left waiting, whatever else there is to be read."""

EVENT_END = b"\n\n"

Settle = Callable[[Exchange, Connection | None, Fault | None], None]


class Reading:
    """See the module. settle: told of each exchange that is over; drop: closes a connection."""

    def __init__(self, watcher: Watcher, settle: Settle, drop: Callable[[Connection], None]) -> None:
        self._watcher, self._settle, self._drop = watcher, settle, drop
        self._backlog: deque[Connection] = deque()
        self._looked_ns = self._after_ns = monotonic_ns()
        self._woke_ns: int | None = None  # when a wait was over, until it is asked how late that was
        self._crowded = False
        self.start_ns = 0

    @property
    def is_behind(self) -> bool:
        """Whether something has been read and not looked at."""
        return bool(self._backlog)

    def looked(self, entered_ns: int, now_ns: int, patience_s: float, *, waited: bool, crowded: bool) -> None:
        """Sockets were looked at from `entered_ns` to `now_ns`. waited: none was ready at first.

        patience_s: how long it would have waited. crowded: more may be ready than were given.
        """
        self._woke_ns = None
        if waited:
            self._after_ns = entered_ns
            if now_ns - entered_ns < patience_s * SECOND_NS + OVERSLEPT_NS:
                self._woke_ns = now_ns
        elif not self._crowded:
            self._after_ns = self._looked_ns
        self._looked_ns, self._crowded = now_ns, crowded

    def work(self, until_ns: int) -> None:
        """Look at what has been read, until then."""
        while self._backlog:
            connection = self._backlog.popleft()
            connection.queued = False
            self._feed(connection)
            if monotonic_ns() >= until_ns:
                return

    def _nothing_before_ns(self) -> int:
        """What is read now had not come by then, as far as is known."""
        if self._woke_ns is not None:
            late_ns = self._watcher.woken_late_ns() + WAKING_NS
            self._after_ns = max(self._after_ns, self._woke_ns - late_ns)
            self._woke_ns = None
        return self._after_ns

    def arrived(self, connection: Connection, data: bytes, at_ns: int, read_ns: int) -> None:
        """See `Owner`."""
        exchange = connection.exchange
        if exchange is None:
            self._drop(connection)
            return
        waiting = connection.waiting
        if exchange.may_wait and at_ns < read_ns and data.find(EVENT_END) + 4 == len(data):
            waiting.append((data, at_ns, read_ns, 0))  # one event, whose time is certain
            if len(waiting) < MOST_WAITING:
                return
        else:
            waiting.append((data, at_ns, read_ns, self._nothing_before_ns()))
        self.queue(connection)

    def ended(self, connection: Connection, at_ns: int) -> None:
        """See `Owner`."""
        if connection.exchange is None:
            self._drop(connection)
        else:
            connection.waiting.append((b"", at_ns, at_ns, 0))
            self.queue(connection)

    def queue(self, connection: Connection) -> None:
        """Look at what was read of this one in its turn, or now where it is much."""
        if len(connection.waiting) >= MOST_UNREAD:
            self._feed(connection)
        elif not connection.queued:
            connection.queued = True
            self._backlog.append(connection)

    def _feed(self, connection: Connection) -> bool:
        """Give an exchange what has been read of it; True where that has settled it."""
        exchange, waiting = connection.exchange, connection.waiting
        connection.waiting = []
        for number, piece in enumerate(waiting, 1):
            if exchange is not None and self._feed_one(connection, exchange, piece):
                if number < len(waiting) and connection.exchange is None:
                    self._drop(connection)  # it speaks out of turn
                return True
        return False

    def _feed_one(self, connection: Connection, exchange: Exchange, piece: Piece) -> bool:
        """Give an exchange what was read at once; True where it is over."""
        data, at_ns, read_ns, after_ns = piece
        exact = at_ns < read_ns
        after_ns = max(after_ns, exchange.seen_ns)
        exchange.seen_ns = read_ns
        lag_ns = read_ns - (at_ns if exact or not data else after_ns)
        self._watcher.saw_lag(lag_ns)
        if lag_ns > exchange.sample.lag_ns:
            exchange.sample.lag_ns = lag_ns
        start_ns = self.start_ns
        try:
            if not data:
                exchange.ended(at_ns - start_ns)
            elif not exchange.feed(data, at_ns - start_ns, after_ns - start_ns, exact=exact):
                return False
        except Fault as fault:
            self._settle(exchange, connection, fault)
        else:
            self._settle(exchange, connection, None)
        return True

    def lost(self, connection: Connection, fault: Fault) -> None:
        """See `Owner`."""
        exchange = connection.exchange
        if exchange is None:
            self._drop(connection)
        else:
            self.break_off(exchange, connection, fault.kind, fault.detail)

    def break_off(self, exchange: Exchange, connection: Connection, kind: str, detail: str = "") -> None:
        """Wait no longer for the rest of an answer."""
        if self._feed(connection):
            return
        try:
            exchange.break_off(monotonic_ns() - self.start_ns, kind, detail)
        except Fault as fault:
            self._settle(exchange, connection, fault)
        else:
            self._settle(exchange, connection, None)
