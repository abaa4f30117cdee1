"""Finds, before a run, the address it goes to and how many connections this machine has room for."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic_ns

from harpoon_cli.bench.engine.connection import Place
from harpoon_cli.bench.engine.target import Target
from harpoon_cli.errors import NotSent

TRY_S = 3.0
"""How long one of several addresses is tried."""

SPARE_FILES = 64
"""Files left to the rest of the process."""


def find_place(target: Target) -> tuple[Place, int]:
    """Where the connections go, and the nanoseconds that the look-up took; `NotSent` for an unknown host.

    Of several addresses the first that takes a connection, so that all requests meet the same one; where
    none does, the first, and the samples tell what was wrong.
    """
    began_ns = monotonic_ns()
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as cause:
        raise NotSent(
            f"the host {target.host} cannot be resolved: {getattr(cause, 'strerror', None) or cause}",
            hint="check --endpoint and this machine's DNS",
        ) from cause
    took_ns = monotonic_ns() - began_ns
    ways = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    family, address = next(filter(_answers, ways), ways[0]) if len(ways) > 1 else ways[0]
    context = target.tls() if target.tls else None
    if context is not None:
        context.set_alpn_protocols(["http/1.1"])
    return Place(family, address, target.host, context), took_ns


def _answers(way: tuple[socket.AddressFamily, tuple[object, ...]]) -> bool:
    family, address = way
    try:
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.settimeout(TRY_S)
            attempt.connect(address)
    except OSError:
        return False
    return True


@contextmanager
def room() -> Iterator[int]:
    """As many open files as this process may have, for a while; gives how many connections that makes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        allowed = hard
    except (OSError, ValueError):  # macOS names a limit that it does not allow
        allowed = soft
    try:
        yield max(allowed - _open_files() - SPARE_FILES, 1)
    finally:
        if allowed != soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _open_files() -> int:
    try:
        return sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        return 0
