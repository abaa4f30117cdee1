"""Fires what is due, as far as there are places; it knows connections only as something to send by."""

from __future__ import annotations

from collections.abc import Callable, Sized
from time import monotonic_ns

from harpoon_cli.bench.engine.exchange import Exchange
from harpoon_cli.bench.engine.faults import Kind
from harpoon_cli.bench.engine.rules import Rules
from harpoon_cli.bench.engine.supply import Supply, due_ns
from harpoon_cli.bench.engine.target import Composer, Target
from harpoon_cli.bench.engine.watch import Watcher
from harpoon_cli.bench.recording.sample import Sample, Shot

SECOND_NS = 1_000_000_000

LAUNCHES = 16
"""At most so many shots are fired before sockets are looked at again."""

PATIENT_LAUNCHES = 4
"""The same for shots without a time of their own while more is to be read than one look gives: a token that
waits until the next comes loses its own time of arrival, a request that waits loses nothing."""


class Launcher:
    """See the module. under_way: the exchanges that have a place; send: takes each that gets one.

    freed_ns: after the start, when a place was last given back that was wanted.
    """

    def __init__(
        self,
        target: Target,
        supply: Supply,
        rules: Rules,
        watcher: Watcher,
        *,
        under_way: Sized,
        send: Callable[[Exchange], None],
    ) -> None:
        self._target, self._supply, self._rules, self._watcher = target, supply, rules, watcher
        self._under_way, self._send = under_way, send
        self._composer = Composer(target)
        self._composed: tuple[Shot | None, bytes] = (None, b"")
        self.freed_ns = 0
        self.start_ns = 0

    @property
    def is_full(self) -> bool:
        """Whether every place is taken."""
        return len(self._under_way) >= self._rules.places

    def next_ns(self) -> int | None:
        """When the next shot may go; None where none may until an exchange is over."""
        next_ns = None if self.is_full else self._supply.next_ns()
        return None if next_ns is None else self.start_ns + next_ns

    def fill(self, now_ns: int, *, patient: bool) -> None:
        """Fire what is due, as far as there are places; if patient, little of what has no time of its own."""
        ends_s = self._rules.ends_s
        if ends_s is not None and now_ns - self.start_ns >= ends_s * SECOND_NS:
            self._supply.close()
        for count in range(LAUNCHES):
            if self.is_full:
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
        ready_ns = max(since_ns, self.freed_ns) if is_dated else now_ns
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

    def compose_ahead(self) -> None:
        """Make the bytes of the next request while there is time."""
        head = self._supply.head
        if head is not None and head is not self._composed[0] and head.ask.conversation is None:
            self._composed = (head, self._composer.request(head.ask))

    def _request(self, shot: Shot) -> bytes:
        ready_for, request = self._composed
        if ready_for is shot:
            return request
        return self._composer.request(shot.ask, self._supply.history(shot.ask))
