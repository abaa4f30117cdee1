"""The keeper with real processes: what it runs, when, and what does not end it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from harpoon_cli.leases.keeper import SCRIPT, Keeper
from harpoon_cli.leases.keeper_process import FINAL, Clocks, Job, jobs_of, run, work_off
from tests.leases.test_signals import open_rows
from tests.leases.watched import WAIT_S, ended, watched

INFER = ("infer", "--model", "gemma-2b", "Why is the sky blue?")

OWNER = """
import json, os, sys, time
from harpoon_cli.leases.keeper import Keeper
words, moment = json.loads(sys.argv[1]), float(sys.argv[2])
keeper = Keeper(words)
if moment:
    from datetime import datetime, UTC
    keeper.at(datetime.fromtimestamp(time.time() + moment, UTC), words)
    keeper.done(stays=True)
print(keeper._process.pid, flush=True)
sys.stdin.read()
"""


class Owner:
    """A process that has a keeper, in a process group of its own."""

    def __init__(
        self, words: Sequence[str], *, ends_well_and_at_s: float = 0.0, cwd: Path | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER, json.dumps(list(words)), str(ends_well_and_at_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=cwd,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.keeper_id = int(self.process.stdout.readline())

    def ended(self, number: signal.Signals = signal.SIGKILL, *, group: bool = False) -> str:
        """End it by a signal; what is left on its stdout, which ends when all who hold it are gone."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        return self.process.communicate(timeout=WAIT_S)[0]


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Where a command says what it was given; reading waits for it."""
    os.mkfifo(tmp_path / "told")
    return tmp_path / "told"


def says(told: Path, *words: str) -> list[str]:
    """A command line that writes its words to the FIFO, a line each."""
    return ["/bin/sh", "-c", f"printf '%s\\n' \"$@\" > '{told}'", "sh", *words]


def test_what_it_was_told_is_run_with_every_word_as_it_was_once_its_owner_is_killed(told: Path) -> None:
    words = ["two words", "", "süß", "\udcff", "a\nb", "'\"$(id)"]
    owner = Owner(says(told, *words))
    owner.ended()
    assert told.read_bytes() == b"".join(os.fsencode(word) + b"\n" for word in words)


def test_the_kill_of_the_whole_process_group_does_not_end_it(told: Path) -> None:
    Owner(says(told, "here")).ended(group=True)
    assert told.read_text() == "here\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_before_its_owner_s_end_does_not_end_it(told: Path, number: signal.Signals) -> None:
    owner = Owner(says(told, "here"))
    _until_it_listens(owner.keeper_id)
    os.kill(owner.keeper_id, number)
    owner.ended()
    assert told.read_text() == "here\n"


def _until_it_listens(process_id: int) -> None:
    """Until it waits on its stdin: before that Python has not come to its first line."""
    waiting = Path(f"/proc/{process_id}/wchan")
    while "pipe" not in waiting.read_text() and _ignored(process_id) == 0:
        pass


def _ignored(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text()
    mask = int(status.partition("SigIgn:\t")[2].split()[0], 16)
    return mask & 1 << (signal.SIGTERM - 1)


def test_a_reader_of_its_owner_s_output_does_not_wait_for_it(told: Path) -> None:
    owner = Owner(says(told, "late"))
    assert owner.ended() == ""  # the command waits for a reader of the FIFO, and the keeper for the command
    assert told.read_text() == "late\n"


def test_an_owner_that_ends_well_leaves_nothing_running() -> None:
    keeper = Keeper(["/bin/false"])
    process_id = keeper._process.pid
    keeper.done(stays=False)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_an_owner_that_leaves_without_a_word_hands_over(told: Path) -> None:
    keeper = Keeper(says(told, "here"))
    keeper.leave()
    assert told.read_text() == "here\n"
    keeper._process.wait(WAIT_S)


def test_what_is_to_be_done_at_a_moment_is_done_though_its_owner_has_ended_well(told: Path) -> None:
    owner = Owner(says(told, "in time"), ends_well_and_at_s=0.3)
    owner.ended(signal.SIGTERM)
    assert told.read_text() == "in time\n"


def test_a_directory_that_is_gone_does_not_keep_it_from_its_work(tmp_path: Path, told: Path) -> None:
    place = tmp_path / "deleted"
    place.mkdir()
    owner = Owner(says(told, "here"), cwd=place)
    place.rmdir()
    owner.ended()
    assert told.read_text() == "here\n"


def test_it_holds_nothing_open_of_its_owner_s() -> None:
    with Path(os.devnull).open() as inherited:
        os.set_inheritable(inherited.fileno(), True)
        keeper = Keeper(["/bin/false"])
        handles = {int(one.name) for one in Path(f"/proc/{keeper._process.pid}/fd").iterdir()}
        keeper.done(stays=False)
    assert inherited.name == os.devnull
    assert handles <= {0, 1, 2, 3}  # 3: the script, while Python reads it


def test_where_there_is_no_python_any_more_it_says_so_by_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/gone/bin/python")
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match="gone"):
        Keeper(["/bin/true"])
    assert set(Path("/proc/self/fd").iterdir()) == before


# In time of its own


class SetClocks(Clocks):
    """Stand still but for what a test, or a sleep, adds."""

    def __init__(self) -> None:
        self.wall_s, self.boot_s = 1e9, 50.0

    def now_s(self) -> float:
        return self.wall_s

    def elapsed_s(self) -> float:
        return self.boot_s

    def sleep(self, seconds: float) -> None:
        self.wall_s += seconds
        self.boot_s += seconds


def _order(kind: str, *words: str) -> bytes:
    return " ".join([kind, *(os.fsencode(word).hex() for word in words)]).encode() + b"\n"


def _worked_off(orders: bytes, clocks: SetClocks, statuses: Iterator[int]) -> list[tuple[float, list[bytes]]]:
    """When, in elapsed seconds, each command line was run."""
    began_s, runs = clocks.boot_s, list[tuple[float, list[bytes]]]()

    def run(words: list[bytes]) -> int:
        runs.append((clocks.boot_s - began_s, words))
        return next(statuses)

    work_off(jobs_of(orders, clocks), run, clocks.sleep)
    return runs


@pytest.mark.parametrize("status", [1, 3, 4, 7, 9, 11, -signal.SIGKILL, 143])
def test_a_release_that_is_not_confirmed_is_tried_again_after_longer_pauses(status: int) -> None:
    runs = _worked_off(_order("gone", "x"), SetClocks(), iter([status] * 7 + [0]))
    assert [at_s for at_s, _ in runs] == [0, 2, 6, 14, 30, 62, 122, 182]


def test_it_gives_up_after_an_hour() -> None:
    def never() -> Iterator[int]:
        while True:
            yield 9

    runs = _worked_off(_order("gone", "x"), SetClocks(), never())
    assert 3500 < runs[-1][0] <= 3600


@pytest.mark.parametrize("status", FINAL)
def test_any_other_end_is_one(status: int) -> None:
    assert len(_worked_off(_order("gone", "x"), SetClocks(), iter([status]))) == 1


def test_what_was_due_at_a_moment_is_run_then_beside_what_is_tried_again() -> None:
    clocks = SetClocks()
    orders = _order("gone", "now") + _order(f"at {clocks.wall_s + 5}", "later")
    runs = _worked_off(orders, clocks, iter([9, 9, 0, 0]))
    assert runs == [(0, [b"now"]), (2, [b"now"]), (5, [b"later"]), (6, [b"now"])]


def test_a_clock_that_is_set_back_does_not_put_an_end_off() -> None:
    clocks = SetClocks()
    [job] = jobs_of(_order(f"at {clocks.wall_s + 100}", "x"), clocks)
    clocks.sleep(90)
    clocks.wall_s -= 7200
    assert job.left_s() == pytest.approx(10)


def test_an_end_that_passed_while_the_machine_slept_is_due_at_once() -> None:
    clocks = SetClocks()
    [job] = jobs_of(_order(f"at {clocks.wall_s + 100}", "x"), clocks)
    clocks.wall_s += 101  # a clock that stands still meanwhile is all that some systems have
    assert job.left_s() < 0


def test_a_line_that_is_not_whole_is_not_obeyed() -> None:
    clocks = SetClocks()
    assert len(jobs_of(_order("gone", "x") + b"don", clocks)) == 1
    assert jobs_of(_order("gone", "x") + b"done\n", clocks) == []


def test_a_command_that_cannot_be_started_is_worth_another_try() -> None:
    assert run([b"/gone/bin/python"]) not in FINAL


def test_a_command_ends_by_signals_again_though_the_keeper_does_not() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert run([os.fsencode(sys.executable), b"-c", code.encode()]) == -signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)


def test_it_works_where_ends_of_children_are_ignored(told: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as some daemons have it, and their children
    try:
        owner = Owner(["/bin/sh", "-c", f"echo again > '{told}'; exit 9"])
        owner.ended()
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert [told.read_text(), told.read_text()] == ["again\n", "again\n"]
    os.kill(owner.keeper_id, signal.SIGTERM)


def test_a_job_is_due_when_its_epoch_time_is_there() -> None:
    clocks = SetClocks()
    assert Job([b"x"], clocks.wall_s + 3, clocks).left_s() == 3


# Whole command lines


def keeper_of(process: subprocess.Popen[str]) -> int:
    """The process id of a command's keeper."""
    [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


def wait_for_end_of(process_id: int) -> None:
    """Of a process that is not our child."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(process_id)
        assert select.select([handle], [], [], WAIT_S)[0], "the keeper goes on"
        os.close(handle)


@pytest.mark.parametrize("moment", ["allocate", "stream"])
def test_what_a_killed_command_held_is_given_back_without_another_command(
    tmp_path: Path, moment: str
) -> None:
    with watched(tmp_path, held=moment) as place:
        process = place.harpoon(*INFER)
        place.application.wait_for(moment)
        keeper = keeper_of(process)
        process.kill()
        assert ended(process)[0] == -signal.SIGKILL
        place.application.let_go()
        wait_for_end_of(keeper)
        assert (place.live(), open_rows(place)) == ([], [])


def test_a_second_signal_leaves_the_rest_to_the_keeper(tmp_path: Path) -> None:
    with watched(tmp_path, held="release") as place:
        process = place.harpoon(*INFER)
        place.application.wait_for("release")
        keeper = keeper_of(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 9
        place.application.let_go()
        wait_for_end_of(keeper)
        assert (place.live(), open_rows(place)) == ([], [])


def test_a_command_that_could_not_confirm_its_release_leaves_it_to_the_keeper_and_says_so(
    tmp_path: Path,
) -> None:
    with watched(tmp_path, held="release") as place:
        process = place.harpoon(*INFER)
        place.application.wait_for("release")
        keeper = keeper_of(process)
        process.send_signal(signal.SIGTERM)
        status, _, err = ended(process)
        assert status == 9
        assert "warning: a process in the background goes on trying to give it back, for an hour\n" in err
        place.application.let_go()
        wait_for_end_of(keeper)
        assert (place.live(), open_rows(place)) == ([], [])


def test_a_command_that_ends_well_leaves_no_keeper_and_tells_it_no_secret(tmp_path: Path) -> None:
    with watched(tmp_path, held="allocate") as place:
        process = place.harpoon("allocate", "-m", "gemma-2b")
        place.application.wait_for("allocate")
        keeper = keeper_of(process)
        said = Path(f"/proc/{keeper}/cmdline").read_bytes().split(b"\0")
        assert said[1:] == [b"-I", b"-S", os.fsencode(SCRIPT), b""]
        place.application.let_go()
        assert ended(process)[0] == 0
        with pytest.raises(ProcessLookupError):
            os.kill(keeper, 0)
