"""One run of the engine: one loop over all its connections, by the plan's clock.

A pass of the loop: wait until a socket is ready or a shot is due, fire what is due, read what came, and fifty
times a second look after deadlines and stopping. Nothing of an answer holds up a shot that is due.
"""

from __future__ import annotations

from time import monotonic_ns

from harpoon_cli.bench.engine.arrivals import Arrivals
from harpoon_cli.bench.engine.connection import Connection, Place, State
from harpoon_cli.bench.engine.connections import Connections
from harpoon_cli.bench.engine.exchange import Exchange
from harpoon_cli.bench.engine.faults import Fault, Kind, kind_of
from harpoon_cli.bench.engine.launching import Launcher
from harpoon_cli.bench.engine.poller import BATCH, open_poller
from harpoon_cli.bench.engine.reading import WORK_NS, Reading
from harpoon_cli.bench.engine.rules import Rules
from harpoon_cli.bench.engine.supply import Supply
from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.engine.watch import Watch, Watcher

SECOND_NS = 1_000_000_000
BEAT_NS = 20_000_000
"""How often deadlines and stopping are looked after."""

LINGER_NS = 500_000_000
"""How long the end of a body is waited for after the answer has said that it is whole."""

AGED_NS = 100_000_000
"""What was read so long ago is looked at, though it could be parsed together with what comes next."""


class Run:
    """See the module. Times without a remark are monotonic."""

    def __init__(
        self, target: Target, place: Place, supply: Supply, rules: Rules, arrivals: Arrivals
    ) -> None:
        self._target, self._supply, self._rules, self._arrivals = target, supply, rules, arrivals
        self._poller = open_poller()
        self._watcher = Watcher()
        self._connections = Connections(place, self._poller, arrivals)
        self._active: dict[Exchange, Connection] = {}
        self._reading = Reading(self._watcher, self._settle, self._connections.drop)
        self._launcher = Launcher(
            target, supply, rules, self._watcher, under_way=self._active, send=self._send
        )
        self._cut_ns: int | None = None
        self._beat_ns = monotonic_ns()
        self._start_ns = 0

    def until_over(self, start_ns: int, dns_ns: int) -> Watch:
        """Fire everything; gives the engine's record of the run."""
        self._start_ns = self._reading.start_ns = self._launcher.start_ns = start_ns
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
        self._watcher.connections = self._connections.made
        address = str(self._connections.place.address[0])
        return self._watcher.watch(self._arrivals, address, dns_ns)

    def close(self) -> None:
        """Leave nothing open, and no cycle of ours for a collection of garbage."""
        self._connections.close()
        self._active.clear()
        self._poller.close()
        del self._reading, self._launcher

    def _pass(self) -> int:
        """Once round; gives when its wait was over."""
        reading, launcher = self._reading, self._launcher
        launcher.compose_ahead()
        entered_ns = monotonic_ns()
        patience_s = 0.0 if reading.is_behind else self._patience_s(entered_ns)
        ready = self._poller.ready(patience_s)
        now_ns = monotonic_ns()
        crowded = len(ready) >= BATCH
        reading.looked(entered_ns, now_ns, patience_s, waited=self._poller.waited, crowded=crowded)
        launcher.fill(now_ns, patient=crowded)
        connections = self._connections.by_fd
        for fd, bits in ready:
            connection = connections.get(fd)
            if connection is not None:
                connection.ready(bits)
        if not crowded:
            reading.work(now_ns + WORK_NS)
        return now_ns

    def _patience_s(self, now_ns: int) -> float:
        """How long nothing need be done but to read."""
        next_ns = self._launcher.next_ns()
        until_ns = self._beat_ns if next_ns is None else min(self._beat_ns, next_ns)
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
        lingered_ns = now_ns - self._start_ns - LINGER_NS
        aged_ns = now_ns - AGED_NS
        for exchange, connection in list(self._active.items()):
            if connection.waiting and connection.waiting[0][2] <= aged_ns:
                self._reading.queue(connection)  # not now: all together would keep sockets waiting
            if exchange.began_ns <= limit_ns:
                is_open = connection.state is State.OPEN
                self._cut(exchange, Kind.TIMED_OUT if is_open else Kind.CONNECT_TIMED_OUT)
            elif exchange.done and (exchange.sample.done_ns or 0) <= lingered_ns:
                self._cut(exchange, Kind.INCOMPLETE)

    def _send(self, exchange: Exchange) -> None:
        """Send a request by a connection that rests, or by a new one."""
        connection = self._connections.rested()
        if connection is not None:
            self._active[exchange] = connection
            connection.carry(exchange)
            return
        try:
            connection = self._connections.make(self._reading)
        except OSError as error:
            self._settle(exchange, None, Fault(kind_of(error), error.strerror or ""))
            return
        self._active[exchange] = connection
        try:
            connection.open(self._connections.place.address, exchange)
        except OSError as error:
            self._reading.lost(connection, Fault(kind_of(error), error.strerror or ""))

    def _cut(self, exchange: Exchange, kind: Kind) -> None:
        """Wait no longer for an exchange. Another's end may have settled it a moment ago."""
        connection = self._active.get(exchange)
        if connection is not None:
            self._reading.break_off(exchange, connection, kind)

    def _settle(self, exchange: Exchange, connection: Connection | None, fault: Fault | None) -> None:
        """An exchange is over, well or with a fault: its sample is ready, and its place is free."""
        now_ns = monotonic_ns()
        if self._launcher.is_full:
            self._launcher.freed_ns = now_ns - self._start_ns
        self._active.pop(exchange, None)
        if connection is not None:
            self._connections.rest(connection, now_ns, reusable=exchange.reusable)
        sample = exchange.sample
        if fault is not None:
            sample.error = str(fault.kind)
            sample.done_ns = sample.done_ns or now_ns - self._start_ns
            self._watcher.failed(sample.error, self._target.redacted(fault.detail))
        elif self._rules.count_tokens is not None:
            exchange.count_by(self._rules.count_tokens)
        self._watcher.over(sample)
        self._rules.on_sample(sample)
        ask = exchange.shot.ask
        if ask.conversation is not None:
            answer = exchange.text() if fault is None else None
            self._supply.turn_over(ask, answer, now_ns - self._start_ns)
