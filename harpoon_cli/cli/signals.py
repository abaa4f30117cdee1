"""What INT, TERM and HUP do to a command: the first asks it to give back what it holds, the second ends it.

The handlers are the interpreter's own, not the event loop's: they run also while the loop is kept waiting
by a reader that does not read.

The death of the process that started harpoon is a HUP as well, once a lease may be held: a shell that is
killed, or a connection that is cut where there is no terminal, sends none. Under nohup neither counts.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from contextlib import suppress
from types import FrameType

from harpoon_cli.cli.session import Session
from harpoon_cli.errors import Exit
from harpoon_cli.render.sink import ReaderGone

STATUSES = {
    signal.SIGINT: Exit.INTERRUPT,
    signal.SIGTERM: Exit.TERMINATED,
    signal.SIGHUP: Exit.HANGUP,
}


LOOK_AGAIN_S = 0.5
"""How often is looked whether a command whose parent is gone has come to hold a lease."""

HEARD_WITHIN_S = 0.5
"""How long the event loop may take to hear of a signal; a key command, for one, keeps it waiting."""


class Signals:
    """Within the block, a first signal cancels this task and a second one ends the process at once."""

    def __init__(self, session: Session) -> None:
        self.first: signal.Signals | None = None
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._before: dict[signal.Signals, signal._HANDLER] = {}
        self._parent_fd: int | None = None
        self._looking: asyncio.TimerHandle | None = None

    def disarm(self) -> None:
        """From here on a first signal cancels nothing."""
        self._task = None

    def __enter__(self) -> Signals:
        for number in STATUSES:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                self._before[number] = signal.signal(number, self._arrived)
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._not_heard)
        if signal.SIGHUP in self._before:
            self._watch_parent()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave_parent()
        if self._looking is not None:
            self._looking.cancel()
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _watch_parent(self) -> None:
        parent = os.getppid()
        if parent <= 1:  # the system's first process, which ends with everything
            return
        with suppress(AttributeError, OSError):  # not every system tells of another process's end
            self._parent_fd = os.pidfd_open(parent)
            self._loop.add_reader(self._parent_fd, self._orphaned)

    def _leave_parent(self) -> None:
        if self._parent_fd is not None:
            self._loop.remove_reader(self._parent_fd)
            os.close(self._parent_fd)
            self._parent_fd = None

    def _orphaned(self) -> None:
        self._leave_parent()
        if self.first is not None:
            return
        if self._session.may_hold_a_lease():
            signal.raise_signal(signal.SIGHUP)
        else:
            self._looking = self._loop.call_later(LOOK_AGAIN_S, self._orphaned)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        if self.first is not None:
            self._end_at_once(signal.Signals(number))
        self.first = signal.Signals(number)
        signal.setitimer(signal.ITIMER_REAL, HEARD_WITHIN_S)
        if self._task is None and self._session.keeps is not None:
            return  # the id of a lease is being told, which takes no time; it comes too late for that
        self._loop.call_soon_threadsafe(self._cancel)
        self._session.screen.stop_answering()

    def _cancel(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._task is not None:
            self._task.cancel()

    def _not_heard(self, _number: int, _frame: FrameType | None) -> None:
        """Break off what blocks the loop: the telling of a result, and work that no lease depends on."""
        if self._task is None:
            self._session.screen.stop_answering()
        elif not self._session.may_hold_a_lease():
            raise ReaderGone("a signal says to stop")

    def _end_at_once(self, number: signal.Signals) -> None:
        if not self._session.may_hold_a_lease():
            os._exit(STATUSES[number])
        last_words(
            b"\nerror: ended before the release was confirmed; a lease may still be billing\n"
            b"hint: harpoon release --overdue\n"
        )
        os._exit(Exit.MAY_STILL_BILL)


def last_words(lines: bytes) -> None:
    """To stderr, where that can be written without waiting; for what is left to say after a result."""
    with suppress(OSError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, lines)
