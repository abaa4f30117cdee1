"""Many real processes on one state: nothing is given twice, no key becomes two leases."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from harpoon_cli.errors import StorageFault
from harpoon_cli.sandbox.embedded import open_sandbox
from harpoon_cli.sandbox.keys import sandbox_key
from harpoon_cli.sandbox.pools import built_in_pools
from harpoon_cli.sandbox.store import Store

WORKERS = 6

# Waits for a line on stdin, so that all begin together; then takes what it can get of the 2-slice pool.
GRAB = """
import json, sys
from pathlib import Path
from harpoon_cli.sandbox.platform import Order, Refusal, SandboxPlatform
from harpoon_cli.sandbox.pools import built_in_pools
from harpoon_cli.sandbox.store import Store
directory, key = Path(sys.argv[1]), sys.argv[2] or None
platform = SandboxPlatform(Store(directory), built_in_pools())
print("ready", flush=True)
sys.stdin.readline()
given = []
for _ in range(5):
    try:
        given.append(platform.allocate(Order("gpu-pool-4", 1024, 1.0, 3600), key).document["allocation_id"])
    except Refusal as refusal:
        assert refusal.code == "insufficient_capacity", refusal
print(json.dumps(given))
"""

KEYS = """
import sys
from pathlib import Path
from harpoon_cli.sandbox.keys import sandbox_key
print("ready", flush=True)
sys.stdin.readline()
print(sandbox_key(Path(sys.argv[1])).reveal())
"""


def together(script: str, *arguments: str) -> list[str]:
    """What each of the processes printed, all let go at the same moment."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(WORKERS)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=60)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * WORKERS
    return said


def flat(lists: Iterable[str]) -> list[str]:
    return [item for text in lists for item in json.loads(text)]


def test_processes_that_race_for_the_last_slices_get_no_more_than_there_are(tmp_path: Path) -> None:
    given = flat(together(GRAB, str(tmp_path), ""))
    slices = next(pool.slices for pool in built_in_pools() if pool.id == "gpu-pool-4")
    assert len(given) == len(set(given)) == slices


def test_processes_that_race_with_one_key_get_one_lease(tmp_path: Path) -> None:
    given = flat(together(GRAB, str(tmp_path), "the-same-key"))
    assert len(given) == WORKERS * 5
    assert len(set(given)) == 1


def test_processes_that_race_for_the_first_key_get_the_same_one(tmp_path: Path) -> None:
    keys = together(KEYS, str(tmp_path / "new"))
    assert len(set(keys)) == 1
    assert len(keys[0]) > 32
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["sandbox.key"]


def test_only_the_owner_can_read_what_is_kept(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "state"
    store = Store(directory)
    sandbox_key(directory)
    with store.transaction():
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(["sandbox.key", "sandbox.db", "sandbox.db-wal", "sandbox.db-shm"], 0o600)


@pytest.mark.parametrize("content", [b"this is no database, and never was one" * 100, b"\0" * 5000])
def test_a_broken_state_is_a_sentence_and_a_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sandbox.db").write_bytes(content)
    with pytest.raises(StorageFault) as fault, Store(tmp_path).transaction():
        pass
    assert str(tmp_path) in fault.value.message
    assert "reset --force" in (fault.value.hint or "")


def test_a_state_of_another_version_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.transaction():
        store._run("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(StorageFault, match="another version"), Store(tmp_path).transaction():
        pass


@pytest.mark.parametrize("key", ["", "\n", "schlüssel"])
def test_a_broken_key_is_a_sentence_and_a_way_out(tmp_path: Path, key: str) -> None:
    (tmp_path / "sandbox.key").write_text(key, "utf-8")
    with pytest.raises(StorageFault, match="key"):
        open_sandbox(tmp_path, tmp_path / "cache")
