"""An engine process: fires an errand, and sends its parent samples and its watch.

    python -m harpoon_cli.bench.engine.worker < errand > messages

or a fork of its parent (see `process`). It stops when its parent writes anything more or goes away. Nothing
is printed; `crew` is its only parent.
"""

from __future__ import annotations

import os
import pickle
import select
import sys
from contextlib import suppress

from harpoon_cli.bench.engine.errand import PREFIX, Errand, error_message, watch_message
from harpoon_cli.bench.engine.fire import fire
from harpoon_cli.bench.engine.outlet import Outlet
from harpoon_cli.bench.engine.process import leave_ends_to_parent
from harpoon_cli.errors import HarpoonError


def main() -> None:
    """Run the errand that the parent writes."""
    leave_ends_to_parent()
    told_fd = sys.stdin.fileno()
    (length,) = PREFIX.unpack(_exactly(told_fd, PREFIX.size))
    work(pickle.loads(_exactly(told_fd, length)), told_fd, sys.stdout.fileno())  # noqa: S301 - from our parent


def work(errand: Errand, told_fd: int, heard_fd: int) -> None:
    """Run an errand. A parent that is gone ends it: nobody is left who wants to know."""
    outlet = Outlet(heard_fd)

    def stop() -> bool:
        outlet.flush_seldom()
        return bool(select.select((told_fd,), (), (), 0)[0])

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
