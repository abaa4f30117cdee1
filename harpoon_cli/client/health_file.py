"""What is known of hosts, shared by a user's processes in one small file; may never stop or delay a call.

The file is a cache of numbers: lost or spoilt, it is as if no host had been met. While it cannot be used,
this process remembers for itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TypeVar

from harpoon_cli.client.breaker import Health, at_rest
from harpoon_cli.errors import HarpoonError
from harpoon_cli.values import asdict

FILE_CAP_BYTES = 64 * 1024
HOSTS_CAP = 200
"""How much of the file is read, and how many hosts are kept in it."""

LOCK_TRIES = 100
LOCK_PAUSE_S = 0.0005
"""Others hold the lock for microseconds; one that holds it longer hangs, and is not waited for."""

T = TypeVar("T")
Change = Callable[[Health], tuple[Health, T]]
"""What becomes of a health, and a result; it has no other effect."""


class HealthFile:
    """The health of hosts by name, in the file at `path`; `prepare` makes its directory before it is made.

    `complain` is told, once, why the file cannot be used, and `trouble` is that from then on: it is not tried
    again.
    """

    def __init__(
        self,
        path: Path,
        prepare: Callable[[], object] = lambda: None,
        complain: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.complain = complain
        self._path = path
        self._prepare = prepare
        self.trouble: str | None = None
        self._known: dict[str, Health] = {}

    def health(self, name: str) -> Health:
        """What is known of a host; that of a host at rest, where nothing is."""
        return self.change(name, lambda health: (health, health))

    def change(self, name: str, change: Change[T], now: float = 0.0) -> T:
        """Make one change, with no other process's in between, and give its result.

        Hosts that are at rest by `now` are forgotten.
        """
        if self.trouble is None:
            try:
                return self._change_file(name, change, now)
            except (OSError, HarpoonError) as trouble:
                why = (trouble.strerror or str(trouble)) if isinstance(trouble, OSError) else trouble.message
                self.trouble = f"{self._path} cannot be used ({why}): which hosts fail is not shared"
                self.complain(self.trouble)
        self._known[name], result = change(self._known.get(name, Health()))
        return result

    def _change_file(self, name: str, change: Change[T], now: float) -> T:
        if not os.path.lexists(self._path):
            after, result = change(Health())
            if after == Health():
                return result
            self._prepare()
        with _locked(self._path) as file:
            hosts = _read(file)
            self._known[name] = before = hosts.pop(name, Health())
            after, result = change(before)
            if after != before:
                awake = {one: health for one, health in hosts.items() if not at_rest(health, now)}
                newest_last = [*awake.items(), (name, after)]
                _write(file, dict(newest_last[-HOSTS_CAP:]))
            return result


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, made where it is missing, for us alone; `OSError` where it cannot be had at once."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError("it is not a file")
        _lock(file)
        yield file
    finally:
        os.close(file)


def _lock(file: int) -> None:
    for _ in range(LOCK_TRIES):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(LOCK_PAUSE_S)
    raise OSError("another process does not let go of it")


def _read(file: int) -> dict[str, Health]:
    """Every host of the file whose numbers make sense."""
    try:
        document = json.loads(os.pread(file, FILE_CAP_BYTES, 0))
    except (ValueError, RecursionError):
        return {}
    hosts = document.items() if isinstance(document, dict) else ()
    return {name: health for name, value in hosts if (health := _health(value)) is not None}


def _health(value: object) -> Health | None:
    names = Health.__struct_fields__
    if not isinstance(value, dict) or value.keys() != set(names):
        return None
    numbers = [number for name in names if (number := _number(value[name])) is not None]
    if len(numbers) != len(names):
        return None
    failures, asked_at, healed_at, passed, reserve, reserve_at = numbers
    return Health(int(failures), asked_at, healed_at, int(passed), reserve, reserve_at)


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < 1e12 else None


def _write(file: int, hosts: dict[str, Health]) -> None:
    content = json.dumps({name: asdict(health) for name, health in hosts.items()}).encode()
    os.pwrite(file, content, 0)
    os.ftruncate(file, len(content))
