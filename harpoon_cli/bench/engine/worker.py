"""An engine process: takes an errand from its parent, fires it, and sends back samples and its watch.

    python -m harpoon_cli.bench.engine.worker < errand > messages

It stops when its parent writes anything more or goes away. Nothing is printed; `crew` is its only parent.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import signal
import sys
from collections import deque
from contextlib import suppress

from harpoon_cli.bench.engine.errand import PREFIX, Errand, error_message, samples_message, watch_message
from harpoon_cli.bench.engine.fire import fire
from harpoon_cli.bench.sample import Sample
from harpoon_cli.errors import HarpoonError

PIPE_BYTES = 1024 * 1024
"""What the parent may leave unread before samples wait here."""

BATCH = 256


class Outlet:
    """Sends samples to the parent without ever waiting for it while the run goes on."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._samples: list[Sample] = []
        self._waiting: deque[bytes] = deque()
        with suppress(AttributeError, OSError):  # not every system lets a pipe grow
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(fd, False)

    def put(self, sample: Sample) -> None:
        self._samples.append(sample)
        if len(self._samples) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Send what there is, as far as the pipe takes it now."""
        if self._samples:
            self._waiting.append(samples_message(self._samples))
            self._samples.clear()
        while self._waiting:
            message = self._waiting[0]
            try:
                sent = os.write(self._fd, message)
            except BlockingIOError:
                return
            if sent < len(message):
                self._waiting[0] = message[sent:]
            else:
                self._waiting.popleft()

    def finish(self, last: bytes) -> None:
        """Send everything and `last`, however long the parent takes."""
        self.flush()
        self._waiting.append(last)
        os.set_blocking(self._fd, True)
        self.flush()


def main() -> None:
    """Run the errand. A parent that is gone ends it: nobody is left who wants to know."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the whole group; the parent decides
    errand_fd, outlet = sys.stdin.fileno(), Outlet(sys.stdout.fileno())
    (length,) = PREFIX.unpack(_exactly(errand_fd, PREFIX.size))
    errand: Errand = pickle.loads(_exactly(errand_fd, length))  # noqa: S301 - from our parent

    def stop() -> bool:
        outlet.flush()
        return bool(select.select((errand_fd,), (), (), 0)[0])

    with suppress(BrokenPipeError):
        try:
            watch = fire(
                errand.target,
                errand.shots(),
                outlet.put,
                concurrency=errand.concurrency,
                deadline_s=errand.deadline_s,
                ends_s=errand.ends_s,
                grace_s=errand.grace_s,
                stop=stop,
                start_ns=errand.start_ns,
                count_tokens=errand.count_tokens,
                kernel_stamps=errand.kernel_stamps,
            )
            outlet.finish(watch_message(watch))
        except HarpoonError as error:
            outlet.finish(error_message(error))


def _exactly(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(fd, count - len(data))
        if not piece:
            sys.exit("the parent has gone")
        data += piece
    return data


if __name__ == "__main__":
    main()
