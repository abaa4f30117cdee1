"""Starts an engine process and ends it: by a fork of this process where that is safe, else a new interpreter.

A fork has everything loaded and shares its memory; a new interpreter loads it again, on the core that the
load is waiting for. A process with threads is not forked: the child would have their locks, and not them.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from harpoon_cli.bench.engine.errand import Errand, errand_message

WORKER = "harpoon_cli.bench.engine.worker"

_THREADS = Path("/proc/self/task")
_FILES = Path("/proc/self/fd")
_ERRORS_FD = 2


class EngineProcess:
    """A process that runs an errand; whoever starts it owns both ends.

    told_fd: first `first` must be written to it; any byte after that stops the run, and so does its end.
    heard_fd: what the process sends. reap waits for its end once, and gives what `wait` does.
    """

    def __init__(
        self, pid: int, told_fd: int, heard_fd: int, reap: Callable[[], int], first: bytes = b""
    ) -> None:
        self.pid, self.told_fd, self.heard_fd, self.first = pid, told_fd, heard_fd, first
        self._reap = reap
        self._status: int | None = None

    def wait(self) -> int:
        """Its exit status, once it has ended; below zero the signal that ended it."""
        if self._status is None:
            self._status = self._reap()
        return self._status

    def end(self) -> None:
        """Leave nothing of it. Once it was waited for its number may be another process's."""
        if self._status is not None:
            return
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


def start(errand: Errand) -> EngineProcess:
    """Start a process for an errand. `OSError` where this machine has no room for one."""
    return _fork(errand) if _is_alone() else _spawn(errand)


def _is_alone() -> bool:
    """Whether this process has no thread but this one, as far as the system says."""
    try:
        return sys.platform == "linux" and sum(1 for _ in _THREADS.iterdir()) == 1
    except OSError:
        return False


def _spawn(errand: Errand) -> EngineProcess:
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-P", "-m", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told, heard = os.dup(process.stdin.fileno()), os.dup(process.stdout.fileno())
    process.stdin.close()
    process.stdout.close()
    return EngineProcess(process.pid, told, heard, process.wait, errand_message(errand))


def _fork(errand: Errand) -> EngineProcess:
    from harpoon_cli.bench.engine.worker import work  # before the fork: several share it

    told_out, told_in = os.pipe()
    heard_out, heard_in = os.pipe()
    # A signal between the fork and the child's own handlers would be told to our event loop by the child.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _be_engine(lambda: work(errand, told_out, heard_in), {told_out, heard_in})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(told_out)
        os.close(heard_in)

    def reap() -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    return EngineProcess(pid, told_in, heard_out, reap)


def _be_engine(run: Callable[[], None], kept: set[int]) -> NoReturn:
    """The child's whole life: nothing that the parent would do at its end is done here."""
    status = 1
    try:
        gc.disable()  # so that nothing of the parent's is cleared away, and closes what is not ours
        _let_go_of_files(kept | {_ERRORS_FD})
        _let_go_of_signals()
        run()
        status = 0
    except BaseException as error:
        os.write(_ERRORS_FD, f"error: an engine process failed: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _let_go_of_files(kept: set[int]) -> None:
    """Have nothing open that is the parent's: others wait for the end of a pipe, or for a lock.

    The numbers stay taken, since objects of the parent's could still close them.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    open_now = {int(file.name) for file in _FILES.iterdir()}
    for number in open_now - kept - {nothing}:
        with suppress(OSError):  # that of the list itself, which is closed by now
            os.fstat(number)
            os.dup2(nothing, number, inheritable=False)


def _let_go_of_signals() -> None:
    """What a new program would have: no handlers of the parent's, and what it ignores ignored."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    leave_ends_to_parent()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def leave_ends_to_parent() -> None:
    """Ignore what asks for an end: it reaches the whole group, and the parent still wants what is there.

    An engine stops when its parent says so or goes away.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
