"""A signal at the start, and at the very end, of a command leaves the right status, and no traceback.

What comes before harpoon's first line is Python's own: the processes here are signalled once that has run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path

import pytest

ROUNDS = int(os.environ.get("HARPOON_TEST_STARTS", "1"))
"""How many random moments are tried for each command and each signal."""

FIRST_S = 0.5
STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
COMMANDS = ["--version", "--help", "_complete models", "doctor", "infer Hello", "allocate -m gemma-270m -q"]


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")


def started(home: Path, command: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "harpoon_cli", *command.split()],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def wait_until_it_listens(process: subprocess.Popen[bytes]) -> None:
    """Until the process has a handler for TERM, or has ended: a zombie keeps its status, without handlers."""
    bit = 1 << (signal.SIGTERM - 1)
    while process.poll() is None:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) & bit:
            return


@needs_proc
@pytest.mark.parametrize("number", STATUSES, ids=lambda number: signal.Signals(number).name)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_signal_amid_the_start_is_its_status_and_no_traceback(
    tmp_path: Path, command: str, number: signal.Signals, seed: int
) -> None:
    wait_s = random.Random(f"{command} {number} {seed}").uniform(0, FIRST_S)
    with started(tmp_path, command) as process:
        wait_until_it_listens(process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert b"Traceback" not in out + err
    assert b"a bug in harpoon" not in err
    assert process.returncode in (STATUSES[number], 0), err.decode()


@pytest.mark.parametrize("number", STATUSES, ids=lambda number: signal.Signals(number).name)
def test_a_signal_after_the_result_changes_no_status(number: signal.Signals) -> None:
    body = f"from harpoon_cli import early; early.listen(); early.stand_by(9); os.kill(os.getpid(), {number})"
    assert subprocess.run([sys.executable, "-c", f"import os; {body}; os.abort()"]).returncode == 9


def test_nohup_stays_nohup() -> None:
    body = (
        "import os, signal; from harpoon_cli import early; signal.signal(1, signal.SIG_IGN); early.listen()"
    )
    assert subprocess.run([sys.executable, "-c", f"{body}; os.kill(os.getpid(), 1)"]).returncode == 0


@needs_proc
def test_a_key_command_that_waits_keeps_no_signal_waiting(tmp_path: Path) -> None:
    place = tmp_path / ".config" / "harpoon"
    place.mkdir(parents=True)
    (place / "config.toml").write_text(
        '[platform]\nbase_url = "https://platform.example"\napi_key_command = ["sleep", "600"]\n'
    )
    with started(tmp_path, "pools") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not children.read_text().strip():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, b"error: stopped by SIGTERM; nothing of this command is held\n")


@needs_proc
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="system calls have other numbers elsewhere")
def test_a_signal_while_nobody_reads_the_result_is_the_signals_status(tmp_path: Path) -> None:
    read, write = os.pipe()
    fcntl(write, F_SETPIPE_SZ, 4096)
    os.write(write, b"x" * 4096)
    with started(tmp_path, "help exit-codes", stdout=write) as process:
        while not _writes_to_stdout(process):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    os.close(write)
    os.close(read)
    assert (process.returncode, err) == (143, b"")


def _writes_to_stdout(process: subprocess.Popen[bytes]) -> bool:
    """Whether it waits in write(1, …), the system call 1 of x86-64."""
    call = Path(f"/proc/{process.pid}/syscall").read_text().split()
    return call[:2] == ["1", "0x1"]
