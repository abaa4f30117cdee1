"""Real processes, ended by real signals at every point of a lease's life, against a real server."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.leases.watched import Place, ended, watched

STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

INFER = ("infer", "--model", "gemma-2b", "Why is the sky blue?")


@dataclass(frozen=True)
class Moment:
    """A point in a lease's life: how the platform is made to stop there, and what shows that it did."""

    name: str
    shown_by: str
    held: str | None = None
    starts_after_s: float = 0.0


MOMENTS = (
    Moment("allocating", "allocate", held="allocate"),
    Moment("waiting", "look", starts_after_s=600.0),
    Moment("streaming", "stream", held="stream"),
    Moment("releasing", "release", held="release"),
)


def open_rows(place: Place) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(place.ledger)) as ledger:
        query = "SELECT state, reference FROM leases WHERE state NOT IN ('released', 'refused')"
        return ledger.execute(query).fetchall()


@pytest.mark.parametrize("number", STATUSES, ids=lambda number: signal.Signals(number).name)
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_a_signal_at_any_moment_gives_the_lease_back_and_says_so_in_a_sentence(
    tmp_path: Path, moment: Moment, number: signal.Signals
) -> None:
    with watched(tmp_path, held=moment.held, starts_after_s=moment.starts_after_s) as place:
        process = place.harpoon(*INFER)
        place.application.wait_for(moment.shown_by)
        process.send_signal(number)
        if moment.held in ("allocate", "release"):
            place.application.let_go()
        status, _, err = ended(process)
        assert status == STATUSES[number], err
        assert place.live() == []
        assert open_rows(place) == []
        assert f"error: stopped by {number.name}; nothing of this command is held" in err
        assert "Traceback" not in err
        assert "never retrieved" not in err


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system does not tell of a parent's end")
@pytest.mark.parametrize("nohup", [False, True])
def test_a_killed_shell_is_a_hang_up_but_not_under_nohup(tmp_path: Path, nohup: bool) -> None:
    with watched(tmp_path, held="stream") as place:
        line = 'trap "" HUP; "$@"; :' if nohup else '"$@"; :'
        shell = place.harpoon(*INFER, before=("sh", "-c", line, "sh"))
        place.application.wait_for("stream")
        shell.kill()
        if nohup:
            assert len(place.live()) == 1
            place.application.let_go()
        _, err = shell.communicate(timeout=60)  # harpoon has these pipes too, until it ends
        assert place.live() == []
        assert open_rows(place) == []
        assert ("stopped by SIGHUP; nothing of this command is held" in err) is not nohup


def test_a_signal_while_the_allocate_never_answers_finds_the_lease_and_gives_it_back(tmp_path: Path) -> None:
    with watched(tmp_path, held="allocate") as place:
        process = place.harpoon(*INFER)
        place.application.wait_for("allocate")
        process.send_signal(signal.SIGTERM)
        status, _, err = ended(process)
        assert (status, place.live(), open_rows(place)) == (143, [], []), err


def test_a_signal_while_the_release_never_answers_says_that_it_may_still_bill(tmp_path: Path) -> None:
    with watched(tmp_path, held="release") as place:
        process = place.harpoon(*INFER)
        place.application.wait_for("release")
        process.send_signal(signal.SIGTERM)
        status, _, err = ended(process)
        assert status == 9, err
        assert "may still be billing" in err
        assert "hint: harpoon release " in err
        assert [state for state, _ in open_rows(place)] == ["releasing"]
        place.application.let_go()
        assert ended(place.harpoon("release", "--overdue"))[0] == 0
        assert open_rows(place) == []


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_after_a_kill_at_any_moment_release_overdue_ends_what_was_left(
    tmp_path: Path, moment: Moment
) -> None:
    with watched(tmp_path, held=moment.held, starts_after_s=moment.starts_after_s) as place:
        process = place.harpoon(*INFER)
        place.application.wait_for(moment.shown_by)
        process.kill()
        assert ended(process)[0] == -signal.SIGKILL
        assert len(open_rows(place)) == 1
        place.application.let_go()
        status, _, err = ended(place.harpoon("release", "--overdue"))
        assert (status, place.live(), open_rows(place)) == (0, [], []), err


def children_of(process_id: int) -> list[int]:
    listed = Path(f"/proc/{process_id}/task/{process_id}/children").read_text()
    return [int(child) for child in listed.split()]


def test_after_a_kill_the_next_command_that_leases_ends_what_was_left(tmp_path: Path) -> None:
    with watched(tmp_path, held="stream") as place:
        process = place.harpoon(*INFER)
        place.application.wait_for("stream")
        for child in children_of(process.pid):  # its keeper, which would do it too
            os.kill(child, signal.SIGKILL)
        process.kill()
        ended(process)
        place.application.let_go()
        status, _, err = ended(place.harpoon(*INFER))
        assert (status, place.live(), open_rows(place)) == (0, [], []), err
        assert "which an earlier command left open" in err


def test_a_command_leaves_the_lease_of_one_that_is_still_running_alone(tmp_path: Path) -> None:
    with watched(tmp_path, held="stream") as place:
        running = place.harpoon(*INFER)
        place.application.wait_for("stream")
        assert ended(place.harpoon("release", "--overdue"))[0] == 0
        assert len(place.live()) == 1
        place.application.let_go()
        assert ended(running)[0] == 0
        assert place.live() == []


def test_a_second_signal_ends_it_at_once_and_what_it_left_can_be_ended(tmp_path: Path) -> None:
    with watched(tmp_path, held="release") as place:
        process = place.harpoon(*INFER)
        place.application.wait_for("release")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        status, _, err = ended(process)
        assert status == 9, err
        assert "hint: harpoon release --overdue" in err
        assert "Traceback" not in err
        place.application.let_go()
        assert ended(place.harpoon("release", "--overdue"))[0] == 0
        assert (place.live(), open_rows(place)) == ([], [])
