"""Signs of life of real processes, ended by real signals."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from harpoon_cli.errors import StorageFault
from harpoon_cli.leases.alive import SignOfLife, is_alive


def started(work: Callable[[], str]) -> tuple[int, str]:
    """A process that does its work, says a word, and then waits to be killed."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, work().encode())
            signal.pause()
        finally:
            os._exit(1)  # a child that fails must not go on with the tests
    os.close(write)
    word = os.read(read, 100).decode()
    os.close(read)
    assert word, "the process failed before it could say its word"
    return child, word


def killed(child: int, number: signal.Signals) -> None:
    os.kill(child, number)
    os.waitpid(child, 0)


def test_a_process_is_alive_until_it_closes_its_sign(tmp_path: Path) -> None:
    sign = SignOfLife(tmp_path / "state" / "alive")
    assert is_alive(tmp_path / "state" / "alive", sign.name)
    sign.close()
    assert not is_alive(tmp_path / "state" / "alive", sign.name)
    assert list((tmp_path / "state" / "alive").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_was_killed_is_not_alive_and_its_sign_is_cleared_away(
    tmp_path: Path, number: signal.Signals
) -> None:
    signs: list[SignOfLife] = []

    def live() -> str:
        signs.append(SignOfLife(tmp_path))
        return signs[0].name

    child, name = started(live)
    assert is_alive(tmp_path, name)
    killed(child, number)
    assert (tmp_path / name).exists()
    assert not is_alive(tmp_path, name)
    ours = SignOfLife(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ours.name]


def test_a_name_that_was_never_there_is_not_alive(tmp_path: Path) -> None:
    assert not is_alive(tmp_path, "0123456789abcdef")
    assert not is_alive(tmp_path / "nowhere", "0123456789abcdef")


def test_those_who_look_at_the_same_time_do_not_take_each_other_for_the_owner(tmp_path: Path) -> None:
    name = "0123456789abcdef"
    (tmp_path / name).touch()

    def looks() -> str:
        fcntl.flock(os.open(tmp_path / name, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB)
        return "looking"

    looker, _ = started(looks)
    assert not is_alive(tmp_path, name)
    killed(looker, signal.SIGKILL)


@pytest.mark.parametrize("meets", ["a look", "a clearing away"])
def test_a_look_between_making_a_sign_and_locking_it_does_not_make_its_owner_look_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meets: str
) -> None:
    """The one moment in which a new sign looks like a dead one, met on purpose."""
    lock = fcntl.flock
    met: list[Path] = []
    lookers: list[int] = []

    def meeting(handle: int, operation: int) -> None:
        if not met and operation & fcntl.LOCK_EX:
            met.extend(tmp_path.iterdir())
            if meets == "a look":
                lookers.append(os.open(met[0], os.O_RDONLY))
                lock(lookers[0], fcntl.LOCK_SH)
            else:
                met[0].unlink()
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", meeting)
    sign = SignOfLife(tmp_path)
    assert len(met) == 1
    assert sign.name != met[0].name
    assert is_alive(tmp_path, sign.name)


def test_it_is_private_whatever_the_umask(tmp_path: Path) -> None:
    directory = tmp_path / "state" / "alive"
    before = os.umask(0)
    try:
        sign = SignOfLife(directory)
    finally:
        os.umask(before)
    modes = [
        stat.S_IMODE(path.stat().st_mode) for path in (directory.parent, directory, directory / sign.name)
    ]
    assert modes == [0o700, 0o700, 0o600]


def test_a_sign_is_not_handed_to_the_programs_that_a_process_starts(tmp_path: Path) -> None:
    sign = SignOfLife(tmp_path)
    child = os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)
    sign.close()
    (tmp_path / sign.name).touch()
    assert not is_alive(tmp_path, sign.name)
    killed(child, signal.SIGKILL)


def test_what_else_lies_in_the_directory_is_no_sign_and_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert is_alive(tmp_path, SignOfLife(tmp_path).name)


def test_a_directory_that_cannot_be_had_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFault, match="signs of life"):
        SignOfLife(tmp_path / "file" / "alive")
    with pytest.raises(StorageFault, match="signs of life"):
        is_alive(tmp_path / "file", "0123456789abcdef")
