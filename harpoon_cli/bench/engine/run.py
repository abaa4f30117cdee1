"""One run of the engine: one loop over all its connections, by the plan's clock.

A pass of the loop: wait until a socket is ready or a shot is due, fire what is due, read what came, and fifty
times a second look after deadlines and stopping. Nothing of an answer holds up a shot that is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from harpoon_cli.bench.engine.arrivals import Arrivals
from harpoon_cli.bench.engine.connection import Connection, Piece, Place, State
from harpoon_cli.bench.engine.exchange import Exchange
from harpoon_cli.bench.engine.faults import Fault, Kind, kind_of
from harpoon_cli.bench.engine.poller import BATCH, open_poller
from harpoon_cli.bench.engine.supply import Supply, due_ns
from harpoon_cli.bench.engine.target import Composer, Target
from harpoon_cli.bench.engine.watch import Watch, Watcher
from harpoon_cli.bench.sample import Sample, Shot
from harpoon_cli.values import Struct

SECOND_NS = 1_000_000_000
BEAT_NS = 20_000_000
"""How often deadlines and stopping are looked after."""

LINGER_NS = 500_000_000
"""How long the end of a body is waited for after the answer has said that it is whole."""

LAUNCHES = 16
"""At most so many shots are fired before sockets are looked at again."""

PATIENT_LAUNCHES = 4
"""The same for shots without a time of their own while more is to be read than one look gives: a token that
waits until the next comes loses its own time of arrival, a request that waits loses nothing."""

FRESH_NS = 1_000_000
"""A connection that was idle for longer is looked at before it carries a request."""

WAKING_NS = 50_000
"""How long it takes to be told of what was waited for, where a CPU is free."""

OVERSLEPT_NS = 1_000_000
"""A wait that was longer than it was to be by more was stopped in its sleep, nobody knows when."""

MOST_WAITING = 16
AGED_NS = 100_000_000
"""So many reads of one answer, of so long at most, are parsed together, which costs less."""

WORK_NS = 500_000
"""How long what has been read is looked at before sockets are again. Reading comes first: of what is left
unread until the next token comes only that one's time is known."""

MOST_UNREAD = 64
"""So many reads of one answer are not left waiting, whatever else there is to be read."""

EVENT_END = b"\n\n"


class Rules(Struct, frozen=True):
    """How a run fires; see `fire`. places: requests at once; wanted: what was asked for, None: no bound."""

    places: int
    wanted: int | None
    deadline_s: float
    ends_s: float | None
    grace_s: float
    on_sample: Callable[[Sample], None]
    stop: Callable[[], bool]
    count_tokens: Callable[[str], int] | None


class Run:
    """See the module. It is the `Owner` of its connections; times without a remark are monotonic."""

    def __init__(
        self, target: Target, place: Place, supply: Supply, rules: Rules, arrivals: Arrivals
    ) -> None:
        self._target, self._place, self._supply, self._rules = target, place, supply, rules
        self._composer = Composer(target)
        self._arrivals = arrivals
        self._poller = open_poller()
        self._watcher = Watcher()
        self._connections: dict[int, Connection] = {}
        self._idle: list[Connection] = []
        self._backlog: deque[Connection] = deque()
        self._active: dict[Exchange, Connection] = {}
        self._composed: tuple[Shot | None, bytes] = (None, b"")
        self._freed_ns = 0  # after the start: when a place was last given back that was wanted
        self._cut_ns: int | None = None
        self._beat_ns = self._looked_ns = self._after_ns = monotonic_ns()
        self._woke_ns: int | None = None  # when a wait was over, until it is asked how late that was
        self._crowded = False
        self.start_ns = 0

    def until_over(self, start_ns: int, dns_ns: int) -> Watch:
        """Fire everything; gives the engine's record of the run."""
        self.start_ns = start_ns
        self._watcher.start(start_ns)
        second_ns = monotonic_ns() + SECOND_NS
        while self._active or not self._supply.exhausted:
            now_ns = self._pass()
            if now_ns >= self._beat_ns:
                self._beat_ns = now_ns + BEAT_NS
                self._beat(now_ns)
            if now_ns >= second_ns:
                second_ns = now_ns + SECOND_NS
                self._arrivals.look()
                self._watcher.second_over()
        address = str(self._place.address[0])
        return self._watcher.watch(self._arrivals, address, dns_ns)

    def close(self) -> None:
        """Leave nothing open."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._active.clear()
        self._poller.close()

    # The loop.

    def _pass(self) -> int:
        """Once round; gives when its wait was over."""
        self._compose_ahead()
        entered_ns = monotonic_ns()
        patience_s = 0.0 if self._backlog else self._patience_s(entered_ns)
        ready = self._poller.ready(patience_s)
        now_ns = monotonic_ns()
        self._woke_ns = None
        if self._poller.waited:
            self._after_ns = entered_ns
            if now_ns - entered_ns < patience_s * SECOND_NS + OVERSLEPT_NS:
                self._woke_ns = now_ns
        elif not self._crowded:
            self._after_ns = self._looked_ns
        self._looked_ns, self._crowded = now_ns, len(ready) >= BATCH
        self._fill(now_ns, patient=self._crowded)
        connections = self._connections
        for fd, bits in ready:
            connection = connections.get(fd)
            if connection is not None:
                connection.ready(bits)
        if not self._crowded:
            self._work(now_ns + WORK_NS)
        return now_ns

    def _work(self, until_ns: int) -> None:
        """Look at what has been read, for so long."""
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

    def _patience_s(self, now_ns: int) -> float:
        """How long nothing need be done but to read."""
        until_ns = self._beat_ns
        if len(self._active) < self._rules.places:
            next_ns = self._supply.next_ns()
            if next_ns is not None:
                until_ns = min(until_ns, self.start_ns + next_ns)
        return (until_ns - now_ns) / SECOND_NS

    def _beat(self, now_ns: int) -> None:
        self._watcher.file()
        self._watcher.woken_late_ns()  # so that what it says next is of little time
        rules = self._rules
        if self._cut_ns is None and rules.stop():
            self._supply.close()
            self._cut_ns = now_ns + round(rules.grace_s * SECOND_NS)
        if self._cut_ns is not None and now_ns >= self._cut_ns:
            for exchange in list(self._active):
                self._cut(exchange, Kind.STOPPED)
        limit_ns = now_ns - round(rules.deadline_s * SECOND_NS)
        lingered_ns = now_ns - self.start_ns - LINGER_NS
        aged_ns = now_ns - AGED_NS
        for exchange, connection in list(self._active.items()):
            if connection.waiting and connection.waiting[0][2] <= aged_ns:
                self._queue(connection)  # not now: all together would keep sockets waiting
            if exchange.began_ns <= limit_ns:
                is_open = connection.state is State.OPEN
                self._cut(exchange, Kind.TIMED_OUT if is_open else Kind.CONNECT_TIMED_OUT)
            elif exchange.done and (exchange.sample.done_ns or 0) <= lingered_ns:
                self._cut(exchange, Kind.INCOMPLETE)

    # Firing.

    def _fill(self, now_ns: int, *, patient: bool) -> None:
        """Fire what is due, as far as there are places; if patient, little of what has no time of its own."""
        ends_s = self._rules.ends_s
        if ends_s is not None and now_ns - self.start_ns >= ends_s * SECOND_NS:
            self._supply.close()
        for count in range(LAUNCHES):
            if len(self._active) >= self._rules.places:
                self._note_full(now_ns)
                break
            taken = self._supply.take(now_ns - self.start_ns)
            if taken is None:
                break
            self._launch(*taken, now_ns - self.start_ns)
            now_ns = monotonic_ns()
            if patient and count + 1 >= PATIENT_LAUNCHES and taken[0].due_s is None:
                break

    def _note_full(self, now_ns: int) -> None:
        if self._rules.places != self._rules.wanted and not self._watcher.short_of_sockets:
            next_ns = self._supply.next_ns()
            self._watcher.short_of_sockets = next_ns is not None and next_ns <= now_ns - self.start_ns

    def _launch(self, shot: Shot, since_ns: int, now_ns: int) -> None:
        """Fire a shot that could go `since_ns`; both times after the start."""
        ask, is_dated = shot.ask, shot.due_s is not None
        ready_ns = max(since_ns, self._freed_ns) if is_dated else now_ns
        if is_dated:
            self._watcher.saw_late(max(now_ns - ready_ns, 0))
        sample = Sample(
            ask.index, ask.model, due_ns(shot) if is_dated else None, ready_ns, input_tokens=ask.input_tokens
        )
        if self._supply.is_broken(ask):
            sample.error, sample.done_ns = str(Kind.EARLIER_TURN), now_ns
            self._rules.on_sample(sample)
            self._supply.turn_over(ask, None, now_ns)
            return
        exchange = Exchange(
            shot,
            sample,
            self._request(shot),
            now_ns + self.start_ns,
            stream=self._target.stream,
            keeps_text=ask.conversation is not None or self._rules.count_tokens is not None,
        )
        self._send(exchange)

    def _compose_ahead(self) -> None:
        """Make the bytes of the next request while there is time."""
        head = self._supply.head
        if head is not None and head is not self._composed[0] and head.ask.conversation is None:
            self._composed = (head, self._composer.request(head.ask))

    def _request(self, shot: Shot) -> bytes:
        ready_for, request = self._composed
        if ready_for is shot:
            return request
        return self._composer.request(shot.ask, self._supply.history(shot.ask))

    def _send(self, exchange: Exchange) -> None:
        connection = self._rested()
        if connection is not None:
            self._active[exchange] = connection
            connection.carry(exchange)
            return
        try:
            connection = Connection(self._place, self, self._poller, self._arrivals)
        except OSError as error:
            self._settle(exchange, None, Fault(kind_of(error), error.strerror or ""))
            return
        self._watcher.connections += 1
        self._connections[connection.fd] = connection
        self._active[exchange] = connection
        try:
            connection.open(self._place.address, exchange)
        except OSError as error:
            self.lost(connection, Fault(kind_of(error), error.strerror or ""))

    def _rested(self) -> Connection | None:
        """An open connection that carries nothing."""
        while self._idle:
            connection = self._idle.pop()
            if monotonic_ns() - connection.idle_ns < FRESH_NS or not connection.is_stale():
                return connection
            self._drop(connection)
        return None

    # What connections tell.

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
        self._queue(connection)

    def ended(self, connection: Connection, at_ns: int) -> None:
        """See `Owner`."""
        if connection.exchange is None:
            self._drop(connection)
        else:
            connection.waiting.append((b"", at_ns, at_ns, 0))
            self._queue(connection)

    def _queue(self, connection: Connection) -> None:
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
            self._break_off(exchange, connection, fault.kind, fault.detail)

    # Ends.

    def _cut(self, exchange: Exchange, kind: Kind) -> None:
        """Wait no longer for an exchange. Another's end may have settled it a moment ago."""
        connection = self._active.get(exchange)
        if connection is not None:
            self._break_off(exchange, connection, kind)

    def _break_off(self, exchange: Exchange, connection: Connection, kind: str, detail: str = "") -> None:
        if self._feed(connection):
            return
        try:
            exchange.break_off(monotonic_ns() - self.start_ns, kind, detail)
        except Fault as fault:
            self._settle(exchange, connection, fault)
        else:
            self._settle(exchange, connection, None)

    def _settle(self, exchange: Exchange, connection: Connection | None, fault: Fault | None) -> None:
        """An exchange is over, well or with a fault: its sample is ready, and its place is free."""
        now_ns = monotonic_ns()
        if len(self._active) >= self._rules.places:
            self._freed_ns = now_ns - self.start_ns
        self._active.pop(exchange, None)
        if connection is not None:
            self._rest(connection, now_ns, reusable=exchange.reusable)
        sample = exchange.sample
        if fault is not None:
            sample.error = str(fault.kind)
            sample.done_ns = sample.done_ns or now_ns - self.start_ns
            self._watcher.failed(sample.error, self._target.redacted(fault.detail))
        elif self._rules.count_tokens is not None:
            exchange.count_by(self._rules.count_tokens)
        self._watcher.over(sample)
        self._rules.on_sample(sample)
        ask = exchange.shot.ask
        if ask.conversation is not None:
            answer = exchange.text() if fault is None else None
            self._supply.turn_over(ask, answer, now_ns - self.start_ns)

    def _rest(self, connection: Connection, now_ns: int, *, reusable: bool) -> None:
        connection.exchange = None
        if reusable and connection.is_free:
            connection.idle_ns = now_ns
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if self._connections.get(connection.fd) is connection:
            del self._connections[connection.fd]
        if connection in self._idle:
            self._idle.remove(connection)
        connection.close()
