"""What hosts did, told from process to process by a small file that nobody ever has to wait for or repair."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harpoon_cli.client.breaker import Health
from harpoon_cli.client.health_file import FILE_CAP_BYTES, HOSTS_CAP, HealthFile
from harpoon_cli.errors import StorageFault

NOW = 1_800_000_000.0
ILL = Health(failures=3, asked_at=NOW)


def learned(file: HealthFile, name: str = "host", health: Health = ILL, now: float = NOW) -> None:
    file.change(name, lambda _: (health, None), now)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "breakers.json"


def file_at(path: Path, complaints: list[str] | None = None) -> HealthFile:
    heard = [] if complaints is None else complaints
    return HealthFile(path, lambda: path.parent.mkdir(exist_ok=True), heard.append)


def test_what_one_learns_another_knows(path: Path) -> None:
    learned(file_at(path))
    assert file_at(path).health("host") == ILL
    assert file_at(path).health("another") == Health()


def test_a_change_gives_its_result(path: Path) -> None:
    assert file_at(path).change("host", lambda health: (ILL, health.failures), NOW) == 0
    assert file_at(path).change("host", lambda health: (ILL, health.failures), NOW) == 3


def test_nothing_is_made_where_nothing_is_to_be_told(path: Path) -> None:
    file = file_at(path)
    file.health("host")
    learned(file, health=Health())
    assert not path.parent.exists()


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    learned(file_at(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_does_not_change_is_not_written(path: Path) -> None:
    learned(file_at(path))
    before = path.stat().st_mtime_ns
    learned(file_at(path))
    file_at(path).health("host")
    assert path.stat().st_mtime_ns == before


def test_hosts_that_are_at_rest_are_forgotten(path: Path) -> None:
    file = file_at(path)
    learned(file, "healed", Health(healed_at=NOW))
    learned(file, "ill")
    learned(file, "third", now=NOW + 100.0)
    assert set(json.loads(path.read_text())) == {"ill", "third"}


def test_the_file_does_not_grow_for_ever(path: Path) -> None:
    file = file_at(path)
    for number in range(HOSTS_CAP + 5):
        learned(file, f"https://host-{number}.example.com control")
    assert len(json.loads(path.read_text())) == HOSTS_CAP
    assert file.health(f"https://host-{HOSTS_CAP + 4}.example.com control") == ILL
    assert path.stat().st_size < FILE_CAP_BYTES


WRONG: list[object] = [-1, "3", None, True, [], 1e300, 10**400, float("nan"), float("inf")]
GOOD: dict[str, object] = {
    **{"failures": 3, "asked_at": NOW, "healed_at": 0.0, "passed": 0},
    **{"reserve": 8.0, "reserve_at": 0.0},
}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 4096,
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b"[" * 50_000,
        b"x" * 1_000_000,
        b'{"host": 7}',
        b'{"host": []}',
        *(json.dumps({"host": GOOD | {"failures": wrong}}).encode() for wrong in WRONG),
        json.dumps({"host": GOOD | {"extra": 1}}).encode(),
        json.dumps({"host": {"failures": 5}}).encode(),
    ],
)
def test_a_spoilt_file_is_as_if_no_host_had_been_met_and_is_written_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    complaints: list[str] = []
    file = file_at(path, complaints)
    assert file.health("host") == Health()
    learned(file)
    assert file_at(path).health("host") == ILL
    assert complaints == []


def test_hosts_beside_a_spoilt_one_are_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"bad": 1, "host": GOOD}))
    learned(file_at(path), "new")
    assert set(json.loads(path.read_text())) == {"host", "new"}


def make_directory(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_text("not ours")
    path.symlink_to(target)


def make_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("make", [make_directory, make_pipe, make_link, make_dangling_link])
def test_what_is_no_file_is_left_alone_and_told_once_and_this_process_knows_for_itself(
    path: Path, make: object
) -> None:
    path.parent.mkdir()
    assert callable(make)
    make(path)
    complaints: list[str] = []
    file = file_at(path, complaints)
    learned(file)
    assert file.health("host") == ILL
    assert file_at(path).health("host") == Health()
    (complaint,) = complaints
    assert str(path) in complaint
    assert "cannot be used" in complaint
    assert not path.with_name("elsewhere").exists() or path.with_name("elsewhere").read_text() == "not ours"


def test_a_directory_that_cannot_be_made_stops_nobody(path: Path) -> None:
    def fail() -> None:
        raise StorageFault("no room")

    complaints: list[str] = []
    file = HealthFile(path, fail, complaints.append)
    learned(file)
    assert file.health("host") == ILL
    assert "no room" in complaints[0]


def test_a_full_disk_stops_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    complaints: list[str] = []
    file = file_at(path, complaints)
    monkeypatch.setattr(os, "pwrite", full)
    learned(file)
    learned(file, health=Health(failures=4))
    assert file.health("host") == Health(failures=4)
    assert complaints == [f"{path} cannot be used (No space left on device): which hosts fail is not shared"]


def test_a_process_that_does_not_let_go_is_not_waited_for_and_what_was_known_still_is(path: Path) -> None:
    complaints: list[str] = []
    file = file_at(path, complaints)
    learned(file)
    assert file.health("host") == ILL
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert file.health("host") == ILL
        learned(file, health=Health(failures=4))
    assert file.health("host") == Health(failures=4)
    assert complaints == [
        f"{path} cannot be used (another process does not let go of it): which hosts fail is not shared"
    ]


COUNTING = """
import sys
from harpoon_cli.values import replace
from pathlib import Path
from harpoon_cli.client.health_file import HealthFile

done = 0
while done < 200:
    heard = []
    file = HealthFile(Path(sys.argv[1]), complain=heard.append)
    file.change("host", lambda health: (replace(health, failures=health.failures + 1), None), 1.8e9)
    done += not heard
"""


def test_processes_at_the_same_time_lose_nothing(path: Path) -> None:
    path.parent.mkdir()
    workers = [subprocess.Popen([sys.executable, "-c", COUNTING, path]) for _ in range(4)]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    assert file_at(path).health("host").failures == 800
