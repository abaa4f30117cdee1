"""The keeper: a small process that runs a command line when harpoon is gone, and others at their time.

Started by `leases.keeper` as a script of its own, before the first lease is asked for. It imports next to
nothing, so that it is small, soon there, and does not mind when an upgrade takes harpoon's files away under
it. Knows no leases, platforms, settings or secrets: it is told command lines, by lines on its stdin:

    gone WORD…       once harpoon is gone, which the end of stdin says
    at SECONDS WORD… at this moment (epoch), whatever became of harpoon
    done             harpoon ends well: "gone" is not needed any more

A WORD is the hexadecimal form of an argument. A command that ends with a status that is worth another try is
run again, after longer and longer pauses, for an hour.
"""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False  # the typing module would cost more than all of this
if TYPE_CHECKING:
    from collections.abc import Callable

FINAL = (0, 2, 5)
"""The statuses that no other try changes: done, not understood, no such lease."""

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
TRIES_FOR_S = 3600.0

LOOK_S = 20.0
"""How long it sleeps at most: a sleep does not notice that the clock was set, or the machine suspended."""

CANNOT_RUN = 7
"""The status of a command that could not be started, as in the middle of an upgrade."""

ENDINGS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def main() -> None:
    # What ends harpoon must not end its keeper first; afterwards a shutdown may.
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored nothing can be waited for
    orders = told()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    work_off(jobs_of(orders, Clocks()), run, time.sleep)


def told() -> bytes:
    """Everything on stdin, to its end."""
    pieces = []
    while piece := os.read(0, 65536):
        pieces.append(piece)
    return b"".join(pieces)


class Clocks:
    """The time of day, which can be set, and one that cannot. Both in seconds."""

    def now_s(self) -> float:
        return time.time()

    def elapsed_s(self) -> float:
        """Goes on while the machine is suspended, where the system has such a clock."""
        boot_time = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class Job:
    """A command line, and when it is due: at an epoch time, or as much later as that was away when it came.

    Whichever of the two is first: a clock that is set back must not make a lease longer.
    """

    def __init__(self, words: list[bytes], at_s: float, clocks: Clocks) -> None:
        self.words = words
        self._clocks = clocks
        self._pause_s = FIRST_PAUSE_S
        self._gives_up_s: float | None = None
        self._put_off(at_s - clocks.now_s())

    def _put_off(self, by_s: float) -> None:
        self._at_s, self._due_s = self._clocks.now_s() + by_s, self._clocks.elapsed_s() + by_s

    def left_s(self) -> float:
        return min(self._at_s - self._clocks.now_s(), self._due_s - self._clocks.elapsed_s())

    def again(self) -> bool:
        """Put it off for a while; False once it has been tried for long enough."""
        if self._gives_up_s is None:
            self._gives_up_s = self._clocks.elapsed_s() + TRIES_FOR_S
        self._put_off(self._pause_s)
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)
        return self._due_s < self._gives_up_s


def jobs_of(orders: bytes, clocks: Clocks) -> list[Job]:
    # A line that is not whole is one that harpoon was killed over.
    lines = [line.decode("ascii").split(" ") for line in orders.split(b"\n")[:-1]]
    well = ["done"] in lines
    gone = [Job(_words(rest), clocks.now_s(), clocks) for kind, *rest in lines if kind == "gone" and not well]
    timed = [Job(_words(rest[1:]), float(rest[0]), clocks) for kind, *rest in lines if kind == "at"]
    return gone + timed


def _words(rest: list[str]) -> list[bytes]:
    return [bytes.fromhex(word) for word in rest]


def work_off(jobs: list[Job], run: Callable[[list[bytes]], int], sleep: Callable[[float], None]) -> None:
    """Run every job when it is due, again where that is worth it, until none is left."""
    while jobs:
        job = min(jobs, key=Job.left_s)
        left_s = job.left_s()
        if left_s > 0:
            sleep(min(left_s, LOOK_S))
        elif not _unfinished(run(job.words)) or not job.again():
            jobs.remove(job)


def _unfinished(status: int) -> bool:
    """Is a command that ended so worth another try? What is wrong now may be right again in a minute."""
    return status not in FINAL


def run(words: list[bytes]) -> int:
    """Run a command line with nothing to read and nowhere to write; its exit status, below 0 a signal."""
    _go_where_it_can()
    nothing = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    try:
        process_id = os.posix_spawn(words[0], words, os.environ, file_actions=nothing, setsigdef=ENDINGS)
    except OSError:
        return CANNOT_RUN
    return os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1])


def _go_where_it_can() -> None:
    """A directory that is gone is one that no command can start in."""
    try:
        os.getcwd()  # noqa: PTH109 - pathlib costs more than all of this
    except OSError:
        os.chdir("/")


if __name__ == "__main__":
    main()
