"""Which shot goes next: in the plan's order, by its clock, and turns of a conversation one after another.

Knows nothing of connections, and no time but the one it is told: nanoseconds after the run's start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

from harpoon_cli.bench.recording.sample import Ask, Message, Shot

HELD_CAP = 4096
"""So many turns are held back for the turns before them; the plan is not read further until one may go."""

_SECOND_NS = 1_000_000_000


class Supply:
    """The shots of a run. Reads the plan as it needs it, one shot ahead."""

    def __init__(self, shots: Iterator[Shot]) -> None:
        self._shots = shots
        self._open = True
        self._head: Shot | None = None
        self._freed: list[tuple[int, int, int, Shot]] = []  # due, order, freed at
        self._held = 0
        self._behind: dict[int, deque[Shot]] = {}  # by conversation under way: the turns that wait for it
        self._histories: dict[int, list[Message]] = {}
        self._broken: set[int] = set()

    @property
    def head(self) -> Shot | None:
        """The next shot of the plan, where it could go by itself."""
        if self._head is None:
            self._read_on()
        return self._head

    def next_ns(self) -> int | None:
        """When the next shot may go, 0 for at once; None where none may until a turn is over."""
        head = self.head
        dues = [self._freed[0][0]] if self._freed else []
        return min([*dues, due_ns(head)] if head is not None else dues, default=None)

    def take(self, now_ns: int) -> tuple[Shot, int] | None:
        """The next shot that is due, and since when nothing but us held it back; None where none is due."""
        head = self.head
        freed = self._freed
        if freed and freed[0][0] <= now_ns and (head is None or freed[0][0] <= due_ns(head)):
            due, _, freed_ns, shot = heappop(freed)
            return shot, max(due, freed_ns)
        if head is None or (due := due_ns(head)) > now_ns:
            return None
        self._head = None
        return head, due

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing left to take, not even after a turn."""
        return self.head is None and not self._freed and not self._held and not self._open

    def close(self) -> None:
        """Take no further shot."""
        self._open = False
        self._head = None
        self._freed.clear()
        self._held = 0
        for waiting in self._behind.values():
            waiting.clear()

    def _read_on(self) -> None:
        while self._open and self._head is None and self._held < HELD_CAP:
            shot = next(self._shots, None)
            if shot is None:
                self._open = False
                return
            conversation = shot.ask.conversation
            if conversation is None:
                self._head = shot
            elif conversation in self._behind:
                self._behind[conversation].append(shot)
                self._held += 1
            else:
                self._behind[conversation] = deque()
                self._head = shot

    def history(self, ask: Ask) -> Sequence[Message]:
        """The turns before this one, with their answers."""
        return self._histories.get(ask.conversation, ()) if ask.conversation is not None else ()

    def is_broken(self, ask: Ask) -> bool:
        """Whether an earlier turn of its conversation has failed."""
        return ask.conversation in self._broken

    def turn_over(self, ask: Ask, answer: str | None, now_ns: int) -> None:
        """A turn has ended, with this answer, None where it failed; the turn behind it may go."""
        conversation = ask.conversation
        if conversation is None:
            return
        if answer is None:
            self._broken.add(conversation)
            self._histories.pop(conversation, None)
        else:
            history = self._histories.setdefault(conversation, [])
            history += ask.messages
            history.append(Message("assistant", answer))
        if ask.is_last:
            self._histories.pop(conversation, None)
            self._broken.discard(conversation)
        waiting = self._behind[conversation]
        if not waiting:
            del self._behind[conversation]
            return
        shot = waiting.popleft()
        self._held -= 1
        heappush(self._freed, (due_ns(shot), shot.ask.index, now_ns, shot))


def due_ns(shot: Shot) -> int:
    """When a shot is due after the run's start; 0 where it has no time of its own."""
    return 0 if shot.due_s is None else round(shot.due_s * _SECOND_NS)
