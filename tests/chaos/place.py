"""Runs real harpoon processes against a chaotic platform, each scenario in a home of its own.

Knows no verdicts: it starts, signals, waits and reads.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

from tests.chaos.faults import Fault, Trap
from tests.chaos.tenant import Nature

WAIT_S = 60.0
"""After this a process hangs, which is a finding."""

SETTLED_S = 30.0
"""How long the processes that a command left behind may take to end."""

HARPOON = str(Path(sys.executable).with_name("harpoon"))

HUNG = "HARNESS: it hung"
"""What the stderr of a process that had to be killed ends with."""

LOOK_S = 0.02

DAMAGES = ("removed", "log lost", "cut", "emptied", "overwritten")
"""What can become of a ledger: its files gone, or its log, half or all of its bytes, or others instead."""

MARK = "HARPOON_RUN_ID"
"""A variable that every process of a scenario inherits, with the scenario's name as its value."""

QUICK = {
    "HARPOON_HTTP__CONTROL_S": "2",
    "HARPOON_HTTP__INFERENCE_S": "3",
    "HARPOON_LEASE__RELEASE_S": "6",
    "HARPOON_LEASE__READY_S": "6",
    "HARPOON_LEASE__POLL_S": "0.3",
    "HARPOON_RETRY__BASE_S": "0.05",
}
"""Settings that make a fault cost seconds instead of minutes."""


class ChaosPlatform:
    """The platform's process; `tenant` opens one of any number."""

    def __init__(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            # What is started by nohup, or in the background of a script, would have harpoon ignore them.
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        self.directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        self._socket = self.directory / "desk"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.platform", self._socket],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the chaotic platform did not start"

    def tenant(self, nature: Nature) -> Tenant:
        return Tenant(self._socket, nature)

    def close(self) -> None:
        self._process.communicate()
        shutil.rmtree(self.directory, ignore_errors=True)


class Tenant:
    """One tenant of the platform, as the harness speaks to it; close it to be rid of it."""

    def __init__(self, path: Path, nature: Nature) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(WAIT_S)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._reached = False
        self._say({"open": asdict(nature)})
        self.url = f"http://127.0.0.1:{self._answer('port')['port']}"

    def _say(self, order: Mapping[str, object]) -> None:
        self._socket.sendall(json.dumps(order).encode() + b"\n")

    def _answer(self, name: str) -> dict[str, Any]:
        while True:
            told: dict[str, Any] = json.loads(self._lines.readline())
            if name in told:
                return told
            self._reached = self._reached or "reached" in told

    def arm(self, faults: Sequence[Fault], trap: Trap | None) -> None:
        """What goes wrong from here on."""
        orders = {"faults": [asdict(one) for one in faults], "trap": asdict(trap) if trap else None}
        self._say({"arm": orders})
        self._answer("armed")

    def caught(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the trap has caught a request; False where the process ends without that."""
        ends_at = monotonic() + WAIT_S
        self._socket.settimeout(LOOK_S)
        try:
            while not self._reached and process.poll() is None and monotonic() < ends_at:
                with suppress(TimeoutError):
                    # A line is one small write: it is there whole, or not at all.
                    self._reached = "reached" in json.loads(self._socket.recv(65536).splitlines()[0])
        finally:
            self._socket.settimeout(WAIT_S)
        return self._reached

    def go(self) -> None:
        self._say({"go": True})

    def heal(self) -> None:
        self._say({"heal": True})

    def down(self) -> None:
        self._say({"down": True})

    def report(self) -> dict[str, Any]:
        self._say({"report": True})
        return self._answer("leases")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@dataclass(frozen=True)
class Ended:
    """A process's end: its status (below 0: the signal), what it printed, when it ended (monotonic s)."""

    status: int
    out: str
    err: str
    ended_at_s: float


@dataclass
class Home:
    """A user's directories and environment, pointed at one tenant."""

    directory: Path
    environ: dict[str, str]
    mark: str
    count: int = 0

    @property
    def state(self) -> Path:
        return self.directory / "state" / "harpoon"

    def start(self, arguments: Sequence[str], *, before: Sequence[str] = ()) -> Started:
        """Start a command line, in a session of its own, its output to files that a kill does not close."""
        self.count += 1
        out, err = (self.directory / f"{name}-{self.count}" for name in ("out", "err"))
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                [*before, HARPOON, *arguments],
                env=self.environ,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                start_new_session=True,
            )
        return Started(process, out, err)

    def run(self, *arguments: str) -> Ended:
        return self.start(arguments).ended()

    def open_rows(self) -> list[tuple[str, str]]:
        """(state, reference) of every row that is not over."""
        path = self.state / "ledger.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path, timeout=10)) as ledger:
            query = "SELECT state, reference FROM leases WHERE state NOT IN ('released', 'refused')"
            try:
                return ledger.execute(query).fetchall()
            except sqlite3.OperationalError:  # killed before there was a table
                return []

    def corrupt(self) -> str | None:
        """What SQLite finds wrong with the ledger; None where it is whole or not there."""
        path = self.state / "ledger.db"
        if not path.exists():
            return None
        with closing(sqlite3.connect(path, timeout=10)) as ledger:
            try:
                [found] = ledger.execute("PRAGMA integrity_check").fetchone()
            except sqlite3.DatabaseError as error:
                return str(error)
        return None if found == "ok" else str(found)

    def damage(self, how: str) -> None:
        """Do one of `DAMAGES` to the ledger, behind harpoon's back."""
        path = self.state / "ledger.db"
        if not path.exists():
            return
        if how == "removed":
            for file in self.state.glob("ledger.db*"):
                file.unlink(missing_ok=True)
        elif how == "log lost":
            for file in self.state.glob("ledger.db-*"):
                file.unlink(missing_ok=True)
        elif how == "cut":
            os.truncate(path, path.stat().st_size // 2)
        elif how == "emptied":
            os.truncate(path, 0)
        else:
            path.write_bytes(b"this is not a ledger\n" * 400)

    def left_behind(self) -> list[int]:
        """The ids of the processes of this scenario that are still there."""
        mark = f"{MARK}={self.mark}".encode()
        found = []
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit():
                with suppress(OSError):
                    if mark in (directory / "environ").read_bytes().split(b"\0"):
                        found.append(int(directory.name))
        return found

    def wait_until_alone(self, within_s: float = SETTLED_S) -> bool:
        """Wait until nothing that was started here runs any more; False where something still does."""
        ends_at = monotonic() + within_s
        while self.left_behind():
            if monotonic() >= ends_at:
                return False
            sleep(LOOK_S)
        return True

    def kill_what_is_left(self) -> None:
        for process_id in self.left_behind():
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)


class Started:
    """A process under way; its end is noted when it comes, whoever is waited for meanwhile."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err
        self._ended_at_s = 0.0
        self._watch = Thread(target=self._wait, daemon=True)
        self._watch.start()

    def _wait(self) -> None:
        self.process.wait()
        self._ended_at_s = monotonic()

    def ended(self, within_s: float = WAIT_S) -> Ended:
        """Its end; one that does not come is made by SIGKILL, and said in its stderr."""
        self._watch.join(within_s)
        hung = self._watch.is_alive()
        if hung:
            self.process.kill()
            self._watch.join()
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in (self._out, self._err))
        told = f"{err}\n{HUNG} for {within_s:g} s" if hung else err
        return Ended(self.process.returncode, out, told, self._ended_at_s)


@contextmanager
def home(tenant: Tenant, nature: Nature, mark: str) -> Iterator[Home]:
    """A home for the length of a block; every process of it is gone at its end."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="home-", dir=memory if memory.is_dir() else None))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "XDG_STATE_HOME": str(directory / "state"),
        "XDG_CACHE_HOME": str(directory / "cache"),
        "XDG_CONFIG_HOME": str(directory / "config"),
        "HOSTED_AI_BASE_URL": tenant.url,
        "HOSTED_AI_API_KEY": "sk-chaos-0123456789abcdef",
        "HARPOON_PLATFORM__IDEMPOTENCY_KEYS": _word(nature.keys),
        "HARPOON_PLATFORM__LISTS": _word(nature.lists),
        "HARPOON_PLATFORM__METADATA": _word(nature.metadata),
        "HARPOON_PLATFORM__TTL": _word(nature.ttl),
        MARK: mark,
        **QUICK,
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
    }
    place = Home(directory, environ, mark)
    try:
        yield place
    finally:
        place.kill_what_is_left()
        shutil.rmtree(directory, ignore_errors=True)


def _word(value: bool) -> str:
    return "true" if value else "false"
